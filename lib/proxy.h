/* SPDX-License-Identifier: ISC */
/*
 * proxy - who the client is, as told by a proxy that we trust
 *
 * Two ways.  The PROXY protocol (HAProxy's proxy-protocol.txt, versions 1 and 2) is a header
 * before the first octet of a connection, in clear text even where TLS follows.  XCLIENT
 * (Postfix's XCLIENT_README) is a command.  Both are for connections from networks of the
 * configuration only: from these the header must come, from others it is bad input.
 *
 * Then conn.peer is the client that was told.  conn.loopback stays only when both the proxy
 * and the client are on this machine: plain text came over a wire otherwise.  A proxy that
 * speaks for itself (LOCAL, UNKNOWN), or for what is no TCP client, leaves the connection as
 * it is.
 *
 * proxy_feed() and proxy_xclient() are parsers without I/O.
 *
 * Owns:   nothing; a struct proxy is plain memory.
 * Limits: PROXY_HEADER_MAX octets of header; its extensions (TLV) are read and forgotten.
 * Tests:  t/unit/lib/proxy.c  t/fuzz/proxy.c  t/box/test_proxy.py
 */
#ifndef PROXY_H
#define PROXY_H

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/network.h"

struct conn;

enum { PROXY_HEADER_MAX = 2048, PROXY_WAIT_MS = 10000 };

/* Who it is; what was not told, or is not known to the proxy, is empty. */
struct proxy_client {
	bool known; /* the address is */
	struct network_address address;
	uint16_t port; /* 0 = not known */
};

/* ---- the PROXY protocol ------------------------------------------------------------- */

enum proxy_result {
	PROXY_MORE,
	PROXY_DONE, /* `client` is there */
	PROXY_BAD,  /* this is no header */
};

struct proxy {
	struct proxy_client client;
	size_t n, total; /* octets; 0: not known yet how many */
	char header[PROXY_HEADER_MAX];
};

void proxy_init(struct proxy *p);
/* Returns how many octets it used: none of what follows the header. */
size_t proxy_feed(struct proxy *p, struct str in, enum proxy_result *r);

/*
 * conn_read_proxy - before anything else is read or written, TLS included
 *
 * Does nothing when the peer is in none of these networks.  -1 (ERR_PEER): there was no
 * good header in PROXY_WAIT_MS; nothing should be said to this peer.
 */
int conn_read_proxy(struct conn *c, const struct conf_list *networks,
		    struct err *e) MUST_USE;

/* ---- XCLIENT ------------------------------------------------------------------------- */

struct proxy_xclient {
	struct proxy_client client;
	struct str helo, login; /* in xtext (RFC 3461 s4), borrowed from the arguments */
};

/* The attributes: "ADDR=192.0.2.7 PORT=1234 HELO=a.example".  False when one has no value, or a
 * bad one; then *out is of no use.  What nobody here knows is passed over. */
bool proxy_xclient(struct str args, struct proxy_xclient *out) MUST_USE;
/* From xtext; false when it is none, or more than out->max. */
bool proxy_xtext(struct str s, struct buf *out) MUST_USE;

/* The connection is this client's from now on, as far as it is known. */
void conn_set_client(struct conn *c, const struct proxy_client *client);

#endif
