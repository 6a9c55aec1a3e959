/* SPDX-License-Identifier: ISC */
/*
 * log - one event per line, key=value
 *
 *   event=lmtp.rcpt.deferred level=warn sid=x1 rcpt=alice dsn=4.3.1 err="open: No space"
 *
 * The event name comes first and holds no data.  Event names and keys are an
 * interface: they are registered in doc/log-keys, and t/lint/log-keys compares.
 * Whoever chooses the reply to the peer writes the line, once; layers below the
 * programs never log.  Values are quoted where needed; bytes outside 0x20-0x7e
 * are written as \xHH, and a value is cut at 256 octets, so that no peer can
 * forge or flood a line.
 *
 * Nobody waits for the log (lib/log_sink.h): what could not be written is counted, and
 * `log.lost` tells how much that was when there is room again.
 *
 * Threads: any.
 * Tests:   t/unit/lib/log.c
 */
#ifndef LOG_H
#define LOG_H

#include "lib/err.h"
#include "lib/str.h"

enum log_level {
	LOG_LV_ERROR, /* an admin must act */
	LOG_LV_WARN,  /* one user or peer was hurt */
	LOG_LV_INFO,  /* one line per session and per message */
	LOG_LV_DEBUG, /* off */
};

struct log_kv {
	const char *key;
	enum { KV_STR, KV_NUM, KV_ERR } kind;
	struct str s;
	uint64_t u;
	const struct err *e;
};

/* clang-format off */
#define kv_s(k, v)   ((struct log_kv){.key = (k), .kind = KV_STR, .s = str_of(v)})
#define kv_str(k, v) ((struct log_kv){.key = (k), .kind = KV_STR, .s = (v)})
#define kv_u(k, v)   ((struct log_kv){.key = (k), .kind = KV_NUM, .u = (v)})
#define kv_err(err)  ((struct log_kv){.key = "err", .kind = KV_ERR, .e = (err)})
#define log_event(level, event, ...)                                                     \
	log_write((level), (event), (const struct log_kv[]){__VA_ARGS__},                \
		  sizeof((const struct log_kv[]){__VA_ARGS__}) / sizeof(struct log_kv))
/* clang-format on */

void log_write(enum log_level level, const char *event, const struct log_kv *kv,
	       size_t n);

/* Where lines go; until then to standard error, level info.  `program` must
 * outlive the process's logging (a literal). */
void log_open(const char *program, bool to_syslog, enum log_level lowest);

/* Opens the same again, in a child process that has put other things at descriptors above 2. */
void log_reopen(void);

/* Makes the line that log_write() would write, without the newline, for tests. */
struct buf;
void log_format(struct buf *out, enum log_level level, const char *event,
		const struct log_kv *kv, size_t n);

#endif
