/* SPDX-License-Identifier: ISC */
/*
 * writer - a process's own number, its ids, and its checkpoint
 *
 * Every process that makes ids holds one of ID_WRITERS numbers by a lease.  The
 * record writers/<n> says, durably and always before it matters, below which time
 * ids may have been used (`until`), and below which time every message of this
 * writer is in its maildrops and durable (`checkpoint`).  So a checkpoint needs
 * no other process and stops no delivery: its time is the start of the oldest
 * delivery still running.  Recovery takes the leases that nobody holds and looks
 * at messages between `checkpoint` and `until` of that writer only (P12).
 *
 * Threads: all functions may be called from any.
 * Tests:   t/unit/store/writer.c
 */
#ifndef WRITER_H
#define WRITER_H

#include "lib/err.h"

#include <stdint.h>

struct store;
struct storage;
struct writer;

/* Takes the first free number whose last holder ended cleanly; one that did not is
 * left to recovery. */
int writer_open(struct storage *root, struct writer **out, struct err *e);
/* Gives the number back.  Clean, so that recovery need not look, only when a
 * checkpoint covers everything and no delivery is running. */
void writer_close(struct writer **w);

/* A new id.  With `delivery`, it counts as running until writer_done(). */
int writer_id(struct writer *w, bool delivery, uint64_t *id, struct err *e);
void writer_done(struct writer *w, uint64_t id);

/* Nothing happens when no delivery ran since the last one.
 * `sync` makes what was appended durable; it runs between taking the time and
 * writing it down. */
int writer_checkpoint(struct writer *w, int (*sync)(void *ctx, struct err *e), void *ctx,
		      struct err *e);

/* ---- for recovery ------------------------------------------------------------- */

struct writer_state {
	uint32_t number;
	uint64_t checkpoint_ms, until_ms;
	char mount[64]; /* storage_mount_identity() of the root when it was written */
};

/* Every writer that nobody holds and that did not end cleanly, or whose record is damaged or
 * lost (what is left is its lease): of that one all messages are to be looked at.  The lease is held
 * while `each` runs, and the state is clean afterwards if it set *clean.  If it did not,
 * the mount is forgotten.  One that fails does not hold up the others: *e is of the last. */
int writer_each_dead(struct storage *root,
		     int (*each)(const struct writer_state *w, bool *clean, void *ctx,
				 struct err *e),
		     void *ctx, struct err *e);

/* Every writer that did not end cleanly, for people: one that is at work (`held`), or one that
 * recovery will see to.  Of a record that is damaged or lost `why` says so, else NULL, and
 * there are zeros in *w. */
int writer_each_open(struct storage *root,
		     void (*each)(const struct writer_state *w, bool held,
				  const struct err *why, void *ctx),
		     void *ctx, struct err *e);

/* Whether what this writer wrote came in this mount, after the last power cut: its record
 * says so, or somebody holds the number now (recovery does, while it looks at one). */
bool writer_is_of_now(struct storage *root, uint32_t number);

/* The checkpoint of a writer as last written; 0 when unknown. */
uint64_t writer_checkpoint_of(struct storage *root, uint32_t number);
/* Whether whoever should mention this message does: its writer's checkpoint has passed it, or
 * it ended cleanly; or there is no such writer any more, dead or alive, as far as records and
 * leases tell. */
bool writer_has_settled(struct storage *root, uint64_t id);

#endif
