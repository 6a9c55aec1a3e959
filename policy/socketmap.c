/* SPDX-License-Identifier: ISC */
#include "policy/socketmap.h"

#include <string.h>

enum { MAP_NAME_MAX = 64, DIGITS_MAX = 6 }; /* of SOCKETMAP_REQUEST_MAX */

/* Of a netstring, "11:MAP KEY,": */
enum state { LENGTH, TEXT, COMMA };

struct socketmap {
	enum state state;
	enum socketmap_want want;
	uint32_t digits, left; /* of the length that were read; of the text to come */
	struct buf text;       /* MAP KEY; over when it was too long to be of use */
	const struct map *map;
	struct str key;
	struct address address;
	struct buf out;
	const char *broken;
	bool expands;
};

static void ask_verdict(struct socketmap *m);
static void ask_domain(struct socketmap *m);
static void answer_taker(struct socketmap *m, const struct verdict *v);
static void answer_targets(struct socketmap *m, const struct verdict *v);

static const struct map {
	struct str name;
	void (*ask)(struct socketmap *m);
	void (*answer)(struct socketmap *m, const struct verdict *v);
} maps[] = {
	/* clang-format off */
	{STR_INIT("virtual_mailbox_maps"),    ask_verdict, answer_taker},
	{STR_INIT("relay_recipient_maps"),    ask_verdict, answer_taker},
	{STR_INIT("virtual_alias_maps"),      ask_verdict, answer_targets},
	{STR_INIT("virtual_mailbox_domains"), ask_domain,  NULL},
	{STR_INIT("relay_domains"),           ask_domain,  NULL},
	/* clang-format on */
};

struct socketmap *socketmap_new(bool expands)
{
	struct socketmap *m = xalloc(sizeof *m);

	m->expands = expands;

	buf_init(&m->text, MAP_NAME_MAX + 1 + SOCKETMAP_KEY_MAX);
	buf_init(&m->out, SOCKETMAP_REQUEST_MAX + DIGITS_MAX + 2);
	return m;
}

void socketmap_free(struct socketmap **m)
{
	if (*m == NULL)
		return;
	buf_fini(&(*m)->text);
	buf_fini(&(*m)->out);
	xfree(m);
}

enum socketmap_want socketmap_want(const struct socketmap *m)
{
	return m->want;
}

struct buf *socketmap_output(struct socketmap *m)
{
	return &m->out;
}

bool socketmap_idle(const struct socketmap *m)
{
	return m->state == LENGTH && m->digits == 0;
}

const char *socketmap_broken(const struct socketmap *m)
{
	return m->broken;
}

struct str socketmap_map(const struct socketmap *m)
{
	return m->map->name;
}

struct str socketmap_key(const struct socketmap *m)
{
	return m->key;
}

const struct address *socketmap_address(const struct socketmap *m)
{
	return &m->address;
}

/* ---- answers ---------------------------------------------------------------------- */

/* reply - "STATUS text" as a netstring, and on to the next request */
static void reply(struct socketmap *m, const char *status, struct str text)
{
	buf_printf(&m->out, "%zu:%s ", strlen(status) + 1 + text.n, status);
	buf_put(&m->out, text);
	buf_putc(&m->out, ',');
	m->want = SOCKETMAP_WANT_INPUT;
}

static void not_found(struct socketmap *m)
{
	reply(m, "NOTFOUND", STR(""));
}

static void answer_taker(struct socketmap *m, const struct verdict *v)
{
	if (verdict_accepts(v))
		reply(m, "OK", str_of(v->name.s));
	else if (v->code == VERDICT_OVER_QUOTA || v->code == VERDICT_TRY_AGAIN)
		reply(m, "TEMP", str_of(v->text));
	else
		not_found(m);
}

static void answer_targets(struct socketmap *m, const struct verdict *v)
{
	const struct forwarding *f = &v->forwarding;
	struct buf targets;

	if (v->code != VERDICT_FORWARD || (!m->expands && !v->returns)) {
		if (v->code == VERDICT_TRY_AGAIN)
			reply(m, "TEMP", str_of(v->text));
		else
			not_found(m);
		return;
	}
	buf_init(&targets, SOCKETMAP_REQUEST_MAX - sizeof "OK");
	for (size_t i = 0; i < f->n; i++) {
		buf_put(&targets, i > 0 ? STR(", ") : STR(""));
		address_print(&targets, &f->targets[i]);
	}
	if (buf_over(&targets))
		reply(m, "TEMP", STR("the forwarding has too many targets for a table"));
	else
		reply(m, "OK", buf_str(&targets));
	buf_fini(&targets);
}

void socketmap_answer(struct socketmap *m, const struct verdict *v)
{
	must(m->want == SOCKETMAP_WANT_VERDICT);
	m->map->answer(m, v);
}

void socketmap_answer_domain(struct socketmap *m, struct str name)
{
	must(m->want == SOCKETMAP_WANT_DOMAIN);
	if (name.n == 0)
		not_found(m);
	else
		reply(m, "OK", name);
}

void socketmap_answer_later(struct socketmap *m, struct str reason)
{
	must(m->want == SOCKETMAP_WANT_DOMAIN);
	reply(m, "TEMP", reason);
}

/* ---- questions -------------------------------------------------------------------- */

/* is_bare - a key without its quotes that happens to read as an address with a
 * route or with quotes: Postfix never writes those where they are not needed */
static bool is_bare(struct str key, const struct address *a)
{
	char first;
	struct buf written;

	buf_init(&written, 8 * sizeof *a);
	address_print(&written, a);
	first = buf_cstr(&written)[0];
	buf_fini(&written);
	return key.p[0] == '@' || (key.p[0] == '"' && first != '"');
}

static void ask_verdict(struct socketmap *m)
{
	if (address_parse(m->key, true, &m->address) != ADDRESS_OK ||
	    is_bare(m->key, &m->address))
		not_found(m);
	else
		m->want = SOCKETMAP_WANT_VERDICT;
}

static void ask_domain(struct socketmap *m)
{
	if (m->key.n == 0)
		not_found(m);
	else
		m->want = SOCKETMAP_WANT_DOMAIN;
}

static void run_request(struct socketmap *m)
{
	struct str key = buf_str(&m->text);
	struct str name = str_word(&key);

	if (buf_over(&m->text)) {
		not_found(m);
		return;
	}
	m->key = key;
	for (size_t i = 0; i < countof(maps); i++) {
		if (str_eq(name, maps[i].name)) {
			m->map = &maps[i];
			maps[i].ask(m);
			return;
		}
	}
	reply(m, "PERM", STR("there is no map of that name"));
}

/* ---- the netstring ------------------------------------------------------------------ */

static void break_off(struct socketmap *m, const char *why)
{
	m->broken = why;
	m->want = SOCKETMAP_WANT_CLOSE;
}

static void take_length(struct socketmap *m, char c)
{
	if (c == ':' && m->digits > 0) {
		m->digits = 0;
		buf_clear(&m->text);
		m->state = m->left > 0 ? TEXT : COMMA;
	} else if (c < '0' || c > '9' || m->digits == DIGITS_MAX) {
		break_off(m, "a netstring begins with its length");
	} else {
		m->digits++;
		m->left = m->left * 10 + (uint32_t)(c - '0');
		if (m->left > SOCKETMAP_REQUEST_MAX)
			break_off(m, "the request is too long");
	}
}

static size_t take_text(struct socketmap *m, struct str in)
{
	if (in.n > m->left)
		in.n = m->left;
	buf_put(&m->text, in);
	m->left -= (uint32_t)in.n;
	if (m->left == 0)
		m->state = COMMA;
	return in.n;
}

size_t socketmap_feed(struct socketmap *m, struct str in)
{
	size_t used = 0;

	while (used < in.n && m->want == SOCKETMAP_WANT_INPUT) {
		if (m->state == TEXT) {
			used += take_text(m, (struct str){in.p + used, in.n - used});
		} else if (m->state == LENGTH) {
			take_length(m, in.p[used++]);
		} else if (in.p[used++] != ',') {
			break_off(m, "a netstring ends in a comma");
		} else {
			m->state = LENGTH;
			run_request(m);
			break;
		}
	}
	return used;
}
