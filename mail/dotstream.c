/* SPDX-License-Identifier: ISC */
/*
 * The machine, with what each octet does; anything not drawn is text.
 *
 *            .            CR              LF
 *   LINE --> DOT      --> EMPTY_CR    (text)         at the start of a line
 *   DOT      (text)   --> DOT_CR      (text)         the line so far is "."
 *   DOT_CR   (text)       (text)  --> the end        the line so far is ".", CR
 *   EMPTY_CR (text)       (text)  --> LINE           the line so far is CR
 *   TEXT, CR              CR      --> LINE after CR, else bare
 *
 * Only the first octets of a line walk through it one by one; memchr(3) finds
 * the end of the rest.
 */
#include "mail/dotstream.h"

#include <string.h>

enum { LINE, DOT, DOT_CR, EMPTY_CR, TEXT, CR };

static const struct str received = STR_INIT("Received:");

void dotstream_init(struct dotstream *d)
{
	*d = (struct dotstream){.state = LINE};
}

/* watch_field - collects what tells one header field from another */
static void watch_field(struct dotstream *d, const char *p, size_t n)
{
	if (d->field_n == sizeof d->field)
		return;

	size_t room = sizeof d->field - d->field_n;

	n = n < room ? n : room;
	memcpy(d->field + d->field_n, p, n);
	d->field_n += (unsigned)n;
	if (d->field_n == sizeof d->field &&
	    str_ieq((struct str){d->field, sizeof d->field}, received))
		d->received++;
}

/* begins_with_cr - nothing that starts so is a field that we know */
static void begins_with_cr(struct dotstream *d)
{
	d->state = CR;
	d->field_n = sizeof d->field;
}

/* pass_text - up to the next LF; returns how many octets that is */
static size_t pass_text(struct dotstream *d, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t text = lf ? (size_t)(lf - p) : n;
	bool after_cr = text > 0 ? p[text - 1] == '\r' : d->state == CR;

	if (d->header_end == 0)
		watch_field(d, p, text);
	d->state = after_cr ? CR : TEXT;
	if (lf == NULL)
		return text;
	if (after_cr) {
		d->state = LINE;
		d->field_n = 0;
	} else {
		d->bare_lf++;
	}
	return text + 1;
}

/*
 * pass_start - the first octets of a line
 *
 * Returns 1 when `c` had a meaning and is passed, 0 when it is text like any
 * other.  *counts tells whether it is one of RFC 1939's octets.
 */
static size_t pass_start(struct dotstream *d, char c, bool *counts)
{
	*counts = false;
	if (d->state == LINE && c == '.') {
		d->state = DOT;
		return 1;
	}
	if (d->state == DOT && c == '\r') {
		d->state = DOT_CR;
		return 1;
	}
	if (d->state == DOT_CR && c == '\n') {
		d->ended = true;
		return 1;
	}
	if (d->state == DOT_CR) {
		d->size++; /* the CR before was no part of the end */
		begins_with_cr(d);
		return 0;
	}
	*counts = true;
	if (d->state == LINE && c == '\r') {
		d->state = EMPTY_CR;
		return 1;
	}
	if (d->state == EMPTY_CR && c == '\n') {
		d->state = LINE;
		if (d->header_end == 0)
			d->header_end = d->stored + 1;
		return 1;
	}
	if (d->state == EMPTY_CR)
		begins_with_cr(d);
	else
		d->state = TEXT;
	return 0;
}

size_t dotstream_feed(struct dotstream *d, struct str in)
{
	size_t at = 0;

	while (at < in.n && !d->ended) {
		bool counts = true;
		size_t n;

		if (d->state == TEXT || d->state == CR)
			n = pass_text(d, in.p + at, in.n - at);
		else
			n = pass_start(d, in.p[at], &counts);
		d->stored += n;
		d->size += counts ? n : 0;
		at += n;
	}
	return at;
}

/* made - appends octets that we make to the message */
static void made(struct dotstream *d, struct str s, struct buf *out)
{
	buf_put(out, s);
	dotstream_feed(d, s);
}

void dotstream_stuff(struct dotstream *d, struct str in, struct buf *out)
{
	while (in.n > 0) {
		const char *lf = memchr(in.p, '\n', in.n);
		size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n;

		if (d->state == LINE && in.p[0] == '.')
			made(d, STR("."), out);
		made(d, (struct str){in.p, n}, out);
		in.p += n;
		in.n -= n;
	}
}

void dotstream_finish(struct dotstream *d, struct buf *out)
{
	if (d->state != LINE)
		made(d, STR("\r\n"), out);
	made(d, STR(".\r\n"), out);
	must(d->ended);
}
