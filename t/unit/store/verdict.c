/* SPDX-License-Identifier: ISC */
#include "store/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/store/scratch.h"

static const char letter[] = "Subject: x\r\n\r\n0123456789012345678901234567890123456\r\n"
			     ".\r\n";
enum { LETTER = 53 }; /* octets as RFC 1939 counts them */

static void forward(struct scratch *s, const char *name)
{
	struct forwarding f = {.name = scratch_name(s, name), .n = 1};
	struct address target;

	f.targets = &target;
	assert_int_equal(address_parse(STR("x@example.edu"), true, &target), ADDRESS_OK);
	scratch_ok(forwarding_put(s->store, &f, &e_));
}

static struct account account(struct scratch *s, const char *name, unsigned flags,
			      uint64_t quota, uint64_t overdraft)
{
	struct account a = scratch_account(s, name);

	a.flags = flags;
	a.quota = quota;
	a.overdraft = overdraft;
	scratch_ok(account_update(s->store, &a, &e_));
	return a;
}

/* deliver - whatever the quota is by then */
static void deliver(struct scratch *s, struct account a)
{
	a.quota = QUOTA_NONE;
	scratch_deliver(s, &a, letter);
}

static int start(void **state)
{
	struct scratch *s = xalloc(sizeof *s);
	struct domain d = {.own_delimiters = true, .delimiters = "-_"};

	*state = s;
	scratch_begin_with(s, "utf8_names = yes delimiters = \"+\"", "");
	scratch_ok(name_domain(STR("example.com"), &d.name, &e_));
	scratch_ok(domain_add(s->store, &d, &e_));
	d.delimiters[0] = '\0';
	scratch_ok(name_domain(STR("none.example"), &d.name, &e_));
	scratch_ok(domain_add(s->store, &d, &e_));

	account(s, "alice@example.org", 0, QUOTA_NONE, 0);
	account(s, "a+b@example.org", 0, QUOTA_NONE, 0);
	account(s, "gone@example.org", ACCOUNT_DISMAIL, QUOTA_NONE, 0);
	account(s, "locked@example.org", ACCOUNT_DISUSER | ACCOUNT_LOCKPWD, QUOTA_NONE,
		0);
	account(s, "small@example.org", 0, 100, 50);
	account(s, "nothing@example.org", 0, 0, 0);
	account(s, "\xc3\xa9t\xc3\xa9@example.org", 0, QUOTA_NONE, 0);
	account(s, "bob@example.com", 0, QUOTA_NONE, 0);
	account(s, "carol@none.example", 0, QUOTA_NONE, 0);
	deliver(s, account(s, "full@example.org", 0, LETTER - 1, 1000));
	deliver(s, account(s, "brimful@example.org", 0, LETTER, 0));
	deliver(s, account(s, "fullgone@example.org", ACCOUNT_DISMAIL, 1, 0));
	forward(s, "sales@example.org");
	forward(s, "alice+fwd@example.org");
	return 0;
}

static int stop(void **state)
{
	scratch_end(*state);
	xfree(state);
	return 0;
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *recipient;
	uint64_t size;
	enum verdict_code code;
	const char *name; /* the canonical one */
} rows[] = {
	/* clang-format off */
	{"alice@example.org",          0, VERDICT_OK,            "alice@example.org"},
	{"ALICE@Example.ORG",          0, VERDICT_OK,            "alice@example.org"},
	{"alice@example.org.",         0, VERDICT_OK,            "alice@example.org"},
	{"@relay.example,@b:alice@example.org", 0, VERDICT_OK,   "alice@example.org"},
	{"\"alice\"@example.org",      0, VERDICT_OK,            "alice@example.org"},
	{"\"al\\ice\"@example.org",    0, VERDICT_OK,            "alice@example.org"},
	{"alice@example.net",          0, VERDICT_OK,            "alice@example.org"},
	{"Alice+news@Example.Net",     0, VERDICT_OK,            "alice@example.org"},
	{"alice+@example.org",         0, VERDICT_OK,            "alice@example.org"},
	{"alice+x+y@example.org",      0, VERDICT_OK,            "alice@example.org"},
	{"\"alice+a b\"@example.org",  0, VERDICT_OK,            "alice@example.org"},
	{"alice+" X64 "@example.org",  0, VERDICT_OK,            "alice@example.org"},
	{"\xc3\xa9t\xc3\xa9@example.org", 0, VERDICT_OK,         "\xc3\xa9t\xc3\xa9@example.org"},
	{"locked@example.org",         0, VERDICT_OK,            "locked@example.org"},
	/* the exact name first */
	{"a+b@example.org",            0, VERDICT_OK,            "a+b@example.org"},
	{"alice+fwd@example.org",      0, VERDICT_FORWARD,       "alice+fwd@example.org"},
	{"a+b+c@example.org",          0, VERDICT_NO_USER,       "a+b+c@example.org"},
	/* delimiters of the domain's own */
	{"bob-x@example.com",          0, VERDICT_OK,            "bob@example.com"},
	{"bob_x-y@example.com",        0, VERDICT_OK,            "bob@example.com"},
	{"bob+x@example.com",          0, VERDICT_NO_USER,       "bob+x@example.com"},
	{"carol@none.example",         0, VERDICT_OK,            "carol@none.example"},
	{"carol+x@none.example",       0, VERDICT_NO_USER,       "carol+x@none.example"},

	{"sales@example.org",          0, VERDICT_FORWARD,       "sales@example.org"},
	{"Sales@example.net",          0, VERDICT_FORWARD,       "sales@example.org"},
	{"sales+x@example.org",        0, VERDICT_FORWARD,       "sales@example.org"},
	{"sales@example.org", UINT64_MAX, VERDICT_FORWARD,       "sales@example.org"},

	{"nobody@example.org",         0, VERDICT_NO_USER,       "nobody@example.org"},
	{"nobody+alice@example.org",   0, VERDICT_NO_USER,       "nobody+alice@example.org"},
	{"+alice@example.org",         0, VERDICT_NO_USER,       "+alice@example.org"},
	{"nobody@example.net",         0, VERDICT_NO_USER,       "nobody@example.org"},
	{"\"a b\"@example.org",        0, VERDICT_NO_USER,       ""},
	{"\"../alice\"@example.org",   0, VERDICT_NO_USER,       ""},
	{"al*@example.org",            0, VERDICT_NO_USER,       ""},
	{X64 "x@example.org",          0, VERDICT_NO_USER,       ""},

	{"gone@example.org",           0, VERDICT_NOT_RECEIVING, "gone@example.org"},
	{"gone+x@example.net",         0, VERDICT_NOT_RECEIVING, "gone@example.org"},
	{"fullgone@example.org",       0, VERDICT_NOT_RECEIVING, "fullgone@example.org"},
	{"default@example.org",        0, VERDICT_NOT_RECEIVING, "default@example.org"},
	{"DEFAULT@example.net",        0, VERDICT_NOT_RECEIVING, "default@example.org"},
	{"default+x@example.org",      0, VERDICT_NOT_RECEIVING, "default@example.org"},

	{"small@example.org",          0, VERDICT_OK,            "small@example.org"},
	{"small@example.org",        150, VERDICT_OK,            "small@example.org"},
	{"small@example.org",        151, VERDICT_TOO_LARGE,     "small@example.org"},
	{"small+x@example.org",      151, VERDICT_TOO_LARGE,     "small@example.org"},
	{"nothing@example.org",        0, VERDICT_OK,            "nothing@example.org"},
	{"nothing@example.org",        1, VERDICT_TOO_LARGE,     "nothing@example.org"},
	{"full@example.org",           0, VERDICT_OVER_QUOTA,    "full@example.org"},
	{"full@example.org",           1, VERDICT_OVER_QUOTA,    "full@example.org"},
	{"full@example.org",        5000, VERDICT_TOO_LARGE,     "full@example.org"},
	{"brimful@example.org",        0, VERDICT_OK,            "brimful@example.org"},
	{"brimful@example.org",        1, VERDICT_OVER_QUOTA,    "brimful@example.org"},

	{"alice@example.edu",          0, VERDICT_NOT_OURS,      ""},
	{"alice@[192.0.2.1]",          0, VERDICT_NOT_OURS,      ""},
	{"alice",                      0, VERDICT_NOT_OURS,      ""},
	{"alice@sub.example.org",      0, VERDICT_NOT_OURS,      ""},
	{"",                           0, VERDICT_BAD_ADDRESS,   ""},
	{"@example.org",               0, VERDICT_BAD_ADDRESS,   ""},
	{"alice@",                     0, VERDICT_BAD_ADDRESS,   ""},
	{"al ice@example.org",         0, VERDICT_BAD_ADDRESS,   ""},
	{"alice@example..org",         0, VERDICT_BAD_ADDRESS,   ""},
	{"\xff@example.org",           0, VERDICT_BAD_ADDRESS,   ""},
	/* clang-format on */
};

/* One line of an SMTP answer each, whose code and text go together. */
static const struct {
	unsigned smtp;
	const char *dsn, *word;
} answers[] = {
	/* clang-format off */
	[VERDICT_OK]            = {250, "2.1.5", "ok"},
	[VERDICT_FORWARD]       = {250, "2.1.5", "forward"},
	[VERDICT_NOT_OURS]      = {550, "5.1.2", "not-ours"},
	[VERDICT_BAD_ADDRESS]   = {553, "5.1.3", "bad-address"},
	[VERDICT_NO_USER]       = {550, "5.1.1", "no-user"},
	[VERDICT_NOT_RECEIVING] = {550, "5.2.1", "not-receiving"},
	[VERDICT_OVER_QUOTA]    = {452, "4.2.2", "over-quota"},
	[VERDICT_TOO_LARGE]     = {552, "5.2.3", "too-large"},
	[VERDICT_FORGED]        = {550, "5.7.1", "forged"},
	[VERDICT_TRY_AGAIN]     = {451, "4.3.0", "try-again"},
	/* clang-format on */
};

static void check(const struct verdict *v, enum verdict_code code)
{
	assert_int_equal(v->code, code);
	assert_int_equal(v->smtp, answers[code].smtp);
	assert_string_equal(v->dsn, answers[code].dsn);
	assert_string_equal(v->word, answers[code].word);
	for (const char *c = v->text; *c != '\0'; c++)
		assert_true(ascii_is_print(*c));
	assert_int_equal(verdict_accepts(v), v->smtp == 250);
}

static void judges_recipients(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct verdict v;

		verdict_of(s->store, str_of(rows[i].recipient), rows[i].size, &v);
		if (v.code != rows[i].code)
			print_message("# %s: %s\n", rows[i].recipient, v.word);
		check(&v, rows[i].code);
		assert_string_equal(v.name.s, rows[i].name);
		if (v.code == VERDICT_OK || v.code == VERDICT_OVER_QUOTA)
			assert_string_equal(v.account.name.s, rows[i].name);
		assert_int_equal(v.forwarding.n, v.code == VERDICT_FORWARD);
		verdict_fini(&v);
		assert_int_equal(v.forwarding.n, 0);
	}
}

static void the_unquoted_form_gets_the_same(void **state)
{
	static const struct {
		const char *recipient;
		enum verdict_code code;
	} plain[] = {
		{"alice@example.org", VERDICT_OK},
		{"alice+a b@example.org", VERDICT_OK},
		{"a b@example.org", VERDICT_NO_USER},
		{"alice@example.edu", VERDICT_NOT_OURS},
		{"", VERDICT_BAD_ADDRESS},
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < countof(plain); i++) {
		struct verdict v;

		verdict_of_plain(s->store, str_of(plain[i].recipient), 0, &v);
		check(&v, plain[i].code);
		verdict_fini(&v);
	}
}

/* What cannot be read is not "no such user", whichever object it is. */
static void what_cannot_be_told_is_put_off(void **state)
{
	static const struct {
		const char *tree, *name, *leaf, *recipient;
		size_t at;
	} broken[] = {
		{"domains", "example.org", NULL, "nobody@example.net", 40},
		{"domains", "example.net", NULL, "nobody@example.net", 40},
		{"accounts", "alice@example.org", "profile", "alice+x@example.org", 40},
		{"accounts", "full@example.org", "maildrop", "full@example.org", 80},
		{"forwardings", "sales@example.org", NULL, "sales@example.org", 40},
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < countof(broken); i++) {
		struct scratch_path p =
			scratch_place(broken[i].tree, broken[i].name, broken[i].leaf);
		struct verdict v;

		scratch_flip(s, p.s, broken[i].at);
		verdict_of(s->store, str_of(broken[i].recipient), 0, &v);
		check(&v, VERDICT_TRY_AGAIN);
		assert_int_not_equal(v.why.class, ERR_NONE);
		verdict_fini(&v);
		scratch_flip(s, p.s, broken[i].at);
		verdict_of(s->store, str_of(broken[i].recipient), 0, &v);
		assert_int_not_equal(v.code, VERDICT_TRY_AGAIN);
		verdict_fini(&v);
	}
}

static void over_quota_can_be_for_good(void **state UNUSED)
{
	struct scratch s;
	struct verdict v = {0};

	scratch_begin_with(&s, "over_quota = reject", "");
	verdict_set(s.store, VERDICT_OVER_QUOTA, &v);
	assert_int_equal(v.smtp, 552);
	assert_string_equal(v.dsn, "5.2.2");
	assert_string_equal(v.word, "over-quota");
	verdict_set(s.store, VERDICT_TOO_LARGE, &v);
	assert_string_equal(v.dsn, "5.2.3");
	scratch_end(&s);
}

static void the_quota_rule(void **state UNUSED)
{
	static const struct {
		uint64_t quota, overdraft, used, size;
		enum verdict_code code;
	} quotas[] = {
		/* clang-format off */
		{QUOTA_NONE, 0,   UINT64_MAX, UINT64_MAX, VERDICT_OK},
		{100, 0,    0,   100, VERDICT_OK},
		{100, 0,    0,   101, VERDICT_TOO_LARGE},
		{100, 0,    1,   100, VERDICT_OVER_QUOTA},
		{100, 0,    99,  1,   VERDICT_OK},
		{100, 0,    100, 0,   VERDICT_OK},
		{100, 0,    100, 1,   VERDICT_OVER_QUOTA},
		{100, 0,    101, 0,   VERDICT_OVER_QUOTA},
		{100, 50,   100, 50,  VERDICT_OK},
		{100, 50,   100, 51,  VERDICT_OVER_QUOTA},
		{100, 50,   101, 0,   VERDICT_OVER_QUOTA},
		{100, 50,   101, 49,  VERDICT_OVER_QUOTA},
		{100, 50,   0,   151, VERDICT_TOO_LARGE},
		{100, 50,   500, 151, VERDICT_TOO_LARGE},
		{0,   50,   0,   50,  VERDICT_OK},
		{0,   0,    0,   0,   VERDICT_OK},
		{0,   0,    0,   1,   VERDICT_TOO_LARGE},
		{UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 1, 1, VERDICT_OK},
		{UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX, VERDICT_OVER_QUOTA},
		{100, UINT64_MAX, 100, UINT64_MAX - 100, VERDICT_OK},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(quotas); i++) {
		struct account a = {.quota = quotas[i].quota,
				    .overdraft = quotas[i].overdraft};

		assert_int_equal(verdict_quota(&a, quotas[i].used, quotas[i].size),
				 quotas[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_recipients),
		cmocka_unit_test(the_unquoted_form_gets_the_same),
		cmocka_unit_test(what_cannot_be_told_is_put_off),
		cmocka_unit_test(over_quota_can_be_for_good),
		cmocka_unit_test(the_quota_rule),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
