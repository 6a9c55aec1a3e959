/* SPDX-License-Identifier: ISC */
/*
 * source - who else may know whether a password is right
 *
 *   secret                           the store's own (judged in authd/judge.c)
 *   saslauthd                        PAM, LDAP ... by saslauthd(8)
 *   sasldb, ldapdb, auxprop:NAME     plug-ins of Cyrus SASL that know passwords
 *   pop3://HOST[:PORT] and pop3s://, imap://, imaps://   a login there
 *
 * A URL may end in options, "?a&b": user=local, the name there is the local part alone;
 * ca=FILE, who has signed its certificate, where that is not one of the system's; tls=no,
 * for pop3 and imap: a server need not speak TLS, and its certificate is not looked at, as
 * is the case for loopback addresses, too.
 *
 * A kind is a row of a table and a file, authd/source_*.c.
 *
 * Limits:  SOURCE_WAIT_S for the answer of one, SOURCE_CONNECT_S of them for a connection;
 *          of a plug-in for each of its own exchanges with an LDAP server SOURCE_CONNECT_S.
 * Threads: any.
 * Tests:   t/unit/authd/rules.c  t/box/test_authd.py  t/box/test_sources.py
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "lib/err.h"
#include "lib/settings.h"
#include "lib/str.h"

enum { SOURCE_WAIT_S = 20, SOURCE_CONNECT_S = 10, SOURCE_TEXT = 256 };

enum source_result {
	SOURCE_YES,
	SOURCE_NO,    /* unknown or wrong */
	SOURCE_FAILED /* *e says what */
};

struct source_question {
	const struct settings *set;
	struct str user; /* canonical, name@domain; not necessarily an account */
	struct str password;
	const char *service;
};

struct source;

struct source_kind {
	const char *word; /* of a URL with "://" at its end; "auxprop:" has an argument */
	/* NULL: nothing may follow `word` */
	int (*parse)(struct str rest, struct source *out, struct err *e);
	/* NULL: `secret` */
	enum source_result (*check)(const struct source *s,
				    const struct source_question *q, struct err *e);
};

struct source {
	const struct source_kind *kind;
	char text[SOURCE_TEXT]; /* as configured, for the log */
	char name[SOURCE_TEXT]; /* of a plug-in; a URL without options */
	char ca[SOURCE_TEXT];   /* a URL's, "" = the system's */
	bool local_part, clear_text;
};

int source_parse(struct str text, struct source *out, struct err *e) MUST_USE;
bool source_is_secret(const struct source *s);
bool source_is_plugin(const struct source *s); /* one of Cyrus SASL's, by s->name */
enum source_result source_check(const struct source *s, const struct source_question *q,
				struct err *e);

#endif
