/* SPDX-License-Identifier: ISC */
/*
 * rules - which connections may use which mechanisms and sources (auth.rules, doc/AUTH.md)
 *
 *   service smtp  sources secret,saslauthd  mechanisms PLAIN,LOGIN
 *   client 10.0.0.0/8,2001:db8::/32  sources secret,ldapdb  transition yes
 *
 * The first rule whose conditions hold is the one; without any, or when none holds, it is
 * rules_default().  A rule that says nothing of sources or mechanisms has the defaults.  With
 * `transition` the secret is the first source, whether it is named or not: whoever has one
 * by now is judged by it, and no other source is shown a password that is right.
 *
 * The user's domain may be known late: until then a rule with that condition may hold, and
 * what is offered is what any of those that may hold allows.
 *
 * Owns:    its rules.
 * Limits:  RULES_MAX rules, and of each the lists below.
 * Threads: any; nothing changes after rules_new().
 * Tests:   t/unit/authd/rules.c
 */
#ifndef RULES_H
#define RULES_H

#include "authd/core.h"
#include "authd/mechanism.h"
#include "authd/source.h"
#include "lib/network.h"
#include "store/name.h"

enum { RULES_MAX = 64, RULE_SOURCES = 8, RULE_LIST = 32, RULE_ADDRESS = 64 };

struct rule {
	const char *service;       /* NULL: any */
	char listen[RULE_ADDRESS]; /* "": any */
	/* What "*" is where the kernel has no IPv6; "": nothing besides. */
	char or_listen[RULE_ADDRESS];
	struct network clients[RULE_LIST];
	struct name domains[RULE_LIST];
	size_t n_clients, n_domains; /* 0: any */
	bool tls_asked, tls;
	struct source sources[RULE_SOURCES + 1];
	size_t n_sources;
	unsigned mechanisms;
	bool transition;
};

struct rules;

/* Those of `set`, whose addresses of pop3 and poppassd are what `listen` may name, but for
 * service smtp.  ERR_PERM names the rule and the word that is wrong in it. */
int rules_new(const struct settings *set, struct rules **out, struct err *e) MUST_USE;
void rules_free(struct rules **r);

const struct rule *rules_default(void);
/* Whether the store's own secret is one of its sources. */
bool rule_asks_secret(const struct rule *r);
/* The rule of a connection whose user is of `domain`, canonical; "" is a user of none. */
const struct rule *rules_find(const struct rules *r, const struct question *q,
			      struct str domain);
/* The mechanisms that some user may have on this connection. */
unsigned rules_mechanisms(const struct rules *r, const struct question *q);
/* Whether anything depends on who the client is. */
bool rules_ask_client(const struct rules *r);
/* Those that any rule names, and each source of any, for what has to be loaded. */
unsigned rules_all_mechanisms(const struct rules *r);
const struct source *rules_source(const struct rules *r, size_t i); /* NULL: the end */

#endif
