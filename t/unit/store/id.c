/* SPDX-License-Identifier: ISC */
#include "store/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	uint64_t id;
	const char *text;
} printed[] = {
	/* clang-format off */
	{0,                             "0000000000000"},
	{1,                             "0000000000001"},
	{31,                            "000000000000v"},
	{32,                            "0000000000010"},
	{UINT64_C(1) << 60,             "1000000000000"},
	{UINT64_C(0x0123456789abcdef),  "028q5cu4qnjff"},
	{UINT64_MAX,                    "fvvvvvvvvvvvv"},
	/* clang-format on */
};

static void prints_and_parses(void **state UNUSED)
{
	for (size_t i = 0; i < countof(printed); i++) {
		uint64_t id = ~printed[i].id;

		assert_string_equal(id_print(printed[i].id).c, printed[i].text);
		assert_true(id_parse(str_of(printed[i].text), &id));
		assert_int_equal(id, printed[i].id);
	}
}

static void the_order_of_numbers_is_that_of_texts(void **state UNUSED)
{
	uint64_t before = 0;

	for (uint64_t id = 1; id < UINT64_MAX / 3; id = id * 3 + 1) {
		assert_true(strcmp(id_print(before).c, id_print(id).c) < 0);
		before = id;
	}
}

static void refuses_what_is_no_id(void **state UNUSED)
{
	static const struct str rows[] = {
		/* clang-format off */
		STR_INIT(""),
		STR_INIT("000000000000"),      /* 12 */
		STR_INIT("00000000000000"),    /* 14 */
		STR_INIT("g000000000000"),     /* 65 bits */
		STR_INIT("v000000000000"),
		STR_INIT(":000000000000"),
		STR_INIT("/000000000000"),
		STR_INIT("000000000000w"),
		STR_INIT("000000000000V"),
		STR_INIT("A000000000000"),
		STR_INIT("000000000000 "),
		STR_INIT("-000000000001"),
		STR_INIT("000000\0" "000000"),
		STR_INIT("000000000000\x80"),
		/* clang-format on */
	};
	uint64_t id;

	for (size_t i = 0; i < countof(rows); i++)
		assert_false(id_parse(rows[i], &id));
}

static void is_made_of_time_writer_and_sequence(void **state UNUSED)
{
	static const struct {
		uint64_t ms;
		uint32_t writer, sequence;
	} rows[] = {
		{ID_EPOCH_MS, 0, 0},     {ID_EPOCH_MS, ID_WRITERS - 1, ID_SEQUENCE - 1},
		{ID_EPOCH_MS + 1, 0, 0}, {UINT64_C(1795292023123), 7, 4095},
		{ID_LAST_MS, 0, 0},      {ID_LAST_MS, ID_WRITERS - 1, ID_SEQUENCE - 1},
	};

	for (size_t i = 0; i < countof(rows); i++) {
		uint64_t id = id_make(rows[i].ms, rows[i].writer, rows[i].sequence);

		assert_int_equal(id_unix_ms(id), rows[i].ms);
		assert_int_equal(id_writer(id), rows[i].writer);
		assert_int_equal(id & (ID_SEQUENCE - 1), rows[i].sequence);
	}
	assert_int_equal(id_make(ID_LAST_MS, ID_WRITERS - 1, ID_SEQUENCE - 1),
			 UINT64_MAX);
	/* time weighs more than the writer, the writer more than the sequence */
	assert_true(id_make(ID_EPOCH_MS + 1, 0, 0) >
		    id_make(ID_EPOCH_MS, ID_WRITERS - 1, ID_SEQUENCE - 1));
	assert_true(id_make(ID_EPOCH_MS, 1, 0) >
		    id_make(ID_EPOCH_MS, 0, ID_SEQUENCE - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_and_parses),
		cmocka_unit_test(the_order_of_numbers_is_that_of_texts),
		cmocka_unit_test(refuses_what_is_no_id),
		cmocka_unit_test(is_made_of_time_writer_and_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
