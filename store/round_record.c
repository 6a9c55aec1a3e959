/* SPDX-License-Identifier: ISC */
#include "store/round.h"

#include "store/record.h"
#include "store/store_int.h"

#include <stdio.h>
#include <string.h>

static const char kind[] = "popstore-checking";

/* The numbers of a state, by the keys that they have in the record. */
static const struct field {
	const char *key;
	size_t offset;
} fields[] = {
	/* clang-format off */
	{"volume",   offsetof(struct round_state, volume)},
	{"share",    offsetof(struct round_state, share)},
	{"volumes",  offsetof(struct round_state, volumes)},
	{"accounts", offsetof(struct round_state, so_far.accounts)},
	{"messages", offsetof(struct round_state, so_far.messages)},
	{"octets",   offsetof(struct round_state, so_far.octets)},
	{"findings", offsetof(struct round_state, so_far.findings)},
	{"repaired", offsetof(struct round_state, so_far.repaired)},
	{"started",  offsetof(struct round_state, started_ms)},
	{"at",       offsetof(struct round_state, at_ms)},
	{"pid",      offsetof(struct round_state, pid)},
	/* clang-format on */
};

static uint64_t *number(struct round_state *st, const struct field *f)
{
	return (uint64_t *)(void *)((char *)st + f->offset);
}

static void print_state(struct round_state *st, struct record_writer *w)
{
	record_begin(w, kind);
	record_put(w, "what", str_of(st->what));
	record_put(w, "phase", str_of(st->phase));
	record_put(w, "place", str_of(st->place));
	for (size_t i = 0; i < countof(fields); i++)
		record_put_u64(w, fields[i].key, *number(st, &fields[i]));
}

static bool get_text(struct str record, const char *key, char *to, size_t room)
{
	struct buf b;
	bool ok;

	buf_init(&b, room - 1);
	ok = record_get(record, key, &b) && !buf_over(&b) &&
	     (b.n == 0 || memchr(b.p, '\0', b.n) == NULL);
	if (ok)
		snprintf(to, room, "%s", buf_cstr(&b));
	buf_fini(&b);
	return ok;
}

static bool parse_state(struct str record, struct round_state *st)
{
	bool ok = get_text(record, "what", st->what, sizeof st->what) &&
		  get_text(record, "phase", st->phase, sizeof st->phase) &&
		  get_text(record, "place", st->place, sizeof st->place);

	for (size_t i = 0; i < countof(fields); i++)
		ok = ok && record_get_u64(record, fields[i].key, number(st, &fields[i]));
	return ok && st->share <= TREE_WHOLE;
}

int round_state_read(struct store *s, const char *name, struct round_state *out,
		     bool *found, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, RECORD_MAX);
	*out = (struct round_state){0};
	rc = store_read_record(s, name, kind, &text, found, e);
	if (rc == 0 && *found && !parse_state(buf_str(&text), out))
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s lacks what it must have", name);
	buf_fini(&text);
	return rc;
}

void round_state_write(struct store *s, const char *name, struct round_state *st)
{
	struct record_writer w;
	struct err ignored;

	print_state(st, &w);
	(void)!storage_put(store_root(s), name, record_finish(&w), 0, NULL, &ignored);
	record_fini(&w);
}

bool round_read(struct store *s, const char *name, struct round_state *out, bool *running)
{
	struct storage_lease *lease = NULL;
	struct place path;
	struct err ignored;
	bool found;

	*running = false;
	if (round_state_read(s, name, out, &found, &ignored) < 0 || !found)
		return false;
	snprintf(path.path, sizeof path.path, "%s.lease", name);
	*running = storage_lease_take(store_root(s), path.path, &lease, &ignored) == 0 &&
		   lease == NULL;
	storage_lease_drop(&lease);
	return true;
}
