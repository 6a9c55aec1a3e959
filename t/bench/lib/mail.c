/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/mail.h"

#include "mail/date.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define END ".\r\n"

enum { HEADER_ABOUT = 560, LINE = 76, DOTTED = 20 };

/* put_line - line `i` of the body: letters that hardly repeat; one in DOTTED is stuffed */
static void put_line(struct buf *out, uint64_t i, uint64_t octets)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t x = i * UINT64_C(0x9e3779b97f4a7c15) + 1;

	if (i % DOTTED == DOTTED - 1)
		buf_put(out, STR(".."));
	for (uint64_t n = 0; n < octets; n++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_putc(out, letters[x % 64]);
	}
	buf_put(out, STR("\r\n"));
}

void mail_init(struct mail *m, uint64_t octets)
{
	uint64_t wanted = octets > HEADER_ABOUT + 2 ? octets - HEADER_ABOUT : 2;

	buf_init(&m->body, wanted + 2 * LINE);
	for (uint64_t i = 0; m->body.n < wanted; i++) {
		uint64_t left = wanted - m->body.n;

		put_line(&m->body, i, left >= LINE + 2 ? LINE : left > 2 ? left - 2 : 0);
	}
	m->sum = XXH3_64bits(m->body.p, m->body.n);
	buf_put(&m->body, STR(END));
	must(!buf_over(&m->body));
}

void mail_fini(struct mail *m)
{
	buf_fini(&m->body);
}

void mail_put_header(const struct mail *m, uint64_t number, struct str to,
		     struct buf *out)
{
	unsigned long long unique = ((unsigned long long)getpid() << 40) + number;
	struct buf date;

	buf_init(&date, 64);
	date_rfc5322(&date, (uint64_t)time(NULL) * 1000);
	buf_printf(
		out,
		"Received: from client.example.com (client.example.com [192.0.2.1])\r\n"
		"\tby " MAIL_HOST " (Postfix) with ESMTP id %llX\r\n"
		"\tfor <" STR_FMT ">; %s\r\n"
		"From: A Sender <sender@example.com>\r\nTo: <" STR_FMT ">\r\n"
		"Subject: Message %llu of a benchmark\r\nDate: %s\r\n"
		"Message-ID: <%llx@client.example.com>\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
		"X-Bench: %llu %016llx\r\n\r\n",
		unique, STR_ARG(to), buf_cstr(&date), STR_ARG(to),
		(unsigned long long)number, buf_cstr(&date), unique,
		(unsigned long long)(m->body.n - strlen(END)),
		(unsigned long long)m->sum);
	buf_fini(&date);
}

/* ---- received -------------------------------------------------------------------- */

void mail_check_begin(struct mail_check *c)
{
	c->state = MAIL_HEADER;
	c->octets = 0;
	c->known = false;
	XXH3_64bits_reset(&c->hash);
}

static void header_line(struct mail_check *c, struct str line)
{
	struct str sum = line, octets;

	if (line.n == 0) {
		c->state = c->known ? MAIL_BODY : MAIL_WRONG;
	} else if (str_starts(line, STR("X-Bench: "))) {
		str_word(&sum);
		octets = str_word(&sum);
		c->known = str_u64(octets, &c->left) && str_hex64(sum, &c->sum);
	}
}

static size_t feed_header(struct mail_check *c, struct str in)
{
	const char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : 0;

	if (n == 0)
		return 0;
	if (n < 2 || in.p[n - 2] != '\r')
		c->state = MAIL_WRONG;
	else
		header_line(c, (struct str){in.p, n - 2});
	c->octets += n;
	return n;
}

static size_t feed_body(struct mail_check *c, struct str in)
{
	size_t n = in.n < c->left ? in.n : (size_t)c->left;

	XXH3_64bits_update(&c->hash, in.p, n);
	c->left -= n;
	c->octets += n;
	if (c->left == 0)
		c->state = XXH3_64bits_digest(&c->hash) == c->sum ? MAIL_END : MAIL_WRONG;
	return n;
}

static size_t feed_end(struct mail_check *c, struct str in)
{
	if (in.n < strlen(END))
		return 0;
	c->state = str_starts(in, STR(END)) ? MAIL_WHOLE : MAIL_WRONG;
	return strlen(END);
}

size_t mail_check_feed(struct mail_check *c, struct str in)
{
	static size_t (*const feed[])(struct mail_check *, struct str) = {
		[MAIL_HEADER] = feed_header,
		[MAIL_BODY] = feed_body,
		[MAIL_END] = feed_end,
	};
	size_t taken = 0;

	while (c->state < MAIL_WHOLE) {
		size_t n = feed[c->state](c, (struct str){in.p + taken, in.n - taken});

		taken += n;
		if (n == 0)
			break;
	}
	return taken;
}
