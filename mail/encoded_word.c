/* SPDX-License-Identifier: ISC */
#include "mail/encoded_word.h"

#include "lib/base64.h"
#include "mail/charset.h"
#include "mail/transfer.h"

#include <string.h>

struct word {
	struct str charset, text;
	bool base64;
};

/* take_until - up to the next `?` within a word: no blanks, no controls */
static bool take_until(struct str *rest, struct str *out)
{
	for (size_t i = 0; i < rest->n && rest->p[i] != ' ' && rest->p[i] != '\t'; i++) {
		if (rest->p[i] != '?')
			continue;
		*out = (struct str){rest->p, i};
		*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
		return true;
	}
	return false;
}

/* take_text - up to "?="; a blank is let pass, as some senders write them.  Looks no
 * further than the next "?", so that a field of beginnings is read once. */
static bool take_text(struct str *rest, struct str *out)
{
	const char *mark = memchr(rest->p, '?', rest->n);
	size_t n = mark ? (size_t)(mark - rest->p) : rest->n;

	if (n + 2 > rest->n || rest->p[n + 1] != '=')
		return false;
	*out = (struct str){rest->p, n};
	*rest = (struct str){mark + 2, rest->n - n - 2};
	return true;
}

/* take_word - `rest` begins with "=?" */
static bool take_word(struct str *rest, struct word *w)
{
	struct str in = {rest->p + 2, rest->n - 2}, encoding;

	if (!take_until(&in, &w->charset) || !take_until(&in, &encoding) ||
	    encoding.n != 1 || w->charset.n == 0 || !take_text(&in, &w->text))
		return false;
	w->charset = str_cut(&w->charset, '*');
	w->base64 = ascii_lower(encoding.p[0]) == 'b';
	if (!w->base64 && ascii_lower(encoding.p[0]) != 'q')
		return false;
	*rest = in;
	return true;
}

/* put_octets - of one word: "_" is a blank in Q */
static void put_octets(const struct word *w, struct buf *octets)
{
	size_t from = octets->n;

	if (w->base64) {
		transfer_decode(TRANSFER_BASE64, w->text, octets);
		return;
	}

	struct buf q;

	buf_init(&q, w->text.n);
	buf_put(&q, w->text);
	for (size_t i = 0; i < q.n; i++)
		if (q.p[i] == '_')
			q.p[i] = ' ';
	/* A blank at the end is text here, and a "=" begins no soft break. */
	size_t blanks = 0;

	while (blanks < q.n && q.p[q.n - 1 - blanks] == ' ')
		blanks++;
	transfer_decode(TRANSFER_QP, (struct str){q.p ? q.p : "", q.n - blanks}, octets);
	must(octets->n >= from);
	for (; blanks > 0; blanks--)
		buf_putc(octets, ' ');
	buf_fini(&q);
}

static struct str skip_blanks(struct str s)
{
	while (s.n > 0 && ascii_is_blank(s.p[0]))
		s = (struct str){s.p + 1, s.n - 1};
	return s;
}

static bool begins_word(struct str s)
{
	return str_starts(s, STR("=?"));
}

/* put_run - a word and those that follow it with nothing but blanks between */
static bool put_run(struct str *rest, struct buf *out)
{
	struct word w, next;
	struct buf octets;

	if (!take_word(rest, &w))
		return false;
	buf_init(&octets, out->max);
	put_octets(&w, &octets);
	for (;;) {
		struct str behind = skip_blanks(*rest);

		if (!begins_word(behind) || !take_word(&behind, &next))
			break;
		if (!str_ieq(w.charset, next.charset)) {
			charset_decode(w.charset, buf_str(&octets), out);
			buf_clear(&octets);
		}
		w = next;
		put_octets(&w, &octets);
		*rest = behind;
	}
	charset_decode(w.charset, buf_str(&octets), out);
	buf_fini(&octets);
	return true;
}

void encoded_word_decode(struct str text, struct buf *out)
{
	while (text.n > 0) {
		const char *at = memmem(text.p, text.n, "=?", 2);
		size_t plain = at ? (size_t)(at - text.p) : text.n;

		charset_repair((struct str){text.p, plain}, out);
		text = (struct str){text.p + plain, text.n - plain};
		if (at == NULL || put_run(&text, out))
			continue;
		buf_put(out, STR("=?"));
		text = (struct str){text.p + 2, text.n - 2};
	}
}

/* ---- encoding ---------------------------------------------------------------------- */

enum { LINE = 76, WORD = 45 }; /* octets of text that a word has room for */

static char visible(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
}

/* put_folded - ASCII: a line may end before a blank */
static void put_folded(struct str text, size_t used, struct buf *out)
{
	while (text.n > 0) {
		size_t n = 1;

		while (n < text.n && visible(text.p[n]) != ' ')
			n++;
		/* A line of blanks alone would end the header for some readers. */
		if (used > 1 && used + n > LINE && visible(text.p[0]) == ' ' && n > 1) {
			buf_put(out, STR("\r\n"));
			used = 0;
		}
		for (size_t i = 0; i < n; i++)
			buf_putc(out, visible(text.p[i]));
		used += n;
		text = (struct str){text.p + n, text.n - n};
	}
}

/* take_characters - as many as a word has room for */
static struct str take_characters(struct str *text, size_t max)
{
	size_t n = text->n < max ? text->n : max;

	while (n > 0 && n < text->n && ((unsigned char)text->p[n] & 0xc0) == 0x80)
		n--;
	/* What is no UTF-8 goes by octets. */
	if (n == 0)
		n = text->n < max ? text->n : max;

	struct str taken = {text->p, n};

	*text = (struct str){text->p + n, text->n - n};
	return taken;
}

static void put_words(struct str text, size_t used, struct buf *out)
{
	size_t max = used < 30 ? WORD - used : WORD - 30;

	while (text.n > 0) {
		char octets[WORD];
		struct str some = take_characters(&text, max);

		for (size_t i = 0; i < some.n; i++)
			octets[i] = visible(some.p[i]);
		buf_put(out, STR("=?utf-8?b?"));
		base64_encode((struct str){octets, some.n}, out);
		buf_put(out, text.n > 0 ? STR("?=\r\n ") : STR("?="));
		max = WORD;
	}
}

void encoded_word_encode(struct str text, size_t used, struct buf *out)
{
	bool ascii = memmem(text.p, text.n, "=?", 2) == NULL;

	for (size_t i = 0; i < text.n && ascii; i++)
		ascii = (unsigned char)text.p[i] < 0x80;
	if (ascii)
		put_folded(text, used, out);
	else
		put_words(text, used, out);
}
