/* SPDX-License-Identifier: ISC */
#include "store/sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/store/scratch.h"

#define SECRET "0123456789abcdef secret\n"

/* configure - a store that is there already, with this section */
static void configure(struct scratch *s, const char *domain)
{
	char section[256];

	snprintf(section, sizeof section,
		 "outgoing { srs_domain = \"%s\" srs_secrets = \"%s/secrets\" }", domain,
		 s->dir);
	store_close(&s->store);
	scratch_configure(s, "", section);
	scratch_ok(store_open(s->set, &s->store, &e_));
}

static int start(void **state)
{
	struct scratch *s = xalloc(sizeof *s);

	*state = s;
	scratch_begin_with(s, "", "");
	scratch_account(s, "alice@example.org");
	scratch_write(s, "secrets", STR(SECRET));
	configure(s, "Example.org");
	return 0;
}

static const char *forward(struct scratch *s, const char *sender)
{
	static char text[1000];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	scratch_ok(sender_forward(s->store, str_of(sender), &out, &e_));
	snprintf(text, sizeof text, "%s", buf_cstr(&out));
	buf_fini(&out);
	return text;
}

static void only_strangers_are_rewritten(void **state)
{
	struct scratch *s = *state;

	scratch_ok(sender_begin(s->store, &e_));
	assert_string_equal(forward(s, ""), "");
	assert_string_equal(forward(s, "alice@example.org"), "alice@example.org");
	assert_string_equal(forward(s, "alice@example.net"), "alice@example.net");
	assert_string_equal(forward(s, "postmaster"), "postmaster");
	assert_true(str_glob(STR("SRS0=*=far.example=who@example.org"),
			     str_of(forward(s, "who@far.example"))));
}

static struct verdict judge(struct scratch *s, const char *address)
{
	struct verdict v;

	verdict_of(s->store, str_of(address), 0, &v);
	return v;
}

static void a_bounce_is_a_forwarding(void **state)
{
	struct scratch *s = *state;
	char address[1000];
	struct verdict v;

	snprintf(address, sizeof address, "%s", forward(s, "Who@far.example"));
	v = judge(s, address);
	assert_int_equal(v.code, VERDICT_FORWARD);
	assert_true(v.returns);
	assert_int_equal(v.forwarding.n, 1);
	assert_string_equal(v.forwarding.targets[0].local, "Who");
	assert_string_equal(v.forwarding.targets[0].domain, "far.example");
	verdict_fini(&v);
	address[5] = address[5] == 'A' ? 'B' : 'A';
	v = judge(s, address);
	assert_int_equal(v.code, VERDICT_FORGED);
	assert_int_equal(v.smtp, 550);
	assert_string_equal(v.dsn, "5.7.1");
	assert_false(verdict_accepts(&v));
	verdict_fini(&v);
	v = judge(s, "alice@example.org");
	assert_int_equal(v.code, VERDICT_OK);
	assert_false(v.returns);
	v = judge(s, "SRS0@example.org");
	assert_int_equal(v.code, VERDICT_NO_USER);
	/* An alias of the domain is another one here, as it is for SPF. */
	v = judge(s, "SRS0=aaaaaaaa=JS=far.example=who@example.net");
	assert_int_equal(v.code, VERDICT_NO_USER);
}

static void without_srs_nothing_changes(void **state)
{
	struct scratch *s = *state;
	struct verdict v;

	configure(s, "");
	scratch_ok(sender_begin(s->store, &e_));
	assert_string_equal(forward(s, "who@far.example"), "who@far.example");
	v = judge(s, "SRS0=aaaaaaaa=JS=far.example=who@example.org");
	assert_int_equal(v.code, VERDICT_NO_USER);
}

static void what_cannot_be_begun_is_said(void **state)
{
	struct scratch *s = *state;
	struct verdict v;
	struct err e;

	configure(s, "elsewhere.example");
	assert_int_equal(sender_begin(s->store, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_non_null(strstr(e.text, "no domain of this store"));
	configure(s, "example.org");
	assert_int_equal(unlink(scratch_path(s, "secrets").s), 0);
	assert_int_equal(sender_begin(s->store, &e), -1);
	/* Who is not told whether it was forged is told to come back. */
	v = judge(s, "SRS0=aaaaaaaa=JS=far.example=who@example.org");
	assert_int_equal(v.code, VERDICT_TRY_AGAIN);
	scratch_write(s, "secrets", STR("short\n"));
	assert_int_equal(sender_begin(s->store, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	scratch_write(s, "secrets", STR(SECRET));
	scratch_ok(sender_begin(s->store, &e_));
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, scratch_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_strangers_are_rewritten),
		T(a_bounce_is_a_forwarding),
		T(without_srs_nothing_changes),
		T(what_cannot_be_begun_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
