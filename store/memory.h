/* SPDX-License-Identifier: ISC */
/*
 * memory - what an account's filters have to remember from one message to the next
 *
 *   accounts/ab/cd/<name@domain>/memory     doc/STORE.md, section 21
 *
 * Whom vacation has answered, which messages `duplicate` has seen, what was sent on of a
 * message that the MTA may send again.  Each is a key, a digest of what it is about, and a
 * time at which it is forgotten.  The file is replaced as a whole, durably, under a lock of
 * its own; what is in it is of one incarnation of the account.
 *
 * Nothing here is mail: losing it means a second answer to somebody.
 *
 * Limits:  MEMORY_ENTRIES of an account; with one more, that which ends first is forgotten.
 * Threads: any.
 * Tests:   t/unit/store/memory.c
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "store/account.h"

struct store;

enum { MEMORY_ENTRIES = 1000, MEMORY_DIGITS = 32 };

struct memory_key {
	char hex[MEMORY_DIGITS + 1];
};

/* Of what it is for ("vacation") and of n parts, each as it stands. */
struct memory_key memory_key(const char *kind, const struct str *parts, size_t n);

int memory_has(struct store *s, const struct account *a, const struct memory_key *key,
	       bool *has, struct err *e) MUST_USE;

struct memory_entry {
	struct memory_key key;
	uint64_t until_ms;
};

/* Remembers them, or anew.  With `taken`, which goes with one entry, only if that is not
 * remembered yet: of any number who try at once, one is told that it took it.  ERR_PERM where
 * the account is gone. */
int memory_put(struct store *s, const struct account *a, const struct memory_entry *v,
	       size_t n, bool *taken, struct err *e) MUST_USE;
/* Gone already is success. */
int memory_forget(struct store *s, const struct account *a, const struct memory_key *key,
		  struct err *e) MUST_USE;

/* For check: -1 where it is damaged, or cannot be read now. */
int memory_check(struct store *s, const struct account *a, struct err *e) MUST_USE;
/* Takes away one that is damaged, under its lock; *removed: it was. */
int memory_mend(struct store *s, const struct account *a, bool *removed,
		struct err *e) MUST_USE;

#endif
