/* SPDX-License-Identifier: ISC */
#include "store/message.h"

#include "store/id.h"
#include "lib/conn.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

enum {
	PIECE = 65536,
	MINUTE_MS = 60000,
	ASIDE_NAMES = 1000, /* that are tried for one id in damaged/ */
};

struct message {
	struct storage *storage;
	struct storage_file *file;
	struct message_path path;
	struct buf header;
	struct message_info info;
};

/* put_digits - for every message that is sent, snprintf(3) took longer than to read it */
static char *put_digits(char *to, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + digits;
}

struct message_path message_path(uint64_t id)
{
	static const char below[] = "messages/";
	time_t t = (time_t)(id_unix_ms(id) / 1000);
	struct message_path p;
	struct tm tm;
	char *to = p.s;

	gmtime_r(&t, &tm);
	to = mempcpy(to, below, sizeof below - 1);
	to = put_digits(to, tm.tm_year + 1900, 4);
	to = put_digits(to, tm.tm_mon + 1, 2);
	to = put_digits(to, tm.tm_mday, 2);
	*to++ = '/';
	to = put_digits(to, tm.tm_hour, 2);
	to = put_digits(to, tm.tm_min, 2);
	*to++ = '/';
	memcpy(to, id_print(id).c, ID_CHARS + 1);
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

static int check_length(struct message *m, uint64_t id, uint64_t size, struct err *e)
{
	if (m->info.id != id)
		return err_set(e, ERR_TEMP, "4.3.0", "damaged: it is message %s",
			       id_print(m->info.id).c);
	if (size != m->info.body + m->info.stored)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "damaged: %" PRIu64
			       " octets long, its header says %" PRIu64,
			       size, m->info.body + m->info.stored);
	return 0;
}

/* open_path - `id` 0: whatever message it is */
static int open_path(struct store *s, unsigned volume, struct message_path path,
		     uint64_t id, enum storage_mode mode, struct message **out,
		     struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct storage_file *file;
	uint64_t size;
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
	if (storage_file_size(file, &size, e) < 0 ||
	    read_header(m, MESSAGE_HEAD_MAX, e) < 0 ||
	    message_head_parse(buf_str(&m->header), &m->info, e) < 0 ||
	    check_length(m, id ? id : m->info.id, size, e) < 0) {
		err_add(e, "%s/%s", storage_name(st), path.s);
		message_close(&m);
		return -1;
	}
	*out = m;
	return 0;
}

static int open_mode(struct store *s, unsigned volume, uint64_t id,
		     enum storage_mode mode, struct message **out, struct err *e)
{
	return open_path(s, volume, message_path(id), id, mode, out, e);
}

int message_open(struct store *s, unsigned volume, uint64_t id, struct message **out,
		 struct err *e)
{
	return open_mode(s, volume, id, STORAGE_READ, out, e);
}

int message_open_at(struct store *s, unsigned volume, const char *path,
		    struct message **out, struct err *e)
{
	struct message_path p;

	snprintf(p.s, sizeof p.s, "%s", path);
	return open_path(s, volume, p, 0, STORAGE_READ, out, e);
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
	    (m->header.n < whole.body &&
	     err_set(e, ERR_TEMP, "4.3.0", "damaged: it has become shorter") < 0) ||
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
	return message_verify_by(m, NULL, NULL, e);
}

int message_verify_by(struct message *m, bool (*piece_read)(size_t octets, void *ctx),
		      void *ctx, struct err *e)
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
		if (rc == 0 && piece_read != NULL && !piece_read(got, ctx))
			rc = err_set(e, ERR_TEMP, "4.3.2", "it was stopped");
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

int message_put_aside(struct store *s, unsigned volume, const char *path, uint64_t id,
		      struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct message_path to;
	bool taken = true;

	if (st == NULL)
		return -1;
	snprintf(to.s, sizeof to.s, "damaged/%s", id_print(id).c);
	for (int n = 1; taken && n < ASIDE_NAMES; n++) {
		if (storage_rename(st, path, to.s, &taken, e) < 0)
			return -1;
		snprintf(to.s, sizeof to.s, "damaged/%s.%d", id_print(id).c, n);
	}
	return taken ? err_set(e, ERR_TEMP, "4.3.0",
			       "%s/damaged is full of files of message %s: look at them "
			       "and remove them",
			       storage_name(st), id_print(id).c)
		     : 0;
}

int message_set_aside(struct store *s, unsigned volume, uint64_t id, struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct message_path from = message_path(id);
	struct storage_file *file;
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
	return message_put_aside(s, volume, from.s, id, e);
}

int message_bring_home(struct store *s, unsigned volume, const char *path, uint64_t id,
		       bool *taken, struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);

	*taken = false;
	return st ? storage_rename(st, path, message_path(id).s, taken, e) : -1;
}

int message_id_at(struct store *s, unsigned volume, const char *path, uint64_t *id,
		  struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);
	struct storage_file *file;
	char head[MESSAGE_HEAD_MAX];
	struct message_info mi;
	struct err damage;
	uint64_t size;
	size_t got = 0;
	bool found;
	int rc;

	*id = 0;
	if (st == NULL || storage_file_open(st, path, STORAGE_READ, &file, &found, e) < 0)
		return -1;
	if (!found)
		return 0;
	rc = storage_file_size(file, &size, e);
	if (rc == 0)
		rc = storage_file_read(file, 0, head, sizeof head, &got, e);
	storage_file_close(&file);
	if (rc == 0 && message_head_parse((struct str){head, got}, &mi, &damage) == 0)
		*id = mi.id;
	return rc;
}

int message_exists(struct store *s, unsigned volume, uint64_t id, bool *found,
		   struct err *e)
{
	struct storage *st = volume_storage(s, volume, e);

	*found = false;
	return st ? storage_exists(st, message_path(id).s, found, e) : -1;
}
