/* SPDX-License-Identifier: ISC */
/*
 * lookup - what the plug-in asks of authd, and what it makes of the answer, with no I/O
 *
 * An MTA's SASL library asks for properties of a user: `authPassword`, verifiers by which it
 * can itself speak SCRAM.  `do lookup` gives them (doc/AUTH.md).  Nothing else is ever given:
 * a password in clear text is checked by authd (pwcheck_method saslauthd), not here.
 *
 * Tests: t/unit/smtpauth/lookup.c
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "auth/wire.h"

enum { LOOKUP_VERIFIERS_MAX = 4096 };

/* What the SASL library knows of the connection; NULL where it does not. */
struct lookup_peer {
	const char *service;
	const char *client, *server; /* as SASL writes them: "192.0.2.7;1234" */
	bool tls;
};

enum lookup_result {
	LOOKUP_FOUND, /* verifiers are filled in; it may be that nobody has this name */
	LOOKUP_NOT_HERE, /* no account, or one that may not log in */
	LOOKUP_LATER
};

void lookup_question(struct wire *m, const struct lookup_peer *p, struct str user);
/* `verifiers` gets one a line, each as RFC 5803 writes it, and *wait_ms the time to let pass
 * before the peer is told. */
enum lookup_result lookup_answer(const struct wire *m, struct buf *verifiers,
				 uint32_t *wait_ms);

#endif
