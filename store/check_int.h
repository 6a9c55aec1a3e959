/* SPDX-License-Identifier: ISC */
/*
 * check_int - what the parts of check share
 */
#ifndef CHECK_INT_H
#define CHECK_INT_H

#include "store/account.h"
#include "store/check.h"
#include "store/idmap.h"
#include "store/message.h"
#include "store/round.h"
#include "store/seen.h"

struct check_damage;

/* The damaged messages of a run: mended or named when all have been seen, since that
 * takes a look at every maildrop.  Beyond CHECK_DAMAGE_MAX of them it takes another run. */
enum { CHECK_DAMAGE_MAX = 1000 };
struct check_damages {
	struct check_damage *v;
	size_t n, cap;
	struct idmap first; /* of an id: its place in v, and 1 */
	uint64_t octets;    /* of claims, bounded */
	bool unknown;       /* a maildrop could not be read: there may be more claims */
	bool closed;        /* what is found now is named at once */
};

struct check {
	struct store *s;
	const struct check_options *o;
	struct check_result *result;
	struct seen seen; /* in a maildrop, and its slot holds */
	struct round round;
	struct idmap tried;  /* names whose profile could not be made again */
	unsigned unrecorded; /* the last volume that check_away() named */
	bool misplaced;      /* a message may lie where nobody looks for it */
	struct check_damages damages;
};

/* One run tries no more profiles than that; the next one goes on. */
enum { CHECK_TRIED_MAX = 1 << 16 };

/* A part of the run.  What takes long goes through round_names() or round_messages(), so
 * that it can be stopped inside; other phases are done again when they are resumed. */
struct check_phase {
	const char *name; /* as in the record: "accounts" */
	int (*run)(struct check *c, struct err *e);
};
/* Those that are to be run, in order. */
int check_phases(struct check *c, const struct check_phase *p, size_t n, struct err *e);

/* Counts and reports one finding. */
void check_report(struct check *c, const char *invariant, bool repaired, const char *fmt,
		  ...) PRINTF_LIKE(4, 5);

/* Marks of the root and of the volumes, and the records of their numbers. */
int check_marks(struct check *c, struct err *e);
/* A maildrop names a volume that is not in the configuration: its number is taken. */
void check_away(struct check *c, unsigned number);

/* Records of writers.  Before the messages: what recovery brings home is no finding. */
int check_writers(struct check *c, struct err *e);
/* Every record in a tree: whole, and at the place of its name. */
enum check_tree { CHECK_DOMAINS, CHECK_FORWARDINGS, CHECK_SECRETS, CHECK_SITE_KEY };
int check_records(struct check *c, enum check_tree tree, struct err *e);
/* Of secrets: is it whole; would it be that of the account that is there now; is it one of
 * a batch (account_create()) that was named and never written.  One beside a maildrop was
 * emptied otherwise, and is damage. */
int check_secret(struct str text, const struct name *name, const char *what,
		 struct err *e);
int check_site_key(struct str text, const struct name *name, const char *what,
		   struct err *e);
bool check_secret_may_be(struct store *s, struct str text, const struct name *name);
bool check_secret_is_remnant(struct store *s, struct str text, const struct name *name);
/* For a directory that cannot be read, where an earlier walk has named it. */
void check_said(const struct err *why, void *ctx);
/* Domains, forwardings and secrets. */
int check_names(struct check *c, struct err *e);
/* Every account: its place, its domain, its maildrop, and the messages in it. */
int check_accounts(struct check *c, struct err *e);
/* The session that removed it may have let go since we looked; after a look at the account or
 * its maildrop, and only then, there is no doubt. */
bool check_still_holds(struct check *c, unsigned volume, uint64_t id, uint64_t uid);
/* A slot holds for an account that account_find() does not know by this uid.  *again: it was
 * made again, as *a, and its maildrop lacks the message. */
int check_unowned(struct check *c, unsigned volume, const struct message_info *mi,
		  const struct message_slot *slot, struct account *a, bool *again,
		  struct err *e);
/* Makes the profile again, under `repair`, with the uid that a slot has, or 0; true if it is
 * whole now.  Says what became of it; `what` is what was wrong. */
bool check_mend_profile(struct check *c, const struct name *name, uint64_t uid,
			const char *invariant, const char *what, struct account *out);
/* Scripts of an account: whole, its own, each in its place, and the active one is there. */
int check_scripts(struct check *c, const struct account *a, struct err *e);
/* What its filters remember: whole. */
void check_memory(struct check *c, const struct account *a);
/* Files in messages/ that are not where they belong, and whole ones in damaged/: brought to
 * their places.  Before the accounts are looked at, so that nobody forgets a message that
 * was only in the wrong place. */
int check_places(struct check *c, struct err *e);
/* A file is a message, to the last octet of its body; *id, or *e says why not. */
bool check_is_whole(struct check *c, unsigned volume, const char *path, uint64_t *id,
		    struct err *e);
/* Every message file: whole, wanted, and mentioned by those it holds for. */
int check_messages(struct check *c, struct err *e);
/* One of them. */
int check_message(struct check *c, unsigned volume, uint64_t id, struct err *e);
/* The damaged ones that these found: mended, or named with those whose they are.  Also when
 * the run was stopped: nobody has been told of them yet. */
int check_mend(struct check *c, struct err *e);
/* What check_mend() is to see; `path` is within the volume, `aside` in damaged/. */
void check_damaged(struct check *c, unsigned volume, uint64_t id, const char *path,
		   bool aside, const struct err *why);
void check_damages_fini(struct check *c);
/* Its writer's checkpoint has passed it, so whoever should mention it does. */
bool check_is_settled(const struct check *c, uint64_t id);

#endif
