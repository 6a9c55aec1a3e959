/* SPDX-License-Identifier: ISC */
/*
 * maildrop_int - the file under a maildrop: opening, the lock, the tail
 */
#ifndef MAILDROP_INT_H
#define MAILDROP_INT_H

#include "store/maildrop.h"
#include "store/maildrop_line.h"
#include "store/storage.h"

enum {
	MAILDROP_TEXT_MAX = 1 << 30,               /* octets of a maildrop file */
	MAILDROP_TAIL_MAX = 2 * MAILDROP_LINE_MAX, /* read at once from its end */
};

struct place maildrop_place(const struct account *a);

/* Takes the lease that a POP3 session holds; *out is NULL when somebody has it.  ERR_PERM
 * for an account that was deleted. */
int maildrop_lease(struct store *s, const struct account *a, struct storage_lease **out,
		   struct err *e);
/* ERR_TEMP: somebody has it. */
int maildrop_in_use(const struct account *a, struct err *e);

/* Opens and locks the file; *out is NULL when there is none (with STORAGE_APPEND: no
 * directory, so no account). */
int maildrop_file_lock(struct store *s, const struct account *a, enum storage_mode mode,
		       struct storage_file **out, struct err *e);

/* Reads the whole file. */
int maildrop_file_read(struct storage_file *f, const struct account *a, struct buf *text,
		       struct err *e);

struct maildrop_tail {
	struct maildrop_line last; /* trace not valid */
	uint64_t end;              /* of the last whole line */
	uint64_t size;             /* of the file; more than `end`: a torn line follows */
	uint64_t from;             /* where `text` begins in the file */
	char text[MAILDROP_TAIL_MAX];
};

/* What follows the last LF is a whole line and one octet more: not a write that was cut
 * off, which has no octet there, but a damaged LF. */
bool maildrop_lf_is_damaged(struct str rest, const struct account *a);

/* Reads the last line.  An empty file, or one with a torn header only, gives end 0. */
int maildrop_file_tail(struct storage_file *f, const struct account *a,
		       struct maildrop_tail *out, struct err *e);
/* The same without a lock, for who opens no file otherwise; no file is an empty one. */
int maildrop_tail_of(struct store *s, const struct account *a, struct maildrop_tail *out,
		     struct err *e);
/* The same for a writer that holds the lock: cuts a torn line off, and gives a new file
 * its header. `text` gets what has to be written before the caller's lines. */
int maildrop_file_prepare(struct store *s, struct storage_file *f,
			  const struct account *a, struct maildrop_tail *out,
			  struct buf *text, struct err *e);

/* Looks for an added line, or what compaction keeps of one, with this key; *id is 0 when
 * there is none that is not older than since_ms within RETRY_SCAN_OCTETS of the end. */
int maildrop_find_key(struct storage_file *f, const struct account *a,
		      const struct maildrop_tail *tail, struct retry_key key,
		      uint64_t since_ms, uint64_t *id, struct err *e);

/* ERR_TEMP, names the maildrop and says what to do. */
int maildrop_damaged(struct err *e, const struct account *a, uint64_t line,
		     const char *why);

#endif
