/* SPDX-License-Identifier: ISC */
#include "channel/perform.h"

#include "lib/conn.h"
#include "lib/log.h"
#include "mail/onward.h"
#include "mail/outgoing.h"
#include "mail/reply.h"
#include "store/delivery.h"
#include "store/id.h"
#include "store/memory.h"
#include "store/sender.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

enum {
	SENDER_OCTETS = 1100,
	MARK_OCTETS = 1100,
	/* For what is done once for a message: MTAs try for five days, and it is no use that the
	 * store itself knows a retry for a shorter time. */
	ONCE_MS = 7 * 24 * 3600 * 1000,
};

/* ---- sending --------------------------------------------------------------------------------- */

/* What a message is read from: a text of ours, and the delivery behind it, if any. */
struct source {
	struct str top;
	struct delivery *rest;
	uint64_t skip;
};

static int read_source(void *ctx, uint64_t offset, char *to, size_t n, size_t *got,
		       struct err *e)
{
	const struct source *s = ctx;

	if (offset >= s->top.n && s->rest != NULL)
		return delivery_read(s->rest, s->skip + offset - s->top.n, to, n, got, e);
	*got = offset < s->top.n ? s->top.n - (size_t)offset : 0;
	*got = *got < n ? *got : n;
	memcpy(to, s->top.p + offset, *got);
	return 0;
}

static uint32_t time_left(const struct performer *p)
{
	uint64_t now = clock_ms();

	return now < p->until_ms ? (uint32_t)(p->until_ms - now) : 0;
}

int perform_mail(const struct performer *p, const struct performer_mail *m, struct err *e)
{
	struct source source = {.rest = p->delivery, .skip = p->skip};
	struct submit run = {.rcpt = m->rcpt,
			     .n_rcpt = m->n,
			     .timeout_ms = time_left(p),
			     .notify = m->notify,
			     .ret = m->ret,
			     .read = read_source,
			     .ctx = &source};
	struct buf sender, mark;
	int rc = 0;

	buf_init(&sender, SENDER_OCTETS);
	buf_init(&mark, MARK_OCTETS);
	if (m->mark.n > 0) {
		onward_put_mark(m->mark, &mark);
		rc = sender_forward(p->store, p->sender, &sender, e);
	} else {
		buf_put(&sender, p->sender);
	}
	source.top = buf_str(&mark);
	run.sender = buf_cstr(&sender);
	if (rc == 0 && (buf_over(&sender) || buf_over(&mark)))
		rc = err_set(e, ERR_PERM, "5.1.7", "the sender is too long");
	if (rc == 0)
		rc = outgoing_mail(p->submit, &run, e);
	buf_fini(&mark);
	buf_fini(&sender);
	return rc;
}

/* ---- what was done ----------------------------------------------------------------------------- */

static void log_sent(const struct performer *p, const struct account *a,
		     const struct sieve_action *x, struct str to)
{
	log_event(LOG_LV_INFO, "lmtp.filter.sent", kv_s("sid", p->sid), kv_s("id", p->id),
		  kv_s("account", a->name.s), kv_s("what", sieve_action_name(x->kind)),
		  kv_str("to", to));
}

static void log_unsent(const struct performer *p, const struct account *a,
		       const struct sieve_action *x, struct str to, const struct err *e)
{
	log_event(LOG_LV_WARN, "lmtp.filter.unsent", kv_s("sid", p->sid),
		  kv_s("id", p->id), kv_s("account", a->name.s),
		  kv_s("what", sieve_action_name(x->kind)), kv_str("to", to), kv_err(e));
}

static void log_memory(const struct performer *p, const struct account *a,
		       const struct err *e)
{
	log_event(LOG_LV_WARN, "lmtp.memory.failed", kv_s("sid", p->sid),
		  kv_s("id", p->id), kv_s("account", a->name.s), kv_err(e));
}

/* ---- once for a message, however often it comes -------------------------------------------------- */

/* once_key - false: the message would not be known again */
static bool once_key(const struct performer *p, const struct sieve_action *x,
		     struct str what, struct memory_key *out)
{
	struct retry_text key = retry_key_print(p->key);
	struct str parts[] = {str_of(key.c), what};

	if (!retry_key_is_set(p->key))
		return false;
	*out = memory_key(sieve_action_name(x->kind), parts, countof(parts));
	return true;
}

static bool is_done(const struct performer *p, const struct account *a,
		    const struct sieve_action *x, struct str what)
{
	struct memory_key key;
	struct err e;
	bool has;

	if (!once_key(p, x, what, &key))
		return false;
	if (memory_has(p->store, a, &key, &has, &e) == 0)
		return has;
	log_memory(p, a, &e);
	return false; /* better twice than never */
}

static void set_done(const struct performer *p, const struct account *a,
		     const struct sieve_action *x, struct str what)
{
	struct memory_entry entry = {.until_ms = clock_unix_ms() + ONCE_MS};
	struct err e;

	if (once_key(p, x, what, &entry.key) &&
	    memory_put(p->store, a, &entry, 1, NULL, &e) < 0)
		log_memory(p, a, &e);
}

static void sent_once(const struct performer *p, const struct account *a,
		      const struct sieve_action *x, struct str to)
{
	log_sent(p, a, x, to);
	set_done(p, a, x, to);
}

/* ---- redirect --------------------------------------------------------------------------------------- */

bool perform_has_redirects(const struct filter_outcome *o)
{
	for (size_t i = 0; i < o->n_todo; i++)
		if (o->todo[i].kind == SIEVE_REDIRECT)
			return true;
	return false;
}

/* Redirects that can go in one run: all or none of them. */
struct batch {
	const struct sieve_action *first;
	const struct sieve_action **v;
	const char **rcpt;
	size_t n;
};

static bool goes_with(const struct batch *b, const struct sieve_action *x)
{
	return b->first == NULL ||
	       (str_ieq(b->first->redirect.notify, x->redirect.notify) &&
		str_ieq(b->first->redirect.ret, x->redirect.ret));
}

/* collect - those that are still to be done and have the same wishes as the first of them */
static void collect(const struct performer *p, const struct account *a,
		    const struct filter_outcome *o, bool *taken, struct batch *b)
{
	b->first = NULL;
	b->n = 0;
	for (size_t i = 0; i < o->n_todo; i++) {
		const struct sieve_action *x = &o->todo[i];

		if (taken[i] || x->kind != SIEVE_REDIRECT || !goes_with(b, x))
			continue;
		taken[i] = true;
		if (is_done(p, a, x, x->redirect.address))
			continue;
		if (b->first == NULL)
			b->first = x;
		b->v[b->n] = x;
		b->rcpt[b->n++] =
			x->redirect.address.p; /* an arena's copy ends in a NUL */
	}
}

/* lower - as sendmail(1) takes the words */
static const char *lower(struct str s, char *out, size_t room)
{
	size_t n = s.n < room - 1 ? s.n : room - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = ascii_lower(s.p[i]);
	out[n] = '\0';
	return out;
}

static int send_batch(const struct performer *p, const struct account *a,
		      const struct batch *b, struct err *e)
{
	char notify[40], ret[8];
	struct performer_mail m = {
		.rcpt = b->rcpt,
		.n = b->n,
		.mark = str_of(a->name.s),
		.notify = lower(b->first->redirect.notify, notify, sizeof notify),
		.ret = lower(b->first->redirect.ret, ret, sizeof ret),
	};
	int rc = perform_mail(p, &m, e);

	for (size_t i = 0; i < b->n; i++)
		if (rc == 0)
			sent_once(p, a, b->v[i], b->v[i]->redirect.address);
		else
			log_unsent(p, a, b->v[i], b->v[i]->redirect.address, e);
	return rc;
}

int perform_redirects(const struct performer *p, const struct account *a,
		      const struct filter_outcome *o, struct err *e)
{
	bool *taken = xalloc(o->n_todo * sizeof *taken);
	struct batch b = {.v = xalloc(o->n_todo * sizeof *b.v),
			  .rcpt = xalloc(o->n_todo * sizeof *b.rcpt)};
	struct err why;
	int rc = 0;

	/* Each round takes at least one, so there are no more than that. */
	for (size_t i = 0; i < o->n_todo; i++) {
		collect(p, a, o, taken, &b);
		if (b.n == 0 || send_batch(p, a, &b, &why) == 0)
			continue;
		if (rc == 0 || (e->class != ERR_TEMP && why.class == ERR_TEMP))
			*e = why;
		rc = -1;
	}
	xfree(&taken);
	xfree(&b.v);
	xfree(&b.rcpt);
	return rc;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

/* send_reply - from the null sender */
static int send_reply(const struct performer *p, struct reply *r, const char *const *rcpt,
		      struct err *e)
{
	struct source source = {.rest = NULL};
	struct submit run = {.sender = "",
			     .rcpt = rcpt,
			     .n_rcpt = r->n_to,
			     .timeout_ms = time_left(p),
			     .read = read_source,
			     .ctx = &source};
	struct buf text;
	int rc;

	r->host = store_settings(p->store)->hostname;
	r->unix_ms = clock_unix_ms();
	buf_init(&text, REPLY_MAX);
	if (reply_print(r, &text)) {
		source.top = buf_str(&text);
		rc = outgoing_mail(p->submit, &run, e);
	} else {
		rc = err_set(e, ERR_PERM, "5.3.4", "the answer is too large");
	}
	buf_fini(&text);
	return rc;
}

enum { REPLY_ID = 2 * ID_CHARS + MEMORY_DIGITS + 16 };

/* reply_id - for its Message-ID: no other answer to this message has it, of this account or
 * of another one */
static void reply_id(const struct performer *p, const struct account *a,
		     const struct sieve_action *x, const struct memory_key *key,
		     char out[REPLY_ID])
{
	snprintf(out, REPLY_ID, "%s.%s.%s.%.8s", p->id, id_print(a->uid).c,
		 sieve_action_name(x->kind), key->hex);
}

/* vacation_key - of the handle, and of whom it answers (RFC 5230 s4.2) */
static struct memory_key vacation_key(const struct sieve_vacation *v)
{
	char to[ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 8];
	struct str parts[] = {v->handle, str_of(lower(v->to, to, sizeof to))};

	return memory_key("vacation", parts, countof(parts));
}

static int answer(const struct performer *p, const struct account *a,
		  const struct filter_outcome *o, const struct sieve_action *x,
		  const struct memory_key *key, struct err *e)
{
	const struct sieve_vacation *v = &x->vacation;
	const char *rcpt[] = {v->to.p};
	char id[REPLY_ID];
	struct reply r = {
		.from = v->from.n > 0 ? v->from : str_of(a->name.s),
		.to = &v->to,
		.n_to = 1,
		.subject = v->subject,
		.text = v->reason,
		.mime = v->mime,
		.submitted = "auto-replied (vacation)",
		.id = id,
		.message_id = o->message_id,
		.references = o->references,
	};

	reply_id(p, a, x, key, id);
	return send_reply(p, &r, rcpt, e);
}

/* vacation - an interval of 0 answers each time (RFC 6131 s2), but a message once */
static void vacation(const struct performer *p, const struct account *a,
		     const struct filter_outcome *o, const struct sieve_action *x)
{
	const struct sieve_vacation *v = &x->vacation;
	struct memory_entry entry = {vacation_key(v),
				     clock_unix_ms() + (uint64_t)v->seconds * 1000};
	bool taken = true;
	struct err e, why;

	if (v->seconds == 0 && is_done(p, a, x, v->to))
		return;
	if (v->seconds > 0 && memory_put(p->store, a, &entry, 1, &taken, &e) < 0) {
		log_memory(p, a, &e);
		return; /* whoever does not know whom he has answered answers nobody */
	}
	if (!taken)
		return;
	if (answer(p, a, o, x, &entry.key, &e) == 0) {
		if (v->seconds == 0)
			sent_once(p, a, x, v->to);
		else
			log_sent(p, a, x, v->to);
		return;
	}
	log_unsent(p, a, x, v->to, &e);
	if (v->seconds > 0 && memory_forget(p->store, a, &entry.key, &why) < 0)
		log_memory(p, a, &why);
}

/* notify_key - one message may be reason for several notifications, to the same and with the
 * same words */
static struct memory_key notify_key(const struct sieve_notify *n, size_t index)
{
	char numbers[48];
	struct str parts[] = {n->method, n->subject, n->body, {numbers, 0}};

	parts[3].n =
		(size_t)snprintf(numbers, sizeof numbers, "%u %zu", n->importance, index);
	return memory_key("notification", parts, countof(parts));
}

/* notify - RFC 5436 s2.7; the action's index in the outcome tells it from its likes */
static void notify(const struct performer *p, const struct account *a,
		   const struct sieve_action *x, size_t index)
{
	const struct sieve_notify *n = &x->notify;
	const struct memory_key key = notify_key(n, index);
	const char *rcpt[REPLY_RECIPIENTS];
	char submitted[NAME_OCTETS + 64], id[REPLY_ID];
	struct reply r = {
		.from = n->from.n > 0 ? n->from : str_of(a->name.s),
		.to = n->to.list,
		.n_to = n->to.n < REPLY_RECIPIENTS ? n->to.n : REPLY_RECIPIENTS,
		.subject = n->subject,
		.text = n->body,
		.submitted = submitted,
		.id = id,
		.importance = n->importance,
	};
	struct err e;

	if (n->to.n == 0 || is_done(p, a, x, str_of(key.hex)))
		return;
	for (size_t i = 0; i < r.n_to; i++)
		rcpt[i] = n->to.list[i].p;
	snprintf(submitted, sizeof submitted, "auto-notified; owner-email=\"%s\"",
		 a->name.s);
	reply_id(p, a, x, &key, id);
	if (send_reply(p, &r, rcpt, &e) < 0) {
		log_unsent(p, a, x, n->method, &e);
		return;
	}
	log_sent(p, a, x, n->method);
	set_done(p, a, x, str_of(key.hex));
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static bool settled_key(const struct performer *p, struct memory_key *out)
{
	struct retry_text key = retry_key_print(p->key);
	struct str part = str_of(key.c);

	if (!retry_key_is_set(p->key))
		return false;
	*out = memory_key("settled", &part, 1);
	return true;
}

bool perform_was_settled(const struct performer *p, const struct account *a)
{
	struct memory_key key;
	struct err e;
	bool has;

	if (!settled_key(p, &key))
		return false;
	if (memory_has(p->store, a, &key, &has, &e) == 0)
		return has;
	log_memory(p, a, &e);
	return false;
}

/* is_found_again - by a retry, in its own maildrop; whoever refused it refuses it again */
static bool is_found_again(const struct filter_outcome *o)
{
	return o->answer != FILTER_FILE && o->answer != FILTER_SENT_ON &&
	       o->answer != FILTER_DISCARD;
}

static void remember(const struct performer *p, const struct account *a,
		     const struct filter_outcome *o)
{
	struct memory_entry *v = xalloc((o->n_tracks + 1) * sizeof *v);
	size_t n = o->n_tracks;
	struct err e;

	for (size_t i = 0; i < o->n_tracks; i++)
		v[i] = (struct memory_entry){
			memory_key("duplicate", &o->tracks[i].key, 1),
			clock_unix_ms() + (uint64_t)o->tracks[i].seconds * 1000};
	if (n > 0 && !is_found_again(o) && settled_key(p, &v[n].key))
		v[n++].until_ms = clock_unix_ms() + ONCE_MS;
	if (n > 0 && memory_put(p->store, a, v, n, NULL, &e) < 0)
		log_memory(p, a, &e);
	xfree(&v);
}

void perform_rest(const struct performer *p, const struct account *a,
		  const struct filter_outcome *o)
{
	for (size_t i = 0; i < o->n_todo; i++) {
		if (o->todo[i].kind == SIEVE_VACATION)
			vacation(p, a, o, &o->todo[i]);
		else if (o->todo[i].kind == SIEVE_NOTIFY)
			notify(p, a, &o->todo[i], i);
	}
	remember(p, a, o);
}
