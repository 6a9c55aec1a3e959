/* SPDX-License-Identifier: ISC */
#include "sieve/run_int.h"

static const char *const names[] = {
	[SIEVE_KEEP] = "keep",         [SIEVE_FILEINTO] = "fileinto",
	[SIEVE_DISCARD] = "discard",   [SIEVE_REDIRECT] = "redirect",
	[SIEVE_REJECT] = "reject",     [SIEVE_EREJECT] = "ereject",
	[SIEVE_VACATION] = "vacation", [SIEVE_NOTIFY] = "notify",
};

const char *sieve_action_name(enum sieve_action_kind kind)
{
	must(kind < countof(names));
	return names[kind];
}

/* RFC 5429 section 2.1 and 2.2: what is refused is not taken in any other way */
void actions_check(struct run *r)
{
	const struct sieve_action *refusal = NULL, *other = NULL;

	for (size_t i = 0; i < r->result->n; i++) {
		const struct sieve_action *a = &r->result->actions[i];

		if (a->kind == SIEVE_REJECT || a->kind == SIEVE_EREJECT) {
			refusal = a;
		} else if (a->kind != SIEVE_DISCARD && a->kind != SIEVE_NOTIFY) {
			other = a;
		}
	}
	if (refusal == NULL || other == NULL)
		return;
	r->at = (struct place){other->line > refusal->line ? other->line : refusal->line,
			       1};
	run_fail(r, "%s and %s exclude each other", sieve_action_name(refusal->kind),
		 sieve_action_name(other->kind));
}
