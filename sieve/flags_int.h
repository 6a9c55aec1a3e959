/* SPDX-License-Identifier: ISC */
/*
 * flags - IMAP flags as lists of strings (RFC 5232): each once, case ignored
 *
 * Limits: FLAGS_MAX of FLAG_OCTETS; more, and what is no flag, is left out.
 * Tests:  t/sieve/imap4flags.svtest
 */
#ifndef FLAGS_INT_H
#define FLAGS_INT_H

#include "sieve/run_int.h"

enum { FLAGS_MAX = 64, FLAG_OCTETS = 255 };

/* Those of :flags, or of the script; what keep and fileinto use. */
void flags_take(struct run *r, const struct node *n, struct sieve_filing *f);

/* The flags in these strings, each of which may name several, parted by blanks. */
struct sieve_strings flags_split(struct run *r, struct sieve_strings texts);
bool flags_have(struct sieve_strings flags, struct str flag);
struct sieve_strings flags_with(struct run *r, struct sieve_strings a,
				struct sieve_strings b);
struct sieve_strings flags_without(struct run *r, struct sieve_strings a,
				   struct sieve_strings b);
struct str flags_join(struct run *r, struct sieve_strings flags);

#endif
