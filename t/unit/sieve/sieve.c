/* SPDX-License-Identifier: ISC */
#include "sieve/sieve.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is evaluated, with limits of its own: none of these may take long or much. */
struct world {
	struct sieve_site site;
	struct sieve_script *script;
	struct sieve_message *message;
	struct sieve_result *result;
};

static void begin(struct world *w, const char *script, struct str message)
{
	struct sieve_errors errors = {0};

	w->script = sieve_compile(str_of(script), "test", &w->site, &errors);
	if (w->script == NULL)
		fail_msg("%u: %s", (unsigned)errors.list[0].line, errors.list[0].text);
	w->message = sieve_message_new(message, false, 0);
}

static void run(struct world *w)
{
	const struct sieve_host host = {.now = 1795950000};
	const struct sieve_script *s = w->script;
	struct sieve_input in = {.message = w->message, .host = &host};

	in.envelope.from = STR("s@example.net");
	in.envelope.to = STR("r@example.org");
	w->result = sieve_run(&s, 1, &in);
}

static void end(struct world *w)
{
	sieve_result_free(&w->result);
	sieve_message_free(&w->message);
	sieve_script_free(&w->script);
}

/* evaluate - "" where it did not fail; the steps are checked to be within the limit */
static void evaluate(const char *script, struct str message, const char *failure)
{
	struct world w = {.site = sieve_site_default};

	begin(&w, script, message);
	run(&w);
	print_message("# steps %llu of %llu, memory %zu of %zu\n",
		      (unsigned long long)w.result->steps,
		      (unsigned long long)w.site.limits.steps, w.result->arena.used,
		      w.site.limits.memory);
	assert_true(w.result->steps <= w.site.limits.steps);
	/* One request may pass the limit, before somebody asks. */
	assert_true(w.result->arena.used <= w.site.limits.memory + (1 << 20));
	assert_int_equal(w.result->failed, failure[0] != '\0');
	if (failure[0] != '\0') {
		assert_non_null(strstr(w.result->failure.text, failure));
		assert_int_equal(w.result->n, 1);
		assert_int_equal(w.result->actions[0].kind, SIEVE_KEEP);
		assert_true(w.result->actions[0].implicit);
		assert_true(w.result->failure.line > 0);
	}
	end(&w);
}

static char *repeat(const char *piece, size_t times, const char *before,
		    const char *after)
{
	size_t n = strlen(piece), start = strlen(before), stop = strlen(after);
	char *text = xalloc(start + n * times + stop + 1);

	memcpy(text, before, start);
	for (size_t i = 0; i < times; i++)
		memcpy(text + start + i * n, piece, n);
	memcpy(text + start + n * times, after, stop);
	return text;
}

/* ---- bad input: each with the ceiling of steps and memory that evaluate() asserts ---------- */

static void a_quadratic_match_ends(void **state UNUSED)
{
	char *value = repeat("a", 200000, "X: ", "\r\n\r\n");
	char *pattern =
		repeat("a", 20000, "if header :matches \"x\" \"*", "b\" { discard; }");

	evaluate(pattern, str_of(value), "too much work");
	xfree(&pattern);
	/* :contains is linear: it is no failure at all */
	pattern = repeat("a", 20000, "if header :contains \"x\" \"", "b\" { discard; }");
	evaluate(pattern, str_of(value), "");
	xfree(&pattern);
	xfree(&value);
}

/* Only the last star is ever tried again. */
static void many_stars_are_no_matter(void **state UNUSED)
{
	char *value = repeat("a", 100000, "X: ", "\r\n\r\n");
	char *pattern =
		repeat("*a", 1000, "if header :matches \"x\" \"", "b\" { discard; }");

	evaluate(pattern, str_of(value), "");
	xfree(&pattern);
	xfree(&value);
}

static void a_variable_bomb_ends(void **state UNUSED)
{
	char *script = repeat("set \"a\" \"${a}${a}\"; ", 60,
			      "require \"variables\"; set \"a\" \"0123456789\"; ", "");

	evaluate(script, STR("\r\n"), "");
	xfree(&script);
	script = repeat("set \"a\" \"${a}${a}${a}${a}${a}${a}${a}${a}\"; ", 20000,
			"require \"variables\"; set \"a\" \"0123456789\"; ", "");
	evaluate(script, STR("\r\n"), "too much");
	xfree(&script);
}

static void a_regex_bomb_ends(void **state UNUSED)
{
	char *value = repeat("a", 10000, "X: ", "!\r\n\r\n");

	evaluate("require \"regex\"; if header :regex \"x\" \"^(a+)+$\" { discard; }",
		 str_of(value), "too many steps");
	xfree(&value);
}

/* Each match takes little, and there are many of them. */
static void many_regexes_end(void **state UNUSED)
{
	char *value = repeat("a", 1000, "X: ", "!\r\n\r\n");
	char *script = repeat("if header :regex \"x\" \"^a*a*a*$\" { discard; }", 5000,
			      "require \"regex\"; ", "");

	evaluate(script, str_of(value), "too m");
	xfree(&script);
	xfree(&value);
}

static void many_addresses_end(void **state UNUSED)
{
	char *value = repeat("a@b.c,", 10000, "To: ", "\r\n\r\n");
	char *script =
		repeat("\"xxxx@example.org\",", 9000,
		       "require \"vacation\"; vacation :addresses [", "\"y\"] \"away\";");

	evaluate(script, str_of(value), "too much work");
	xfree(&script);
	xfree(&value);
}

static void many_body_tests_end(void **state UNUSED)
{
	char *value = repeat("some text and more\r\n", 50000, "Subject: x\r\n\r\n", "");
	char *script = repeat("if body :contains \"frob\" { discard; }", 1000,
			      "require \"body\"; ", "");

	evaluate(script, str_of(value), "too much work");
	xfree(&script);
	xfree(&value);
}

static void many_fields_end(void **state UNUSED)
{
	char *value = repeat("X: y\r\n", 10000, "", "\r\n");
	char *script = repeat("if header \"x\" \"z\" { discard; }", 10000, "", "");

	evaluate(script, str_of(value), "too much work");
	xfree(&script);
	xfree(&value);
}

/* ---- promises ----------------------------------------------------------------------------------- */

static void a_failure_names_its_place(void **state UNUSED)
{
	struct world w = {.site = sieve_site_default};

	begin(&w, "require \"ihave\";\n\n  error \"x\";", STR("\r\n"));
	run(&w);
	assert_string_equal(w.result->failure.script, "test");
	assert_int_equal(w.result->failure.line, 3);
	assert_int_equal(w.result->failure.column, 3);
	end(&w);
}

static void a_message_in_stored_form_gives_the_same(void **state UNUSED)
{
	const char *script =
		"require [\"body\",\"fileinto\"]; if allof (header \".x\" \"1\", "
		"body :raw :contains \"\n.dot\", size :over 19, size :under 21) "
		"{ fileinto \"Y\"; }";
	struct world w = {.site = sieve_site_default};

	begin(&w, script, STR(""));
	sieve_message_free(&w.message);
	w.message = sieve_message_new(STR(".x: 1\r\n\r\na\r\n.dot\r\n..\r\n"), false, 0);
	run(&w);
	assert_int_equal(w.result->actions[0].kind, SIEVE_KEEP); /* 22 octets */
	sieve_result_free(&w.result);
	sieve_message_free(&w.message);
	w.message =
		sieve_message_new(STR("..x: 1\r\n\r\na\r\n..dot\r\n\r\n.\r\n"), true, 0);
	run(&w);
	assert_int_equal(w.result->actions[0].kind, SIEVE_FILEINTO);
	end(&w);
}

static void one_message_serves_many_evaluations(void **state UNUSED)
{
	struct world w = {.site = sieve_site_default};

	begin(&w,
	      "require [\"body\",\"variables\",\"imap4flags\"]; addflag \"x\"; "
	      "if body :contains \"text\" { set \"a\" \"${a}y\"; } "
	      "if not string \"${a}\" \"y\" { discard; }",
	      STR("Subject: x\r\n\r\ntext\r\n"));
	for (int i = 0; i < 3; i++) {
		run(&w);
		assert_int_equal(w.result->n, 1);
		assert_int_equal(w.result->actions[0].kind, SIEVE_KEEP);
		assert_int_equal(w.result->actions[0].filing.flags.n, 1);
		sieve_result_free(&w.result);
	}
	end(&w);
}

static void the_hash_is_of_the_text(void **state UNUSED)
{
	struct sieve_errors e = {0};
	struct sieve_script *a =
		sieve_compile(STR("keep;"), "a", &sieve_site_default, &e);
	unsigned char hash[SIEVE_HASH];

	sieve_hash(STR("keep;"), hash);
	assert_memory_equal(sieve_script_hash(a), hash, SIEVE_HASH);
	sieve_hash(STR("keep; "), hash);
	assert_memory_not_equal(sieve_script_hash(a), hash, SIEVE_HASH);
	assert_string_equal(sieve_script_name(a), "a");
	sieve_script_free(&a);
}

static void a_script_says_what_it_uses(void **state UNUSED)
{
	struct sieve_errors e = {0};
	struct sieve_script *s =
		sieve_compile(STR("require [\"vacation-seconds\", \"ihave\"]; "
				  "if ihave \"subaddress\" { keep; }"),
			      "a", &sieve_site_default, &e);

	assert_non_null(s);
	assert_true(sieve_script_uses(s, "vacation-seconds"));
	assert_true(sieve_script_uses(s, "vacation"));
	assert_true(sieve_script_uses(s, "subaddress"));
	assert_false(sieve_script_uses(s, "envelope"));
	assert_false(sieve_script_uses(s, "no-such-thing"));
	sieve_script_free(&s);
}

static void a_script_has_a_size(void **state UNUSED)
{
	struct sieve_errors e = {0};
	struct sieve_site site = sieve_site_default;

	site.limits.script_octets = 5;
	assert_null(sieve_compile(STR("keep; "), "a", &site, &e));
	sieve_errors_fini(&e);

	struct sieve_script *s = sieve_compile(STR("keep;"), "a", &site, &e);

	assert_non_null(s);
	sieve_script_free(&s);
}

/* ---- threads ---------------------------------------------------------------------------------------- */

static void *evaluate_often(void *arg)
{
	struct world w = *(const struct world *)arg;
	size_t *wrong = xalloc(sizeof *wrong);

	w.message = sieve_message_new(STR("Subject: [x] y\r\n\r\nb\r\n"), false, 0);
	for (int i = 0; i < 2000; i++) {
		run(&w);
		*wrong += w.result->n != 1 ||
			  w.result->actions[0].kind != SIEVE_FILEINTO ||
			  !str_eq(w.result->actions[0].filing.folder, STR("x"));
		sieve_result_free(&w.result);
	}
	sieve_message_free(&w.message);
	return wrong;
}

static void many_threads_use_one_script(void **state UNUSED)
{
	struct world w = {.site = sieve_site_default};
	pthread_t threads[4];

	begin(&w,
	      "require [\"regex\",\"variables\",\"fileinto\"]; "
	      "if header :regex \"subject\" \"^\\\\[(.*)\\\\]\" { fileinto \"${1}\"; }",
	      STR("\r\n"));
	for (size_t i = 0; i < countof(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, evaluate_often, &w),
				 0);
	for (size_t i = 0; i < countof(threads); i++) {
		void *wrong;

		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_int_equal(*(size_t *)wrong, 0);
		xfree(&wrong);
	}
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quadratic_match_ends),
		cmocka_unit_test(many_stars_are_no_matter),
		cmocka_unit_test(a_variable_bomb_ends),
		cmocka_unit_test(a_regex_bomb_ends),
		cmocka_unit_test(many_regexes_end),
		cmocka_unit_test(many_addresses_end),
		cmocka_unit_test(many_body_tests_end),
		cmocka_unit_test(many_fields_end),
		cmocka_unit_test(a_failure_names_its_place),
		cmocka_unit_test(a_message_in_stored_form_gives_the_same),
		cmocka_unit_test(one_message_serves_many_evaluations),
		cmocka_unit_test(the_hash_is_of_the_text),
		cmocka_unit_test(a_script_says_what_it_uses),
		cmocka_unit_test(a_script_has_a_size),
		cmocka_unit_test(many_threads_use_one_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
