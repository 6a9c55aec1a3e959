/* SPDX-License-Identifier: ISC */
/*
 * record - a small text object: kind, `key value` lines, checksum
 *
 *   popstore-profile 1
 *   name alice@example.org
 *   quota 104857600
 *   sum 9a0364b9e99bb480
 *
 * Accounts, domains, forwardings, secrets, volumes and writers are records.
 * Keys are lower case; a value is what follows the first space, any octets but
 * control octets (record_put() percent-encodes those, and `%`; record_get()
 * decodes).  A key may repeat.  `sum` is XXH3-64 over everything before its line,
 * in hex.  Unknown keys are kept by nobody and disturb nobody: an older program
 * can read a newer record of the same version.
 *
 * Owns:   a record_writer its text, which may be a secret and is wiped.
 * Limits: RECORD_MAX octets.
 * Tests:  t/unit/store/record.c  t/fuzz/record.c
 */
#ifndef RECORD_H
#define RECORD_H

#include "lib/buf.h"
#include "lib/err.h"

enum { RECORD_MAX = 65536 };

struct record_writer {
	struct buf text;
};

void record_begin(struct record_writer *w, const char *kind);
void record_put(struct record_writer *w, const char *key, struct str value);
void record_put_u64(struct record_writer *w, const char *key, uint64_t value);
/* Whether what was put fits RECORD_MAX with the sum; who puts what a user can make
 * long asks before record_finish(), which takes it for a promise. */
bool record_fits(const struct record_writer *w);
struct str record_finish(struct record_writer *w); /* borrowed until record_fini() */
void record_fini(struct record_writer *w);

/* Checks kind, version and sum.  `what` names the object in the error, which is
 * ERR_TEMP: damage (4.3.0) and a version of a later program (4.3.5) are for the
 * operator, not for the sender. */
int record_check(struct str text, const char *kind, const char *what, struct err *e);
/* Whether an error of reading an object says that its octets are wrong: not that it could
 * not be read now, nor that a later program wrote it. */
bool record_is_damage(const struct err *e);
/* The next line after record_check(); false at the end.  Start with *rest = text. */
bool record_next(struct str *rest, struct str *key, struct str *value);
/* The first value of a key, decoded into out; false when there is none. */
bool record_get(struct str text, const char *key, struct buf *out);
bool record_get_u64(struct str text, const char *key, uint64_t *out);
/* Undoes the percent-encoding of a value that record_next() gave. */
void record_decode(struct str value, struct buf *out);
/* Appends `s` percent-encoded: control octets, DEL, '%' and space where asked. */
void record_encode(struct str s, bool space_too, struct buf *out);
/* Could `s` come from record_encode(..., true, ...)?  No control octets, no space. */
bool record_is_encoded(struct str s);

#endif
