/* SPDX-License-Identifier: ISC */
#include "mail/plain.h"

#include "lib/buf.h"
#include "mail/dotstream.h"

enum { PIECE = 16384 };

/* The stored form being turned into what sendmail(1) reads. */
struct plain {
	struct dotstream watch;
	bool line_start, cr;
	struct buf out;
};

/*
 * unstuff - one octet of the stored form
 *
 * A CR is held back until it is known whether an LF follows; the dot at the
 * start of a line is the stuffing's, or the end's, and goes in both cases.
 */
static void unstuff(struct plain *p, char c)
{
	if (p->line_start && c == '.') {
		p->line_start = false;
		return;
	}
	p->line_start = p->cr && c == '\n';
	if (p->cr && c != '\n')
		buf_putc(&p->out, '\r');
	p->cr = c == '\r';
	if (!p->cr)
		buf_putc(&p->out, c);
}

/* convert - octets that belong to the message; the end's own are left out */
static void convert(struct plain *p, struct str in)
{
	size_t n = dotstream_feed(&p->watch, in);

	for (size_t i = 0; i < n; i++) {
		if (p->watch.ended && i + 1 == n)
			return; /* the LF of CRLF.CRLF; its dot and CR were not put */
		unstuff(p, in.p[i]);
	}
}

int plain_copy(const struct plain_copy *c, struct err *e)
{
	struct plain p = {.line_start = true};
	char piece[PIECE / 4];
	uint64_t at = 0;
	int rc = 0;

	dotstream_init(&p.watch);
	buf_init(&p.out, PIECE);
	while (rc == 0 && !p.watch.ended) {
		size_t got = 0;

		rc = c->read(c->from, at, piece, sizeof piece, &got, e);
		if (rc == 0 && got == 0)
			rc = err_set(e, ERR_TEMP, "4.3.0", "message has no end");
		if (rc == 0) {
			convert(&p, (struct str){piece, got});
			rc = c->write(c->to, buf_str(&p.out), e);
			buf_clear(&p.out);
			at += got;
		}
	}
	buf_fini(&p.out);
	return rc;
}
