/* SPDX-License-Identifier: ISC */
#include "lib/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct ticket alice = {STR_INIT("alice@example.org"), STR_INIT("1a2b-3"), 77,
				    0x1234};
static const uint64_t now = 1795291423000;

static struct ticket_key new_key(void)
{
	struct ticket_key key;
	struct err e;
	int fd;

	assert_int_equal(ticket_key_make(&fd, &e), 0);
	assert_int_equal(ticket_key_read(fd, &key, &e), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1); /* sealed */
	close(fd);
	return key;
}

/* is_good - for this one, whatever it says of the profile */
static bool is_good(const struct ticket_key *key, const struct ticket *t, struct str text,
		    uint64_t now_ms)
{
	struct ticket copy = *t;

	return ticket_is_good(key, &copy, text, now_ms);
}

static void says_by_what_the_profile_is_known(void **state UNUSED)
{
	struct ticket_key key = new_key();
	char text[TICKET_TEXT_MAX];
	struct ticket t = alice;

	ticket_sign(&key, &alice, now, text);
	t.profile = 0;
	assert_true(ticket_is_good(&key, &t, str_of(text), now));
	assert_int_equal(t.profile, 0x1234);
	/* Nobody else may say so. */
	text[17] ^= 1;
	assert_false(ticket_is_good(&key, &t, str_of(text), now));
}

static void holds_for_what_was_signed(void **state)
{
	struct ticket_key key = new_key();
	char text[TICKET_TEXT_MAX];

	(void)state;
	ticket_sign(&key, &alice, now, text);
	assert_int_equal(strlen(text), TICKET_TEXT_MAX - 1);
	assert_true(is_good(&key, &alice, str_of(text), now));
	assert_true(is_good(&key, &alice, str_of(text), now + TICKET_LIFE_MS - 1));
}

static void ends(void **state)
{
	struct ticket_key key = new_key();
	char text[TICKET_TEXT_MAX];

	(void)state;
	ticket_sign(&key, &alice, now, text);
	assert_false(is_good(&key, &alice, str_of(text), now + TICKET_LIFE_MS));
	assert_false(is_good(&key, &alice, str_of(text), now - 1));
}

static void holds_for_nobody_else(void **state)
{
	static const struct ticket others[] = {
		{STR_INIT("alicf@example.org"), STR_INIT("1a2b-3"), 77, 0x1234},
		{STR_INIT("alice@example.or"), STR_INIT("1a2b-3"), 77, 0x1234},
		{STR_INIT("alice@example.org"), STR_INIT("1a2b-4"), 77, 0x1234},
		{STR_INIT("alice@example.org"), STR_INIT(""), 77, 0x1234},
		{STR_INIT("alice@example.org"), STR_INIT("1a2b-3"), 78, 0x1234},
		/* The same octets one after the other. */
		{STR_INIT("alice@example.org 4d 6 1a2b-3"), STR_INIT(""), 77, 0x1234},
	};
	struct ticket_key key = new_key(), other = new_key();
	char text[TICKET_TEXT_MAX];

	(void)state;
	ticket_sign(&key, &alice, now, text);
	for (size_t i = 0; i < countof(others); i++)
		assert_false(is_good(&key, &others[i], str_of(text), now));
	assert_false(is_good(&other, &alice, str_of(text), now));
}

static void every_octet_counts(void **state)
{
	struct ticket_key key = new_key();
	char text[TICKET_TEXT_MAX];

	(void)state;
	ticket_sign(&key, &alice, now, text);
	for (size_t i = 0; i < strlen(text); i++) {
		text[i] ^= 1;
		assert_false(is_good(&key, &alice, str_of(text), now));
		text[i] ^= 1;
	}
	for (size_t n = 0; n < strlen(text); n++)
		assert_false(is_good(&key, &alice, (struct str){text, n}, now));
}

static void a_key_that_is_none_is_refused(void **state)
{
	struct ticket_key key;
	struct err e;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(ticket_key_read(fds[0], &key, &e), -1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_by_what_the_profile_is_known),
		cmocka_unit_test(holds_for_what_was_signed),
		cmocka_unit_test(ends),
		cmocka_unit_test(holds_for_nobody_else),
		cmocka_unit_test(every_octet_counts),
		cmocka_unit_test(a_key_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
