/* SPDX-License-Identifier: ISC */
#include "popd/login.h"

#include "front/stranger.h"
#include "lib/base64.h"
#include "popd/dialogue.h"

#include <string.h>

enum state {
	GREETED,
	NAMED,
	CHECKING,
	EXCHANGE,
	LAST_WORD,
	SECURING,
	NAMING_PEER,
	PASSED,
	CLOSED
};
#define IN(state) (1u << (state))

struct login {
	enum state state;
	struct capa capa;
	struct dialogue d;
	struct buf challenge;      /* of the greeting */
	struct buf user, password; /* password: or digest, or response */
	struct buf mechanism;
	struct login_question asked;
	struct str peer; /* what XCLIENT says */
	struct stranger stranger;
	bool begun; /* the first line went by */
	unsigned tries;
};

static const unsigned may_follow[] = {
	[GREETED] =
		IN(NAMED) | IN(CHECKING) | IN(SECURING) | IN(NAMING_PEER) | IN(CLOSED),
	[NAMED] = IN(NAMED) | IN(CHECKING) | IN(SECURING) | IN(CLOSED),
	[CHECKING] = IN(GREETED) | IN(EXCHANGE) | IN(LAST_WORD) | IN(PASSED) | IN(CLOSED),
	[EXCHANGE] = IN(CHECKING) | IN(GREETED) | IN(CLOSED),
	[LAST_WORD] = IN(PASSED) | IN(GREETED) | IN(CLOSED),
	[SECURING] = IN(GREETED),
	[NAMING_PEER] = IN(GREETED),
	[PASSED] = 0,
	[CLOSED] = 0,
};

/* enter - the only place that assigns l->state */
static void enter(struct login *l, enum state to)
{
	must(may_follow[l->state] & IN(to));
	l->state = to;
}

/* greet - Dovecot as a proxy says XCLIENT to whom it reads that word of */
static void greet(struct login *l, struct str hostname, struct str challenge)
{
	buf_printf(&l->d.out, "+OK %s" STR_FMT " POP3 server ready",
		   l->capa.xclient ? "[XCLIENT] " : "", STR_ARG(hostname));
	if (l->capa.apop) {
		buf_put(&l->challenge, challenge);
		buf_printf(&l->d.out, " " STR_FMT, STR_ARG(challenge));
	}
	buf_put(&l->d.out, STR("\r\n"));
}

struct login *login_new(struct str hostname, struct str challenge,
			const struct capa *capa)
{
	struct login *l = xalloc(sizeof *l);

	l->state = GREETED;
	l->capa = *capa;
	dialogue_init(&l->d);
	buf_init(&l->challenge, challenge.n);
	buf_init(&l->mechanism, DIALOGUE_LINE_MAX);
	buf_init_secret(&l->user, DIALOGUE_LINE_MAX);
	greet(l, hostname, challenge);
	return l;
}

static void forget(struct login *l)
{
	buf_fini_secret(&l->password);
	l->asked = (struct login_question){0};
}

void login_free(struct login **lp)
{
	struct login *l = *lp;

	if (l == NULL)
		return;
	dialogue_fini(&l->d);
	buf_fini(&l->challenge);
	buf_fini(&l->mechanism);
	buf_fini_secret(&l->user); /* people type passwords here, too */
	forget(l);
	xfree(lp);
}

/* ---- name and password -------------------------------------------------------- */

static void ask(struct login *l, enum login_kind kind, bool has_proof)
{
	l->asked = (struct login_question){.kind = kind,
					   .user = buf_str(&l->user),
					   .proof = buf_str(&l->password),
					   .has_proof = has_proof,
					   .challenge = buf_str(&l->challenge),
					   .mechanism = buf_str(&l->mechanism)};
	enter(l, CHECKING);
}

static void run_user(struct login *l, struct str args)
{
	if (!l->capa.plaintext) {
		dialogue_refuse(
			&l->d, l->capa.tls ? "[AUTH] no password in clear is taken here"
					   : "[AUTH] a password in clear needs TLS here");
		return;
	}
	buf_clear(&l->user);
	buf_put(&l->user, args);
	buf_put(&l->d.out, STR("+OK and the password?\r\n"));
	enter(l, NAMED);
}

/* RFC 1939 s7: the whole rest of the line is the password, spaces included. */
static void run_pass(struct login *l, struct str args)
{
	buf_init_secret(&l->password, DIALOGUE_LINE_MAX);
	buf_put(&l->password, args);
	ask(l, LOGIN_PASSWORD, true);
}

/* The digest has no space, and a name may have. */
static void run_apop(struct login *l, struct str args)
{
	const char *space = memrchr(args.p, ' ', args.n);

	if (!l->capa.apop || l->challenge.n == 0) {
		dialogue_refuse(&l->d, "[AUTH] no APOP here");
		return;
	}
	if (space == NULL || space == args.p || space + 1 == args.p + args.n) {
		dialogue_refuse(&l->d, "argument missing");
		return;
	}

	size_t name = (size_t)(space - args.p);

	buf_clear(&l->user);
	buf_put(&l->user, (struct str){args.p, name});
	buf_init_secret(&l->password, DIALOGUE_LINE_MAX);
	buf_put(&l->password, (struct str){space + 1, args.n - name - 1});
	ask(l, LOGIN_APOP, true);
}

/* ---- SASL --------------------------------------------------------------------- */

/* take_response - base64 into the password's place; false: it is none */
static bool take_response(struct login *l, struct str text)
{
	buf_init_secret(&l->password, LOGIN_RESPONSE_MAX);
	if (base64_decode(text, &l->password))
		return true;
	buf_fini_secret(&l->password);
	return false;
}

static void run_auth(struct login *l, struct str args)
{
	struct str mechanism = str_word(&args);
	bool initial = args.n > 0;

	if (mechanism.n == 0) {
		capa_mechanisms_reply(&l->d.out, &l->capa);
		return;
	}
	if (!capa_has_mechanism(&l->capa, mechanism)) {
		dialogue_refuse(&l->d, "[AUTH] no such mechanism here");
		return;
	}
	/* RFC 5034 s4: a response that is empty, and not missing, is "=". */
	if (initial && !take_response(l, str_eq(args, STR("=")) ? STR("") : args)) {
		dialogue_refuse(&l->d, "this is not base64");
		return;
	}
	buf_clear(&l->mechanism);
	buf_put(&l->mechanism, mechanism);
	ask(l, LOGIN_SASL, initial);
}

static void say_octets(struct login *l, struct str octets)
{
	buf_put(&l->d.out, STR("+ "));
	base64_encode(octets, &l->d.out);
	buf_put(&l->d.out, STR("\r\n"));
	dialogue_longest(&l->d, LOGIN_RESPONSE_MAX + 2);
}

/* end_exchange - lines are commands again */
static void end_exchange(struct login *l)
{
	forget(l);
	dialogue_longest(&l->d, DIALOGUE_LINE_MAX);
}

static void break_off(struct login *l, const char *why)
{
	end_exchange(l);
	dialogue_refuse(&l->d, why);
	enter(l, GREETED);
}

static void run_response(struct login *l, struct str line)
{
	if (str_eq(line, STR("*")))
		break_off(l, "broken off");
	else if (!take_response(l, line))
		break_off(l, "this is not base64");
	else if (l->state == EXCHANGE)
		ask(l, LOGIN_SASL_STEP, true);
	else if (l->password.n > 0)
		break_off(l, "nothing more was asked");
	else {
		end_exchange(l);
		enter(l, PASSED);
	}
}

/* ---- the other commands ------------------------------------------------------- */

static void run_capa(struct login *l, struct str args)
{
	(void)args;
	capa_reply(&l->d.out, &l->capa, false);
}

static void run_stls(struct login *l, struct str args)
{
	(void)args;
	if (l->capa.stls) {
		buf_put(&l->d.out, STR("+OK begin TLS\r\n"));
		enter(l, SECURING);
	} else {
		dialogue_refuse(&l->d, l->capa.tls ? "this is TLS" : "there is no TLS");
	}
}

static void run_xclient(struct login *l, struct str args)
{
	if (!l->capa.xclient || l->begun) {
		dialogue_refuse(&l->d, l->capa.xclient ? "only before all else"
						       : "unknown command");
		return;
	}
	l->peer = args;
	enter(l, NAMING_PEER);
}

static void run_quit(struct login *l, struct str args)
{
	(void)args;
	buf_put(&l->d.out, STR("+OK goodbye\r\n"));
	enter(l, CLOSED);
}

#define LOGIN_FIRST "log in first"

enum arguments { WITHOUT, WITH, EITHER };

static const struct verb {
	struct str name;
	unsigned states; /* where the RFC allows it */
	enum arguments arguments;
	void (*run)(struct login *l, struct str args);
	const char *not_now; /* said in the other states */
} verbs[] = {
	/* clang-format off */
	{STR_INIT("CAPA"), IN(GREETED) | IN(NAMED), WITHOUT, run_capa, NULL},
	{STR_INIT("USER"), IN(GREETED) | IN(NAMED), WITH,    run_user, NULL},
	{STR_INIT("PASS"), IN(NAMED),               WITH,    run_pass, "USER comes first"},
	{STR_INIT("APOP"), IN(GREETED) | IN(NAMED), WITH,    run_apop, NULL},
	{STR_INIT("AUTH"), IN(GREETED) | IN(NAMED), EITHER,  run_auth, NULL},
	{STR_INIT("STLS"), IN(GREETED) | IN(NAMED), WITHOUT, run_stls, NULL},
	{STR_INIT("XCLIENT"), IN(GREETED),          EITHER,  run_xclient, "only before all else"},
	{STR_INIT("QUIT"), IN(GREETED) | IN(NAMED), WITHOUT, run_quit, NULL},
	{STR_INIT("STAT"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("LIST"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("UIDL"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("RETR"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("TOP"),  0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("DELE"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("RSET"), 0, WITHOUT, NULL, LOGIN_FIRST},
	{STR_INIT("NOOP"), 0, WITHOUT, NULL, LOGIN_FIRST},
	/* clang-format on */
};

static const struct verb *find_verb(struct str name)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (str_ieq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void run_line(struct login *l, struct str line)
{
	struct str args = line;
	const struct verb *v = find_verb(str_word(&args));

	/* There was room for more where XCLIENT may come. */
	if (line.n + 2 > DIALOGUE_LINE_MAX && (v == NULL || v->run != run_xclient))
		dialogue_refuse(&l->d, DIALOGUE_TOO_LONG);
	else if (v == NULL)
		dialogue_refuse(&l->d, "unknown command");
	else if (!(v->states & IN(l->state)))
		dialogue_refuse(&l->d, v->not_now);
	else if (v->arguments != EITHER && (v->arguments == WITH) != (args.n > 0))
		dialogue_refuse(&l->d, v->arguments == WITH ? "argument missing"
							    : "no argument expected");
	else
		v->run(l, args);
}

/* ---- input --------------------------------------------------------------------- */

static void take_line(struct login *l, struct str line, bool whole, bool refused)
{
	bool exchange = l->state == EXCHANGE || l->state == LAST_WORD;

	if (refused && exchange) { /* the refusal is said already */
		end_exchange(l);
		enter(l, GREETED);
	} else if (whole && exchange) {
		run_response(l, line);
	} else if (whole) {
		run_line(l, line);
	}
	if (whole || refused)
		l->begun = true;
}

/* set_longest - of the next line; within an exchange it is set already */
static void set_longest(struct login *l)
{
	bool proxy = l->capa.xclient && !l->begun;

	if (l->state != EXCHANGE && l->state != LAST_WORD)
		dialogue_longest(&l->d, proxy ? LOGIN_XCLIENT_MAX : DIALOGUE_LINE_MAX);
}

size_t login_feed(struct login *l, struct str in)
{
	struct str line = STR("");
	unsigned bad = l->d.bad;
	size_t replied = l->d.out.n;
	bool whole;

	if (login_want(l) != LOGIN_WANT_INPUT)
		return 0;

	set_longest(l);

	size_t used = dialogue_feed(&l->d, in, &line, &whole);

	if (!l->begun) {
		if (stranger_is(&l->stranger, (struct str){in.p, used})) {
			buf_cut(&l->d.out, replied);
			enter(l, CLOSED);
			return used;
		}
	}
	take_line(l, line, whole, l->d.bad > bad && !whole);
	if (l->d.ended && l->state != CLOSED)
		enter(l, CLOSED);
	return used;
}

/* ---- what the caller asks and answers --------------------------------------- */

enum login_want login_want(const struct login *l)
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
	case NAMING_PEER:
		return LOGIN_WANT_PEER;
	case GREETED:
	case NAMED:
	case EXCHANGE:
	case LAST_WORD:
		break;
	}
	return dialogue_full(&l->d) ? LOGIN_WANT_WRITE : LOGIN_WANT_INPUT;
}

struct str login_output(const struct login *l)
{
	return buf_str(&l->d.out);
}

void login_written(struct login *l)
{
	dialogue_written(&l->d);
}

struct login_question login_question(const struct login *l)
{
	must(l->state == CHECKING);
	return l->asked;
}

bool login_exchanging(const struct login *l)
{
	return l->state == EXCHANGE ||
	       (l->state == CHECKING && l->asked.kind == LOGIN_SASL_STEP);
}

void login_accepted(struct login *l, struct str last_word)
{
	if (last_word.n > 0)
		say_octets(l, last_word);
	enter(l, last_word.n > 0 ? LAST_WORD : PASSED);
	forget(l);
}

void login_challenge(struct login *l, struct str octets)
{
	must(l->asked.kind == LOGIN_SASL || l->asked.kind == LOGIN_SASL_STEP);
	say_octets(l, octets);
	enter(l, EXCHANGE);
	forget(l);
}

static void failed(struct login *l, struct str reply)
{
	end_exchange(l);
	buf_put(&l->d.out, reply);
	enter(l, ++l->tries < LOGIN_TRIES_MAX ? GREETED : CLOSED);
}

void login_refused(struct login *l)
{
	failed(l, STR("-ERR [AUTH] name or password is wrong\r\n"));
}

void login_expired(struct login *l)
{
	failed(l, STR("-ERR [AUTH] password has expired, change it first\r\n"));
}

void login_try_again(struct login *l)
{
	failed(l, STR("-ERR [SYS/TEMP] cannot check passwords now, try again later\r\n"));
}

/* ---- what changes under way --------------------------------------------------- */

void login_tls_begun(struct login *l, const struct capa *capa)
{
	l->capa = *capa;
	l->begun = false; /* a proxy may say now for whom it speaks */
	l->stranger = (struct stranger){0};
	buf_clear(&l->user);
	buf_clear(&l->challenge);
	enter(l, GREETED);
}

struct str login_peer(const struct login *l)
{
	must(l->state == NAMING_PEER);
	return l->peer;
}

void login_peer_known(struct login *l, bool understood, const struct capa *capa)
{
	l->capa = *capa;
	if (understood)
		buf_put(&l->d.out, STR("+OK\r\n"));
	else
		dialogue_refuse(&l->d, "not understood");
	enter(l, GREETED);
	if (l->d.ended)
		enter(l, CLOSED);
}
