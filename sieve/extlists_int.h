/* SPDX-License-Identifier: ISC */
/*
 * extlists - names of lists outside of a script (RFC 6134)
 *
 * Tests: t/sieve/extlists.svtest
 */
#ifndef EXTLISTS_INT_H
#define EXTLISTS_INT_H

#include "sieve/run_int.h"

/* The name that the host knows: ":addrbook:default" for all that section 2.5 calls its
 * equals, and ":" for the name space of Sieve. */
struct str extlists_name(struct run *r, struct str name);

#endif
