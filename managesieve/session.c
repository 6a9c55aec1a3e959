/* SPDX-License-Identifier: ISC */
#include "managesieve/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/handoff.h"
#include "lib/log.h"
#include "lib/server.h"
#include "managesieve/managesieve.h"
#include "sieve/sieve.h"
#include "store/account.h"
#include "store/script.h"
#include "store/store.h"

enum { ERRORS_MAX = 32768 }; /* octets of what is wrong with a script */

struct session {
	struct store *store;
	struct conn *conn;
	struct account account;
	struct capa capa;
	struct managesieve *core;
	struct handover handover; /* what was said of it; its strings are all here */
	int back;                 /* the channel to the login processes */
	uint32_t idle_ms;
	size_t commands, changes; /* for the log */
	struct err end;
};

/* What comes after a step. */
enum next { NEXT_STEP, NEXT_WAIT, NEXT_END };

static void log_trouble(const struct session *s, const char *event, const struct err *e)
{
	log_event(LOG_LV_ERROR, event, kv_s("sid", s->conn->sid),
		  kv_s("account", s->account.name.s), kv_err(e));
}

/* ---- input and output ---------------------------------------------------------------- */

static int flush(struct session *s)
{
	struct str out = managesieve_output(s->core);

	if (out.n == 0)
		return 0;
	if (conn_write(s->conn, out, false, &s->end) < 0)
		return -1;
	managesieve_written(s->core);
	/* The clock runs for a whole command, not for each octet of it. */
	conn_deadline(s->conn, s->idle_ms);
	return 0;
}

/* say_bye - RFC 5804 s1.2: nobody is left without a word */
static enum next say_bye(struct session *s, const char *code, struct str why)
{
	struct err end = s->end;

	managesieve_bye(s->core, code, why);
	(void)!flush(s);
	s->end = end;
	return NEXT_END;
}

static enum next read_some(struct session *s)
{
	struct str in;

	if (!conn_has_input(s->conn)) {
		if (flush(s) < 0)
			return NEXT_END;
		if (server_stopping()) {
			err_set(&s->end, ERR_PEER, "4.3.2", "stopped");
			return say_bye(s, "TRYLATER", STR("this server stops"));
		}
	}
	if (conn_input_now(s->conn, &in, &s->end) < 0)
		return s->end.sys == ETIMEDOUT ? say_bye(s, "", STR("idle for too long"))
					       : NEXT_END;
	if (in.n == 0)
		return NEXT_WAIT;
	conn_consume(s->conn, managesieve_feed(s->core, in));
	return NEXT_STEP;
}

/* ---- the account ----------------------------------------------------------------------- */

/* find_account - as it is now, of the incarnation that logged in */
static int find_account(struct session *s, struct err *e)
{
	struct account now;
	bool found;

	if (account_find(s->store, &s->account.name, &now, &found, e) < 0)
		return -1;
	if (!found || now.uid != s->account.uid)
		return err_set(e, ERR_PERM, "5.1.1", "the account is not there any more");
	s->account = now;
	return 0;
}

/* ---- what went wrong, in the words of RFC 5804 --------------------------------------------- */

static const struct {
	const char *dsn, *code;
} codes[] = {
	/* clang-format off */
	{SCRIPT_TOO_LARGE,   "QUOTA/MAXSIZE"},
	{SCRIPT_TOO_MANY,    "QUOTA/MAXSCRIPTS"},
	{SCRIPT_NONE,        "NONEXISTENT"},
	{SCRIPT_IS_ACTIVE,   "ACTIVE"},
	{SCRIPT_IS_THERE,    "ALREADYEXISTS"},
	/* clang-format on */
};

static void refuse(struct session *s, const struct err *e)
{
	const char *code = "";

	if (e->class != ERR_PERM) {
		log_trouble(s, "managesieve.script.failed", e);
		managesieve_no(s->core, "TRYLATER",
			       STR("this cannot be done now, try again later"));
		return;
	}
	for (size_t i = 0; i < countof(codes); i++)
		if (strcmp(e->dsn, codes[i].dsn) == 0)
			code = codes[i].code;
	managesieve_no(s->core, code, str_of(e->text));
}

/* finish - a command that has changed scripts, or could not */
static void finish(struct session *s, int rc, const struct err *e)
{
	if (rc < 0) {
		refuse(s, e);
		return;
	}
	s->changes++;
	managesieve_ok(s->core, "", STR(""));
}

/* ---- compiling ------------------------------------------------------------------------------- */

/* describe - errors or warnings, a line each */
static void describe(const struct sieve_errors *errors, struct buf *text)
{
	for (size_t i = 0; i < errors->n; i++)
		buf_printf(text, "%sline %u, column %u: %s", i > 0 ? "\r\n" : "",
			   (unsigned)errors->list[i].line,
			   (unsigned)errors->list[i].column, errors->list[i].text);
}

/* compile - `why` is what is wrong with it, or may be; false: with errors */
static bool compile(struct str text, struct buf *why)
{
	struct sieve_errors errors = {0};
	struct sieve_script *script =
		sieve_compile(text, "script", &sieve_site_delivery, &errors);
	bool good = script != NULL;

	describe(good ? sieve_script_warnings(script) : &errors, why);
	sieve_script_free(&script);
	sieve_errors_fini(&errors);
	return good;
}

/* accept_text - RFC 5804 s2.6: there may be warnings */
static void accept_text(struct session *s, const struct buf *warnings)
{
	managesieve_ok(s->core, warnings->n > 0 ? "WARNINGS" : "", buf_str(warnings));
}

/* ---- commands ----------------------------------------------------------------------------------- */

static void have_space(struct session *s, const struct managesieve_asked *q)
{
	struct err e;

	if (script_fits(s->store, &s->account, q->name, q->octets, &e) < 0)
		refuse(s, &e);
	else
		managesieve_ok(s->core, "", STR(""));
}

static void check(struct session *s, const struct managesieve_asked *q)
{
	struct buf why;

	buf_init(&why, ERRORS_MAX);
	if (compile(q->text, &why))
		accept_text(s, &why);
	else
		managesieve_no(s->core, "", buf_str(&why));
	buf_fini(&why);
}

static void store_text(struct session *s, const struct managesieve_asked *q,
		       const struct buf *warnings)
{
	struct err e;

	if (script_put(s->store, &s->account, q->name, q->text, &e) < 0) {
		refuse(s, &e);
		return;
	}
	s->changes++;
	accept_text(s, warnings);
}

/* put - what would not fit is not compiled, and an empty one is a mistake (s2.6) */
static void put(struct session *s, const struct managesieve_asked *q)
{
	struct buf why;
	struct err e;

	buf_init(&why, ERRORS_MAX);
	if (script_fits(s->store, &s->account, q->name, q->text.n, &e) < 0)
		refuse(s, &e);
	else if (q->text.n == 0)
		managesieve_no(s->core, "", STR("this script is empty"));
	else if (compile(q->text, &why))
		store_text(s, q, &why);
	else
		managesieve_no(s->core, "", buf_str(&why));
	buf_fini(&why);
}

static void list_one(const struct script *script, void *ctx)
{
	struct session *s = ctx;

	managesieve_entry(s->core, str_of(script->name), script->active);
}

static void list_damaged(const struct err *why, void *ctx)
{
	log_trouble(ctx, "managesieve.script.failed", why);
}

static void list(struct session *s, const struct managesieve_asked *q UNUSED)
{
	struct err e;

	if (script_each(s->store, &s->account, list_one, list_damaged, s, &e) < 0)
		refuse(s, &e);
	else
		managesieve_ok(s->core, "", STR(""));
}

static void get(struct session *s, const struct managesieve_asked *q)
{
	struct buf text;
	struct err e;
	bool found;

	buf_init(&text, SCRIPT_TEXT_MAX);
	if (script_get(s->store, &s->account, q->name, &text, &found, &e) < 0) {
		refuse(s, &e);
	} else if (!found) {
		managesieve_no(s->core, "NONEXISTENT",
			       STR("there is no script of that name"));
	} else {
		managesieve_script(s->core, buf_str(&text));
		managesieve_ok(s->core, "", STR(""));
	}
	buf_fini(&text);
}

static void activate(struct session *s, const struct managesieve_asked *q)
{
	struct err e;

	finish(s, script_activate(s->store, &s->account, q->name, &e), &e);
}

static void delete (struct session *s, const struct managesieve_asked *q)
{
	struct err e;

	finish(s, script_delete(s->store, &s->account, q->name, &e), &e);
}

static void rename_script(struct session *s, const struct managesieve_asked *q)
{
	struct err e;

	finish(s, script_rename(s->store, &s->account, q->name, q->to, &e), &e);
}

static void (*const doings[])(struct session *s, const struct managesieve_asked *q) = {
	[MANAGESIEVE_HAVESPACE] = have_space, [MANAGESIEVE_PUT] = put,
	[MANAGESIEVE_CHECK] = check,          [MANAGESIEVE_LIST] = list,
	[MANAGESIEVE_ACTIVATE] = activate,    [MANAGESIEVE_GET] = get,
	[MANAGESIEVE_DELETE] = delete,        [MANAGESIEVE_RENAME] = rename_script,
};

static enum next perform(struct session *s)
{
	struct managesieve_asked q = managesieve_asked(s->core);
	struct err e;

	s->commands++;
	server_pass_on(); /* it compiles, or waits for the disk */
	if (find_account(s, &e) == 0) {
		doings[q.kind](s, &q);
		return NEXT_STEP;
	}
	refuse(s, &e);
	if (e.class != ERR_PERM)
		return NEXT_STEP;
	s->end = e;
	return say_bye(s, "", STR("the account is not there any more"));
}

/* ---- the end --------------------------------------------------------------------------------------- */

/* give_back - the connection, to be logged in anew */
static int give_back(struct session *s)
{
	struct conn *c = s->conn;
	struct buf note;
	int rc = -1;

	s->handover.ticket[0] = s->handover.last_word[0] = '\0';
	s->handover.unread = STR("");
	if (conn_has_input(c) && conn_input(c, &s->handover.unread, &s->end) < 0)
		return -1;
	buf_init(&note, HANDOFF_NOTE_MAX);
	if (!handover_write(&s->handover, &note)) {
		err_set(&s->end, ERR_TEMP, "4.3.0", "no note can be made");
	} else {
		/* A stop must not touch the socket: it is another process's, too. */
		conn_busy(c, true);
		server_forget(c);
		rc = handoff_give(s->back, c->fd, buf_str(&note), 0, &s->end);
	}
	buf_fini(&note);
	return rc;
}

static enum next leave(struct session *s)
{
	struct err ignored;

	if (flush(s) < 0)
		return NEXT_END;
	if (give_back(s) == 0) {
		err_set(&s->end, ERR_PEER, "4.0.0", "unauthenticate");
		return NEXT_END;
	}
	if (s->end.class != ERR_PEER)
		log_trouble(s, "managesieve.handover.failed", &s->end);
	(void)!conn_write(s->conn, STR("BYE (TRYLATER) \"come back later\"\r\n"), false,
			  &ignored);
	return NEXT_END;
}

static enum next step(struct session *s)
{
	switch (managesieve_want(s->core)) {
	case MANAGESIEVE_WANT_INPUT:
		return read_some(s);
	case MANAGESIEVE_WANT_WRITE:
		return flush(s) < 0 ? NEXT_END : NEXT_STEP;
	case MANAGESIEVE_WANT_DO:
		return perform(s);
	case MANAGESIEVE_WANT_LEAVE:
		return leave(s);
	case MANAGESIEVE_WANT_CLOSE:
		break;
	}
	if (flush(s) == 0)
		err_set(&s->end, ERR_PEER, "4.0.0", "said goodbye");
	return NEXT_END;
}

/* no_session - there is none to be had, now or at all */
static void no_session(struct session *s, const struct err *why)
{
	log_trouble(s, "managesieve.account.failed", why);
	s->end = *why;
	(void)!conn_write(s->conn,
			  why->class == ERR_PERM
				  ? STR("BYE \"the account is not there any more\"\r\n")
				  : STR("BYE (TRYLATER) \"no session now\"\r\n"),
			  false, &s->end);
}

struct session *sieve_session_begin(struct store *store, struct conn *c,
				    const struct handover *h, int back)
{
	struct session *s = xalloc(sizeof *s);
	struct err e;

	s->store = store;
	s->conn = c;
	s->back = back;
	s->handover = *h;
	s->handover.unread = STR("");
	s->idle_ms = (uint32_t)(store_settings(store)->sieve.idle_timeout_s * 1000);
	s->capa = (struct capa){.plaintext = h->plaintext,
				.tls = h->tls,
				.mechanisms = s->handover.mechanisms};
	s->account.uid = h->uid;
	if (!name_read(str_of(h->account), &s->account.name))
		err_set(&e, ERR_PERM, "5.1.3", "this is no account's name");
	else if (find_account(s, &e) == 0)
		s->core = managesieve_new(&s->capa, str_of(s->account.name.s),
					  str_of(s->handover.last_word), SCRIPT_TEXT_MAX);
	if (s->core == NULL)
		no_session(s, &e);
	return s;
}

bool sieve_session_step(struct session *s)
{
	enum next next = s->core != NULL ? NEXT_STEP : NEXT_END;

	while (next == NEXT_STEP)
		next = step(s);
	return next == NEXT_WAIT;
}

void sieve_session_end(struct session **out)
{
	struct session *s = *out;

	managesieve_free(&s->core);
	log_event(LOG_LV_INFO, "managesieve.session", kv_s("sid", s->conn->sid),
		  kv_s("account", s->account.name.s), kv_s("peer", s->conn->peer),
		  kv_s("tls", s->capa.tls ? "yes" : "no"), kv_u("commands", s->commands),
		  kv_u("changes", s->changes), kv_s("end", s->end.text));
	xfree(out);
}
