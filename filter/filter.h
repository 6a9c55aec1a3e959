/* SPDX-License-Identifier: ISC */
/*
 * filter - what the scripts of the site and of an account make of a message
 *
 *   struct filters  of a process: the site's scripts, compiled at its start, before it gives
 *                   up its files; what was compiled of accounts' scripts (filter_cache.h)
 *   struct filter   of one message: parsed once, for all who get it
 *
 * For each recipient everything is made from nothing: an account's result depends on its
 * scripts, the message, the envelope and the clock, and not on who else gets it.  The order
 * is: the site's scripts before, the account's active one (or the site's default where it has
 * none), the site's scripts after; each runs only where those before it kept the message.
 *
 * A folder that can be none (store/name.h) is no failure of the rest: the message is kept as
 * well, and the outcome says why.  "INBOX" is the account's own maildrop.
 *
 * A script never loses mail.  What has errors, is damaged or lost, or goes wrong when it runs
 * (a limit is reached) keeps the message, and the outcome says why, for one line in the log.
 * Only what cannot be read just now (the disk, a lack of memory for files) is put off: 451.
 *
 * An account's own script is left out while the account's budget is used up (budget.h): that
 * is a failure like the others.
 *
 * Nothing is done here.  What is to be done beside keeping the message or not is a list of
 * actions in the outcome, for channel/perform.h, or for nobody: a filter that is run only to
 * see what it would say leaves no trace.
 *
 * A redirect of a message that was sent on for this account before, or that failed DMARC
 * (mail/onward.h), is not in the list, and the message is kept, or filed where it is filed as well.
 *
 * A script in the settings that has errors ends the start: that is the operator's.
 *
 * Nothing is performed and nothing is written: the milter asks before the message is taken
 * (milter/transaction.h), and the delivery agent asks again and does what comes of it.
 *
 * Limits:  FILTER_OCTETS of a message are looked at; its header always, up to that.  sieve's own
 *          limits for an evaluation; a time for all of a message's recipients, at delivery
 *          FILTER_MS, after which those who have not been judged are put off; FILTER_AT_ONCE
 *          messages in a process.
 * Threads: struct filters any; a struct filter one.
 * Tests:   t/unit/filter/filter.c  t/box/test_filter.py
 */
#ifndef FILTER_H
#define FILTER_H

#include "sieve/sieve.h"
#include "store/account.h"

struct store;
struct filters;
struct filter;

enum {
	FILTER_OCTETS = 8 << 20,
	FILTER_MS = 60 * 1000,
	FILTER_AT_ONCE = 8,
	FILTER_TEXT = 400,  /* of a reply */
	FILTER_NAME = 1024, /* of a script */
};

/* Reads and compiles the site's scripts; ERR_PERM 5.3.5 names file, line and column. */
int filters_open(struct store *s, struct filters **out, struct err *e);
void filters_close(struct filters **fs);
/* False: nothing of it is for this account, and nothing was looked for. */
bool filters_want(const struct filters *fs, const struct account *a);

struct filter_message {
	struct str text; /* in stored form; borrowed until filter_end() */
	uint64_t size;   /* as RFC 1939 counts it, all of it */
	struct str sender;
	bool plain; /* `text` is not in stored form: no dot is doubled, none ends it */
};

/* Waits for its turn, `ms` at most, which is also the time for all recipients, with the wait.
 * NULL, and *why (ERR_TEMP): it did not come in time. */
struct filter *filter_begin(struct filters *fs, uint32_t ms, struct err *why);
void filter_set_message(struct filter *f, const struct filter_message *m);
void filter_end(struct filter **f);

/* FILTER_FILE: in folders, and not in the account's own maildrop. */
enum filter_answer {
	FILTER_KEEP,
	FILTER_FILE,
	FILTER_DISCARD,
	FILTER_REJECT,
	FILTER_LATER,
	FILTER_SENT_ON, /* it is for others alone: there is a redirect in the list */
	FILTER_SETTLED, /* an earlier attempt did all; said by the delivery agent alone */
};

struct filter_folder {
	char name[NAME_FOLDER_MAX + 1]; /* as the script has it; it can be one */
	uint32_t line;                  /* of the script that named it: */
	char script[FILTER_NAME + 1];
};

struct filter_outcome {
	enum filter_answer answer;
	/* FILTER_FILE, and FILTER_KEEP that is not all of it; owned.  Whether there can be one
	 * more, folder_make() knows: where not, the message is to be kept. */
	struct filter_folder *folders;
	size_t n_folders;
	char text[FILTER_TEXT + 1]; /* FILTER_REJECT: one line of ASCII, not empty */
	struct err why;             /* FILTER_LATER */
	/* FILTER_DISCARD, FILTER_REJECT, FILTER_SENT_ON: which script, and its line. */
	char script[FILTER_NAME + 1];
	uint32_t line;
	/* A script went wrong, and keeps the message for its part. */
	bool failed;
	char failed_in[FILTER_NAME + 1];
	uint32_t failed_at; /* its line; 0: none of its lines */
	char failure[240];

	/* To be done: redirect, vacation, notify.  All texts are the outcome's own. */
	struct arena arena;
	struct sieve_action *todo;
	size_t n_todo;
	struct sieve_track *tracks; /* to be remembered when the rest is done */
	size_t n_tracks;
	const char
		*held; /* why redirects are not in the list: "loop", "dmarc"; or NULL */
	struct str message_id, references; /* of the message, for an answer */
};

/* `rcpt` is what stood in RCPT.  Performs nothing: folders are looked for, and not made.  To be
 * ended by filter_outcome_fini(). */
void filter_run(struct filter *f, const struct account *a, struct str rcpt,
		struct filter_outcome *out);
void filter_outcome_fini(struct filter_outcome *out);

#endif
