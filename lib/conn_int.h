/* SPDX-License-Identifier: ISC */
/*
 * conn_int - what lib/conn.c and lib/conn_tls.c share: the clocks, and how a connection ends
 */
#ifndef CONN_INT_H
#define CONN_INT_H

#include "lib/conn.h"

/* A write in progress; the clock is asked only when one call did not do it. */
struct conn_progress {
	uint64_t left, end_ms;
};

/* Counts what went out; false when the peer takes it too slowly. */
bool conn_advance(const struct conn *c, struct conn_progress *p, uint64_t n);

/*
 * For lib/crew.c, before a step.  `announced`: another step follows whatever arrives after
 * the event that led to this one, the end included; so when a read brings less than it asked
 * for, the next one need not ask the kernel.
 */
void conn_wake(struct conn *c, bool announced);
/* Between two steps: gives back what an idle connection does not need. */
void conn_rest(struct conn *c);
/* Until when the one that rests may wait; from then on conn_input_now() says why not. */
uint64_t conn_rest_until(const struct conn *c);
/* It has rested for so long. */
bool conn_is_overdue(const struct conn *c);

/* Room for c->piece octets. */
void conn_need_input(struct conn *c);

/* How long the peer may be silent now; 0 when the deadline is past. */
uint32_t conn_patience(const struct conn *c);
bool conn_is_late(const struct conn *c); /* the deadline is past */
/* Told to stop, and not in the middle of something. */
bool conn_must_end(const struct conn *c);

/* All return -1. */
int conn_timed_out(struct err *e);
int conn_ended(const struct conn *c, struct err *e);   /* the peer has closed */
int conn_peer_failed(struct err *e, const char *what); /* by errno */
int conn_file_short(uint64_t left, struct err *e);

/* What conn.c does when c->tls is there; conn_tls_close() in any case. */
int conn_tls_fill(struct conn *c, bool wait, struct err *e) MUST_USE;
int conn_tls_write(struct conn *c, struct str out, bool more, struct err *e) MUST_USE;
int conn_tls_sendfile(struct conn *c, int fd, off_t offset, uint64_t n,
		      struct err *e) MUST_USE;
void conn_tls_close(struct conn *c);

#endif
