/* SPDX-License-Identifier: ISC */
/*
 * script - the filter scripts of an account, and which of them is active
 *
 *   accounts/ab/cd/<name@domain>/sieve/<id>     doc/STORE.md, section 19
 *
 * The store takes a script for text: whoever puts one has compiled it (sieve/sieve.h).  Its
 * name is the user's own, any UTF-8, and is never a path: a script is filed under a digest of
 * its name, and says the name itself.  It says whose it is, too, so that one that was copied
 * to another account is in force for nobody.
 *
 * The profile names the active one, so that who delivers to an account without a script
 * looks for nothing.  What changes scripts waits for the lock of names (store/tree.h), is
 * durable when it returns, and replaces as a whole: a delivery meets the old text or the new
 * one.
 *
 * Limits: SCRIPT_NAME_MAX octets of name; sieve.max_script_size octets of text;
 *         sieve.max_scripts of them.
 * Tests:  t/unit/store/script.c  t/box/test_scripts.py
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "store/account.h"

struct store;

enum { SCRIPT_NAME_MAX = 512 }; /* RFC 5804 s1.6 */

/* What err.dsn says of an ERR_PERM. */
#define SCRIPT_TOO_LARGE "5.3.4"
#define SCRIPT_TOO_MANY  "5.2.2" /* one more than there may be */
#define SCRIPT_BAD_NAME  "5.5.4"
#define SCRIPT_NONE      "5.5.0" /* of that name */
#define SCRIPT_IS_ACTIVE "5.5.1"
#define SCRIPT_IS_THERE  "5.5.2" /* one of the new name */

struct script {
	char name[SCRIPT_NAME_MAX + 1];
	uint64_t octets; /* of its text */
	uint64_t set_ms; /* when it was put there */
	bool active;
};

/* ERR_PERM says what is wrong with a name (RFC 5804 s1.6). */
int script_check_name(struct str name, struct err *e) MUST_USE;

/* A new one, or a new text of one that is there.  ERR_PERM, beside the above, 5.1.1 where the
 * account is gone, and for the template of a domain. */
int script_put(struct store *s, const struct account *a, struct str name, struct str text,
	       struct err *e) MUST_USE;
/* Whether a text of so many octets could be put now; -1 as script_put(). */
int script_fits(struct store *s, const struct account *a, struct str name,
		uint64_t octets, struct err *e) MUST_USE;
/* Appends the text to `out`, born for SCRIPT_TEXT_MAX; !found: there is none of that name. */
int script_get(struct store *s, const struct account *a, struct str name, struct buf *out,
	       bool *found, struct err *e) MUST_USE;
/* The active one of `a` as it was read, and its name; where that one was renamed or deleted
 * meanwhile, the one that is active now.  !found: it has none.  ERR_TEMP where the profile names
 * one that is not there, or is damaged. */
int script_active(struct store *s, const struct account *a, struct script *script,
		  struct buf *text, bool *found, struct err *e) MUST_USE;
/* ERR_PERM where there is none of that name; "": none is active afterwards. */
int script_activate(struct store *s, const struct account *a, struct str name,
		    struct err *e) MUST_USE;
/* ERR_PERM where there is none of that name, and for the active one (RFC 5804 s2.10). */
int script_delete(struct store *s, const struct account *a, struct str name,
		  struct err *e) MUST_USE;
/* The active one stays active.  What a crash cuts short is both names with the same text, of
 * which the active one was or is one; done again, it is ended.  ERR_PERM as above. */
int script_rename(struct store *s, const struct account *a, struct str from,
		  struct str to, struct err *e) MUST_USE;
/* All of them, by name.  One that is damaged is told to `bad` instead. */
int script_each(struct store *s, const struct account *a,
		void (*each)(const struct script *script, void *ctx),
		void (*bad)(const struct err *why, void *ctx), void *ctx,
		struct err *e) MUST_USE;

enum { SCRIPT_TEXT_MAX = 1 << 20 };

/* ---- for the rest of the store ------------------------------------------------------- */

/* 32 hex digits in lower case: what a script is filed under. */
bool script_is_id(struct str s);
/* The incarnation that the scripts in a directory are of, as the first whole one says; 0:
 * nothing tells.  *any: there is something. */
int script_uid(struct store *s, const struct name *name, uint64_t *uid, bool *any,
	       struct err *e) MUST_USE;
/* Under tree_lock(), of an account that is deleted: removes all, durably. */
int script_remove_all(struct store *s, const struct name *name, struct err *e) MUST_USE;
/* For check: each entry, with what is wrong with it (class ERR_NONE: nothing).  With `repair`
 * one octet that was changed is put back, and *mended is true. */
int script_check_each(struct store *s, const struct account *a, bool repair,
		      void (*each)(const char *path, const struct err *why, bool mended,
				   void *ctx),
		      void *ctx, struct err *e) MUST_USE;

#endif
