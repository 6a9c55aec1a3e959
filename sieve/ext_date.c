/* SPDX-License-Identifier: ISC */
/* date and currentdate (RFC 5260) */
#include "sieve/extensions_int.h"

#include "mail/date.h"
#include "sieve/select_int.h"

#include <string.h>
#include <time.h>

/* ---- parts of a date ------------------------------------------------------------------------ */

struct when {
	int64_t unix_s;
	int32_t zone_s;
	struct tm tm; /* in that zone */
};

static void put_year(struct buf *out, const struct when *w)
{
	buf_printf(out, "%04d", w->tm.tm_year + 1900);
}

static void put_month(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d", w->tm.tm_mon + 1);
}

static void put_day(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d", w->tm.tm_mday);
}

static void put_date(struct buf *out, const struct when *w)
{
	buf_printf(out, "%04d-%02d-%02d", w->tm.tm_year + 1900, w->tm.tm_mon + 1,
		   w->tm.tm_mday);
}

/* The Modified Julian Day: 0 is 17 November 1858. */
static void put_julian(struct buf *out, const struct when *w)
{
	int64_t s = w->unix_s + w->zone_s;

	buf_printf(out, "%lld",
		   (long long)((s - (s % 86400 + 86400) % 86400) / 86400 + 40587));
}

static void put_hour(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d", w->tm.tm_hour);
}

static void put_minute(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d", w->tm.tm_min);
}

static void put_second(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d", w->tm.tm_sec);
}

static void put_time(struct buf *out, const struct when *w)
{
	buf_printf(out, "%02d:%02d:%02d", w->tm.tm_hour, w->tm.tm_min, w->tm.tm_sec);
}

static void put_offset(struct buf *out, const struct when *w, const char *between)
{
	int minutes = w->zone_s / 60, east = minutes < 0 ? -minutes : minutes;

	buf_printf(out, "%c%02d%s%02d", minutes < 0 ? '-' : '+', east / 60, between,
		   east % 60);
}

static void put_iso8601(struct buf *out, const struct when *w)
{
	put_date(out, w);
	buf_putc(out, 'T');
	put_time(out, w);
	put_offset(out, w, ":");
}

static void put_std11(struct buf *out, const struct when *w)
{
	date_rfc5322_zone(out, w->unix_s, w->zone_s);
}

static void put_zone(struct buf *out, const struct when *w)
{
	put_offset(out, w, "");
}

static void put_weekday(struct buf *out, const struct when *w)
{
	buf_printf(out, "%d", w->tm.tm_wday);
}

static const struct date_part {
	const char *name;
	void (*put)(struct buf *out, const struct when *w);
} parts[] = {
	/* clang-format off */
	{"year", put_year},       {"month", put_month},     {"day", put_day},
	{"date", put_date},       {"julian", put_julian},   {"hour", put_hour},
	{"minute", put_minute},   {"second", put_second},   {"time", put_time},
	{"iso8601", put_iso8601}, {"std11", put_std11},     {"zone", put_zone},
	{"weekday", put_weekday},
	/* clang-format on */
};

static const struct date_part *find_part(struct str name)
{
	for (size_t i = 0; i < countof(parts); i++)
		if (str_ieq(name, str_of(parts[i].name)))
			return &parts[i];
	return NULL;
}

/* ---- zones ------------------------------------------------------------------------------------- */

/* zone_of - :originalzone is what the field says; without a tag it is the site's */
static bool zone_of(struct run *r, const struct node *n, int32_t original,
		    int32_t *zone_s)
{
	const struct arg *a = node_arg(n, SLOT_ZONE);

	*zone_s = a == NULL ? r->in->host->zone_s : original;
	if (a == NULL || a->kind == VALUE_NONE)
		return true;
	return date_zone(run_text(r, &a->texts.list[0]), zone_s);
}

static bool check_zone(struct checker *c, struct node *n, const struct arg *a)
{
	int32_t zone;

	(void)n;
	return a->texts.list[0].n > 0 || date_zone(a->texts.list[0].fixed, &zone) ||
	       checker_error(c, a->at, ":zone takes an offset such as \"+0100\"");
}

static bool check_part(struct checker *c, struct node *n)
{
	const struct str *name = checker_fixed(n, SLOT_ITEM);

	if (name != NULL && find_part(*name) == NULL)
		return checker_error(c, node_arg(n, SLOT_ITEM)->at,
				     "a date has no part \"" STR_FMT "\"",
				     STR_ARG(*name));
	return select_check(c, n);
}

/* ---- the tests ------------------------------------------------------------------------------------ */

static bool match_date(struct run *r, const struct node *n, struct matching *m,
		       int64_t unix_s, int32_t zone_s)
{
	const struct date_part *part = find_part(run_string(r, n, SLOT_ITEM));
	struct when w = {.unix_s = unix_s};
	struct buf out;
	time_t t;

	if (part == NULL || !zone_of(r, n, zone_s, &w.zone_s))
		return false;
	t = w.unix_s + w.zone_s;
	must(gmtime_r(&t, &w.tm) != NULL);
	buf_init(&out, 64);
	part->put(&out, &w);
	return matching_value(m, run_take(r, &out));
}

static bool test_currentdate(struct run *r, const struct node *n)
{
	struct matching m;

	matching_begin(&m, r, n->match);
	match_date(r, n, &m, r->in->host->now, r->in->host->zone_s);
	return matching_end(&m);
}

/* date_in - of a field such as Received the date stands behind the last ";" */
static struct str date_in(struct str value)
{
	const char *mark = value.n > 0 ? memrchr(value.p, ';', value.n) : NULL;

	if (mark == NULL)
		return value;
	return (struct str){mark + 1, value.n - (size_t)(mark + 1 - value.p)};
}

static bool test_date(struct run *r, const struct node *n)
{
	struct matching m;
	struct selection s;
	struct field *f;

	matching_begin(&m, r, n->match);
	selection_begin(&s, r, n);
	while ((f = selection_field(&s)) != NULL) {
		int64_t unix_s;
		int32_t zone_s;

		if (!date_read(date_in(field_raw(r->arena, f)), &unix_s, &zone_s))
			continue;
		if (match_date(r, n, &m, unix_s, zone_s))
			break;
		/* RFC 5260 section 4: the first field of that name, but for :index */
		if (!node_has(n, SLOT_INDEX))
			break;
	}
	return matching_end(&m);
}

static const struct tag date_tags[] = {
	{.name = "zone", .slot = SLOT_ZONE, .value = VALUE_STRING, .check = check_zone},
	{.name = "originalzone", .slot = SLOT_ZONE},
};

static const struct definition definitions[] = {
	{.name = "date",
	 .kind = TEST,
	 .takes = TAKES_MATCH | TAKES_INDEX,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES},
		    {.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .tags = date_tags,
	 .n_tags = 2,
	 .check = check_part,
	 .test = test_date},
	{.name = "currentdate",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .tags = date_tags,
	 .n_tags = 1,
	 .check = check_part,
	 .test = test_currentdate},
};

const struct extension ext_date = {.name = "date",
				   .definitions = definitions,
				   .n_definitions = countof(definitions)};
