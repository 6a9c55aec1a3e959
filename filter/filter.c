/* SPDX-License-Identifier: ISC */
#include "filter/filter.h"

#include "filter/budget.h"
#include "filter/filter_cache.h"
#include "lib/conn.h"
#include "mail/onward.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/memory.h"
#include "store/record.h"
#include "store/script.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What failures call an account's script, whose text others may have too. */
static const char own_script[] = "\x01own";

struct site_scripts {
	struct sieve_script **v;
	size_t n;
};

struct filters {
	struct store *store;
	struct site_scripts before, after, otherwise; /* `otherwise`: one or none */
	struct filter_cache *cache;
	struct budget *budget;
	sem_t turns;
};

struct filter {
	struct filters *fs;
	struct filter_message given;
	struct sieve_message *message; /* NULL until somebody needs it */
	uint64_t until_ms;
};

/* ---- the site's scripts ------------------------------------------------------------------ */

static int read_file(int fd, struct buf *out, struct err *e)
{
	for (;;) {
		char *to = buf_reserve(out, 4096);
		ssize_t n;

		if (to == NULL)
			return err_set(e, ERR_PERM, "5.3.5", "it is too large");
		n = read(fd, to, 4096);
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return 0;
		buf_used(out, (size_t)n);
	}
}

static int read_script(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return err_sys(e, "open");
	rc = read_file(fd, out, e);
	close(fd);
	return rc;
}

static struct sieve_script *compile(const char *path, struct str text, struct err *e)
{
	struct sieve_errors errors = {0};
	struct sieve_script *s = sieve_compile(text, path, &sieve_site_delivery, &errors);

	if (s == NULL)
		err_set(e, ERR_PERM, "5.3.5", "%s:%u:%u: %s", path,
			(unsigned)errors.list[0].line, (unsigned)errors.list[0].column,
			errors.list[0].text);
	sieve_errors_fini(&errors);
	return s;
}

static int add_script(struct site_scripts *to, const char *path, struct err *e)
{
	struct sieve_script *s = NULL;
	struct buf text;

	buf_init(&text, SCRIPT_TEXT_MAX + 4096);
	if (read_script(path, &text, e) < 0)
		err_add(e, "script %s", path);
	else
		s = compile(path, buf_str(&text), e);
	buf_fini(&text);
	if (s == NULL)
		return -1;
	to->v = xgrow(to->v, to->n * sizeof *to->v, (to->n + 1) * sizeof *to->v);
	to->v[to->n++] = s;
	return 0;
}

static int add_scripts(struct site_scripts *to, const struct conf_list *paths,
		       struct err *e)
{
	for (size_t i = 0; i < paths->n; i++)
		if (add_script(to, paths->v[i], e) < 0)
			return -1;
	return 0;
}

static void site_scripts_fini(struct site_scripts *s)
{
	for (size_t i = 0; i < s->n; i++)
		sieve_script_free(&s->v[i]);
	xfree(&s->v);
}

int filters_open(struct store *s, struct filters **out, struct err *e)
{
	const struct settings *set = store_settings(s);
	struct filters *fs = xalloc(sizeof *fs);

	fs->store = s;
	fs->cache = filter_cache_new(&sieve_site_delivery, own_script);
	fs->budget = budget_new(set->sieve.steps_per_minute);
	must(sem_init(&fs->turns, 0, FILTER_AT_ONCE) == 0);
	tzset(); /* its file is out of reach later */
	if (add_scripts(&fs->before, &set->sieve.before, e) < 0 ||
	    add_scripts(&fs->after, &set->sieve.after, e) < 0 ||
	    (set->sieve.default_script[0] != '\0' &&
	     add_script(&fs->otherwise, set->sieve.default_script, e) < 0))
		filters_close(&fs);
	*out = fs;
	return fs != NULL ? 0 : -1;
}

void filters_close(struct filters **fs)
{
	if (*fs == NULL)
		return;
	site_scripts_fini(&(*fs)->before);
	site_scripts_fini(&(*fs)->after);
	site_scripts_fini(&(*fs)->otherwise);
	filter_cache_free(&(*fs)->cache);
	budget_free(&(*fs)->budget);
	sem_destroy(&(*fs)->turns);
	xfree(fs);
}

bool filters_want(const struct filters *fs, const struct account *a)
{
	return a->script[0] != '\0' || fs->before.n > 0 || fs->after.n > 0 ||
	       fs->otherwise.n > 0;
}

/* ---- one message ---------------------------------------------------------------------------- */

static bool wait_for_turn(struct filters *fs, uint64_t until_ms)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				       .tv_nsec = (long)(until_ms % 1000) * 1000000};

	while (sem_clockwait(&fs->turns, CLOCK_MONOTONIC, &until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

struct filter *filter_begin(struct filters *fs, uint32_t ms, struct err *why)
{
	const uint64_t until_ms = clock_ms() + ms;
	struct filter *f;

	if (!wait_for_turn(fs, until_ms)) {
		err_set(why, ERR_TEMP, "4.3.2", "too many messages are filtered at once");
		return NULL;
	}
	f = xalloc(sizeof *f);
	f->fs = fs;
	f->until_ms = until_ms;
	return f;
}

void filter_set_message(struct filter *f, const struct filter_message *m)
{
	f->given = *m;
}

void filter_end(struct filter **f)
{
	if (*f == NULL)
		return;
	sieve_message_free(&(*f)->message);
	must(sem_post(&(*f)->fs->turns) == 0);
	xfree(f);
}

/* ---- which scripts ---------------------------------------------------------------------------- */

/* One evaluation. */
struct evaluation {
	struct filter *f;
	const struct account *a;
	struct filter_outcome *out;
	const struct sieve_script **scripts;
	size_t n;
	const struct filter_compiled *own; /* to be put back */
	char own_name[SCRIPT_NAME_MAX + 1];
};

static void add_site(struct evaluation *v, const struct site_scripts *s)
{
	for (size_t i = 0; i < s->n; i++)
		v->scripts[v->n++] = s->v[i];
}

/* fail - what is left runs, and at its end the message is kept */
static void fail(struct evaluation *v, const char *script, uint32_t line,
		 const char *text)
{
	v->out->failed = true;
	snprintf(v->out->failed_in, sizeof v->out->failed_in, "%s", script);
	v->out->failed_at = line;
	snprintf(v->out->failure, sizeof v->out->failure, "%s", text);
}

/* take_own - unless the account's budget is used up */
static void take_own(struct evaluation *v, struct str text)
{
	if (!budget_left(v->f->fs->budget, str_of(v->a->name.s), clock_ms())) {
		fail(v, v->own_name, 0,
		     "the account's scripts have used up their steps of a minute");
		return;
	}
	v->own = filter_cache_get(v->f->fs->cache, text);
	if (v->own->script != NULL)
		v->scripts[v->n++] = v->own->script;
	else
		fail(v, v->own_name, v->own->error.line, v->own->error.text);
}

/* add_own - the active script; false: it cannot be read now */
static bool add_own(struct evaluation *v)
{
	struct script script = {.name = ""};
	struct buf text;
	struct err e;
	bool found;
	int rc;

	buf_init(&text, SCRIPT_TEXT_MAX);
	rc = script_active(v->f->fs->store, v->a, &script, &text, &found, &e);
	snprintf(v->own_name, sizeof v->own_name, "%s", script.name);
	if (rc == 0 && found)
		take_own(v, buf_str(&text));
	else if (rc == 0)
		add_site(v, &v->f->fs->otherwise);
	else if (e.sys == 0)
		fail(v, v->a->script, 0, e.text);
	buf_fini(&text);
	if (rc == 0 || e.sys == 0)
		return true;
	v->out->answer = FILTER_LATER;
	v->out->why = e;
	return false;
}

/* ---- what comes of them ------------------------------------------------------------------------- */

/* text_of_reply - one line that a reply can hold: what is no printable ASCII is a blank or a
 * question mark */
static void text_of_reply(struct str reason, char out[FILTER_TEXT + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < reason.n && n < FILTER_TEXT; i++) {
		unsigned char c = (unsigned char)reason.p[i];
		bool blank = c <= ' ';

		if (blank && (n == 0 || out[n - 1] == ' '))
			continue;
		if (c >= 0x80 && c < 0xc0)
			continue; /* one character, one question mark */
		out[n++] = blank ? ' ' : ascii_is_print((char)c) ? (char)c : '?';
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (n == 0)
		snprintf(out, FILTER_TEXT + 1, "Message refused by the recipient");
}

static const char *script_name(const struct evaluation *v, const char *script)
{
	return strcmp(script, own_script) == 0 ? v->own_name : script;
}

static void decided_by(struct evaluation *v, const struct sieve_action *a)
{
	snprintf(v->out->script, sizeof v->out->script, "%s",
		 a->script ? script_name(v, a->script) : "");
	v->out->line = a->line;
}

/* ---- folders ------------------------------------------------------------------------------------- */

static bool is_inbox(struct str folder)
{
	return str_ieq(folder, STR("INBOX"));
}

/* wrong_folder - the failure names the first one */
static void wrong_folder(struct evaluation *v, const struct sieve_action *a,
			 const char *why)
{
	char text[sizeof v->out->failure];

	if (v->out->failed)
		return;
	snprintf(text, sizeof text, "no folder can have the name given: %s", why);
	fail(v, a->script ? script_name(v, a->script) : "", a->line, text);
}

/* add_folder - false: it is to be kept instead */
static bool add_folder(struct evaluation *v, const struct sieve_action *a)
{
	struct filter_outcome *out = v->out;
	const char *why = name_folder_wrong(a->filing.folder);
	struct filter_folder *f;
	struct name name;

	if (is_inbox(a->filing.folder))
		return false;
	if (why == NULL && !name_of_folder(&v->a->name, a->filing.folder, &name))
		why = "it is too long"; /* for this account */
	if (why != NULL) {
		wrong_folder(v, a, why);
		return false;
	}
	out->folders = xgrow(out->folders, out->n_folders * sizeof *f,
			     (out->n_folders + 1) * sizeof *f);
	f = &out->folders[out->n_folders++];
	snprintf(f->name, sizeof f->name, STR_FMT, STR_ARG(a->filing.folder));
	snprintf(f->script, sizeof f->script, "%s",
		 a->script ? script_name(v, a->script) : "");
	f->line = a->line;
	return true;
}

/* folder_exists - what cannot be read now has the message put off */
static bool folder_exists(void *ctx, struct str folder)
{
	struct evaluation *v = ctx;
	struct account out;
	struct err e;
	bool found;

	if (is_inbox(folder))
		return true;
	if (!v->a->folders)
		return false;
	if (folder_find(v->f->fs->store, v->a, folder, &out, &found, &e) == 0)
		return found;
	v->out->answer = FILTER_LATER;
	v->out->why = e;
	return false;
}

/* ---- all of it ----------------------------------------------------------------------------------- */

/* take_result - whoever wants it kept or filed gets it; who wants it refused as well has failed */
static void take_result(struct evaluation *v, const struct sieve_result *r)
{
	const struct sieve_action *refusal = NULL, *discard = NULL, *redirect = NULL;
	bool keep = false;

	for (size_t i = 0; i < r->n; i++) {
		const struct sieve_action *a = &r->actions[i];

		if (a->kind == SIEVE_REJECT || a->kind == SIEVE_EREJECT)
			refusal = a;
		else if (a->kind == SIEVE_DISCARD)
			discard = a;
		else if (a->kind == SIEVE_REDIRECT)
			redirect = a;
		else if (a->kind != SIEVE_VACATION && a->kind != SIEVE_NOTIFY &&
			 (a->kind != SIEVE_FILEINTO || !add_folder(v, a)))
			keep = true;
	}
	if (keep) {
		v->out->answer = FILTER_KEEP;
	} else if (v->out->n_folders > 0) {
		v->out->answer = FILTER_FILE;
	} else if (refusal != NULL) {
		v->out->answer = FILTER_REJECT;
		text_of_reply(refusal->reason, v->out->text);
		decided_by(v, refusal);
	} else if (redirect != NULL) {
		v->out->answer = FILTER_SENT_ON;
		decided_by(v, redirect);
	} else if (discard != NULL) {
		v->out->answer = FILTER_DISCARD;
		decided_by(v, discard);
	}
}

/* ---- what is to be done beside -------------------------------------------------------------------- */

static void own(struct arena *arena, struct str *s)
{
	*s = arena_str(arena, *s);
}

static struct sieve_strings own_list(struct arena *arena, struct sieve_strings list)
{
	struct str *copy = arena_alloc(arena, list.n * sizeof *copy);

	for (size_t i = 0; i < list.n; i++)
		copy[i] = arena_str(arena, list.list[i]);
	return (struct sieve_strings){copy, list.n};
}

/* add_todo - a copy that needs neither script nor message */
static void add_todo(struct filter_outcome *o, const struct sieve_action *from)
{
	struct sieve_action *a;

	o->todo = arena_push(&o->arena, o->todo, &o->n_todo, sizeof *o->todo);
	a = &o->todo[o->n_todo - 1];
	*a = (struct sieve_action){.kind = from->kind,
				   .copy = from->copy,
				   .line = from->line,
				   .redirect = from->redirect,
				   .vacation = from->vacation,
				   .notify = from->notify};
	own(&o->arena, &a->redirect.address);
	own(&o->arena, &a->redirect.notify);
	own(&o->arena, &a->redirect.ret);
	own(&o->arena, &a->vacation.handle);
	own(&o->arena, &a->vacation.to);
	own(&o->arena, &a->vacation.from);
	own(&o->arena, &a->vacation.subject);
	own(&o->arena, &a->vacation.reason);
	own(&o->arena, &a->notify.from);
	own(&o->arena, &a->notify.message);
	own(&o->arena, &a->notify.subject);
	own(&o->arena, &a->notify.body);
	own(&o->arena, &a->notify.method);
	a->notify.options = own_list(&o->arena, a->notify.options);
	a->notify.to = own_list(&o->arena, a->notify.to);
}

/* raw - an own copy of a field's value */
static struct str raw(struct filter_outcome *o, const struct header *h, const char *name)
{
	const struct field *f = header_find(h, str_of(name), NULL);

	return arena_str(&o->arena,
			 f != NULL ? field_raw(h->arena, f) : (struct str){"", 0});
}

/* held - why the message goes no further, or NULL */
static const char *held(const struct evaluation *v, const struct header *h)
{
	const struct settings *set = store_settings(v->f->fs->store);
	const char *authserv =
		set->outgoing.forward_failed_dmarc ? "" : settings_authserv_id(set);

	return onward_word(onward_judge(h, str_of(v->a->name.s), str_of(authserv)));
}

static bool has_kind(const struct sieve_result *r, enum sieve_action_kind kind)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->actions[i].kind == kind)
			return true;
	return false;
}

static bool is_todo(const struct filter_outcome *o, const struct sieve_action *a)
{
	return (a->kind == SIEVE_REDIRECT && o->held == NULL) ||
	       (a->kind == SIEVE_VACATION && a->vacation.withheld == NULL) ||
	       a->kind == SIEVE_NOTIFY;
}

/* look_at_header - only where something goes out because of the message */
static void look_at_header(struct evaluation *v, const struct sieve_result *r)
{
	struct filter_outcome *o = v->out;
	struct str text = v->f->given.text;
	struct arena arena;
	struct header h;

	arena_init(&arena, SIZE_MAX);
	header_parse(&h, &arena, &text, !v->f->given.plain);
	if (has_kind(r, SIEVE_REDIRECT))
		o->held = held(v, &h);
	if (o->held != NULL && o->answer == FILTER_SENT_ON)
		o->answer = FILTER_KEEP;
	o->message_id = raw(o, &h, "Message-ID");
	o->references = raw(o, &h, "References");
	arena_fini(&arena);
}

static void take_todo(struct evaluation *v, const struct sieve_result *r)
{
	struct filter_outcome *o = v->out;

	if (has_kind(r, SIEVE_REDIRECT) || has_kind(r, SIEVE_VACATION))
		look_at_header(v, r);
	for (size_t i = 0; i < r->n; i++)
		if (is_todo(o, &r->actions[i]))
			add_todo(o, &r->actions[i]);
	for (size_t i = 0; i < r->n_tracks; i++) {
		o->tracks =
			arena_push(&o->arena, o->tracks, &o->n_tracks, sizeof *o->tracks);
		o->tracks[i] = r->tracks[i];
		own(&o->arena, &o->tracks[i].key);
	}
}

void filter_outcome_fini(struct filter_outcome *o)
{
	xfree(&o->folders);
	if (o->arena.max > 0)
		arena_fini(&o->arena);
	*o = (struct filter_outcome){0};
}

/* ---- running them ------------------------------------------------------------------------------------ */

/* seen - what cannot be read is no duplicate: it is kept */
static bool seen(void *ctx, struct str key)
{
	struct evaluation *v = ctx;
	struct memory_key k = memory_key("duplicate", &key, 1);
	struct err e;
	bool has;

	return memory_has(v->f->fs->store, v->a, &k, &has, &e) == 0 && has;
}

static int64_t zone_s(time_t now)
{
	struct tm tm;

	localtime_r(&now, &tm); /* lint: ok (currentdate is the time of the site) */
	return tm.tm_gmtoff;
}

static bool use(const struct evaluation *v, const char *extension)
{
	for (size_t i = 0; i < v->n; i++)
		if (sieve_script_uses(v->scripts[i], extension))
			return true;
	return false;
}

/* delimiters - of the account's domain; none is an octet that no address has */
static struct str delimiters(struct evaluation *v, struct domain *d)
{
	struct err e;
	bool found;

	if (domain_resolve(v->f->fs->store, name_domain_of(&v->a->name), d, &found, &e) <
		    0 ||
	    !found)
		return str_of(store_settings(v->f->fs->store)->store.delimiters);
	return d->delimiters[0] != '\0' ? str_of(d->delimiters) : STR("\n");
}

static struct sieve_message *message(struct filter *f)
{
	if (f->message == NULL)
		f->message =
			sieve_message_new(f->given.text, !f->given.plain, f->given.size);
	return f->message;
}

static void evaluate(struct evaluation *v, struct str rcpt)
{
	const time_t now = time(NULL);
	struct sieve_host host = {.ctx = v,
				  .now = now,
				  .zone_s = (int32_t)zone_s(now),
				  .seen = seen,
				  .folder_exists = folder_exists};
	struct sieve_input in = {.message = message(v->f), .host = &host};
	struct sieve_result *r;
	struct domain d;

	in.envelope.from = v->f->given.sender;
	in.envelope.to = rcpt;
	in.envelope.owner = str_of(v->a->name.s);
	if (use(v, "subaddress"))
		in.envelope.delimiter = delimiters(v, &d);
	r = sieve_run(v->scripts, v->n, &in);
	/* Where only the site's scripts run, it is not the account's work. */
	if (v->own != NULL && v->own->script != NULL)
		budget_spend(v->f->fs->budget, in.envelope.owner, r->steps, clock_ms());
	if (v->out->answer == FILTER_LATER) {
		/* It could not know all that it asked for. */
	} else if (r->failed) {
		fail(v, script_name(v, r->failure.script), r->failure.line,
		     r->failure.text);
	} else {
		take_result(v, r);
		take_todo(v, r);
	}
	sieve_result_free(&r);
}

void filter_run(struct filter *f, const struct account *a, struct str rcpt,
		struct filter_outcome *out)
{
	struct filters *fs = f->fs;
	struct evaluation v = {.f = f, .a = a, .out = out};

	*out = (struct filter_outcome){.answer = FILTER_KEEP};
	arena_init(&out->arena, SIZE_MAX);
	if (clock_ms() >= f->until_ms) {
		out->answer = FILTER_LATER;
		err_set(&out->why, ERR_TEMP, "4.3.2",
			"filters of other recipients took too long");
		return;
	}
	v.scripts = xalloc((fs->before.n + fs->after.n + 1) * sizeof(void *));
	add_site(&v, &fs->before);
	if (add_own(&v)) {
		add_site(&v, &fs->after);
		if (v.n > 0)
			evaluate(&v, rcpt);
	}
	if (v.own != NULL)
		filter_cache_put_back(fs->cache, v.own);
	xfree(&v.scripts);
}
