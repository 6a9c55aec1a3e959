/* SPDX-License-Identifier: ISC */
#include "channel/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channel/lmtp.h"
#include "channel/perform.h"
#include "channel/retry.h"
#include "filter/filter.h"
#include "lib/conn.h"
#include "lib/log.h"
#include "lib/proxy.h"
#include "lib/server.h"
#include "lib/tls.h"
#include "mail/onward.h"
#include "store/delivery.h"
#include "store/folder.h"
#include "store/id.h"
#include "store/message.h"
#include "store/standing.h"
#include "store/store.h"
#include "store/targets.h"
#include "store/trace.h"

enum {
	TOP_OCTETS = 4096,
	/* For all runs of one message: the client waits ten minutes for a reply after
	 * the dot (RFC 5321 s4.5.3.2.6), and would send it again after that. */
	MAILING_MS = 300 * 1000,
	/* How far the MTA's clock may be from ours, for a retry to be known for one: that of
	 * an MTA on this machine is ours. */
	CLOCKS_MS = 300 * 1000,
	ONE_CLOCK_MS = 1000,
	/* Of a message; the header of one that is longer is looked at so far. */
	HEADER_OCTETS = 1 << 20,
};

/* One that was accepted by RCPT. */
struct recipient {
	struct buf address; /* as in RCPT */
	struct targets t;
	enum onward onward; /* what is for others */
};

struct session {
	struct store *store;
	struct filters *filters;
	const struct settings *set;
	int submit;
	struct conn *c;
	struct tls_context *tls; /* NULL: there is none to start */
	struct lmtp *core;
	struct retry *retry;   /* NULL: every message is a new one */
	unsigned transactions; /* for the envelope ids */
	unsigned messages;     /* for the log */

	/* the transaction */
	struct delivery *delivery; /* NULL without recipients */
	struct recipient *rcpt;
	size_t n, cap;
	size_t targets;                   /* that the recipients stand for */
	struct filter_outcome **filtered; /* by slot; NULL: none was */
	/* By slot, as `filtered`: the message is to come to it again, and to be filtered then. */
	bool *comes_again;
	uint64_t began_ms;
	uint64_t top_n, return_path_n; /* octets that we put before the message */
	struct err why;                /* of a failure; replies point into it */
	struct id_text id;
	struct performer performer;
	/* recipients, for the log */
	uint64_t stored, mailed, refused, retried, discarded;
};

/* ---- replies and log lines --------------------------------------------------------- */

/* reply_of - what the client is told of a failure; the reason itself may name
 * files, and is for the log */
static struct lmtp_reply reply_of(const struct err *e)
{
	if (e->class == ERR_PERM)
		return (struct lmtp_reply){554, e->dsn, "Message cannot be delivered"};
	if (strcmp(e->dsn, "4.3.1") == 0)
		return (struct lmtp_reply){452, e->dsn,
					   "No room for messages, try again later"};
	return (struct lmtp_reply){451, e->dsn, "Local trouble, try again later"};
}

static void log_store_failed(struct session *s)
{
	log_event(LOG_LV_ERROR, "lmtp.store.failed", kv_s("sid", s->c->sid),
		  kv_str("from", lmtp_sender(s->core)), kv_err(&s->why));
	store_alarm(s->store);
}

static void log_refused(struct session *s, struct str address, const char *word,
			const struct lmtp_reply *r)
{
	log_event(LOG_LV_INFO, "lmtp.recipient.refused", kv_s("sid", s->c->sid),
		  kv_str("rcpt", address), kv_str("from", lmtp_sender(s->core)),
		  kv_u("code", r->code), kv_s("dsn", r->dsn), kv_s("verdict", word));
}

/* log_failed - refused for a reason that an operator may want to look into */
static void log_failed(struct session *s, struct str address, const char *word,
		       const struct lmtp_reply *r, const struct err *why)
{
	log_event(LOG_LV_WARN, "lmtp.recipient.failed", kv_s("sid", s->c->sid),
		  kv_str("rcpt", address), kv_str("from", lmtp_sender(s->core)),
		  kv_u("code", r->code), kv_s("dsn", r->dsn), kv_s("verdict", word),
		  kv_err(why));
}

static void log_answer(struct session *s, struct str address, const char *word,
		       const struct lmtp_reply *r, const struct err *why)
{
	if (why != NULL && why->class != ERR_NONE)
		log_failed(s, address, word, r, why);
	else
		log_refused(s, address, word, r);
}

static void log_message(struct session *s, uint64_t size)
{
	log_event(LOG_LV_INFO, "lmtp.message", kv_s("sid", s->c->sid),
		  kv_s("id", s->id.c), kv_u("size", size), kv_u("rcpts", s->n),
		  kv_u("stored", s->stored), kv_u("mailed", s->mailed),
		  kv_u("retried", s->retried), kv_u("discarded", s->discarded),
		  kv_u("refused", s->refused), kv_str("from", lmtp_sender(s->core)),
		  kv_s("peer", s->c->peer), kv_u("ms", clock_ms() - s->began_ms));
}

/* log_retried - what the MTA did not hear: the account got it then, as `first` */
static void log_retried(struct session *s, struct str address, uint64_t first)
{
	log_event(LOG_LV_INFO, "lmtp.recipient.retried", kv_s("sid", s->c->sid),
		  kv_s("id", s->id.c), kv_s("first", id_print(first).c),
		  kv_str("rcpt", address), kv_str("from", lmtp_sender(s->core)));
}

static void log_message_refused(struct session *s, const struct lmtp_reply *r)
{
	log_event(LOG_LV_INFO, "lmtp.message.refused", kv_s("sid", s->c->sid),
		  kv_u("rcpts", s->n), kv_str("from", lmtp_sender(s->core)),
		  kv_s("peer", s->c->peer), kv_u("code", r->code), kv_s("dsn", r->dsn),
		  kv_s("text", r->text));
}

/* ---- recipients ------------------------------------------------------------------------ */

/* delivered_to - the recipient's own header, where it is wanted */
static void delivered_to(struct session *s, struct str address, struct buf *out)
{
	struct address a;
	struct buf plain;

	if (!s->set->lmtp.delivered_to || address_parse(address, true, &a) != ADDRESS_OK)
		return;
	buf_init(&plain, MESSAGE_TRACE_MAX);
	address_print(&plain, &a);
	trace_delivered_to(buf_str(&plain), out);
	buf_fini(&plain);
}

static void add_slots(struct session *s, struct str address, struct targets *t)
{
	struct buf trace;

	buf_init(&trace, MESSAGE_TRACE_MAX);
	delivered_to(s, address, &trace);
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].ours)
			t->v[i].slot = delivery_rcpt(s->delivery, &t->v[i].account,
						     buf_str(&trace));
	buf_fini(&trace);
}

/* begin_delivery - at the first recipient of a transaction */
static void begin_delivery(struct session *s)
{
	char envelope_id[48];

	snprintf(envelope_id, sizeof envelope_id, "%s.%u", s->c->sid, ++s->transactions);
	s->began_ms = clock_ms();
	s->delivery = delivery_begin(s->store, lmtp_sender(s->core), str_of(envelope_id));
}

static struct recipient *new_recipient(struct session *s)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;

		s->rcpt = xgrow(s->rcpt, s->cap * sizeof *s->rcpt, cap * sizeof *s->rcpt);
		s->cap = cap;
	}
	return &s->rcpt[s->n++];
}

static void judge(struct session *s)
{
	struct str address = lmtp_recipient(s->core);
	struct lmtp_reply reply;
	struct recipient *r;
	struct targets t;

	/* A forwarding may stand for a thousand, and be named a thousand times. */
	if (s->targets >= s->set->lmtp.max_recipients) {
		log_refused(s, address, "too-many", &lmtp_too_many);
		lmtp_answer(s->core, &lmtp_too_many);
		return;
	}
	targets_of(s->store, address, lmtp_size(s->core), &t);
	reply = (struct lmtp_reply){t.reply.code, t.reply.dsn, t.reply.text};
	if (t.way == TARGETS_NONE) {
		log_answer(s, address, t.word, &reply, &t.why);
		lmtp_answer(s->core, &reply);
		targets_fini(&t);
		return;
	}
	if (s->delivery == NULL)
		begin_delivery(s);
	add_slots(s, address, &t);
	r = new_recipient(s);
	r->t = t;
	r->onward = ONWARD_GOES;
	s->targets += t.n;
	buf_init(&r->address, address.n + 1);
	buf_put(&r->address, address);
	lmtp_answer(s->core, &reply);
}

/* ---- the message --------------------------------------------------------------------------- */

static void make_top(struct session *s, struct buf *top)
{
	struct trace_hop hop = {
		.from = lmtp_peer_name(s->core),
		.peer = str_of(s->c->peer),
		.by = str_of(s->set->hostname),
		.utf8 = lmtp_is_utf8(s->core),
		.tls = conn_tls(s->c) != NULL,
		.id = delivery_id(s->delivery),
		.unix_ms = clock_unix_ms(),
	};

	trace_return_path(lmtp_sender(s->core), top);
	s->return_path_n = top->n;
	trace_received(&hop, top);
	s->top_n = top->n;
	must(!buf_over(top));
}

static void begin_retry(struct session *s)
{
	struct retry_says says = {
		.peer_name = lmtp_peer_name(s->core),
		.ident = lmtp_ident(s->core),
		.sender = lmtp_sender(s->core),
	};

	if (s->retry != NULL)
		retry_begin(s->retry, &says);
}

static int open_delivery(struct session *s, struct err *e)
{
	struct buf top;
	int rc;

	if (delivery_open(s->delivery, e) < 0)
		return -1;
	s->id = id_print(delivery_id(s->delivery));
	begin_retry(s);
	buf_init(&top, TOP_OCTETS);
	make_top(s, &top);
	rc = delivery_write(s->delivery, buf_str(&top), e);
	buf_fini(&top);
	return rc;
}

/* done_or_not - answers the core after a step that may fail */
static void done_or_not(struct session *s, int rc)
{
	struct lmtp_reply r;

	if (rc == 0) {
		lmtp_done(s->core);
		return;
	}
	log_store_failed(s);
	r = reply_of(&s->why);
	lmtp_answer(s->core, &r);
}

static void open_message(struct session *s)
{
	conn_busy(s->c, true);
	conn_deadline(s->c, (uint32_t)(s->set->lmtp.data_timeout_s * 1000));
	done_or_not(s, open_delivery(s, &s->why));
}

static void write_message(struct session *s)
{
	if (s->retry != NULL)
		retry_feed(s->retry, lmtp_data(s->core));
	done_or_not(s, delivery_write(s->delivery, lmtp_data(s->core), &s->why));
}

/* ---- mailing ----------------------------------------------------------------------------- */

static void comes_again(struct session *s, const struct target *v)
{
	if (v->ours && s->comes_again != NULL)
		s->comes_again[v->slot] = true;
}

static void all_come_again(struct session *s, const struct recipient *r)
{
	for (size_t i = 0; i < r->t.n; i++)
		comes_again(s, &r->t.v[i]);
}

/* mail - one run of sendmail(1) for the targets that `wanted` picks.  With one of them elsewhere
 * all get it as sent on by us (SRS, a mark); without, it goes as it came.  Those here are
 * filtered when the MTA brings it. */
static int mail(struct session *s, const struct recipient *r,
		bool (*wanted)(struct session *s, const struct target *v), struct err *e)
{
	const struct targets *t = &r->t;
	struct performer_mail m = {0};
	struct buf *printed = xalloc(t->n * sizeof *printed);
	const char **rcpt = xalloc(t->n * sizeof *rcpt);
	int rc;

	for (size_t i = 0; i < t->n; i++) {
		if (!wanted(s, &t->v[i]))
			continue;
		if (!t->v[i].ours)
			m.mark = buf_str(&r->address);
		else
			comes_again(s, &t->v[i]);
		buf_init(&printed[m.n], MESSAGE_TRACE_MAX);
		address_print(&printed[m.n], &t->v[i].address);
		rcpt[m.n] = buf_cstr(&printed[m.n]);
		m.n++;
	}
	m.rcpt = rcpt;
	rc = perform_mail(&s->performer, &m, e);
	for (size_t i = 0; i < m.n; i++)
		buf_fini(&printed[i]);
	xfree(&printed);
	xfree(&rcpt);
	return rc;
}

static bool is_elsewhere(struct session *s UNUSED, const struct target *v)
{
	return !v->ours;
}

static bool has_failed(struct session *s, const struct target *v)
{
	struct err why;

	return v->ours && delivery_result(s->delivery, v->slot, &why) != VERDICT_OK;
}

static bool wants_mail(struct session *s, const struct target *v)
{
	return is_elsewhere(s, v) || has_failed(s, v);
}

/* ---- what each recipient is told ------------------------------------------------------------ */

static void refuse(struct session *s, const struct recipient *r, const char *word,
		   const struct lmtp_reply *reply, const struct err *why)
{
	s->refused++;
	log_answer(s, buf_str(&r->address), word, reply, why);
	lmtp_answer(s->core, reply);
}

static void accept_as(struct session *s, const char *id, const char *what)
{
	char text[ID_CHARS + 16];

	snprintf(text, sizeof text, "%s %s", id, what);
	lmtp_answer(s->core, &(struct lmtp_reply){250, "2.0.0", text});
}

static void mail_and_answer(struct session *s, const struct recipient *r,
			    bool (*wanted)(struct session *s, const struct target *v))
{
	struct err why = {0};

	if (mail(s, r, wanted, &why) < 0) {
		struct lmtp_reply reply = reply_of(&why);

		refuse(s, r, "mail-failed", &reply, &why);
		return;
	}
	s->mailed++;
	accept_as(s, s->id.c, "mailed");
}

/* filtered - what scripts made of it for this slot; NULL: there were none */
static const struct filter_outcome *filtered(const struct session *s, size_t slot)
{
	return s->filtered != NULL ? s->filtered[slot] : NULL;
}

static bool has_answer(const struct session *s, size_t slot, enum filter_answer answer)
{
	const struct filter_outcome *o = filtered(s, slot);

	return o != NULL && o->answer == answer;
}

/* take_refusal - of a script, in its own words */
static void take_refusal(const struct session *s, size_t slot, struct lmtp_reply *reply,
			 const char **word)
{
	const struct filter_outcome *o = filtered(s, slot);

	if (o == NULL || o->answer != FILTER_REJECT)
		return;
	*reply = (struct lmtp_reply){550, "5.7.1", o->text};
	*word = "filter";
}

/* answer_failed - no target got it: the reply is the first that may be tried
 * again, or else the first */
static void answer_failed(struct session *s, const struct recipient *r)
{
	struct lmtp_reply reply = {0};
	const char *word = "";
	struct err why = {0};

	for (size_t i = 0; i < r->t.n && (reply.code == 0 || reply.code >= 500); i++) {
		struct verdict v = {0};
		struct err e;

		if (!r->t.v[i].ours)
			continue;

		verdict_set(s->store, delivery_result(s->delivery, r->t.v[i].slot, &e),
			    &v);
		if (reply.code != 0 && v.smtp >= 500)
			continue;
		reply = (struct lmtp_reply){v.smtp, v.dsn, v.text};
		word = v.word;
		why = e;
		if (v.code == VERDICT_TRY_AGAIN)
			reply = reply_of(&why);
		take_refusal(s, r->t.v[i].slot, &reply, &word);
	}
	if (reply.code < 500)
		all_come_again(s, r);
	refuse(s, r, word, &reply, &why);
}

/* answer_retried - the old answer */
static void answer_retried(struct session *s, const struct recipient *r, uint64_t first)
{
	s->retried++;
	log_retried(s, buf_str(&r->address), first);
	accept_as(s, id_print(first).c, "stored");
}

/* What became of a recipient's targets. */
struct tally {
	size_t elsewhere, failed, retried, discarded, sent_on, settled;
	uint64_t first; /* of a retry */
};

static struct tally count(struct session *s, const struct recipient *r)
{
	struct tally t = {0};

	for (size_t i = 0; i < r->t.n; i++) {
		const struct target *v = &r->t.v[i];

		t.elsewhere += is_elsewhere(s, v);
		if (!v->ours)
			continue;
		t.failed += has_failed(s, v);
		if (delivery_first_id(s->delivery, v->slot) != 0)
			t.first = delivery_first_id(s->delivery, v->slot);
		t.retried += delivery_first_id(s->delivery, v->slot) != 0;
		t.discarded += has_answer(s, v->slot, FILTER_DISCARD);
		t.sent_on += has_answer(s, v->slot, FILTER_SENT_ON);
		t.settled += has_answer(s, v->slot, FILTER_SETTLED);
	}
	return t;
}

static void log_held(struct session *s, const struct recipient *r)
{
	log_event(LOG_LV_WARN, "lmtp.recipient.held", kv_s("sid", s->c->sid),
		  kv_s("id", s->id.c), kv_str("rcpt", buf_str(&r->address)),
		  kv_str("from", lmtp_sender(s->core)),
		  kv_s("why", onward_word(r->onward)));
}

static void refuse_held(struct session *s, const struct recipient *r)
{
	static const struct lmtp_reply replies[] = {
		[ONWARD_LOOP] = {554, "5.4.6", "forwarding leads in a circle"},
		[ONWARD_DMARC] = {550, "5.7.1",
				  "Mail that failed DMARC is not forwarded"},
	};

	refuse(s, r, onward_word(r->onward), &replies[r->onward], NULL);
}

/* answer_held - what does not go on is kept by those who have it, or refused: whoever discards
 * it does not have it */
static void answer_held(struct session *s, const struct recipient *r,
			const struct tally *t)
{
	bool has_it = t->elsewhere + t->failed + t->discarded < r->t.n;

	log_held(s, r);
	if (!has_it && t->failed == 0) {
		refuse_held(s, r);
	} else if (!has_it) {
		answer_failed(s, r);
	} else if (t->failed > 0) {
		mail_and_answer(s, r, has_failed);
	} else {
		s->stored++;
		accept_as(s, s->id.c, "stored");
	}
}

static void answer_one(struct session *s, const struct recipient *r)
{
	struct tally t = count(s, r);

	if (t.failed == r->t.n) {
		answer_failed(s, r);
	} else if (t.elsewhere > 0 && r->onward != ONWARD_GOES) {
		answer_held(s, r, &t);
	} else if (t.failed > 0 || t.elsewhere > 0) {
		mail_and_answer(s, r, wants_mail);
	} else if (t.retried == r->t.n) {
		answer_retried(s, r, t.first);
	} else if (t.retried + t.settled == r->t.n) {
		s->retried++;
		accept_as(s, s->id.c, "accepted");
	} else if (t.discarded + t.sent_on + t.settled < r->t.n) {
		s->stored++;
		accept_as(s, s->id.c, "stored");
	} else if (t.sent_on > 0) {
		s->mailed++;
		accept_as(s, s->id.c, "mailed");
	} else {
		s->discarded++;
		accept_as(s, s->id.c, "accepted");
	}
}

/* is_settled - what the store does makes no difference to it */
static bool is_settled(struct session *s, const struct recipient *r)
{
	for (size_t i = 0; i < r->t.n; i++)
		if (!r->t.v[i].ours ||
		    !delivery_is_left_out(s->delivery, r->t.v[i].slot) ||
		    has_answer(s, r->t.v[i].slot, FILTER_FILE))
			return false;
	return true;
}

static void answer_each(struct session *s, bool store_failed)
{
	struct lmtp_reply failure = reply_of(&s->why);

	for (size_t i = 0; i < s->n; i++) {
		const struct recipient *r = &s->rcpt[i];

		if (store_failed && !is_settled(s, r)) {
			all_come_again(s, r);
			refuse(s, r, "store-failed", &failure, NULL);
		} else {
			answer_one(s, r);
		}
	}
}

/* set_retry_key - an earlier attempt is not older than the MTA's queue file, as far as two
 * clocks can tell, nor than it is known for */
static void set_retry_key(struct session *s)
{
	const uint64_t differ_ms = s->c->loopback ? ONE_CLOCK_MS : CLOCKS_MS;
	uint64_t oldest = clock_unix_ms() - s->set->lmtp.retry_window_s * 1000;
	struct retry_key key;
	uint64_t queued_ms;

	if (s->retry == NULL || !retry_key(s->retry, &key, &queued_ms))
		return;
	s->performer.key = key;
	queued_ms -= queued_ms > differ_ms ? differ_ms : queued_ms;
	delivery_set_retry_key(s->delivery, key, queued_ms > oldest ? queued_ms : oldest);
}

/* ---- filters --------------------------------------------------------------------------------- */

static void log_filter(struct session *s, const struct target *v,
		       const struct filter_outcome *o)
{
	if (o->failed)
		log_event(LOG_LV_WARN, "lmtp.filter.failed", kv_s("sid", s->c->sid),
			  kv_s("id", s->id.c), kv_s("account", v->account.name.s),
			  kv_s("script", o->failed_in), kv_u("line", o->failed_at),
			  kv_s("why", o->failure));
	if (o->held != NULL)
		log_event(LOG_LV_WARN, "lmtp.filter.held", kv_s("sid", s->c->sid),
			  kv_s("id", s->id.c), kv_s("account", v->account.name.s),
			  kv_str("from", lmtp_sender(s->core)), kv_s("why", o->held));
	if (o->answer == FILTER_DISCARD)
		log_event(LOG_LV_INFO, "lmtp.recipient.discarded", kv_s("sid", s->c->sid),
			  kv_s("id", s->id.c), kv_s("account", v->account.name.s),
			  kv_str("from", lmtp_sender(s->core)), kv_s("script", o->script),
			  kv_u("line", o->line));
}

/* not_filed - it is kept instead; the log says why, of the first such folder */
static void not_filed(struct filter_outcome *o, const struct filter_folder *f,
		      const char *why)
{
	o->answer = FILTER_KEEP;
	if (o->failed)
		return;
	o->failed = true;
	o->failed_at = f->line;
	snprintf(o->failed_in, sizeof o->failed_in, "%s", f->script);
	snprintf(o->failure, sizeof o->failure, "nothing is filed into '%s': %s", f->name,
		 why);
}

static void log_filed(struct session *s, const struct account *folder)
{
	log_event(LOG_LV_INFO, "lmtp.recipient.filed", kv_s("sid", s->c->sid),
		  kv_s("id", s->id.c), kv_s("account", folder->name.s));
}

/* make_folders - those that there can be are behind each other in `to`; -1: of one it cannot be
 * told now */
static int make_folders(struct session *s, const struct target *v,
			struct filter_outcome *o, struct account *to, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < o->n_folders; i++) {
		const struct filter_folder *f = &o->folders[i];
		const char *why;

		if (folder_make(s->store, &v->account, str_of(f->name), &to[*n], &why,
				&o->why) < 0)
			return -1;
		if (why != NULL)
			not_filed(o, f, why);
		else
			(*n)++;
	}
	return 0;
}

/* file - all are made before the message is to go to any: an attempt that is put off leaves
 * nothing half done */
static void file(struct session *s, const struct target *v, struct filter_outcome *o)
{
	struct account *folders;
	size_t n;

	if (o->n_folders == 0)
		return;
	folders = xalloc(o->n_folders * sizeof *folders);
	if (make_folders(s, v, o, folders, &n) < 0) {
		o->answer = FILTER_LATER;
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (delivery_file_into(s->delivery, v->slot, &folders[i]))
			log_filed(s, &folders[i]);
		else
			not_filed(o, &o->folders[i], "too many recipients");
	}
	xfree(&folders);
}

/* apply - to the delivery, where nothing is durable yet */
static void apply(struct session *s, size_t slot, const struct filter_outcome *o)
{
	switch (o->answer) {
	case FILTER_KEEP:
		return;
	case FILTER_FILE:
	case FILTER_SENT_ON:
	case FILTER_DISCARD:
	case FILTER_SETTLED:
		delivery_leave_out(s->delivery, slot, VERDICT_OK, NULL);
		return;
	case FILTER_REJECT:
		delivery_leave_out(s->delivery, slot, VERDICT_NOT_RECEIVING, NULL);
		return;
	case FILTER_LATER:
		delivery_leave_out(s->delivery, slot, VERDICT_TRY_AGAIN, &o->why);
		return;
	}
}

/* filter_one - unless the account got it before: what was kept then is not refused now, and
 * what was settled then is not done again.
 * Without `f` all are put off, for this reason. */
static void filter_one(struct session *s, struct filter *f, const struct err *why,
		       const struct recipient *r, const struct target *v)
{
	struct filter_outcome *o = xalloc(sizeof *o);
	uint64_t first = 0;

	s->filtered[v->slot] = o;
	if (f == NULL) {
		o->answer = FILTER_LATER;
		o->why = *why;
	} else if (delivery_find_first(s->delivery, v->slot, &first, &o->why) < 0) {
		o->answer = FILTER_LATER;
	} else if (first == 0 && perform_was_settled(&s->performer, &v->account)) {
		o->answer = FILTER_SETTLED;
	} else if (first == 0) {
		filter_run(f, &v->account, buf_str(&r->address), o);
		if (o->answer == FILTER_REJECT &&
		    s->set->sieve.refused == REFUSED_DISCARD)
			o->answer = FILTER_DISCARD;
		file(s, v, o);
	}
	log_filter(s, v, o);
}

static void filter_each(struct session *s, struct filter *f, const struct err *why)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct recipient *r = &s->rcpt[i];

		for (size_t k = 0; k < r->t.n; k++) {
			const struct target *v = &r->t.v[k];

			if (v->ours && s->filtered[v->slot] == NULL &&
			    filters_want(s->filters, &v->account))
				filter_one(s, f, why, r, v);
		}
	}
}

static bool wants_filters(const struct session *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->rcpt[i].t.n; k++)
			if (s->rcpt[i].t.v[k].ours &&
			    filters_want(s->filters, &s->rcpt[i].t.v[k].account))
				return true;
	return false;
}

/* begin_filter - NULL: whoever has filters is put off, and nobody else */
static struct filter *begin_filter(struct session *s, uint64_t size, struct buf *room,
				   struct err *why)
{
	struct filter_message m = {.size = size, .sender = lmtp_sender(s->core)};
	struct filter *f = filter_begin(s->filters, FILTER_MS, why);

	if (f == NULL)
		return NULL;
	if (delivery_text(s->delivery, FILTER_OCTETS, room, &m.text, why) < 0)
		filter_end(&f);
	else
		filter_set_message(f, &m);
	return f;
}

static void filter_all(struct session *s, uint64_t size)
{
	struct filter *f;
	struct buf room;
	struct err why;

	if (s->filters == NULL || !wants_filters(s))
		return;
	s->filtered = xalloc(delivery_recipients(s->delivery) * sizeof(void *));
	s->comes_again =
		xalloc(delivery_recipients(s->delivery) * sizeof *s->comes_again);
	buf_init(&room, FILTER_OCTETS);
	f = begin_filter(s, size, &room, &why);
	filter_each(s, f, &why);
	filter_end(&f);
	buf_fini(&room);
}

/* ---- what goes out because of them ------------------------------------------------------------- */

/* each_filtered - once for each account that scripts have judged */
static void each_filtered(struct session *s,
			  void (*each)(struct session *s, const struct target *v,
				       struct filter_outcome *o))
{
	bool *done;

	if (s->filtered == NULL)
		return;
	done = xalloc(delivery_recipients(s->delivery) * sizeof *done);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->rcpt[i].t.n; k++) {
			const struct target *v = &s->rcpt[i].t.v[k];

			if (!v->ours || s->filtered[v->slot] == NULL || done[v->slot])
				continue;
			done[v->slot] = true;
			each(s, v, s->filtered[v->slot]);
		}
	xfree(&done);
}

/* send_on - before anything is durable, unless it is put off anyway: whom a script sends it on for, and who does not keep
 * it, is put off where that fails, or keeps it where trying again is no use */
static void send_on(struct session *s, const struct target *v, struct filter_outcome *o)
{
	struct err why = {0};

	if (o->answer != FILTER_LATER && perform_has_redirects(o) &&
	    perform_redirects(&s->performer, &v->account, o, &why) < 0 &&
	    o->answer == FILTER_SENT_ON) {
		o->answer = why.class == ERR_PERM ? FILTER_KEEP : FILTER_LATER;
		o->why = why;
	}
	apply(s, v->slot, o);
}

/* finish - answers go out, and are remembered, for what has been taken or refused for good; where
 * the store failed as a whole, for whom it makes no difference.  What comes again is not to find
 * that it was here. */
static void finish(struct session *s, const struct target *v, struct filter_outcome *o)
{
	struct err why;
	enum verdict_code result = delivery_result(s->delivery, v->slot, &why);

	if (s->comes_again[v->slot])
		return;
	if ((result == VERDICT_OK && delivery_first_id(s->delivery, v->slot) == 0) ||
	    o->answer == FILTER_REJECT)
		perform_rest(&s->performer, &v->account, o);
}

/* ---- forwardings -------------------------------------------------------------------------------- */

/* goes_on - not a bounce on its way home, which nobody else would take */
static bool goes_on(const struct recipient *r)
{
	return r->t.way != TARGETS_STORE && !r->t.returns;
}

static int hold_each(struct session *s, struct err *e)
{
	const char *authserv =
		s->set->outgoing.forward_failed_dmarc ? "" : settings_authserv_id(s->set);
	struct arena arena;
	struct header h;
	struct buf room;
	struct str text;
	int rc;

	buf_init(&room, HEADER_OCTETS);
	rc = delivery_text(s->delivery, HEADER_OCTETS, &room, &text, e);
	if (rc == 0) {
		arena_init(&arena, SIZE_MAX);
		header_parse(&h, &arena, &text, true);
		for (size_t i = 0; i < s->n; i++)
			if (goes_on(&s->rcpt[i]))
				s->rcpt[i].onward =
					onward_judge(&h, buf_str(&s->rcpt[i].address),
						     str_of(authserv));
		arena_fini(&arena);
	}
	buf_fini(&room);
	return rc;
}

/* hold - forwardings that go no further */
static int hold(struct session *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (goes_on(&s->rcpt[i]))
			return hold_each(s, e);
	return 0;
}

/* ---- the end of the message -------------------------------------------------------------------- */

static void begin_performer(struct session *s)
{
	s->performer = (struct performer){
		.store = s->store,
		.submit = s->submit,
		.delivery = s->delivery,
		.skip = s->return_path_n,
		.sender = lmtp_sender(s->core),
		.sid = s->c->sid,
		.id = s->id.c,
	};
}

/* commit - durable first, for all; a message that is only to be mailed is not
 * stored at all */
static void commit(struct session *s)
{
	const struct dotstream *m = lmtp_message(s->core);
	struct delivery_totals t = {
		.size = s->top_n + m->size,
		.header_end = m->header_end ? s->top_n + m->header_end : 0,
	};
	bool failed;

	begin_performer(s);
	set_retry_key(s);
	filter_all(s, t.size);
	s->performer.until_ms = clock_ms() + MAILING_MS;
	each_filtered(s, send_on);
	failed = hold(s, &s->why) < 0 || (delivery_recipients(s->delivery) > 0 &&
					  delivery_commit(s->delivery, &t, &s->why) < 0);
	if (failed)
		log_store_failed(s);
	s->messages++;
	answer_each(s, failed);
	each_filtered(s, finish);
	log_message(s, t.size);
}

/* ---- the transaction's end -------------------------------------------------------------------- */

static void forget(struct session *s)
{
	for (size_t i = 0; s->filtered != NULL && i < delivery_recipients(s->delivery);
	     i++) {
		if (s->filtered[i] != NULL)
			filter_outcome_fini(s->filtered[i]);
		xfree(&s->filtered[i]);
	}
	xfree(&s->filtered);
	xfree(&s->comes_again);
	delivery_end(&s->delivery);
	for (size_t i = 0; i < s->n; i++) {
		buf_fini(&s->rcpt[i].address);
		targets_fini(&s->rcpt[i].t);
	}
	xfree(&s->rcpt);
	s->n = s->cap = s->targets = 0;
	s->stored = s->mailed = s->refused = s->retried = s->discarded = 0;
	s->why = (struct err){0};
	conn_busy(s->c, false);
}

static void reset(struct session *s)
{
	const struct lmtp_reply *refusal = lmtp_refusal(s->core);

	if (refusal != NULL)
		log_message_refused(s, refusal);
	forget(s);
	lmtp_done(s->core);
}

/* ---- the connection ---------------------------------------------------------------------------- */

static int flush(struct session *s, struct err *e)
{
	struct buf *out = lmtp_output(s->core);
	int rc = conn_write(s->c, buf_str(out), false, e);

	buf_clear(out);
	return rc;
}

/* take_input - replies to pipelined commands go out together, when there is
 * nothing more to read or much to write */
static int take_input(struct session *s, struct err *e)
{
	struct buf *out = lmtp_output(s->core);
	struct str in;

	if (out->n > 0 && (!conn_has_input(s->c) || out->n >= LMTP_OUTPUT / 2)) {
		if (flush(s, e) < 0)
			return -1;
		/* What follows is a new command, unless a message is on its way. */
		if (!lmtp_in_message(s->core))
			conn_deadline(s->c, s->c->idle_ms);
	}
	if (conn_input(s->c, &in, e) < 0)
		return -1;
	conn_consume(s->c, lmtp_feed(s->core, in));
	return 0;
}

/* start_tls - the answer goes out in clear text; what else was read is dropped */
static int start_tls(struct session *s, struct err *e)
{
	if (flush(s, e) < 0 || conn_start_tls(s->c, s->tls, e) < 0)
		return -1;
	conn_deadline(s->c, s->c->idle_ms);
	lmtp_done(s->core);
	return 0;
}

static void take_client(struct session *s)
{
	conn_set_client(s->c, lmtp_client(s->core));
	lmtp_done(s->core);
}

/* serve - until the core closes (0) or the peer is gone (-1) */
static int serve(struct session *s, struct err *e)
{
	for (;;) {
		switch (lmtp_want(s->core)) {
		case LMTP_WANT_INPUT:
			if (take_input(s, e) < 0)
				return -1;
			break;
		case LMTP_WANT_RECIPIENT:
			judge(s);
			break;
		case LMTP_WANT_OPEN:
			open_message(s);
			break;
		case LMTP_WANT_WRITE:
			write_message(s);
			break;
		case LMTP_WANT_COMMIT:
			commit(s);
			break;
		case LMTP_WANT_TLS:
			if (start_tls(s, e) < 0)
				return -1;
			break;
		case LMTP_WANT_CLIENT:
			take_client(s);
			break;
		case LMTP_WANT_RESET:
			reset(s);
			break;
		case LMTP_WANT_CLOSE:
			return flush(s, e);
		}
	}
}

/* farewell - after a failed read: is there still somebody to talk to? */
static void farewell(struct session *s, const struct err *e)
{
	struct err ignored;

	if (e->sys == ETIMEDOUT)
		lmtp_goodbye(s->core, "4.4.2", "You took too long");
	else if (server_stopping())
		lmtp_goodbye(s->core, "4.3.2", "Service is stopping");
	else
		return;
	flush(s, &ignored);
}

static void log_session(struct session *s, uint64_t began_ms, const struct err *e)
{
	const struct tls *tls = conn_tls(s->c);

	log_event(LOG_LV_INFO, "lmtp.session", kv_s("sid", s->c->sid),
		  kv_s("peer", s->c->peer), kv_u("messages", s->messages),
		  kv_u("ms", clock_ms() - began_ms),
		  kv_s("tls", tls != NULL ? tls_version(tls) : "no"),
		  kv_s("end", e->class == ERR_NONE ? "closed" : e->text));
}

/* converse - from the greeting; the client is known, or told by XCLIENT yet */
static void converse(struct session *s, struct err *e)
{
	const struct lmtp_limits limits = {
		.message = s->set->lmtp.max_message,
		.recipients = (uint32_t)s->set->lmtp.max_recipients,
		.received = (uint32_t)s->set->lmtp.max_received,
	};
	bool xclient = network_list_has_peer(&s->set->lmtp.xclient_networks, s->c->peer);

	s->core = lmtp_new(&limits, str_of(s->set->hostname));
	lmtp_offer(s->core, s->tls != NULL, xclient);
	if (s->set->lmtp.retry_window_s > 0)
		s->retry = retry_new(store_id(s->store));
	conn_deadline(s->c, s->c->idle_ms);
	if (serve(s, e) < 0)
		farewell(s, e);
	forget(s);
	retry_free(&s->retry);
	lmtp_free(&s->core);
}

void channel_session(struct store *store, struct filters *filters, int submit,
		     struct tls_context *tls, struct conn *c)
{
	struct session s = {.store = store,
			    .filters = filters,
			    .set = store_settings(store),
			    .submit = submit,
			    .c = c,
			    .tls = tls};
	uint64_t began_ms = clock_ms();
	struct err e = {0};

	if (conn_read_proxy(c, &s.set->lmtp.proxy_networks, &e) == 0)
		converse(&s, &e);
	log_session(&s, began_ms, &e);
}
