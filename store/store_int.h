/* SPDX-License-Identifier: ISC */
/*
 * store_int - what the modules of the store know of an open store
 */
#ifndef STORE_INT_H
#define STORE_INT_H

#include "store/known.h"
#include "store/storage.h"
#include "store/store.h"
#include "store/writer.h"

#include <pthread.h>
#include <stdatomic.h>

/* What was seen of a storage lately (standing.c). */
struct look {
	_Atomic uint64_t at_ms;   /* 0: never */
	_Atomic uint64_t room;    /* octets; 0: none, or no mail at all */
	atomic_int standing;      /* enum standing */
	_Atomic uint64_t away_ms; /* when it refused a message last */
	atomic_bool told;         /* that it stopped */
};

struct volume {
	unsigned number;
	bool writable; /* configured for new messages; the root may be read only */
	struct storage *storage;
	struct look look;
};

struct store {
	const struct settings *set;
	uint64_t id;
	struct storage *root;
	struct look root_look;
	struct volume *volumes;
	size_t n_volumes;
	atomic_uint next_volume;
	struct known *known;    /* domains */
	struct known *profiles; /* accounts */
	struct srs *srs;        /* NULL before the first use (sender.h) */
	pthread_mutex_t mutex;  /* guards making `writer` */
	struct writer *writer;  /* NULL until the first id is needed */
};

/* The volume of a number, or NULL. */
struct volume *store_volume(struct store *s, unsigned number);
/* Every volume that this store ever had is in the configuration, so that nothing can
 * come back with one that is away. */
int store_is_whole(struct store *s, bool *whole, struct err *e);
/* Makes what was done to message files durable, on every volume. */
int store_sync_volumes(struct store *s, struct err *e);
/* Removes what was being written when its maker died, everywhere; not what is an hour
 * old or less. */
int store_sweep(struct store *s, struct err *e);
/* Where the next message goes: in turn, those with room first; NULL: nowhere. */
struct volume *store_pick_volume(struct store *s, struct err *e);
/* It took no message just now: others come first for a while. */
void store_volume_refused(struct store *s, struct volume *v);
/* The writer of this process, taken at the first call. */
int store_writer(struct store *s, struct writer **out, struct err *e);

/* Reads a record of `kind` at `path`; *found; checked. */
int store_read_record(struct store *s, const char *path, const char *kind,
		      struct buf *out, bool *found, struct err *e);

#endif
