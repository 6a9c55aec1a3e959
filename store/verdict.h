/* SPDX-License-Identifier: ISC */
/*
 * verdict - may this recipient get this message?
 *
 * The one function behind milter, policy daemon, socketmap, LMTP RCPT and
 * `popstore verdict`; t/box/test_verdict.py asserts that they answer alike.
 *
 *   verdict        SMTP     code   what it means to the MTA's daemons
 *   OK             250      2.1.5  DUNNO / continue / found
 *   FORWARD        250      2.1.5  the same; socketmap gives the targets
 *   NOT_OURS       550      5.1.2  no opinion: DUNNO / continue / NOTFOUND (LMTP refuses)
 *   BAD_ADDRESS    553      5.1.3  reject
 *   NO_USER        550      5.1.1  reject
 *   FORGED         550      5.7.1  reject: an SRS address that is not ours, or has expired
 *   NOT_RECEIVING  550      5.2.1  reject (DISMAIL, or the template `default`)
 *   OVER_QUOTA     452/552  x.2.2  defer, or reject where configured so
 *   TOO_LARGE      552      5.2.3  reject: it could never fit
 *   TRY_AGAIN      451      4.3.0  defer; the error says why: it cannot be told, or
 *                                  nothing takes mail now (store/standing.h)
 *
 * An SRS address of ours (store/sender.h) is a FORWARD to whom it stands for.
 *
 * Order: the exact name as account, then as forwarding, then without its detail
 * (cut at the first of the domain's delimiters) as account, as forwarding.
 * Quota rule: refused if use exceeds the quota already, or if
 * use + size exceeds quota + overdraft; size 0 = not known yet.
 *
 * Tests: t/unit/store/verdict.c  t/box/test_verdict.py
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "store/account.h"
#include "store/forwarding.h"

struct store;

enum verdict_code {
	VERDICT_OK,
	VERDICT_FORWARD,
	VERDICT_NOT_OURS,
	VERDICT_BAD_ADDRESS,
	VERDICT_NO_USER,
	VERDICT_NOT_RECEIVING,
	VERDICT_OVER_QUOTA,
	VERDICT_TOO_LARGE,
	VERDICT_TRY_AGAIN,
	VERDICT_FORGED,
};

struct verdict {
	enum verdict_code code;
	unsigned smtp;    /* 250, 452, 550 ... */
	const char *dsn;  /* "5.1.1"; static */
	const char *text; /* for the SMTP client; static, one line, no address in it */
	const char *word; /* "no-user": for logs and --json; static */
	struct account account; /* OK (and the refusals that found one): who it is */
	struct forwarding forwarding; /* FORWARD: verdict_fini() frees it */
	bool returns;     /* FORWARD: by an SRS address, to who sent something once */
	struct name name; /* the canonical name that was found or looked for */
	struct err why;   /* TRY_AGAIN: what failed, for the log */
};

/* `recipient` is what stood between < and > ("" and all).  Never fails: what
 * cannot be told is TRY_AGAIN. */
void verdict_of(struct store *s, struct str recipient, uint64_t size,
		struct verdict *out);
/* The same for the unquoted form that Postfix passes to policy servers. */
void verdict_of_plain(struct store *s, struct str recipient, uint64_t size,
		      struct verdict *out);
/* The same for an address that is parsed already. */
void verdict_of_address(struct store *s, const struct address *a, uint64_t size,
			struct verdict *out);
void verdict_fini(struct verdict *v);

/* Sets code, smtp, dsn, text and word of one row of the table. */
void verdict_set(struct store *s, enum verdict_code code, struct verdict *out);
bool verdict_accepts(const struct verdict *v); /* OK or FORWARD */

/* The quota rule alone: OK, OVER_QUOTA or TOO_LARGE. */
enum verdict_code verdict_quota(const struct account *a, uint64_t used, uint64_t size);

#endif
