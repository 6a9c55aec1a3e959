/* SPDX-License-Identifier: ISC */
#include "ctl/status.h"

#include "store/round.h"

#include <stdio.h>

const struct column status_check_columns[STATUS_CHECK_COLUMNS] = {
	/* clang-format off */
	{"what",     "CHECK",     CELL_TEXT},
	{"state",    "STATE",     CELL_TEXT},
	{"phase",    "PHASE",     CELL_TEXT},
	{"percent",  "PERCENT",   CELL_COUNT},
	{"since",    "SINCE",     CELL_TIME},
	{"at",       NULL,        CELL_TIME},
	{"pid",      NULL,        CELL_COUNT},
	{"accounts", NULL,        CELL_COUNT},
	{"messages", NULL,        CELL_COUNT},
	{"octets",   NULL,        CELL_SIZE},
	{"found",    "FINDINGS",  CELL_COUNT},
	{"repaired", "REPAIRED",  CELL_COUNT},
	{"resume",   "RESUME WITH", CELL_TEXT},
	/* clang-format on */
};

static void add_check(struct status *s, const struct round_state *r, bool running)
{
	char resume[sizeof r->what + 32] = "";
	const struct check_result *c = &r->so_far;
	const uint64_t numbers[] = {
		r->share * 100 / TREE_WHOLE,
		r->started_ms,
		r->at_ms,
		r->pid,
		c->accounts,
		c->messages,
		c->octets,
		c->findings,
		c->repaired,
	};

	if (!running)
		snprintf(resume, sizeof resume, "popstore %s --resume", r->what);
	table_text(s->t, str_of(r->what));
	table_text(s->t, running ? STR("running") : STR("stopped"));
	table_text(s->t, str_of(r->phase));
	for (size_t i = 0; i < countof(numbers); i++)
		table_number(s->t, numbers[i]);
	table_text(s->t, str_of(resume));
	if (c->findings > c->repaired)
		status_attend(
			s,
			"popstore %s has found %llu things that are not as they should be, "
			"and named them where it was started%s%s",
			r->what, (unsigned long long)(c->findings - c->repaired),
			running ? "" : "; go on with ", resume);
}

int status_checks(struct status *s, struct err *e UNUSED)
{
	static const char *const names[] = {"checking", "scrubbing"};

	for (size_t i = 0; i < countof(names); i++) {
		struct round_state r;
		bool running;

		if (round_read(s->c->store, names[i], &r, &running))
			add_check(s, &r, running);
	}
	return 0;
}
