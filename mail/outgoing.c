/* SPDX-License-Identifier: ISC */
#include "mail/outgoing.h"

#include "lib/conn.h"
#include "lib/handoff.h"
#include "mail/order.h"
#include "mail/plain.h"

#include <string.h>

struct sending {
	struct conn c;
	struct buf out;
};

static int flush(struct sending *x, bool more, struct err *e)
{
	int rc = conn_write(&x->c, buf_str(&x->out), more, e);

	buf_clear(&x->out);
	return rc;
}

static int write_piece(void *ctx, struct str octets, struct err *e)
{
	struct sending *x = ctx;

	if (octets.n == 0)
		return 0; /* that would be the end */
	order_put_piece(&x->out, octets);
	return flush(x, true, e);
}

static int send_order(struct sending *x, const struct submit *s, struct err *e)
{
	struct plain_copy copy = {s->read, s->ctx, write_piece, x};

	order_put_envelope(&x->out, s);
	if (buf_over(&x->out))
		return err_set(e, ERR_PERM, "5.5.3",
			       "envelope is too large to be mailed");
	if (flush(x, true, e) < 0 || plain_copy(&copy, e) < 0)
		return -1;
	order_put_piece(&x->out, STR(""));
	return flush(x, false, e);
}

static int receive_answer(struct conn *c, struct err *e)
{
	struct buf line;
	struct str in = {"", 0};
	int rc = 0;

	buf_init(&line, ORDER_ANSWER_MAX);
	while (rc == 0 && memchr(buf_cstr(&line), '\n', line.n) == NULL) {
		rc = buf_over(&line) ? err_set(e, ERR_TEMP, "4.3.0", "answer too long")
				     : conn_input(c, &in, e);
		if (rc == 0) {
			buf_put(&line, in);
			conn_consume(c, in.n);
		}
	}
	if (rc == 0) {
		in = buf_str(&line);
		rc = order_answer(str_cut(&in, '\n'), e);
	}
	buf_fini(&line);
	return rc;
}

/* mail - what fails on the way there is our trouble, whatever it is */
static int mail(struct sending *x, const struct submit *s, struct err *e)
{
	int rc = send_order(x, s, e);

	if (rc == 0)
		rc = receive_answer(&x->c, e);
	if (rc < 0 && e->class == ERR_PEER) {
		struct err why = *e;

		return err_set(e, ERR_TEMP, "4.3.0", "popstore-submitd: %s", why.text);
	}
	return rc;
}

int outgoing_mail(int channel, const struct submit *s, struct err *e)
{
	struct sending x;
	uint32_t patience = s->timeout_ms + OUTGOING_SLACK_MS;
	int fd, rc;

	if (submit_check(s, e) < 0)
		return -1;
	if (channel < 0)
		return err_set(e, ERR_TEMP, "4.3.5",
			       "nobody mails: popstore-submitd is started by popstored");
	fd = handoff_ask(channel, STR(""), 0, e);
	if (fd < 0)
		return -1;
	conn_open(&x.c, fd, patience);
	conn_deadline(&x.c, patience);
	buf_init(&x.out, order_envelope_max(s) + ORDER_PIECE + 4);
	rc = mail(&x, s, e);
	buf_fini(&x.out);
	conn_close(&x.c);
	return rc;
}
