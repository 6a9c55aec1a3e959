/* SPDX-License-Identifier: ISC */
#include "managesieve/managesieve.h"

#include "managesieve/dialogue.h"

enum state { READY, ASKED, LEFT, CLOSED };
#define IN(state) (1u << (state))

struct managesieve {
	enum state state;
	struct capa capa;
	struct str owner;
	struct dialogue d;
	struct managesieve_asked asked;
	size_t before; /* octets of output before the answer's first */
};

static const unsigned may_follow[] = {
	[READY] = IN(ASKED) | IN(LEFT) | IN(CLOSED),
	[ASKED] = IN(READY) | IN(CLOSED),
	[LEFT] = 0,
	[CLOSED] = 0,
};

/* enter - the only place that assigns s->state */
static void enter(struct managesieve *s, enum state to)
{
	must(may_follow[s->state] & IN(to));
	s->state = to;
}

struct managesieve *managesieve_new(const struct capa *capa, struct str owner,
				    struct str last_word, size_t script_octets)
{
	struct managesieve *s = xalloc(sizeof *s);

	s->state = READY;
	s->capa = *capa;
	s->owner = owner;
	dialogue_init(&s->d, script_octets);
	if (last_word.n > 0)
		dialogue_ok_with(&s->d, "SASL", last_word, STR(""));
	else
		dialogue_ok(&s->d, "", STR("logged in"));
	return s;
}

void managesieve_free(struct managesieve **sp)
{
	if (*sp == NULL)
		return;
	dialogue_fini(&(*sp)->d);
	xfree(sp);
}

/* ---- commands --------------------------------------------------------------------------- */

struct verb {
	struct str name;
	const char *kinds; /* of its arguments, see command_has() */
	void (*run)(struct managesieve *s, const struct verb *v);
	enum managesieve_kind kind;
	bool is_about_text; /* the first argument is a script, and no name */
};

static void run_asked(struct managesieve *s, const struct verb *v)
{
	const struct command *c = &s->d.command;
	size_t at = 1;

	s->asked = (struct managesieve_asked){.kind = v->kind};
	if (!v->is_about_text)
		s->asked.name = command_text(c, at++);
	if (v->kind == MANAGESIEVE_HAVESPACE)
		must(command_number(command_text(c, at), &s->asked.octets));
	else if (v->kind == MANAGESIEVE_RENAME)
		s->asked.to = command_text(c, at);
	else
		s->asked.text = command_text(c, at);
	s->before = s->d.out.n;
	enter(s, ASKED);
}

static void run_capability(struct managesieve *s, const struct verb *v UNUSED)
{
	dialogue_capabilities(&s->d, &s->capa, s->owner);
}

static void run_noop(struct managesieve *s, const struct verb *v UNUSED)
{
	dialogue_noop(&s->d);
}

static void run_logout(struct managesieve *s, const struct verb *v UNUSED)
{
	dialogue_ok(&s->d, "", STR("goodbye"));
	enter(s, CLOSED);
}

/* The OK is said by who takes the connection. */
static void run_unauthenticate(struct managesieve *s, const struct verb *v UNUSED)
{
	enter(s, LEFT);
}

static void run_too_late(struct managesieve *s, const struct verb *v UNUSED)
{
	dialogue_refuse(&s->d, "only before the login");
}

static const struct verb verbs[] = {
	/* clang-format off */
	{STR_INIT("CAPABILITY"),     "",    run_capability, 0, false},
	{STR_INIT("NOOP"),           "?s",  run_noop, 0, false},
	{STR_INIT("LOGOUT"),         "",    run_logout, 0, false},
	{STR_INIT("HAVESPACE"),      "sn",  run_asked, MANAGESIEVE_HAVESPACE, false},
	{STR_INIT("PUTSCRIPT"),      "ss",  run_asked, MANAGESIEVE_PUT, false},
	{STR_INIT("CHECKSCRIPT"),    "s",   run_asked, MANAGESIEVE_CHECK, true},
	{STR_INIT("LISTSCRIPTS"),    "",    run_asked, MANAGESIEVE_LIST, false},
	{STR_INIT("SETACTIVE"),      "s",   run_asked, MANAGESIEVE_ACTIVATE, false},
	{STR_INIT("GETSCRIPT"),      "s",   run_asked, MANAGESIEVE_GET, false},
	{STR_INIT("DELETESCRIPT"),   "s",   run_asked, MANAGESIEVE_DELETE, false},
	{STR_INIT("RENAMESCRIPT"),   "ss",  run_asked, MANAGESIEVE_RENAME, false},
	{STR_INIT("UNAUTHENTICATE"), "",    run_unauthenticate, 0, false},
	{STR_INIT("AUTHENTICATE"),   "s?s", run_too_late, 0, false},
	{STR_INIT("STARTTLS"),       "",    run_too_late, 0, false},
	/* clang-format on */
};

static const struct verb *find_verb(const struct command *c)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (c->n > 0 && c->items[0].kind == COMMAND_ATOM &&
		    str_ieq(verbs[i].name, command_text(c, 0)))
			return &verbs[i];
	return NULL;
}

static void run_command(struct managesieve *s)
{
	const struct verb *v = find_verb(&s->d.command);

	if (v == NULL)
		dialogue_refuse(&s->d, "unknown command");
	else if (!command_has(&s->d.command, v->kinds))
		dialogue_refuse(&s->d, "these are not the command's arguments");
	else
		v->run(s, v);
}

/* pass_over - a command with too long a string: of a script that is to be stored, a quota is
 * to blame */
static void pass_over(struct managesieve *s)
{
	const struct verb *v = find_verb(&s->d.command);

	if (v != NULL && v->kind == MANAGESIEVE_PUT && s->d.command.long_item == 2)
		dialogue_no(&s->d, "QUOTA/MAXSIZE", STR("this script is too long"));
	else
		dialogue_refuse(&s->d, "this string is too long");
}

size_t managesieve_feed(struct managesieve *s, struct str in)
{
	bool whole, too_long;
	size_t used;

	if (managesieve_want(s) != MANAGESIEVE_WANT_INPUT)
		return 0;
	used = dialogue_feed(&s->d, in, &whole, &too_long);
	if (too_long)
		pass_over(s);
	if (whole)
		run_command(s);
	if (s->d.ended && s->state != CLOSED)
		enter(s, CLOSED);
	return used;
}

/* ---- what the caller asks and answers ---------------------------------------------------- */

enum managesieve_want managesieve_want(const struct managesieve *s)
{
	switch (s->state) {
	case ASKED:
		return MANAGESIEVE_WANT_DO;
	case LEFT:
		return MANAGESIEVE_WANT_LEAVE;
	case CLOSED:
		return MANAGESIEVE_WANT_CLOSE;
	case READY:
		break;
	}
	return dialogue_full(&s->d) ? MANAGESIEVE_WANT_WRITE : MANAGESIEVE_WANT_INPUT;
}

struct str managesieve_output(const struct managesieve *s)
{
	return buf_str(&s->d.out);
}

void managesieve_written(struct managesieve *s)
{
	dialogue_written(&s->d);
}

struct managesieve_asked managesieve_asked(const struct managesieve *s)
{
	must(s->state == ASKED);
	return s->asked;
}

void managesieve_entry(struct managesieve *s, struct str name, bool active)
{
	must(s->state == ASKED && s->asked.kind == MANAGESIEVE_LIST);
	dialogue_string(&s->d.out, name);
	buf_put(&s->d.out, active ? STR(" ACTIVE\r\n") : STR("\r\n"));
}

void managesieve_script(struct managesieve *s, struct str text)
{
	must(s->state == ASKED && s->asked.kind == MANAGESIEVE_GET);
	dialogue_string(&s->d.out, text);
	buf_put(&s->d.out, STR("\r\n"));
}

static void answered(struct managesieve *s)
{
	s->asked = (struct managesieve_asked){0};
	command_forget(&s->d.command);
	enter(s, READY);
}

void managesieve_ok(struct managesieve *s, const char *code, struct str text)
{
	dialogue_ok(&s->d, code, text);
	answered(s);
}

/* What was listed before something went wrong is no answer. */
void managesieve_no(struct managesieve *s, const char *code, struct str text)
{
	buf_cut(&s->d.out, s->before);
	dialogue_no(&s->d, code, text);
	answered(s);
}

/* ---- the end ------------------------------------------------------------------------------- */

void managesieve_bye(struct managesieve *s, const char *code, struct str text)
{
	must(s->state == READY);
	dialogue_bye(&s->d, code, text);
	enter(s, CLOSED);
}
