/* SPDX-License-Identifier: ISC */
/*
 * wire - what authd and those who ask it say to each other (doc/AUTH.md)
 *
 *   do password
 *   service pop3
 *   user alice@example.org
 *   password a%25b
 *   <empty line>
 *
 * Lines `key value`, ended by LF, and an empty line.  A key is lower case letters and
 * hyphens; in a value control octets and `%` are percent-encoded, and a `%` that encodes
 * nothing is an error here: there is one way to write a message.  Only `certificate-name`
 * may stand twice, so that no two readers can take different ones.
 *
 * It reads what another process sends: whatever is not well formed ends the conversation.
 *
 * Owns:   its text, which holds passwords and is wiped.
 * Limits: WIRE_MAX octets and WIRE_LINES lines, the empty one not counted.
 * Tests:  t/unit/auth/wire.c  t/fuzz/auth_wire.c
 */
#ifndef WIRE_H
#define WIRE_H

#include "lib/buf.h"

enum { WIRE_MAX = 32 << 10, WIRE_LINES = 64, WIRE_KEY_MAX = 32 };

enum wire_state {
	WIRE_MORE,  /* feed it the rest */
	WIRE_WHOLE, /* the empty line was there */
	WIRE_BROKEN /* wire_broken() says how; nothing that follows can be read */
};

/* Of one that is read: where a line begins, and how long its key and all of it are. */
struct wire_line {
	uint16_t at, key, n;
};

_Static_assert(WIRE_MAX <= UINT16_MAX, "what a wire_line has room for");

struct wire {
	struct buf text;
	size_t line_at, lines;
	struct wire_line line[WIRE_LINES];
	enum wire_state state;
	const char *broken;
};

void wire_init(struct wire *m);
void wire_fini(struct wire *m);
void wire_clear(struct wire *m); /* empty again, and wiped */

/* ---- writing: too much is remembered, and told by wire_finish() ----------------- */

void wire_put(struct wire *m, const char *key, struct str value);
void wire_put_u64(struct wire *m, const char *key, uint64_t value);
void wire_put_base64(struct wire *m, const char *key, struct str octets);
/* False when it does not fit: the text must not be sent. */
bool wire_finish(struct wire *m) MUST_USE;

/* ---- reading ------------------------------------------------------------------------ */

/* Takes in at most one message; *used says how many octets. */
enum wire_state wire_feed(struct wire *m, struct str in, size_t *used);
const char *wire_broken(const struct wire *m); /* NULL: it is not */

/* Of a whole message.  False when there is no such key; what does not fit `out` sets its
 * flag. */
bool wire_get(const struct wire *m, const char *key, struct buf *out);
/* False also for what is no number, no base64. */
bool wire_get_u64(const struct wire *m, const char *key, uint64_t *out);
bool wire_get_base64(const struct wire *m, const char *key, struct buf *out);
bool wire_has(const struct wire *m, const char *key);
bool wire_is(const struct wire *m, const char *key, const char *value);
/* The next line, its value as it stands there.  Begin with *at = 0. */
bool wire_next(const struct wire *m, size_t *at, struct str *key, struct str *value);
/* Undoes the percent-encoding of such a value. */
void wire_decode(struct str value, struct buf *out);

#endif
