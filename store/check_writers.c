/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/id.h"
#include "store/store_int.h"
#include "store/writer.h"

/* What one look at the writers finds. */
struct writers {
	struct check *c;
	bool tell;
	unsigned dead; /* whose record is damaged or lost, and that nobody holds */
	bool is_dead[ID_WRITERS];
};

static void see(const struct writer_state *w, bool held, const struct err *why, void *ctx)
{
	struct writers *x = ctx;

	if (why == NULL)
		return;
	if (!held && !x->is_dead[w->number]) {
		x->is_dead[w->number] = true;
		x->dead++;
	}
	if (x->tell)
		check_report(x->c, "I12", false, "writer %u: %s; %s", (unsigned)w->number,
			     why->text,
			     held ? "its process writes it anew"
				  : "`popstore recover`, or a start, looks at all of its "
				    "messages");
}

static int look(struct check *c, bool tell, struct writers *x, struct err *e)
{
	*x = (struct writers){.c = c, .tell = tell};
	return writer_each_open(store_root(c->s), see, x, e);
}

/* mend - by a recovery, and tells what came of it */
static int mend(struct check *c, const struct writers *before, struct err *e)
{
	struct store_recovery r;
	struct writers after;

	/* Where it fails, the records are as bad as before. */
	if (before->dead > 0)
		(void)!store_recover(c->s, &r, e);
	if (look(c, true, &after, e) < 0)
		return -1;
	for (unsigned n = 0; n < ID_WRITERS; n++)
		if (before->is_dead[n] && !after.is_dead[n])
			check_report(c, "I12", true,
				     "writer %u: its record was damaged or missing; all "
				     "of its messages were looked at",
				     n);
	return 0;
}

int check_writers(struct check *c, struct err *e)
{
	struct writers found;

	if (look(c, !c->o->repair, &found, e) < 0)
		return -1;
	return c->o->repair ? mend(c, &found, e) : 0;
}
