/* SPDX-License-Identifier: ISC */
#include "store/message_mend_int.h"

#include "store/store_int.h"

#include <string.h>

bool message_claims_agree(const struct message_repair *r)
{
	for (size_t i = 0; i < r->claims->n; i++) {
		const struct message_claim *c = &r->claims->v[i];

		if (c->stored != r->mi.stored || c->header_end != r->mi.header_end ||
		    c->size != r->mi.size + message_trace_octets(str_of(c->trace)))
			return false;
	}
	return true;
}

size_t message_mend_find(struct str text, size_t from, const char *what)
{
	const char *at =
		from < text.n ? memmem(text.p + from, text.n - from, what, strlen(what))
			      : NULL;

	return at ? (size_t)(at - text.p) : 0;
}

/* is_whole - what is about to be written is read as a reader would */
static bool is_whole(const struct message_repair *r, struct message_info *mi)
{
	struct str text = buf_str(&r->header);
	struct err ignored;

	return message_head_parse(text, mi, &ignored) == 0 && mi->id == r->id &&
	       mi->body == text.n && mi->body + mi->stored == r->size &&
	       message_slots_parse(text, mi, &ignored) == 0;
}

/* hold - for those whose maildrop has it */
static void hold(struct message_repair *r, const struct message_info *mi)
{
	for (size_t i = 0; i < r->claims->n; i++) {
		const struct message_claim *c = &r->claims->v[i];
		const struct message_slot *slot = message_slot_of(mi, c->uid);

		if (slot != NULL && slot->offset == c->slot)
			r->header.p[slot->offset] = '+';
	}
}

static int overwrite(struct message_repair *r, size_t from, size_t to, struct err *e)
{
	for (size_t at = from; at < to; at++)
		if (r->was.p[at] != r->header.p[at] &&
		    storage_file_put_octet(r->file, at, r->header.p[at], e) < 0)
			return -1;
	return 0;
}

static int mend(struct message_repair *r, struct err *e)
{
	struct message_info whole = {0};
	bool good;

	if (message_mend_head(r, e) < 0 || message_mend_slots(r, e) < 0)
		return -1;
	if (r->made)
		message_mend_print(r);
	good = is_whole(r, &whole);
	if (good)
		hold(r, &whole);
	message_info_fini(&whole);
	if (!good)
		return err_set(e, ERR_TEMP, "4.3.0", "its header cannot be made again");
	/* The head last: with it, a repair that is stopped knows the rest. */
	if (overwrite(r, r->slots_at, r->header.n, e) < 0 ||
	    overwrite(r, 0, r->slots_at, e) < 0)
		return -1;
	return storage_file_sync(r->file, e);
}

static int read_start(struct message_repair *r, struct err *e)
{
	size_t n, got;
	char *to;

	if (storage_file_size(r->file, &r->size, e) < 0)
		return -1;
	n = r->size < MESSAGE_HEADER_MAX ? (size_t)r->size : MESSAGE_HEADER_MAX;
	to = buf_reserve(&r->was, n);
	must(to != NULL);
	if (storage_file_read(r->file, 0, to, n, &got, e) < 0)
		return -1;
	buf_used(&r->was, got);
	buf_put(&r->header, buf_str(&r->was));
	return 0;
}

int message_mend(struct store *s, unsigned volume, uint64_t id,
		 const struct message_claims *claims, size_t *fillers, struct err *e)
{
	struct message_repair r = {.id = id, .claims = claims};
	struct volume *v = store_volume(s, volume);
	bool found;
	int rc;

	*fillers = 0;
	if (v == NULL)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "volume %u is not in the configuration", volume);
	if (storage_file_open(v->storage, message_path(id).s, STORAGE_WRITE, &r.file,
			      &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_TEMP, "4.3.0", "it is gone");
	buf_init(&r.was, MESSAGE_HEADER_MAX);
	buf_init(&r.header, MESSAGE_HEADER_MAX);
	rc = read_start(&r, e);
	if (rc == 0)
		rc = mend(&r, e);
	*fillers = r.fillers;
	buf_fini(&r.was);
	buf_fini(&r.header);
	storage_file_close(&r.file);
	return rc;
}
