/* SPDX-License-Identifier: ISC */
#include "filter/filter_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
	*state = filter_cache_new(&sieve_site_delivery, "it");
	return 0;
}

static int stop(void **state)
{
	struct filter_cache *c = *state;

	filter_cache_free(&c);
	return 0;
}

static void use(struct filter_cache *c, const char *text)
{
	const struct filter_compiled *x = filter_cache_get(c, str_of(text));

	assert_non_null(x->script);
	filter_cache_put_back(c, x);
}

static void the_same_text_is_compiled_once(void **state)
{
	struct filter_cache *c = *state;
	const struct filter_compiled *a = filter_cache_get(c, STR("keep;"));
	const struct filter_compiled *b = filter_cache_get(c, STR("keep;"));

	assert_ptr_equal(a, b);
	assert_string_equal(sieve_script_name(a->script), "it");
	filter_cache_put_back(c, a);
	filter_cache_put_back(c, b);
	use(c, "keep;");
	assert_int_equal(filter_cache_compiled(c), 1);
	use(c, "keep; ");
	assert_int_equal(filter_cache_compiled(c), 2);
}

static void errors_are_remembered(void **state)
{
	struct filter_cache *c = *state;

	for (int i = 0; i < 2; i++) {
		const struct filter_compiled *x = filter_cache_get(c, STR("keep;\nfoo;"));

		assert_null(x->script);
		assert_int_equal(x->error.line, 2);
		assert_string_equal(x->error.text, "there is no command 'foo'");
		filter_cache_put_back(c, x);
	}
	assert_int_equal(filter_cache_compiled(c), 1);
}

static void the_oldest_goes_first(void **state)
{
	struct filter_cache *c = *state;
	char text[32];

	for (int i = 0; i < FILTER_CACHE_ENTRIES; i++) {
		snprintf(text, sizeof text, "keep; # %d", i);
		use(c, text);
	}
	use(c, "keep; # 0"); /* not the oldest any more */
	use(c, "stop;");
	assert_int_equal(filter_cache_compiled(c), FILTER_CACHE_ENTRIES + 1);
	use(c, "keep; # 0");
	use(c, "keep; # 2");
	assert_int_equal(filter_cache_compiled(c), FILTER_CACHE_ENTRIES + 1);
	use(c, "keep; # 1");
	assert_int_equal(filter_cache_compiled(c), FILTER_CACHE_ENTRIES + 2);
}

/* What is in use stays, and what there is no room for works all the same. */
static void a_full_cache_serves(void **state)
{
	struct filter_cache *c = *state;
	const struct filter_compiled *held[FILTER_CACHE_ENTRIES + 2];
	char text[32];

	for (size_t i = 0; i < countof(held); i++) {
		snprintf(text, sizeof text, "keep; # %zu", i);
		held[i] = filter_cache_get(c, str_of(text));
		assert_non_null(held[i]->script);
	}
	for (size_t i = 0; i < countof(held); i++)
		filter_cache_put_back(c, held[i]);
}

static void octets_are_bounded(void **state)
{
	struct filter_cache *c = *state;
	char *text = xalloc(1 << 20);

	memset(text, '#', (1 << 20) - 1);
	for (int i = 0; i < 10; i++) {
		text[1] = (char)('0' + i);
		use(c, text);
	}
	text[1] = '9';
	use(c, text);
	assert_int_equal(filter_cache_compiled(c), 10);
	text[1] = '0';
	use(c, text);
	assert_int_equal(filter_cache_compiled(c), 11);
	xfree(&text);
}

static void *many(void *arg)
{
	struct filter_cache *c = arg;
	char text[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "keep; # %d",
			 i % (FILTER_CACHE_ENTRIES + 40));
		use(c, text);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	pthread_t t[4];

	for (size_t i = 0; i < countof(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, many, *state), 0);
	for (size_t i = 0; i < countof(t); i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_same_text_is_compiled_once),
		T(errors_are_remembered),
		T(the_oldest_goes_first),
		T(a_full_cache_serves),
		T(octets_are_bounded),
		T(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
