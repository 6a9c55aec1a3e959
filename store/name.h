/* SPDX-License-Identifier: ISC */
/*
 * name - canonical names of accounts and forwardings, and where they live
 *
 * "Alice@EXAMPLE.org" and "alice@example.org" are one name: ASCII letters are
 * folded, in both parts.  A local part may hold a-z, 0-9, the configured
 * name_charset and, if switched on, well-formed UTF-8 (as it comes: no
 * normalisation).  A name becomes a path only through name_place(), which hashes
 * it into two levels of directories and percent-encodes everything but
 * a-z 0-9 . _ - + = @ and octets from 0x80 up in the last component, a leading dot
 * included: no name can leave the tree or collide with another.
 *
 * A folder of an account (store/folder.h) has a name of the same kind, which nobody can type
 * or be sent mail by: "alice/lists@example.org", since no local part holds a slash.  What is
 * behind the slash is folded, too.  It lies in the same directory as its account.
 *
 * Limits: NAME_LOCAL_MAX octets before the @, NAME_DOMAIN_MAX behind it, and 255 in
 *         all once encoded, so that a file name can hold them.
 * Tests:  t/unit/store/name.c  t/fuzz/name.c
 */
#ifndef NAME_H
#define NAME_H

#include "lib/err.h"
#include "lib/settings.h"
#include "lib/str.h"
#include "mail/address.h"

enum {
	NAME_LOCAL_MAX = 64,   /* RFC 5321 s4.5.3.1.1 */
	NAME_DOMAIN_MAX = 190, /* with the local part and @, a file name: 255 octets */
	NAME_OCTETS = NAME_LOCAL_MAX + 1 + NAME_DOMAIN_MAX,
	PLACE_OCTETS = 320,
};

struct name {
	char s[NAME_OCTETS + 1]; /* "alice@example.org" */
};

struct place {
	char path[PLACE_OCTETS];
};

/* Folds and checks, the lengths too.  ERR_PERM 5.1.3 says what is wrong with it, and
 * *out is empty then. */
int name_of(const struct settings *set, struct str local, struct str domain,
	    struct name *out, struct err *e);
/* From "local@domain" as an operator types it. */
int name_parse(const struct settings *set, struct str s, struct name *out, struct err *e);
/* A domain: labels of letters, digits, hyphens, underscores and UTF-8; folded. */
int name_domain(struct str s, struct name *out, struct err *e);
/* A name or domain that stands in a file or was typed to look it up: folded, but not
 * held to name_charset, which may have been another when it was made.  False when
 * nothing in the store can have it. */
bool name_read(struct str s, struct name *out) MUST_USE;

struct str name_local(const struct name *n);     /* borrowed from n */
struct str name_domain_of(const struct name *n); /* borrowed from n */

/* ---- folders ---------------------------------------------------------------------- */

enum { NAME_FOLDER_MAX = 128 };

/* Why this can be no name of a folder ("it has a slash"); NULL: it can. */
const char *name_folder_wrong(struct str folder);
/* False, and *out is empty: it can be none, or not of this account. */
bool name_of_folder(const struct name *account, struct str folder,
		    struct name *out) MUST_USE;
bool name_is_folder(const struct name *n);
struct str name_folder(const struct name *n); /* borrowed from n; "" of an account */
/* That whose folder it is, or itself. */
struct name name_account(const struct name *n);

/* ---- places ------------------------------------------------------------------------- */

/* "<tree>/ab/cd/alice@example.org"; `leaf`, if not NULL, is appended as "/leaf". */
void name_place(const char *tree, const struct name *n, const char *leaf,
		struct place *out);
/* The name back from a last component; false when it is none of ours. */
bool name_from_component(struct str component, struct name *out);

#endif
