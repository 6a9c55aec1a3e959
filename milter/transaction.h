/* SPDX-License-Identifier: ISC */
/*
 * transaction - one message as the MTA tells it, and whether all who would get it refuse it
 *
 *   MAIL       transaction_begin()       forgets what was
 *   RCPT       transaction_recipient()   one that was not refused
 *   DATA       transaction_wants_text()  is there anything to be found out?
 *   the text   transaction_header(), transaction_body()
 *   its end    transaction_end()         asks the scripts
 *
 * The client has one answer for all recipients.  So it is refused only where the scripts of
 * every account that would get the message refuse it; one recipient who just gets it, is
 * elsewhere, or is mailed, decides at once, and then neither text nor scripts are looked at.
 * Otherwise the message is taken, and it is the delivery agent that refuses it for some.
 *
 * What stands for whom is as at the delivery (store/targets.h), and so is what the scripts
 * see, as far as it is known here: Return-Path and Received of the delivery agent are put on
 * top; the line that the MTA will write above the text is not known.  The body comes without
 * doubled dots, and lines of a field end in LF.
 *
 * Whatever goes wrong, takes too long or is too large lets the message pass
 * (TRANSACTION_UNFILTERED): the delivery agent filters it all the same.
 *
 * The text is kept in memory.  It is needed for a moment, since MTAs hand it over when they
 * have all of it; a file would be mail on the disk of a process that has no business with
 * any, and no place in its sandbox.
 *
 * Owns:    the text, the recipients.
 * Limits:  FILTER_OCTETS of a text, TRANSACTIONS_OCTETS in all transactions of the process;
 *          TRANSACTION_ACCOUNTS; the time of milter.filter_timeout.
 * Threads: struct transactions any; a struct transaction one.
 * Tests:   t/unit/milter/transaction.c  t/box/test_milter_filter.py
 */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "filter/filter.h"
#include "store/verdict.h"

enum {
	TRANSACTIONS_OCTETS = FILTER_AT_ONCE * FILTER_OCTETS,
	TRANSACTION_ACCOUNTS = 100, /* with more, the message passes */
};

/* Of a process; `filters` NULL: no message is filtered.  Both are borrowed. */
struct transactions;
struct transactions *transactions_new(struct store *s, struct filters *filters);
void transactions_free(struct transactions **all); /* no transaction is left */

struct transaction;
/* `exact`: the MTA hands over a field's value with the blanks before it. */
struct transaction *transaction_new(struct transactions *all, bool exact);
void transaction_free(struct transaction **t);

/* `sender`: what stood between < and >. */
void transaction_begin(struct transaction *t, struct str sender, uint64_t size);
void transaction_forget(struct transaction *t);
uint64_t transaction_size(const struct transaction *t); /* as announced */
/* `v` is what was said of `rcpt`, and may be anything. */
void transaction_recipient(struct transaction *t, struct str rcpt,
			   const struct verdict *v);

/* False: whatever comes, the message is taken. */
bool transaction_wants_text(const struct transaction *t);
void transaction_header(struct transaction *t, struct str name, struct str value);
void transaction_body(struct transaction *t, struct str octets);

enum transaction_end {
	TRANSACTION_TAKEN,
	TRANSACTION_REFUSED,
	TRANSACTION_UNFILTERED, /* taken, because of `why` */
};

/* As in struct filter_outcome. */
struct transaction_refusal {
	char text[FILTER_TEXT + 1];
	char script[FILTER_NAME + 1];
	uint32_t line;
};

struct transaction_outcome {
	struct err why;
	struct name account;               /* REFUSED: the first one, whose text it is */
	struct transaction_refusal filter; /* REFUSED: of that account */
};

/* At the end, or as soon as no more text is wanted. */
enum transaction_end transaction_end(struct transaction *t,
				     struct transaction_outcome *out);
struct str transaction_sender(const struct transaction *t);
size_t transaction_accounts(const struct transaction *t);

#endif
