/* SPDX-License-Identifier: ISC */
#include "popd/login.h"

#include "popd/dialogue.h"

enum state { GREETED, NAMED, CHECKING, PASSED, CLOSED };
#define IN(state) (1u << (state))

struct login {
	enum state state;
	struct capa capa;
	struct dialogue d;
	struct buf user, password;
	unsigned tries;
};

static const unsigned may_follow[] = {
	[GREETED] = IN(NAMED) | IN(CLOSED),
	[NAMED] = IN(NAMED) | IN(CHECKING) | IN(CLOSED),
	[CHECKING] = IN(GREETED) | IN(PASSED) | IN(CLOSED),
	[PASSED] = 0,
	[CLOSED] = 0,
};

/* enter - the only place that assigns l->state */
static void enter(struct login *l, enum state to)
{
	must(may_follow[l->state] & IN(to));
	l->state = to;
}

struct login *login_new(struct str hostname, const struct capa *capa)
{
	struct login *l = xalloc(sizeof *l);

	l->state = GREETED;
	l->capa = *capa;
	dialogue_init(&l->d);
	buf_init_secret(&l->user, DIALOGUE_LINE_MAX);
	buf_printf(&l->d.out, "+OK " STR_FMT " POP3 server ready\r\n", STR_ARG(hostname));
	return l;
}

void login_free(struct login **lp)
{
	struct login *l = *lp;

	if (l == NULL)
		return;
	dialogue_fini(&l->d);
	buf_fini_secret(&l->user); /* people type passwords here, too */
	buf_fini_secret(&l->password);
	xfree(lp);
}

/* ---- the commands ----------------------------------------------------------- */

static void run_capa(struct login *l, struct str args)
{
	(void)args;
	capa_reply(&l->d.out, &l->capa, false);
}

static void run_user(struct login *l, struct str args)
{
	if (!l->capa.plaintext) {
		dialogue_refuse(&l->d, "[AUTH] a password in clear needs TLS here");
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
	enter(l, CHECKING);
}

static void run_quit(struct login *l, struct str args)
{
	(void)args;
	buf_put(&l->d.out, STR("+OK goodbye\r\n"));
	enter(l, CLOSED);
}

#define LOGIN_FIRST "log in first"

static const struct verb {
	struct str name;
	unsigned states; /* where the RFC allows it */
	bool argument;   /* has one, or has none */
	void (*run)(struct login *l, struct str args);
	const char *not_now; /* said in the other states */
} verbs[] = {
	/* clang-format off */
	{STR_INIT("CAPA"), IN(GREETED) | IN(NAMED), false, run_capa, NULL},
	{STR_INIT("USER"), IN(GREETED) | IN(NAMED), true,  run_user, NULL},
	{STR_INIT("PASS"), IN(NAMED),               true,  run_pass, "USER comes first"},
	{STR_INIT("QUIT"), IN(GREETED) | IN(NAMED), false, run_quit, NULL},
	{STR_INIT("STAT"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("LIST"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("UIDL"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("RETR"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("TOP"),  0, false, NULL, LOGIN_FIRST},
	{STR_INIT("DELE"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("RSET"), 0, false, NULL, LOGIN_FIRST},
	{STR_INIT("NOOP"), 0, false, NULL, LOGIN_FIRST},
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

	if (v == NULL)
		dialogue_refuse(&l->d, "unknown command");
	else if (!(v->states & IN(l->state)))
		dialogue_refuse(&l->d, v->not_now);
	else if (v->argument != (args.n > 0))
		dialogue_refuse(&l->d, v->argument ? "argument missing"
						   : "no argument expected");
	else
		v->run(l, args);
}

size_t login_feed(struct login *l, struct str in)
{
	struct str line;
	bool whole;

	if (login_want(l) != LOGIN_WANT_INPUT)
		return 0;

	size_t used = dialogue_feed(&l->d, in, &line, &whole);

	if (whole)
		run_line(l, line);
	if (l->d.ended)
		enter(l, CLOSED);
	return used;
}

/* ---- what the caller asks and answers --------------------------------------- */

enum login_want login_want(const struct login *l)
{
	if (l->state == CLOSED)
		return LOGIN_WANT_CLOSE;
	if (l->state == PASSED)
		return LOGIN_WANT_HAND_OVER;
	if (l->state == CHECKING)
		return LOGIN_WANT_CHECK;
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

struct str login_user(const struct login *l)
{
	return buf_str(&l->user);
}

struct str login_password(const struct login *l)
{
	return buf_str(&l->password);
}

void login_accepted(struct login *l)
{
	buf_fini_secret(&l->password);
	enter(l, PASSED);
}

static void failed(struct login *l, struct str reply)
{
	buf_fini_secret(&l->password);
	buf_put(&l->d.out, reply);
	enter(l, ++l->tries < LOGIN_TRIES_MAX ? GREETED : CLOSED);
}

void login_refused(struct login *l)
{
	failed(l, STR("-ERR [AUTH] name or password is wrong\r\n"));
}

void login_try_again(struct login *l)
{
	failed(l, STR("-ERR [SYS/TEMP] cannot check passwords now, try again later\r\n"));
}
