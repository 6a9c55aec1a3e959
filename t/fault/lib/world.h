/* SPDX-License-Identifier: ISC */
/*
 * world - the store that the rigs work on: three users, a few letters
 *
 *   example.org, its alias example.net, delimiters +
 *   alice  letter.300 (shared with bob), second.300 (read)
 *   bob    letter.300, large.70000
 *   carol  nothing, and no maildrop yet
 *   sales  forwarded to alice
 *
 * A letter's text follows from its label and its size, so that every octet of it can
 * be compared at any time.
 *
 * Owns: the settings, the open store.  Ends: world_fini().
 */
#ifndef FAULT_WORLD_H
#define FAULT_WORLD_H

#include "lib/settings.h"
#include "store/account.h"
#include "store/delivery.h"
#include "store/maildrop.h"
#include "store/store.h"

enum { WORLD_VOLUMES = 2, WORLD_USERS = 3 };

struct world {
	char places[1 + WORLD_VOLUMES][256]; /* root, volumes: for storage_open() */
	struct settings *set;
	struct store *store;      /* NULL: no process has it open */
	uint64_t base_ms;         /* ids below this are those of the base */
	struct maildrop *session; /* an operation's own, open for it */
	unsigned left_out;        /* recipients that a delivery leaves out, a bit each */
	const char *folder;       /* of the first one, that it files into; or NULL */
	bool careless; /* a control: letters are read without looking at their checksums */
};

/* `where` stands before "root", "one" and "two" in the places; `volumes` of them count. */
void world_init(struct world *w, const char *where, unsigned volumes);
void world_set_volumes(struct world *w, unsigned n);
void world_fini(struct world *w);

/* What the store logs goes nowhere: each failed sync is a line.  With a sanitizer it stays,
 * since its reports go the same way. */
void world_quiet(void);

/* Ends the rig with a message: what has to work before the test begins. */
#define world_ok(call)                                                     \
	do {                                                               \
		struct err e_ = {0};                                       \
		if ((call) < 0)                                            \
			world_give_up(__FILE__, __LINE__, #call, e_.text); \
	} while (0)
NORETURN void world_give_up(const char *file, int line, const char *call,
			    const char *why);

/* Makes the store above, closed and synced. */
void world_base(struct world *w);
void world_open(struct world *w);
void world_close(struct world *w);

/* ---- what operations need ---- */

struct name world_name(const char *name);
struct account world_account(struct world *w, const char *name);
int world_add(struct world *w, const char *name, bool batch, struct err *e);
int world_password(struct world *w, const char *name, const char *hash, bool batch,
		   struct err *e);
/* A letter whose label begins so has a long line in its maildrop: much trace. */
#define WORLD_LONG_LINE "long"
/* The text of a letter, in stored form; "label.size". */
void world_text(const char *label, struct buf *out);
/* Delivers it; bit i of the answer: names[i] was told 250.  Up to 8 names, NULL behind
 * the last. */
unsigned world_deliver(struct world *w, const char *const *names, const char *label,
		       struct err *e);
unsigned world_deliver_one(struct world *w, const char *name, const char *label,
			   struct err *e);
/* Reads a message of a maildrop: its label, or false with a reason. */
bool world_read_letter(struct world *w, const struct maildrop_entry *en, char label[64],
		       struct err *e);

/* ---- behind the store's back: what a crash or a bad disk left ---- */

/* Of the root's tree. */
void world_keep(struct world *w, const char *path, struct buf *out);
void world_put_back(struct world *w, const char *path, const struct buf *bytes);
void world_remove(struct world *w, const char *path);
/* What a deletion does first, and no more. */
void world_delete_halfway(struct world *w, const char *name);
/* The whole directory. */
void world_remove_account(struct world *w, const char *name);
/* The path of an account's file. */
struct place world_place(const char *tree, const char *name, const char *leaf);
/* A writer's record as if it had been written in another boot. */
void world_other_boot(struct buf *record);

#endif
