/* SPDX-License-Identifier: ISC */
#include "auth/wire.h"

#include "lib/base64.h"
#include "store/record.h"

#include <inttypes.h>
#include <string.h>

void wire_init(struct wire *m)
{
	*m = (struct wire){0};
	buf_init_secret(&m->text, WIRE_MAX);
}

void wire_fini(struct wire *m)
{
	buf_fini_secret(&m->text);
	*m = (struct wire){0};
}

void wire_clear(struct wire *m)
{
	struct buf text = m->text;

	/* Only as far as it was used: the buffer's other pages need not be there. */
	explicit_bzero(text.p, text.n);
	buf_clear(&text);
	*m = (struct wire){.text = text};
}

/* ---- writing ---------------------------------------------------------------------- */

static void begin_line(struct wire *m, const char *key)
{
	buf_put(&m->text, str_of(key));
	buf_putc(&m->text, ' ');
}

static void end_line(struct wire *m)
{
	buf_putc(&m->text, '\n');
	m->lines++;
}

void wire_put(struct wire *m, const char *key, struct str value)
{
	begin_line(m, key);
	record_encode(value, false, &m->text);
	end_line(m);
}

void wire_put_u64(struct wire *m, const char *key, uint64_t value)
{
	begin_line(m, key);
	buf_printf(&m->text, "%" PRIu64, value);
	end_line(m);
}

void wire_put_base64(struct wire *m, const char *key, struct str octets)
{
	begin_line(m, key);
	base64_encode(octets, &m->text);
	end_line(m);
}

bool wire_finish(struct wire *m)
{
	buf_putc(&m->text, '\n');
	return !buf_over(&m->text) && m->lines <= WIRE_LINES;
}

/* ---- reading ---------------------------------------------------------------------- */

static void break_off(struct wire *m, const char *why)
{
	m->broken = why;
	m->state = WIRE_BROKEN;
}

static bool is_key(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((key.p[i] < 'a' || key.p[i] > 'z') && key.p[i] != '-')
			return false;
	return key.n > 0 && key.n <= WIRE_KEY_MAX;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_encoded(struct str value)
{
	if (str_has_control(value))
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '%' && (value.n - i < 3 || !is_hex(value.p[i + 1]) ||
					  !is_hex(value.p[i + 2])))
			return false;
	return true;
}

/* line_of - the one with this key, the first of them; or NULL */
static const struct wire_line *line_of(const struct wire *m, struct str key)
{
	for (size_t i = 0; i < m->lines; i++) {
		const struct wire_line *l = &m->line[i];

		if (l->key == key.n && memcmp(m->text.p + l->at, key.p, key.n) == 0)
			return l;
	}
	return NULL;
}

static void take_line(struct wire *m)
{
	struct str line = {m->text.p + m->line_at, m->text.n - 1 - m->line_at};
	bool has_value = memchr(line.p, ' ', line.n) != NULL;
	struct str value = line;
	struct str key = str_word(&value);

	if (line.n == 0)
		m->state = WIRE_WHOLE;
	else if (m->lines == WIRE_LINES)
		break_off(m, "it has too many lines");
	else if (!has_value || !is_key(key))
		break_off(m, "a line is not `key value`");
	else if (!is_encoded(value))
		break_off(m, "a value is not percent-encoded");
	else if (!str_eq(key, STR("certificate-name")) && line_of(m, key) != NULL)
		break_off(m, "a key is there twice");
	else
		m->line[m->lines++] = (struct wire_line){
			(uint16_t)m->line_at, (uint16_t)key.n, (uint16_t)line.n};
	m->line_at = m->text.n;
}

enum wire_state wire_feed(struct wire *m, struct str in, size_t *used)
{
	*used = 0;
	while (*used < in.n && m->state == WIRE_MORE) {
		const char *from = in.p + *used;
		const char *lf = memchr(from, '\n', in.n - *used);
		size_t n = lf ? (size_t)(lf - from) + 1 : in.n - *used;

		buf_put(&m->text, (struct str){from, n});
		*used += n;
		if (buf_over(&m->text))
			break_off(m, "it is too long");
		else if (lf != NULL)
			take_line(m);
	}
	return m->state;
}

const char *wire_broken(const struct wire *m)
{
	return m->broken;
}

bool wire_next(const struct wire *m, size_t *at, struct str *key, struct str *value)
{
	struct str rest = {m->text.p + *at, m->text.n - *at};

	must(m->state == WIRE_WHOLE);
	*value = str_cut(&rest, '\n');
	if (value->n == 0)
		return false;
	*at = m->text.n - rest.n;
	*key = str_word(value);
	return true;
}

static bool find(const struct wire *m, const char *key, struct str *value)
{
	const struct wire_line *l;

	must(m->state == WIRE_WHOLE);
	l = line_of(m, str_of(key));
	if (l == NULL)
		return false;
	*value = (struct str){m->text.p + l->at + l->key + 1, (size_t)l->n - l->key - 1};
	return true;
}

bool wire_has(const struct wire *m, const char *key)
{
	struct str value;

	return find(m, key, &value);
}

bool wire_is(const struct wire *m, const char *key, const char *value)
{
	struct str v;

	return find(m, key, &v) && str_eq(v, str_of(value));
}

bool wire_get(const struct wire *m, const char *key, struct buf *out)
{
	struct str value;

	if (!find(m, key, &value))
		return false;
	wire_decode(value, out);
	return true;
}

bool wire_get_u64(const struct wire *m, const char *key, uint64_t *out)
{
	struct str value;

	return find(m, key, &value) && str_u64(value, out);
}

bool wire_get_base64(const struct wire *m, const char *key, struct buf *out)
{
	struct str value;

	return find(m, key, &value) && base64_decode(value, out);
}

void wire_decode(struct str value, struct buf *out)
{
	record_decode(value, out);
}
