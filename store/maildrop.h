/* SPDX-License-Identifier: ISC */
/*
 * maildrop - the messages of one account, as an append-only list of events
 *
 * A line an event: added, read, removed.  Each carries its number in the file,
 * the running totals after it, and its checksum, so the last line alone answers
 * "how many, how much" and any damage names its line.  Writers append under the
 * short lock of the file; a session works on what it read at login.
 *
 * A line whose end is missing at the end of the file is a write that a crash
 * cut off: the next writer removes it.  Anything else that does not add up is
 * damage: ERR_TEMP for this account, for `popstore check --repair` to mend.
 *
 * Tests: t/unit/store/maildrop.c  t/fuzz/maildrop.c
 */
#ifndef MAILDROP_H
#define MAILDROP_H

#include "store/account.h"
#include "store/message.h"

struct store;

struct maildrop_entry {
	uint64_t id;
	uint64_t size;       /* octets as RFC 1939 counts them, trace included */
	uint64_t stored;     /* octets of the shared body in stored form */
	uint64_t header_end; /* stored octets of the shared header and its empty line, for
	                        TOP; 0 = the message has no empty line */
	uint32_t volume;
	uint32_t slot;     /* offset of the slot's state in the message file */
	uint64_t line_at;  /* private: offset of the event's octet in the maildrop */
	uint32_t trace_n;  /* private: of the percent-encoded trace */
	uint64_t trace_at; /* private */
	bool read;         /* was retrieved in an earlier session */
	bool seen;         /* caller: was retrieved in this session */
	bool removed;      /* caller: is to be removed at maildrop_commit() */
};

struct maildrop;

/* Takes the maildrop's lease and reads it.  *out is NULL when another session
 * has it (RFC 1939 s4: [IN-USE]).  For an account that was deleted since: ERR_PERM. */
int maildrop_open(struct store *s, const struct account *a, struct maildrop **out,
		  struct err *e);
/* The same view without a lease, to look only: for the management utility. */
int maildrop_look(struct store *s, const struct account *a, struct maildrop **out,
		  struct err *e);
void maildrop_close(struct maildrop **m);

/* Oldest first; the array stays where it is until close. */
size_t maildrop_count(const struct maildrop *m);
struct maildrop_entry *maildrop_entry(struct maildrop *m, size_t i); /* i < count */
/* The recipient's own header lines in stored form; borrowed until the next call. */
struct str maildrop_trace(struct maildrop *m, const struct maildrop_entry *en);
/* When maildrop_touch() was last called for it, in an earlier session; 0 = never. */
uint64_t maildrop_last_open_ms(const struct maildrop *m);
/* Writes down that the owner opened it now (RFC 2449 s6.5, LOGIN-DELAY). */
int maildrop_touch(struct maildrop *m, struct err *e);

/*
 * maildrop_commit - RFC 1939's UPDATE state
 *
 * Appends a line for every entry marked removed (and for those seen that were
 * not read before), makes them durable in one sync if anything was removed, and
 * then releases the messages.  -1: nothing was removed; the marks stand.  0 with
 * e->class set: done, but *e says what could not be tidied up (a leaked file, which
 * `popstore check` finds), for one line in the log.
 */
int maildrop_commit(struct maildrop *m, struct err *e);

/* ---- one line from the delivery side ------------------------------------------- */

struct maildrop_add {
	uint64_t id;
	uint32_t volume;
	uint32_t slot; /* offset of the slot's state in the message file */
	uint64_t size; /* RFC 1939 octets of the shared part */
	uint64_t stored;
	uint64_t header_end;
	struct str trace; /* percent-encoded as in struct message_slot */
	bool check_quota; /* refuse by the quota rule (verdict_quota()) */
};

/* Appends, not durable by itself.  *verdict (enum verdict_code as int) is not 0 when the
 * quota rule refused, and then nothing was written.  ERR_PERM 5.1.1 when the account
 * was deleted meanwhile, also if it was made anew since. */
int maildrop_append(struct store *s, const struct account *a,
		    const struct maildrop_add *add, int *verdict, struct err *e);

/* ---- for the rest of the store -------------------------------------------------- */

/* One read of the tail, without the lock. */
int maildrop_totals(struct store *s, const struct account *a, uint64_t *messages,
		    uint64_t *octets, struct err *e);
/* Appends the line that a slot of a message file asks for, quota or not. */
int maildrop_append_slot(struct store *s, const struct account *a, unsigned volume,
			 const struct message_info *mi, const struct message_slot *slot,
			 struct err *e);
/* What a maildrop says of a message. */
enum maildrop_state {
	MAILDROP_NEVER_HAD, /* or has forgotten, which it does after its slot was let go */
	MAILDROP_MAY_HAVE_HAD, /* lines of it were lost to damage once */
	MAILDROP_HAS,
	MAILDROP_HAD, /* its removal is in the lines */
};
int maildrop_state_of(struct store *s, const struct account *a, uint64_t id,
		      enum maildrop_state *out, struct err *e);
/* The file ended in a piece of a line when this view was made. */
bool maildrop_is_torn(const struct maildrop *m);
/* Ends a maildrop: under its lock every message is released and the file removed.
 * The account's profile is gone already. */
int maildrop_release_all(struct store *s, const struct account *a, struct err *e);

/* Both for repair.  They take the lease, since the session's view of the file would be
 * wrong afterwards: ERR_TEMP 4.2.1 while there is one. */
/* Makes a damaged maildrop again from its whole lines and the message files; *lost
 * counts the lines that were not whole. */
int maildrop_rebuild(struct store *s, const struct account *a, uint64_t *lost,
		     struct err *e);
/* Appends a removed line for a message that is not there any more. */
int maildrop_forget(struct store *s, const struct account *a, uint64_t id, struct err *e);

#endif
