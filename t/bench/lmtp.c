/* SPDX-License-Identifier: ISC */
/*
 * lmtp - delivers messages over LMTP, as fast as it goes or at a fixed rate
 *
 *   lmtp address=127.0.0.1:24 connections=10 recipients=100 octets=8K seconds=10
 *
 * A turn is one message.  As Postfix does, the envelope is sent at once (PIPELINING), the
 * message when it is asked for, and the connection is used again.  Every recipient has to
 * be answered 250, or the turn is an error.
 *
 * Times: envelope  from MAIL to the answer of DATA
 *        reply     from the first octet of the message to the last recipient's answer
 *        turn      all of it, from when it was due
 */
#include "t/bench/lib/load.h"
#include "t/bench/lib/mail.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { TIME_ENVELOPE, TIME_REPLY, TIME_TURN };

static uint64_t octets = 8192, recipients = 1;
static struct mail mail;

static const struct option_row options[] = {
	/* clang-format off */
	{"octets",     OPTION_NUMBER, &octets,     "of a message, with its header"},
	{"recipients", OPTION_NUMBER, &recipients, "of a message"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

struct slot {
	struct load_slot base;
	enum { GREETING, LHLO, IDLE, MAIL, RCPT, DATA, REPLY } state;
	uint64_t answers; /* that have come in this state */
};

static void enter(struct slot *s, int state)
{
	s->state = state;
	s->answers = 0;
}

static void put_first_recipient(const struct slot *s, struct buf *out)
{
	load_put_name(out, load_user(s->base.number * recipients));
}

static void send_envelope(struct slot *s)
{
	struct buf *out = &s->base.link.out;

	buf_put(out, STR("MAIL FROM:<sender@example.com>\r\n"));
	for (uint64_t i = 0; i < recipients; i++) {
		buf_put(out, STR("RCPT TO:<"));
		load_put_name(out, load_user(s->base.number * recipients + i));
		buf_put(out, STR(">\r\n"));
	}
	buf_put(out, STR("DATA\r\n"));
	load_mark(&s->base);
	enter(s, MAIL);
}

static void send_message(struct slot *s)
{
	struct buf to;

	buf_init(&to, 256);
	put_first_recipient(s, &to);
	mail_put_header(&mail, s->base.number, buf_str(&to), &s->base.link.out);
	buf_fini(&to);
	s->base.link.body = buf_str(&mail.body);
	load_mark(&s->base);
	enter(s, REPLY);
}

static void begin(struct load_slot *base)
{
	struct slot *s = (struct slot *)base;

	if (base->link.state == LINK_OPEN) {
		send_envelope(s);
	} else {
		enter(s, GREETING);
		load_open(base);
	}
}

/* answer - the last line of an answer that is as it has to be */
static void answer(struct slot *s)
{
	s->answers++;
	switch (s->state) {
	case GREETING:
		buf_put(&s->base.link.out, STR("LHLO " MAIL_HOST "\r\n"));
		enter(s, LHLO);
		break;
	case LHLO:
		send_envelope(s);
		break;
	case MAIL:
		enter(s, RCPT);
		break;
	case RCPT:
		if (s->answers == recipients)
			enter(s, DATA);
		break;
	case DATA:
		load_timed(&s->base, TIME_ENVELOPE);
		send_message(s);
		break;
	case REPLY:
		if (s->answers < recipients)
			break;
		load_timed(&s->base, TIME_REPLY);
		load_timed_turn(&s->base, TIME_TURN);
		load_octets(&s->base, mail.body.n);
		enter(s, IDLE);
		load_done(&s->base);
		break;
	case IDLE:
		break;
	}
}

static size_t input(struct link *l, struct str in)
{
	static const char first[] = {[GREETING] = '2', [LHLO] = '2', [MAIL] = '2',
				     [RCPT] = '2',     [DATA] = '3', [REPLY] = '2'};
	struct slot *s = (struct slot *)l;
	size_t taken = 0;
	const char *lf;

	while (l->state == LINK_OPEN &&
	       (lf = memchr(in.p + taken, '\n', in.n - taken)) != NULL) {
		struct str line = {in.p + taken, (size_t)(lf - in.p) + 1 - taken};

		taken += line.n;
		if (line.n < 4 || line.p[0] != first[s->state])
			load_failed(&s->base, "LMTP", line);
		else if (line.p[3] != '-')
			answer(s);
	}
	return taken;
}

int main(int argc, char **argv)
{
	static const struct load_kind kind = {
		.what = "lmtp",
		.times = {"envelope", "reply", "turn"},
		.slot_size = sizeof(struct slot),
		.begin = begin,
		.input = input,
	};
	int status;

	options_read(argc, argv, options, load_options);
	mail_init(&mail, octets);
	status = load_run(&kind);
	mail_fini(&mail);
	return status;
}
