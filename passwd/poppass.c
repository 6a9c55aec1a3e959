/* SPDX-License-Identifier: ISC */
#include "passwd/poppass.h"

#include "lib/lines.h"

enum state { GREETED, NAMED, CHECKING, PROVED, CHANGING, CHANGED, CLOSED };
#define IN(state) (1u << (state))
#define OPEN      (IN(GREETED) | IN(NAMED) | IN(PROVED) | IN(CHANGED))

struct poppass {
	enum state state;
	struct lines lines;
	struct buf out;
	struct buf user, old, new;
	unsigned bad, failures;
};

static const unsigned may_follow[] = {
	[GREETED] = IN(NAMED) | IN(CLOSED),
	[NAMED] = IN(CHECKING) | IN(CLOSED),
	[CHECKING] = IN(GREETED) | IN(PROVED) | IN(CLOSED),
	[PROVED] = IN(CHANGING) | IN(CLOSED),
	[CHANGING] = IN(GREETED) | IN(PROVED) | IN(CHANGED) | IN(CLOSED),
	[CHANGED] = IN(CLOSED),
	[CLOSED] = 0,
};

static void forget(struct buf *secret)
{
	buf_fini_secret(secret);
	buf_init_secret(secret, POPPASS_LINE_MAX);
}

/* enter - the only place that assigns p->state, and where what is known of the user ends:
 * the old password is needed until the new one is there */
static void enter(struct poppass *p, enum state to)
{
	must(may_follow[p->state] & IN(to));
	p->state = to;
	if (to != CHANGING)
		forget(&p->new);
	if (!(IN(to) & (IN(CHECKING) | IN(PROVED) | IN(CHANGING))))
		forget(&p->old);
	if (IN(to) & (IN(GREETED) | IN(CHANGED) | IN(CLOSED)))
		forget(&p->user);
}

struct poppass *poppass_new(struct str hostname)
{
	struct poppass *p = xalloc(sizeof *p);

	lines_init(&p->lines, POPPASS_LINE_MAX);
	p->lines.lf_ends = true;
	buf_init(&p->out, 4096);
	/* People type passwords into the name, too. */
	buf_init_secret(&p->user, POPPASS_LINE_MAX);
	buf_init_secret(&p->old, POPPASS_LINE_MAX);
	buf_init_secret(&p->new, POPPASS_LINE_MAX);
	buf_printf(&p->out, "200 " STR_FMT " changes passwords: who are you?\r\n",
		   STR_ARG(hostname));
	return p;
}

void poppass_free(struct poppass **pp)
{
	struct poppass *p = *pp;

	if (p == NULL)
		return;
	lines_fini(&p->lines);
	buf_fini(&p->out);
	buf_fini_secret(&p->user);
	buf_fini_secret(&p->old);
	buf_fini_secret(&p->new);
	xfree(pp);
}

/* ---- commands --------------------------------------------------------------------- */

static void say(struct poppass *p, const char *reply)
{
	buf_printf(&p->out, "%s\r\n", reply);
}

/* bad - what is no command, or comes out of turn */
static void bad(struct poppass *p, const char *why)
{
	if (++p->bad < POPPASS_BAD_MAX) {
		buf_printf(&p->out, "500 %s\r\n", why);
		return;
	}
	buf_printf(&p->out, "500 %s; too many errors, goodbye\r\n", why);
	enter(p, CLOSED);
}

static void run_user(struct poppass *p, struct str args)
{
	buf_put(&p->user, args);
	say(p, "200 and the password that you have now?");
	enter(p, NAMED);
}

/* The whole rest of the line is the password, spaces included; so below. */
static void run_pass(struct poppass *p, struct str args)
{
	buf_put(&p->old, args);
	enter(p, CHECKING);
}

static void run_newpass(struct poppass *p, struct str args)
{
	buf_put(&p->new, args);
	enter(p, CHANGING);
}

static void run_quit(struct poppass *p, struct str args)
{
	(void)args;
	say(p, "200 goodbye");
	enter(p, CLOSED);
}

static const struct verb {
	struct str name;
	unsigned states;
	bool argument; /* has one, or has none */
	void (*run)(struct poppass *p, struct str args);
	const char *not_now;
} verbs[] = {
	/* clang-format off */
	{STR_INIT("USER"),    IN(GREETED), true,  run_user,    "USER was said already"},
	{STR_INIT("PASS"),    IN(NAMED),   true,  run_pass,    "PASS comes after USER, and once"},
	{STR_INIT("NEWPASS"), IN(PROVED),  true,  run_newpass, "NEWPASS comes after PASS, and once"},
	{STR_INIT("QUIT"),    OPEN,        false, run_quit,    NULL},
	/* clang-format on */
};

static const struct verb *find_verb(struct str name)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (str_ieq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void run_line(struct poppass *p, struct str line)
{
	struct str args = line;
	const struct verb *v = find_verb(str_word(&args));

	if (v == NULL)
		bad(p, "unknown command");
	else if (!(v->states & IN(p->state)))
		bad(p, v->not_now);
	else if (v->argument != (args.n > 0))
		bad(p, v->argument ? "argument missing" : "no argument expected");
	else
		v->run(p, args);
}

size_t poppass_feed(struct poppass *p, struct str in)
{
	enum lines_result result;

	if (poppass_want(p) != POPPASS_WANT_INPUT)
		return 0;

	size_t used = lines_feed(&p->lines, in, &result);

	switch (result) {
	case LINES_MORE:
		break;
	case LINES_ONE:
		run_line(p, lines_text(&p->lines));
		lines_forget(&p->lines);
		break;
	case LINES_TOO_LONG:
		bad(p, "the line is too long");
		break;
	case LINES_BARE:
		bad(p, "a CR is no part of a command");
		break;
	case LINES_NUL:
		say(p, "500 a NUL is no part of any command, goodbye");
		enter(p, CLOSED);
		break;
	}
	return used;
}

/* ---- what the caller asks and answers ----------------------------------------------- */

enum poppass_want poppass_want(const struct poppass *p)
{
	if (p->state == CLOSED)
		return POPPASS_WANT_CLOSE;
	if (p->state == CHECKING)
		return POPPASS_WANT_CHECK;
	return p->state == CHANGING ? POPPASS_WANT_CHANGE : POPPASS_WANT_INPUT;
}

struct buf *poppass_output(struct poppass *p)
{
	return &p->out;
}

struct str poppass_user(const struct poppass *p)
{
	return buf_str(&p->user);
}

struct str poppass_old(const struct poppass *p)
{
	return buf_str(&p->old);
}

struct str poppass_new_password(const struct poppass *p)
{
	return buf_str(&p->new);
}

/* failed - back to where one may try again, until it was too often */
static void failed(struct poppass *p, enum state back)
{
	enter(p, ++p->failures < POPPASS_FAILURES_MAX ? back : CLOSED);
}

void poppass_proved(struct poppass *p)
{
	must(p->state == CHECKING);
	say(p, "200 and the new password?");
	enter(p, PROVED);
}

void poppass_changed(struct poppass *p)
{
	must(p->state == CHANGING);
	say(p, "200 the password is changed");
	enter(p, CHANGED);
}

void poppass_rejected(struct poppass *p, struct str why)
{
	must(p->state == CHANGING);
	buf_put(&p->out, STR("500 "));
	for (size_t i = 0; i < why.n; i++)
		buf_putc(&p->out, ascii_is_print(why.p[i]) ? why.p[i] : '?');
	buf_put(&p->out, STR("\r\n"));
	failed(p, PROVED);
}

void poppass_refused(struct poppass *p)
{
	say(p, "500 name or password is wrong");
	failed(p, GREETED);
}

void poppass_try_again(struct poppass *p)
{
	say(p, "500 passwords cannot be checked or changed now, try again later");
	failed(p, GREETED);
}
