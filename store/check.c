/* SPDX-License-Identifier: ISC */
#include "store/check.h"
#include "store/check_int.h"

#include "store/store_int.h"

#include <stdarg.h>
#include <stdio.h>

void check_report(struct check *c, const char *invariant, bool repaired, const char *fmt,
		  ...)
{
	struct check_finding f = {.invariant = invariant, .repaired = repaired};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.what, sizeof f.what, fmt, ap);
	va_end(ap);
	c->result->findings++;
	c->result->repaired += repaired;
	if (c->o->finding != NULL)
		c->o->finding(&f, c->o->ctx);
}

void check_said(const struct err *why UNUSED, void *ctx UNUSED)
{
}

/* ---- phases ------------------------------------------------------------------------- */

/* What damaged messages were found comes behind them: check_mend(). */
static const struct check_phase phases[] = {
	/* clang-format off */
	{"marks",    check_marks},
	{"writers",  check_writers},
	{"names",    check_names},
	{"places",   check_places},
	{"accounts", check_accounts},
	{"messages", check_messages},
	/* clang-format on */
};

int check_phases(struct check *c, const struct check_phase *p, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (round_enter(&c->round, p[i].name))
			rc = p[i].run(c, e);
	return rc;
}

static int run(struct check *c, struct err *e)
{
	int rc = check_phases(c, phases, countof(phases), e);

	if (rc == 0)
		rc = check_mend(c, e);
	if (rc < 0)
		return -1;
	/* A line that was made again belongs to a message that recovery never looks at
	 * any more (I14). */
	if (c->result->repaired > 0 && storage_sync(store_root(c->s), e) < 0)
		return -1;
	return c->o->repair && !c->round.stopped ? store_sweep(c->s, e) : 0;
}

/* words - how it was asked for, as it is typed */
static void words(const struct check_options *o, char *out, size_t room)
{
	snprintf(out, room, "check%s%s%s", o->repair ? " --repair" : "",
		 o->release_unowned ? " --release-unowned" : "",
		 o->quick ? " --quick" : "");
}

int check_run(struct store *s, const struct check_options *o, struct check_result *out,
	      struct err *e)
{
	struct check c = {
		.s = s,
		.o = o,
		.result = out,
		.seen = {.max = SEEN_OCTETS},
		.round = {.s = s, .c = &c, .name = "checking", .o = o, .so_far = out},
	};
	struct storage_lease *lease = NULL;
	char what[sizeof c.round.now.what];
	int rc;

	*out = (struct check_result){0};
	words(o, what, sizeof what);
	/* Two repairs at once would both bring the same line back. */
	if (o->repair && storage_lease_take(store_root(s), "repair.lease", &lease, e) < 0)
		return -1;
	if (o->repair && lease == NULL)
		return err_set(e, ERR_TEMP, "4.3.2",
			       "another repair of this store is running");
	rc = round_begin(&c.round, what, e);
	if (rc == 0)
		rc = round_end(&c.round, run(&c, e), e);
	check_damages_fini(&c);
	seen_fini(&c.seen);
	idmap_fini(&c.tried);
	storage_lease_drop(&lease);
	return rc;
}
