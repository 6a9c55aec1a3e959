/* SPDX-License-Identifier: ISC */
#include "store/maildrop_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/id.h"

/* 1ik5bjee80000 and 1ik5bm2ko0405, the ids of doc/STORE.md */
static uint64_t uid, id;

static int start(void **state UNUSED)
{
	return id_parse(STR("1ik5bjee80000"), &uid) && id_parse(STR("1ik5bm2ko0405"), &id)
		       ? 0
		       : -1;
}

static const struct retry_key key = {UINT64_C(0x5dd8b1c0f4a3e297),
				     UINT64_C(0x4c60aa12be8f7350)};

/* The example of doc/STORE.md, to the octet, and a tombstone that compaction kept. */
static const char *const golden[] = {
	"popstore-maildrop 1 1ik5bjee80000 49da3173b6a43f36",
	"1 + 1ik5bm2ko0405 0 311 82 53 43 5dd8b1c0f4a3e2974c60aa12be8f7350 Delivered-To:%20alice@example.org%0d%0a 1 82 0d0fc0d65e46d46f",
	"2 r 1ik5bm2ko0405 1 82 fa62e806765293d1",
	"3 - 1ik5bm2ko0405 - 0 0 da45602ccf8d5d7f",
	"3 - 1ik5bm2ko0405 5dd8b1c0f4a3e2974c60aa12be8f7350 0 0 6575703adbd2c39c",
};

/* lines - the same as structs */
static struct maildrop_line line(size_t i)
{
	const struct maildrop_line lines[] = {
		{.event = MAILDROP_HEADER},
		{.number = 1,
		 .event = MAILDROP_ADDED,
		 .id = id,
		 .slot = 311,
		 .size = 82,
		 .stored = 53,
		 .header_end = 43,
		 .trace = STR("Delivered-To:%20alice@example.org%0d%0a"),
		 .key = key,
		 .count = 1,
		 .octets = 82},
		{.number = 2, .event = MAILDROP_READ, .id = id, .count = 1, .octets = 82},
		{.number = 3, .event = MAILDROP_REMOVED, .id = id},
		{.number = 3, .event = MAILDROP_REMOVED, .id = id, .key = key},
	};

	return lines[i];
}

/* parses - from memory of its exact size, so that ASan sees a read past it */
static bool parses(struct str text, uint64_t whose, struct maildrop_line *out)
{
	char *exact = xalloc(text.n);

	memcpy(exact, text.p, text.n);

	bool ok = maildrop_line_parse((struct str){exact, text.n}, whose, out);

	xfree(&exact);
	out->trace = (struct str){"", 0};
	return ok;
}

static void is_written_to_the_octet(void **state UNUSED)
{
	for (size_t i = 0; i < countof(golden); i++) {
		struct maildrop_line l = line(i), back;
		struct buf out;

		buf_init(&out, MAILDROP_LINE_MAX);
		maildrop_line_print(&l, uid, &out);
		assert_int_equal(out.p[out.n - 1], '\n');
		buf_cut(&out, out.n - 1);
		assert_string_equal(buf_cstr(&out), golden[i]);
		assert_true(maildrop_line_parse(buf_str(&out), uid, &back));
		assert_int_equal(back.number, l.number);
		assert_int_equal(back.event, l.event);
		assert_int_equal(back.count, l.count);
		assert_int_equal(back.octets, l.octets);
		assert_true(retry_key_eq(back.key, l.key));
		if (l.event == MAILDROP_ADDED) {
			assert_int_equal(back.id, id);
			assert_int_equal(back.slot, 311);
			assert_int_equal(back.size, 82);
			assert_int_equal(back.stored, 53);
			assert_int_equal(back.header_end, 43);
			assert_true(str_eq(back.trace, l.trace));
			assert_int_equal(out.p[back.event_at], '+');
		}
		buf_fini(&out);
	}
}

static void holds_the_largest_numbers(void **state UNUSED)
{
	struct maildrop_line l = {
		.number = UINT64_MAX,
		.event = MAILDROP_ADDED,
		.id = UINT64_MAX,
		.volume = UINT32_MAX,
		.slot = UINT32_MAX,
		.size = UINT64_MAX,
		.stored = UINT64_MAX,
		.header_end = UINT64_MAX,
		.key = {UINT64_MAX, UINT64_MAX},
		.count = UINT64_MAX,
		.octets = UINT64_MAX,
	};
	struct maildrop_line back;
	struct buf out, trace;

	/* a trace of 1024 octets that are all encoded */
	buf_init(&trace, 3072);
	while (trace.n < 3072)
		buf_put(&trace, STR("%25"));
	l.trace = buf_str(&trace);
	buf_init(&out, MAILDROP_LINE_MAX);
	maildrop_line_print(&l, UINT64_MAX, &out);
	assert_false(buf_over(&out));
	buf_cut(&out, out.n - 1);
	assert_true(maildrop_line_parse(buf_str(&out), UINT64_MAX, &back));
	assert_true(back.id == UINT64_MAX && back.volume == UINT32_MAX &&
		    back.octets == UINT64_MAX);
	assert_true(str_eq(back.trace, l.trace));
	buf_fini(&out);
	buf_fini(&trace);
}

static void no_damage_passes(void **state UNUSED)
{
	struct maildrop_line l;
	char text[256];

	for (size_t i = 0; i < countof(golden); i++) {
		size_t n = strlen(golden[i]);

		assert_true(parses(str_of(golden[i]), uid, &l));
		for (size_t at = 0; at < n; at++) {
			for (int bit = 0; bit < 8; bit++) {
				memcpy(text, golden[i], n + 1);
				text[at] = (char)(text[at] ^ 1 << bit);
				/* a sum in upper case is the same sum */
				if (at >= n - 16 && bit == 5 && golden[i][at] > '9')
					continue;
				assert_false(parses((struct str){text, n}, uid, &l));
			}
			assert_false(parses((struct str){golden[i], at}, uid, &l));
		}
	}
}

static void a_line_says_whose_it_is(void **state UNUSED)
{
	struct maildrop_line l;

	for (size_t i = 0; i < countof(golden); i++)
		assert_false(parses(str_of(golden[i]), uid + 1, &l));
}

/* No space for a line, but none is needed to change an octet. */
static void an_added_line_can_be_dropped_in_place(void **state UNUSED)
{
	char text[256];
	struct maildrop_line l;

	memcpy(text, golden[1], strlen(golden[1]) + 1);
	text[2] = 'x';
	assert_true(parses(str_of(text), uid, &l));
	assert_int_equal(l.event, MAILDROP_DROPPED);
	assert_int_equal(l.id, id);
	assert_int_equal(l.size, 82);
	/* and no other */
	for (size_t i = 2; i < countof(golden); i++) {
		memcpy(text, golden[i], strlen(golden[i]) + 1);
		text[2] = 'x';
		assert_false(parses(str_of(text), uid, &l));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_written_to_the_octet),
		cmocka_unit_test(holds_the_largest_numbers),
		cmocka_unit_test(no_damage_passes),
		cmocka_unit_test(a_line_says_whose_it_is),
		cmocka_unit_test(an_added_line_can_be_dropped_in_place),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
