/* SPDX-License-Identifier: ISC */
/*
 * message_each - the files of a volume: those in their places, and those that are not
 */
#include "store/message.h"

#include "store/id.h"
#include "store/store_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MINUTE_MS = 60000,
	/* Up to so many minutes are looked for by their names, and what else there is does
	 * not matter; beyond that the directories are listed. */
	FEW_MINUTES = 60,
};

/* ---- those in their places ---------------------------------------------------------- */

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

/* walk_few - the minutes from from_ms to to_ms; most recoveries ask for two or three */
static int walk_few(const struct walk *w, struct err *e)
{
	uint64_t at = w->from_ms - w->from_ms % MINUTE_MS;
	int rc = 0;

	for (; rc == 0 && at <= w->to_ms; at += MINUTE_MS) {
		struct message_path path = message_path(id_make(at, 0, 0));

		*strrchr(path.s, '/') = '\0';
		rc = walk_minute(w, path.s, e);
	}
	return rc;
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

		if (w.to_ms < w.from_ms)
			continue;
		rc = (w.to_ms - w.from_ms) / MINUTE_MS < FEW_MINUTES ? walk_few(&w, e)
								     : walk_volume(&w, e);
	}
	return rc;
}

/* ---- strays --------------------------------------------------------------------------- */

struct stray_walk {
	unsigned volume;
	struct storage *st;
	int (*each)(unsigned volume, const char *path, uint64_t id, void *ctx,
		    struct err *e);
	void (*bad)(const struct err *why, void *ctx);
	void *ctx;
};

/* each_name - of a directory, if it is one.  They are collected before, since who is called
 * moves the files. */
static int each_name(const struct stray_walk *w, const char *dir,
		     int (*each)(const struct stray_walk *w, const char *path,
				 const char *name, struct err *e),
		     struct err *e)
{
	struct storage_names *names;
	struct buf all;
	const char *name;
	int rc = 0;

	if (storage_list(w->st, dir, &names, e) < 0) {
		if (e->sys != ENOTDIR && e->sys != ELOOP)
			w->bad(e, w->ctx);
		return 0;
	}
	buf_init(&all, SIZE_MAX / 2);
	while ((name = storage_names_next(names)) != NULL)
		buf_put(&all, (struct str){name, strlen(name) + 1});
	/* What of it could be read is looked at. */
	if (storage_names_end(&names, e) < 0)
		w->bad(e, w->ctx);
	for (size_t at = 0; rc == 0 && at < all.n; at += strlen(all.p + at) + 1) {
		struct message_path path;
		int n = snprintf(path.s, sizeof path.s, "%s/%s", dir, all.p + at);

		/* A path that is longer is none of ours, and no damaged one of ours. */
		if (n > 0 && (size_t)n < sizeof path.s)
			rc = each(w, path.s, all.p + at, e);
	}
	buf_fini(&all);
	return rc;
}

static int stray_file(const struct stray_walk *w, const char *path, const char *name,
		      struct err *e)
{
	uint64_t id;

	if (!id_parse(str_of(name), &id))
		id = 0;
	if (id != 0 && strcmp(message_path(id).s, path) == 0)
		return 0;
	return w->each(w->volume, path, id, w->ctx, e);
}

static int stray_minute(const struct stray_walk *w, const char *path,
			const char *name UNUSED, struct err *e)
{
	return each_name(w, path, stray_file, e);
}

static int stray_day(const struct stray_walk *w, const char *path,
		     const char *name UNUSED, struct err *e)
{
	return each_name(w, path, stray_minute, e);
}

/* each_volume - what is below `dir` on each of them */
static int each_volume(struct store *s, const char *dir,
		       int (*look)(const struct stray_walk *w, const char *path,
				   const char *name, struct err *e),
		       int (*each)(unsigned volume, const char *path, uint64_t id,
				   void *ctx, struct err *e),
		       void (*bad)(const struct err *why, void *ctx), void *ctx,
		       struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n_volumes; i++) {
		struct stray_walk w = {s->volumes[i].number, s->volumes[i].storage, each,
				       bad, ctx};

		rc = each_name(&w, dir, look, e);
	}
	return rc;
}

int message_each_stray(struct store *s,
		       int (*each)(unsigned volume, const char *path, uint64_t id,
				   void *ctx, struct err *e),
		       void (*bad)(const struct err *why, void *ctx), void *ctx,
		       struct err *e)
{
	return each_volume(s, "messages", stray_day, each, bad, ctx, e);
}

/* ---- set aside ------------------------------------------------------------------------ */

/* aside_file - "<id>" or "<id>.<n>" */
static int aside_file(const struct stray_walk *w, const char *path, const char *name,
		      struct err *e)
{
	struct str rest = str_of(name);
	uint64_t id;

	if (!id_parse(str_cut(&rest, '.'), &id))
		return 0;
	return w->each(w->volume, path, id, w->ctx, e);
}

int message_each_aside(struct store *s,
		       int (*each)(unsigned volume, const char *path, uint64_t id,
				   void *ctx, struct err *e),
		       void (*bad)(const struct err *why, void *ctx), void *ctx,
		       struct err *e)
{
	return each_volume(s, "damaged", aside_file, each, bad, ctx, e);
}
