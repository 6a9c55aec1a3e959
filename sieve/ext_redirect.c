/* SPDX-License-Identifier: ISC */
/* redirect-dsn and redirect-deliverby (RFC 6009) */
#include "sieve/extensions_int.h"

#include "sieve/redirect_int.h"

#include <time.h>

/* ---- redirect-dsn: NOTIFY and RET of RFC 3461 ----------------------------------------------- */

static bool is_notify(struct str s)
{
	if (str_ieq(s, STR("never")))
		return true;
	do {
		struct str word = str_cut(&s, ',');

		if (!str_ieq(word, STR("success")) && !str_ieq(word, STR("failure")) &&
		    !str_ieq(word, STR("delay")))
			return false;
	} while (s.n > 0);
	return true;
}

static bool is_ret(struct str s)
{
	return str_ieq(s, STR("full")) || str_ieq(s, STR("hdrs"));
}

static bool check_notify(struct checker *c, struct node *n, const struct arg *a)
{
	(void)n;
	return a->texts.list[0].n > 0 || is_notify(a->texts.list[0].fixed) ||
	       checker_error(c, a->at,
			     ":notify takes \"never\", or some of \"success\", "
			     "\"failure\", \"delay\" parted by commas");
}

static bool check_ret(struct checker *c, struct node *n, const struct arg *a)
{
	(void)n;
	return a->texts.list[0].n > 0 || is_ret(a->texts.list[0].fixed) ||
	       checker_error(c, a->at, ":ret takes \"full\" or \"hdrs\"");
}

/* ---- redirect-deliverby: BY of RFC 2852 ----------------------------------------------------------- */

static bool digits(struct str *s, size_t n, int *out)
{
	uint32_t value;

	if (s->n < n || !str_u32((struct str){s->p, n}, &value))
		return false;
	*out = (int)value;
	*s = (struct str){s->p + n, s->n - n};
	return true;
}

static bool mark(struct str *s, char c)
{
	if (s->n == 0 || ascii_lower(s->p[0]) != c)
		return false;
	*s = (struct str){s->p + 1, s->n - 1};
	return true;
}

/* zone - "Z" or "+01:00" */
static bool zone(struct str s, int64_t *seconds)
{
	int sign = s.n > 0 && s.p[0] == '-' ? -1 : 1, hours, minutes;

	*seconds = 0;
	if (s.n == 1)
		return ascii_lower(s.p[0]) == 'z';
	if (!mark(&s, sign < 0 ? '-' : '+') || !digits(&s, 2, &hours) || !mark(&s, ':') ||
	    !digits(&s, 2, &minutes) || s.n > 0)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* fraction - of a second, which is passed over; false: a dot without one */
static bool fraction(struct str *s)
{
	int unused;

	if (!mark(s, '.'))
		return true;
	if (!digits(s, 1, &unused))
		return false;
	while (digits(s, 1, &unused))
		;
	return true;
}

/* is_time - "2026-11-29T12:00:00Z" (RFC 3339) */
static bool is_time(struct str s, int64_t *unix_s)
{
	struct tm tm = {0};
	int64_t east;

	if (!digits(&s, 4, &tm.tm_year) || !mark(&s, '-') || !digits(&s, 2, &tm.tm_mon) ||
	    !mark(&s, '-') || !digits(&s, 2, &tm.tm_mday) || !mark(&s, 't') ||
	    !digits(&s, 2, &tm.tm_hour) || !mark(&s, ':') || !digits(&s, 2, &tm.tm_min) ||
	    !mark(&s, ':') || !digits(&s, 2, &tm.tm_sec) || !fraction(&s) ||
	    !zone(s, &east))
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*unix_s = timegm(&tm) - east;
	return true;
}

static bool check_absolute(struct checker *c, struct node *n, const struct arg *a)
{
	int64_t unused;

	(void)n;
	return a->texts.list[0].n > 0 || is_time(a->texts.list[0].fixed, &unused) ||
	       checker_error(c, a->at,
			     ":bytimeabsolute takes a time such as "
			     "\"2026-11-29T12:00:00Z\"");
}

static bool is_mode(struct str s)
{
	return str_ieq(s, STR("notify")) || str_ieq(s, STR("return"));
}

static bool check_mode(struct checker *c, struct node *n, const struct arg *a)
{
	(void)n;
	return is_mode(a->texts.list[0].fixed) ||
	       checker_error(c, a->at, ":bymode takes \"notify\" or \"return\"");
}

bool redirect_check(struct checker *c, const struct node *n)
{
	const struct arg *a = node_arg(n, SLOT_BY_MODE);

	if (a == NULL)
		a = node_arg(n, SLOT_BY_TRACE);
	return a == NULL || node_has(n, SLOT_BY_TIME) ||
	       checker_error(c, a->at,
			     ":" STR_FMT " needs :bytimerelative or :bytimeabsolute",
			     STR_ARG(a->tag));
}

/* ---- at run time --------------------------------------------------------------------------------------- */

static bool take_by(struct run *r, const struct node *n, struct sieve_redirect *to)
{
	const struct arg *a = node_arg(n, SLOT_BY_TIME);
	struct str mode = run_string(r, n, SLOT_BY_MODE);
	int64_t at;

	if (a == NULL)
		return true;
	if (a->kind == VALUE_NUMBER) {
		to->by_s = (int64_t)a->number;
	} else if (is_time(run_text(r, &a->texts.list[0]), &at)) {
		to->by_s = at - r->in->host->now;
	} else {
		run_fail(r, "redirect: :bytimeabsolute is no time");
		return false;
	}
	to->by_mode = str_ieq(mode, STR("notify")) ? 'N' : 'R';
	to->by_trace = node_has(n, SLOT_BY_TRACE);
	return true;
}

bool redirect_options(struct run *r, const struct node *n, struct sieve_redirect *to)
{
	to->notify = run_string(r, n, SLOT_DSN_NOTIFY);
	to->ret = run_string(r, n, SLOT_DSN_RET);
	if ((node_has(n, SLOT_DSN_NOTIFY) && !is_notify(to->notify)) ||
	    (node_has(n, SLOT_DSN_RET) && !is_ret(to->ret))) {
		run_fail(r, "redirect: :notify or :ret has no such value");
		return false;
	}
	return take_by(r, n, to) && !r->failed;
}

static const struct tag dsn[] = {
	{.name = "notify",
	 .on = TAKES_REDIRECT,
	 .slot = SLOT_DSN_NOTIFY,
	 .value = VALUE_STRING,
	 .check = check_notify},
	{.name = "ret",
	 .on = TAKES_REDIRECT,
	 .slot = SLOT_DSN_RET,
	 .value = VALUE_STRING,
	 .check = check_ret},
};

const struct extension ext_redirect_dsn = {
	.name = "redirect-dsn", .tags = dsn, .n_tags = countof(dsn)};

static const struct tag by[] = {
	{.name = "bytimerelative",
	 .on = TAKES_REDIRECT,
	 .slot = SLOT_BY_TIME,
	 .value = VALUE_NUMBER},
	{.name = "bytimeabsolute",
	 .on = TAKES_REDIRECT,
	 .slot = SLOT_BY_TIME,
	 .value = VALUE_STRING,
	 .check = check_absolute},
	{.name = "bymode",
	 .on = TAKES_REDIRECT,
	 .slot = SLOT_BY_MODE,
	 .value = VALUE_STRING,
	 .fixed = true,
	 .check = check_mode},
	{.name = "bytrace", .on = TAKES_REDIRECT, .slot = SLOT_BY_TRACE},
};

const struct extension ext_redirect_deliverby = {
	.name = "redirect-deliverby", .tags = by, .n_tags = countof(by)};
