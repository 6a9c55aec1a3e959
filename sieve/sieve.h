/* SPDX-License-Identifier: ISC */
/*
 * sieve - compiles and evaluates mail filters (RFC 5228 and its extensions)
 *
 *   text --sieve_compile()--> script      immutable: any number of threads evaluate it
 *   script + message + envelope --sieve_run()--> actions
 *
 * Performs nothing and opens nothing: what a script wants is a list of actions, and what
 * it has to know beside the message it asks the host, a table of functions that the caller
 * gives.  Whoever performs the actions decides what a folder is, remembers whom vacation
 * has answered, and sends mail.
 *
 * A script that goes wrong never loses mail: whatever stops it, a limit included, the
 * result is an implicit keep and a failure that names the script and the line.
 *
 * doc/SIEVE.md says what of the language there is and what the limits are for.
 *
 * Tests: t/unit/sieve/sieve.c  t/box/test_sieve.py  t/fuzz/sieve_parse.c  t/fuzz/sieve_run.c
 */
#ifndef SIEVE_H
#define SIEVE_H

#include "lib/arena.h"
#include "lib/buf.h"

#include <stdint.h>

/* ---- what a site allows ------------------------------------------------------------ */

struct sieve_limits {
	/* of a script, when it is compiled */
	size_t script_octets;
	uint32_t nesting; /* of blocks, and of tests */
	uint32_t list_entries;
	uint32_t variables;
	/* of one evaluation */
	size_t variable_octets; /* a longer value is cut, between characters */
	size_t string_octets;   /* of a string with its variables filled in */
	uint32_t actions, redirects;
	uint32_t include_depth, includes;
	uint64_t steps; /* octets looked at, about */
	size_t memory;
};

/* How a scanner's field becomes a number (RFC 5235). */
struct sieve_scanner {
	const char *field;   /* NULL: there is none */
	const char *pattern; /* the first group is the value; NULL: all of it */
	/* One of: the value's number over `max`, its length over `max`, or the place of the
	 * value in `texts`, from 0 to 5 or 10. */
	enum { SCANNER_NUMBER, SCANNER_LENGTH, SCANNER_TEXT } kind;
	const char *max; /* "10", "5.0" */
	const char *texts[11];
};

struct sieve_site {
	struct sieve_limits limits;
	const char *const *off; /* names of extensions, ended by NULL; or NULL */
	const char *const *protected_fields; /* editheader lets them alone; the same */
	struct sieve_scanner spam, virus;
	uint32_t vacation_min_s, vacation_default_s, vacation_max_s;
	uint32_t duplicate_default_s, duplicate_max_s;
	bool testsuite;   /* "vnd.dovecot.testsuite" may be required */
	bool no_redirect; /* the host sends no mail */
};

/* All that the engine knows. */
extern const struct sieve_site sieve_site_default;
/* What is done where mail is delivered (doc/SIEVE.md): nothing that needs folders or other
 * files. */
extern const struct sieve_site sieve_site_delivery;

/* Names of all extensions that the site has on, parted by blanks: what ManageSieve says. */
void sieve_extensions(const struct sieve_site *site, struct buf *out);

/* ---- scripts ------------------------------------------------------------------------- */

enum { SIEVE_ERRORS = 100, SIEVE_ERROR_TEXT = 200 };

struct sieve_error {
	uint32_t line, column; /* from 1; columns are octets */
	char text[SIEVE_ERROR_TEXT];
};

/* As many as there are, up to SIEVE_ERRORS; they stand in the order they were found. */
struct sieve_errors {
	struct sieve_error *list;
	size_t n;
};

void sieve_errors_fini(struct sieve_errors *e);

struct sieve_script;

/* `name` is for messages.  NULL: *errors, which starts zeroed, says why.  Site has to
 * outlive the script. */
struct sieve_script *sieve_compile(struct str text, const char *name,
				   const struct sieve_site *site,
				   struct sieve_errors *errors);
void sieve_script_free(struct sieve_script **s);

/* What is no error, and most likely not what its writer means: an extension that is required for
 * nothing, commands that are never reached.  Borrowed. */
const struct sieve_errors *sieve_script_warnings(const struct sieve_script *s);

enum { SIEVE_HASH = 32 };

/* SHA-256 of a script's text: what a cache of compiled scripts goes by.  A digest that an
 * attacker can aim would give one user's script to another. */
void sieve_hash(struct str text, unsigned char hash[SIEVE_HASH]);
const unsigned char *sieve_script_hash(const struct sieve_script *s);
const char *sieve_script_name(const struct sieve_script *s);
/* Whether it asked for that one: what is dear to find out need not be for those that do not. */
bool sieve_script_uses(const struct sieve_script *s, const char *extension);

/* ---- what is filtered ------------------------------------------------------------------ */

/* A message, of which every part is found once for all recipients.  One thread at a time. */
struct sieve_message;

/* `octets` stay the caller's and have to outlive it.  `stored`: as the store keeps them
 * (dots doubled, CRLF.CRLF at the end).  `size`: RFC 1939 octets, or 0 to have them counted. */
struct sieve_message *sieve_message_new(struct str octets, bool stored, uint64_t size);
void sieve_message_free(struct sieve_message **m);

struct sieve_strings {
	const struct str *list;
	size_t n;
};

struct sieve_envelope {
	struct str from; /* "" is the null sender */
	struct str to;
	struct str auth;           /* who sent it, where SMTP AUTH said */
	struct str delimiter;      /* of a subaddress; "" is "+" */
	struct str owner;          /* the account's own address; "" is `to` */
	struct sieve_strings also; /* other addresses of the owner */
};

enum sieve_place { SIEVE_PERSONAL, SIEVE_GLOBAL };

/* Whatever is NULL answers "no".  Strings that a function appends to `out` are copied. */
struct sieve_host {
	void *ctx;
	int64_t now;    /* seconds since 1970 */
	int32_t zone_s; /* the site's time, east of Greenwich */
	/* NULL: there is none.  Has to stay until the evaluation ends. */
	const struct sieve_script *(*include)(void *ctx, enum sieve_place where,
					      struct str name);
	/* Whether `key` was remembered and has not expired.  What is to be remembered is in
	 * the result. */
	bool (*seen)(void *ctx, struct str key);
	bool (*folder_exists)(void *ctx, struct str folder);
	/* `folder` "": any of them. */
	bool (*special_use_exists)(void *ctx, struct str folder, struct str use);
	/* `folder` "": the server's. */
	bool (*metadata)(void *ctx, struct str folder, struct str name, struct buf *out);
	bool (*environment)(void *ctx, struct str item, struct buf *out);
	bool (*list_exists)(void *ctx, struct str list);
	bool (*list_has)(void *ctx, struct str list, struct str value);
};

struct sieve_input {
	struct sieve_message *message;
	struct sieve_envelope envelope;
	const struct sieve_host *host;
};

/* ---- what comes of it --------------------------------------------------------------------- */

enum sieve_action_kind {
	SIEVE_KEEP,
	SIEVE_FILEINTO,
	SIEVE_DISCARD,
	SIEVE_REDIRECT,
	SIEVE_REJECT,
	SIEVE_EREJECT,
	SIEVE_VACATION,
	SIEVE_NOTIFY,
};

/* Where a message goes: keep, fileinto, and the copy that :fcc asks for. */
struct sieve_filing {
	struct str folder; /* "" where there is none; keep: "INBOX" */
	struct sieve_strings flags;
	bool has_flags; /* the script named them, even if none */
	bool create;
	struct str special_use;
};

struct sieve_redirect {
	struct str address;     /* local@domain */
	struct str list;        /* where :list gave it, instead of an address */
	struct str notify, ret; /* redirect-dsn, as in RFC 3461; "" is not given */
	int64_t by_s;           /* redirect-deliverby: seconds from now; 0 is not given */
	char by_mode;           /* 'N' or 'R' */
	bool by_trace;
};

struct sieve_vacation {
	uint32_t seconds;  /* no second answer within */
	struct str handle; /* what is remembered with the sender, a digest */
	struct str to;     /* the sender */
	struct str from, subject, reason;
	bool mime;            /* the reason is a MIME part with its header */
	const char *withheld; /* why there is no answer; NULL: there is one */
};

struct sieve_notify {
	struct str method; /* the URI */
	struct str from, message;
	unsigned importance; /* 1 to 3 */
	struct sieve_strings options;
	/* of a mailto URI (RFC 5436), decoded; no line ends in them */
	struct sieve_strings to;
	struct str subject, body;
};

struct sieve_action {
	enum sieve_action_kind kind;
	bool implicit; /* keep: no command asked for it */
	bool copy;     /* fileinto, redirect: does not cancel the implicit keep */
	uint32_t line; /* where it was asked for, in the script of that name */
	const char *script;
	size_t edits; /* so many of the result's edits had been made */
	struct sieve_filing filing;
	struct sieve_redirect redirect;
	struct str reason; /* of reject and ereject */
	struct sieve_vacation vacation;
	struct sieve_notify notify;
};

/* What editheader did, in order. */
struct sieve_edit {
	enum { SIEVE_ADD_FIRST, SIEVE_ADD_LAST, SIEVE_DELETE } kind;
	struct str name, value; /* of an added field; no line ends in them */
	/* All of the field, with its line end: where it stands in the message; one that was
	 * added is known by its pointer, should it be deleted later. */
	struct str field;
};

/* To be remembered once the actions are done. */
struct sieve_track {
	struct str key;
	uint32_t seconds;
};

struct sieve_failure {
	const char *script;
	uint32_t line, column;
	char text[SIEVE_ERROR_TEXT];
};

struct sieve_result {
	struct arena arena; /* holds all below */
	struct sieve_action *actions;
	size_t n;
	struct sieve_edit *edits;
	size_t n_edits;
	struct sieve_track *tracks;
	size_t n_tracks;
	bool failed; /* nothing but the implicit keep is left then */
	struct sieve_failure failure;
	uint64_t steps;
};

/* Evaluates scripts in order: each one after the first runs only where those before it
 * kept the message (site, domain, user ...).  Never NULL; the result points into the
 * message and the scripts. */
struct sieve_result *sieve_run(const struct sieve_script *const *scripts, size_t n,
			       const struct sieve_input *in);
void sieve_result_free(struct sieve_result **r);

/* Appends the message with the first `edits` of the edits made, in the form it has. */
void sieve_edited(const struct sieve_message *m, const struct sieve_result *r,
		  size_t edits, struct buf *out);

/* One action a line, for people and tests. */
void sieve_print(const struct sieve_result *r, struct buf *out);
/* "fileinto", "keep" ...: the word of an action in scripts. */
const char *sieve_action_name(enum sieve_action_kind kind);

#endif
