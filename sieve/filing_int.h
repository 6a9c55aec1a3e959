/* SPDX-License-Identifier: ISC */
/*
 * filing - where a message is put, for keep, fileinto and :fcc
 *
 * Tests: t/sieve/fileinto.svtest
 */
#ifndef FILING_INT_H
#define FILING_INT_H

#include "sieve/run_int.h"

enum { FOLDER_OCTETS = 255, FOLDER_LEVELS = 16 };

/* What the node's tags say, flags above all; false: the run has failed. */
bool filing_take(struct run *r, const struct node *n, struct sieve_filing *f);
/* An action of that kind; one for the same folder takes its place in the list. */
enum flow filing_add(struct run *r, enum sieve_action_kind kind,
		     const struct sieve_filing *f, bool copy);

/* Can a folder have that name?  Not "../x", nor "/etc/x", nor with a control octet. */
bool filing_is_folder(struct str s);

#endif
