/* SPDX-License-Identifier: ISC */
#include "mail/date.h"

#include <time.h>

static struct tm utc(uint64_t unix_ms)
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;

	/* Fails for a year beyond INT_MAX only; unix_ms cannot hold one. */
	must(gmtime_r(&t, &tm) != NULL);
	return tm;
}

/* Not strftime(3): names of days and months are the locale's there. */
void date_rfc5322(struct buf *out, uint64_t unix_ms)
{
	static const char day[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char month[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = utc(unix_ms);

	buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d +0000", day[tm.tm_wday],
		   tm.tm_mday, month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		   tm.tm_sec);
}

void date_rfc3339(struct buf *out, uint64_t unix_ms)
{
	struct tm tm = utc(unix_ms);

	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   (unsigned)(unix_ms % 1000));
}
