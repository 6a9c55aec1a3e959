/* SPDX-License-Identifier: ISC */
/*
 * lmtp: a conversation in pieces of any size gives the same answers and the same
 * messages as the whole; every committed message has one end, no bare LF, and as
 * many replies as recipients; replies are well-formed lines.
 */
#include "channel/lmtp.h"
#include "mail/received.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct lmtp *s;
	struct buf said, writing, stored;
};

static uint32_t number(struct str s)
{
	uint32_t h = (uint32_t)s.n;

	for (size_t i = 0; i < s.n; i++)
		h = h * 31 + (unsigned char)s.p[i];
	return h;
}

static void commit(struct world *w)
{
	struct dotstream d;

	dotstream_init(&d);
	must(dotstream_feed(&d, buf_str(&w->writing)) == w->writing.n);
	must(d.ended && d.bare_lf == 0);
	must(d.size == lmtp_message(w->s)->size);
	must(d.header_end == lmtp_message(w->s)->header_end);
	buf_put(&w->stored, buf_str(&w->writing));
	must(lmtp_accepted(w->s) > 0);
	for (uint32_t i = lmtp_accepted(w->s); i > 0; i--) {
		must(lmtp_want(w->s) == LMTP_WANT_COMMIT);
		lmtp_answer(w->s,
			    &(struct lmtp_reply){i % 2 ? 250 : 452, "2.0.0", "done"});
	}
	must(lmtp_want(w->s) == LMTP_WANT_RESET);
}

/* answer - done, or refused now and then: by what was said, not by its pieces */
static void answer(struct world *w, uint32_t by)
{
	if (lmtp_want(w->s) == LMTP_WANT_RECIPIENT)
		lmtp_answer(w->s,
			    &(struct lmtp_reply){by % 3 ? 250 : 550, "2.1.5", "judged"});
	else if (by % 5 == 0)
		lmtp_answer(w->s, &(struct lmtp_reply){451, "4.3.0", "cannot"});
	else
		lmtp_done(w->s);
}

static void serve(struct world *w)
{
	for (;;) {
		struct buf *out = lmtp_output(w->s);

		must(!buf_over(out));
		buf_put(&w->said, buf_str(out));
		buf_clear(out);
		switch (lmtp_want(w->s)) {
		case LMTP_WANT_RECIPIENT:
			must(!memchr(lmtp_recipient(w->s).p, '\n',
				     lmtp_recipient(w->s).n));
			answer(w, number(lmtp_recipient(w->s)));
			break;
		case LMTP_WANT_OPEN:
			must(lmtp_accepted(w->s) > 0 && lmtp_accepted(w->s) <= 3);
			must(!memchr(lmtp_sender(w->s).p, '\n', lmtp_sender(w->s).n));
			must(lmtp_ident(w->s).n == 0 || received_is_id(lmtp_ident(w->s)));
			answer(w, number(lmtp_sender(w->s)));
			break;
		case LMTP_WANT_WRITE:
			buf_put(&w->writing, lmtp_data(w->s));
			lmtp_done(w->s);
			break;
		case LMTP_WANT_COMMIT:
			commit(w);
			break;
		case LMTP_WANT_RESET:
			buf_clear(&w->writing);
			lmtp_done(w->s);
			break;
		case LMTP_WANT_TLS:
		case LMTP_WANT_CLIENT:
			lmtp_done(w->s);
			break;
		case LMTP_WANT_INPUT:
		case LMTP_WANT_CLOSE:
			return;
		}
	}
}

static void run(struct world *w, struct str in, size_t largest)
{
	struct lmtp_limits limits = {.message = 500, .recipients = 3, .received = 2};
	uint32_t seed = number(in);

	w->s = lmtp_new(&limits, STR("mx.example.org"));
	lmtp_offer(w->s, true, true);
	buf_init(&w->said, 1 << 22);
	buf_init(&w->writing, 1 << 20);
	buf_init(&w->stored, 1 << 20);
	serve(w);
	while (in.n > 0 && lmtp_want(w->s) == LMTP_WANT_INPUT) {
		seed = seed * 1664525 + 1013904223;
		size_t n = 1 + (seed >> 8) % largest;
		size_t used = lmtp_feed(w->s, (struct str){in.p, n < in.n ? n : in.n});

		must(used > 0 && used <= in.n);
		in = (struct str){in.p + used, in.n - used};
		serve(w);
	}
}

/* Every line is a code, a blank or hyphen, and text without control octets. */
static void well_formed(struct str said)
{
	must(said.n == 0 || str_ends(said, STR("\r\n")));
	while (said.n > 0) {
		struct str line = str_cut(&said, '\n');

		must(line.n > 4 && line.p[line.n - 1] == '\r');
		must(line.p[3] == ' ' || line.p[3] == '-');
		for (size_t i = 0; i + 1 < line.n; i++)
			must(ascii_is_print(line.p[i]));
	}
}

static void end(struct world *w)
{
	buf_fini(&w->said);
	buf_fini(&w->writing);
	buf_fini(&w->stored);
	lmtp_free(&w->s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct world whole, pieces;

	run(&whole, in, SIZE_MAX);
	run(&pieces, in, 9);
	well_formed(buf_str(&whole.said));
	must(str_eq(buf_str(&whole.said), buf_str(&pieces.said)));
	must(str_eq(buf_str(&whole.stored), buf_str(&pieces.stored)));
	must(lmtp_want(whole.s) == lmtp_want(pieces.s));
	end(&whole);
	end(&pieces);
	return 0;
}
