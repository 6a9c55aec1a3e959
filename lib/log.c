/* SPDX-License-Identifier: ISC */
#include "lib/log.h"

#include "lib/buf.h"
#include "lib/log_sink.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { VALUE_MAX = 256 };

static const char *const level_names[] = {
	[LOG_LV_ERROR] = "error",
	[LOG_LV_WARN] = "warn",
	[LOG_LV_INFO] = "info",
	[LOG_LV_DEBUG] = "debug",
};

static const char *program = "popstore";
static bool to_syslog;
static enum log_level lowest = LOG_LV_INFO;

void log_open(const char *name, bool syslog_too, enum log_level level)
{
	program = name;
	lowest = level;
	to_syslog = syslog_too;
	if (to_syslog)
		log_sink_syslog(program);
	else
		log_sink_stderr();
}

void log_reopen(void)
{
	log_sink_forget();
	log_open(program, to_syslog, lowest);
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!ascii_is_print(c) || c == ' ' || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return s.n > 0;
}

static void put_value(struct buf *out, struct str s)
{
	bool cut = s.n > VALUE_MAX;

	if (cut)
		s.n = VALUE_MAX;
	if (is_plain(s)) {
		buf_put(out, s);
	} else {
		buf_putc(out, '"');
		for (size_t i = 0; i < s.n; i++) {
			if (!ascii_is_print(s.p[i]))
				buf_printf(out, "\\x%02x", (unsigned char)s.p[i]);
			else if (s.p[i] == '"' || s.p[i] == '\\')
				buf_printf(out, "\\%c", s.p[i]);
			else
				buf_putc(out, s.p[i]);
		}
		buf_putc(out, '"');
	}
	if (cut)
		buf_put(out, STR("..."));
}

static void put_err(struct buf *out, const struct err *e)
{
	if (e->dsn[0] != '\0')
		buf_printf(out, " dsn=%s", e->dsn);
	buf_put(out, STR(" err="));
	put_value(out, str_of(e->text));
}

void log_format(struct buf *out, enum log_level level, const char *event,
		const struct log_kv *kv, size_t n)
{
	buf_put(out, STR("event="));
	buf_put(out, str_of(event));
	buf_put(out, STR(" level="));
	buf_put(out, str_of(level_names[level]));
	for (size_t i = 0; i < n; i++) {
		if (kv[i].kind == KV_ERR) {
			put_err(out, kv[i].e);
			continue;
		}
		buf_putc(out, ' ');
		buf_put(out, str_of(kv[i].key));
		buf_putc(out, '=');
		if (kv[i].kind == KV_NUM)
			buf_put_u64(out, kv[i].u, 0);
		else
			put_value(out, kv[i].s);
	}
}

static int syslog_priority(enum log_level level)
{
	static const int map[] = {
		[LOG_LV_ERROR] = LOG_ERR,
		[LOG_LV_WARN] = LOG_WARNING,
		[LOG_LV_INFO] = LOG_INFO,
		[LOG_LV_DEBUG] = LOG_DEBUG,
	};

	return map[level];
}

/* put_line - false when nobody took it */
static bool put_line(enum log_level level, const char *event, const struct log_kv *kv,
		     size_t n)
{
	struct buf line;
	bool done;

	buf_init(&line, LOG_SINK_LINE_MAX);
	if (!to_syslog)
		buf_printf(&line, "%s[%d]: ", program, process_id());
	log_format(&line, level, event, kv, n);
	if (line.n == line.max)
		buf_cut(&line, line.max - 1);
	line.over = false;
	buf_putc(&line, '\n');
	done = log_sink_put(LOG_MAIL | syslog_priority(level), buf_str(&line));
	buf_fini(&line);
	return done;
}

void log_write(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
	static atomic_ullong lost;
	unsigned long long before;

	if (level > lowest)
		return;
	if (!put_line(level, event, kv, n)) {
		atomic_fetch_add(&lost, 1);
		return;
	}
	/* There is room again: for this line at least. */
	before = atomic_exchange(&lost, 0);
	if (before > 0 && !put_line(LOG_LV_ERROR, "log.lost",
				    (const struct log_kv[]){kv_u("lines", before)}, 1))
		atomic_fetch_add(&lost, before);
}
