/* SPDX-License-Identifier: ISC */
#include "store/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mail/dotstream.h"
#include "store/id.h"

/* 2026-11-21 20:13:43.123 UTC */
#define TIME UINT64_C(1795292023123)

static const struct {
	const char *name;
	struct str sender, from, peer, recipient;
	bool utf8;
	const char *want;
} rows[] = {
	/* clang-format off */
	{"plain", STR_INIT("s@x.org"), STR_INIT("mta.example"), STR_INIT("127.0.0.1:4711"), STR_INIT("a@b"), false,
	 "Return-Path: <s@x.org>\r\n"
	 "Received: from mta.example (127.0.0.1:4711)\r\n\tby mx.example.org with LMTP id 1ik5bm2ko0000;\r\n"
	 "\tSat, 21 Nov 2026 20:13:43 +0000\r\n"
	 "Delivered-To: a@b\r\n"},
	{"null sender, UTF-8, Unix socket", STR_INIT(""), STR_INIT("[::1]"), STR_INIT("unix:0"), STR_INIT("\xc3\xa4@b"), true,
	 "Return-Path: <>\r\n"
	 "Received: from [::1] (unix:0)\r\n\tby mx.example.org with UTF8LMTP id 1ik5bm2ko0000;\r\n"
	 "\tSat, 21 Nov 2026 20:13:43 +0000\r\n"
	 "Delivered-To: \xc3\xa4@b\r\n"},
	{"nothing ends its line", STR_INIT("a\r\nX: y@b"), STR_INIT("m\nX: y"), STR_INIT("p\r"), STR_INIT("\"\r\n.\r\n\"@b\0\x7f"), false,
	 "Return-Path: <a??X: y@b>\r\n"
	 "Received: from m?X: y (p?)\r\n\tby mx.example.org with LMTP id 1ik5bm2ko0000;\r\n"
	 "\tSat, 21 Nov 2026 20:13:43 +0000\r\n"
	 "Delivered-To: \"??.??\"@b??\r\n"},
	/* clang-format on */
};

static void writes_header_lines(void **state UNUSED)
{
	for (size_t i = 0; i < countof(rows); i++) {
		struct trace_hop hop = {
			.from = rows[i].from,
			.peer = rows[i].peer,
			.by = STR("mx.example.org"),
			.utf8 = rows[i].utf8,
			.id = id_make(TIME, 0, 0),
			.unix_ms = TIME,
		};
		struct dotstream d;
		struct buf out;

		print_message("# %s\n", rows[i].name);
		buf_init(&out, 4096);
		trace_return_path(rows[i].sender, &out);
		trace_received(&hop, &out);
		trace_delivered_to(rows[i].recipient, &out);
		assert_string_equal(buf_cstr(&out), rows[i].want);

		/* In stored form as it is: no line of it is stuffed, none is bare. */
		dotstream_init(&d);
		assert_int_equal(dotstream_feed(&d, buf_str(&out)), out.n);
		assert_int_equal(d.size, out.n);
		assert_int_equal(d.bare_lf, 0);
		assert_int_equal(d.received, 1);
		assert_int_equal(d.header_end, 0);
		buf_fini(&out);
	}
}

/* RFC 3848, RFC 6531 s4.3 */
static void the_protocol_has_a_name(void **state UNUSED)
{
	static const char *const names[] = {" with LMTP id ", " with UTF8LMTP id ",
					    " with LMTPS id ", " with UTF8LMTPS id "};

	for (unsigned i = 0; i < countof(names); i++) {
		struct trace_hop hop = {.by = STR("mx"), .utf8 = i & 1, .tls = i & 2};
		struct buf out;

		buf_init(&out, 4096);
		trace_received(&hop, &out);
		assert_non_null(strstr(buf_cstr(&out), names[i]));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_header_lines),
		cmocka_unit_test(the_protocol_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
