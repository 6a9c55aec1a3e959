/* SPDX-License-Identifier: ISC */
#include "store/record.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

static const char sum_key[] = "sum ";

enum { SUM_LINE = sizeof sum_key - 1 + 16 + 1 };

/* ---- writing ------------------------------------------------------------------ */

void record_begin(struct record_writer *w, const char *kind)
{
	buf_init_secret(&w->text, RECORD_MAX);
	buf_printf(&w->text, "%s 1\n", kind);
}

void record_encode(struct str s, bool space_too, struct buf *out)
{
	size_t plain = 0; /* where what needs no code begins */

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != 0x7f && c != '%' && !(space_too && c == ' '))
			continue;
		buf_put(out, (struct str){s.p + plain, i - plain});
		buf_printf(out, "%%%02x", c);
		plain = i + 1;
	}
	buf_put(out, (struct str){s.p + plain, s.n - plain});
}

bool record_is_encoded(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

void record_put(struct record_writer *w, const char *key, struct str value)
{
	buf_printf(&w->text, "%s ", key);
	record_encode(value, false, &w->text);
	buf_putc(&w->text, '\n');
}

void record_put_u64(struct record_writer *w, const char *key, uint64_t value)
{
	buf_printf(&w->text, "%s %" PRIu64 "\n", key, value);
}

bool record_fits(const struct record_writer *w)
{
	return !buf_over(&w->text) && w->text.n + SUM_LINE <= w->text.max;
}

struct str record_finish(struct record_writer *w)
{
	must(record_fits(w));
	buf_printf(&w->text, "%s%016" PRIx64 "\n", sum_key,
		   XXH3_64bits(w->text.p, w->text.n));
	return buf_str(&w->text);
}

void record_fini(struct record_writer *w)
{
	buf_fini_secret(&w->text);
}

/* ---- reading ------------------------------------------------------------------- */

static int damaged(struct err *e, const char *what, const char *why)
{
	return err_set(e, ERR_TEMP, "4.3.0", "%s is damaged: %s", what, why);
}

int record_check(struct str text, const char *kind, const char *what, struct err *e)
{
	struct str rest = text, first = str_cut(&rest, '\n'), last;
	uint64_t sum;

	if (text.n <= SUM_LINE || text.p[text.n - 1] != '\n')
		return damaged(e, what, "it is too short");
	last = (struct str){text.p + text.n - SUM_LINE, SUM_LINE - 1};
	if (last.p[-1] != '\n' || !str_starts(last, str_of(sum_key)))
		return damaged(e, what, "it has no checksum at its end");
	last.p += sizeof sum_key - 1;
	last.n -= sizeof sum_key - 1;
	if (!str_sum64(last, &sum) || sum != XXH3_64bits(text.p, text.n - SUM_LINE))
		return damaged(e, what, "it fails its checksum");
	if (!str_eq(str_word(&first), str_of(kind)))
		return damaged(e, what, "it is of another kind");
	if (!str_eq(first, STR("1")))
		return err_set(e, ERR_TEMP, "4.3.5",
			       "%s has version " STR_FMT ", this program knows version 1",
			       what, STR_ARG(first));
	return 0;
}

bool record_is_damage(const struct err *e)
{
	return e->class == ERR_TEMP && e->sys == 0 && strcmp(e->dsn, "4.3.0") == 0;
}

bool record_next(struct str *rest, struct str *key, struct str *value)
{
	while (rest->n > 0) {
		struct str line = str_cut(rest, '\n');

		*key = str_word(&line);
		*value = line;
		if (rest->n == 0)
			return false; /* the sum */
		if (key->n > 0 && !str_starts(*key, STR("popstore-")))
			return true;
	}
	return false;
}

static int hex_digit(char c)
{
	uint64_t v;

	return str_hex64((struct str){&c, 1}, &v) ? (int)v : -1;
}

void record_decode(struct str value, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		int hi = -1, lo = -1;

		if (value.p[i] == '%' && i + 2 <= value.n - 1) {
			hi = hex_digit(value.p[i + 1]);
			lo = hex_digit(value.p[i + 2]);
		}
		if (hi < 0 || lo < 0) {
			buf_putc(out, value.p[i]);
			continue;
		}
		buf_putc(out, (char)(hi * 16 + lo));
		i += 2;
	}
}

static bool find(struct str text, const char *key, struct str *value)
{
	struct str k;

	while (record_next(&text, &k, value))
		if (str_eq(k, str_of(key)))
			return true;
	return false;
}

bool record_get(struct str text, const char *key, struct buf *out)
{
	struct str value;

	if (!find(text, key, &value))
		return false;
	record_decode(value, out);
	return true;
}

bool record_get_u64(struct str text, const char *key, uint64_t *out)
{
	struct str value;

	return find(text, key, &value) && str_u64(value, out);
}
