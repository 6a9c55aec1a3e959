/* SPDX-License-Identifier: ISC */
/* Who may come in, by rows; and that a refusal never takes a short cut. */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "store/storage.h"
#include "t/unit/auth/scratch.h"

static const struct {
	struct str user, password;
	const char *account; /* NULL: refused */
	const char *why;     /* for the log */
} cases[] = {
	/* clang-format off */
	{STR_INIT("alice@example.org"),   STR_INIT("a secret"), "alice@example.org", NULL},
	{STR_INIT("ALICE@Example.ORG"),   STR_INIT("a secret"), "alice@example.org", NULL},
	{STR_INIT("alice@example.net"),   STR_INIT("a secret"), "alice@example.org", NULL},
	{STR_INIT("Alice@EXAMPLE.net"),   STR_INIT("a secret"), "alice@example.org", NULL},
	{STR_INIT("alice"),               STR_INIT("a secret"), "alice@example.org", NULL},
	{STR_INIT("dismail@example.org"), STR_INIT("a secret"), "dismail@example.org", NULL},
	{STR_INIT("lockpwd@example.org"), STR_INIT("a secret"), "lockpwd@example.org", NULL},

	{STR_INIT("alice@example.org"),   STR_INIT("A secret"), NULL, "wrong password"},
	{STR_INIT("alice@example.org"),   STR_INIT(""),         NULL, "wrong password"},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret "), NULL, "wrong password"},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret\0"), NULL, "wrong password"},
	{STR_INIT("bare@example.org"),    STR_INIT(""),         NULL, "wrong password"},
	{STR_INIT("bare@example.org"),    STR_INIT("a secret"), NULL, "wrong password"},
	{STR_INIT("disuser@example.org"), STR_INIT("a secret"), NULL, "the account is disabled (DISUSER)"},
	{STR_INIT("disuser@example.org"), STR_INIT("wrong"),    NULL, "wrong password"},
	{STR_INIT("default@example.org"), STR_INIT("a secret"), NULL, "the template account cannot log in"},
	{STR_INIT("default@example.org"), STR_INIT("wrong"),    NULL, "wrong password"},
	{STR_INIT("nobody@example.org"),  STR_INIT("a secret"), NULL, "no such account"},
	{STR_INIT("alice@example.com"),   STR_INIT("a secret"), NULL, "no such domain"},
	{STR_INIT("alice+x@example.org"), STR_INIT("a secret"), NULL, "no such account"},
	{STR_INIT("@example.org"),        STR_INIT("a secret"), NULL, ""},
	{STR_INIT("alice@"),              STR_INIT("a secret"), NULL, ""},
	{STR_INIT(""),                    STR_INIT("a secret"), NULL, ""},
	{STR_INIT("@"),                   STR_INIT("a secret"), NULL, ""},
	{STR_INIT("a@b@example.org"),     STR_INIT("a secret"), NULL, ""},
	{STR_INIT("../../x@example.org"), STR_INIT("a secret"), NULL, ""},
	{STR_INIT("alice@../example.org"), STR_INIT("a secret"), NULL, ""},
	{STR_INIT("alice\0@example.org"), STR_INIT("a secret"), NULL, ""},
	{STR_INIT("alice@example.org\n"), STR_INIT("a secret"), NULL, ""},
	{STR_INIT(" alice@example.org"),  STR_INIT("a secret"), NULL, ""},
	{STR_INIT("\xff@example.org"),    STR_INIT("a secret"), NULL, ""},
	/* clang-format on */
};

static void begin(struct scratch *s, struct auth **a)
{
	struct name template;
	struct account account;
	struct err e;
	bool found;

	scratch_begin(s, "default_domain = \"example.org\"");
	scratch_add(s, "alice@example.org", "a secret", 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "dismail@example.org", "a secret", ACCOUNT_DISMAIL);
	scratch_add(s, "disuser@example.org", "a secret", ACCOUNT_DISUSER);
	scratch_add(s, "lockpwd@example.org", "a secret", ACCOUNT_LOCKPWD);
	/* A secret that nothing here would give the template. */
	template = scratch_name(s, "default@example.org");
	assert_int_equal(account_find(s->store, &template, &account, &found, &e), 0);
	assert_true(found);
	assert_int_equal(secret_set(s->store, &account, STR("a secret"), true, &e), 0);
	*a = auth_new(s->store);
}

static void end(struct scratch *s, struct auth **a)
{
	auth_free(a);
	assert_null(*a);
	scratch_end(s);
}

static void rows_say_who_comes_in(void **state)
{
	struct scratch s;
	struct auth *a;

	(void)state;
	begin(&s, &a);
	for (size_t i = 0; i < countof(cases); i++) {
		struct account out = {.name.s = "untouched"};
		struct err e = {0};
		enum auth_result r =
			auth_password(a, cases[i].user, cases[i].password, &out, &e);

		print_message("# row %zu: %s\n", i, e.text);
		assert_int_equal(r, cases[i].account ? AUTH_OK : AUTH_REFUSED);
		assert_string_equal(out.name.s,
				    cases[i].account ? cases[i].account : "untouched");
		if (cases[i].why != NULL && *cases[i].why)
			assert_string_equal(e.text, cases[i].why);
		if (cases[i].why != NULL)
			assert_true(e.text[0] != '\0' && e.class == ERR_PERM);
	}
	end(&s, &a);
}

static void a_name_alone_needs_a_default_domain(void **state)
{
	struct scratch s;
	struct account out;
	struct err e;

	(void)state;
	scratch_begin(&s, "");
	scratch_add(&s, "alice@example.org", "a secret", 0);

	struct auth *a = auth_new(s.store);

	assert_int_equal(auth_password(a, STR("alice"), STR("a secret"), &out, &e),
			 AUTH_REFUSED);
	assert_string_equal(e.text, "the name has no domain");
	end(&s, &a);
}

static void damage(struct scratch *s, const char *tree, const char *leaf)
{
	struct name n = scratch_name(s, "alice@example.org");
	struct place place;
	struct err e;

	name_place(tree, &n, leaf, &place);
	assert_int_equal(storage_put(store_root(s->store), place.path, STR("nonsense\n"),
				     0, NULL, &e),
			 0);
}

static void what_cannot_be_read_is_neither_yes_nor_no(void **state)
{
	static const struct {
		const char *tree, *leaf;
	} damaged[] = {{"secrets", NULL}, {"accounts", "profile"}};

	(void)state;
	for (size_t i = 0; i < countof(damaged); i++) {
		struct scratch s;
		struct auth *a;
		struct account out;
		struct err e = {0};

		begin(&s, &a);
		damage(&s, damaged[i].tree, damaged[i].leaf);
		assert_int_equal(auth_password(a, STR("alice@example.org"),
					       STR("a secret"), &out, &e),
				 AUTH_TRY_AGAIN);
		assert_int_equal(e.class, ERR_TEMP);
		end(&s, &a);
	}
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void every_refusal_pays_for_a_hash(void **state)
{
	struct scratch s;
	struct auth *a;
	struct account out;
	struct err e;

	(void)state;
	begin(&s, &a);
	for (size_t i = 0; i < countof(cases); i++) {
		uint64_t before = cpu_us();

		auth_password(a, cases[i].user, cases[i].password, &out, &e);
		/* At cost 1 a hash takes about 1,000 us, everything else under 100. */
		if (cpu_us() - before < 400)
			fail_msg(STR_FMT ": %u us", STR_ARG(cases[i].user),
				 (unsigned)(cpu_us() - before));
	}
	end(&s, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_who_comes_in),
		cmocka_unit_test(a_name_alone_needs_a_default_domain),
		cmocka_unit_test(what_cannot_be_read_is_neither_yes_nor_no),
		cmocka_unit_test(every_refusal_pays_for_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
