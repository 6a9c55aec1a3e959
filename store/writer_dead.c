/* SPDX-License-Identifier: ISC */
#include "store/writer_int.h"

#include "lib/conn.h"
#include "store/id.h"

#include <string.h>

/* load_dead - *todo is false for one that ended cleanly, or never was.  Of one whose record
 * is damaged or lost nobody knows anything: any of its messages may be in no maildrop. */
static int load_dead(struct storage *root, const struct storage_lease *lease,
		     uint32_t number, struct writer_saved *s, bool *todo, struct err *e)
{
	bool found, lost, damaged = writer_load(root, number, s, &found, e) < 0;

	if (damaged && e->sys != 0)
		return -1;
	lost = !damaged && writer_is_lost(lease, found);
	*todo = damaged || lost || (found && !s->clean);
	if (damaged || lost)
		*s = (struct writer_saved){
			.s = {.number = number, .until_ms = ID_LAST_MS},
			.lost = lost,
		};
	return 0;
}

static int one_dead(struct storage *root, uint32_t number,
		    int (*each)(const struct writer_state *w, bool *clean, void *ctx,
				struct err *e),
		    void *ctx, struct err *e)
{
	struct storage_lease *lease;
	struct writer_saved s;
	bool todo, clean = false;
	int rc;

	if (storage_lease_take(root, writer_path(number, ".lease").s, &lease, e) < 0)
		return -1;
	if (lease == NULL)
		return 0;
	rc = load_dead(root, lease, number, &s, &todo, e);
	if (rc < 0 || !todo)
		goto out;
	rc = each(&s.s, &clean, ctx, e);
	if (rc == 0 && clean) {
		/* Nobody can have used an id of a later time, unless his clock was ahead: a
		 * number whose record is damaged, and not lost, is not used again at all. */
		if (s.lost)
			s.s.until_ms = clock_unix_ms() + WRITER_RESERVE_MS;
		s.clean = true;
		s.s.checkpoint_ms = s.s.until_ms;
		rc = writer_save(root, &s, e);
	} else if (rc == 0 && s.s.mount[0] != '\0') {
		/* Somebody will mend what stood in the way, and a maildrop that was made
		 * again may lack lines: after that no line proves nothing. */
		s.s.mount[0] = '\0';
		rc = writer_save(root, &s, e);
	}
out:
	storage_lease_drop(&lease);
	return rc;
}

/* number_of - a record's name, or that of a lease whose record is lost */
static bool number_of(struct storage *root, const char *name, uint32_t *number)
{
	struct str rest = str_of(name), digits = str_cut(&rest, '.');
	bool found;
	struct err e;

	if (!str_u32(digits, number) || *number >= ID_WRITERS)
		return false;
	if (strchr(name, '.') == NULL)
		return true;
	return str_eq(rest, STR("lease")) &&
	       storage_exists(root, writer_path(*number, "").s, &found, &e) == 0 &&
	       !found;
}

/* next_number - of the files in writers/; false at the end */
static bool next_number(struct storage *root, struct storage_names *names,
			uint32_t *number)
{
	const char *name;

	while ((name = storage_names_next(names)) != NULL)
		if (number_of(root, name, number))
			return true;
	return false;
}

int writer_each_dead(struct storage *root,
		     int (*each)(const struct writer_state *w, bool *clean, void *ctx,
				 struct err *e),
		     void *ctx, struct err *e)
{
	struct storage_names *names;
	uint32_t number;
	int rc = 0;

	if (storage_list(root, "writers", &names, e) < 0)
		return -1;
	while (next_number(root, names, &number)) {
		struct err one;

		if (one_dead(root, number, each, ctx, &one) == 0)
			continue;
		*e = one;
		rc = -1;
	}
	if (rc == 0)
		return storage_names_end(&names, e);
	(void)!storage_names_end(&names, &(struct err){0});
	return -1;
}

/* one_open - what it says, and who holds it; a number that somebody else looks at or
 * takes in this moment is held */
static int one_open(struct storage *root, uint32_t number,
		    void (*each)(const struct writer_state *w, bool held,
				 const struct err *why, void *ctx),
		    void *ctx, struct err *e)
{
	struct storage_lease *lease;
	struct err why = {0};
	struct writer_saved s;
	bool found = false;

	if (writer_load(root, number, &s, &found, &why) == 0 && found && s.clean)
		return 0;
	if (storage_lease_take(root, writer_path(number, ".lease").s, &lease, e) < 0)
		return -1;
	if (why.class != ERR_NONE)
		s = (struct writer_saved){.s = {.number = number}};
	else if (lease != NULL && writer_is_lost(lease, found))
		err_set(&why, ERR_TEMP, "4.3.0", "%s is missing",
			writer_path(number, "").s);
	if (found || why.class != ERR_NONE)
		each(&s.s, lease == NULL, why.class != ERR_NONE ? &why : NULL, ctx);
	storage_lease_drop(&lease);
	return 0;
}

int writer_each_open(struct storage *root,
		     void (*each)(const struct writer_state *w, bool held,
				  const struct err *why, void *ctx),
		     void *ctx, struct err *e)
{
	struct storage_names *names;
	uint32_t number;
	int rc = 0;

	if (storage_list(root, "writers", &names, e) < 0)
		return -1;
	while (rc == 0 && next_number(root, names, &number))
		rc = one_open(root, number, each, ctx, e);
	return storage_names_end(&names, e) < 0 ? -1 : rc;
}
