/* SPDX-License-Identifier: ISC */
#include "sieve/regex_int.h"

#include "lib/buf.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct regex {
	pcre2_code *code;
};

/* skip_class - behind "[...]": a "]" that comes first belongs to it */
static size_t skip_class(struct str s, size_t i)
{
	i++;
	i += i < s.n && s.p[i] == '^';
	i += i < s.n && s.p[i] == ']';
	while (i < s.n && s.p[i] != ']') {
		bool named = s.p[i] == '[' && i + 1 < s.n &&
			     strchr(":.=", s.p[i + 1]) != NULL && s.p[i + 1] != '\0';

		if (s.p[i] == '\\')
			i++;
		if (named) {
			const char end[2] = {s.p[i + 1], ']'};
			const char *at = memmem(s.p + i + 2, s.n - i - 2, end, 2);

			i = at ? (size_t)(at - s.p) + 1 : i;
		}
		i++;
	}
	return i;
}

/* uncounted - something in it runs without its steps being counted */
static bool uncounted(struct str s)
{
	bool quantified = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';

		if (c == '(' && (next == '?' || next == '*'))
			return true;
		if (c == '+' && quantified)
			return true;
		quantified = c == '*' || c == '?' || c == '}' || c == '+';
		/* \Q would hide what follows; digits, g and k refer back */
		if (c == '\\' && next != '\0' && strchr("123456789gkQEKRX", next) != NULL)
			return true;
		if (c == '\\')
			i++;
		else if (c == '[')
			i = skip_class(s, i);
	}
	return false;
}

struct regex *regex_new(struct str pattern, bool fold, struct buf *why)
{
	/* As POSIX has it, a line end is a character like others. */
	const uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOTALL |
				 PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_POSSESS |
				 PCRE2_USE_OFFSET_LIMIT | (fold ? PCRE2_CASELESS : 0);
	int error;
	size_t at;
	unsigned char text[128] = "";

	if (pattern.n > REGEX_OCTETS) {
		buf_put(why, STR("the pattern is too long"));
		return NULL;
	}

	if (uncounted(pattern)) {
		buf_put(why,
			STR("possessive and back references and groups with (? or (* are not "
			    "supported"));
		return NULL;
	}

	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options,
					 &error, &at, NULL);

	if (code == NULL) {
		pcre2_get_error_message(error, text, sizeof text);
		buf_printf(why, "%s, at octet %zu of the pattern", (char *)text, at + 1);
		return NULL;
	}

	struct regex *r = xalloc(sizeof *r);

	r->code = code;
	return r;
}

void regex_free(struct regex **r)
{
	if (*r == NULL)
		return;
	pcre2_code_free((*r)->code);
	xfree(r);
}

static size_t take_groups(pcre2_match_data *data, size_t groups, struct str s,
			  struct str *capture, size_t max)
{
	const size_t *v = pcre2_get_ovector_pointer(data);
	size_t n = 0;

	for (; n < groups && n < max; n++) {
		size_t from = v[2 * n], to = v[2 * n + 1];
		bool set = from != PCRE2_UNSET && from <= to;

		capture[n] =
			set ? (struct str){s.p + from, to - from} : (struct str){s.p, 0};
	}
	return n;
}

/* What one call of regex_match() goes on with. */
struct attempt {
	const struct regex *regex;
	struct str s;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	struct regex_match *match;
};

/* try_at - from `from` on, up to and including `last`, with so many steps for each place */
static int try_at(struct attempt *t, size_t from, size_t last, uint32_t steps)
{
	pcre2_set_match_limit(t->limits, steps);
	pcre2_set_offset_limit(t->limits, last);
	return pcre2_match(t->regex->code, (PCRE2_SPTR)t->s.p, t->s.n, from,
			   PCRE2_NO_UTF_CHECK | (from == last ? PCRE2_ANCHORED : 0),
			   t->data, t->limits);
}

/* next_place - the character behind the one at i */
static size_t next_place(struct str s, size_t i)
{
	do
		i++;
	while (i < s.n && ((unsigned char)s.p[i] & 0xc0) == 0x80);
	return i;
}

/* try_alone - each place from `from` to `last` by itself */
static int try_alone(struct attempt *t, size_t from, size_t last)
{
	int rc = PCRE2_ERROR_NOMATCH;

	for (size_t i = from; i <= last && rc == PCRE2_ERROR_NOMATCH;
	     i = next_place(t->s, i)) {
		rc = PCRE2_ERROR_MATCHLIMIT;
		for (uint32_t steps = REGEX_STEPS_MANY;
		     rc == PCRE2_ERROR_MATCHLIMIT && steps <= REGEX_STEPS; steps *= 10) {
			if (t->match->work >= t->match->work_max)
				return PCRE2_ERROR_MATCHLIMIT;
			t->match->work +=
				steps == REGEX_STEPS_MANY ? REGEX_PLACE_COST : steps;
			rc = try_at(t, i, i, steps);
		}
	}
	return rc;
}

static int try_all(struct attempt *t)
{
	int rc = PCRE2_ERROR_NOMATCH;

	for (size_t from = 0; from <= t->s.n && rc == PCRE2_ERROR_NOMATCH;) {
		size_t last = from + REGEX_PLACES < t->s.n ? from + REGEX_PLACES : t->s.n;

		while (last < t->s.n && ((unsigned char)t->s.p[last] & 0xc0) == 0x80)
			last++;
		if (t->match->work >= t->match->work_max)
			return PCRE2_ERROR_MATCHLIMIT;
		t->match->work += REGEX_PLACE_COST * (last - from + 1);
		rc = try_at(t, from, last, REGEX_STEPS_MANY);
		if (rc == PCRE2_ERROR_MATCHLIMIT)
			rc = try_alone(t, from, last);
		from = next_place(t->s, last);
	}
	return rc;
}

enum regex_result regex_match(const struct regex *r, struct str s, struct regex_match *m)
{
	struct attempt t = {r, s, pcre2_match_data_create_from_pattern(r->code, NULL),
			    pcre2_match_context_create(NULL), m};
	int rc;

	must(t.data != NULL && t.limits != NULL);
	pcre2_set_depth_limit(t.limits, REGEX_DEPTH);
	pcre2_set_heap_limit(t.limits, REGEX_HEAP_KB);
	m->work = 0;
	rc = try_all(&t);
	m->n = rc > 0 ? take_groups(t.data, (size_t)rc, s, m->capture,
				    countof(m->capture))
		      : 0;
	pcre2_match_data_free(t.data);
	pcre2_match_context_free(t.limits);
	if (rc > 0)
		return REGEX_YES;
	return rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}
