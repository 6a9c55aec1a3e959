/* SPDX-License-Identifier: ISC */
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The example of doc/STORE.md, to the octet. */
static const char golden[] = "popstore-example 1\n"
			     "name alice@example.org\n"
			     "quota 104857600\n"
			     "note 50%25 of it,%0aor so\n"
			     "sum 492bb11af3bcc1a4\n";

static void put_golden(struct record_writer *w)
{
	record_begin(w, "popstore-example");
	record_put(w, "name", STR("alice@example.org"));
	record_put_u64(w, "quota", 104857600);
	record_put(w, "note", STR("50% of it,\nor so"));
}

static bool whole(struct str text, const char *kind)
{
	struct err e = {0};
	char *exact = xalloc(text.n); /* so that ASan sees a read past the end */

	memcpy(exact, text.p, text.n);

	bool ok = record_check((struct str){exact, text.n}, kind, "x", &e) == 0;

	if (!ok)
		assert_int_equal(e.class, ERR_TEMP);
	xfree(&exact);
	return ok;
}

static void is_written_to_the_octet(void **state UNUSED)
{
	struct record_writer w;

	put_golden(&w);
	assert_true(record_fits(&w));
	assert_true(str_eq(record_finish(&w), str_of(golden)));
	assert_true(whole(str_of(golden), "popstore-example"));
	record_fini(&w);
}

static void gives_back_what_was_put(void **state UNUSED)
{
	struct record_writer w;
	struct str text;
	struct buf out;
	char all[256];
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	record_begin(&w, "popstore-example");
	record_put(&w, "all", (struct str){all, sizeof all});
	record_put(&w, "twice", STR("first"));
	record_put(&w, "twice", STR("second"));
	record_put(&w, "empty", STR(""));
	record_put(&w, "code", STR("%41"));
	record_put_u64(&w, "most", UINT64_MAX);
	text = record_finish(&w);
	assert_true(whole(text, "popstore-example"));

	buf_init(&out, 1024);
	assert_true(record_get(text, "all", &out));
	assert_true(str_eq(buf_str(&out), (struct str){all, sizeof all}));
	buf_clear(&out);
	assert_true(record_get(text, "twice", &out));
	assert_string_equal(buf_cstr(&out), "first");
	buf_clear(&out);
	assert_true(record_get(text, "code", &out));
	assert_string_equal(buf_cstr(&out), "%41");
	buf_clear(&out);
	assert_true(record_get(text, "empty", &out));
	assert_string_equal(buf_cstr(&out), "");
	assert_true(record_get_u64(text, "most", &n));
	assert_int_equal(n, UINT64_MAX);
	assert_false(record_get(text, "twic", &out));
	assert_false(record_get(text, "sum", &out));
	assert_false(record_get(text, "popstore-example", &out));
	assert_false(record_get_u64(text, "twice", &n));
	buf_fini(&out);
	record_fini(&w);
}

static void lines_come_in_their_order(void **state UNUSED)
{
	static const char *const rows[][2] = {{"name", "alice@example.org"},
					      {"quota", "104857600"},
					      {"note", "50%25 of it,%0aor so"}};
	struct str rest = str_of(golden), key, value;

	for (size_t i = 0; i < countof(rows); i++) {
		assert_true(record_next(&rest, &key, &value));
		assert_true(str_eq(key, str_of(rows[i][0])));
		assert_true(str_eq(value, str_of(rows[i][1])));
	}
	assert_false(record_next(&rest, &key, &value));
}

static void no_damage_passes(void **state UNUSED)
{
	char text[sizeof golden];

	for (size_t i = 0; i < sizeof golden - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, golden, sizeof golden);
			text[i] = (char)(text[i] ^ 1 << bit);
			/* a sum in upper case is the same sum */
			if (i >= sizeof golden - 18 && bit == 5 && golden[i] > '9')
				continue;
			assert_false(whole((struct str){text, sizeof golden - 1},
					   "popstore-example"));
		}
		assert_false(whole((struct str){golden, i}, "popstore-example"));
	}
	assert_false(whole(str_of(golden), "popstore-exampl"));
	assert_false(whole(str_of(golden), "popstore-example 1"));
	assert_false(whole(str_of(golden), "popstore-other"));
	assert_false(whole(STR("\n"), "popstore-example"));
}

static void a_sum_begins_its_line(void **state UNUSED)
{
	struct record_writer w;
	struct str text;

	/* The record's end is taken for the end of a line. */
	record_begin(&w, "popstore-example");
	buf_put(&w.text, STR("note "));
	text = record_finish(&w);
	assert_false(whole(text, "popstore-example"));
	record_fini(&w);
}

static void a_later_version_is_put_off(void **state UNUSED)
{
	struct record_writer w;
	struct str text;
	struct err e = {0};

	record_begin(&w, "popstore-example");
	w.text.p[w.text.n - 2] = '2';
	text = record_finish(&w);
	assert_int_equal(record_check(text, "popstore-example", "profile x", &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.dsn, "4.3.5");
	assert_string_equal(e.text,
			    "profile x has version 2, this program knows version 1");
	record_fini(&w);
}

static void knows_when_it_is_full(void **state UNUSED)
{
	static const char value[RECORD_MAX];
	const size_t rest = RECORD_MAX - sizeof "popstore-example 1" - sizeof "sum " -
			    sizeof "0123456789abcdef" + 1 - sizeof "k ";
	struct record_writer w;

	for (size_t more = 0; more < 2; more++) {
		struct buf text;

		buf_init(&text, RECORD_MAX);
		for (size_t i = 0; i < rest + more; i++)
			buf_putc(&text, 'x');
		record_begin(&w, "popstore-example");
		record_put(&w, "k", buf_str(&text));
		assert_int_equal(record_fits(&w), more == 0);
		if (more == 0) {
			assert_int_equal(record_finish(&w).n, RECORD_MAX);
			assert_true(whole(buf_str(&w.text), "popstore-example"));
		}
		record_fini(&w);
		buf_fini(&text);
	}
	record_begin(&w, "popstore-example");
	record_put(&w, "k", (struct str){value, sizeof value});
	assert_false(record_fits(&w));
	record_fini(&w);
}

static void decodes_only_what_is_a_code(void **state UNUSED)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		/* clang-format off */
		{STR_INIT(""),         STR_INIT("")},
		{STR_INIT("%41"),      STR_INIT("A")},
		{STR_INIT("%4a%4A"),   STR_INIT("JJ")},
		{STR_INIT("%00x"),     STR_INIT("\0x")},
		{STR_INIT("%"),        STR_INIT("%")},
		{STR_INIT("%4"),       STR_INIT("%4")},
		{STR_INIT("%zz"),      STR_INIT("%zz")},
		{STR_INIT("%4g"),      STR_INIT("%4g")},
		{STR_INIT("%%41"),     STR_INIT("%A")},
		{STR_INIT("%2541"),    STR_INIT("%41")},
		{STR_INIT("a b\xff"),  STR_INIT("a b\xff")},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		char *exact = xalloc(rows[i].in.n);
		struct buf out;

		memcpy(exact, rows[i].in.p, rows[i].in.n);
		buf_init(&out, 64);
		record_decode((struct str){exact, rows[i].in.n}, &out);
		assert_true(str_eq(buf_str(&out), rows[i].out));
		buf_fini(&out);
		xfree(&exact);
	}
}

static void encodes_control_octets_and_spaces_where_asked(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 64);
	record_encode(STR("a b%\t\x7f\x80\0z"), false, &out);
	assert_string_equal(buf_cstr(&out), "a b%25%09%7f\x80%00z");
	buf_clear(&out);
	record_encode(STR("a b"), true, &out);
	assert_string_equal(buf_cstr(&out), "a%20b");
	buf_fini(&out);
}

/* The examples of doc/STORE.md are what they say.  Run from the top of the tree. */
static void the_examples_of_the_document_are_whole(void **state UNUSED)
{
	FILE *f = fopen("doc/STORE.md", "r");
	char line[1024];
	struct buf text;
	size_t records = 0;
	bool inside = false;

	if (f == NULL)
		skip();
	buf_init(&text, RECORD_MAX);
	while (fgets(line, sizeof line, f) != NULL) {
		if (str_starts(str_of(line), STR("```")))
			inside = false;
		if (str_ends(str_of(line), STR(" 1\n")) &&
		    str_starts(str_of(line), STR("popstore-"))) {
			inside = true;
			buf_clear(&text);
		}
		if (inside)
			buf_put(&text, str_of(line));
		if (inside && str_starts(str_of(line), STR("sum "))) {
			struct str first = buf_str(&text), word = str_word(&first);
			char kind[64];

			snprintf(kind, sizeof kind, STR_FMT, STR_ARG(word));
			assert_true(whole(buf_str(&text), kind));
			records++;
		}
	}
	fclose(f);
	assert_true(records >= 5);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_written_to_the_octet),
		cmocka_unit_test(gives_back_what_was_put),
		cmocka_unit_test(lines_come_in_their_order),
		cmocka_unit_test(no_damage_passes),
		cmocka_unit_test(a_sum_begins_its_line),
		cmocka_unit_test(a_later_version_is_put_off),
		cmocka_unit_test(knows_when_it_is_full),
		cmocka_unit_test(decodes_only_what_is_a_code),
		cmocka_unit_test(encodes_control_octets_and_spaces_where_asked),
		cmocka_unit_test(the_examples_of_the_document_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
