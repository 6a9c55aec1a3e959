/* SPDX-License-Identifier: ISC */
/*
 * storage_int - what the files of the posix engine share
 */
#ifndef STORAGE_INT_H
#define STORAGE_INT_H

#include "store/storage.h"

#include <stdatomic.h>

struct storage {
	int dir;
	char *name;
	char mount[64];
	atomic_bool failed;
};

/* Fills st->mount, see storage_mount_identity(). */
void storage_posix_mount(struct storage *st);

#endif
