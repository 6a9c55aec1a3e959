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
/* A commit would remove something, and so would wait for the disk. */
bool maildrop_removes_any(const struct maildrop *m);

/* ---- one line from the delivery side ------------------------------------------- */

struct maildrop_add {
	uint64_t id;
	uint32_t volume;
	uint32_t slot; /* offset of the slot's state in the message file */
	uint64_t size; /* RFC 1939 octets of the shared part */
	uint64_t stored;
	uint64_t header_end;
	struct str trace; /* percent-encoded as in struct message_slot */
	struct retry_key key;
	uint64_t
		since_ms; /* look for the key in lines of messages from then on; 0 = do not */
	bool check_quota; /* refuse by the quota rule (verdict_quota()) */
	uint64_t more; /* octets that are to come with it, in folders: refused with it */
};

/* What became of it: appended, if both are 0. */
struct maildrop_answer {
	int verdict;    /* enum verdict_code: the quota rule refused it */
	uint64_t first; /* a retry: the id under which the account got it before */
};

/* Appends, not durable by itself.  A retry is found before the quota is asked, since what
 * it brings is counted already.  ERR_PERM 5.1.1 when the account was deleted meanwhile,
 * also if it was made anew since. */
int maildrop_append(struct store *s, const struct account *a,
		    const struct maildrop_add *add, struct maildrop_answer *answer,
		    struct err *e);

/* ---- for the rest of the store -------------------------------------------------- */

/* One read of the tail, without the lock. */
int maildrop_totals(struct store *s, const struct account *a, uint64_t *messages,
		    uint64_t *octets, struct err *e);
/* Appends the line that a slot of a message file asks for, quota or not.  *first is not 0
 * if it is a retry of that message, and then nothing is appended: the caller releases
 * the slot. */
int maildrop_append_slot(struct store *s, const struct account *a, unsigned volume,
			 const struct message_info *mi, const struct message_slot *slot,
			 uint64_t *first, struct err *e);
/* A message of about `size` octets (0: of any size) that has a key came from since_ms on, as
 * far as the last lines tell: one of that size now may be its retry. */
int maildrop_may_be_retry(struct store *s, const struct account *a, uint64_t size,
			  uint64_t since_ms, bool *may_be, struct err *e);
/* The id under which the account got the message with this key, from since_ms on; 0: none, as
 * far as can be told without the lock. */
int maildrop_find_first(struct store *s, const struct account *a, struct retry_key key,
			uint64_t since_ms, uint64_t *id, struct err *e);
/* What a maildrop says of a message. */
enum maildrop_state {
	MAILDROP_NEVER_HAD, /* or has forgotten, which it does after its slot was let go */
	MAILDROP_MAY_HAVE_HAD, /* lines of it were lost to damage once */
	MAILDROP_HAS,
	MAILDROP_HAD, /* its removal is in the lines */
};
int maildrop_state_of(struct store *s, const struct account *a, uint64_t id,
		      enum maildrop_state *out, struct err *e);
/* Puts the file as it reads in its own place, durably: what the cache has and the disk may
 * not have is on the disk then, in a file that no sync has failed on.  Writing it over itself
 * would not do: ext4 never learns that a block holds data whose first write failed. */
int maildrop_renew(struct store *s, const struct account *a, struct err *e);
/* Every message that the view mentions; the last call for one has the last word. */
void maildrop_each_state(const struct maildrop *m,
			 void (*each)(uint64_t id, enum maildrop_state state, void *ctx),
			 void *ctx);
/* Lines of it were lost to damage once: of what it does not mention nothing is known. */
bool maildrop_is_rebuilt(const struct maildrop *m);
/* For recovery of a writer (its number) after a power cut: cuts a maildrop off where a hole
 * shows that nothing behind it was ever synced.  *cut: there was one. */
int maildrop_cut_hole(struct store *s, const struct account *a, uint32_t writer,
		      bool *cut, struct err *e);
/* For repair, what the added line says besides: trace as in a slot, and the retry key. */
void maildrop_added(const struct maildrop *m, const struct maildrop_entry *en,
		    struct str *encoded_trace, struct retry_key *key);
/* The file ended in a piece of a line when this view was made. */
bool maildrop_is_torn(const struct maildrop *m);
/* Ends a maildrop of a deleted account: under its lock every message is let go, durably, and
 * the file removed, durably.  -1: the file is as it was, whatever was let go. */
int maildrop_release_all(struct store *s, const struct account *a, struct err *e);
/* Makes what was let go durable on every volume; ERR_TEMP while one is not configured. */
int maildrop_let_go(struct store *s, struct err *e);
/* The incarnation that a maildrop says it is of.  Its header line proves it, also with one
 * octet changed; or else any whole line does, if it fits `hint` (0: none).  *uid is 0 where
 * nothing does; *mail is false where there is no file, or one with nothing in it. */
int maildrop_uid(struct store *s, const struct name *name, uint64_t hint, uint64_t *uid,
		 bool *mail, struct err *e);

/* Makes a maildrop again from its whole lines and the message files, without those
 * whose message is not there; *lost counts the lines that were not whole.  It takes the lease,
 * since the session's view of the file would be wrong afterwards: ERR_TEMP 4.2.1 while there
 * is one. */
int maildrop_rebuild(struct store *s, const struct account *a, uint64_t *lost,
		     struct err *e);
/* An empty one that says that lines of it may be missing, where there is none: for an account
 * that is made again, durably. */
int maildrop_begin_rebuilt(struct store *s, const struct account *a, struct err *e);

#endif
