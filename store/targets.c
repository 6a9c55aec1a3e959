/* SPDX-License-Identifier: ISC */
#include "store/targets.h"

#include <string.h>

#include "lib/conn.h"
#include "store/maildrop.h"
#include "store/store.h"

/* One expansion: where we are, and what was met. */
struct walk {
	struct store *s;
	uint64_t size;
	struct targets *t;
	struct name *met; /* forwardings */
	size_t n_met, cap_met;
	size_t refused;             /* targets in t->v that may not receive */
	struct targets_reply worst; /* the reply, if all of them are */
	const char *worst_word;
	bool broken; /* t->reply says why */
};

static void give_up(struct walk *w, const struct targets_reply *r, const char *word)
{
	w->broken = true;
	w->t->reply = *r;
	w->t->word = word;
}

static const struct targets_reply mail_loop = {554, "5.4.6",
					       "forwarding leads in a circle"};
static const struct targets_reply too_many = {550, "5.2.4",
					      "forwarding has too many addresses"};

/* ---- the list ------------------------------------------------------------------- */

static bool same(const struct target *a, const struct target *b)
{
	if (a->ours && b->ours)
		return a->account.uid == b->account.uid;
	return strcmp(a->address.local, b->address.local) == 0 &&
	       strcmp(a->address.domain, b->address.domain) == 0;
}

/* add - false when it was there already, or there is no room */
static bool add(struct walk *w, const struct target *new)
{
	struct targets *t = w->t;

	for (size_t i = 0; i < t->n; i++)
		if (same(&t->v[i], new))
			return false;
	if (t->n == TARGETS_MAX) {
		give_up(w, &too_many, "too-many");
		return false;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 1;

		t->v = xgrow(t->v, t->cap * sizeof *t->v, cap * sizeof *t->v);
		t->cap = cap;
	}
	t->v[t->n++] = *new;
	return true;
}

static bool met_before(struct walk *w, const struct name *name)
{
	for (size_t i = 0; i < w->n_met; i++)
		if (strcmp(w->met[i].s, name->s) == 0)
			return true;
	if (w->n_met == w->cap_met) {
		size_t cap = w->cap_met ? w->cap_met * 2 : 4;

		w->met = xgrow(w->met, w->cap_met * sizeof *w->met, cap * sizeof *w->met);
		w->cap_met = cap;
	}
	w->met[w->n_met++] = *name;
	return false;
}

/* ---- the walk --------------------------------------------------------------------- */

static struct targets_reply reply_of(const struct verdict *v)
{
	return (struct targets_reply){v->smtp, v->dsn, v->text};
}

/* take_refusal - remembers what would be said if nobody could receive */
static void take_refusal(struct walk *w, const struct verdict *v)
{
	bool first = w->refused++ == 0;

	if (first || (v->smtp < 500 && w->worst.code >= 500)) {
		w->worst = reply_of(v);
		w->worst_word = v->word;
		w->t->why = v->why;
	}
}

static void name_address(const struct name *n, struct address *out)
{
	struct str local = name_local(n), domain = name_domain_of(n);

	*out = (struct address){0};
	memcpy(out->local, local.p, local.n);
	memcpy(out->domain, domain.p, domain.n);
}

static void follow(struct walk *w, const struct verdict *v, unsigned depth);

/* meet - one address of a forwarding; another forwarding is followed */
static void meet(struct walk *w, const struct address *a, unsigned depth)
{
	struct target new = {.address = *a};
	struct verdict v;

	verdict_of_address(w->s, a, w->size, &v);
	switch (v.code) {
	case VERDICT_FORWARD:
		follow(w, &v, depth);
		break;
	case VERDICT_OK:
		new.ours = true;
		new.account = v.account;
		name_address(&v.account.name, &new.address);
		add(w, &new);
		break;
	case VERDICT_NOT_OURS:
		add(w, &new);
		break;
	case VERDICT_BAD_ADDRESS:
	case VERDICT_NO_USER:
	case VERDICT_FORGED:
	case VERDICT_NOT_RECEIVING:
	case VERDICT_OVER_QUOTA:
	case VERDICT_TOO_LARGE:
	case VERDICT_TRY_AGAIN:
		if (add(w, &new))
			take_refusal(w, &v);
		break;
	}
	verdict_fini(&v);
}

/* A chain that is too long is no circle, but nobody can tell from here. */
static void follow(struct walk *w, const struct verdict *v, unsigned depth)
{
	if (met_before(w, &v->name))
		return;
	if (depth == FORWARDING_DEPTH)
		give_up(w, &mail_loop, "loop");
	for (size_t i = 0; i < v->forwarding.n && !w->broken; i++)
		meet(w, &v->forwarding.targets[i], depth + 1);
}

/* choose - the way that the recipient takes as a whole */
static void choose(struct walk *w)
{
	struct targets *t = w->t;
	size_t ours = 0;

	for (size_t i = 0; i < t->n; i++)
		ours += t->v[i].ours;
	if (w->broken)
		return;
	if (t->n == 0) {
		give_up(w, &mail_loop, "loop");
	} else if (w->refused == t->n) {
		t->reply = w->worst;
		t->word = w->worst_word;
	} else {
		t->way = ours == t->n ? TARGETS_STORE
			 : ours > 0   ? TARGETS_BOTH
				      : TARGETS_MAIL;
	}
}

static void expand(struct store *s, const struct verdict *v, uint64_t size,
		   struct targets *out)
{
	struct walk w = {.s = s, .size = size, .t = out};

	follow(&w, v, 0);
	choose(&w);
	xfree(&w.met);
}

/* is_judged_later - the maildrop is full, but perhaps of this very message: whether it is
 * a retry is known when all of it is here, and then the quota is asked again */
static bool is_judged_later(struct store *s, const struct verdict *v, uint64_t size)
{
	uint64_t window_ms = store_settings(s)->lmtp.retry_window_s * 1000;
	struct err e;
	bool may_be;

	return v->code == VERDICT_OVER_QUOTA && window_ms > 0 &&
	       maildrop_may_be_retry(s, &v->account, size, clock_unix_ms() - window_ms,
				     &may_be, &e) == 0 &&
	       may_be;
}

void targets_of(struct store *s, struct str address, uint64_t size, struct targets *out)
{
	struct verdict v;

	*out = (struct targets){0};
	verdict_of(s, address, size, &v);
	if (is_judged_later(s, &v, size))
		verdict_set(s, VERDICT_OK, &v);
	out->reply = reply_of(&v);
	out->word = v.word;
	if (v.code == VERDICT_OK) {
		out->way = TARGETS_STORE;
		out->v = xalloc(sizeof *out->v);
		out->n = out->cap = 1;
		out->v[0].ours = true;
		out->v[0].account = v.account;
		name_address(&v.account.name, &out->v[0].address);
	} else if (v.code == VERDICT_FORWARD) {
		out->returns = v.returns;
		expand(s, &v, size, out);
	} else {
		out->why = v.why;
	}
	verdict_fini(&v);
}

void targets_fini(struct targets *t)
{
	xfree(&t->v);
	*t = (struct targets){0};
}
