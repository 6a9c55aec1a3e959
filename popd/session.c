/* SPDX-License-Identifier: ISC */
#include "popd/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/server.h"
#include "popd/pop3.h"
#include "store/account.h"
#include "store/id.h"
#include "store/message_whole.h"
#include "store/standing.h"
#include "store/store.h"

struct session {
	struct store *store;
	struct conn *conn;
	struct account account;
	struct capa capa;
	char *mechanisms; /* of capa */
	struct maildrop *maildrop;
	struct pop3 *pop3;
	/* The one being sent, or the last one: either of the two. */
	struct message_whole *whole;
	struct message *message;
	uint32_t idle_ms;
	struct err end; /* why it ended, for the log */
};

/* What comes after a step. */
enum next { NEXT_STEP, NEXT_WAIT, NEXT_END };

static void log_trouble(const struct session *s, const char *event, const struct err *e)
{
	log_event(LOG_LV_ERROR, event, kv_s("sid", s->conn->sid),
		  kv_s("account", s->account.name.s), kv_err(e));
}

/* ---- the maildrop ------------------------------------------------------------------ */

/* refuse - the answer to PASS when there will be no session.  RFC 1939 s4: a lock
 * that was taken is let go of before. */
static int refuse(struct session *s, struct str reply, const char *why)
{
	maildrop_close(&s->maildrop);
	if (conn_write(s->conn, reply, false, &s->end) < 0)
		return -1;
	return err_set(&s->end, ERR_PEER, "4.0.0", "%s", why);
}

/* wait_s - how long RFC 2449 s6.5 has this client wait; 0 = no longer */
static uint64_t wait_s(const struct session *s)
{
	uint64_t last = maildrop_last_open_ms(s->maildrop);
	uint64_t next = last + s->capa.login_delay_s * 1000;
	uint64_t now = clock_unix_ms();

	/* A clock that was set back must not lock anybody out. */
	if (last > now || now >= next)
		return 0;
	return (next - now + 999) / 1000;
}

/* touch - where it fails, on a disk that went read-only, the next login is not held
 * up; better than a user who cannot read */
static void touch(const struct session *s)
{
	struct err e = {0};

	if (s->capa.login_delay_s > 0 && maildrop_touch(s->maildrop, &e) < 0)
		log_trouble(s, "pop3.touch.failed", &e);
}

/* no_maildrop - when it cannot be opened, now or at all */
static int no_maildrop(struct session *s, const struct err *why)
{
	log_trouble(s, "pop3.maildrop.failed", why);
	if (why->class == ERR_PERM)
		return refuse(s, STR("-ERR [SYS/PERM] there is no maildrop\r\n"),
			      "no maildrop");
	return refuse(s, STR("-ERR [SYS/TEMP] maildrop cannot be opened\r\n"),
		      "no maildrop");
}

/* is_as_judged - the profile is the one that authd has read */
static bool is_as_judged(const struct session *s, const struct handover *h)
{
	struct err ignored;
	uint64_t stamp;
	bool found;

	return h->profile != 0 &&
	       account_stamp(s->store, &s->account.name, &stamp, &found, &ignored) == 0 &&
	       found && stamp == h->profile;
}

/* find_account - of the incarnation that logged in, and not one that was made meanwhile */
static int find_account(struct session *s, const struct handover *h)
{
	struct err e = {0};
	struct name name;
	bool found = false;

	if (name_read(str_of(h->account), &name)) {
		s->account.name = name; /* for the log */
		s->account.uid = h->uid;
		if (is_as_judged(s, h))
			return 0;
		if (account_find(s->store, &name, &s->account, &found, &e) < 0)
			return no_maildrop(s, &e);
	}
	if (found && s->account.uid == h->uid)
		return 0;
	err_set(&e, ERR_PERM, "5.2.1", "the account is not there any more");
	return no_maildrop(s, &e);
}

static int open_maildrop(struct session *s)
{
	struct err e = {0};
	char reply[80];

	if (maildrop_open(s->store, &s->account, &s->maildrop, &e) < 0)
		return no_maildrop(s, &e);
	if (s->maildrop == NULL)
		return refuse(s,
			      STR("-ERR [IN-USE] another session has this maildrop\r\n"),
			      "in use");

	uint64_t wait = wait_s(s);

	if (wait == 0) {
		touch(s);
		return 0;
	}
	snprintf(reply, sizeof reply, "-ERR [LOGIN-DELAY] come back in %" PRIu64 " s\r\n",
		 wait);
	return refuse(s, str_of(reply), "login delay");
}

/* ---- input and output ----------------------------------------------------------------- */

/* answered - the clock runs for a whole command, not for each octet of it */
static void answered(struct session *s)
{
	conn_deadline(s->conn, s->idle_ms);
}

static int flush(struct session *s, bool more)
{
	struct str out = pop3_output(s->pop3);

	if (out.n == 0)
		return 0;
	if (conn_write(s->conn, out, more, &s->end) < 0)
		return -1;
	pop3_written(s->pop3);
	answered(s);
	return 0;
}

static void close_message(struct session *s)
{
	message_whole_free(&s->whole);
	message_close(&s->message);
}

/* read_some - before there is a wait, what is to be said is said */
static enum next read_some(struct session *s)
{
	struct str in;

	close_message(s);
	if (!conn_has_input(s->conn)) {
		if (flush(s, false) < 0)
			return NEXT_END;
		if (server_stopping()) {
			err_set(&s->end, ERR_PEER, "4.3.2", "stopped");
			return NEXT_END;
		}
	}
	if (conn_input_now(s->conn, &in, &s->end) < 0)
		return NEXT_END;
	if (in.n == 0)
		return NEXT_WAIT;
	conn_consume(s->conn, pop3_feed(s->pop3, in));
	return NEXT_STEP;
}

/* ---- messages --------------------------------------------------------------------------- */

static struct maildrop_entry *entry(struct session *s)
{
	return maildrop_entry(s->maildrop, pop3_message(s->pop3));
}

/* is_as_listed - LIST says the size, and TOP ends the header, by the maildrop's line */
static bool is_as_listed(struct session *s, const struct message_info *mi,
			 const struct maildrop_entry *en)
{
	return mi->stored == en->stored && mi->header_end == en->header_end &&
	       mi->size + maildrop_trace(s->maildrop, en).n == en->size;
}

/* open_checked - what is sent after this was stored by us, to the last octet.  That of TOP
 * too, though it means to read all of a message of which little is sent: what is damaged
 * can end the reply where it pleases, and the client takes the rest for the next one. */
static int open_checked(struct session *s, const struct maildrop_entry *en, struct err *e)
{
	close_message(s);
	s->whole = message_whole_read(s->store, en->volume, en->id, en->stored);
	if (s->whole != NULL && is_as_listed(s, message_whole_info(s->whole), en))
		return 0;
	message_whole_free(&s->whole);
	if (message_open(s->store, en->volume, en->id, &s->message, e) < 0)
		return -1;
	if (s->message == NULL)
		return err_set(e, ERR_PERM, "5.3.0", "message %s is missing",
			       id_print(en->id).c);
	if (!is_as_listed(s, message_info(s->message), en))
		return err_set(e, ERR_PERM, "5.3.0",
			       "message %s has not the length that the maildrop says",
			       id_print(en->id).c);
	return message_verify(s->message, e);
}

/* for_now - a shortage passes; what is missing or damaged stays so */
static bool for_now(const struct err *e)
{
	return e->sys == EMFILE || e->sys == ENFILE || e->sys == ENOMEM;
}

static void unreadable(struct session *s, const struct err *e)
{
	log_event(LOG_LV_ERROR, "pop3.message.unreadable", kv_s("sid", s->conn->sid),
		  kv_s("account", s->account.name.s),
		  kv_s("id", id_print(entry(s)->id).c), kv_err(e));
}

static int open_message(struct session *s)
{
	const struct maildrop_entry *en = entry(s);
	struct err e = {0};

	if (open_checked(s, en, &e) < 0) {
		unreadable(s, &e);
		pop3_not_opened(s->pop3, for_now(&e));
		return 0;
	}

	struct pop3_body body = {
		.trace = maildrop_trace(s->maildrop, en),
		.stored = en->stored,
		.header_end = en->header_end,
		.in_parts = s->whole == NULL && message_fd(s->message) < 0,
	};

	pop3_opened(s->pop3, &body);
	return 0;
}

/* send_whole - what was verified, in one piece with what comes before it */
static int send_whole(struct session *s)
{
	struct str all = message_whole_behind(s->whole, pop3_output(s->pop3));

	if (all.n == 0) {
		if (flush(s, true) < 0)
			return -1;
		all = message_whole_octets(s->whole);
	}
	if (conn_write(s->conn, all, false, &s->end) < 0)
		return -1;
	pop3_written(s->pop3);
	return 0;
}

static int send_file(struct session *s)
{
	const struct message_info *mi = message_info(s->message);

	if (flush(s, true) < 0)
		return -1;
	if (conn_sendfile(s->conn, message_fd(s->message), (off_t)mi->body, mi->stored,
			  &s->end) < 0) {
		if (s->end.class != ERR_PEER)
			unreadable(s, &s->end);
		return -1;
	}
	return 0;
}

static int send_body(struct session *s)
{
	if ((s->whole != NULL ? send_whole(s) : send_file(s)) < 0)
		return -1;
	pop3_body_sent(s->pop3);
	answered(s);
	return 0;
}

static int read_part(struct session *s)
{
	struct pop3_part part = pop3_part(s->pop3);
	char octets[POP3_PART_MAX];
	struct err e = {0};
	size_t got;

	if (s->whole != NULL) {
		struct str all = message_whole_octets(s->whole);

		must(part.offset + part.n <= all.n);
		pop3_part_read(s->pop3, (struct str){all.p + part.offset, part.n});
		return 0;
	}
	if (message_read(s->message, part.offset, octets, part.n, &got, &e) == 0) {
		if (got == part.n) {
			pop3_part_read(s->pop3, (struct str){octets, got});
			return 0;
		}
		err_set(&e, ERR_PERM, "5.3.0", "the file is shorter than it says");
	}
	unreadable(s, &e);
	pop3_part_failed(s->pop3);
	if (pop3_want(s->pop3) == POP3_WANT_CLOSE)
		s->end = e;
	return 0;
}

/* ---- a session ----------------------------------------------------------------------------- */

/* commit - and let go of the maildrop before the client reads the answer */
static int commit(struct session *s)
{
	struct err e = {0};
	int rc;

	if (maildrop_removes_any(s->maildrop))
		server_pass_on();
	rc = maildrop_commit(s->maildrop, &e);

	if (rc < 0)
		log_trouble(s, "pop3.commit.failed", &e);
	else if (e.class != ERR_NONE)
		log_trouble(s, "pop3.commit.untidy", &e);
	if (e.class != ERR_NONE)
		store_alarm(s->store);
	maildrop_close(&s->maildrop);
	pop3_committed(s->pop3, rc == 0);
	err_set(&s->end, ERR_PEER, "4.0.0", rc == 0 ? "quit" : "quit, not committed");
	return 0;
}

static enum next after(int rc)
{
	return rc < 0 ? NEXT_END : NEXT_STEP;
}

static enum next step(struct session *s, enum pop3_want want)
{
	switch (want) {
	case POP3_WANT_INPUT:
		return read_some(s);
	case POP3_WANT_WRITE:
		return after(flush(s, false));
	case POP3_WANT_OPEN:
		return after(open_message(s));
	case POP3_WANT_BODY:
		return after(send_body(s));
	case POP3_WANT_PART:
		return after(read_part(s));
	case POP3_WANT_COMMIT:
		return after(commit(s));
	case POP3_WANT_CLOSE:
		break;
	}
	if (s->end.class == ERR_NONE)
		err_set(&s->end, ERR_PEER, "4.0.0", "too many errors");
	(void)!flush(s, false);
	return NEXT_END;
}

static void greet(struct session *s)
{
	size_t n = maildrop_count(s->maildrop);

	s->pop3 = pop3_new(&s->capa, n > 0 ? maildrop_entry(s->maildrop, 0) : NULL, n);
}

struct session *session_begin(struct store *store, struct conn *c,
			      const struct handover *h)
{
	struct session *s = xalloc(sizeof *s);

	s->store = store;
	s->conn = c;
	s->mechanisms = xstrdup(h->mechanisms);
	s->idle_ms = (uint32_t)(store_settings(store)->pop3.idle_timeout_s * 1000);
	s->capa =
		(struct capa){.plaintext = h->plaintext,
			      .tls = h->tls,
			      .login_delay_s = store_settings(store)->pop3.login_delay_s,
			      .mechanisms = s->mechanisms};
	if (find_account(s, h) == 0 && open_maildrop(s) == 0)
		greet(s);
	return s;
}

bool session_step(struct session *s)
{
	enum next next = s->pop3 != NULL ? NEXT_STEP : NEXT_END;

	while (next == NEXT_STEP)
		next = step(s, pop3_want(s->pop3));
	return next == NEXT_WAIT;
}

void session_end(struct session **out)
{
	struct session *s = *out;
	struct pop3_counts counts = {0};

	if (s->pop3 != NULL)
		counts = pop3_counts(s->pop3);
	close_message(s);
	maildrop_close(&s->maildrop);
	pop3_free(&s->pop3);
	log_event(LOG_LV_INFO, "pop3.session", kv_s("sid", s->conn->sid),
		  kv_s("account", s->account.name.s), kv_s("peer", s->conn->peer),
		  kv_s("tls", s->capa.tls ? "yes" : "no"),
		  kv_u("retrieved", counts.retrieved), kv_u("removed", counts.removed),
		  kv_u("octets", counts.octets), kv_s("end", s->end.text));
	xfree(&s->mechanisms);
	xfree(out);
}
