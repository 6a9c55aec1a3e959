/* SPDX-License-Identifier: ISC */
#include "submit/session.h"

#include "lib/conn.h"
#include "lib/log.h"
#include "lib/settings.h"
#include "mail/order.h"

#include <errno.h>
#include <unistd.h>

enum {
	/* What the delivery agent puts before a message of the largest size. */
	TOP_OCTETS = 65536,
	/* It comes from a process of ours, out of a file. */
	RECEIVE_MS = 120000,
};

struct session {
	const struct settings *set;
	struct conn *c;
	struct order *order;
	int file;
};

static int write_piece(const struct session *s, struct str piece, struct err *e)
{
	while (piece.n > 0) {
		ssize_t n = write(s->file, piece.p, piece.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write file for sendmail");
		piece = (struct str){piece.p + n, piece.n - (size_t)n};
	}
	return 0;
}

/* receive - all of it; what cannot be written any more is read to its end, so that the
 * asker hears why */
static int receive(struct session *s, struct err *e)
{
	int rc = 0, written = 0;

	while (rc == 0 && order_state(s->order) != ORDER_WHOLE) {
		struct str in, piece;

		rc = conn_input(s->c, &in, e);
		if (rc < 0)
			break;
		conn_consume(s->c, order_feed(s->order, in, &piece));
		if (order_state(s->order) == ORDER_BROKEN)
			rc = err_set(e, ERR_PEER, "", "not an order to mail something");
		else if (written == 0)
			written = write_piece(s, piece, e);
	}
	if (rc < 0)
		return -1;
	if (written == 0 && lseek(s->file, 0, SEEK_SET) < 0)
		written = err_sys(e, "rewind file for sendmail");
	return written;
}

static void answer(struct session *s, int rc, const struct err *why)
{
	struct err ignored;
	struct buf out;

	buf_init(&out, ORDER_ANSWER_MAX);
	order_put_answer(&out, rc, why);
	/* Who has gone away meanwhile takes it for a failure. */
	(void)!conn_write(s->c, buf_str(&out), false, &ignored);
	buf_fini(&out);
}

static void mail(struct session *s)
{
	struct submit run = {0};
	struct err e = {0};
	int rc = receive(s, &e);

	if (rc < 0 && e.class == ERR_PEER) {
		log_event(LOG_LV_WARN, "submit.order.broken", kv_err(&e));
		return;
	}
	if (rc == 0) {
		order_submit(s->order, &run);
		run.program = s->set->sendmail;
		rc = submit_file(&run, s->file, &e);
	}
	answer(s, rc, &e);
}

void submit_session(const struct settings *set, struct conn *c)
{
	struct session s = {.set = set, .c = c};
	struct err e;

	s.file = submit_open(&e);
	conn_busy(c, true);
	conn_deadline(c, RECEIVE_MS);
	if (s.file < 0) {
		answer(&s, -1, &e);
		return;
	}
	s.order = order_new(set->lmtp.max_message + TOP_OCTETS);
	mail(&s);
	order_free(&s.order);
	close(s.file);
}
