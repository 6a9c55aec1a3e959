/* SPDX-License-Identifier: ISC */
/* Who is meant, by rows. */
#include "authd/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/storage.h"
#include "t/unit/auth/scratch.h"

static const struct {
	struct str typed;
	const char *account; /* NULL: nobody */
	const char *name;    /* what it would be called */
	const char *why;     /* "": anything */
} rows[] = {
	/* clang-format off */
	{STR_INIT("alice@example.org"),     "alice@example.org", "alice@example.org", NULL},
	{STR_INIT("ALICE@Example.ORG"),     "alice@example.org", "alice@example.org", NULL},
	{STR_INIT("alice@example.net"),     "alice@example.org", "alice@example.org", NULL},
	{STR_INIT("Alice@EXAMPLE.net"),     "alice@example.org", "alice@example.org", NULL},
	{STR_INIT("alice"),                 "alice@example.org", "alice@example.org", NULL},
	{STR_INIT("nobody@example.org"),    NULL, "nobody@example.org", "no such account"},
	{STR_INIT("nobody"),                NULL, "nobody@example.org", "no such account"},
	{STR_INIT("alice+x@example.org"),   NULL, "alice+x@example.org", "no such account"},
	{STR_INIT("alice@example.com"),     NULL, "", "no such domain"},
	{STR_INIT("@example.org"),          NULL, "", ""},
	{STR_INIT("alice@"),                NULL, "", ""},
	{STR_INIT(""),                      NULL, "", ""},
	{STR_INIT("@"),                     NULL, "", ""},
	{STR_INIT("a@b@example.org"),       NULL, "", ""},
	{STR_INIT("../../x@example.org"),   NULL, "", ""},
	{STR_INIT("alice@../example.org"),  NULL, "", ""},
	{STR_INIT("alice\0@example.org"),   NULL, "", ""},
	{STR_INIT("alice@example.org\n"),   NULL, "", ""},
	{STR_INIT(" alice@example.org"),    NULL, "", ""},
	{STR_INIT("\xff@example.org"),      NULL, "", ""},
	{STR_INIT("' OR 1=1@example.org"),  NULL, "", ""},
	{STR_INIT("*)(uid=*@example.org"),  NULL, "", ""},
	/* clang-format on */
};

static void rows_say_who_is_meant(void **state)
{
	struct scratch s;

	(void)state;
	scratch_begin(&s, "default_domain = \"example.org\"");
	scratch_add(&s, "alice@example.org", NULL, 0);
	for (size_t i = 0; i < countof(rows); i++) {
		struct account a;
		struct err e = {0};

		print_message("# row %zu\n", i);
		assert_int_equal(user_find(s.store, rows[i].typed, &a, &e),
				 rows[i].account ? USER_FOUND : USER_UNKNOWN);
		assert_string_equal(a.name.s, rows[i].name);
		if (rows[i].why != NULL && rows[i].why[0] != '\0')
			assert_string_equal(e.text, rows[i].why);
		if (rows[i].why != NULL)
			assert_true(e.text[0] != '\0' && e.class == ERR_PERM);
	}
	scratch_end(&s);
}

static void a_detail_is_a_folder(void **state)
{
	static const struct {
		const char *typed, *name, *folder;
		enum user_result result;
	} cases[] = {
		{"alice@example.org", "alice@example.org", "", USER_FOUND},
		{"Alice+Work@example.org", "alice@example.org", "Work", USER_FOUND},
		{"alice+B\xc3\xbcro @x+y", "", "", USER_UNKNOWN},
		{"alice+B\xc3\xbcro x+y", "alice@example.org", "B\xc3\xbcro x+y",
		 USER_FOUND},
		{"alice+l@x@example.org", "alice@example.org", "l@x", USER_FOUND},
		{"bob+x@example.org", "bob+x@example.org", "", USER_FOUND},
		{"bob+x+y@example.org", "bob@example.org", "x+y", USER_UNKNOWN},
		{"nobody+x@example.org", "nobody@example.org", "x", USER_UNKNOWN},
		{"alice+@example.org", "alice+@example.org", "", USER_UNKNOWN},
		{"+x@example.org", "+x@example.org", "", USER_UNKNOWN},
		{"alice-x@example.org", "alice-x@example.org", "", USER_UNKNOWN},
		{"alice+x@example.com", "", "", USER_UNKNOWN},
	};
	struct scratch s;

	(void)state;
	scratch_begin(&s, "default_domain = \"example.org\"");
	scratch_add(&s, "alice@example.org", NULL, 0);
	scratch_add(&s, "bob+x@example.org", NULL, 0);
	for (size_t i = 0; i < countof(cases); i++) {
		struct account a;
		struct str folder;
		struct err e = {0};

		print_message("# case %zu\n", i);
		assert_int_equal(user_find_folder(s.store, str_of(cases[i].typed), &a,
						  &folder, &e),
				 cases[i].result);
		if (cases[i].name[0] != '\0')
			assert_string_equal(a.name.s, cases[i].name);
		assert_true(str_eq(folder, str_of(cases[i].folder)));
	}
	scratch_end(&s);
}

static void a_name_alone_needs_a_default_domain(void **state)
{
	struct scratch s;
	struct account a;
	struct err e;

	(void)state;
	scratch_begin(&s, "");
	scratch_add(&s, "alice@example.org", NULL, 0);
	assert_int_equal(user_find(s.store, STR("alice"), &a, &e), USER_UNKNOWN);
	assert_string_equal(e.text, "the name has no domain");
	scratch_end(&s);
}

static void a_damaged_profile_is_neither_yes_nor_no(void **state)
{
	struct scratch s;
	struct account a;
	struct place place;
	struct err e = {0};

	(void)state;
	scratch_begin(&s, "");
	a = scratch_add(&s, "alice@example.org", NULL, 0);
	name_place("accounts", &a.name, "profile", &place);
	scratch_ok(storage_put(store_root(s.store), place.path, STR("nonsense\n"), 0,
			       NULL, &e_));
	assert_int_equal(user_find(s.store, STR("alice@example.org"), &a, &e),
			 USER_FAILED);
	assert_int_equal(e.class, ERR_TEMP);
	scratch_end(&s);
}

static void some_may_not_come_in(void **state)
{
	static const struct {
		const char *name;
		unsigned flags;
		bool may;
	} accounts[] = {
		{"alice@example.org", 0, true},
		{"alice@example.org", ACCOUNT_DISMAIL | ACCOUNT_LOCKPWD, true},
		{"alice@example.org", ACCOUNT_DISUSER, false},
		{"default@example.org", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < countof(accounts); i++) {
		struct account a = {.flags = accounts[i].flags};
		struct err e = {0};

		assert_true(name_read(str_of(accounts[i].name), &a.name));
		assert_int_equal(user_may_login(&a, &e), accounts[i].may);
		assert_int_equal(e.class == ERR_PERM, !accounts[i].may);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_who_is_meant),
		cmocka_unit_test(a_detail_is_a_folder),
		cmocka_unit_test(a_name_alone_needs_a_default_domain),
		cmocka_unit_test(a_damaged_profile_is_neither_yes_nor_no),
		cmocka_unit_test(some_may_not_come_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
