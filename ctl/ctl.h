/* SPDX-License-Identifier: ISC */
/*
 * ctl - the management utility: popstore [-c FILE] VERB ...
 *
 * A verb is a file verb_<name>.c with one function and one row in the table of
 * verbs.c; the row says what the verb takes and needs, and from it come parsing,
 * usage lines and help.  A verb returns 0 or -1 and *e, like any function here;
 * what concerns one of several names is ctl_complain()ed about, and the exit
 * status tells of it in the end.
 *
 * Output goes to standard output, complaints and the progress bar to standard
 * error.  When root runs it on a store that belongs to another user, it works as
 * that user, so that the services can read what it made.
 *
 * Tests: t/box/test_ctl.py
 */
#ifndef CTL_H
#define CTL_H

#include "ctl/options.h"
#include "lib/progress.h"
#include "lib/settings.h"
#include "lib/str.h"

struct store;
struct ctl;

enum verb_needs { NEEDS_NOTHING, NEEDS_SETTINGS, NEEDS_STORE };

struct verb {
	const char *name;     /* one word or two: "domain add" */
	const char *operands; /* for the usage line: "NAME@DOMAIN" */
	size_t min, max;      /* operands */
	unsigned options;     /* OPT() bits */
	enum verb_needs needs;
	int (*run)(struct ctl *c, struct err *e);
	const char *help; /* one line */
};

struct ctl {
	const struct verb *verb;
	const char *file; /* the configuration */
	struct options options;
	struct settings *settings;
	struct store *store;
	bool json;  /* asked for before the verb */
	int from;   /* descriptor of --from, opened before any change of user */
	int status; /* sysexits.h, of the first complaint */
	struct progress progress; /* hidden before anything is printed beside it */
};

enum { OPERANDS_ANY = 1 << 20 };

/* The whole program but main(): returns the exit status. */
int ctl_run(int argc, char **argv);

bool ctl_has(const struct ctl *c, enum option x);
const char *ctl_value(const struct ctl *c, enum option x); /* NULL: not given */
struct str ctl_operand(const struct ctl *c, size_t i);

/* One sentence on standard error, "popstore: VERB: ...", and the exit status. */
void ctl_complain(struct ctl *c, const struct err *e);
int ctl_usage_error(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3); /* -1 */

/* "alice@example.org: added"; JSON: {"name": ..., "done": "added"} */
void ctl_done(struct ctl *c, struct str name, const char *done);

/* For a verb that needs the configuration only sometimes. */
int ctl_read_settings(struct ctl *c, struct err *e);

/* Asks on the terminal, in our own words; ERR_PERM when the answer is no or nobody is there to ask
 * and --yes was not given. */
int ctl_confirm(const struct ctl *c, const char *question, struct err *e);

/* ---- the table (verbs.c) ---------------------------------------------------------- */

/* Finds the verb that words[0] (and words[1]) name; *used says how many words. */
const struct verb *verb_find(char *const *words, size_t n, size_t *used);
size_t verb_count(void);
const struct verb *verb_at(size_t i);

int verb_add(struct ctl *c, struct err *e);
int verb_check(struct ctl *c, struct err *e);
int verb_delete(struct ctl *c, struct err *e);
int verb_domain_add(struct ctl *c, struct err *e);
int verb_domain_delete(struct ctl *c, struct err *e);
int verb_domain_list(struct ctl *c, struct err *e);
int verb_domain_modify(struct ctl *c, struct err *e);
int verb_forward(struct ctl *c, struct err *e);
int verb_help(struct ctl *c, struct err *e);
int verb_init(struct ctl *c, struct err *e);
int verb_list(struct ctl *c, struct err *e);
int verb_messages(struct ctl *c, struct err *e);
int verb_modify(struct ctl *c, struct err *e);
int verb_noforward(struct ctl *c, struct err *e);
int verb_passwd(struct ctl *c, struct err *e);
int verb_recover(struct ctl *c, struct err *e);
int verb_scrub(struct ctl *c, struct err *e);
int verb_settings(struct ctl *c, struct err *e);
int verb_show(struct ctl *c, struct err *e);
int verb_sieve_activate(struct ctl *c, struct err *e);
int verb_sieve_check(struct ctl *c, struct err *e);
int verb_sieve_deactivate(struct ctl *c, struct err *e);
int verb_sieve_delete(struct ctl *c, struct err *e);
int verb_sieve_get(struct ctl *c, struct err *e);
int verb_sieve_list(struct ctl *c, struct err *e);
int verb_sieve_put(struct ctl *c, struct err *e);
int verb_sieve_rename(struct ctl *c, struct err *e);
int verb_sieve_run(struct ctl *c, struct err *e);
int verb_sieve_test(struct ctl *c, struct err *e);
int verb_status(struct ctl *c, struct err *e);
int verb_verdict(struct ctl *c, struct err *e);

/* Usage and switches of one verb; all verbs. */
void help_verb(const struct verb *v);
void help_all(void);

#endif
