/* SPDX-License-Identifier: ISC */
/* spamtest, spamtestplus and virustest (RFC 5235): what a scanner before us wrote */
#include "sieve/extensions_int.h"

#include "sieve/regex_int.h"

#include <stdio.h>

/* ---- the field ---------------------------------------------------------------------------- */

/* by_pattern - its first group, or all that it matches */
static bool by_pattern(struct run *r, const char *pattern, struct str s,
		       struct str *value)
{
	struct regex_match m = {.work_max = run_left(r)};
	struct buf why;
	struct regex *x;
	bool yes;

	buf_init(&why, SIEVE_ERROR_TEXT);
	x = regex_new(str_of(pattern), true, &why);
	buf_fini(&why);
	if (x == NULL)
		return false;
	yes = regex_match(x, run_utf8(r, s), &m) == REGEX_YES;
	regex_free(&x);
	if (!run_spend(r, m.work) || !yes)
		return false;
	*value = m.n > 1 ? m.capture[1] : m.capture[0];
	return true;
}

static bool field_says(struct run *r, const struct sieve_scanner *s, struct str *value)
{
	struct field *f =
		s->field ? header_find(r->header, str_of(s->field), NULL) : NULL;

	if (f == NULL)
		return false;
	*value = field_value(&r->message->arena, f);
	return s->pattern == NULL || by_pattern(r, s->pattern, *value, value);
}

/* ---- its meaning ---------------------------------------------------------------------------- */

/* thousandths - "-1.25" is -1250; false: no number */
static bool thousandths(struct str s, int64_t *out)
{
	struct str whole;
	bool negative = s.n > 0 && s.p[0] == '-';
	uint32_t n;

	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = (struct str){s.p + 1, s.n - 1};
	whole = str_cut(&s, '.');
	if (!str_u32(whole, &n))
		return false;
	*out = (int64_t)n * 1000;
	for (size_t i = 0, unit = 100; i < 3 && i < s.n; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out += (s.p[i] - '0') * (int64_t)unit;
	}
	*out = negative ? -*out : *out;
	return true;
}

/* place_of - among the texts; -1: it is none of them */
static int place_of(const struct sieve_scanner *s, struct str value)
{
	for (size_t i = 0; i < countof(s->texts); i++)
		if (s->texts[i] != NULL && str_ieq(str_of(s->texts[i]), value))
			return (int)i;
	return -1;
}

/* ratio - of the largest, in thousandths; -1: the scanner has said nothing we know */
static int64_t ratio(const struct sieve_scanner *s, struct str value)
{
	int64_t n = (int64_t)value.n * 1000, max;

	if (s->max == NULL || !thousandths(str_of(s->max), &max) || max <= 0)
		return -1;
	if (s->kind == SCANNER_NUMBER && !thousandths(str_trim(value), &n))
		return -1;
	return n <= 0 ? 0 : n >= max ? 1000 : n * 1000 / max;
}

enum { NOT_TESTED = -1 };

/* grade - from `low` to `high` */
static int grade(struct run *r, const struct sieve_scanner *s, int low, int high)
{
	struct str value;
	int64_t part;

	if (!field_says(r, s, &value))
		return NOT_TESTED;
	if (s->kind == SCANNER_TEXT) {
		int place = place_of(s, value);

		return place <= 0 ? NOT_TESTED : place > high ? high : place;
	}
	part = ratio(s, value);
	return part < 0 ? NOT_TESTED : low + (int)(part * (high - low) / 1000);
}

/* percent - RFC 5235 section 3.2.2: 0 is no spam at all, and what was not tested */
static int percent(struct run *r, const struct sieve_scanner *s)
{
	if (s->kind == SCANNER_TEXT) {
		int n = grade(r, s, 1, 10);

		return n == NOT_TESTED ? n : (n - 1) * 100 / 9;
	}
	return grade(r, s, 0, 100);
}

/* ---- the tests ---------------------------------------------------------------------------------- */

/* match_number - what was not tested is "0", and no value that :count counts (RFC 5235
 * section 3.1) */
static bool match_number(struct run *r, const struct node *n, int number)
{
	struct matching m;
	char text[16];
	int length = snprintf(text, sizeof text, "%d", number == NOT_TESTED ? 0 : number);

	matching_begin(&m, r, n->match);
	if (number != NOT_TESTED || !n->match->type->counts)
		matching_value(&m,
			       arena_str(r->arena, (struct str){text, (size_t)length}));
	return matching_end(&m);
}

static bool test_spamtest(struct run *r, const struct node *n)
{
	const struct sieve_scanner *s = &r->site->spam;

	return match_number(
		r, n, node_has(n, SLOT_PERCENT) ? percent(r, s) : grade(r, s, 1, 10));
}

static bool test_virustest(struct run *r, const struct node *n)
{
	return match_number(r, n, grade(r, &r->site->virus, 1, 5));
}

static const struct definition spamtest[] = {
	{.name = "spamtest",
	 .kind = TEST,
	 .takes = TAKES_MATCH | TAKES_SPAMTEST,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_KEYS}},
	 .test = test_spamtest},
};

static const struct definition virustest[] = {
	{.name = "virustest",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_KEYS}},
	 .test = test_virustest},
};

static const struct tag plus[] = {
	{.name = "percent", .on = TAKES_SPAMTEST, .slot = SLOT_PERCENT},
};

const struct extension ext_spamtest = {
	.name = "spamtest", .definitions = spamtest, .n_definitions = countof(spamtest)};
const struct extension ext_spamtestplus = {.name = "spamtestplus",
					   .tags = plus,
					   .n_tags = countof(plus),
					   .implies = &ext_spamtest};
const struct extension ext_virustest = {.name = "virustest",
					.definitions = virustest,
					.n_definitions = countof(virustest)};
