/* SPDX-License-Identifier: ISC */
/*
 * auth - who is this?  Every service's side of the conversation with authd (doc/AUTH.md)
 *
 * A service hands over what its peer said and learns which account it is, or that nobody may
 * know why not: a wrong password, an unknown name and a disabled account are one answer.
 * It has no secrets and needs no files, only the channel "auth" (lib/handoff.h).
 *
 * Threads: any number, on one struct auth.  Each question has a connection to authd of its own
 *          while it is being asked; idle ones are kept and used again.  Who waits here for
 *          an answer has passed on (server_pass_on()).
 * Limits:  AUTH_WAIT_MS for an answer, or up to the peer's own end where that is nearer: one
 *          bound for all that it takes to get it.
 * Tests:   t/unit/auth/auth.c
 */
#ifndef AUTH_H
#define AUTH_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/ticket.h"

enum { AUTH_WAIT_MS = 60000, AUTH_NAME_MAX = 320, AUTH_DATA_MAX = 16384 };

struct auth;

/* `channel` is the giving end of "auth", and is closed by auth_free(). */
struct auth *auth_new(int owned_channel);
void auth_free(struct auth **a);

/* What the service knows of the connection; strings are borrowed. */
struct auth_peer {
	const char *service; /* "pop3", "sieve", "poppassd", "smtp" */
	const char *sid;     /* for authd's log */
	const char *client;  /* address alone: "192.0.2.7", "2001:db8::1", "unix" */
	const char *server;  /* as in `listen`: "192.0.2.1:110" */
	bool tls;
	bool loopback;
	uint64_t end_ms; /* of clock_ms(): no answer then is AUTH_TRY_AGAIN; 0: none */
	struct str exporter, end_point; /* channel bindings, empty where there are none */
	struct str certificate_subject, certificate_names; /* see tls_get_client() */
};

enum auth_result {
	AUTH_OK,
	AUTH_CHALLENGE, /* only auth_sasl_*(): say `data`, and come back with the reply */
	AUTH_REFUSED,   /* unknown, wrong, locked out or disabled: all the same outside */
	AUTH_EXPIRED,   /* proved, but the password has to be changed first */
	AUTH_REJECTED, /* only auth_change(): the new password is no good; `why` says it aloud */
	AUTH_TRY_AGAIN /* something failed, or there were too many attempts */
};

struct auth_answer {
	enum auth_result result;
	char account[AUTH_NAME_MAX];  /* AUTH_OK: canonical name@domain */
	uint64_t uid;                 /* of the account's incarnation */
	char ticket[TICKET_TEXT_MAX]; /* for the session process; "" = there is none */
	uint32_t wait_ms;             /* let so much time pass before the peer is told */
	struct buf data; /* AUTH_CHALLENGE, or AUTH_OK's last word (may be empty) */
	char why[240];   /* for the log, never for the peer (but AUTH_REJECTED) */
};
void auth_answer_init(struct auth_answer *a);
void auth_answer_fini(struct auth_answer *a);

/* What this peer may use now. */
struct auth_offer {
	bool password; /* USER and PASS, PLAIN, LOGIN ... */
	bool apop;
	char mechanisms[512]; /* "PLAIN SCRAM-SHA-256", for SASL */
	/* It is the same for all clients; so it is remembered here, until a conversation
	 * with that authd ends by itself. */
	bool any_client;
};
/* Waits for the answer, if it is not remembered. */
int auth_ask_offer(struct auth *a, const struct auth_peer *p, struct auth_offer *out,
		   struct err *e) MUST_USE;

/*
 * A question that is asked, and its answer is yet to come.  Who has something else to do
 * waits for auth_call_fd() to be readable, or for AUTH_WAIT_MS, and tries auth_answered();
 * who has not calls auth_wait().  Both fill `out` and free the call; it is always
 * answered in the end, with AUTH_TRY_AGAIN also when authd is away.
 */
struct auth_call;
int auth_call_fd(const struct auth_call *c); /* another one after a try */
/* An exchange of SASL, as long as the answer is AUTH_CHALLENGE; else *x becomes NULL. */
struct auth_exchange;
/* False: there is no answer yet.  `x` is for questions of SASL; else it may be NULL. */
bool auth_answered(struct auth_call **c, struct auth_exchange **x,
		   struct auth_answer *out) MUST_USE;
void auth_wait(struct auth_call **c, struct auth_exchange **x, struct auth_answer *out);
void auth_abandon(struct auth_call **c); /* nobody wants to know any more */

/* `user` as typed. */
struct auth_call *auth_password(struct auth *a, const struct auth_peer *p,
				struct str user, struct str password);
/* RFC 1939 s7; `challenge` with its brackets, as greeted. */
struct auth_call *auth_apop(struct auth *a, const struct auth_peer *p, struct str user,
			    struct str challenge, struct str digest);
struct auth_call *auth_change(struct auth *a, const struct auth_peer *p, struct str user,
			      struct str old, struct str new_password);
/* `initial` is NULL where the client sent none. */
struct auth_call *auth_sasl_begin(struct auth *a, const struct auth_peer *p,
				  struct str mechanism, const struct str *initial);
/* *x becomes NULL until the answer is there. */
struct auth_call *auth_sasl_step(struct auth_exchange **x, struct str response);
void auth_sasl_abort(struct auth_exchange **x);

#endif
