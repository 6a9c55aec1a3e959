/* SPDX-License-Identifier: ISC */
#include "sieve/regex_int.h"

#include "lib/buf.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct regex {
	pcre2_code *code;
};

struct regex *regex_new(struct str pattern, bool fold, struct buf *why)
{
	const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
				 PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY |
				 (fold ? PCRE2_CASELESS : 0);
	int error;
	size_t at;
	unsigned char text[128] = "";

	if (pattern.n > REGEX_OCTETS) {
		buf_put(why, STR("the pattern is too long"));
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

/* PCRE2 does not say how many steps it took, so it gets few at first, and ten times as many
 * when these do not do. */
enum regex_result regex_match(const struct regex *r, struct str s, struct regex_match *m)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(r->code, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	int rc = PCRE2_ERROR_MATCHLIMIT;

	must(data != NULL && limits != NULL);
	pcre2_set_depth_limit(limits, REGEX_DEPTH);
	pcre2_set_heap_limit(limits, REGEX_HEAP_KB);
	m->work = s.n;
	for (uint32_t steps = REGEX_STEPS_MIN;
	     rc == PCRE2_ERROR_MATCHLIMIT && steps <= REGEX_STEPS &&
	     m->work < m->work_max;
	     steps *= 10) {
		m->work += steps;
		pcre2_set_match_limit(limits, steps);
		rc = pcre2_match(r->code, (PCRE2_SPTR)s.p, s.n, 0, 0, data, limits);
	}
	m->n = rc > 0 ? take_groups(data, (size_t)rc, s, m->capture, countof(m->capture))
		      : 0;
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	if (rc > 0)
		return REGEX_YES;
	return rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}
