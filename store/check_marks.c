/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/mark.h"
#include "store/store_int.h"
#include "store/volume_number.h"

#include <stdio.h>

/* ---- marks -------------------------------------------------------------------------- */

/* check_mark - one of its two files is enough for the store to run, and for the other */
static void check_mark(struct check *c, struct storage *st, enum mark_of of)
{
	struct mark mark;
	struct err e;

	if (mark_read(st, of, &mark, &e) < 0) {
		check_report(c, "I1", false, "%s", e.text);
		return;
	}
	for (size_t i = 0; mark.found && i < countof(mark.file); i++) {
		const struct mark_file *f = &mark.file[i];

		if (f->whole)
			continue;
		e = f->why;
		check_report(c, "I1",
			     c->o->repair && mark_mend(st, of, &mark, f, &e) == 0,
			     "%s: %s; the other mark counts", storage_name(st), e.text);
	}
}

/* ---- numbers -------------------------------------------------------------------------- */

static void check_number(struct check *c, uint64_t number, const char *volume)
{
	struct storage *root = store_root(c->s);
	struct err e;

	if (volume_number_check(root, number, &e) == 0)
		return;

	bool mended = c->o->repair && volume_number_renew(root, number, volume, &e) == 0;

	check_report(c, "I1", mended, "record of volume %u: %s", (unsigned)number,
		     e.text);
}

static int check_numbers(struct check *c, struct err *e)
{
	struct storage_names *names;
	const char *name;

	for (size_t i = 1; i < c->s->n_volumes; i++)
		check_number(c, c->s->volumes[i].number,
			     storage_name(c->s->volumes[i].storage));
	if (storage_list(store_root(c->s), "volumes", &names, e) < 0)
		return -1;
	while ((name = storage_names_next(names)) != NULL) {
		uint32_t number;

		if (str_u32(str_of(name), &number) && store_volume(c->s, number) == NULL)
			check_number(c, number, "(not known any more)");
	}
	return storage_names_end(&names, e);
}

void check_away(struct check *c, unsigned number)
{
	bool existed = false;
	char path[40];
	struct err e;

	snprintf(path, sizeof path, "volumes/%u", number);
	if (c->unrecorded == number ||
	    storage_exists(store_root(c->s), path, &existed, &e) < 0 || existed)
		return;
	c->unrecorded = number;
	check_report(c, "I1",
		     c->o->repair && volume_number_keep(store_root(c->s), number,
							"(not known any more)", &existed,
							&e) == 0,
		     "record of volume %u: %s is missing, and maildrops name it", number,
		     path);
}

/* check_trees - an empty one is not made here: all names in it would be unknown then */
static void check_trees(struct check *c)
{
	struct err e;

	for (const char *const *tree = store_trees; *tree != NULL; tree++)
		if (store_has_tree(c->s, *tree, &e) < 0)
			check_report(c, "I1", false, "%s", e.text);
}

int check_marks(struct check *c, struct err *e)
{
	check_mark(c, store_root(c->s), MARK_OF_ROOT);
	for (size_t i = 1; i < c->s->n_volumes; i++)
		check_mark(c, c->s->volumes[i].storage, MARK_OF_VOLUME);
	check_trees(c);
	return check_numbers(c, e);
}
