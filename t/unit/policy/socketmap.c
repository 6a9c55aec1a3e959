/* SPDX-License-Identifier: ISC */
#include "policy/socketmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct address targets[] = {
	{"bob", "d"},
	{"a b", "example.com"},
	{"\xc3\xa4", "e"},
};

/* clang-format off */
/* The verdict that the store gives in these tests, by the local part asked about. */
static const struct {
	const char *local;
	struct verdict v;
} store[] = {
	{"alice",  {.code = VERDICT_OK, .text = "ok", .name = {"alice@d"}}},
	{"a b",    {.code = VERDICT_OK, .text = "ok", .name = {"a b@d"}}},
	{"fwd",    {.code = VERDICT_FORWARD, .text = "ok", .name = {"fwd@d"},
	            .forwarding = {.name = {"fwd@d"}, .n = countof(targets), .targets = targets}}},
	{"else",   {.code = VERDICT_NOT_OURS, .text = "not ours"}},
	{"bad",    {.code = VERDICT_BAD_ADDRESS, .text = "bad"}},
	{"no",     {.code = VERDICT_NO_USER, .text = "no such user"}},
	{"off",    {.code = VERDICT_NOT_RECEIVING, .text = "off"}},
	{"full",   {.code = VERDICT_OVER_QUOTA, .smtp = 452, .text = "full"}},
	{"fullx",  {.code = VERDICT_OVER_QUOTA, .smtp = 552, .text = "full"}},
	{"large",  {.code = VERDICT_TOO_LARGE, .text = "large"}},
	{"broken", {.code = VERDICT_TRY_AGAIN, .text = "later"}},
};

#define NO "9:NOTFOUND ,"

static const struct {
	const char *name;
	const char *in;     /* starts with a digit or ':': octets; else a request to be framed */
	const char *out;
	const char *broken; /* NULL: wants the next request */
} cases[] = {
	{"a mailbox",              "virtual_mailbox_maps alice@d",        "10:OK alice@d,", NULL},
	{"a forwarding exists",    "virtual_mailbox_maps fwd@d",          "8:OK fwd@d,", NULL},
	{"not ours",               "virtual_mailbox_maps else@x",         NO, NULL},
	{"bad",                    "virtual_mailbox_maps bad@d",          NO, NULL},
	{"no user",                "virtual_mailbox_maps no@d",           NO, NULL},
	{"not receiving",          "virtual_mailbox_maps off@d",          NO, NULL},
	{"over quota",             "virtual_mailbox_maps full@d",         "9:TEMP full,", NULL},
	{"over quota for good",    "virtual_mailbox_maps fullx@d",        "9:TEMP full,", NULL},
	{"too large",              "virtual_mailbox_maps large@d",        NO, NULL},
	{"cannot tell",            "virtual_mailbox_maps broken@d",       "10:TEMP later,", NULL},
	{"a relayed mailbox",      "relay_recipient_maps alice@d",        "10:OK alice@d,", NULL},
	{"a relayed nobody",       "relay_recipient_maps no@d",           NO, NULL},

	{"targets",                "virtual_alias_maps fwd@d",            "33:OK bob@d, \"a b\"@example.com, \xc3\xa4@e,", NULL},
	{"an account is no alias", "virtual_alias_maps alice@d",          NO, NULL},
	{"a full one neither",     "virtual_alias_maps full@d",           NO, NULL},
	{"nor nobody",             "virtual_alias_maps no@d",             NO, NULL},
	{"alias, cannot tell",     "virtual_alias_maps broken@d",         "10:TEMP later,", NULL},

	{"our domain",             "virtual_mailbox_domains d",           "4:OK d,", NULL},
	{"our relay domain",       "relay_domains d",                     "4:OK d,", NULL},
	{"another domain",         "virtual_mailbox_domains x",           NO, NULL},
	{"domain, cannot tell",    "relay_domains broken",                "11:TEMP broken,", NULL},
	{"no domain",              "relay_domains ",                      NO, NULL},

	{"unknown map",            "aliases alice@d",                     "33:PERM there is no map of that name,", NULL},
	{"case of a map counts",   "Virtual_mailbox_maps alice@d",        "33:PERM there is no map of that name,", NULL},
	{"no map",                 " alice@d",                            "33:PERM there is no map of that name,", NULL},
	{"an empty request",       "0:,",                                 "33:PERM there is no map of that name,", NULL},
	{"no key",                 "virtual_mailbox_maps",                NO, NULL},
	{"an empty key",           "virtual_mailbox_maps ",               NO, NULL},
	{"not an address",         "virtual_mailbox_maps a b@d",          NO, NULL},
	{"a line end in the key",  "virtual_mailbox_maps alice@d\n",      NO, NULL},
	{"UTF-8 cut short",        "virtual_mailbox_maps alice@d\xc3",    NO, NULL},

	{"quoted where it must",   "virtual_mailbox_maps \"a b\"@d",      "8:OK a b@d,", NULL},
	{"bare text with quotes",  "virtual_mailbox_maps \"alice\"@d",    NO, NULL},
	{"bare text like a route", "virtual_mailbox_maps @x:alice@d",     NO, NULL},
	{"the same as an alias",   "virtual_alias_maps \"fwd\"@d",        NO, NULL},

	{"two at once",            "23:virtual_alias_maps no@d,26:virtual_mailbox_maps no@d ,", NO NO, NULL},
	{"leading zeros",          "000000:,",                            "33:PERM there is no map of that name,", NULL},
	{"not whole yet",          "28:virtual_mailbox_maps alice@d",     "", NULL},

	{"no comma",               "28:virtual_mailbox_maps alice@dx",    "", "a netstring ends in a comma"},
	{"no length",              ":virtual_mailbox_maps alice@d,",      "", "a netstring begins with its length"},
	{"a sign",                 "1-1:x,",                              "", "a netstring begins with its length"},
	{"a space",                "1 :x,",                               "", "a netstring begins with its length"},
	{"hexadecimal",            "0x1:x,",                              "", "a netstring begins with its length"},
	{"another protocol",       "1GET / HTTP/1.1\r\n",                 "", "a netstring begins with its length"},
	{"100000 octets and one",  "100001:",                             "", "the request is too long"},
	{"a length that wraps",    "4294967297:",                         "", "the request is too long"},
	{"seven digits",           "0000001:x,",                          "", "a netstring begins with its length"},
	{"good, then broken",      "28:virtual_mailbox_maps alice@d,,",   "10:OK alice@d,", "a netstring begins with its length"},
};
/* clang-format on */

static void answer_verdict(struct socketmap *m)
{
	const char *local = socketmap_address(m)->local;

	for (size_t i = 0; i < countof(store); i++) {
		if (strcmp(local, store[i].local) == 0) {
			socketmap_answer(m, &store[i].v);
			return;
		}
	}
	fail_msg("asked about %s", local);
}

static void answer_domain(struct socketmap *m)
{
	struct str d = socketmap_key(m);

	if (str_eq(d, STR("broken")))
		socketmap_answer_later(m, d);
	else
		socketmap_answer_domain(m, str_eq(d, STR("d")) ? d : STR(""));
}

/* feed - in memory of the piece's own size, so that ASan sees a read past its end */
static size_t feed(struct socketmap *m, struct str piece)
{
	char *octets = test_malloc(piece.n);

	memcpy(octets, piece.p, piece.n);

	size_t used = socketmap_feed(m, (struct str){octets, piece.n});

	test_free(octets);
	return used;
}

static void run(struct socketmap *m, struct str in, size_t step, struct buf *out)
{
	while (in.n > 0 && socketmap_want(m) == SOCKETMAP_WANT_INPUT) {
		size_t used = feed(m, (struct str){in.p, in.n < step ? in.n : step});

		in = (struct str){in.p + used, in.n - used};
		if (socketmap_want(m) == SOCKETMAP_WANT_VERDICT)
			answer_verdict(m);
		else if (socketmap_want(m) == SOCKETMAP_WANT_DOMAIN)
			answer_domain(m);
		buf_put(out, buf_str(socketmap_output(m)));
		buf_clear(socketmap_output(m));
	}
}

static void frame(struct buf *b, struct str request)
{
	bool raw = request.n > 0 && request.p[0] >= '0' && request.p[0] <= ':';

	buf_init(b, SOCKETMAP_REQUEST_MAX + 10);
	if (!raw)
		buf_printf(b, "%zu:", request.n);
	buf_put(b, request);
	buf_put(b, raw ? STR("") : STR(","));
}

static void run_case(size_t i, size_t step)
{
	struct socketmap *m = socketmap_new(true);
	struct buf in, out;

	printf("# %s, %zu octets at a time\n", cases[i].name, step);
	frame(&in, str_of(cases[i].in));
	buf_init(&out, 4096);
	run(m, buf_str(&in), step, &out);
	assert_string_equal(buf_cstr(&out), cases[i].out);
	assert_int_equal(socketmap_want(m),
			 cases[i].broken ? SOCKETMAP_WANT_CLOSE : SOCKETMAP_WANT_INPUT);
	if (cases[i].broken != NULL)
		assert_string_equal(socketmap_broken(m), cases[i].broken);
	else
		assert_null(socketmap_broken(m));
	buf_fini(&in);
	buf_fini(&out);
	socketmap_free(&m);
	assert_null(m);
}

static void requests_are_answered_however_they_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, SIZE_MAX);
		run_case(i, 1);
		run_case(i, 5);
	}
}

/* A key that is too long is found nowhere, and the next request is understood. */
static void a_long_key_is_read_over(void **state)
{
	static const size_t lengths[] = {1003, 1004, 5000, SOCKETMAP_REQUEST_MAX - 21};

	(void)state;
	for (size_t i = 0; i < countof(lengths); i++) {
		struct socketmap *m = socketmap_new(true);
		struct buf key, in, out;

		buf_init(&key, SOCKETMAP_REQUEST_MAX);
		buf_put(&key, STR("virtual_mailbox_maps "));
		while (key.n < lengths[i] + 19)
			buf_putc(&key, 'x');
		buf_put(&key, STR("@d"));
		frame(&in, buf_str(&key));
		buf_init(&out, 100);
		run(m, buf_str(&in), 4096, &out);
		run(m, STR("28:virtual_mailbox_maps alice@d,"), 4096, &out);
		assert_string_equal(buf_cstr(&out), NO "10:OK alice@d,");
		buf_fini(&key);
		buf_fini(&in);
		buf_fini(&out);
		socketmap_free(&m);
	}
}

/* The longest list of targets that a forwarding can have still fits. */
static void the_longest_forwarding_fits(void **state)
{
	struct address *many = calloc(FORWARDING_TARGETS, sizeof *many);
	struct verdict v = {.code = VERDICT_FORWARD, .name = {"fwd@d"}};
	struct socketmap *m = socketmap_new(true);

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i < FORWARDING_TARGETS; i++) {
		memset(many[i].local, '"', ADDRESS_LOCAL_MAX);
		memset(many[i].domain, 'd', ADDRESS_DOMAIN_MAX);
	}
	v.forwarding.n = FORWARDING_TARGETS;
	v.forwarding.targets = many;
	socketmap_feed(m, STR("24:virtual_alias_maps fwd@d,"));
	assert_int_equal(socketmap_want(m), SOCKETMAP_WANT_VERDICT);
	socketmap_answer(m, &v);
	assert_false(buf_over(socketmap_output(m)));
	assert_true(str_starts(buf_str(socketmap_output(m)), STR("77001:OK \"")));
	socketmap_free(&m);
	free(many);
}

static void it_is_idle_between_requests_only(void **state)
{
	struct socketmap *m = socketmap_new(true);

	(void)state;
	assert_true(socketmap_idle(m));
	for (const char *c = "28:virtual_mailbox_maps alice@d"; *c != '\0'; c++) {
		assert_int_equal(socketmap_feed(m, (struct str){c, 1}), 1);
		assert_false(socketmap_idle(m));
	}
	socketmap_feed(m, STR(","));
	assert_int_equal(socketmap_want(m), SOCKETMAP_WANT_VERDICT);
	assert_true(str_eq(socketmap_map(m), STR("virtual_mailbox_maps")));
	assert_true(str_eq(socketmap_key(m), STR("alice@d")));
	answer_verdict(m);
	assert_true(socketmap_idle(m));
	socketmap_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered_however_they_arrive),
		cmocka_unit_test(a_long_key_is_read_over),
		cmocka_unit_test(the_longest_forwarding_fits),
		cmocka_unit_test(it_is_idle_between_requests_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
