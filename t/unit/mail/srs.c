/* SPDX-License-Identifier: ISC */
/* The addresses of "what others make" come from Mail::SRS 0.31 with the same secrets. */
#include "mail/srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEW       "0123456789abcdef secret"
#define OLD       "old secret 0123456789"
#define FILE_TEXT "# rotated in November\n\n" NEW "\n" OLD "\r\n"

enum { DAY = 86400 };
static const int64_t now = 1795995104; /* the day JS */
static const struct srs_rules rules = {"SRS.example.org", 8, 21};

static struct srs *make(const char *file)
{
	struct err e;
	struct srs *s = srs_new(&rules, str_of(file), &e);

	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static struct address address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(str_of(text), true, &a), ADDRESS_OK);
	return a;
}

static void is(const struct address *a, const char *text)
{
	struct buf out;

	buf_init(&out, 2000);
	address_print(&out, a);
	assert_string_equal(buf_cstr(&out), text);
	buf_fini(&out);
}

static const struct {
	const char *from, *to, *home;
} rows[] = {
	/* clang-format off */
	{"Alice@far.example", "SRS0=T0VSV6TJ=JS=far.example=Alice@srs.example.org", "Alice@far.example"},
	{"SRS0=T0VSV6TJ=JS=Far.Example=Alice@first.example", "SRS1=vznN5JVK=first.example==T0VSV6TJ=JS=Far.Example=Alice@srs.example.org",
	 "SRS0=T0VSV6TJ=JS=Far.Example=Alice@first.example"},
	{"SRS1=aaaaaaaa=first.example==bbbb=7T=far.example=bob@second.example", "SRS1=jr/qWJT0=first.example==bbbb=7T=far.example=bob@srs.example.org",
	 "SRS0=bbbb=7T=far.example=bob@first.example"},
	/* clang-format on */
};

static void what_others_make(void **state UNUSED)
{
	struct srs *s = make(FILE_TEXT);

	for (size_t i = 0; i < countof(rows); i++) {
		struct address from = address(rows[i].from), to, home;

		assert_true(srs_forward(s, &from, now, &to));
		is(&to, rows[i].to);
		assert_int_equal(srs_reverse(s, &to, now, &home), SRS_OK);
		is(&home, rows[i].home);
	}
	srs_free(&s);
	assert_null(s);
}

static enum srs_result reverse(struct srs *s, const char *text, int64_t at)
{
	struct address a = address(text), home;
	enum srs_result r = srs_reverse(s, &a, at, &home);

	if (r != SRS_OK)
		assert_true(home.local[0] == '\0' && home.domain[0] == '\0');
	return r;
}

static void only_ours_leads_home(void **state UNUSED)
{
	static const struct {
		const char *address;
		enum srs_result result;
	} cases[] = {
		/* clang-format off */
		{"SRS0=T0VSV6TJ=JS=far.example=Alice@srs.example.org", SRS_OK},
		{"srs0+t0vsv6tj=js=FAR.example=alice@SRS.example.ORG", SRS_OK},
		{"SRS0-T0VSV6TJ=JS=far.example=Alice@srs.example.org", SRS_OK},
		{"SRS0=T0VSV6TJ=JS=far.example=Alice@example.org", SRS_NONE},
		{"SRS0=T0VSV6TK=JS=far.example=Alice@srs.example.org", SRS_FORGED},
		{"SRS0=T0VS=JS=far.example=Alice@srs.example.org", SRS_FORGED},
		{"SRS0=T0VSV6TJ=JT=far.example=Alice@srs.example.org", SRS_FORGED},
		{"SRS0=T0VSV6TJ=JS=far.example=Bob@srs.example.org", SRS_FORGED},
		{"SRS0=T0VSV6TJ=JS=near.example=Alice@srs.example.org", SRS_FORGED},
		{"SRS0=T0VSV6TJ=JS=far.example=@srs.example.org", SRS_FORGED},
		{"SRS0=T0VSV6TJ=JS=far.example@srs.example.org", SRS_FORGED},
		{"SRS0==JS=far.example=Alice@srs.example.org", SRS_FORGED},
		{"SRS0=@srs.example.org", SRS_FORGED},
		{"SRS0@srs.example.org", SRS_NONE},
		{"SRS0x=T0VSV6TJ=JS=far.example=Alice@srs.example.org", SRS_NONE},
		{"postmaster@srs.example.org", SRS_NONE},
		{"SRS1=vznN5JVK=first.example==T0VSV6TJ=JS=Far.Example=Alice@srs.example.org", SRS_OK},
		{"SRS1=vznN5JVK=other.example==T0VSV6TJ=JS=Far.Example=Alice@srs.example.org", SRS_FORGED},
		{"SRS1=vznN5JVK=first.example=+T0VSV6TJ=JS=Far.Example=Alice@srs.example.org", SRS_FORGED},
		{"SRS1=vznN5JVK=first.example=T0VSV6TJ@srs.example.org", SRS_FORGED},
		{"SRS1=vznN5JVK=first.example=@srs.example.org", SRS_FORGED},
		/* clang-format on */
	};
	struct srs *s = make(FILE_TEXT);

	for (size_t i = 0; i < countof(cases); i++)
		if (reverse(s, cases[i].address, now) != cases[i].result)
			fail_msg("%s", cases[i].address);
	srs_free(&s);
}

static void it_expires(void **state UNUSED)
{
	static const char *const text =
		"SRS0=T0VSV6TJ=JS=far.example=Alice@srs.example.org";
	struct srs *s = make(FILE_TEXT);

	assert_int_equal(reverse(s, text, now - 2 * DAY), SRS_EXPIRED);
	assert_int_equal(reverse(s, text, now - DAY), SRS_OK); /* our clock is behind */
	assert_int_equal(reverse(s, text, now + 21 * DAY), SRS_OK);
	assert_int_equal(reverse(s, text, now + 22 * DAY), SRS_EXPIRED);
	assert_int_equal(reverse(s, text, now + 500 * DAY), SRS_EXPIRED);
	/* Over the end of the 1024 days. */
	for (int64_t day = 0; day < 2048; day++) {
		struct address from = address("a@far.example"), to, home;

		assert_true(srs_forward(s, &from, day * DAY, &to));
		assert_int_equal(srs_reverse(s, &to, (day + 21) * DAY, &home), SRS_OK);
		assert_int_equal(srs_reverse(s, &to, (day + 22) * DAY, &home),
				 SRS_EXPIRED);
	}
	srs_free(&s);
}

static void secrets_rotate(void **state UNUSED)
{
	struct srs *both = make(FILE_TEXT), *old = make(OLD "\n"), *new = make(NEW);
	struct address from = address("a@far.example"), by_old, by_both, home;

	assert_true(srs_forward(old, &from, now, &by_old));
	assert_true(srs_forward(both, &from, now, &by_both));
	assert_int_equal(srs_reverse(both, &by_old, now, &home), SRS_OK);
	assert_int_equal(srs_reverse(new, &by_both, now, &home), SRS_OK);
	assert_int_equal(srs_reverse(new, &by_old, now, &home), SRS_FORGED);
	assert_int_equal(srs_reverse(old, &by_both, now, &home), SRS_FORGED);
	srs_free(&both);
	srs_free(&old);
	srs_free(&new);
}

static void odd_senders_come_home(void **state UNUSED)
{
	static const char *const senders[] = {
		"\"a b@c\"@far.example",
		"a=b=c@far.example",
		"SRS2=a@far.example",
		"SRS1=odd@far.example",
		"\"@y:\"@far.example",
		"SRS1=aaaaaaaa=first!.example==bbb@far.example",
		"SRS0=@far.example",
		"x@[192.0.2.1]",
		"gr\xc3\xbc\xc3\x9f@far.example"};
	struct srs *s = make(FILE_TEXT);

	for (size_t i = 0; i < countof(senders); i++) {
		struct address from = address(senders[i]), to, home;

		assert_true(srs_forward(s, &from, now, &to));
		assert_int_equal(srs_reverse(s, &to, now, &home), SRS_OK);
		is(&home, senders[i]);
	}
	srs_free(&s);
}

static void what_gets_too_long_is_not_rewritten(void **state UNUSED)
{
	struct srs *s = make(FILE_TEXT);
	struct address from = {.domain = "far.example"}, to;
	size_t room = ADDRESS_LOCAL_MAX - strlen("SRS0=12345678=JS=far.example=");

	memset(from.local, 'a', room);
	assert_true(srs_forward(s, &from, now, &to));
	from.local[room] = 'a';
	assert_false(srs_forward(s, &from, now, &to));
	assert_string_equal(to.local, "");
	from = (struct address){.local = "a"};
	assert_false(srs_forward(s, &from, now, &to));
	srs_free(&s);
}

static void bad_secrets_are_refused(void **state UNUSED)
{
	static const char *const bad[] = {"", "# nothing\n", "too short\n",
					  NEW "\nshort\n"};
	struct buf many;
	struct err e;

	for (size_t i = 0; i < countof(bad); i++) {
		assert_null(srs_new(&rules, str_of(bad[i]), &e));
		assert_int_equal(e.class, ERR_PERM);
		assert_null(strstr(e.text, "short\n"));
	}
	buf_init(&many, SRS_FILE_MAX);
	for (int i = 0; i <= SRS_SECRETS; i++)
		buf_put(&many, STR(NEW "\n"));
	assert_null(srs_new(&rules, buf_str(&many), &e));
	buf_fini(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_make),
		cmocka_unit_test(only_ours_leads_home),
		cmocka_unit_test(it_expires),
		cmocka_unit_test(secrets_rotate),
		cmocka_unit_test(odd_senders_come_home),
		cmocka_unit_test(what_gets_too_long_is_not_rewritten),
		cmocka_unit_test(bad_secrets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
