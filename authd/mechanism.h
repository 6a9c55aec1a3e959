/* SPDX-License-Identifier: ISC */
/*
 * mechanism - the ways to prove who one is, by their names
 *
 * A row each: what it needs, and which plug-in of Cyrus SASL has it.  The ways of POP3 that
 * are no SASL are rows, too, for the rules: PASS (USER and PASS) and APOP.
 *
 * Tests: t/unit/authd/rules.c
 */
#ifndef MECHANISM_H
#define MECHANISM_H

#include "lib/str.h"

enum mechanism_needs {
	NEEDS_CLEAR_TEXT = 1,  /* the password passes over the wire */
	NEEDS_RECOVERABLE = 2, /* the password is kept so that it can be read */
	NEEDS_BINDING = 4,     /* of the channel: -PLUS */
	NEEDS_CERTIFICATE = 8, /* of the client, and a rule that names the account */
	NEEDS_KEYTAB = 16,     /* of Kerberos */
	NO_SASL = 32,          /* PASS, APOP */
};

struct mechanism {
	const char *name;
	unsigned needs;
	const char *plugin; /* "libscram"; NULL: none, or the library itself */
};

/* The strongest first, as they are offered. */
extern const struct mechanism mechanisms[];
enum {
	MECHANISM_EXTERNAL,
	MECHANISM_GSSAPI,
	MECHANISM_SCRAM_SHA_512_PLUS,
	MECHANISM_SCRAM_SHA_256_PLUS,
	MECHANISM_SCRAM_SHA_1_PLUS,
	MECHANISM_SCRAM_SHA_512,
	MECHANISM_SCRAM_SHA_256,
	MECHANISM_SCRAM_SHA_1,
	MECHANISM_DIGEST_MD5,
	MECHANISM_CRAM_MD5,
	MECHANISM_APOP,
	MECHANISM_PLAIN,
	MECHANISM_LOGIN,
	MECHANISM_PASS,
	MECHANISMS
};

/* A set of them: 1 << MECHANISM_... */
#define MECHANISM_BIT(m) (1U << (m))

/* Those that need nothing but a secret of the usual kind, and EXTERNAL. */
unsigned mechanism_defaults(void);
/* Without regard to case; MECHANISMS: there is none of that name. */
unsigned mechanism_find(struct str name);

#endif
