/* SPDX-License-Identifier: ISC */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REQ          "request=smtpd_access_policy\n"
#define DUNNO        "action=DUNNO\n\n"
#define ASKED(state) REQ "protocol_state=" state "\nrecipient=a@d\nsize=7\n\n"

/* The verdict that the store gives in these tests, by the recipient asked about. */
static const struct {
	const char *recipient;
	struct verdict v;
} store[] = {
	/* clang-format off */
	{"a@d",      {.code = VERDICT_OK, .smtp = 250, .dsn = "2.1.5", .text = "ok"}},
	{"fwd@d",    {.code = VERDICT_FORWARD, .smtp = 250, .dsn = "2.1.5", .text = "ok"}},
	{"x@y",      {.code = VERDICT_NOT_OURS, .smtp = 550, .dsn = "5.1.2", .text = "not ours"}},
	{"bad",      {.code = VERDICT_BAD_ADDRESS, .smtp = 553, .dsn = "5.1.3", .text = "bad"}},
	{"no@d",     {.code = VERDICT_NO_USER, .smtp = 550, .dsn = "5.1.1", .text = "no such user"}},
	{"off@d",    {.code = VERDICT_NOT_RECEIVING, .smtp = 550, .dsn = "5.2.1", .text = "off"}},
	{"full@d",   {.code = VERDICT_OVER_QUOTA, .smtp = 452, .dsn = "4.2.2", .text = "full"}},
	{"large@d",  {.code = VERDICT_TOO_LARGE, .smtp = 552, .dsn = "5.2.3", .text = "large"}},
	{"broken@d", {.code = VERDICT_TRY_AGAIN, .smtp = 451, .dsn = "4.3.0", .text = "later"}},
	/* clang-format on */
};

static const struct verdict *judge(struct str recipient)
{
	for (size_t i = 0; i < countof(store); i++)
		if (str_eq(recipient, str_of(store[i].recipient)))
			return &store[i].v;
	fail_msg("asked about " STR_FMT, STR_ARG(recipient));
	return NULL;
}

/* clang-format off */
static const struct {
	const char *name, *in, *out;
	uint64_t size;      /* of the last verdict that was wanted */
	const char *broken; /* NULL: wants the next request */
} cases[] = {
	{"a good recipient",          ASKED("RCPT"),                                     DUNNO, 7, NULL},
	{"a forwarding",              REQ "protocol_state=RCPT\nrecipient=fwd@d\n\n",    DUNNO, 0, NULL},
	{"somebody else's domain",    REQ "protocol_state=RCPT\nrecipient=x@y\n\n",      DUNNO, 0, NULL},
	{"no address",                REQ "protocol_state=RCPT\nrecipient=bad\n\n",      "action=553 5.1.3 bad\n\n", 0, NULL},
	{"no user",                   REQ "protocol_state=RCPT\nrecipient=no@d\n\n",     "action=550 5.1.1 no such user\n\n", 0, NULL},
	{"not receiving",             REQ "protocol_state=RCPT\nrecipient=off@d\n\n",    "action=550 5.2.1 off\n\n", 0, NULL},
	{"over quota",                REQ "protocol_state=RCPT\nrecipient=full@d\n\n",   "action=452 4.2.2 full\n\n", 0, NULL},
	{"too large",                 REQ "protocol_state=RCPT\nrecipient=large@d\nsize=99\n\n", "action=552 5.2.3 large\n\n", 99, NULL},
	{"cannot tell",               REQ "protocol_state=RCPT\nrecipient=broken@d\n\n", "action=451 4.3.0 later\n\n", 0, NULL},

	{"CONNECT",                   ASKED("CONNECT"),                                  DUNNO, 0, NULL},
	{"EHLO",                      ASKED("EHLO"),                                     DUNNO, 0, NULL},
	{"HELO",                      ASKED("HELO"),                                     DUNNO, 0, NULL},
	{"MAIL",                      ASKED("MAIL"),                                     DUNNO, 0, NULL},
	{"VRFY",                      ASKED("VRFY"),                                     DUNNO, 0, NULL},
	{"ETRN",                      ASKED("ETRN"),                                     DUNNO, 0, NULL},
	{"BDAT",                      ASKED("BDAT"),                                     DUNNO, 0, NULL},
	{"a stage of the future",     ASKED("rcpt"),                                     DUNNO, 0, NULL},
	{"no stage",                  REQ "recipient=a@d\n\n",                           DUNNO, 0, NULL},
	{"DATA, one recipient",       REQ "protocol_state=DATA\nrecipient=full@d\n\n",   "action=452 4.2.2 full\n\n", 0, NULL},
	{"DATA, several",             REQ "protocol_state=DATA\nrecipient=\nrecipient_count=2\n\n", DUNNO, 0, NULL},
	{"END, one recipient",        REQ "protocol_state=END-OF-MESSAGE\nrecipient=large@d\nsize=123456789012\n\n", "action=552 5.2.3 large\n\n", 123456789012, NULL},
	{"END, several",              REQ "protocol_state=END-OF-MESSAGE\nrecipient=\nsize=1\n\n", DUNNO, 0, NULL},
	{"RCPT without a recipient",  REQ "protocol_state=RCPT\n\n",                     DUNNO, 0, NULL},
	{"no size",                   REQ "protocol_state=RCPT\nrecipient=a@d\nsize=\n\n", DUNNO, 0, NULL},

	{"order does not matter",     "size=7\nrecipient=no@d\nprotocol_state=RCPT\n" REQ "\n", "action=550 5.1.1 no such user\n\n", 7, NULL},
	{"unknown attributes",        REQ "new=x\nprotocol_state=RCPT\nrecipientx=no@d\nrecipient=a@d\n\n", DUNNO, 0, NULL},
	{"an unknown one twice",      REQ "new=x\nnew=y\n\n",                            DUNNO, 0, NULL},
	{"an equals sign in a value", REQ "sender=a=b@d\n\n",                            DUNNO, 0, NULL},
	{"three requests at once",    ASKED("RCPT") REQ "protocol_state=RCPT\nrecipient=no@d\n\n" ASKED("MAIL"),
	                              DUNNO "action=550 5.1.1 no such user\n\n" DUNNO, 0, NULL},
	{"nothing is carried over",   ASKED("RCPT") REQ "protocol_state=RCPT\n\n",       DUNNO DUNNO, 7, NULL},
	{"the size neither",          ASKED("RCPT") REQ "protocol_state=RCPT\nrecipient=a@d\n\n", DUNNO DUNNO, 0, NULL},
	{"not whole yet",             REQ "protocol_state=RCPT\nrecipient=a@d\n",        "", 0, NULL},

	{"another request",           "request=junk_mail\nrecipient=a@d\n\n",            "", 0, "it is no request=smtpd_access_policy"},
	{"no request",                "protocol_state=RCPT\nrecipient=a@d\n\n",          "", 0, "it is no request=smtpd_access_policy"},
	{"only an empty line",        "\n",                                              "", 0, "it is no request=smtpd_access_policy"},
	{"no equals sign",            REQ "hello\n",                                   "", 0, "a line is not name=value"},
	{"no name",                   REQ "=x\n\n",                                      "", 0, "a line is not name=value"},
	{"lines that end in CR LF",   "request=smtpd_access_policy\r\n\r\n",             "", 0, "a line is not name=value"},
	{"another protocol",          "GET / HTTP/1.1\nHost: x\n\n",                     "", 0, "a line is not name=value"},
	{"recipient twice",           REQ "recipient=a@d\nrecipient=b@d\n\n",            "", 0, "an attribute is there twice"},
	{"request twice",             REQ REQ "\n",                                      "", 0, "an attribute is there twice"},
	{"size with a sign",          REQ "size=-1\n\n",                                 "", 0, "the size is no number"},
	{"size past 64 bits",         REQ "size=18446744073709551616\n\n",               "", 0, "the size is no number"},
	{"good, then broken",         ASKED("RCPT") "x\n\n" ASKED("RCPT"),               DUNNO, 7, "a line is not name=value"},
};
/* clang-format on */

/* feed - in memory of the piece's own size, so that ASan sees a read past its end */
static size_t feed(struct policy *p, struct str piece)
{
	char *octets = test_malloc(piece.n);

	memcpy(octets, piece.p, piece.n);

	size_t used = policy_feed(p, (struct str){octets, piece.n});

	test_free(octets);
	return used;
}

static void run(struct policy *p, struct str in, size_t step, struct buf *out,
		uint64_t *size)
{
	while (in.n > 0 && policy_want(p) == POLICY_WANT_INPUT) {
		size_t used = feed(p, (struct str){in.p, in.n < step ? in.n : step});

		in = (struct str){in.p + used, in.n - used};
		if (policy_want(p) == POLICY_WANT_VERDICT) {
			*size = policy_size(p);
			policy_answer(p, judge(policy_recipient(p)));
		}
		buf_put(out, buf_str(policy_output(p)));
		buf_clear(policy_output(p));
	}
}

static void run_case(size_t i, size_t step)
{
	struct policy *p = policy_new();
	struct buf out;
	uint64_t size = 0;

	printf("# %s, %zu octets at a time\n", cases[i].name, step);
	buf_init(&out, 4096);
	run(p, str_of(cases[i].in), step, &out, &size);
	assert_string_equal(buf_cstr(&out), cases[i].out);
	assert_int_equal(size, cases[i].size);
	assert_int_equal(policy_want(p),
			 cases[i].broken ? POLICY_WANT_CLOSE : POLICY_WANT_INPUT);
	if (cases[i].broken != NULL)
		assert_string_equal(policy_broken(p), cases[i].broken);
	else
		assert_null(policy_broken(p));
	buf_fini(&out);
	policy_free(&p);
	assert_null(p);
}

static void requests_are_answered_however_they_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, SIZE_MAX);
		run_case(i, 1);
		run_case(i, 7);
	}
}

/* request_of - a request of exactly n octets */
static void request_of(struct buf *b, size_t n)
{
	buf_init(b, 2 * POLICY_REQUEST_MAX);
	buf_put(b, STR(REQ "protocol_state=RCPT\nrecipient=a@d\nfill="));
	while (b->n < n - 2)
		buf_putc(b, 'x');
	buf_put(b, STR("\n\n"));
}

static void a_request_has_a_limit(void **state)
{
	struct buf in, out;
	uint64_t size = 0;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct policy *p = policy_new();

		request_of(&in, POLICY_REQUEST_MAX + over);
		buf_init(&out, 100);
		run(p, buf_str(&in), 1000, &out, &size);
		assert_string_equal(buf_cstr(&out), over ? "" : DUNNO);
		assert_int_equal(policy_want(p),
				 over ? POLICY_WANT_CLOSE : POLICY_WANT_INPUT);
		buf_fini(&in);
		buf_fini(&out);
		policy_free(&p);
	}
}

static void a_nul_ends_the_dialogue(void **state)
{
	static const char in[] = REQ "protocol_state=RCPT\nrecipient=a@d\0.org\n\n";

	(void)state;
	for (size_t step = 1; step <= sizeof in; step += sizeof in - 1) {
		struct policy *p = policy_new();
		struct buf out;
		uint64_t size = 0;

		buf_init(&out, 100);
		run(p, (struct str){in, sizeof in - 1}, step, &out, &size);
		assert_int_equal(policy_want(p), POLICY_WANT_CLOSE);
		assert_int_equal(out.n, 0);
		buf_fini(&out);
		policy_free(&p);
	}
}

static void it_is_idle_between_requests_only(void **state)
{
	struct policy *p = policy_new();

	(void)state;
	assert_true(policy_idle(p));
	policy_feed(p, STR("r"));
	assert_false(policy_idle(p));
	policy_feed(p,
		    STR("equest=smtpd_access_policy\nqueue_id=4Zk\nprotocol_state=RCPT\n"
			"recipient=a@d\n\n"));
	assert_int_equal(policy_want(p), POLICY_WANT_VERDICT);
	assert_true(str_eq(policy_queue_id(p), STR("4Zk")));
	policy_answer(p, judge(policy_recipient(p)));
	assert_true(policy_idle(p));
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered_however_they_arrive),
		cmocka_unit_test(a_request_has_a_limit),
		cmocka_unit_test(a_nul_ends_the_dialogue),
		cmocka_unit_test(it_is_idle_between_requests_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
