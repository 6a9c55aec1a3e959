/* SPDX-License-Identifier: ISC */
#include "mail/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct str to[] = {STR_INIT("who@far.example"),
				STR_INIT("x\r\nBcc: y@far.example")};

static const struct reply simple = {
	.from = STR_INIT("Alice <alice@example.org>"),
	.to = to,
	.n_to = 1,
	.subject = STR_INIT("Auto: Hello"),
	.text = STR_INIT("I am away.\r\n"),
	.submitted = "auto-replied (vacation)",
	.id = "1ipaac7c00000.vacation",
	.host = "mx.example.org",
	.message_id = STR_INIT("<1@far.example>"),
	.references = STR_INIT("<a@far.example> <b@far.example>"),
	.unix_ms = UINT64_C(1795995104000),
};

static const char *printed(const struct reply *r)
{
	static char text[8192];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	assert_true(reply_print(r, &out));
	snprintf(text, sizeof text, "%s", buf_cstr(&out));
	buf_fini(&out);
	return text;
}

static void it_is_a_message(void **state UNUSED)
{
	assert_string_equal(printed(&simple),
			    "From: Alice <alice@example.org>\r\n"
			    "To: who@far.example\r\n"
			    "Subject: Auto: Hello\r\n"
			    "Date: Sun, 29 Nov 2026 23:31:44 +0000\r\n"
			    "Message-ID: <1ipaac7c00000.vacation@mx.example.org>\r\n"
			    "In-Reply-To:\r\n <1@far.example>\r\n"
			    "References:\r\n <a@far.example>\r\n <b@far.example>\r\n"
			    " <1@far.example>\r\n"
			    "Auto-Submitted: auto-replied (vacation)\r\n"
			    "MIME-Version: 1.0\r\n"
			    "Content-Type: text/plain; charset=us-ascii\r\n"
			    "Content-Transfer-Encoding: 7bit\r\n\r\n"
			    "I am away.\r\n.\r\n");
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("%s is not in\n%s", part, text);
}

static void values_end_no_line(void **state UNUSED)
{
	struct reply r = simple;
	const char *text;

	r.n_to = 2;
	r.subject = STR("a\r\nBcc: z@far.example");
	r.from = STR("Alice\nBcc: z@far.example");
	r.message_id = STR("<1@far.example>\r\nBcc: z@far.example>");
	text = printed(&r);
	assert_null(strstr(text, "\nBcc"));
	assert_null(strstr(text, "References"));
	has(text, "To: who@far.example,\r\n x??Bcc: y@far.example\r\n");
	r.message_id = simple.message_id;
	r.references = STR("<a@b>\x01<c@d>");
	text = printed(&r);
	has(text, "References:\r\n <1@far.example>\r\n");
}

static void other_text_is_base64(void **state UNUSED)
{
	static char long_line[1200];
	struct reply r = simple;
	const char *text;

	r.text = STR("Gr\xc3\xbc\xc3\x9f"
		     "e\n.\n");
	r.from = STR("\"\xc3\x84lice\" <alice@example.org>");
	r.subject = STR("Gr\xc3\xbc\xc3\x9f"
			"e");
	text = printed(&r);
	has(text, "From: =?utf-8?b?w4RsaWNl?=\r\n <alice@example.org>\r\n");
	has(text, "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n");
	has(text, "charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		  "R3LDvMOfZQ0KLg0K\r\n.\r\n");
	memset(long_line, 'x', sizeof long_line - 1);
	r.text = str_of(long_line);
	text = printed(&r);
	has(text, "charset=us-ascii\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	for (const char *p = text; *p != '\0'; p = strchr(p, '\n') + 1)
		assert_true(strcspn(p, "\n") < 100);
}

static void lines_are_stuffed(void **state UNUSED)
{
	struct reply r = simple;

	r.text = STR("a\n.\r\n..b\rc\0d");
	has(printed(&r), "\r\n\r\na\r\n..\r\n...b\r\nc?d\r\n.\r\n");
	r.mime = true;
	r.text = STR("Content-Type: text/html\n\n<p>\xc3\xa4</p>");
	has(printed(&r), "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
			 "<p>\xc3\xa4</p>\r\n.\r\n");
	r.mime = false;
	r.text = STR("");
	r.importance = 1;
	has(printed(&r), "X-Priority: 1\r\nImportance: High\r\nAuto-Submitted");
}

static void it_is_bounded(void **state UNUSED)
{
	struct reply r = simple;
	char *text = xalloc(2 * REPLY_MAX);
	struct buf out;

	memset(text, 'x', 2 * REPLY_MAX);
	r.text = (struct str){text, 2 * REPLY_MAX};
	buf_init(&out, REPLY_MAX);
	assert_false(reply_print(&r, &out));
	buf_fini(&out);
	xfree(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_message),
		cmocka_unit_test(values_end_no_line),
		cmocka_unit_test(other_text_is_base64),
		cmocka_unit_test(lines_are_stuffed),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
