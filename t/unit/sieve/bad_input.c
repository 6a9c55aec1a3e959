/* SPDX-License-Identifier: ISC */
/*
 * Scripts that want too much: each is evaluated with the limits of a site, or compiled, and the
 * ceilings of steps and of memory are asserted, as those of processor time by run() below.
 * t/unit/sieve/sieve.c has matches, variables, regular expressions and large messages.
 */
#include "sieve/sieve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* What 20,000,000 steps may take at most, also with sanitizers on a slow machine; the limit
 * is what is checked, not the speed. */
enum { PROCESSOR_S = 60, SCRIPTS = 16 };

struct world {
	struct sieve_site site;
	struct sieve_script
		*scripts[SCRIPTS]; /* by their names, "a" and so on; the first runs */
	size_t n;
};

static const struct sieve_script *find(void *ctx, enum sieve_place where UNUSED,
				       struct str name)
{
	const struct world *w = ctx;

	return name.n == 1 && (size_t)(name.p[0] - 'a') < w->n
		       ? w->scripts[name.p[0] - 'a']
		       : NULL;
}

static void add(struct world *w, const char *text)
{
	struct sieve_errors e = {0};
	char name[2] = {(char)('a' + w->n), '\0'};

	if (w->n == 0)
		w->site = sieve_site_default;
	w->scripts[w->n] = sieve_compile(str_of(text), name, &w->site, &e);
	if (w->scripts[w->n] == NULL)
		fail_msg("%u: %s", (unsigned)e.list[0].line, e.list[0].text);
	w->n++;
}

/* run - `failure` is part of what is said, or "" */
static void run(struct world *w, const char *failure)
{
	const struct sieve_host host = {.ctx = w, .now = 1795950000, .include = find};
	const struct sieve_script *s = w->scripts[0];
	struct sieve_message *m =
		sieve_message_new(STR("Subject: x\r\n\r\nx\r\n"), false, 0);
	struct sieve_input in = {.message = m, .host = &host};
	clock_t begin = clock();
	struct sieve_result *r;

	in.envelope.from = STR("s@example.net");
	in.envelope.to = STR("r@example.org");
	r = sieve_run(&s, 1, &in);
	print_message("# steps %llu, memory %zu: %s\n", (unsigned long long)r->steps,
		      r->arena.used, r->failed ? r->failure.text : "");
	assert_true(r->steps <= w->site.limits.steps);
	assert_true(r->arena.used <= w->site.limits.memory + (1 << 20));
	assert_true(clock() - begin < (clock_t)PROCESSOR_S * CLOCKS_PER_SEC);
	assert_int_equal(r->failed, failure[0] != '\0');
	if (r->failed) {
		assert_non_null(strstr(r->failure.text, failure));
		assert_int_equal(r->n, 1);
		assert_true(r->actions[0].implicit);
		assert_true(r->failure.line > 0);
	}
	sieve_result_free(&r);
	sieve_message_free(&m);
	while (w->n > 0)
		sieve_script_free(&w->scripts[--w->n]);
}

static char *repeat(const char *before, const char *piece, size_t times,
		    const char *after)
{
	size_t a = strlen(before), n = strlen(piece), b = strlen(after);
	char *text = xalloc(a + n * times + b + 1);

	memcpy(text, before, a);
	for (size_t i = 0; i < times; i++)
		memcpy(text + a + i * n, piece, n);
	memcpy(text + a + n * times, after, b);
	return text;
}

static void run_one(char *text, const char *failure)
{
	struct world w = {.n = 0};

	add(&w, text);
	xfree(&text);
	run(&w, failure);
}

/* refused - when it is compiled, with errors that are bounded, and not for its size */
static void refused(char *text, const char *says)
{
	struct sieve_errors e = {0};

	assert_true(strlen(text) <= sieve_site_default.limits.script_octets);
	assert_null(sieve_compile(str_of(text), "x", &sieve_site_default, &e));
	assert_true(e.n > 0 && e.n <= SIEVE_ERRORS);
	print_message("# %zu errors: %s\n", e.n, e.list[0].text);
	assert_non_null(strstr(e.list[0].text, says));
	sieve_errors_fini(&e);
	xfree(&text);
}

/* ---- including ------------------------------------------------------------------------------ */

static void circles_end(void **state UNUSED)
{
	struct world w = {.n = 0};

	add(&w, "require \"include\"; discard; include \"b\";");
	add(&w, "require \"include\"; include \"c\";");
	add(&w, "require \"include\"; include \"a\";");
	run(&w, "includes itself");
}

static void depth_has_an_end(void **state UNUSED)
{
	struct world w = {.n = 0};
	char text[64];

	for (int i = 0; i < 11; i++) {
		snprintf(text, sizeof text, "require \"include\"; include \"%c\";",
			 'b' + i);
		add(&w, text);
	}
	add(&w, "discard;");
	run(&w, "too deep");
}

/* Each one includes the next one often: the number of all of them counts. */
static void a_tree_of_includes_ends(void **state UNUSED)
{
	struct world w = {.n = 0};

	for (char next = 'b'; next < 'f'; next++) {
		char piece[32];
		char *text;

		snprintf(piece, sizeof piece, "include \"%c\";", next);
		text = repeat("require \"include\"; ", piece, 100, "");
		add(&w, text);
		xfree(&text);
	}
	add(&w, "keep;");
	run(&w, "too many");
}

/* What is included has no steps of its own. */
static void work_of_included_scripts_counts(void **state UNUSED)
{
	struct world w = {.n = 0};
	char *text = repeat("require \"include\"; ", "include \"b\";", 250, ""), *begin;

	add(&w, text);
	xfree(&text);
	begin = repeat("require \"variables\"; set \"a\" \"", "a", 4000, "\"; ");
	text = repeat(begin, "if string :matches \"${a}${a}${a}${a}\" \"*aab*aab\" {}", 8,
		      "");
	add(&w, text);
	xfree(&begin);
	xfree(&text);
	run(&w, "too much work");
}

/* ---- growth -------------------------------------------------------------------------------------- */

static void encoding_does_not_grow_beyond_a_variable(void **state UNUSED)
{
	run_one(repeat("require [\"variables\", \"enotify\"]; set \"a\" \"%%%%%%%%%%\"; ",
		       "set :encodeurl \"a\" \"${a}${a}${a}\"; ", 60,
		       "set :length \"n\" \"${a}\"; if string \"${n}\" \"4096\" { stop; } "
		       "if string :matches \"${n}\" \"????*\" { if string :contains \"${a}\" \"%\" "
		       "{ stop; } } discard;"),
		"");
	run_one(repeat("require [\"variables\", \"regex\"]; set \"a\" \"****\"; ",
		       "set :quotewildcard \"a\" \"${a}\"; set :quoteregex \"a\" \"${a}\"; ",
		       60, ""),
		"");
	run_one(repeat("require [\"variables\", \"enotify\"]; set \"a\" \"%\"; ",
		       "set :encodeurl :quotewildcard :upper \"a\" \"${a}${a}${a}${a}\"; ",
		       9000, ""),
		"too much");
}

static void a_string_of_many_variables_ends(void **state UNUSED)
{
	char *begin = repeat("require [\"variables\", \"reject\"]; set \"a\" \"", "x",
			     4096, "\"; reject \"");
	char *text = repeat(begin, "${a}", 20, "\";");

	xfree(&begin);
	run_one(text, "too long with its variables");
}

/* ---- actions ---------------------------------------------------------------------------------------- */

static void actions_have_an_end(void **state UNUSED)
{
	run_one(repeat("require [\"fileinto\", \"variables\", \"copy\"]; set \"a\" \"x\"; ",
		       "set \"a\" \"${a}x\"; fileinto :copy \"${a}\"; ", 33, ""),
		"too many actions");
	run_one(repeat("require \"enotify\"; ",
		       "notify :message \"x\" \"mailto:a@example.org\"; ", 40, ""),
		"too many actions");
	run_one(repeat("require [\"variables\", \"copy\"]; set \"a\" \"x\"; ",
		       "set \"a\" \"${a}x\"; redirect :copy \"${a}@example.org\"; ", 5,
		       ""),
		"too many redirects");
}

static void headers_of_edits_have_an_end(void **state UNUSED)
{
	run_one(repeat("require \"editheader\"; ",
		       "addheader \"X-A\" \"0123456789012345678901234567890123456789\"; ",
		       15000, ""),
		"too m");
	run_one(repeat("require \"editheader\"; addheader \"X-A\" \"y\"; ",
		       "addheader \"X-A\" \"x\"; deleteheader \"X-A\"; ", 10000, ""),
		"too m");
}

static void flags_have_an_end(void **state UNUSED)
{
	run_one(repeat("require [\"imap4flags\", \"variables\"]; set \"a\" \"x\"; ",
		       "set \"a\" \"${a}x\"; addflag \"${a}\"; ", 15000, ""),
		"too much");
}

static void names_of_no_use_are_refused(void **state UNUSED)
{
	refused(repeat("redirect \"", "a", 100000, "@example.org\";"), "aaaa");
	refused(repeat("require \"fileinto\"; fileinto \"", "a", 100000, "\";"), "aaaa");
	refused(repeat("require \"fileinto\"; fileinto \"\xff", "a", 3, "\";"), "");
	refused(repeat("require \"include\"; include \"", "a", 100000, "\";"), "");
}

/* A reason is text: what of it fits a reply is the host's. */
static void a_large_reason_is_text(void **state UNUSED)
{
	run_one(repeat("require \"reject\"; reject text:\r\n", "..\r\n0123456789\r\n",
		       7000, ".\r\n;"),
		"");
}

/* ---- compiling -------------------------------------------------------------------------------------- */

static void nesting_has_an_end(void **state UNUSED)
{
	refused(repeat("", "if true {", 100000, ""), "nested");
	refused(repeat("if ", "not ", 200000, "true {}"), "nested");
	refused(repeat("if ", "anyof(", 150000, "true"), "nested");
	refused(repeat("require \"foreverypart\"; ", "foreverypart {", 50000, ""),
		"nested");
}

static void lists_have_an_end(void **state UNUSED)
{
	refused(repeat("if header [", "\"a\",", 200000, "\"a\"] \"b\" {}"), "");
	refused(repeat("if anyof(", "true,", 150000, "true) {}"), "");
	refused(repeat("require [", "\"a\",", 200000, "\"a\"];"), "");
}

/* As many errors as there is room for, whatever there are. */
static void errors_have_an_end(void **state UNUSED)
{
	refused(repeat("", "foo;", 200000, ""), "there is no command");
	refused(repeat("", "\xff", 900000, ""), "");
	refused(repeat("", "\"", 900001, ""), "");
	refused(repeat("", "/*", 400000, ""), "");
	refused(repeat("keep ", ":a ", 300000, ";"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_end),
		cmocka_unit_test(depth_has_an_end),
		cmocka_unit_test(a_tree_of_includes_ends),
		cmocka_unit_test(work_of_included_scripts_counts),
		cmocka_unit_test(encoding_does_not_grow_beyond_a_variable),
		cmocka_unit_test(a_string_of_many_variables_ends),
		cmocka_unit_test(actions_have_an_end),
		cmocka_unit_test(headers_of_edits_have_an_end),
		cmocka_unit_test(flags_have_an_end),
		cmocka_unit_test(names_of_no_use_are_refused),
		cmocka_unit_test(a_large_reason_is_text),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(errors_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
