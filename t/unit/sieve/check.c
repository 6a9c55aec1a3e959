/* SPDX-License-Identifier: ISC */
#include "sieve/define_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The records themselves: what a new one can get wrong. */

static void names_are_there_once(void **state UNUSED)
{
	for (size_t i = 0; i < registry_count(); i++)
		for (size_t k = 0; k < i; k++) {
			const struct extension *a = registry_at(i), *b = registry_at(k);

			assert_ptr_not_equal(a, b);
			if (a->name != NULL && b->name != NULL)
				assert_string_not_equal(a->name, b->name);
		}
	assert_true(registry_count() <= 64);
}

static void a_definition_can_do_its_work(void **state UNUSED)
{
	for (size_t i = 0; i < registry_count(); i++)
		for (size_t k = 0; k < registry_at(i)->n_definitions; k++) {
			const struct definition *d = &registry_at(i)->definitions[k];
			bool keys = false;

			print_message("# %s\n", d->name);
			assert_true(d->kind == COMMAND ? d->run != NULL
						       : d->test != NULL);
			for (size_t p = 0; p < countof(d->params); p++)
				keys = keys || d->params[p].slot == SLOT_KEYS;
			if (d->takes & TAKES_MATCH)
				assert_true(keys);
		}
}

static void a_tag_has_a_slot_and_somebody_who_takes_it(void **state UNUSED)
{
	for (size_t i = 0; i < registry_count(); i++)
		for (size_t k = 0; k < registry_at(i)->n_tags; k++) {
			const struct tag *t = &registry_at(i)->tags[k];

			print_message("# :%s\n", t->name);
			assert_int_not_equal(t->slot, SLOT_NONE);
			assert_int_not_equal(t->on, 0);
		}
}

/* Each error has its line and column. */
static const struct {
	const char *text;
	unsigned line, column;
	const char *says;
} cases[] = {
	/* clang-format off */
	{"keep;\n\n  frob;", 3, 3, "there is no command 'frob'"},
	{"if frob {}", 1, 4, "there is no test 'frob'"},
	{"if header :frob \"a\" \"b\" {}", 1, 11, "'header' takes no ':frob'"},
	{"redirect 1;", 1, 10, "'redirect' takes a string here"},
	{"require [\"copy\",\n \"frob\"];", 2, 2, "there is no extension \"frob\" here"},
	{"if header \"a\" [\"b\",\n7] {}", 2, 1, "a string is expected in the list"},
	{"if not allof (true, size 7) {}", 1, 21, "'size' needs :over or :under"},
	{"require \"variables\"; set \"a\" \"${1}\"; set \"b\"\n\"${77}\";", 2, 1, "${77} is more than ${32}"},
	{"if header :contains :is \"a\" \"b\" {}", 1, 21, "':is' comes too late: it or one that excludes it was given"},
	{"if header :comparator 7 \"a\" \"b\" {}", 1, 11, "a string has to follow ':comparator'"},
	{"if header :comparator", 1, 22, "';' or a block is expected"},
	/* clang-format on */
};

static void errors_have_a_place(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct sieve_errors e = {0};

		assert_null(sieve_compile(str_of(cases[i].text), "x", &sieve_site_default,
					  &e));
		print_message("# %s\n", cases[i].text);
		assert_string_equal(e.list[0].text, cases[i].says);
		assert_int_equal(e.list[0].line, cases[i].line);
		assert_int_equal(e.list[0].column, cases[i].column);
		sieve_errors_fini(&e);
	}
}

static void a_site_has_extensions_off(void **state UNUSED)
{
	static const char *const off[] = {"fileinto", NULL};
	struct sieve_site site = sieve_site_default;
	struct sieve_errors e = {0};
	struct buf out;

	site.off = off;
	assert_null(sieve_compile(STR("require \"fileinto\";"), "x", &site, &e));
	sieve_errors_fini(&e);
	assert_null(sieve_compile(STR("fileinto \"x\";"), "x", &site, &e));
	assert_string_equal(e.list[0].text, "there is no command 'fileinto'");
	sieve_errors_fini(&e);
	buf_init(&out, 4000);
	sieve_extensions(&site, &out);
	assert_null(strstr(buf_cstr(&out), "fileinto"));
	assert_null(strstr(buf_cstr(&out), "testsuite"));
	assert_non_null(strstr(buf_cstr(&out), "envelope"));
	buf_fini(&out);
}

/* Many references that are none, and lists of all sizes: linear, or this takes minutes. */
static void large_scripts_are_read_once(void **state UNUSED)
{
	static const char *const pieces[] = {
		"${", "${a.", "${hex:", "${hex: 4", "${1", "$"};

	for (size_t i = 0; i < countof(pieces); i++) {
		struct sieve_errors e = {0};
		struct sieve_script *s;
		struct buf text;

		buf_init(&text, 2 << 20);
		buf_put(&text,
			STR("require [\"variables\",\"encoded-character\"]; set \"a\" \""));
		while (text.n < 1000000)
			buf_put(&text, str_of(pieces[i]));
		buf_put(&text, STR("\";"));
		s = sieve_compile(buf_str(&text), "x", &sieve_site_default, &e);
		assert_non_null(s);
		sieve_script_free(&s);
		buf_fini(&text);
	}
}

/* What is no error. */
static const struct {
	const char *text;
	unsigned line, column; /* of the only warning; 0: there is none */
	const char *says;
} warned[] = {
	/* clang-format off */
	{"keep;", 0, 0, ""},
	{"require \"date\";", 1, 9, "\"date\" is required, and not used"},
	{"require [\"date\",\n \"envelope\"];\nif envelope \"to\" \"a\" {}", 1, 10, "\"date\" is required, and not used"},
	{"require \"variables\"; keep;", 0, 0, ""}, /* it is in strings, too */
	{"require \"relational\"; keep;", 0, 0, ""},
	{"require \"ihave\"; if ihave \"date\" { keep; }", 0, 0, ""},
	{"require \"ereject\"; if true {} else { ereject \"a\"; }", 1, 9, "\"ereject\" is required, and not used"},
	{"stop;", 0, 0, ""},
	{"stop;\nkeep;\ndiscard;", 2, 1, "this is never reached: 'stop' stands before it"},
	{"if true { stop; } keep;", 0, 0, ""},
	{"if size :over 1 { keep; stop; keep; } keep;", 1, 31, "this is never reached: 'stop' stands before it"},
	/* clang-format on */
};

static void warnings(void **state UNUSED)
{
	for (size_t i = 0; i < countof(warned); i++) {
		struct sieve_errors errors = {0};
		struct sieve_script *s = sieve_compile(str_of(warned[i].text), "a",
						       &sieve_site_default, &errors);
		const struct sieve_errors *w;

		print_message("# %s\n", warned[i].text);
		assert_non_null(s);
		w = sieve_script_warnings(s);
		assert_int_equal(w->n, warned[i].line > 0);
		if (w->n > 0) {
			assert_int_equal(w->list[0].line, warned[i].line);
			assert_int_equal(w->list[0].column, warned[i].column);
			assert_string_equal(w->list[0].text, warned[i].says);
		}
		sieve_script_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_there_once),
		cmocka_unit_test(a_definition_can_do_its_work),
		cmocka_unit_test(a_tag_has_a_slot_and_somebody_who_takes_it),
		cmocka_unit_test(errors_have_a_place),
		cmocka_unit_test(a_site_has_extensions_off),
		cmocka_unit_test(large_scripts_are_read_once),
		cmocka_unit_test(warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
