/* SPDX-License-Identifier: ISC */
#include "channel/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

#define OWN \
	"Received: from a (b [192.0.2.1])\r\n\tby mx.example.org (Postfix) with ESMTP id 4bX1;\r\n\tSat, 21 Nov 2026 20:13:43 +0000 (UTC)\r\n"
#define MAIL "Message-ID: <1@example.com>\r\n\r\nhello\r\n.\r\n"
#define AT   UINT64_C(1795292023000)

struct says {
	const char *peer_name, *ident, *sender, *text;
};

enum { SECRET = 1 };

/* key_by - the message in pieces of this size */
static bool key_by(uint64_t secret, const struct says *m, size_t piece,
		   struct retry_key *key)
{
	struct retry *r = retry_new(secret);
	struct retry_says says = {str_of(m->peer_name), str_of(m->ident),
				  str_of(m->sender)};
	struct str text = str_of(m->text);
	uint64_t queued_ms;

	retry_begin(r, &says);
	while (text.n > 0) {
		size_t n = text.n < piece ? text.n : piece;

		retry_feed(r, (struct str){text.p, n});
		text = (struct str){text.p + n, text.n - n};
	}

	bool has = retry_key(r, key, &queued_ms);

	if (has) {
		assert_true(retry_key_is_set(*key));
		assert_true(queued_ms == AT);
	}
	/* a key is given once */
	assert_false(retry_key(r, key, &queued_ms));
	retry_free(&r);
	return has;
}

static bool key_of(const struct says *m, size_t piece, struct retry_key *key)
{
	return key_by(SECRET, m, piece, key);
}

/* What has a key. */
static const struct {
	const char *name;
	struct says m;
	bool has;
} certain[] = {
	/* clang-format off */
	{"the client wrote the line", {"mx.example.org", "", "s@x", OWN MAIL}, true},
	{"in any case of letters", {"MX.example.ORG", "", "s@x", OWN MAIL}, true},
	{"it says the id of the line", {"mail.example.org", "4bX1", "s@x", OWN MAIL}, true},
	{"it says an id of another host, as behind a filter", {"mx.example.org", "4bX0", "s@x", OWN MAIL}, true},
	{"another host wrote the line", {"mail.example.org", "", "s@x", OWN MAIL}, false},
	{"another host, another id", {"mail.example.org", "4bX0", "s@x", OWN MAIL}, false},
	{"ids have case", {"mail.example.org", "4bx1", "s@x", OWN MAIL}, false},
	{"an id and no line", {"mx.example.org", "4bX1", "s@x", MAIL}, false},
	{"a line of another host on top", {"mx.example.org", "4bX1", "s@x",
		"Received: by filter id 7; Sat, 21 Nov 2026 20:13:43 +0000\r\n" OWN MAIL}, false},
	/* clang-format on */
};

static void a_key_needs_the_line_of_our_mta(void **state UNUSED)
{
	for (size_t i = 0; i < countof(certain); i++) {
		struct retry_key key;

		print_message("# %s\n", certain[i].name);
		assert_int_equal(key_of(&certain[i].m, 65536, &key), certain[i].has);
	}
}

/* What must not be taken for the same; the first is what the others are compared with. */
static const struct says different[] = {
	/* clang-format off */
	{"mx.example.org", "", "s@x", OWN MAIL},
	{"mx.example.org", "", "t@x", OWN MAIL},
	{"mx.example.org", "", "", OWN MAIL},
	{"mx.example.org", "", "s@x", OWN "Message-ID: <1@example.com>\r\n\r\nhellO\r\n.\r\n"},
	{"mx.example.org", "", "s@x", OWN "Message-ID: <1@example.com>\r\n\r\nhello\r\n\r\n.\r\n"},
	{"mx.example.org", "", "s@x", "X: y\r\n" OWN MAIL},
	/* the same message, with the same Message-ID, as another queue file */
	{"mx.example.org", "", "s@x", "Received: from a (b [192.0.2.1])\r\n\tby mx.example.org (Postfix) with ESMTP id 4bX2;\r\n"
		"\tSat, 21 Nov 2026 20:13:43 +0000 (UTC)\r\n" MAIL},
	/* clang-format on */
};

static void messages_differ(void **state UNUSED)
{
	struct retry_key key[countof(different)], again;

	for (size_t i = 0; i < countof(different); i++) {
		assert_true(key_of(&different[i], 65536, &key[i]));
		for (size_t j = 0; j < i; j++)
			assert_false(retry_key_eq(key[i], key[j]));
	}
	/* nobody knows it who does not know the secret */
	assert_true(key_by(SECRET + 1, &different[0], 65536, &again));
	assert_false(retry_key_eq(again, key[0]));
	/* the same, cut in any way */
	for (size_t piece = 1; piece < 300; piece++) {
		assert_true(key_of(&different[0], piece, &again));
		assert_true(retry_key_eq(again, key[0]));
	}
}

/* A field that ends after RETRY_FIRST_OCTETS is not looked at; what follows the line
 * counts, however long it is. */
static void a_long_message_has_a_key(void **state UNUSED)
{
	struct retry_key one, two;
	struct buf text;
	struct says m = {"mx.example.org", "", "s@x", NULL};

	buf_init(&text, 1 << 20);
	buf_put(&text, STR(OWN));
	while (text.n < 100000)
		buf_put(&text, STR("X-Field: y\r\n"));
	buf_put(&text, STR(MAIL));
	m.text = buf_cstr(&text);
	assert_true(key_of(&m, 65536, &one));
	for (size_t piece = RETRY_FIRST_OCTETS - 1; piece <= RETRY_FIRST_OCTETS + 1;
	     piece++) {
		assert_true(key_of(&m, piece, &two));
		assert_true(retry_key_eq(one, two));
	}
	assert_true(key_of(&m, 777, &two));
	assert_true(retry_key_eq(one, two));
	text.p[text.n - 8]++;
	assert_true(key_of(&m, 65536, &two));
	assert_false(retry_key_eq(one, two));

	buf_clear(&text);
	while (text.n < RETRY_FIRST_OCTETS)
		buf_put(&text, STR("X-Field: y\r\n"));
	buf_put(&text, STR(OWN MAIL));
	m.text = buf_cstr(&text);
	assert_false(key_of(&m, 65536, &one));
	assert_false(key_of(&m, 1, &one));
	buf_fini(&text);
}

/* One message after the other, as in a session; one is given up in the middle. */
static void each_message_has_its_own(void **state UNUSED)
{
	struct retry *r = retry_new(SECRET);
	struct retry_says says = {STR("mx.example.org"), STR(""), STR("s@x")};
	struct retry_key alone, key;
	uint64_t queued_ms;

	assert_true(key_of(&different[0], 65536, &alone));
	for (int i = 0; i < 3; i++) {
		retry_begin(r, &says);
		retry_feed(r, STR("Subject: given up"));
		retry_begin(r, &says);
		retry_feed(r, STR(OWN MAIL));
		assert_true(retry_key(r, &key, &queued_ms));
		assert_true(retry_key_eq(key, alone));
		retry_begin(r, &says);
		retry_feed(r, STR(MAIL));
		assert_false(retry_key(r, &key, &queued_ms));
	}
	retry_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_needs_the_line_of_our_mta),
		cmocka_unit_test(messages_differ),
		cmocka_unit_test(a_long_message_has_a_key),
		cmocka_unit_test(each_message_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
