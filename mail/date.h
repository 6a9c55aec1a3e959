/* SPDX-License-Identifier: ISC */
/*
 * date - times as mail writes them
 *
 * Tests: t/unit/mail/date.c
 */
#ifndef DATE_H
#define DATE_H

#include "lib/buf.h"
#include "lib/str.h"

#include <stdint.h>

/* "Sat, 21 Nov 2026 20:13:43 +0000" (RFC 5322 s3.3), in UTC: the same bytes for
 * every recipient, whatever the machine's zone. */
void date_rfc5322(struct buf *out, uint64_t unix_ms);
/* "2026-11-21T20:13:43.123Z" (RFC 3339) */
void date_rfc3339(struct buf *out, uint64_t unix_ms);

/* Reads an RFC 5322 date-time: the day's name may be missing, blanks may be folded, a
 * comment may follow; of the obsolete zones only GMT and UT. */
bool date_parse(struct str s, uint64_t *unix_ms) MUST_USE;

/* The same for a date that a stranger wrote: any zone that has a name in RFC 5322, a year of
 * two digits, no zone at all.  *zone_s is east of Greenwich. */
bool date_read(struct str s, int64_t *unix_s, int32_t *zone_s) MUST_USE;

/* "+0130", in seconds. */
bool date_zone(struct str s, int32_t *zone_s) MUST_USE;

/* As date_rfc5322(), in that zone. */
void date_rfc5322_zone(struct buf *out, int64_t unix_s, int32_t zone_s);

#endif
