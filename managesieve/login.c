/* SPDX-License-Identifier: ISC */
#include "managesieve/login.h"

#include "front/stranger.h"
#include "lib/base64.h"
#include "managesieve/dialogue.h"

enum state { GREETED, CHECKING, EXCHANGE, SECURING, PASSED, CLOSED };
#define IN(state) (1u << (state))

struct login {
	enum state state;
	struct capa capa;
	struct dialogue d;
	struct buf mechanism, response;
	struct login_question asked;
	struct stranger stranger;
	bool begun; /* the first command went by */
	unsigned tries;
};

static const unsigned may_follow[] = {
	[GREETED] = IN(CHECKING) | IN(SECURING) | IN(CLOSED),
	[CHECKING] = IN(GREETED) | IN(EXCHANGE) | IN(PASSED) | IN(CLOSED),
	[EXCHANGE] = IN(CHECKING) | IN(GREETED) | IN(CLOSED),
	[SECURING] = IN(GREETED),
	[PASSED] = 0,
	[CLOSED] = 0,
};

/* enter - the only place that assigns l->state */
static void enter(struct login *l, enum state to)
{
	must(may_follow[l->state] & IN(to));
	l->state = to;
}

static struct login *make(const struct capa *capa)
{
	struct login *l = xalloc(sizeof *l);

	l->state = GREETED;
	l->capa = *capa;
	dialogue_init(&l->d, SIEVE_LOGIN_STRING_MAX);
	buf_init(&l->mechanism, COMMAND_WORD_MAX);
	return l;
}

struct login *sieve_login_new(struct str hostname UNUSED, struct str challenge UNUSED,
			      const struct capa *capa)
{
	struct login *l = make(capa);

	dialogue_capabilities(&l->d, &l->capa, STR(""));
	return l;
}

struct login *sieve_login_again(const struct capa *capa)
{
	struct login *l = make(capa);

	dialogue_ok(&l->d, "", STR(""));
	return l;
}

static void forget(struct login *l)
{
	buf_fini_secret(&l->response);
	l->asked = (struct login_question){0};
}

void sieve_login_free(struct login **lp)
{
	struct login *l = *lp;

	if (l == NULL)
		return;
	dialogue_fini(&l->d);
	buf_fini(&l->mechanism);
	forget(l);
	xfree(lp);
}

/* ---- SASL --------------------------------------------------------------------------- */

/* take_response - out of base64; false: it is none */
static bool take_response(struct login *l, struct str text)
{
	buf_init_secret(&l->response, SIEVE_LOGIN_STRING_MAX);
	if (base64_decode(text, &l->response))
		return true;
	buf_fini_secret(&l->response);
	return false;
}

static void ask(struct login *l, enum login_kind kind, bool has_proof)
{
	l->asked = (struct login_question){.kind = kind,
					   .proof = buf_str(&l->response),
					   .has_proof = has_proof,
					   .mechanism = buf_str(&l->mechanism)};
	command_forget(&l->d.command);
	enter(l, CHECKING);
}

static void refuse_mechanism(struct login *l)
{
	if (l->capa.tls || !l->capa.stls)
		dialogue_refuse(&l->d, "no such mechanism here");
	else
		dialogue_no(&l->d, "ENCRYPT-NEEDED",
			    STR("no such mechanism here without TLS"));
}

static void run_authenticate(struct login *l)
{
	struct str mechanism = command_text(&l->d.command, 1);
	bool initial = l->d.command.n > 2;

	if (!capa_has_mechanism(&l->capa, mechanism)) {
		refuse_mechanism(l);
		return;
	}
	if (initial && !take_response(l, command_text(&l->d.command, 2))) {
		dialogue_refuse(&l->d, "this is not base64");
		return;
	}
	buf_clear(&l->mechanism);
	buf_put(&l->mechanism, mechanism);
	ask(l, LOGIN_SASL, initial);
}

static void break_off(struct login *l, const char *why)
{
	forget(l);
	dialogue_refuse(&l->d, why);
	enter(l, GREETED);
}

/* run_response - within an exchange: a string alone */
static void run_response(struct login *l)
{
	const struct command *c = &l->d.command;

	if (c->n != 1 || c->items[0].kind != COMMAND_STRING)
		break_off(l, "a response is a string");
	else if (str_eq(command_text(c, 0), STR("*")))
		break_off(l, "broken off");
	else if (!take_response(l, command_text(c, 0)))
		break_off(l, "this is not base64");
	else
		ask(l, LOGIN_SASL_STEP, true);
}

/* ---- the other commands --------------------------------------------------------------- */

static void run_capability(struct login *l)
{
	dialogue_capabilities(&l->d, &l->capa, STR(""));
}

static void run_starttls(struct login *l)
{
	if (!l->capa.stls) {
		dialogue_refuse(&l->d, l->capa.tls ? "this is TLS" : "there is no TLS");
		return;
	}
	dialogue_ok(&l->d, "", STR("begin TLS"));
	enter(l, SECURING);
}

static void run_noop(struct login *l)
{
	dialogue_noop(&l->d);
}

static void run_logout(struct login *l)
{
	dialogue_ok(&l->d, "", STR("goodbye"));
	enter(l, CLOSED);
}

static const struct verb {
	struct str name;
	const char *kinds;            /* of its arguments, see command_has() */
	void (*run)(struct login *l); /* NULL: who has not logged in may not */
} verbs[] = {
	/* clang-format off */
	{STR_INIT("AUTHENTICATE"),   "s?s", run_authenticate},
	{STR_INIT("CAPABILITY"),     "",    run_capability},
	{STR_INIT("STARTTLS"),       "",    run_starttls},
	{STR_INIT("LOGOUT"),         "",    run_logout},
	{STR_INIT("NOOP"),           "?s",  run_noop},
	{STR_INIT("HAVESPACE"),      "",    NULL},
	{STR_INIT("PUTSCRIPT"),      "",    NULL},
	{STR_INIT("CHECKSCRIPT"),    "",    NULL},
	{STR_INIT("LISTSCRIPTS"),    "",    NULL},
	{STR_INIT("SETACTIVE"),      "",    NULL},
	{STR_INIT("GETSCRIPT"),      "",    NULL},
	{STR_INIT("DELETESCRIPT"),   "",    NULL},
	{STR_INIT("RENAMESCRIPT"),   "",    NULL},
	{STR_INIT("UNAUTHENTICATE"), "",    NULL},
	/* clang-format on */
};

static void run_command(struct login *l)
{
	const struct command *c = &l->d.command;
	const struct verb *v = NULL;

	for (size_t i = 0; i < countof(verbs) && v == NULL; i++)
		if (c->n > 0 && c->items[0].kind == COMMAND_ATOM &&
		    str_ieq(verbs[i].name, command_text(c, 0)))
			v = &verbs[i];
	if (v == NULL)
		dialogue_refuse(&l->d, "unknown command");
	else if (v->run == NULL)
		dialogue_refuse(&l->d, "log in first");
	else if (!command_has(c, v->kinds))
		dialogue_refuse(&l->d, "these are not the command's arguments");
	else
		v->run(l);
}

/* ---- input ------------------------------------------------------------------------------ */

size_t sieve_login_feed(struct login *l, struct str in)
{
	bool whole, too_long, exchange = l->state == EXCHANGE;
	unsigned bad = l->d.bad;
	size_t used, said = l->d.out.n;

	if (sieve_login_want(l) != LOGIN_WANT_INPUT)
		return 0;
	used = dialogue_feed(&l->d, in, &whole, &too_long);
	if (!l->begun && stranger_is(&l->stranger, (struct str){in.p, used})) {
		buf_cut(&l->d.out, said);
		enter(l, CLOSED);
		return used;
	}
	l->begun = l->begun || whole || too_long || l->d.bad > bad;
	if (too_long)
		dialogue_refuse(&l->d, "this string is too long");
	if (whole && exchange)
		run_response(l);
	else if (whole)
		run_command(l);
	else if (exchange && l->d.bad > bad) { /* the refusal is said already */
		forget(l);
		enter(l, GREETED);
	}
	if (l->d.ended && l->state != CLOSED)
		enter(l, CLOSED);
	return used;
}

/* ---- what the caller asks and answers ----------------------------------------------------- */

enum login_want sieve_login_want(const struct login *l)
{
	switch (l->state) {
	case CLOSED:
		return LOGIN_WANT_CLOSE;
	case PASSED:
		return LOGIN_WANT_HAND_OVER;
	case CHECKING:
		return LOGIN_WANT_CHECK;
	case SECURING:
		return LOGIN_WANT_TLS;
	case GREETED:
	case EXCHANGE:
		break;
	}
	return dialogue_full(&l->d) ? LOGIN_WANT_WRITE : LOGIN_WANT_INPUT;
}

struct str sieve_login_output(const struct login *l)
{
	return buf_str(&l->d.out);
}

void sieve_login_written(struct login *l)
{
	dialogue_written(&l->d);
}

struct login_question sieve_login_question(const struct login *l)
{
	must(l->state == CHECKING);
	return l->asked;
}

bool sieve_login_exchanging(const struct login *l)
{
	return l->state == EXCHANGE ||
	       (l->state == CHECKING && l->asked.kind == LOGIN_SASL_STEP);
}

void sieve_login_accepted(struct login *l, struct str last_word)
{
	must(last_word.n == 0);
	enter(l, PASSED);
	forget(l);
}

void sieve_login_challenge(struct login *l, struct str octets)
{
	struct buf text;

	buf_init(&text, BASE64_OCTETS(octets.n));
	base64_encode(octets, &text);
	dialogue_string(&l->d.out, buf_str(&text));
	buf_put(&l->d.out, STR("\r\n"));
	buf_fini(&text);
	enter(l, EXCHANGE);
	forget(l);
}

static void failed(struct login *l, const char *code, struct str text)
{
	forget(l);
	if (++l->tries < SIEVE_LOGIN_TRIES_MAX) {
		dialogue_no(&l->d, code, text);
		enter(l, GREETED);
		return;
	}
	dialogue_bye(&l->d, code, text);
	enter(l, CLOSED);
}

void sieve_login_refused(struct login *l)
{
	failed(l, "", STR("name or password is wrong"));
}

void sieve_login_expired(struct login *l)
{
	failed(l, "", STR("password has expired, change it first"));
}

void sieve_login_try_again(struct login *l)
{
	failed(l, "TRYLATER", STR("cannot check passwords now, try again later"));
}

/* ---- what changes under way ----------------------------------------------------------------- */

void sieve_login_tls_begun(struct login *l, const struct capa *capa)
{
	l->capa = *capa;
	l->begun = false;
	l->stranger = (struct stranger){0};
	enter(l, GREETED);
	/* RFC 5804 s2.2: what was said of them in clear may have been changed under way. */
	dialogue_capabilities(&l->d, &l->capa, STR(""));
}
