/* SPDX-License-Identifier: ISC */
/*
 * harm - every way to damage every file of a store in memory
 *
 *   flip       one bit of one octet
 *   zero       one octet, or a block of them, becomes 0
 *   truncate   the file ends earlier
 *   swap       two files have each other's octets
 *   remove     the file is gone
 *
 * Owns: the list of files.  Ends: harm_list_free().
 */
#ifndef FAULT_HARM_H
#define FAULT_HARM_H

#include "lib/base.h"

#include <stddef.h>
#include <stdint.h>

/* What a file is, by its place (doc/STORE.md, section 1). */
enum harm_kind {
	HARM_MARK,
	HARM_NUMBER,
	HARM_DOMAIN,
	HARM_FORWARDING,
	HARM_SECRET,
	HARM_PROFILE,
	HARM_MAILDROP,
	HARM_WRITER,
	HARM_MESSAGE,
	HARM_NOTHING, /* leases, locks: what is in them says nothing */
	HARM_KINDS,
};

struct harm_file {
	enum harm_kind kind;
	const char *disk; /* "root" */
	char path[160];
	char whose
		[80]; /* of an account's file: its name; of another: its last component */
	size_t size;
	size_t body; /* of a message: where it begins */
};

struct harm_list {
	struct harm_file *v;
	size_t n, cap;
};

enum harm_way { HARM_FLIP, HARM_ZERO, HARM_TRUNCATE, HARM_SWAP, HARM_REMOVE, HARM_WAYS };

struct harm {
	enum harm_way way;
	const struct harm_file *file, *other; /* HARM_SWAP: with that one */
	size_t at, n; /* octets: FLIP and ZERO from `at` on, TRUNCATE to `at` */
	unsigned bit;
};

/* All files of the machine's disks. */
void harm_list(const char *const *disks, size_t n, struct harm_list *out);
void harm_list_free(struct harm_list *l);
const char *harm_kind_name(enum harm_kind kind);
const char *harm_way_name(enum harm_way way);

/* Does it, durably.  False: nothing is other than it was. */
bool harm_do(const struct harm *h);

#endif
