/* SPDX-License-Identifier: ISC */
/*
 * srs - sender addresses that pass SPF behind a forwarding, and lead bounces home
 *
 *   who@far.example            ->  SRS0=hash=day=far.example=who@ours
 *   SRS0=...=who@first.example ->  SRS1=hash=first.example==...=who@ours
 *
 * As M. S. Wong's paper, Mail::SRS, libsrs2 and postsrsd do it, so that secrets can be taken
 * over from these: the hash is the beginning of base64 of HMAC-SHA-1 over the parts behind
 * it, in lower case; the day is two characters of base32, of 1024 days.  A bounce to the
 * second form goes to the first forwarder, and from there home.
 *
 * The first secret signs; all of them verify, so that a new one is put in front of the old
 * ones, and an old one is taken away once what it signed has expired.  MTAs may fold case, so
 * a hash is compared without it: eight characters are about forty bits.
 *
 * Pure: the clock is the caller's.
 *
 * Owns:    copies of the secrets, wiped at the end.
 * Limits:  SRS_SECRETS of SRS_SECRET_MIN to SRS_SECRET_MAX octets; an address that becomes
 *          longer than mail/address.h knows is not rewritten.
 * Threads: any.
 * Tests:   t/unit/mail/srs.c  t/fuzz/srs.c  t/box/test_srs.py
 */
#ifndef SRS_H
#define SRS_H

#include "lib/err.h"
#include "mail/address.h"

#include <stdint.h>

enum {
	SRS_SECRETS = 16,
	SRS_SECRET_MIN = 16,
	SRS_SECRET_MAX = 255,
	SRS_FILE_MAX = 8192,
	SRS_HASH_MIN = 4,
	SRS_HASH_MAX = 20,
};

struct srs;

struct srs_rules {
	const char *domain; /* of the addresses that are made */
	unsigned hash;      /* characters */
	unsigned days;      /* an address is good for */
};

/* `secrets` is a file: one a line, the first one signs; empty lines and such as begin with #
 * are passed over.  ERR_PERM 5.3.5 says what is wrong with it. */
struct srs *srs_new(const struct srs_rules *rules, struct str secrets, struct err *e);
void srs_free(struct srs **s);

/* False: it would be too long. */
bool srs_forward(const struct srs *s, const struct address *sender, int64_t unix_s,
		 struct address *out) MUST_USE;

enum srs_result {
	SRS_NONE,    /* not such an address, or of another domain */
	SRS_OK,      /* *out is where its mail goes */
	SRS_FORGED,  /* nobody here made it */
	SRS_EXPIRED, /* it was good once */
};

enum srs_result srs_reverse(const struct srs *s, const struct address *a, int64_t unix_s,
			    struct address *out);

#endif
