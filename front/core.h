/* SPDX-License-Identifier: ISC */
/*
 * core - what front.h asks of a protocol: its conversation before login, with no I/O in it
 *
 * popd/login.h and managesieve/login.h are two.  front.h feeds it bytes, writes out its output
 * and does what want() asks, until it is known who is there; what was read and not consumed
 * then goes to the session along with the connection.
 */
#ifndef CORE_H
#define CORE_H

#include "front/capa.h"
#include "lib/conn.h"

struct login; /* the protocol's own */

enum login_want {
	LOGIN_WANT_INPUT,     /* feed() more bytes */
	LOGIN_WANT_WRITE,     /* write the output before anything else: written() */
	LOGIN_WANT_CHECK,     /* ask question(), then one of the five answers */
	LOGIN_WANT_TLS,       /* write the output, begin TLS, then tls_begun() */
	LOGIN_WANT_PEER,      /* note peer(), then peer_known() */
	LOGIN_WANT_HAND_OVER, /* it is known who is there: write the output, go on */
	LOGIN_WANT_CLOSE,     /* write the output and close */
};

enum login_kind { LOGIN_PASSWORD, LOGIN_APOP, LOGIN_SASL, LOGIN_SASL_STEP };

struct login_question {
	enum login_kind kind;
	struct str user;      /* PASSWORD, APOP */
	struct str proof;     /* password, digest, or the octets of a SASL response */
	bool has_proof;       /* of SASL: false where no initial response was sent */
	struct str challenge; /* APOP */
	struct str mechanism; /* SASL */
};

struct login_core {
	const char *service; /* "pop3": to authd, and of TLS */
	/* What a client is told that gets no further. */
	struct str busy, no_session, no_authd, too_slow;
	/* What SASL says last goes to the session, which says it: accepted() gets none. */
	bool last_word_later;

	/* The greeting is in the output. */
	struct login *(*new)(struct str hostname, struct str challenge,
			     const struct capa *capa);
	/* The same for a connection whose user has logged out and stays; NULL: there is none. */
	struct login *(*again)(const struct capa *capa);
	void (*free)(struct login **l);
	enum login_want (*want)(const struct login *l);
	size_t (*feed)(struct login *l, struct str in);
	struct str (*output)(const struct login *l);
	void (*written)(struct login *l);
	struct login_question (*question)(const struct login *l);
	void (*accepted)(struct login *l, struct str last_word);
	void (*challenge)(struct login *l, struct str octets);
	void (*refused)(struct login *l);
	void (*expired)(struct login *l);
	void (*try_again)(struct login *l);
	bool (*exchanging)(const struct login *l);
	void (*tls_begun)(struct login *l, const struct capa *capa);
	/* NULL, both: nobody may say for whom he speaks. */
	struct str (*peer)(const struct login *l);
	void (*peer_known)(struct login *l, bool understood, const struct capa *capa);

	/* The protocol's lines of the log. */
	void (*log_failure)(const struct conn *c, bool ours, const struct err *why);
	void (*log_no_session)(const char *sid, const char *account,
			       const struct err *why);
	void (*log_end)(const struct conn *c, const struct err *end);
};

#endif
