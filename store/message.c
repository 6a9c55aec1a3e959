/* SPDX-License-Identifier: ISC */
#include "store/message.h"

#include "store/id.h"
#include "lib/conn.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum { PIECE = 65536, MINUTE_MS = 60000 };

struct message {
	struct storage *storage;
	struct storage_file *file;
	struct message_path path;
	struct buf header;
	struct message_info info;
};

struct message_path message_path(uint64_t id)
{
	time_t t = (time_t)(id_unix_ms(id) / 1000);
	struct message_path p;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(p.s, sizeof p.s, "messages/%04d%02d%02d/%02d%02d/%s", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, id_print(id).c);
	return p;
}

/* ---- opening ------------------------------------------------------------------ */

static struct storage *volume_storage(struct store *s, unsigned volume, struct err *e)
{
	struct volume *v = store_volume(s, volume);

	if (v == NULL)
		err_set(e, ERR_TEMP, "4.3.0", "volume %u is not in the configuration",
			volume);
	return v ? v->storage : NULL;
}

static int read_header(struct message *m, size_t octets, struct err *e)
{
	size_t got;
	char *to = buf_reserve(&m->header, octets - m->header.n);

	must(to != NULL);
	if (storage_file_read(m->file, m->header.n, to, octets - m->header.n, &got, e) <
	    0)
		return -1;
	buf_used(&m->header, got);
	return 0;
}

static int check_length(struct message *m, uint64_t id, struct err *e)
{
	uint64_t size;

	if (m->info.id != id)
		return err_set(e, ERR_TEMP, "4.3.0", "damaged: it is message %s",
			       id_print(m->info.id).c);
	if (storage_file_size(m->file, &size, e) < 0)
		return -1;
	if (size != m->info.body + m->info.stored)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "damaged: %" PRIu64
			       " octets long, its header says %" PRIu64,
			       size, m->info.body + m->info.stored);
	return 0;
}

static int open_mode(struct store *s, unsigned volume, uint64_t id,
		     enum storage_mode mode, struct message **out, struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct message_path path = message_path(id);
	struct storage_file *file;
	bool found;

	*out = NULL;
	if (st == NULL || storage_file_open(st, path.s, mode, &file, &found, e) < 0)
		return -1;
	if (!found)
		return 0;

	struct message *m = xalloc(sizeof *m);

	m->storage = st;
	m->file = file;
	m->path = path;
	buf_init(&m->header, MESSAGE_HEADER_MAX);
	if (read_header(m, MESSAGE_HEAD_MAX, e) < 0 ||
	    message_head_parse(buf_str(&m->header), &m->info, e) < 0 ||
	    check_length(m, id, e) < 0) {
		err_add(e, "%s/%s", storage_name(st), path.s);
		message_close(&m);
		return -1;
	}
	*out = m;
	return 0;
}

int message_open(struct store *s, unsigned volume, uint64_t id, struct message **out,
		 struct err *e)
{
	return open_mode(s, volume, id, STORAGE_READ, out, e);
}

void message_close(struct message **m)
{
	if (*m == NULL)
		return;
	message_info_fini(&(*m)->info);
	buf_fini(&(*m)->header);
	storage_file_close(&(*m)->file);
	xfree(m);
}

const struct message_info *message_info(const struct message *m)
{
	return &m->info;
}

int message_fd(const struct message *m)
{
	return storage_file_fd(m->file);
}

int message_slots(struct message *m, struct err *e)
{
	struct message_info whole;

	if (m->info.slots != NULL)
		return 0;
	if (m->info.body > m->header.n && read_header(m, m->info.body, e) < 0)
		return -1;
	/* Growing may have moved the text that the head's strings point into. */
	if (message_head_parse(buf_str(&m->header), &whole, e) < 0 ||
	    m->header.n < whole.body ||
	    message_slots_parse((struct str){m->header.p, whole.body}, &whole, e) < 0) {
		message_info_fini(&whole);
		return err_add(e, "%s/%s", storage_name(m->storage), m->path.s);
	}
	m->info = whole;
	return 0;
}

const struct message_slot *message_slot_of(const struct message_info *mi, uint64_t uid)
{
	for (size_t i = 0; i < mi->n_slots; i++)
		if (mi->slots[i].uid == uid)
			return &mi->slots[i];
	return NULL;
}

int message_read(struct message *m, uint64_t offset, char *to, size_t n, size_t *got,
		 struct err *e)
{
	return storage_file_read(m->file, m->info.body + offset, to, n, got, e);
}

int message_verify(struct message *m, struct err *e)
{
	XXH3_state_t *state = XXH3_createState();
	/* One octet more than there should be: a read that is not filled was the last
	 * one, so most messages take one call. */
	size_t room = m->info.stored < PIECE ? (size_t)m->info.stored + 1 : PIECE;
	char *piece = xalloc(room);
	uint64_t at = 0;
	size_t got = room;
	int rc = 0;

	must(state != NULL);
	XXH3_64bits_reset(state);
	while (rc == 0 && got == room) {
		rc = message_read(m, at, piece, room, &got, e);
		if (rc == 0)
			XXH3_64bits_update(state, piece, got);
		at += got;
	}
	if (rc == 0 && XXH3_64bits_digest(state) != m->info.sum)
		rc = err_set(e, ERR_TEMP, "4.3.0",
			     "%s/%s: damaged: its body fails the checksum",
			     storage_name(m->storage), m->path.s);
	XXH3_freeState(state);
	xfree(&piece);
	return rc;
}

/* ---- releasing ------------------------------------------------------------------ */

/* remove_file - and the minute's directory, when it is over and this was the last */
static int remove_file(struct storage *st, uint64_t id, struct err *e)
{
	struct message_path path = message_path(id);

	if (storage_remove(st, path.s, 0, e) < 0)
		return -1;
	if (clock_unix_ms() < id_unix_ms(id) + 2 * MINUTE_MS)
		return 0;
	for (int level = 0; level < 2; level++) {
		*strrchr(path.s, '/') = '\0';
		if (storage_remove_dir(st, path.s, e) < 0)
			return -1;
	}
	return 0;
}

/* still_held - reads the states again, after ours was written: of two who let go
 * at once, at least one sees that nobody is left */
static int still_held(struct message *m, bool *held, struct err *e)
{
	*held = false;
	for (size_t i = 0; i < m->info.n_slots && !*held; i++) {
		char state;
		size_t got;

		if (m->info.slots[i].state == '-')
			continue;
		if (storage_file_read(m->file, m->info.slots[i].offset, &state, 1, &got,
				      e) < 0)
			return -1;
		*held = got == 1 && state == '+';
	}
	return 0;
}

static int set_slot(struct message *m, uint64_t uid, char state, struct err *e)
{
	for (size_t i = 0; i < m->info.n_slots; i++) {
		struct message_slot *slot = &m->info.slots[i];

		if (slot->uid != uid || slot->state == state)
			continue;
		if (storage_file_put_octet(m->file, slot->offset, state, e) < 0)
			return -1;
		slot->state = state;
	}
	return 0;
}

int message_release(struct store *s, unsigned volume, uint64_t id, uint64_t uid,
		    struct err *e)
{
	struct message *m;
	bool held;
	int rc = -1;

	if (open_mode(s, volume, id, STORAGE_WRITE, &m, e) < 0)
		return -1;
	if (m == NULL)
		return 0;
	if (message_slots(m, e) == 0 && set_slot(m, uid, '-', e) == 0 &&
	    still_held(m, &held, e) == 0)
		rc = held ? 0 : remove_file(m->storage, id, e);
	message_close(&m);
	return rc;
}

int message_release_anywhere(struct store *s, uint64_t id, uint64_t uid, struct err *e)
{
	for (size_t i = 0; i < s->n_volumes; i++)
		if (message_release(s, s->volumes[i].number, id, uid, e) < 0)
			return -1;
	return 0;
}

int message_hold(struct store *s, unsigned volume, uint64_t id, uint64_t uid,
		 struct err *e)
{
	struct message *m;
	int rc;

	if (open_mode(s, volume, id, STORAGE_WRITE, &m, e) < 0 || m == NULL)
		return m == NULL ? 0 : -1;
	rc = message_slots(m, e);
	if (rc == 0)
		rc = set_slot(m, uid, '+', e);
	if (rc == 0)
		rc = storage_file_sync(m->file, e);
	message_close(&m);
	return rc;
}

int message_set_aside(struct store *s, unsigned volume, uint64_t id, struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct message_path from = message_path(id);
	struct storage_file *file;
	char to[64];
	uint64_t size;
	bool found;

	if (st == NULL ||
	    storage_file_open(st, from.s, STORAGE_READ, &file, &found, e) < 0)
		return -1;
	if (!found)
		return 0;

	int rc = storage_file_size(file, &size, e);

	storage_file_close(&file);
	if (rc < 0)
		return -1;
	if (size == 0)
		return remove_file(st, id, e);
	snprintf(to, sizeof to, "damaged/%s", id_print(id).c);
	return storage_rename(st, from.s, to, &found, e);
}

int message_exists(struct store *s, unsigned volume, uint64_t id, bool *found,
		   struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);

	*found = false;
	return st ? storage_exists(st, message_path(id).s, found, e) : -1;
}

/* ---- every file ------------------------------------------------------------------ */

struct walk {
	unsigned volume;
	struct storage *st;
	uint64_t from_ms, to_ms;
	int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e);
	void *ctx;
};

struct names {
	char (*v)[16];
	size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* sorted - names of a directory in order; longer ones than any of ours are no names
 * of ours */
static int sorted(struct storage *st, const char *path, struct names *out, struct err *e)
{
	struct storage_names *names;
	const char *name;

	*out = (struct names){0};
	if (storage_list(st, path, &names, e) < 0)
		return -1;
	while ((name = storage_names_next(names)) != NULL) {
		if (strlen(name) >= sizeof *out->v)
			continue;
		if (out->n == out->cap) {
			size_t cap = out->cap ? out->cap * 2 : 64;

			out->v = xgrow(out->v, out->cap * sizeof *out->v,
				       cap * sizeof *out->v);
			out->cap = cap;
		}
		snprintf(out->v[out->n++], sizeof *out->v, "%s", name);
	}
	if (storage_names_end(&names, e) < 0)
		return -1;
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}

static int walk_minute(const struct walk *w, const char *path, struct err *e)
{
	struct names files;
	int rc = sorted(w->st, path, &files, e);

	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		uint64_t id;

		if (id_parse(str_of(files.v[i]), &id) && id_unix_ms(id) >= w->from_ms &&
		    id_unix_ms(id) <= w->to_ms)
			rc = w->each(w->volume, id, w->ctx, e);
	}
	xfree(&files.v);
	return rc;
}

/* wanted - the directory of a day or minute touches the time that is asked for;
 * its name, compared as text with the bounds' names, tells */
static bool wanted(const struct walk *w, const char *name, size_t at, size_t n)
{
	struct message_path lo = message_path(id_make(w->from_ms, 0, 0));
	struct message_path hi = message_path(id_make(w->to_ms, 0, 0));

	return strncmp(name, lo.s + at, n) >= 0 && strncmp(name, hi.s + at, n) <= 0;
}

static int walk_volume(const struct walk *w, struct err *e)
{
	enum {
		PREFIX = 9,
		DAY = 8,
		MINUTE = 13
	}; /* "messages/", "20261121", and "/2013" */
	struct names days, minutes;
	int rc = sorted(w->st, "messages", &days, e);

	for (size_t d = 0; rc == 0 && d < days.n; d++) {
		char path[64];

		if (!wanted(w, days.v[d], PREFIX, DAY))
			continue;
		snprintf(path, sizeof path, "messages/%s", days.v[d]);
		rc = sorted(w->st, path, &minutes, e);
		for (size_t m = 0; rc == 0 && m < minutes.n; m++) {
			snprintf(path, sizeof path, "messages/%s/%s", days.v[d],
				 minutes.v[m]);
			if (wanted(w, path + PREFIX, PREFIX, MINUTE))
				rc = walk_minute(w, path, e);
		}
		xfree(&minutes.v);
	}
	xfree(&days.v);
	return rc;
}

int message_each(struct store *s, uint64_t from_ms, uint64_t to_ms,
		 int (*each)(unsigned volume, uint64_t id, void *ctx, struct err *e),
		 void *ctx, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n_volumes; i++) {
		struct walk w = {
			.volume = s->volumes[i].number,
			.st = s->volumes[i].storage,
			.from_ms = from_ms < ID_EPOCH_MS ? ID_EPOCH_MS : from_ms,
			.to_ms = to_ms > ID_LAST_MS ? ID_LAST_MS : to_ms,
			.each = each,
			.ctx = ctx,
		};

		rc = walk_volume(&w, e);
	}
	return rc;
}
