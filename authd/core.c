/* SPDX-License-Identifier: ISC */
#include "authd/core.h"

#include "lib/base64.h"

#include <string.h>

enum { VALUES_MAX = 2 * WIRE_MAX }; /* decoded ones are shorter, with a NUL longer */

struct core {
	enum core_want want;
	bool foreign, exchange;
	struct wire in, out;
	struct buf values; /* of the question, each with a NUL after it */
	size_t kept;       /* as much of them as belongs to the exchange */
	struct question q;
	const char *broken;
};

struct core *core_new(bool foreign)
{
	struct core *c = xalloc(sizeof *c);

	c->foreign = foreign;
	wire_init(&c->in);
	wire_init(&c->out);
	buf_init_secret(&c->values, VALUES_MAX);
	return c;
}

void core_free(struct core **c)
{
	if (*c == NULL)
		return;
	wire_fini(&(*c)->in);
	wire_fini(&(*c)->out);
	buf_fini_secret(&(*c)->values);
	xfree(c);
}

enum core_want core_want(const struct core *c)
{
	return c->want;
}

const struct question *core_question(const struct core *c)
{
	return &c->q;
}

struct buf *core_output(struct core *c)
{
	return &c->out.text;
}

bool core_idle(const struct core *c)
{
	return c->in.text.n == 0;
}

const char *core_broken(const struct core *c)
{
	return c->broken;
}

bool core_in_exchange(const struct core *c)
{
	return c->exchange;
}

static void break_off(struct core *c, const char *why)
{
	if (c->broken == NULL)
		c->broken = why;
	c->want = CORE_WANT_CLOSE;
}

/* wipe_values - but for those of the exchange that goes on */
static void wipe_values(struct core *c, size_t keep)
{
	explicit_bzero(c->values.p + keep, c->values.n - keep);
	buf_cut(&c->values, keep);
}

/* ---- values ------------------------------------------------------------------------- */

/* end_value - what was decoded since `from`; the buffer is born at full size, so it stays
 * where it is */
static struct str end_value(struct core *c, size_t from)
{
	struct str s = {c->values.p + from, c->values.n - from};

	buf_putc(&c->values, '\0');
	must(!buf_over(&c->values));
	return s;
}

static struct str get(struct core *c, const char *key)
{
	size_t from = c->values.n;

	if (!wire_get(&c->in, key, &c->values))
		return STR("");
	return end_value(c, from);
}

static const char *get_text(struct core *c, const char *key)
{
	struct str s = get(c, key);

	if (str_has_control(s))
		break_off(c, "there is a control octet where none may be");
	return s.p;
}

static struct str get_base64(struct core *c, const char *key, bool *has)
{
	size_t from = c->values.n;

	*has = wire_has(&c->in, key);
	if (!*has)
		return STR("");
	if (!wire_get_base64(&c->in, key, &c->values))
		break_off(c, "there is no base64 where it has to be");
	return end_value(c, from);
}

static bool get_yes(struct core *c, const char *key)
{
	bool yes = wire_is(&c->in, key, "yes");

	if (!yes && wire_has(&c->in, key))
		break_off(c, "something may only be `yes`");
	return yes;
}

static void get_names(struct core *c)
{
	struct str key, value;
	size_t at = 0;

	while (wire_next(&c->in, &at, &key, &value)) {
		if (!str_eq(key, STR("certificate-name")))
			continue;
		if (c->q.n_names == CORE_NAMES) {
			break_off(c, "the certificate has too many names");
			return;
		}

		size_t from = c->values.n;
		struct buf *to = &c->values;

		wire_decode(value, to);
		c->q.names[c->q.n_names++] = end_value(c, from);
	}
}

static void get_peer(struct core *c)
{
	struct question *q = &c->q;
	bool ignored;

	q->service = get_text(c, "service");
	q->sid = get_text(c, "sid");
	q->client = get_text(c, "client");
	q->server = get_text(c, "server");
	q->tls = get_yes(c, "tls");
	q->loopback = get_yes(c, "loopback");
	q->exporter = get_base64(c, "exporter", &ignored);
	q->end_point = get_base64(c, "end-point", &ignored);
	q->subject = get(c, "certificate-subject");
	get_names(c);
	if (q->service[0] == '\0')
		break_off(c, "the service is not named");
	if (c->foreign && strcmp(q->service, "smtp") != 0)
		break_off(c, "another service than smtp");
}

/* ---- questions ---------------------------------------------------------------------- */

/* Of the keys that a verb has besides the peer's, each has to be there; the others are an
 * error, as a misspelt one is. */
enum {
	USER = 1,
	PASSWORD = 2,
	NEW = 4,
	CHALLENGE = 8,
	DIGEST = 16,
	MECHANISM = 32,
	DATA = 64, /* may be missing in `sasl` */
	PEER = 128,
};

static const struct {
	const char *word;
	enum core_want want;
	unsigned needs, may;
	bool within; /* an exchange */
} verbs[] = {
	/* clang-format off */
	{"offer",    CORE_WANT_OFFER,    0,                         PEER,        false},
	{"password", CORE_WANT_PASSWORD, USER | PASSWORD,           PEER,        false},
	{"apop",     CORE_WANT_APOP,     USER | CHALLENGE | DIGEST, PEER,        false},
	{"sasl",     CORE_WANT_SASL,     MECHANISM,                 PEER | DATA, false},
	{"change",   CORE_WANT_CHANGE,   USER | PASSWORD | NEW,     PEER,        false},
	{"lookup",   CORE_WANT_LOOKUP,   USER,                      PEER,        false},
	{"step",     CORE_WANT_STEP,     DATA,                      PEER,        true},
	{"abort",    CORE_WANT_ABORT,    0,                         PEER,        true},
	/* clang-format on */
};

static const struct {
	struct str key;
	unsigned bit;
} keys[] = {
	/* clang-format off */
	{STR_INIT("user"), USER},                  {STR_INIT("password"), PASSWORD},
	{STR_INIT("new"), NEW},                    {STR_INIT("challenge"), CHALLENGE},
	{STR_INIT("digest"), DIGEST},              {STR_INIT("mechanism"), MECHANISM},
	{STR_INIT("data"), DATA},                  {STR_INIT("service"), PEER},
	{STR_INIT("sid"), PEER},                   {STR_INIT("client"), PEER},
	{STR_INIT("server"), PEER},                {STR_INIT("tls"), PEER},
	{STR_INIT("loopback"), PEER},              {STR_INIT("exporter"), PEER},
	{STR_INIT("end-point"), PEER},             {STR_INIT("certificate-subject"), PEER},
	{STR_INIT("certificate-name"), PEER},
	/* clang-format on */
};

static unsigned bit_of(struct str key)
{
	for (size_t i = 0; i < countof(keys); i++)
		if (str_eq(keys[i].key, key))
			return keys[i].bit;
	return 0;
}

/* has_keys - those of verb `i`, and no others; `do` was first */
static bool has_keys(const struct core *c, size_t i, size_t at)
{
	struct str key, value;
	unsigned seen = 0;

	while (wire_next(&c->in, &at, &key, &value)) {
		unsigned bit = bit_of(key);

		if ((bit & (verbs[i].needs | verbs[i].may)) == 0)
			return false;
		seen |= bit;
	}
	return (seen & verbs[i].needs) == verbs[i].needs;
}

static void get_values(struct core *c)
{
	struct question *q = &c->q;

	/* A step says no more than its data: the peer is that of the exchange. */
	if (!c->exchange) {
		*q = (struct question){0};
		get_peer(c);
		q->user = get(c, "user");
		q->password = get(c, "password");
		q->new_password = get(c, "new");
		q->challenge = get(c, "challenge");
		q->digest = get(c, "digest");
		q->mechanism = get(c, "mechanism");
		c->kept = c->values.n;
	}
	q->data = get_base64(c, "data", &q->has_data);
}

static void begin_question(struct core *c)
{
	struct str key, value;
	size_t at = 0;

	if (!wire_next(&c->in, &at, &key, &value) || !str_eq(key, STR("do"))) {
		break_off(c, "a question does not begin with `do`");
		return;
	}
	for (size_t i = 0; i < countof(verbs); i++) {
		if (!str_eq(value, str_of(verbs[i].word)))
			continue;
		c->want = verbs[i].want;
		if (verbs[i].within != c->exchange)
			break_off(c, "it is not the time for that");
		else if (c->want == CORE_WANT_LOOKUP && !c->foreign)
			break_off(c, "a service of ours needs no verifiers");
		else if (!has_keys(c, i, at))
			break_off(c, "a question has keys that do not belong to it");
		else
			get_values(c);
		return;
	}
	break_off(c, "nobody knows what to do");
}

size_t core_feed(struct core *c, struct str in)
{
	size_t used = 0;

	if (c->want != CORE_WANT_INPUT)
		return 0;
	switch (wire_feed(&c->in, in, &used)) {
	case WIRE_MORE:
		break;
	case WIRE_BROKEN:
		break_off(c, wire_broken(&c->in));
		break;
	case WIRE_WHOLE:
		begin_question(c);
		break;
	}
	return used;
}

/* ---- answers ------------------------------------------------------------------------ */

static const char *const words[] = {
	[AUTH_OK] = "ok",
	[AUTH_CHALLENGE] = "challenge",
	[AUTH_REFUSED] = "refused",
	[AUTH_EXPIRED] = "expired",
	[AUTH_REJECTED] = "rejected",
	[AUTH_TRY_AGAIN] = "later",
};

/* begin_answer - the last one has been written: there is one question at a time */
static void begin_answer(struct core *c)
{
	must(c->out.text.n == 0);
	wire_clear(&c->out);
}

static void end_answer(struct core *c, bool exchange)
{
	must(wire_finish(&c->out));
	wire_clear(&c->in);
	wipe_values(c, exchange ? c->kept : 0);
	if (!exchange)
		c->q = (struct question){0};
	c->exchange = exchange;
	c->want = CORE_WANT_INPUT;
}

void core_answer(struct core *c, const struct auth_answer *a)
{
	bool exchange = c->want == CORE_WANT_SASL || c->want == CORE_WANT_STEP;

	must(c->want != CORE_WANT_INPUT && c->want != CORE_WANT_OFFER &&
	     c->want != CORE_WANT_CLOSE);
	must(exchange || a->result != AUTH_CHALLENGE);
	begin_answer(c);
	wire_put(&c->out, "answer", str_of(words[a->result]));
	if (a->result == AUTH_OK) {
		wire_put(&c->out, "account", str_of(a->account));
		wire_put_u64(&c->out, "uid", a->uid);
		if (a->ticket[0] != '\0')
			wire_put(&c->out, "ticket", str_of(a->ticket));
	}
	if (a->data.n > 0)
		wire_put_base64(&c->out, "data", buf_str(&a->data));
	if (a->why[0] != '\0')
		wire_put(&c->out, "why", str_of(a->why));
	if (a->wait_ms > 0)
		wire_put_u64(&c->out, "wait", a->wait_ms);
	end_answer(c, a->result == AUTH_CHALLENGE);
}

void core_verifiers(struct core *c, struct str verifiers, uint32_t wait_ms)
{
	must(c->want == CORE_WANT_LOOKUP);
	begin_answer(c);
	wire_put(&c->out, "answer", STR("ok"));
	wire_put(&c->out, "verifiers", verifiers);
	if (wait_ms > 0)
		wire_put_u64(&c->out, "wait", wait_ms);
	end_answer(c, false);
}

void core_offer(struct core *c, const struct auth_offer *o)
{
	must(c->want == CORE_WANT_OFFER);
	begin_answer(c);
	wire_put(&c->out, "answer", STR("offer"));
	if (o->password)
		wire_put(&c->out, "password", STR("yes"));
	if (o->apop)
		wire_put(&c->out, "apop", STR("yes"));
	wire_put(&c->out, "mechanisms", str_of(o->mechanisms));
	if (o->any_client)
		wire_put(&c->out, "client", STR("any"));
	end_answer(c, false);
}
