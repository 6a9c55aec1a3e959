/* SPDX-License-Identifier: ISC */
/* envelope (RFC 5228 section 5.4) */
#include "sieve/extensions_int.h"

#include "sieve/part_int.h"

#include <string.h>

static bool find_item(const struct run *r, struct str name, struct str *value)
{
	const struct sieve_envelope *e = &r->in->envelope;

	if (str_ieq(name, STR("from")))
		*value = e->from;
	else if (str_ieq(name, STR("to")))
		*value = e->to;
	else if (str_ieq(name, STR("auth")) && e->auth.n > 0)
		*value = e->auth;
	else
		return false;
	return true;
}

/* as_mailbox - cut at the last @; the null address is all empty */
static struct mailbox as_mailbox(struct str s)
{
	const char *at = s.n > 0 ? memrchr(s.p, '@', s.n) : NULL;
	size_t n = at ? (size_t)(at - s.p) : s.n;
	struct mailbox a = {{s.p, n}, {s.p + n, 0}, s};

	if (at != NULL)
		a.domain = (struct str){at + 1, s.n - n - 1};
	return a;
}

static bool test_envelope(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);
	struct matching m;
	bool done = false;

	matching_begin(&m, r, n->match);
	for (size_t i = 0; i < names.n && !done; i++) {
		struct str item, value;

		if (!find_item(r, names.list[i], &item))
			continue;

		struct mailbox a = as_mailbox(item);

		done = part_take(r, n, &a, &value) && matching_value(&m, value);
	}
	return matching_end(&m);
}

static bool check_envelope(struct checker *c, struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;

	for (size_t i = 0; i < names->n; i++) {
		struct str s = names->list[i].fixed;

		if (names->list[i].n == 0 && !str_ieq(s, STR("from")) &&
		    !str_ieq(s, STR("to")) && !str_ieq(s, STR("auth")))
			return checker_error(c, names->list[i].at,
					     "the envelope has no part \"" STR_FMT "\"",
					     STR_ARG(s));
	}
	return true;
}

static const struct definition definitions[] = {
	{.name = "envelope",
	 .kind = TEST,
	 .takes = TAKES_MATCH | TAKES_PART,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .check = check_envelope,
	 .test = test_envelope},
};

const struct extension ext_envelope = {.name = "envelope",
				       .definitions = definitions,
				       .n_definitions = countof(definitions)};
