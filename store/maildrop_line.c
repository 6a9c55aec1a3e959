/* SPDX-License-Identifier: ISC */
#include "store/maildrop_line.h"

#include "store/id.h"
#include "store/record.h"

#include <string.h>
#include <xxhash.h>

static const char header[] = "popstore-maildrop 1 ";

enum { SUM_DIGITS = 16 };

void maildrop_line_sign(struct buf *out, size_t from, uint64_t uid)
{
	uint64_t sum;

	if (buf_over(out))
		return;
	sum = XXH3_64bits_withSeed(buf_cstr(out) + from, out->n - from, uid);
	buf_putc(out, ' ');
	buf_put_hex64(out, sum);
	buf_putc(out, '\n');
}

static void put_number(uint64_t n, struct buf *out)
{
	buf_putc(out, ' ');
	buf_put_u64(out, n, 0);
}

static void put_id(uint64_t id, struct buf *out)
{
	buf_put(out, (struct str){id_print(id).c, ID_CHARS});
}

static void put_key(struct retry_key key, struct buf *out)
{
	buf_putc(out, ' ');
	buf_put(out, retry_key_is_set(key) ? str_of(retry_key_print(key).c) : STR("-"));
}

static void put_added(const struct maildrop_line *l, struct buf *out)
{
	put_number(l->volume, out);
	put_number(l->slot, out);
	put_number(l->size, out);
	put_number(l->stored, out);
	put_number(l->header_end, out);
	put_key(l->key, out);
	buf_putc(out, ' ');
	buf_put(out, l->trace.n ? l->trace : STR("-"));
}

void maildrop_line_print(const struct maildrop_line *l, uint64_t uid, struct buf *out)
{
	size_t from = out->n;

	if (l->event == MAILDROP_HEADER) {
		buf_put(out, str_of(header));
		put_id(uid, out);
	} else {
		const char event[] = {' ', (char)l->event, ' '};

		buf_put_u64(out, l->number, 0);
		buf_put(out, (struct str){event, sizeof event});
		put_id(l->id, out);
		if (l->event == MAILDROP_ADDED)
			put_added(l, out);
		else if (l->event == MAILDROP_REMOVED)
			put_key(l->key, out);
		put_number(l->count, out);
		put_number(l->octets, out);
	}
	maildrop_line_sign(out, from, uid);
}

void maildrop_line_mark(struct maildrop_line *last, uint64_t uid, struct buf *out)
{
	last->number++;
	last->event = MAILDROP_REBUILT;
	last->id = 0;
	last->key = (struct retry_key){0};
	maildrop_line_print(last, uid, out);
}

/* sum_matches - takes the sum off the end of *text and checks it */
static bool sum_matches(struct str *text, uint64_t uid, size_t event_at)
{
	char digits[SUM_DIGITS];
	uint64_t sum;

	if (text->n < SUM_DIGITS + 1 || text->p[text->n - SUM_DIGITS - 1] != ' ')
		return false;
	text->n -= SUM_DIGITS + 1;
	if (event_at < text->n && text->p[event_at] == MAILDROP_DROPPED) {
		char copy[MAILDROP_LINE_MAX];

		if (text->n > sizeof copy)
			return false;
		memcpy(copy, text->p, text->n);
		copy[event_at] = MAILDROP_ADDED;
		sum = XXH3_64bits_withSeed(copy, text->n, uid);
	} else {
		sum = XXH3_64bits_withSeed(text->p, text->n, uid);
	}
	str_print_sum64(sum, digits);
	return memcmp(text->p + text->n + 1, digits, sizeof digits) == 0;
}

static bool parse_header(struct str text, uint64_t uid, struct maildrop_line *out)
{
	uint64_t id;

	if (!sum_matches(&text, uid, SIZE_MAX))
		return false;
	text.p += sizeof header - 1;
	text.n -= sizeof header - 1;
	out->event = MAILDROP_HEADER;
	return id_parse(text, &id) && id == uid;
}

static bool parse_key(struct str word, struct retry_key *out)
{
	return str_eq(word, STR("-")) ||
	       (retry_key_parse(word, out) && retry_key_is_set(*out));
}

static bool parse_added(struct str *rest, struct maildrop_line *out)
{
	if (!str_word_u32(rest, &out->volume) || !str_word_u32(rest, &out->slot) ||
	    !str_word_u64(rest, &out->size) || !str_word_u64(rest, &out->stored) ||
	    !str_word_u64(rest, &out->header_end) ||
	    !parse_key(str_word(rest), &out->key))
		return false;
	out->trace = str_word(rest);
	if (str_eq(out->trace, STR("-")))
		out->trace.n = 0;
	else if (out->trace.n == 0)
		return false;
	return record_is_encoded(out->trace);
}

static bool is_event(char c)
{
	return c == MAILDROP_ADDED || c == MAILDROP_DROPPED || c == MAILDROP_READ ||
	       c == MAILDROP_REMOVED || c == MAILDROP_REBUILT;
}

/* parse_event - "+ <id> ", to where the rest begins */
static bool parse_event(struct str *rest, struct maildrop_line *out)
{
	enum { ID_AT = 2, MORE_AT = ID_AT + ID_CHARS + 1 };
	const char *p = rest->p;

	if (rest->n < MORE_AT || p[1] != ' ' || p[MORE_AT - 1] != ' ' ||
	    !is_event(p[0]) || !id_parse((struct str){p + ID_AT, ID_CHARS}, &out->id))
		return false;
	out->event = (enum maildrop_event)p[0];
	*rest = (struct str){p + MORE_AT, rest->n - MORE_AT};
	return true;
}

bool maildrop_line_parse(struct str text, uint64_t uid, struct maildrop_line *out)
{
	struct str rest = text;

	*out = (struct maildrop_line){0};
	/* The others begin with a digit; there are many. */
	if (text.n > 0 && text.p[0] == header[0] && str_starts(text, str_of(header)))
		return parse_header(text, uid, out);
	if (!str_word_u64(&rest, &out->number))
		return false;
	out->event_at = (uint32_t)(rest.p - text.p);
	if (!sum_matches(&text, uid, out->event_at) || out->event_at > text.n)
		return false;
	rest.n = (size_t)(text.p + text.n - rest.p);
	if (!parse_event(&rest, out))
		return false;
	if ((out->event == MAILDROP_ADDED || out->event == MAILDROP_DROPPED) &&
	    !parse_added(&rest, out))
		return false;
	if (out->event == MAILDROP_REMOVED && !parse_key(str_word(&rest), &out->key))
		return false;
	return str_word_u64(&rest, &out->count) && str_u64(rest, &out->octets);
}
