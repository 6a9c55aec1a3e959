/* SPDX-License-Identifier: ISC */
#include "milter/transaction.h"

#include "lib/conn.h"
#include "mail/address.h"
#include "store/store.h"
#include "store/targets.h"
#include "store/trace.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
	TOP_OCTETS = 4096,
	SENDER_OCTETS = 2 * (ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX) + 8, /* quoted */
};

struct transactions {
	struct store *store;
	struct filters *filters;
	atomic_size_t held; /* octets of texts */
};

/* An account that would get it. */
struct getter {
	struct account account;
	char *rcpt; /* as it was named first */
};

enum state {
	NOBODY,     /* yet */
	ALL_FILTER, /* everybody so far has scripts */
	SOMEBODY,   /* gets it, whatever the others' scripts say */
	GAVE_UP,    /* `why` */
};

struct transaction {
	struct transactions *all;
	bool exact;
	enum state state;
	uint64_t size;
	struct buf sender;
	struct getter *getters;
	size_t n, cap;
	struct buf text;
	size_t held; /* of all->held */
	bool in_body;
	struct err why;
};

/* ---- life -------------------------------------------------------------------------------- */

struct transactions *transactions_new(struct store *s, struct filters *filters)
{
	struct transactions *all = xalloc(sizeof *all);

	all->store = s;
	all->filters = filters;
	return all;
}

void transactions_free(struct transactions **all)
{
	if (*all != NULL)
		must(atomic_load(&(*all)->held) == 0);
	xfree(all);
}

struct transaction *transaction_new(struct transactions *all, bool exact)
{
	struct transaction *t = xalloc(sizeof *t);

	t->all = all;
	t->exact = exact;
	buf_init(&t->sender, SENDER_OCTETS);
	buf_init(&t->text, FILTER_OCTETS);
	return t;
}

static void drop_text(struct transaction *t)
{
	atomic_fetch_sub(&t->all->held, t->held);
	t->held = 0;
	buf_fini(&t->text);
	buf_init(&t->text, FILTER_OCTETS);
}

static void drop_getters(struct transaction *t)
{
	for (size_t i = 0; i < t->n; i++)
		xfree(&t->getters[i].rcpt);
	xfree(&t->getters);
	t->n = t->cap = 0;
}

void transaction_forget(struct transaction *t)
{
	drop_text(t);
	drop_getters(t);
	buf_clear(&t->sender);
	t->state = NOBODY;
	t->size = 0;
	t->in_body = false;
	t->why = (struct err){0};
}

void transaction_free(struct transaction **t)
{
	if (*t == NULL)
		return;
	transaction_forget(*t);
	buf_fini(&(*t)->sender);
	buf_fini(&(*t)->text);
	xfree(t);
}

/* take_sender - as the delivery agent will have it, in its canonical form */
static void take_sender(struct transaction *t, struct str sender)
{
	struct address a;

	if (sender.n > 0 && address_parse(sender, true, &a) == ADDRESS_OK)
		address_print(&t->sender, &a);
	else
		buf_put(&t->sender, sender);
}

void transaction_begin(struct transaction *t, struct str sender, uint64_t size)
{
	transaction_forget(t);
	take_sender(t, sender);
	t->size = size;
}

uint64_t transaction_size(const struct transaction *t)
{
	return t->size;
}

struct str transaction_sender(const struct transaction *t)
{
	return buf_str(&t->sender);
}

size_t transaction_accounts(const struct transaction *t)
{
	return t->n;
}

/* ---- who gets it ---------------------------------------------------------------------------- */

static void give_up(struct transaction *t, const char *dsn, const char *why)
{
	if (t->state == SOMEBODY || t->state == GAVE_UP)
		return;
	t->state = GAVE_UP;
	err_set(&t->why, ERR_TEMP, dsn, "%s", why);
	drop_text(t);
}

/* somebody_gets_it - nothing is left to be found out */
static void somebody_gets_it(struct transaction *t)
{
	t->state = SOMEBODY;
	drop_text(t);
	drop_getters(t);
}

static bool is_known(const struct transaction *t, const struct account *a)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->getters[i].account.uid == a->uid)
			return true;
	return false;
}

static void add(struct transaction *t, struct str rcpt, const struct account *a)
{
	struct getter *g;

	if (!filters_want(t->all->filters, a)) {
		somebody_gets_it(t);
		return;
	}
	if (is_known(t, a))
		return;
	if (t->n == TRANSACTION_ACCOUNTS) {
		give_up(t, "4.5.3", "too many recipients have scripts");
		return;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 1;

		t->getters = xgrow(t->getters, t->cap * sizeof *g, cap * sizeof *g);
		t->cap = cap;
	}
	g = &t->getters[t->n++];
	g->account = *a;
	g->rcpt = xalloc(rcpt.n + 1);
	memcpy(g->rcpt, rcpt.p, rcpt.n);
	t->state = t->state == NOBODY ? ALL_FILTER : t->state;
}

/* add_forwarding - whoever cannot get it is no matter of scripts: the delivery agent has the
 * last word, as it has without them */
static void add_forwarding(struct transaction *t, struct str rcpt)
{
	struct targets to;

	targets_of(t->all->store, rcpt, t->size, &to);
	if (to.way != TARGETS_STORE)
		somebody_gets_it(t);
	for (size_t i = 0; i < to.n && t->state != SOMEBODY; i++)
		add(t, rcpt, &to.v[i].account);
	targets_fini(&to);
}

void transaction_recipient(struct transaction *t, struct str rcpt,
			   const struct verdict *v)
{
	if (t->all->filters == NULL || t->state == SOMEBODY)
		return;
	switch (v->code) {
	case VERDICT_OK:
		add(t, rcpt, &v->account);
		break;
	case VERDICT_FORWARD:
		add_forwarding(t, rcpt);
		break;
	case VERDICT_NOT_OURS:
		somebody_gets_it(t);
		break;
	case VERDICT_BAD_ADDRESS:
	case VERDICT_NO_USER:
	case VERDICT_FORGED:
	case VERDICT_NOT_RECEIVING:
	case VERDICT_OVER_QUOTA:
	case VERDICT_TOO_LARGE:
	case VERDICT_TRY_AGAIN:
		break; /* refused, and no recipient any more */
	}
}

/* ---- the text --------------------------------------------------------------------------------- */

bool transaction_wants_text(const struct transaction *t)
{
	return t->state == ALL_FILTER;
}

/* hold - room for `n` octets more; false: the message is let through */
static bool hold(struct transaction *t, size_t n)
{
	if (n > FILTER_OCTETS - t->held) {
		give_up(t, "4.3.4", "the message is too large to be filtered");
		return false;
	}
	if (atomic_fetch_add(&t->all->held, n) > TRANSACTIONS_OCTETS - n) {
		atomic_fetch_sub(&t->all->held, n);
		give_up(t, "4.3.2", "too many messages are here at once");
		return false;
	}
	t->held += n;
	return true;
}

static void put(struct transaction *t, struct str s)
{
	if (t->state == ALL_FILTER && hold(t, s.n))
		buf_put(&t->text, s);
}

/* put_top - what the delivery agent will put before the message */
static void put_top(struct transaction *t)
{
	const struct settings *set = store_settings(t->all->store);
	const struct trace_hop hop = {
		.from = str_of(set->hostname),
		.peer = STR("127.0.0.1"),
		.by = str_of(set->hostname),
		.unix_ms = clock_unix_ms(),
	};
	struct buf top;

	buf_init(&top, TOP_OCTETS);
	trace_return_path(buf_str(&t->sender), &top);
	trace_received(&hop, &top);
	put(t, buf_str(&top));
	buf_fini(&top);
}

/* put_lines - of a field's value: their ends are LF here, and CRLF where they are stored */
static void put_lines(struct transaction *t, struct str s)
{
	const char *lf;

	while ((lf = memchr(s.p, '\n', s.n)) != NULL) {
		struct str line = {s.p, (size_t)(lf - s.p)};

		s = (struct str){lf + 1, s.n - line.n - 1};
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		put(t, line);
		put(t, STR("\r\n"));
	}
	put(t, s);
	put(t, STR("\r\n"));
}

static bool begins_blank(struct str s)
{
	return s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n');
}

void transaction_header(struct transaction *t, struct str name, struct str value)
{
	if (!transaction_wants_text(t))
		return;
	if (t->text.n == 0)
		put_top(t);
	put(t, name);
	put(t, t->exact || begins_blank(value) ? STR(":") : STR(": "));
	put_lines(t, value);
}

static void begin_body(struct transaction *t)
{
	if (t->in_body)
		return;
	if (t->text.n == 0)
		put_top(t);
	put(t, STR("\r\n"));
	t->in_body = true;
}

void transaction_body(struct transaction *t, struct str octets)
{
	if (!transaction_wants_text(t))
		return;
	begin_body(t);
	put(t, octets);
}

static void finish_text(struct transaction *t)
{
	begin_body(t);
	if (!str_ends(buf_str(&t->text), STR("\r\n")))
		put(t, STR("\r\n"));
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void take_refusal(const struct filter_outcome *o, struct transaction_refusal *out)
{
	snprintf(out->text, sizeof out->text, "%s", o->text);
	snprintf(out->script, sizeof out->script, "%s", o->script);
	out->line = o->line;
}

/* ask - until somebody does not refuse */
static enum transaction_end ask(struct transaction *t, struct filter *f,
				struct transaction_outcome *out)
{
	enum transaction_end end = TRANSACTION_REFUSED;

	for (size_t i = 0; end == TRANSACTION_REFUSED && i < t->n; i++) {
		const struct getter *g = &t->getters[i];
		struct filter_outcome o;

		filter_run(f, &g->account, str_of(g->rcpt), &o);
		if (o.answer == FILTER_LATER) {
			out->why = o.why;
			end = TRANSACTION_UNFILTERED;
		} else if (o.answer != FILTER_REJECT) {
			end = TRANSACTION_TAKEN;
		} else if (i == 0) {
			take_refusal(&o, &out->filter);
			out->account = g->account.name;
		}
		filter_outcome_fini(&o);
	}
	return end;
}

static enum transaction_end run_filters(struct transaction *t,
					struct transaction_outcome *out)
{
	const struct settings *set = store_settings(t->all->store);
	struct filter_message m = {.text = buf_str(&t->text),
				   .size = t->text.n,
				   .sender = buf_str(&t->sender),
				   .plain = true};
	struct filter *f =
		filter_begin(t->all->filters,
			     (uint32_t)(set->milter.filter_timeout_s * 1000), &out->why);
	enum transaction_end end;

	if (f == NULL)
		return TRANSACTION_UNFILTERED;
	filter_set_message(f, &m);
	end = ask(t, f, out);
	filter_end(&f);
	return end;
}

enum transaction_end transaction_end(struct transaction *t,
				     struct transaction_outcome *out)
{
	*out = (struct transaction_outcome){.why = {0}};
	if (t->state == ALL_FILTER)
		finish_text(t);
	if (t->state == ALL_FILTER)
		return run_filters(t, out);
	if (t->state != GAVE_UP)
		return TRANSACTION_TAKEN;
	out->why = t->why;
	return TRANSACTION_UNFILTERED;
}
