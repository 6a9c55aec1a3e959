/* SPDX-License-Identifier: ISC */
#include "filter/filter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/conn.h"
#include "store/folder.h"
#include "store/memory.h"
#include "store/script.h"
#include "t/unit/store/scratch.h"

static const char letter[] =
	"Received: by x; Sun, 29 Nov 2026 20:00:00 +0000\r\n"
	"From: a@example.com\r\nSubject: spam\r\n\r\n..body\r\n.\r\n";

struct fixture {
	struct scratch s;
	struct filters *filters;
	struct account a;
	struct filter *f;
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "");
	x->a = scratch_account(&x->s, "alice@example.org");
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	filters_close(&x->filters);
	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static void configure(struct fixture *x, const char *sieve)
{
	char section[512];

	snprintf(section, sizeof section, "sieve { %s }", sieve);
	store_close(&x->s.store);
	scratch_configure(&x->s, "", section);
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
}

static void open_filters(struct fixture *x)
{
	filters_close(&x->filters);
	scratch_ok(filters_open(x->s.store, &x->filters, &e_));
}

static void set_script(struct fixture *x, const char *text)
{
	bool found;

	scratch_ok(script_put(x->s.store, &x->a, STR("main"), str_of(text), &e_));
	scratch_ok(script_activate(x->s.store, &x->a, STR("main"), &e_));
	scratch_ok(account_find(x->s.store, &x->a.name, &x->a, &found, &e_));
}

static struct filter_outcome run_on(struct fixture *x, const char *text)
{
	/* In memory of its own, which is gone when the outcome is looked at. */
	char *copy = xstrdup(text);
	struct filter_message m = {.text = str_of(copy),
				   .size = strlen(text) - 4,
				   .sender = STR("sender@example.com")};
	struct filter_outcome out;
	struct err e;
	struct filter *f = filter_begin(x->filters, FILTER_MS, &e);

	assert_non_null(f);
	filter_set_message(f, &m);
	filter_run(f, &x->a, STR("alice+detail@example.org"), &out);
	filter_end(&f);
	memset(copy, 'x', strlen(text));
	xfree(&copy);
	return out;
}

static struct filter_outcome run(struct fixture *x)
{
	return run_on(x, letter);
}

/* ---- an account's own script ------------------------------------------------------------ */

static void scripts_decide(void **state)
{
	struct fixture *x = *state;
	static const struct {
		const char *script;
		enum filter_answer answer;
		const char *text; /* of a reply, or of a failure */
		uint32_t line;
	} rows[] = {
		/* clang-format off */
		{"", FILTER_KEEP, NULL, 0},
		{"keep;", FILTER_KEEP, NULL, 0},
		{"if header \"subject\" \"ham\" { discard; }", FILTER_KEEP, NULL, 0},
		{"\nif header \"subject\" \"spam\" { discard; }", FILTER_DISCARD, NULL, 2},
		{"discard; keep;", FILTER_KEEP, NULL, 0},
		/* RFC 5429: what is refused is not taken. */
		{"require \"reject\";\nkeep;\nreject \"no\";", FILTER_KEEP, "exclude each other", 3},
		{"require \"ereject\";\nereject \"no\";\n\nkeep;", FILTER_KEEP, "exclude each other", 4},
		{"require \"reject\";\ndiscard;\nreject \"no\";", FILTER_REJECT, "no", 3},
		{"require \"reject\";\nreject \"go away\";", FILTER_REJECT, "go away", 2},
		{"require \"ereject\"; ereject \"a\r\n  b \xc3\xa4\xc2\x85\x07!\";", FILTER_REJECT, "a b ?? !", 1},
		{"require \"reject\"; reject \"\";", FILTER_REJECT, "Message refused by the recipient", 1},
		/* The envelope, the detail, the body without its doubled dot. */
		{"require [\"envelope\", \"subaddress\", \"body\"];\n"
		 "if not allof(envelope \"from\" \"sender@example.com\",\n"
		 "  envelope :detail \"to\" \"detail\", body :raw :contains \".body\",\n"
		 "  not body :raw :contains \"..body\") { keep; stop; }\ndiscard;", FILTER_DISCARD, NULL, 5},
		/* What is wrong keeps it. */
		{"discard;\nfoo;", FILTER_KEEP, "there is no command 'foo'", 2},
		{"require \"ihave\";\ndiscard;\nerror \"told\";", FILTER_KEEP, "told", 3},
		/* clang-format on */
	};

	open_filters(x);
	for (size_t i = 0; i < countof(rows); i++) {
		struct filter_outcome o;

		set_script(x, rows[i].script);
		o = run(x);
		if (o.answer != rows[i].answer)
			fail_msg("row %zu: %d, %s", i, o.answer, o.failure);
		if (o.answer == FILTER_KEEP) {
			assert_int_equal(o.failed, rows[i].text != NULL);
			assert_int_equal(o.failed_at, rows[i].line);
			if (o.failed) {
				assert_non_null(strstr(o.failure, rows[i].text));
				assert_string_equal(o.failed_in, "main");
			}
			continue;
		}
		assert_false(o.failed);
		assert_int_equal(o.line, rows[i].line);
		assert_string_equal(o.script, "main");
		if (rows[i].text != NULL)
			assert_string_equal(o.text, rows[i].text);
	}
}

/* ---- folders ------------------------------------------------------------------------------- */

#define FILE_IT "require [\"fileinto\", \"copy\", \"mailbox\", \"imap4flags\"];\n"

static const struct {
	const char *script;
	enum filter_answer answer;
	const char *folders;
	const char *failure; /* a part of it */
} filings[] = {
	/* clang-format off */
	{"fileinto \"Work\";", FILTER_FILE, "Work:2 ", NULL},
	{"fileinto :create \"a\";\nfileinto :flags \"x\" \"b\";", FILTER_FILE, "a:2 b:3 ", NULL},
	{"fileinto \"a\"; keep;", FILTER_KEEP, "a:2 ", NULL},
	{"fileinto :copy \"a\";", FILTER_KEEP, "a:2 ", NULL},
	{"fileinto \"inBox\";", FILTER_KEEP, "", NULL},
	{"fileinto \"a\"; discard;", FILTER_FILE, "a:2 ", NULL},
	{"fileinto \"a/b\";", FILTER_KEEP, "", "slash"},
	{"fileinto \"a\"; fileinto \"b/c\"; fileinto \"d\";", FILTER_KEEP, "a:2 d:2 ", "slash"},
	{"if mailboxexists \"INBOX\" { fileinto \"a\"; }", FILTER_FILE, "a:2 ", NULL},
	{"if mailboxexists \"there\" { fileinto \"a\"; }", FILTER_FILE, "a:2 ", NULL},
	{"if mailboxexists [\"there\", \"other\"] { fileinto \"a\"; }", FILTER_KEEP, "", NULL},
	/* clang-format on */
};

static void is_filed(size_t i, const struct filter_outcome *o)
{
	struct buf list;

	buf_init(&list, 400);
	for (size_t k = 0; k < o->n_folders; k++)
		buf_printf(&list, "%s:%u ", o->folders[k].name, o->folders[k].line);
	print_message("# row %zu: %s%s\n", i, buf_cstr(&list), o->failure);
	assert_int_equal(o->answer, filings[i].answer);
	assert_string_equal(buf_cstr(&list), filings[i].folders);
	assert_int_equal(o->failed, filings[i].failure != NULL);
	if (o->failed)
		assert_non_null(strstr(o->failure, filings[i].failure));
	for (size_t k = 0; k < o->n_folders; k++)
		assert_string_equal(o->folders[k].script, "main");
	buf_fini(&list);
}

static void script_of_row(struct fixture *x, size_t i, struct account *a)
{
	char text[400];
	struct account now = x->a;

	snprintf(text, sizeof text, FILE_IT "%s", filings[i].script);
	x->a = *a;
	set_script(x, text);
	if (a == &x->a)
		return;
	*a = x->a;
	x->a = now;
}

static void make_there(struct fixture *x, struct account *a)
{
	struct account folder;
	const char *why;
	bool found;

	scratch_ok(folder_make(x->s.store, a, STR("There"), &folder, &why, &e_));
	assert_null(why);
	scratch_ok(account_find(x->s.store, &a->name, a, &found, &e_));
}

/* Nothing is made by that. */
static void fileinto_names_folders(void **state)
{
	struct fixture *x = *state;
	struct account folder;
	bool found;

	open_filters(x);
	make_there(x, &x->a);
	for (size_t i = 0; i < countof(filings); i++) {
		struct filter_outcome o;

		script_of_row(x, i, &x->a);
		o = run(x);
		is_filed(i, &o);
		filter_outcome_fini(&o);
	}
	scratch_ok(folder_find(x->s.store, &x->a, STR("a"), &folder, &found, &e_));
	assert_false(found);
}

/* Each has a script of his own, and all get one message: whoever came before, what comes of it
 * is the same as alone. */
static void others_make_no_difference(void **state)
{
	struct fixture *x = *state;
	struct account all[countof(filings)];
	struct filter_message m = {.text = str_of(letter),
				   .size = sizeof letter - 1 - 4,
				   .sender = STR("sender@example.com")};

	open_filters(x);
	for (size_t i = 0; i < countof(filings); i++) {
		char name[40];

		snprintf(name, sizeof name, "user%zu@example.org", i);
		all[i] = scratch_account(&x->s, name);
		make_there(x, &all[i]);
		script_of_row(x, i, &all[i]);
	}
	for (size_t step = 1; step < countof(filings); step++) {
		struct err e;
		struct filter *f = filter_begin(x->filters, FILTER_MS, &e);

		assert_non_null(f);
		filter_set_message(f, &m);
		for (size_t i = 0; i < countof(filings); i++) {
			size_t who = (i * step + step) % countof(filings);
			struct filter_outcome o;

			filter_run(f, &all[who], str_of(all[who].name.s), &o);
			is_filed(who, &o);
			filter_outcome_fini(&o);
		}
		filter_end(&f);
	}
}

/* A folder of which nobody can say whether it is there has the message put off. */
static void what_cannot_be_told_is_put_off(void **state)
{
	struct fixture *x = *state;
	struct scratch_path profile =
		scratch_place("accounts", "alice/there@example.org", "profile");
	struct filter_outcome o;

	open_filters(x);
	make_there(x, &x->a);
	script_of_row(x, 9, &x->a);
	assert_int_equal(unlink(scratch_path(&x->s, profile.s).s), 0);
	assert_int_equal(mkdir(scratch_path(&x->s, profile.s).s, 0700), 0);
	o = run(x);
	assert_int_equal(o.answer, FILTER_LATER);
	assert_int_equal(o.why.class, ERR_TEMP);
	assert_int_equal(o.n_folders, 0);
	assert_int_equal(rmdir(scratch_path(&x->s, profile.s).s), 0);
}

/* A script that looks at too much for too long. */
/* put_slow - a script that looks at too much for too long */
static void put_slow(struct buf *text)
{
	buf_init(text, 60000);
	buf_printf(text, "require [\"variables\"];\nset \"a\" \"");
	for (int i = 0; i < 4000; i++)
		buf_putc(text, 'a');
	buf_printf(text, "\";\n");
	for (int i = 0; i < 400; i++)
		buf_printf(text, "if string :matches \"${a}${a}${a}${a}\" \"*aab*aab\" "
				 "{ keep; }\n");
	buf_printf(text, "discard;\n");
	assert_false(buf_over(text));
}

static void steps_have_an_end(void **state)
{
	struct fixture *x = *state;
	struct filter_outcome o;
	struct buf text;

	put_slow(&text);
	open_filters(x);
	set_script(x, buf_cstr(&text));
	o = run(x);
	assert_int_equal(o.answer, FILTER_KEEP);
	assert_true(o.failed);
	assert_true(o.failed_at > 2);
	assert_non_null(strstr(o.failure, "too much work"));
	buf_fini(&text);
}

static void a_long_reason_fits_a_reply(void **state)
{
	struct fixture *x = *state;
	struct filter_outcome o;
	struct buf text;

	buf_init(&text, 4000);
	buf_printf(&text, "require \"reject\"; reject \"");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "word ");
	buf_printf(&text, "\";");
	open_filters(x);
	set_script(x, buf_cstr(&text));
	o = run(x);
	assert_int_equal(o.answer, FILTER_REJECT);
	assert_true(strlen(o.text) <= FILTER_TEXT && strlen(o.text) > FILTER_TEXT - 5);
	buf_fini(&text);
}

static void damage_keeps(void **state)
{
	struct fixture *x = *state;
	struct scratch_path dir = scratch_place("accounts", x->a.name.s, "sieve");
	struct filter_outcome o;
	char path[600];

	open_filters(x);
	set_script(x, "discard;");
	assert_int_equal(run(x).answer, FILTER_DISCARD);
	snprintf(path, sizeof path, "%s/%s", dir.s, x->a.script);
	scratch_flip(&x->s, path, 60);
	o = run(x);
	assert_int_equal(o.answer, FILTER_KEEP);
	assert_true(o.failed);
	assert_int_equal(unlink(scratch_path(&x->s, path).s), 0);
	o = run(x);
	assert_int_equal(o.answer, FILTER_KEEP);
	assert_non_null(strstr(o.failure, "lost"));
	/* What cannot be read now is no script that is broken. */
	assert_int_equal(mkdir(scratch_path(&x->s, path).s, 0700), 0);
	o = run(x);
	assert_int_equal(o.answer, FILTER_LATER);
	assert_int_equal(o.why.class, ERR_TEMP);
	assert_int_equal(rmdir(scratch_path(&x->s, path).s), 0);
}

/* Nobody waits for a FIFO, follows a link, or reads a file without an end. */
static void what_is_no_file_of_ours_is_not_read(void **state)
{
	struct fixture *x = *state;
	struct scratch_path dir = scratch_place("accounts", x->a.name.s, "sieve"), place;
	struct filter_outcome o;
	char path[600];

	open_filters(x);
	set_script(x, "discard;");
	snprintf(path, sizeof path, "%s/%s", dir.s, x->a.script);
	place = scratch_path(&x->s, path);
	assert_int_equal(unlink(place.s), 0);
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			assert_int_equal(mkfifo(place.s, 0600), 0);
		else if (i == 1)
			assert_int_equal(symlink("/dev/zero", place.s), 0);
		else
			assert_true(mknod(place.s, S_IFREG | 0600, 0) == 0 &&
				    truncate(place.s, 1 << 30) == 0);
		o = run(x);
		/* Put off or kept: never what nobody wrote. */
		assert_true(o.answer == FILTER_LATER ||
			    (o.answer == FILTER_KEEP && o.failed));
		assert_int_equal(unlink(place.s), 0);
	}
}

/* ---- turns ----------------------------------------------------------------------------------- */

struct waiter {
	struct filters *filters;
	struct filter *f;
	struct err why;
};

static void *wait_for_turn(void *ctx)
{
	struct waiter *w = ctx;

	w->f = filter_begin(w->filters, FILTER_MS, &w->why);
	return NULL;
}

static void a_turn_is_waited_for(void **state)
{
	struct fixture *x = *state;
	struct filter *turns[FILTER_AT_ONCE], *one_more;
	struct waiter w;
	pthread_t thread;
	struct err e;

	open_filters(x);
	w = (struct waiter){.filters = x->filters};
	for (size_t i = 0; i < countof(turns); i++)
		assert_non_null(turns[i] = filter_begin(x->filters, 0, &e));
	one_more = filter_begin(x->filters, 20, &e);
	assert_null(one_more);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.3.2");
	/* Who ends lets one in who waits, and one only. */
	assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, &w), 0);
	filter_end(&turns[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_non_null(w.f);
	one_more = filter_begin(x->filters, 20, &e);
	assert_null(one_more);
	filter_end(&w.f);
	for (size_t i = 1; i < countof(turns); i++)
		filter_end(&turns[i]);
}

/* Of the time, what the wait has taken is gone. */
static void without_time_nobody_is_judged(void **state)
{
	struct fixture *x = *state;
	struct filter_message m = {.text = str_of(letter)};
	struct filter_outcome o;
	struct filter *f;
	struct err e;

	open_filters(x);
	set_script(x, "discard;");
	f = filter_begin(x->filters, 0, &e);
	assert_non_null(f);
	filter_set_message(f, &m);
	filter_run(f, &x->a, STR("alice@example.org"), &o);
	assert_int_equal(o.answer, FILTER_LATER);
	assert_string_equal(o.why.dsn, "4.3.2");
	filter_end(&f);
}

/* ---- what is to be done beside ------------------------------------------------------------- */

/* about - what is to be done, a line each */
static const char *about(const struct filter_outcome *o)
{
	static char text[1000];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	for (size_t i = 0; i < o->n_todo; i++) {
		const struct sieve_action *a = &o->todo[i];

		buf_printf(&out, "%s%s", i > 0 ? " " : "", sieve_action_name(a->kind));
		if (a->kind == SIEVE_REDIRECT)
			buf_printf(&out, ":%s:" STR_FMT, a->redirect.address.p,
				   STR_ARG(a->redirect.notify));
		if (a->kind == SIEVE_VACATION)
			buf_printf(&out, ":" STR_FMT ":" STR_FMT ":%u",
				   STR_ARG(a->vacation.to), STR_ARG(a->vacation.subject),
				   a->vacation.seconds);
		if (a->kind == SIEVE_NOTIFY)
			buf_printf(&out, ":%s", a->notify.to.list[0].p);
	}
	snprintf(text, sizeof text, "%s", buf_cstr(&out));
	buf_fini(&out);
	return text;
}

#define TO_ALICE \
	"To: alice@example.org\r\nMessage-ID: <1@x>\r\nReferences: <a@x>\r\n <b@x>\r\n"
#define LETTER TO_ALICE "Subject: hi\r\n\r\nbody\r\n.\r\n"
#define MARKED "X-Popstore-Loop: Alice@Example.org\r\n"
#define DMARC  "Authentication-Results: mx.example.org; dmarc=fail\r\n"

static void what_is_to_be_done_is_a_list(void **state)
{
	struct fixture *x = *state;
	static const struct {
		const char *script, *letter;
		enum filter_answer answer;
		const char *todo, *held;
	} rows[] = {
		/* clang-format off */
		{"redirect \"a@far.example\";", LETTER, FILTER_SENT_ON, "redirect:a@far.example:", NULL},
		{"redirect \"a@far.example\"; keep;", LETTER, FILTER_KEEP, "redirect:a@far.example:", NULL},
		{"require \"copy\"; redirect :copy \"a@far.example\";", LETTER, FILTER_KEEP, "redirect:a@far.example:", NULL},
		{"redirect \"a@far.example\"; discard;", LETTER, FILTER_SENT_ON, "redirect:a@far.example:", NULL},
		{"require \"redirect-dsn\"; redirect :notify \"never\" \"a@far.example\";", LETTER, FILTER_SENT_ON, "redirect:a@far.example:never", NULL},
		{"redirect \"a@far.example\"; redirect \"b@far.example\";", LETTER, FILTER_SENT_ON, "redirect:a@far.example: redirect:b@far.example:", NULL},
		{"require \"ihave\"; redirect \"a@far.example\"; error \"x\";", LETTER, FILTER_KEEP, "", NULL},
		{"redirect \"a@far.example\";", MARKED LETTER, FILTER_KEEP, "", "loop"},
		{"redirect \"a@far.example\";", DMARC LETTER, FILTER_KEEP, "", "dmarc"},
		{"redirect \"a@far.example\"; discard;", DMARC LETTER, FILTER_KEEP, "", "dmarc"},
		{"require \"vacation\"; vacation \"x\";", LETTER, FILTER_KEEP, "vacation:sender@example.com:Auto: hi:604800", NULL},
		{"require \"vacation\"; vacation :days 1 \"x\"; discard;", LETTER, FILTER_DISCARD, "vacation:sender@example.com:Auto: hi:86400", NULL},
		{"require \"vacation-seconds\"; vacation :seconds 5 \"x\";", MARKED DMARC LETTER, FILTER_KEEP, "vacation:sender@example.com:Auto: hi:5", NULL},
		{"require \"vacation\"; vacation \"x\";", "Precedence: bulk\r\n" LETTER, FILTER_KEEP, "", NULL},
		{"require \"enotify\"; notify \"mailto:a@far.example\"; discard;", LETTER, FILTER_DISCARD, "notify:a@far.example", NULL},
		{"require [\"enotify\", \"reject\"]; notify \"mailto:a@far.example\"; reject \"no\";", LETTER, FILTER_REJECT, "notify:a@far.example", NULL},
		/* clang-format on */
	};

	store_close(&x->s.store);
	scratch_configure(&x->s, "", "hostname = \"mx.example.org\"");
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
	open_filters(x);
	for (size_t i = 0; i < countof(rows); i++) {
		struct filter_outcome o;

		set_script(x, rows[i].script);
		o = run_on(x, rows[i].letter);
		if (o.answer != rows[i].answer || strcmp(about(&o), rows[i].todo) != 0)
			fail_msg("%s: %d, %s; %s", rows[i].script, o.answer, about(&o),
				 o.failure);
		if (rows[i].held != NULL)
			assert_string_equal(o.held, rows[i].held);
		else
			assert_null(o.held);
		if (o.n_todo > 0 && o.todo[0].kind == SIEVE_VACATION) {
			assert_true(str_eq(o.message_id, STR("<1@x>")));
			assert_true(str_eq(o.references, STR("<a@x> <b@x>")));
		}
		filter_outcome_fini(&o);
	}
}

/* A filter that is run leaves no trace: who performs remembers. */
static void duplicates_are_those_that_are_remembered(void **state)
{
	struct fixture *x = *state;
	struct memory_entry entry = {.until_ms = clock_unix_ms() + 60000};
	struct filter_outcome o;

	open_filters(x);
	set_script(x, "require \"duplicate\"; if duplicate { discard; }");
	for (int i = 0; i < 2; i++) {
		o = run_on(x, LETTER);
		assert_int_equal(o.answer, FILTER_KEEP);
		assert_int_equal(o.n_tracks, 1);
		assert_int_equal(o.tracks[0].seconds, 7 * 86400);
		entry.key = memory_key("duplicate", &o.tracks[0].key, 1);
		filter_outcome_fini(&o);
	}
	scratch_ok(memory_put(x->s.store, &x->a, &entry, 1, NULL, &e_));
	o = run_on(x, LETTER);
	assert_int_equal(o.answer, FILTER_DISCARD);
	assert_int_equal(o.n_tracks, 0);
	filter_outcome_fini(&o);
}

/* ---- the site's ------------------------------------------------------------------------------ */

static void file(struct fixture *x, const char *name, const char *text)
{
	scratch_write(&x->s, name, str_of(text));
}

static void nothing_is_wanted_of_nobody(void **state)
{
	struct fixture *x = *state;

	open_filters(x);
	assert_false(filters_want(x->filters, &x->a));
	set_script(x, "keep;");
	assert_true(filters_want(x->filters, &x->a));
}

static void the_site_comes_before_and_after(void **state)
{
	struct fixture *x = *state;
	struct filter_outcome o;
	char sieve[300], path[300];

	snprintf(sieve, sizeof sieve,
		 "before = { \"%s/before\" } after = { \"%s/after\" } "
		 "default_script = \"%s/default\"",
		 x->s.dir, x->s.dir, x->s.dir);
	configure(x, sieve);
	file(x, "before", "");
	file(x, "after", "");
	file(x, "default", "require \"reject\"; reject \"default\";");
	open_filters(x);
	assert_true(filters_want(x->filters, &x->a));
	/* The default, until there is an own one. */
	o = run(x);
	assert_int_equal(o.answer, FILTER_REJECT);
	assert_string_equal(o.text, "default");
	set_script(x, "");
	assert_int_equal(run(x).answer, FILTER_KEEP);
	/* One after runs where the own one kept it, or is broken. */
	file(x, "after", "require \"reject\";\n\nreject \"after\";");
	open_filters(x);
	o = run(x);
	assert_string_equal(o.text, "after");
	assert_int_equal(o.line, 3);
	snprintf(path, sizeof path, "%s/after", x->s.dir);
	assert_string_equal(o.script, path);
	set_script(x, "foo;");
	o = run(x);
	assert_string_equal(o.text, "after");
	assert_true(o.failed);
	assert_string_equal(o.failed_in, "main");
	set_script(x, "discard;");
	assert_int_equal(run(x).answer, FILTER_DISCARD);
	/* One before comes first. */
	file(x, "before", "require \"reject\"; reject \"before\";");
	open_filters(x);
	assert_string_equal(run(x).text, "before");
}

/* Each evaluation has its limit; all of them together have the account's budget. */
static void who_makes_much_work_is_kept_unfiltered(void **state)
{
	struct fixture *x = *state;
	struct account other = scratch_account(&x->s, "bob@example.org"), slow;
	struct filter_outcome o;
	struct buf text;
	char sieve[300];

	put_slow(&text);
	snprintf(sieve, sizeof sieve,
		 "steps_per_minute = 30000000 before = { \"%s/before\" } "
		 "after = { \"%s/after\" }",
		 x->s.dir, x->s.dir);
	configure(x, sieve);
	file(x, "before", "if header \"subject\" \"ham\" { discard; }");
	file(x, "after", "");
	open_filters(x);
	set_script(x, buf_cstr(&text));
	for (int i = 0; i < 2; i++)
		assert_non_null(strstr(run(x).failure, "too much work"));
	o = run(x);
	assert_int_equal(o.answer, FILTER_KEEP);
	assert_true(o.failed);
	assert_non_null(strstr(o.failure, "used up"));
	assert_string_equal(o.failed_in, "main");
	/* Another script does not help, and others have nothing to do with it. */
	set_script(x, "discard;");
	assert_non_null(strstr(run(x).failure, "used up"));
	slow = x->a;
	x->a = other;
	set_script(x, "discard;");
	assert_int_equal(run(x).answer, FILTER_DISCARD);
	/* The site's scripts are not the account's to switch off. */
	file(x, "before", "discard;");
	filters_close(&x->filters);
	open_filters(x);
	x->a = slow;
	assert_int_equal(run(x).answer, FILTER_DISCARD);
	buf_fini(&text);
}

/* What the site makes everybody do is on nobody's budget. */
static void work_of_the_site_is_not_the_accounts(void **state)
{
	struct fixture *x = *state;
	struct buf text;
	char sieve[300];

	put_slow(&text);
	snprintf(sieve, sizeof sieve,
		 "steps_per_minute = 1000 default_script = \"%s/default\"", x->s.dir);
	configure(x, sieve);
	file(x, "default", buf_cstr(&text));
	open_filters(x);
	for (int i = 0; i < 3; i++)
		assert_non_null(strstr(run(x).failure, "too much work"));
	buf_fini(&text);
}

static void a_broken_one_of_the_site_ends_the_start(void **state)
{
	struct fixture *x = *state;
	struct filters *fs;
	char sieve[200];
	struct err e;

	snprintf(sieve, sizeof sieve, "before = { \"%s/before\" }", x->s.dir);
	configure(x, sieve);
	assert_int_equal(filters_open(x->s.store, &fs, &e), -1); /* not there */
	file(x, "before", "keep;\nfoo;");
	assert_int_equal(filters_open(x->s.store, &fs, &e), -1);
	assert_string_equal(e.dsn, "5.3.5");
	assert_non_null(strstr(e.text, "/before:2:1: there is no command 'foo'"));
	assert_null(fs);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(scripts_decide),
		T(fileinto_names_folders),
		T(others_make_no_difference),
		T(what_cannot_be_told_is_put_off),
		T(steps_have_an_end),
		T(a_long_reason_fits_a_reply),
		T(damage_keeps),
		T(what_is_no_file_of_ours_is_not_read),
		T(a_turn_is_waited_for),
		T(without_time_nobody_is_judged),
		T(what_is_to_be_done_is_a_list),
		T(duplicates_are_those_that_are_remembered),
		T(nothing_is_wanted_of_nobody),
		T(the_site_comes_before_and_after),
		T(who_makes_much_work_is_kept_unfiltered),
		T(work_of_the_site_is_not_the_accounts),
		T(a_broken_one_of_the_site_ends_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
