/* SPDX-License-Identifier: ISC */
#include "store/message_whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"

#define ID (UINT64_C(4711) << 20)

enum { STORED = 600 };

/* put - a message of so many octets for one recipient; gives where its text begins */
static uint64_t put(struct scratch *s, size_t stored)
{
	struct message_slot slot = {
		.uid = 17, .state = '+', .trace = STR("X:%20y%0d%0a")};
	struct message_info mi = {.id = ID,
				  .from = STR("sender@example.net"),
				  .envelope_id = STR("5f3k.1"),
				  .stored = stored,
				  .size = stored,
				  .n_slots = 1,
				  .slots = &slot};
	struct buf text, file;

	assert_true(name_read(STR("alice@example.org"), &slot.name));
	buf_init(&text, stored);
	while (text.n < stored)
		buf_putc(&text, (char)('a' + text.n % 23));
	mi.sum = XXH3_64bits(text.p, text.n);
	buf_init(&file, MESSAGE_HEADER_MAX);
	message_header_print(&mi, &file);
	buf_put(&file, buf_str(&text));
	scratch_ok(storage_put(s->store->root, message_path(ID).s, buf_str(&file), 0,
			       NULL, &e_));
	buf_fini(&text);
	buf_fini(&file);
	return mi.body;
}

static bool is_read(struct scratch *s, uint64_t id, uint64_t stored)
{
	struct message_whole *w = message_whole_read(s->store, 0, id, stored);
	bool read = w != NULL;

	message_whole_free(&w);
	return read;
}

static void a_message_comes_whole(void **state)
{
	static const size_t sizes[] = {1, STORED, MESSAGE_WHOLE_MAX};
	struct scratch *s = *state;

	for (size_t i = 0; i < countof(sizes); i++) {
		struct message_whole *w;
		struct str all;

		put(s, sizes[i]);
		w = message_whole_read(s->store, 0, ID, sizes[i]);
		assert_non_null(w);
		assert_int_equal(message_whole_info(w)->size, sizes[i]);
		assert_int_equal(message_whole_octets(w).n, sizes[i]);
		assert_int_equal(XXH3_64bits(message_whole_octets(w).p, sizes[i]),
				 message_whole_info(w)->sum);
		all = message_whole_behind(w, STR("+OK\r\n"));
		assert_int_equal(all.n, 5 + sizes[i]);
		assert_memory_equal(all.p, "+OK\r\na", 6);
		message_whole_free(&w);
		assert_null(w);
	}
}

static void what_is_put_in_front_has_a_limit(void **state)
{
	struct scratch *s = *state;
	char front[MESSAGE_WHOLE_FRONT + 1];
	struct message_whole *w;

	memset(front, '-', sizeof front);
	put(s, STORED);
	w = message_whole_read(s->store, 0, ID, STORED);
	assert_non_null(w);
	assert_int_equal(message_whole_behind(w, (struct str){front, sizeof front}).n, 0);
	assert_int_equal(message_whole_behind(w, (struct str){front, sizeof front - 1}).n,
			 sizeof front - 1 + STORED);
	assert_int_equal(XXH3_64bits(message_whole_octets(w).p, STORED),
			 message_whole_info(w)->sum);
	message_whole_free(&w);
}

/* Of the slots, which RETR does not read, nobody is told. */
static void one_wrong_octet_and_it_is_not_read(void **state)
{
	struct scratch *s = *state;
	uint64_t body = put(s, STORED);
	struct scratch_path path = scratch_message(ID);
	struct buf text;
	const char *slots;

	buf_init(&text, MESSAGE_HEADER_MAX);
	scratch_read(s, path.s, &text);
	slots = strstr(buf_cstr(&text), "rcpt ");
	assert_non_null(slots);
	for (size_t i = 0; i < text.n; i++) {
		bool is_slot = i >= (size_t)(slots - text.p) && i < body;

		text.p[i] ^= 1;
		scratch_write(s, path.s, buf_str(&text));
		assert_int_equal(is_read(s, ID, STORED), is_slot);
		text.p[i] ^= 1;
	}
	scratch_write(s, path.s, buf_str(&text));
	assert_true(is_read(s, ID, STORED));
	buf_fini(&text);
}

static void what_is_not_all_of_it_is_not_read(void **state)
{
	struct scratch *s = *state;
	struct scratch_path path = scratch_message(ID);
	struct buf text;

	assert_false(is_read(s, ID, STORED));
	put(s, STORED);
	assert_false(is_read(s, ID, STORED + 1));
	assert_false(is_read(s, ID, STORED - 1));
	assert_false(is_read(s, ID + 1, STORED));
	buf_init(&text, MESSAGE_HEADER_MAX);
	scratch_read(s, path.s, &text);
	for (size_t n = 0; n < text.n; n++) {
		scratch_write(s, path.s, (struct str){text.p, n});
		assert_false(is_read(s, ID, STORED));
	}
	buf_putc(&text, 'x');
	scratch_write(s, path.s, buf_str(&text));
	assert_false(is_read(s, ID, STORED));
	buf_fini(&text);
}

static void the_name_of_another_message_is_not_enough(void **state)
{
	struct scratch *s = *state;
	struct buf text;

	put(s, STORED);
	buf_init(&text, MESSAGE_HEADER_MAX);
	scratch_read(s, scratch_message(ID).s, &text);
	scratch_write(s, scratch_message(ID + 1).s, buf_str(&text));
	assert_false(is_read(s, ID + 1, STORED));
	buf_fini(&text);
}

static void what_is_large_is_left_to_others(void **state)
{
	struct scratch *s = *state;

	put(s, MESSAGE_WHOLE_MAX + 1);
	assert_false(is_read(s, ID, MESSAGE_WHOLE_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_message_comes_whole),
		scratch_test(what_is_put_in_front_has_a_limit),
		scratch_test(one_wrong_octet_and_it_is_not_read),
		scratch_test(what_is_not_all_of_it_is_not_read),
		scratch_test(the_name_of_another_message_is_not_enough),
		scratch_test(what_is_large_is_left_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
