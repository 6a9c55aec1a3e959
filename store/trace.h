/* SPDX-License-Identifier: ISC */
/*
 * trace - the header lines that a delivery adds (RFC 5321 s4.4)
 *
 * One copy serves all recipients, so what stands on top of it is the same for all
 * of them: Return-Path, and a Received field without a `for` clause.  What is one
 * recipient's own, Delivered-To, is kept beside the copy.  All in stored form.
 *
 * Values come from a client.  Whatever was checked before, a control octet in one
 * is written as a question mark here: no value can end its line.
 *
 * Tests: t/unit/store/trace.c
 */
#ifndef TRACE_H
#define TRACE_H

#include "lib/buf.h"
#include "lib/str.h"

/* "Return-Path: <sender>" */
void trace_return_path(struct str sender, struct buf *out);

struct trace_hop {
	struct str from; /* what LHLO said */
	struct str peer; /* who it was: address and port, or unix:uid */
	struct str by;   /* our host */
	bool utf8;       /* "with UTF8LMTP" (RFC 6531 s4.3) */
	bool tls;        /* "with LMTPS" (RFC 3848), "with UTF8LMTPS" */
	uint64_t id;
	uint64_t unix_ms;
};

/* "Received: from ... by ... with LMTP id ...; date", in three lines */
void trace_received(const struct trace_hop *hop, struct buf *out);

/* "Delivered-To: address" */
void trace_delivered_to(struct str address, struct buf *out);

#endif
