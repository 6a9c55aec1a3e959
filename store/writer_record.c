/* SPDX-License-Identifier: ISC */
#include "store/writer_int.h"

#include "store/id.h"
#include "store/record.h"

#include <stdio.h>
#include <string.h>

enum { RECORD_OCTETS = 512 };

static const char kind[] = "popstore-writer";

struct writer_path writer_path(uint32_t number, const char *suffix)
{
	struct writer_path p;

	snprintf(p.s, sizeof p.s, "writers/%u%s", (unsigned)number, suffix);
	return p;
}

int writer_save(struct storage *root, const struct writer_saved *w, struct err *e)
{
	struct writer_path path = writer_path(w->s.number, "");
	struct record_writer r;

	record_begin(&r, kind);
	record_put_u64(&r, "number", w->s.number);
	record_put(&r, "state", w->clean ? STR("closed") : STR("open"));
	record_put_u64(&r, "checkpoint", w->s.checkpoint_ms);
	record_put_u64(&r, "until", w->s.until_ms);
	record_put(&r, "mount", str_of(w->s.mount));

	int rc = storage_put(root, path.s, record_finish(&r), STORAGE_DURABLE, NULL, e);

	record_fini(&r);
	return rc;
}

static void take_text(struct str record, const char *key, char *to, size_t room)
{
	struct buf b;

	buf_init(&b, room - 1);
	if (record_get(record, key, &b))
		snprintf(to, room, "%s", buf_cstr(&b));
	buf_fini(&b);
}

static int parse(struct str text, const char *path, struct writer_saved *out,
		 struct err *e)
{
	uint64_t number = out->s.number; /* older programs wrote none */
	char state[8] = "";

	if (record_check(text, kind, path, e) < 0)
		return -1;
	record_get_u64(text, "number", &number);
	if (number != out->s.number)
		return err_set(e, ERR_TEMP, "4.3.0", "%s is the record of another writer",
			       path);
	take_text(text, "state", state, sizeof state);
	take_text(text, "mount", out->s.mount, sizeof out->s.mount);
	out->clean = strcmp(state, "closed") == 0;
	return record_get_u64(text, "checkpoint", &out->s.checkpoint_ms) &&
			       record_get_u64(text, "until", &out->s.until_ms)
		       ? 0
		       : err_set(e, ERR_TEMP, "4.3.0", "%s lacks its times", path);
}

int writer_load(struct storage *root, uint32_t number, struct writer_saved *out,
		bool *found, struct err *e)
{
	struct writer_path path = writer_path(number, "");
	struct buf text;
	int rc;

	*out = (struct writer_saved){.s.number = number, .clean = true};
	buf_init(&text, RECORD_OCTETS);
	rc = storage_read(root, path.s, &text, found, e);
	if (rc == 0 && *found)
		rc = parse(buf_str(&text), path.s, out, e);
	buf_fini(&text);
	return rc;
}

bool writer_is_lost(const struct storage_lease *lease, bool found)
{
	return !found && storage_lease_time_ms(lease) != 0;
}

/* ---- what others ask of it ------------------------------------------------------ */

uint64_t writer_checkpoint_of(struct storage *root, uint32_t number)
{
	struct writer_saved w;
	struct err e;
	bool found;

	if (writer_load(root, number, &w, &found, &e) < 0 || !found)
		return 0;
	return w.s.checkpoint_ms;
}

/* is_held - asking makes no lease for a number that nobody ever had */
static bool is_held(struct storage *root, uint32_t number)
{
	struct writer_path path = writer_path(number, ".lease");
	struct storage_lease *lease = NULL;
	bool there;
	struct err e;

	if (storage_exists(root, path.s, &there, &e) < 0)
		return true; /* who knows */
	if (!there)
		return false;

	bool held = storage_lease_take(root, path.s, &lease, &e) == 0 && lease == NULL;

	storage_lease_drop(&lease);
	return held;
}

bool writer_is_of_now(struct storage *root, uint32_t number)
{
	const char *now = storage_mount_identity(root);
	struct writer_saved w;
	struct err e;
	bool found;

	if (writer_load(root, number, &w, &found, &e) == 0 && found && now[0] != '\0' &&
	    strcmp(w.s.mount, now) == 0)
		return true;
	return is_held(root, number);
}

bool writer_has_settled(struct storage *root, uint64_t id)
{
	uint32_t number = id_writer(id);
	struct writer_saved w;
	struct err e = {0};
	bool found;

	/* A writer that ended cleanly has left nothing behind; a later message of its number
	 * means that the record is an older one, from a backup. */
	if (writer_load(root, number, &w, &found, &e) == 0 && found)
		return w.clean || id_unix_ms(id) < w.s.checkpoint_ms;
	return e.sys == 0 && !is_held(root, number);
}
