/* SPDX-License-Identifier: ISC */
/* Which passwords a user may take, by rows. */
#include "auth/password_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/auth/scratch.h"

static const char words[] = "password\nletmein\r\n\nc\xc3\xa4"
			    "sar\ncorrect horse battery staple\n12345678";

static const struct {
	struct str password;
	const char *why; /* NULL: may be taken */
} rows[] = {
	/* clang-format off */
	{STR_INIT("a good one"),          NULL},
	{STR_INIT("8 octets"),            NULL},
	{STR_INIT("7 octet"),             "the password has less than 8 characters"},
	{STR_INIT(""),                    "the password is empty"},
	{STR_INIT("a tab\there"),         "the password holds a control octet"},
	{STR_INIT("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), NULL},
	{STR_INIT("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), "the password has less than 8 characters"},
	{STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), NULL},
	{STR_INIT("alexander"),           "the password is the name of the account"},
	{STR_INIT("Alexander"),           "the password is the name of the account"},
	{STR_INIT("alexander@EXAMPLE.org"), "the password is the name of the account"},
	{STR_INIT("alexanders"),          NULL},
	{STR_INIT("password"),            "the password is one that others try first"},
	{STR_INIT("PassWord"),            "the password is one that others try first"},
	{STR_INIT("Password1!"),          "the password is one that others try first"},
	{STR_INIT("123letmein"),          "the password is one that others try first"},
	{STR_INIT("12345678"),            "the password is one that others try first"},
	{STR_INIT("c\xc3\xa4sar123"),     "the password is one that others try first"},
	{STR_INIT("correct horse battery staple"), "the password is one that others try first"},
	{STR_INIT("correct horse"),       NULL},
	{STR_INIT("password of mine"),    NULL},
	{STR_INIT("password83724915"),    NULL}, /* the digits are most of it */
	{STR_INIT("the present one"),     "the password is the same as before"},
	{STR_INIT("the former one"),      "the password was used before"},
	{STR_INIT("the first one"),       NULL}, /* one is remembered */
	/* clang-format on */
};

static struct account begin(struct scratch *s)
{
	struct account a;

	scratch_begin(s, "password_history = 1");
	a = scratch_add(s, "alexander@example.org", "the first one", 0);
	scratch_ok(secret_set(s->store, &a, STR("the former one"), false, &e_));
	scratch_ok(secret_set(s->store, &a, STR("the present one"), false, &e_));
	scratch_write(s, "words", str_of(words));
	xfree(&s->set->auth.password_dictionary);
	s->set->auth.password_dictionary = xstrdup(scratch_path(s, "words").s);
	return a;
}

static int check(struct scratch *s, const struct account *a, struct str password,
		 struct err *e)
{
	struct secret now;
	int rc;

	scratch_ok(secret_read(s->store, a, &now, &e_));
	rc = password_policy_check(s->store, a, &now, password, e);
	secret_fini(&now);
	return rc;
}

static void rows_say_what_may_be_taken(void **state)
{
	struct scratch s;
	struct account a;

	(void)state;
	a = begin(&s);
	for (size_t i = 0; i < countof(rows); i++) {
		struct err e = {0};
		int rc = check(&s, &a, rows[i].password, &e);

		print_message("# " STR_FMT ": %s\n", STR_ARG(rows[i].password), e.text);
		assert_int_equal(rc, rows[i].why ? -1 : 0);
		assert_string_equal(e.text, rows[i].why ? rows[i].why : "");
		assert_int_equal(e.class, rows[i].why ? ERR_PERM : ERR_NONE);
	}
	scratch_end(&s);
}

static void flags_forbid_any(void **state)
{
	static const unsigned flags[] = {ACCOUNT_LOCKPWD, ACCOUNT_PWD_ELSEWHERE};
	struct scratch s;
	struct account a;

	(void)state;
	a = begin(&s);
	for (size_t i = 0; i < countof(flags); i++) {
		struct err e = {0};

		a.flags = flags[i];
		assert_int_equal(check(&s, &a, STR("a good one"), &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_int_equal(password_policy_may_change(&a, &e), -1);
	}
	a.flags = ACCOUNT_DISMAIL;
	scratch_ok(check(&s, &a, STR("a good one"), &e_));
	scratch_end(&s);
}

/* fgets(3) gives it in pieces, of which the last one is a line of its own to look at. */
static void the_end_of_a_long_line_is_no_password(void **state)
{
	struct scratch s;
	struct account a;
	struct err e = {0};

	(void)state;
	a = begin(&s);
	for (size_t n = 2 * PASSWORD_MAX - 4; n < 2 * PASSWORD_MAX + 4; n++) {
		struct buf lines;

		buf_init(&lines, 2048);
		for (size_t i = 0; i < n; i++)
			buf_putc(&lines, 'x');
		buf_put(&lines, STR("a good one\nlisted word\n"));
		scratch_write(&s, "words", buf_str(&lines));
		buf_fini(&lines);
		scratch_ok(check(&s, &a, STR("a good one"), &e_));
		assert_int_equal(check(&s, &a, STR("listed word"), &e), -1);
		assert_int_equal(e.class, ERR_PERM);
	}
	scratch_end(&s);
}

static void a_dictionary_that_is_not_there_is_no_yes(void **state)
{
	struct scratch s;
	struct account a;
	struct err e = {0};

	(void)state;
	a = begin(&s);
	assert_int_equal(unlink(s.set->auth.password_dictionary), 0);
	assert_int_equal(check(&s, &a, STR("a good one"), &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	xfree(&s.set->auth.password_dictionary);
	s.set->auth.password_dictionary = xstrdup(s.dir); /* opens, and does not read */
	assert_int_equal(check(&s, &a, STR("a good one"), &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	xfree(&s.set->auth.password_dictionary);
	s.set->auth.password_dictionary = xstrdup("");
	scratch_ok(check(&s, &a, STR("password"), &e_));
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_may_be_taken),
		cmocka_unit_test(flags_forbid_any),
		cmocka_unit_test(the_end_of_a_long_line_is_no_password),
		cmocka_unit_test(a_dictionary_that_is_not_there_is_no_yes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
