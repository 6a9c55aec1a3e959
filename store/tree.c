/* SPDX-License-Identifier: ISC */
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

struct walk {
	struct storage *st;
	struct str pattern;
	int (*each)(const struct name *name, bool *more, void *ctx, struct err *e);
	void *ctx;
	bool more;
};

enum { LEVELS = 2 };

/* visit - one directory; level LEVELS holds the names themselves */
static int visit(struct walk *w, const char *path, int level, struct err *e)
{
	struct storage_names *names;
	const char *component;
	int rc = 0;

	if (storage_list(w->st, path, &names, e) < 0)
		return -1;
	while (rc == 0 && w->more && (component = storage_names_next(names)) != NULL) {
		char below[PLACE_OCTETS];
		struct name name;

		if (level < LEVELS) {
			if (strlen(component) != 2)
				continue;
			snprintf(below, sizeof below, "%s/%s", path, component);
			rc = visit(w, below, level + 1, e);
		} else if (name_from_component(str_of(component), &name) &&
			   str_glob(w->pattern, str_of(name.s))) {
			rc = w->each(&name, &w->more, w->ctx, e);
		}
	}
	return storage_names_end(&names, e) < 0 ? -1 : rc;
}

static bool has_wildcard(struct str pattern)
{
	return memchr(pattern.p, '*', pattern.n) || memchr(pattern.p, '?', pattern.n);
}

int tree_each(struct storage *st, const char *tree, struct str pattern,
	      int (*each)(const struct name *name, bool *more, void *ctx, struct err *e),
	      void *ctx, struct err *e)
{
	struct walk w = {st, pattern, each, ctx, true};
	struct name name;

	if (has_wildcard(pattern))
		return visit(&w, tree, 0, e);
	return name_read(pattern, &name) ? each(&name, &w.more, ctx, e) : 0;
}

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
