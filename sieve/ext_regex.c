/* SPDX-License-Identifier: ISC */
/* regex - match type :regex and :quoteregex (draft-ietf-sieve-regex): patterns of PCRE2 */
#include "sieve/extensions_int.h"

#include "sieve/modify_int.h"
#include "sieve/regex_int.h"

/* compile_now - of a pattern with variables in it; NULL: the run has failed */
static struct regex *compile_now(struct run *r, const struct match *m, struct str pattern)
{
	struct buf why;
	struct regex *x;

	buf_init(&why, SIEVE_ERROR_TEXT);
	x = regex_new(pattern, m->comparator->fold, &why);
	if (x == NULL)
		run_fail(r, ":regex: %s", buf_cstr(&why));
	buf_fini(&why);
	run_spend(r, 10 * pattern.n);
	return x;
}

static void set_captures(struct frame *f, const struct regex_match *m)
{
	f->n_captures = m->n < GLOB_CAPTURES ? m->n : GLOB_CAPTURES;
	for (size_t i = 0; i < f->n_captures; i++)
		f->captures[i] = m->capture[i];
}

static bool key_regex(struct matching *m, struct str value, size_t key)
{
	struct regex_match found = {.work_max = run_left(m->run)};
	const struct regex *x = m->match->regexes[key];
	struct regex *own = NULL;
	enum regex_result result;

	if (x == NULL)
		x = own = compile_now(m->run, m->match, m->keys[key]);
	if (x == NULL)
		return false;
	result = regex_match(x, run_utf8(m->run, value), &found);
	regex_free(&own);
	if (!run_spend(m->run, found.work))
		return false;
	if (result == REGEX_LIMIT)
		run_fail(m->run, ":regex: the pattern needs too many steps");
	if (result == REGEX_YES && m->match->captures)
		set_captures(m->run->frame, &found);
	return result == REGEX_YES;
}

const struct match_type match_regex = {
	.name = "regex", .substring = true, .key = key_regex, .regex = true, .raw = true};

static bool prepare_key(struct checker *c, const struct match *m, const struct text *t,
			const struct regex **out)
{
	struct sieve_script *s = c->script;
	struct buf why;

	if (t->n > 0)
		return true;
	buf_init(&why, SIEVE_ERROR_TEXT);

	struct regex *x = regex_new(t->fixed, m->comparator->fold, &why);

	*out = x;
	if (x == NULL) {
		checker_error(c, t->at, ":regex: %s", buf_cstr(&why));
	} else {
		s->regexes = arena_push(&s->arena, s->regexes, &s->n_regexes,
					sizeof *s->regexes);
		s->regexes[s->n_regexes - 1] = x;
	}
	buf_fini(&why);
	return *out != NULL;
}

bool regex_prepare(struct checker *c, struct match *m)
{
	size_t n = m->keys->n;
	bool ok = true;

	m->regexes = arena_alloc(&c->script->arena, n * sizeof *m->regexes);
	for (size_t i = 0; i < n; i++)
		ok = prepare_key(c, m, &m->keys->list[i], &m->regexes[i]) && ok;
	return ok;
}

static const struct tag tags[] = {
	{.name = "regex", .on = TAKES_MATCH, .slot = SLOT_MATCH, .is = &match_regex},
	{.name = "quoteregex",
	 .on = TAKES_SET,
	 .slot = SLOT_QUOTE,
	 .is = &modifier_quoteregex},
};

const struct extension ext_regex = {
	.name = "regex", .tags = tags, .n_tags = countof(tags)};
