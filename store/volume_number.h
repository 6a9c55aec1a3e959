/* SPDX-License-Identifier: ISC */
/*
 * volume_number - which numbers volumes of this store have, or had
 *
 * A number is written into maildrop lines and never given again, whatever becomes of its
 * volume.  So there is a record for each, <root>/volumes/<number>; that there is one counts,
 * and not what is in it: it says for which path the number was made, to people.
 *
 * Tests: t/unit/store/store.c  t/unit/store/check_names.c
 */
#ifndef VOLUME_NUMBER_H
#define VOLUME_NUMBER_H

#include "store/storage.h"

/* A new one, durably. */
int volume_number_take(struct storage *root, const char *volume, uint64_t *number,
		       struct err *e);
/* Makes the record of one that a volume or a maildrop has, if it is missing. */
int volume_number_keep(struct storage *root, uint64_t number, const char *volume,
		       bool *existed, struct err *e);
/* -1 says what is wrong with the record: missing, damaged. */
int volume_number_check(struct storage *root, uint64_t number, struct err *e);
int volume_number_renew(struct storage *root, uint64_t number, const char *volume,
			struct err *e);

#endif
