/* SPDX-License-Identifier: ISC */
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 2 };

struct names {
	char **v;
	size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_name(struct names *to, const char *name)
{
	if (to->n == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : 16;

		to->v = xgrow(to->v, to->cap * sizeof *to->v, cap * sizeof *to->v);
		to->cap = cap;
	}
	to->v[to->n++] = xstrdup(name);
}

static void end_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		xfree(&names->v[i]);
	xfree(&names->v);
}

/* sorted - the names in a directory; those of another width than `width` are none of
 * ours, 0: any */
static int sorted(struct storage *st, const char *path, size_t width, struct names *out,
		  struct err *e)
{
	struct storage_names *names;
	const char *name;

	*out = (struct names){0};
	if (storage_list(st, path, &names, e) < 0)
		return -1;
	while ((name = storage_names_next(names)) != NULL)
		if (width == 0 || strlen(name) == width)
			add_name(out, name);
	if (storage_names_end(&names, e) < 0) {
		end_names(out);
		return -1;
	}
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}

/* The part of the whole that a directory stands for: all its names count the same. */
struct part {
	double from, size;
};

struct visit {
	const struct tree_walk *w;
	bool more;
};

/* is_done - everything below `place`, or `place` itself, lies before the start */
static bool is_done(const struct tree_walk *w, const char *place, int level)
{
	size_t n = strlen(place);

	if (w->after == NULL)
		return false;
	return level < LEVELS ? strncmp(place, w->after, n) < 0
			      : strcmp(place, w->after) <= 0;
}

static int visit(struct visit *v, const char *place, int level, struct part part,
		 struct err *e);

static int visit_one(struct visit *v, const char *place, const char *component, int level,
		     struct part part, struct err *e)
{
	const struct tree_walk *w = v->w;
	char below[PLACE_OCTETS];

	/* What is longer is no name of ours. */
	if (snprintf(below, sizeof below, "%s%s%s", place, level > 0 ? "/" : "",
		     component) >= (int)sizeof below ||
	    is_done(w, below, level))
		return 0;
	if (level < LEVELS)
		return visit(v, below, level + 1, part, e);

	struct tree_at at = {below, component, (unsigned)(part.from * TREE_WHOLE)};

	return w->each(&at, &v->more, w->ctx, e);
}

/* visit - one directory; level LEVELS holds the names themselves */
static int visit(struct visit *v, const char *place, int level, struct part part,
		 struct err *e)
{
	const struct tree_walk *w = v->w;
	char path[2 * PLACE_OCTETS];
	struct names names;
	int rc = 0;

	snprintf(path, sizeof path, "%s%s%s", w->tree, level > 0 ? "/" : "", place);
	if (sorted(w->st, path, level < LEVELS ? w->widths[level] : 0, &names, e) < 0) {
		if (w->bad == NULL) /* a file is damage, and no names */
			return e->sys == ENOTDIR ? 0 : -1;
		w->bad(e, w->ctx);
		return 0;
	}
	part.size /= names.n > 0 ? (double)names.n : 1;
	for (size_t i = 0; rc == 0 && v->more && i < names.n; i++) {
		rc = visit_one(v, place, names.v[i], level, part, e);
		part.from += part.size;
	}
	end_names(&names);
	return rc;
}

int tree_walk(const struct tree_walk *w, struct err *e)
{
	struct visit v = {w, true};

	return visit(&v, "", 0, (struct part){0, 1}, e);
}

/* ---- by pattern ------------------------------------------------------------------ */

struct search {
	struct str pattern;
	int (*each)(const struct name *name, bool *more, void *ctx, struct err *e);
	void (*bad)(const struct err *why, void *ctx);
	void *ctx;
};

static void pass_by(const struct err *why, void *ctx)
{
	const struct search *s = ctx;

	s->bad(why, s->ctx);
}

static int look(const struct tree_at *at, bool *more, void *ctx, struct err *e)
{
	const struct search *s = ctx;
	struct name name;

	if (!name_from_component(str_of(at->component), &name) ||
	    !str_glob(s->pattern, str_of(name.s)))
		return 0;
	return s->each(&name, more, s->ctx, e);
}

static bool has_wildcard(struct str pattern)
{
	return memchr(pattern.p, '*', pattern.n) || memchr(pattern.p, '?', pattern.n);
}

int tree_each(struct storage *st, const char *tree, struct str pattern,
	      int (*each)(const struct name *name, bool *more, void *ctx, struct err *e),
	      void (*bad)(const struct err *why, void *ctx), void *ctx, struct err *e)
{
	struct search s = {pattern, each, bad, ctx};
	const struct tree_walk w = {st, tree, {2, 2}, NULL, look, bad ? pass_by : NULL,
				    &s};
	struct name name;
	bool more = true;

	if (has_wildcard(pattern))
		return tree_walk(&w, e);
	return name_read(pattern, &name) ? each(&name, &more, ctx, e) : 0;
}

/* ---- for check --------------------------------------------------------------------- */

struct entries {
	struct storage *st;
	const char *tree;
	int (*each)(const char *path, const struct name *name, void *ctx, struct err *e);
	void (*bad)(const struct err *why, void *ctx);
	void *ctx;
};

/* is_branch - "0f", as name_place() makes them */
static bool is_branch(struct str component)
{
	uint64_t ignored;

	return component.n == 2 && str_hex64(component, &ignored);
}

/* is_in_place - *name is whose place it is */
static bool is_in_place(const struct entries *w, const char *path, const char *component,
			struct name *name)
{
	struct place place;

	if (!name_from_component(str_of(component), name))
		return false;
	name_place(w->tree, name, NULL, &place);
	return strcmp(place.path, path) == 0;
}

static int visit_entries(struct entries *w, const char *path, int level, struct err *e)
{
	struct storage_names *names;
	const char *component;
	int rc = 0;

	if (storage_list(w->st, path, &names, e) < 0) {
		/* A file where a directory should be is an entry too. */
		if (e->sys == ENOTDIR)
			return w->each(path, NULL, w->ctx, e);
		w->bad(e, w->ctx);
		return 0;
	}
	while (rc == 0 && (component = storage_names_next(names)) != NULL) {
		char below[PLACE_OCTETS];
		struct name name;

		snprintf(below, sizeof below, "%s/%s", path, component);
		if (level < LEVELS && is_branch(str_of(component)))
			rc = visit_entries(w, below, level + 1, e);
		else
			rc = w->each(
				below,
				level == LEVELS && is_in_place(w, below, component, &name)
					? &name
					: NULL,
				w->ctx, e);
	}

	struct err why;

	if (storage_names_end(&names, &why) < 0)
		w->bad(&why, w->ctx);
	return rc;
}

int tree_entries(struct storage *st, const char *tree,
		 int (*each)(const char *path, const struct name *name, void *ctx,
			     struct err *e),
		 void (*bad)(const struct err *why, void *ctx), void *ctx, struct err *e)
{
	struct entries w = {st, tree, each, bad, ctx};

	return visit_entries(&w, tree, 0, e);
}

/* ---- the lock ------------------------------------------------------------------------ */

int tree_lock(struct storage *root, struct storage_file **out, struct err *e)
{
	bool found, gone;

	/* Nobody removes it, so it is never gone. */
	if (storage_file_open(root, "names.lock", STORAGE_APPEND, out, &found, e) < 0)
		return -1;
	if (storage_file_lock(*out, &gone, e) == 0)
		return 0;
	storage_file_close(out);
	return -1;
}
