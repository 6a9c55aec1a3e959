/* SPDX-License-Identifier: ISC */
/*
 * The first octets make a maildrop and its troubles, the rest is what its owner
 * sends.  In pieces and whole it must be answered alike; deleted messages must be
 * the ones that a QUIT would remove; what goes out for a message must be a prefix
 * of the message.
 */
#include "popd/pop3.h"

#include <string.h>

enum { MESSAGES = 4, SETUP = 1 + MESSAGES };

static const char STORED[] = "Subject: x\r\n\r\none\r\n..\r\nthree\r\n.\r\n";
#define HEADER_END 14

struct talk {
	struct pop3 *s;
	struct maildrop_entry entries[MESSAGES];
	const uint8_t *trouble; /* one for each message */
	struct buf said;
};

static void keep_output(struct talk *t)
{
	struct str out = pop3_output(t->s);

	must(out.n < 40000);
	buf_put(&t->said, out);
	pop3_written(t->s);
}

static void open_message(struct talk *t)
{
	size_t i = pop3_message(t->s);
	struct pop3_body body = {STR("X: trace\r\n"), sizeof STORED - 1,
				 t->trouble[i] & 8 ? 0 : HEADER_END, t->trouble[i] & 4};

	must(i < MESSAGES && !t->entries[i].removed);
	if (t->trouble[i] & 1)
		pop3_not_opened(t->s, t->trouble[i] & 2);
	else
		pop3_opened(t->s, &body);
}

static void send_body(struct talk *t)
{
	keep_output(t);
	if (t->trouble[pop3_message(t->s)] & 16) {
		pop3_cut(t->s);
		return;
	}
	buf_put(&t->said, str_of(STORED));
	pop3_body_sent(t->s);
}

static void read_part(struct talk *t)
{
	struct pop3_part part = pop3_part(t->s);

	must(part.n > 0 && part.offset + part.n <= sizeof STORED - 4);
	if (t->trouble[pop3_message(t->s)] & 16)
		pop3_part_failed(t->s);
	else
		pop3_part_read(t->s, (struct str){STORED + part.offset, part.n});
}

/* step - false when it needs input or is over */
static bool step(struct talk *t)
{
	switch (pop3_want(t->s)) {
	case POP3_WANT_INPUT:
	case POP3_WANT_CLOSE:
		return false;
	case POP3_WANT_WRITE:
		keep_output(t);
		return true;
	case POP3_WANT_OPEN:
		open_message(t);
		return true;
	case POP3_WANT_BODY:
		send_body(t);
		return true;
	case POP3_WANT_PART:
		read_part(t);
		return true;
	case POP3_WANT_COMMIT:
		must(pop3_counts(t->s).quit);
		pop3_committed(t->s, !(t->trouble[0] & 32));
		return true;
	}
	return false;
}

static void run(struct talk *t, const uint8_t *setup, struct str in, size_t piece)
{
	struct capa capa = {.plaintext = true, .login_delay_s = 60};
	size_t n = setup[0] % (MESSAGES + 1);

	*t = (struct talk){.trouble = setup + 1};
	for (size_t i = 0; i < MESSAGES; i++) {
		t->entries[i].id = i;
		t->entries[i].size = i * 1000;
	}
	buf_init(&t->said, 16 << 20);
	t->s = pop3_new(&capa, t->entries, n);
	for (;;) {
		while (step(t))
			;
		if (pop3_want(t->s) == POP3_WANT_CLOSE || in.n == 0)
			break;
		size_t used =
			pop3_feed(t->s, (struct str){in.p, in.n < piece ? in.n : piece});

		must(used > 0 && used <= in.n);
		in = (struct str){in.p + used, in.n - used};
	}
	keep_output(t);
	for (size_t i = n; i < MESSAGES; i++)
		must(!t->entries[i].removed && !t->entries[i].seen);
}

static void end(struct talk *t)
{
	pop3_free(&t->s);
	buf_fini(&t->said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < SETUP)
		return 0;

	struct str in = {(const char *)data + SETUP, size - SETUP};
	struct talk whole, pieces;

	run(&whole, data, in, SIZE_MAX);
	run(&pieces, data, in, data[0] / 8 + 1u);
	must(str_eq(buf_str(&whole.said), buf_str(&pieces.said)));
	for (size_t i = 0; i < MESSAGES; i++)
		must(whole.entries[i].removed == pieces.entries[i].removed);
	end(&whole);
	end(&pieces);
	return 0;
}
