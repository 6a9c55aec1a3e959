/* SPDX-License-Identifier: ISC */
/*
 * verdict - asks whether recipients may be accepted, as an MTA does
 *
 *   verdict speak=policy address=127.0.0.1:10040 connections=10 users=1000 seconds=10
 *   verdict speak=socketmap ...
 *   verdict speak=milter address=127.0.0.1:8891 ...
 *
 * A turn is one recipient.  Connections are kept, as Postfix keeps them; a milter is told of
 * a new message after every MILTER_RECIPIENTS recipients.  With known=yes every answer has to
 * accept, with known=no none may.
 *
 * Times: turn  from when it was due to the answer
 */
#include "t/bench/lib/load.h"

#include <arpa/inet.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { TIME_TURN, MILTER_RECIPIENTS = 100, ANSWER_MAX = 4096 };

/* What we need not tell of: all but the envelope. */
#define MILTER_LEFT_OUT                                                    \
	(SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOUNKNOWN | \
	 SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY)

struct slot {
	struct load_slot base;
	unsigned waits; /* answers that are to come */
	uint64_t asked; /* on this connection */
};

enum answer { ANSWER_MORE, ANSWER_YES, ANSWER_NO, ANSWER_BROKEN };

struct tongue {
	const char *name;
	void (*ask)(struct slot *s, struct buf *out);
	/* Sets *n to the length of the answer, where it is all there. */
	enum answer (*answer)(struct str in, size_t *n);
};

static const char *speak = "policy";
static bool known = true;
static const struct tongue *tongue;

static const struct option_row options[] = {
	/* clang-format off */
	{"speak", OPTION_TEXT, &speak, "policy, socketmap or milter"},
	{"known", OPTION_YES,  &known, "yes: every recipient is to be accepted; no: none"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

static void put_recipient(const struct slot *s, struct buf *out)
{
	load_put_name(out, load_user(s->base.number));
}

/* ---- policy ------------------------------------------------------------------------ */

static void policy_ask(struct slot *s, struct buf *out)
{
	buf_put(out, STR("request=smtpd_access_policy\nprotocol_state=RCPT\n"
			 "protocol_name=ESMTP\nclient_address=192.0.2.1\n"
			 "client_name=client.example.com\nhelo_name=client.example.com\n"
			 "sender=sender@example.com\nsize=8192\nrecipient="));
	put_recipient(s, out);
	buf_put(out, STR("\n\n"));
	s->waits++;
}

static enum answer policy_answer(struct str in, size_t *n)
{
	const char *end = memmem(in.p, in.n, "\n\n", 2);

	if (end == NULL)
		return in.n < ANSWER_MAX ? ANSWER_MORE : ANSWER_BROKEN;
	*n = (size_t)(end - in.p) + 2;
	if (!str_starts(in, STR("action=")))
		return ANSWER_BROKEN;
	return str_starts(in, STR("action=DUNNO\n")) ? ANSWER_YES : ANSWER_NO;
}

/* ---- socketmap --------------------------------------------------------------------- */

static void socketmap_ask(struct slot *s, struct buf *out)
{
	struct buf key;

	buf_init(&key, 512);
	buf_put(&key, STR("virtual_mailbox_maps "));
	put_recipient(s, &key);
	buf_printf(out, "%zu:%s,", key.n, buf_cstr(&key));
	buf_fini(&key);
	s->waits++;
}

static enum answer socketmap_answer(struct str in, size_t *n)
{
	struct str rest = in, digits = str_cut(&rest, ':');
	uint32_t octets;

	if (digits.n == in.n)
		return in.n < 8 ? ANSWER_MORE : ANSWER_BROKEN;
	if (!str_u32(digits, &octets) || octets > ANSWER_MAX)
		return ANSWER_BROKEN;
	if (rest.n < octets + 1)
		return ANSWER_MORE;
	*n = digits.n + 1 + octets + 1;
	return str_starts(rest, STR("OK ")) ? ANSWER_YES : ANSWER_NO;
}

/* ---- milter ------------------------------------------------------------------------- */

static void put_u32(struct buf *out, uint32_t n)
{
	uint32_t net = htonl(n);

	buf_put(out, (struct str){(const char *)&net, sizeof net});
}

static void put_packet(struct buf *out, char command, struct str body)
{
	put_u32(out, (uint32_t)body.n + 1);
	buf_putc(out, command);
	buf_put(out, body);
}

static void put_negotiation(struct buf *out)
{
	put_u32(out, 13);
	buf_putc(out, SMFIC_OPTNEG);
	put_u32(out, 6); /* the version of Sendmail 8.14 and later */
	put_u32(out, 0);
	put_u32(out, MILTER_LEFT_OUT);
}

static void milter_ask(struct slot *s, struct buf *out)
{
	struct buf recipient;

	if (s->asked == 0) {
		put_negotiation(out);
		s->waits++;
	}
	if (s->asked % MILTER_RECIPIENTS == 0) {
		if (s->asked > 0)
			put_packet(out, SMFIC_ABORT, STR(""));
		put_packet(out, SMFIC_MAIL, STR("<sender@example.com>\0"));
		s->waits++;
	}
	buf_init(&recipient, 512);
	buf_putc(&recipient, '<');
	put_recipient(s, &recipient);
	buf_put(&recipient, STR(">\0"));
	put_packet(out, SMFIC_RCPT, buf_str(&recipient));
	buf_fini(&recipient);
	s->waits++;
}

static enum answer milter_answer(struct str in, size_t *n)
{
	uint32_t octets, left_out;

	if (in.n < sizeof octets)
		return ANSWER_MORE;
	memcpy(&octets, in.p, sizeof octets);
	octets = ntohl(octets);
	if (octets == 0 || octets > ANSWER_MAX)
		return ANSWER_BROKEN;
	*n = sizeof octets + octets;
	if (in.n < *n)
		return ANSWER_MORE;
	switch (in.p[4]) {
	case SMFIR_CONTINUE:
		return ANSWER_YES;
	case SMFIC_OPTNEG:
		/* We say nothing of the connection, so it must not want to hear of it. */
		if (octets < 13)
			return ANSWER_BROKEN;
		memcpy(&left_out, in.p + 13, sizeof left_out);
		return ntohl(left_out) == MILTER_LEFT_OUT ? ANSWER_YES : ANSWER_BROKEN;
	default:
		return ANSWER_NO;
	}
}

/* ---- the run -------------------------------------------------------------------------- */

static const struct tongue tongues[] = {
	{"policy", policy_ask, policy_answer},
	{"socketmap", socketmap_ask, socketmap_answer},
	{"milter", milter_ask, milter_answer},
};

static void begin(struct load_slot *base)
{
	struct slot *s = (struct slot *)base;

	if (base->link.state == LINK_CLOSED) {
		s->waits = 0;
		s->asked = 0;
		load_open(base);
	}
	if (base->link.state == LINK_CLOSED)
		return;
	tongue->ask(s, &base->link.out);
	s->asked++;
}

static size_t input(struct link *l, struct str in)
{
	struct slot *s = (struct slot *)l;
	size_t taken = 0, n = 0;

	while (l->state == LINK_OPEN && taken < in.n) {
		struct str rest = {in.p + taken, in.n - taken};
		enum answer a = tongue->answer(rest, &n);

		if (a == ANSWER_MORE)
			break;
		taken += n;
		/* What is not about a recipient is always to be answered yes. */
		if (a == ANSWER_BROKEN || s->waits == 0 ||
		    (a == ANSWER_YES) != (known || s->waits > 1)) {
			load_failed(&s->base, speak, rest);
		} else if (--s->waits == 0) {
			load_timed_turn(&s->base, TIME_TURN);
			load_done(&s->base);
		}
	}
	return taken;
}

int main(int argc, char **argv)
{
	static const struct load_kind kind = {
		.what = "verdict",
		.times = {[TIME_TURN] = "turn"},
		.slot_size = sizeof(struct slot),
		.begin = begin,
		.input = input,
	};

	options_read(argc, argv, options, load_options);
	for (size_t i = 0; i < countof(tongues); i++)
		if (strcmp(tongues[i].name, speak) == 0)
			tongue = &tongues[i];
	if (tongue == NULL) {
		fprintf(stderr, "not understood: speak=%s\n", speak);
		return EX_USAGE;
	}
	return load_run(&kind);
}
