/* SPDX-License-Identifier: ISC */
/*
 * mux - saslauthd's protocol, in the place of saslauthd, with no I/O in it
 *
 * What Cyrus SASL speaks with pwcheck_method saslauthd, to a socket that is called "mux" there
 * (saslauthd(8)).  A connection has one question, four counted strings, and one answer, a
 * counted string; a count is two octets, the high one first:
 *
 *   5 alice  6 secret  4 smtp  11 example.org    ->    2 OK   or   2 NO
 *
 * They are name, password, service and realm; the library cuts a name at its last @.  There
 * is no word for "later": the connection is closed without an answer, which the library
 * reports as a failure of its own, and then asks the next method of its list.
 *
 * Owns:   the question, which is wiped.
 * Limits: MUX_STRING_MAX octets a string; the library sends 8 KB in all.
 * Tests:  t/unit/authd/mux.c  t/fuzz/mux.c
 */
#ifndef MUX_H
#define MUX_H

#include "lib/buf.h"

enum { MUX_STRING_MAX = 1024 };

enum mux_want {
	MUX_WANT_INPUT, /* mux_feed() */
	MUX_WANT_CHECK, /* check the password, then mux_answer() or mux_later() */
	MUX_WANT_CLOSE, /* write the output and close */
};

struct mux;

struct mux *mux_new(void);
void mux_free(struct mux **m);

enum mux_want mux_want(const struct mux *m);
size_t mux_feed(struct mux *m, struct str in);
struct str mux_output(const struct mux *m);

/* All borrowed: as long as `m` lives; `service` has a NUL at its end and no control octet. */
struct str mux_user(const struct mux *m); /* with the realm, where there is one */
struct str mux_password(const struct mux *m);
struct str mux_service(const struct mux *m);

void mux_answer(struct mux *m, bool ok);
void mux_later(struct mux *m);

const char *mux_broken(const struct mux *m); /* why it was closed; NULL: it is in order */

#endif
