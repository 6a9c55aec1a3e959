/* SPDX-License-Identifier: ISC */
#include "mail/date.h"

#include <time.h>

static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static struct tm utc(uint64_t unix_ms)
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;

	/* Fails for a year beyond INT_MAX only; unix_ms cannot hold one. */
	must(gmtime_r(&t, &tm) != NULL);
	return tm;
}

/* Not strftime(3): names of days and months are the locale's there. */
static void put_date(struct buf *out, const struct tm *tm, int32_t zone_s)
{
	int zone = zone_s / 60, east = zone < 0 ? -zone : zone;

	buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", days[tm->tm_wday],
		   tm->tm_mday, months[tm->tm_mon], tm->tm_year + 1900, tm->tm_hour,
		   tm->tm_min, tm->tm_sec, zone < 0 ? '-' : '+', east / 60, east % 60);
}

void date_rfc5322(struct buf *out, uint64_t unix_ms)
{
	struct tm tm = utc(unix_ms);

	put_date(out, &tm, 0);
}

void date_rfc5322_zone(struct buf *out, int64_t unix_s, int32_t zone_s)
{
	time_t t = unix_s + zone_s;
	struct tm tm;

	must(gmtime_r(&t, &tm) != NULL);
	put_date(out, &tm, zone_s);
}

void date_rfc3339(struct buf *out, uint64_t unix_ms)
{
	struct tm tm = utc(unix_ms);

	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   (unsigned)(unix_ms % 1000));
}

/* ---- reading ------------------------------------------------------------------ */

/* next_word - up to the next blank; *s goes behind it */
static struct str next_word(struct str *s)
{
	struct str word;

	while (s->n > 0 && ascii_is_blank(s->p[0]))
		*s = (struct str){s->p + 1, s->n - 1};
	word = (struct str){s->p, 0};
	while (word.n < s->n && !ascii_is_blank(s->p[word.n]))
		word.n++;
	*s = (struct str){s->p + word.n, s->n - word.n};
	return word;
}

/* name_in - its number among n names of three letters, or -1 */
static int name_in(struct str s, const char (*names)[4], int n)
{
	for (int i = 0; i < n; i++)
		if (str_ieq(s, str_of(names[i])))
			return i;
	return -1;
}

static bool number(struct str s, size_t min_digits, size_t max_digits, uint32_t max,
		   int *out)
{
	uint32_t n;

	if (s.n < min_digits || s.n > max_digits || !str_u32(s, &n) || n > max)
		return false;
	*out = (int)n;
	return true;
}

/* "20:13:43"; the seconds may be missing, and may be a leap second */
static bool parse_time(struct str s, struct tm *tm)
{
	struct str hour = str_cut(&s, ':'), minute = str_cut(&s, ':');

	return number(hour, 2, 2, 23, &tm->tm_hour) &&
	       number(minute, 2, 2, 59, &tm->tm_min) &&
	       (s.n == 0 || number(s, 2, 2, 60, &tm->tm_sec));
}

bool date_zone(struct str s, int32_t *zone_s)
{
	int hours, minutes;

	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') ||
	    !number((struct str){s.p + 1, 2}, 2, 2, 23, &hours) ||
	    !number((struct str){s.p + 3, 2}, 2, 2, 59, &minutes))
		return false;
	*zone_s = (hours * 60 + minutes) * (s.p[0] == '-' ? -60 : 60);
	return true;
}

static bool parse_zone(struct str s, int32_t *out)
{
	*out = 0;
	return str_ieq(s, STR("GMT")) || str_ieq(s, STR("UT")) || date_zone(s, out);
}

/* RFC 5322 s4.3: what is not known there means nothing */
static void obsolete_zone(struct str s, int32_t *out)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6},
		     {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}};

	for (size_t i = 0; i < countof(zones); i++)
		if (str_ieq(s, str_of(zones[i].name)))
			*out = zones[i].hours * 3600;
}

/* RFC 5322 s4.3 */
static int obsolete_year(struct str s, int year)
{
	return s.n == 2 && year < 50 ? year + 2000 : s.n <= 3 ? year + 1900 : year;
}

/* parse_day - "Sat, 21 Nov" */
static bool parse_day(struct str *s, struct tm *tm)
{
	struct str word = next_word(s);

	if (word.n == 4 && word.p[3] == ',') {
		if (name_in((struct str){word.p, 3}, days, 7) < 0)
			return false;
		word = next_word(s);
	}
	if (!number(word, 1, 2, 31, &tm->tm_mday) || tm->tm_mday == 0)
		return false;
	tm->tm_mon = name_in(next_word(s), months, 12);
	return tm->tm_mon >= 0;
}

bool date_parse(struct str s, uint64_t *unix_ms)
{
	struct str word;
	struct tm tm = {0};
	int year;
	int32_t zone;

	if (!parse_day(&s, &tm) || !number(next_word(&s), 4, 4, 9999, &year) ||
	    year < 1970 || !parse_time(next_word(&s), &tm) ||
	    !parse_zone(next_word(&s), &zone))
		return false;
	word = next_word(&s);
	if (word.n > 0 && word.p[0] != '(')
		return false;
	tm.tm_year = year - 1900;

	time_t t = timegm(&tm) - zone;

	*unix_ms = (uint64_t)t * 1000;
	return t >= 0;
}

bool date_read(struct str s, int64_t *unix_s, int32_t *zone_s)
{
	struct str word;
	struct tm tm = {0};
	int year;

	if (!parse_day(&s, &tm))
		return false;
	word = next_word(&s);
	if (!number(word, 2, 4, 9999, &year) || !parse_time(next_word(&s), &tm))
		return false;
	tm.tm_year = obsolete_year(word, year) - 1900;
	word = next_word(&s);
	if (!parse_zone(word, zone_s))
		obsolete_zone(word, zone_s);
	*unix_s = timegm(&tm) - *zone_s;
	return true;
}
