/* SPDX-License-Identifier: ISC */
/* RFC 5228 section 5: the tests of the base language */
#include "sieve/extensions_int.h"
#include "sieve/part_int.h"
#include "sieve/select_int.h"

/* ---- true, false, not, anyof, allof ------------------------------------------------------- */

static bool test_true(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return true;
}

static bool test_false(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return false;
}

static enum truth truth_true(struct checker *c, const struct node *n)
{
	(void)c;
	(void)n;
	return TRUTH_TRUE;
}

static enum truth truth_false(struct checker *c, const struct node *n)
{
	(void)c;
	(void)n;
	return TRUTH_FALSE;
}

static bool test_not(struct run *r, const struct node *n)
{
	return !run_test(r, &n->tests[0]);
}

static enum truth truth_not(struct checker *c, const struct node *n)
{
	enum truth t = checker_truth(c, &n->tests[0]);

	return t == TRUTH_TRUE    ? TRUTH_FALSE
	       : t == TRUTH_FALSE ? TRUTH_TRUE
				  : TRUTH_UNKNOWN;
}

static bool test_anyof(struct run *r, const struct node *n)
{
	for (size_t i = 0; i < n->n_tests && !r->failed; i++)
		if (run_test(r, &n->tests[i]))
			return true;
	return false;
}

static bool test_allof(struct run *r, const struct node *n)
{
	for (size_t i = 0; i < n->n_tests; i++)
		if (!run_test(r, &n->tests[i]))
			return false;
	return true;
}

/* decided - `one` of them is enough; if all are the other, it is that */
static enum truth decided(struct checker *c, const struct node *n, enum truth one,
			  enum truth other)
{
	enum truth all = other;

	for (size_t i = 0; i < n->n_tests; i++) {
		enum truth t = checker_truth(c, &n->tests[i]);

		if (t == one)
			return one;
		if (t != other)
			all = TRUTH_UNKNOWN;
	}
	return all;
}

static enum truth truth_anyof(struct checker *c, const struct node *n)
{
	return decided(c, n, TRUTH_TRUE, TRUTH_FALSE);
}

static enum truth truth_allof(struct checker *c, const struct node *n)
{
	return decided(c, n, TRUTH_FALSE, TRUTH_TRUE);
}

/* ---- header, address, exists ------------------------------------------------------------------ */

static bool check_names(struct checker *c, struct node *n)
{
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;

	for (size_t i = 0; i < names->n; i++)
		if (names->list[i].n == 0 && !header_is_name(names->list[i].fixed))
			return checker_error(c, names->list[i].at,
					     "'" STR_FMT "' is no name of a field",
					     STR_ARG(names->list[i].fixed));
	return select_check(c, n);
}

static bool test_header(struct run *r, const struct node *n)
{
	struct matching m;
	struct selection s;
	struct str value;

	matching_begin(&m, r, n->match);
	selection_begin(&s, r, n);
	while (selection_value(&s, &value))
		if (matching_value(&m, value))
			break;
	return matching_end(&m);
}

static bool test_address(struct run *r, const struct node *n)
{
	struct matching m;
	struct selection s;
	bool done = false;

	matching_begin(&m, r, n->match);
	selection_begin(&s, r, n);
	for (struct field *f; !done && (f = selection_field(&s)) != NULL;) {
		const struct address_list *l = field_addresses(&r->message->arena, f);

		run_spend(r, 1 + l->n);
		for (size_t i = 0; i < l->n && !done; i++) {
			struct str value;

			done = part_take(r, n, &l->list[i], &value) &&
			       matching_value(&m, value);
		}
	}
	return matching_end(&m);
}

/* RFC 5228 section 5.1: only fields that hold addresses */
static bool check_address(struct checker *c, struct node *n)
{
	static const char *const known[] = {"from",
					    "to",
					    "cc",
					    "bcc",
					    "sender",
					    "resent-from",
					    "resent-to",
					    "resent-cc",
					    "resent-bcc",
					    "resent-sender",
					    "reply-to",
					    "resent-reply-to",
					    "return-path",
					    "delivered-to",
					    "x-original-to",
					    "errors-to",
					    "envelope-to",
					    "disposition-notification-to",
					    "mail-followup-to",
					    "mail-reply-to",
					    "x-envelope-to",
					    "for-approval",
					    "for-comment",
					    "for-handling",
					    "apparently-to",
					    "original-recipient",
					    "final-recipient",
					    "list-post",
					    "x-forwarded-to",
					    "x-forwarded-for",
					    "return-receipt-to",
					    "author",
					    "original-from",
					    "x-mailer-sender",
					    "x-sender",
					    "approved"};
	const struct texts *names = &node_arg(n, SLOT_NAMES)->texts;

	for (size_t i = 0; i < names->n; i++) {
		bool ok = names->list[i].n > 0;

		for (size_t k = 0; k < countof(known) && !ok; k++)
			ok = str_ieq(names->list[i].fixed, str_of(known[k]));
		if (!ok)
			return checker_error(
				c, names->list[i].at,
				"'address' takes fields that hold addresses, "
				"not '" STR_FMT "'",
				STR_ARG(names->list[i].fixed));
	}
	return select_check(c, n);
}

static bool test_exists(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_NAMES);

	for (size_t i = 0; i < names.n; i++)
		if (!select_exists(r, n, names.list[i]))
			return false;
	return true;
}

/* ---- size ------------------------------------------------------------------------------------------ */

static bool check_size(struct checker *c, struct node *n)
{
	return node_has(n, SLOT_OVER) ||
	       checker_error(c, n->at, "'size' needs :over or :under");
}

static const bool size_over = true, size_under = false;

static bool test_size(struct run *r, const struct node *n)
{
	const bool *over = node_arg(n, SLOT_OVER)->is;
	uint64_t limit = node_arg(n, SLOT_LIMIT)->number, size = message_size(r->message);

	return *over ? size > limit : size < limit;
}

static const struct tag size_tags[] = {
	{.name = "over", .slot = SLOT_OVER, .is = &size_over},
	{.name = "under", .slot = SLOT_OVER, .is = &size_under},
};

static const struct definition definitions[] = {
	{.name = "true", .kind = TEST, .test = test_true, .truth = truth_true},
	{.name = "false", .kind = TEST, .test = test_false, .truth = truth_false},
	{.name = "not",
	 .kind = TEST,
	 .tests = TESTS_ONE,
	 .test = test_not,
	 .truth = truth_not},
	{.name = "anyof",
	 .kind = TEST,
	 .tests = TESTS_LIST,
	 .stops = TRUTH_TRUE,
	 .test = test_anyof,
	 .truth = truth_anyof},
	{.name = "allof",
	 .kind = TEST,
	 .tests = TESTS_LIST,
	 .stops = TRUTH_FALSE,
	 .test = test_allof,
	 .truth = truth_allof},
	{.name = "header",
	 .kind = TEST,
	 .takes = TAKES_MATCH | TAKES_INDEX | TAKES_MIME | TAKES_ANYCHILD,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .check = check_names,
	 .test = test_header},
	{.name = "address",
	 .kind = TEST,
	 .takes = TAKES_MATCH | TAKES_PART | TAKES_INDEX | TAKES_ANYCHILD,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .check = check_address,
	 .test = test_address},
	{.name = "exists",
	 .kind = TEST,
	 .takes = TAKES_ANYCHILD,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .check = check_names,
	 .test = test_exists},
	{.name = "size",
	 .kind = TEST,
	 .params = {{.kind = VALUE_NUMBER, .slot = SLOT_LIMIT}},
	 .tags = size_tags,
	 .n_tags = countof(size_tags),
	 .check = check_size,
	 .test = test_size},
};

const struct extension core_tests = {.always = true,
				     .definitions = definitions,
				     .n_definitions = countof(definitions)};
