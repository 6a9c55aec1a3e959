/* SPDX-License-Identifier: ISC */
/*
 * writer_int - the record of a writer and its lease, for the parts of writer
 */
#ifndef WRITER_INT_H
#define WRITER_INT_H

#include "store/storage.h"
#include "store/writer.h"

/* How far ahead ids are reserved by one durable write. */
enum { WRITER_RESERVE_MS = 60 * 1000 };

struct writer_path {
	char s[40];
};

/* "writers/3" and the suffix */
struct writer_path writer_path(uint32_t number, const char *suffix);

struct writer_saved {
	struct writer_state s;
	bool clean;
	bool lost; /* there was one, and is none any more */
};

int writer_save(struct storage *root, const struct writer_saved *w, struct err *e);
/* *found is false for a number that was never used, or whose record is lost. */
int writer_load(struct storage *root, uint32_t number, struct writer_saved *out,
		bool *found, struct err *e);
/* A lease gets its time once there is a record: whether the one that load() did not find
 * was lost. */
bool writer_is_lost(const struct storage_lease *lease, bool found);

#endif
