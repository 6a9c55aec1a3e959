/* SPDX-License-Identifier: ISC */
/*
 * link - one non-blocking connection to a server that is measured, with TLS or without
 *
 *   CLOSED --link_open()--> OPENING --connected, TLS agreed--> OPEN --link_close()--> CLOSED
 *
 * Edge-triggered: it is registered with epoll once.  What is to be sent is put into `out`,
 * and may be followed by `body`, octets that are shared by all connections and never copied;
 * link_flush() sends as much as goes, and link_event() the rest.
 *
 * Owns:   descriptor, TLS, buffers; link_close() ends the former, link_fini() all.
 * Limits: LINK_IN_MAX octets that the conversation does not take wait for more; it has to
 *         take something of as many.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "lib/buf.h"

#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/socket.h>

enum { LINK_IN_MAX = 1 << 20, LINK_OUT_MAX = 1 << 20 };

enum link_state { LINK_CLOSED, LINK_OPENING, LINK_OPEN };

/* Where to, for all connections. */
struct link_to {
	struct sockaddr_storage address;
	socklen_t n;
	unsigned sources; /* 127.0.0.1 and the next ones, in turn: more ports */
	SSL_CTX *tls;     /* NULL: clear text */
};

/* Takes what it can of the octets that came, and returns how many; the rest comes again,
 * with more.  May put into out and body, and may close the link. */
struct link;
typedef size_t link_input_fn(struct link *l, struct str in);

struct link {
	enum link_state state;
	int fd;
	SSL *tls;
	struct buf in, out;
	struct str body; /* borrowed */
	link_input_fn *input;
	struct link_scratch *scratch; /* borrowed: one for each thread */
};

/* Where a thread reads into. */
struct link_scratch {
	int epoll;
	unsigned opened;
	char octets[1 << 17];
};

/* "127.0.0.1:110" or the path of a Unix socket; ends the program where it is neither. */
void link_to_parse(struct link_to *to, const char *address, bool tls);

void link_init(struct link *l, struct link_scratch *scratch, link_input_fn *input);
void link_fini(struct link *l);

/* These return NULL, or what failed: then the link is to be closed. */
const char *link_open(struct link *l, const struct link_to *to);
const char *link_flush(struct link *l);
const char *link_event(struct link *l, uint32_t events);
void link_close(struct link *l);

#endif
