/* SPDX-License-Identifier: ISC */
#include "sieve/tester_int.h"

/* Where a number goes, and whether the test itself is held to it as well. */
static bool number(struct tester *t, struct str name, uint64_t n)
{
	struct sieve_limits *l = &t->inner.limits;

	if (str_ieq(name, STR("sieve_max_script_size")))
		l->script_octets = n;
	else if (str_ieq(name, STR("sieve_max_actions")))
		l->actions = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_max_redirects")))
		l->redirects = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_variables_max_variable_size")))
		l->variable_octets = n;
	else if (str_ieq(name, STR("sieve_variables_max_scope_count")))
		l->variables = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_include_max_nesting_depth")))
		l->include_depth = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_include_max_includes")))
		l->includes = (uint32_t)n;
	else if (str_ieq(name, STR("popstore_steps")))
		l->steps = n;
	else if (str_ieq(name, STR("popstore_memory")))
		l->memory = n;
	else if (str_ieq(name, STR("popstore_nesting")))
		l->nesting = (uint32_t)n;
	else
		return false;
	return true;
}

static bool seconds(struct tester *t, struct str name, uint64_t n)
{
	struct sieve_site *s = &t->inner;

	if (str_ieq(name, STR("sieve_vacation_min_period")))
		s->vacation_min_s = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_vacation_max_period")))
		s->vacation_max_s = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_vacation_default_period")))
		s->vacation_default_s = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_duplicate_default_period")))
		s->duplicate_default_s = (uint32_t)n;
	else if (str_ieq(name, STR("sieve_duplicate_max_period")))
		s->duplicate_max_s = (uint32_t)n;
	else
		return false;
	return true;
}

/* "7d", "30m", "1h", "10s" or "10" */
static bool period(struct str s, uint64_t *out)
{
	static const struct {
		char unit;
		uint32_t s;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	uint32_t factor = 1;

	for (size_t i = 0; i < countof(units) && s.n > 1; i++)
		if (ascii_lower(s.p[s.n - 1]) == units[i].unit) {
			factor = units[i].s;
			s.n--;
			break;
		}
	if (!str_u64(s, out) || *out > UINT32_MAX / factor)
		return false;
	*out *= factor;
	return true;
}

/* ---- spamtest and virustest ------------------------------------------------------------------- */

static const char *keep(struct tester *t, struct str s)
{
	return arena_str(&t->arena, s).p;
}

/* status_header - "X-Spam-Score" or "X-Spam-Score: pattern" */
static bool status_header(struct tester *t, struct sieve_scanner *s, struct str value)
{
	struct str rest = value, field = str_cut(&rest, ':');

	s->field = keep(t, str_trim(field));
	s->pattern = str_trim(rest).n > 0 ? keep(t, str_trim(rest)) : NULL;
	return true;
}

static bool status_type(struct sieve_scanner *s, struct str value)
{
	if (str_ieq(value, STR("score")))
		s->kind = SCANNER_NUMBER;
	else if (str_ieq(value, STR("strlen")))
		s->kind = SCANNER_LENGTH;
	else if (str_ieq(value, STR("text")))
		s->kind = SCANNER_TEXT;
	else
		return false;
	return true;
}

static bool text_value(struct tester *t, struct sieve_scanner *s, struct str which,
		       struct str value)
{
	uint32_t n;

	if (!str_u32(which, &n) || n >= countof(s->texts))
		return false;
	s->texts[n] = keep(t, value);
	return true;
}

static bool scanner(struct tester *t, struct sieve_scanner *s, struct str item,
		    struct str value)
{
	const struct str text = STR("text_value");

	if (str_ieq(item, STR("status_header")))
		return status_header(t, s, value);
	if (str_ieq(item, STR("status_type")))
		return status_type(s, value);
	if (str_ieq(item, STR("max_value"))) {
		s->max = keep(t, value);
		return true;
	}
	return str_istarts(item, text) &&
	       text_value(t, s, (struct str){item.p + text.n, item.n - text.n}, value);
}

static struct str behind(struct str s, struct str prefix)
{
	return (struct str){s.p + prefix.n, s.n - prefix.n};
}

bool tester_config(struct tester *t, struct str name, struct str value)
{
	const struct str spam = STR("sieve_spamtest_"), virus = STR("sieve_virustest_");
	uint64_t n;
	bool known = false;

	if (str_istarts(name, spam))
		known = scanner(t, &t->inner.spam, behind(name, spam), value);
	else if (str_istarts(name, virus))
		known = scanner(t, &t->inner.virus, behind(name, virus), value);
	else if (period(value, &n) && seconds(t, name, n))
		known = true;
	else if (str_ieq(name, STR("recipient_delimiter"))) {
		t->input.envelope.delimiter = arena_str(&t->arena, value);
		known = true;
	} else {
		known = str_size(value, &n) && number(t, name, n);
	}
	/* The test itself is held to all but the limits. */
	t->outer.spam = t->inner.spam;
	t->outer.virus = t->inner.virus;
	return known;
}
