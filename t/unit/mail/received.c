/* SPDX-License-Identifier: ISC */
#include "mail/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

#define AT   UINT64_C(1795292023000)
#define DATE "Sat, 21 Nov 2026 20:13:43 +0000"
#define END  "\r\n\r\nbody\r\n.\r\n"
/* Another field, of a host that the message came through before. */
#define BELOW                                                                                    \
	"\r\nReceived: from evil (evil [192.0.2.6])\r\n\tby below.example with ESMTP id BELOW; " \
	"Sun, 22 Nov 2026 20:13:43 +0000" END
#define OCTETS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *name, *text;
	const char *by, *id; /* NULL: no answer */
} cases[] = {
	/* clang-format off */
	/* as MTAs write it */
	{"Postfix, one recipient",
	 "Received: from client.example.com (unknown [127.0.0.5])\r\n\tby mx.example.org (Postfix) with ESMTP id 4bXyz12345\r\n"
	 "\tfor <alice@example.org>; Sat, 21 Nov 2026 20:13:43 +0000 (UTC)" BELOW, "mx.example.org", "4bXyz12345"},
	{"Postfix, several",
	 "Received: from client.example.com (unknown [127.0.0.5])\r\n\tby mx.example.org (Postfix) with ESMTP id 3F2A01;\r\n"
	 "\tSat, 21 Nov 2026 20:13:43 +0000 (UTC)" BELOW, "mx.example.org", "3F2A01"},
	{"Postfix, TLS",
	 "Received: from a.example (a.example [192.0.2.1])\r\n"
	 "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
	 "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n"
	 "\t(No client certificate requested)\r\n"
	 "\tby mx.example.org (Postfix) with ESMTPS id 4bX1\r\n\tfor <b@example.org>; " DATE " (UTC)" BELOW, "mx.example.org", "4bX1"},
	{"Postfix, from this machine",
	 "Received: by mx.example.org (Postfix, from userid 1000)\r\n\tid 2E5B1C0A; Sat, 21 Nov 2026 21:13:43 +0100 (CET)" BELOW,
	 "mx.example.org", "2E5B1C0A"},
	{"Postfix, its own bounce",
	 "Received: by mx.example.org (Postfix)\r\n\tid 2E5B1C0A; " DATE " (UTC)" END, "mx.example.org", "2E5B1C0A"},
	{"Sendmail",
	 "Received: from client.example.com ([127.0.0.5])\r\n\tby mx.example.org (8.17.1.9/8.17.1.9/Debian-2+deb12u2) with ESMTP id 5ALKDhkL012345\r\n"
	 "\tfor <alice@example.org>; Sat, 21 Nov 2026 20:13:43 GMT" BELOW, "mx.example.org", "5ALKDhkL012345"},
	{"Sendmail, TLS",
	 "Received: from a.example (a.example [192.0.2.1])\r\n\tby mx.example.org (8.17.1/8.17.1) with ESMTPS id 5ALKDhkL012345\r\n"
	 "\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO);\r\n\t" DATE BELOW, "mx.example.org", "5ALKDhkL012345"},
	{"Sendmail, from this machine",
	 "Received: (from root@localhost)\r\n\tby mx.example.org (8.17.1/8.17.1/Submit) id 5ALKDhkL012345;\r\n\t" DATE BELOW,
	 "mx.example.org", "5ALKDhkL012345"},
	{"Exim",
	 "Received: from [192.0.2.1] (port=4711 helo=a.example)\r\n\tby mx.example.org with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n"
	 "\t(Exim 4.96)\r\n\t(envelope-from <s@example.net>)\r\n\tid 1vMxYz-000abc-2D\r\n\tfor b@example.org;\r\n\t" DATE BELOW,
	 "mx.example.org", "1vMxYz-000abc-2D"},
	{"OpenSMTPD",
	 "Received: from a.example (a.example [192.0.2.1])\r\n\tby mx.example.org (OpenSMTPD) with ESMTPS id 0a1b2c3d (TLSv1.3:TLS_AES:256:NO)\r\n"
	 "\tfor <b@example.org>;\r\n\t" DATE " (UTC)" BELOW, "mx.example.org", "0a1b2c3d"},
	{"below other fields",
	 "Return-Path: <s@example.net>\r\nX-Original-To: b@example.org\r\nReceivedx: by a id b; " DATE "\r\n"
	 "Delivered-To: b\r\n folded\r\nreceived: by B with LMTP id 1;" DATE END, "B", "1"},

	/* what says nothing */
	{"qmail",    "Received: (qmail 4711 invoked by uid 0); 21 Nov 2026 20:13:43 -0000" BELOW, NULL, NULL},
	{"fetchmail", "Received: from pop.example [192.0.2.1]\r\n\tby localhost with POP3 (fetchmail-6.4.37)\r\n"
	              "\tfor <b@localhost> (single-drop); " DATE BELOW, NULL, NULL},
	{"nothing", "", NULL, NULL},
	{"no header", "\r\nReceived: by a id b; " DATE END, NULL, NULL},
	{"no Received field", "Subject: x" END, NULL, NULL},
	{"in the body", "Subject: x\r\n\r\nReceived: by a id b; " DATE END, NULL, NULL},
	{"in a folded line", "Subject: x\r\n Received: by a id b; " DATE END, NULL, NULL},
	{"empty", "Received:" BELOW, NULL, NULL},
	{"no date", "Received: by a id b" BELOW, NULL, NULL},
	{"an empty date", "Received: by a id b;" BELOW, NULL, NULL},
	{"another date", "Received: by a id b; yesterday" BELOW, NULL, NULL},
	{"no id", "Received: by a with SMTP; " DATE BELOW, NULL, NULL},
	{"no by", "Received: from a id b; " DATE BELOW, NULL, NULL},
	{"an id without a value", "Received: by a id; " DATE BELOW, NULL, NULL},
	{"a by without a value", "Received: id b by; " DATE BELOW, NULL, NULL},

	/* what a stranger may write into it */
	{"keywords in a name", "Received: from id (by id id by [192.0.2.1])\r\n\tby a with ESMTP id b; " DATE BELOW, "a", "b"},
	{"a semicolon in a comment", "Received: from x (; id 1; by 2)\r\n\tby a id b; " DATE BELOW, "a", "b"},
	{"a quoted name", "Received: from \"; by x id y\" by a id b; " DATE BELOW, "a", "b"},
	{"a quoted recipient", "Received: by a id b for <\"; x (\\\" y\"@example.org>; " DATE BELOW, "a", "b"},
	{"a comment in a comment", "Received: from x (a (b) \\) c (d\\)) by y) by a id b; " DATE BELOW, "a", "b"},
	{"no blank before a comment", "Received: from x(y)by a(Postfix)id b(z); " DATE BELOW, "a", "b"},
	{"keywords in upper case", "RECEIVED: FROM x BY a WITH y ID b; " DATE BELOW, "a", "b"},
	{"two ids", "Received: by a id b id c; " DATE BELOW, NULL, NULL},
	{"two hosts", "Received: by a by c id b; " DATE BELOW, NULL, NULL},
	{"two names", "Received: from x from y by a id b; " DATE BELOW, NULL, NULL},
	{"two semicolons", "Received: by a id b; c; " DATE BELOW, NULL, NULL},
	{"a comment that does not end", "Received: by a id b (; " DATE BELOW, NULL, NULL},
	{"a quote that does not end", "Received: by a id b \"; " DATE BELOW, NULL, NULL},
	{"a backslash at the end", "Received: by a id b (\\" BELOW, NULL, NULL},
	{"comments ten deep", "Received: by a ((((((((((x)))))))))) id b; " DATE BELOW, "a", "b"},
	{"comments eleven deep", "Received: by a (((((((((((x))))))))))) id b; " DATE BELOW, NULL, NULL},
	{"an id with a slash", "Received: by a id ../b; " DATE BELOW, NULL, NULL},
	{"an id in brackets", "Received: by a id <b>; " DATE BELOW, NULL, NULL},
	{"an id that is quoted", "Received: by a id \"b\"; " DATE BELOW, NULL, NULL},
	{"an id of 64 octets", "Received: by a id " OCTETS_64 "; " DATE BELOW, "a", OCTETS_64},
	{"an id of 65 octets", "Received: by a id " OCTETS_64 "0; " DATE BELOW, NULL, NULL},
	{"a bare CR", "Received: by a\rid b; " DATE BELOW, "a", "b"},
	/* clang-format on */
};

static bool reads(struct str text, struct received *out)
{
	char *exact = xalloc(text.n); /* so that ASan sees a read past the end */

	memcpy(exact, text.p, text.n);

	bool ok = received_first((struct str){exact, text.n}, out);

	/* what it gives lies in the text: moved along with it */
	if (ok) {
		assert_true(out->by.p > exact && out->id.p > exact);
		out->by.p = text.p + (out->by.p - exact);
		out->id.p = text.p + (out->id.p - exact);
	}
	xfree(&exact);
	return ok;
}

static void reads_the_first_field(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct received r;
		bool ok = reads(str_of(cases[i].text), &r);

		print_message("# %s\n", cases[i].name);
		assert_int_equal(ok, cases[i].by != NULL);
		if (!ok)
			continue;
		assert_true(str_eq(r.by, str_of(cases[i].by)));
		assert_true(str_eq(r.id, str_of(cases[i].id)));
		assert_true(r.unix_ms == AT);
	}
}

/* A field that is cut off could go on with anything. */
static void a_piece_says_nothing_until_the_field_is_whole(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct str text = str_of(cases[i].text);
		bool before = false;

		for (size_t n = 0; n <= text.n; n++) {
			struct received r;
			bool now = reads((struct str){text.p, n}, &r);

			/* once it is told, nothing that follows changes it */
			assert_true(now || !before);
			if (now && cases[i].id != NULL)
				assert_true(str_eq(r.id, str_of(cases[i].id)));
			before = now;
		}
		assert_int_equal(before, cases[i].by != NULL);
	}
}

static void a_field_that_is_too_long_says_nothing(void **state UNUSED)
{
	static const struct str head = STR_INIT("Received:"),
				tail = STR_INIT(" by a id b; " DATE "\r\n");

	for (size_t fill = RECEIVED_MAX - tail.n - 1; fill <= RECEIVED_MAX - tail.n + 1;
	     fill++) {
		struct received r;
		struct buf text;

		buf_init(&text, 2 * RECEIVED_MAX);
		buf_put(&text, head);
		for (size_t i = 0; i < fill; i++)
			buf_putc(&text, ' ');
		buf_put(&text, tail);
		buf_put(&text, STR("\r\n.\r\n"));
		assert_int_equal(reads(buf_str(&text), &r),
				 fill + tail.n <= RECEIVED_MAX);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_first_field),
		cmocka_unit_test(a_piece_says_nothing_until_the_field_is_whole),
		cmocka_unit_test(a_field_that_is_too_long_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
