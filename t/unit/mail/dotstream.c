/* SPDX-License-Identifier: ISC */
#include "mail/dotstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* NUL is written as \0 in the rows, so they are literals with their length. */
static const struct {
	const char *name;
	struct str in;    /* from the wire, what follows the end included */
	struct str after; /* what must be left over */
	uint64_t size, header_end, bare_lf;
	uint32_t received;
} rows[] = {
	/* clang-format off */
	{"empty message",           STR_INIT(".\r\nQUIT\r\n"), STR_INIT("QUIT\r\n"), 0, 0, 0, 0},
	{"only an empty line",      STR_INIT("\r\n.\r\n"), STR_INIT(""), 2, 2, 0, 0},
	{"header and body",         STR_INIT("A: b\r\n\r\nhi\r\n.\r\nX"), STR_INIT("X"), 12, 8, 0, 0},
	{"header without a body",   STR_INIT("A: b\r\n.\r\n"), STR_INIT(""), 6, 0, 0, 0},
	{"only the first empty line ends the header",
	                            STR_INIT("A: b\r\n\r\n\r\n.\r\n"), STR_INIT(""), 10, 8, 0, 0},
	{"stuffed dots do not count", STR_INIT("\r\n..\r\n...\r\n.x\r\n.\r\n"), STR_INIT(""), 2 + 3 + 4 + 3, 2, 0, 0},
	{"dot and CR is no end",    STR_INIT("\r\n.\r\r\n.\r\n"), STR_INIT(""), 2 + 3, 2, 0, 0},
	{"dot, CR and text",        STR_INIT("\r\n.\rx\r\n.\r\n"), STR_INIT(""), 2 + 4, 2, 0, 0},
	{"dots inside a line",      STR_INIT("a.b.\r\n.\r\n"), STR_INIT(""), 6, 0, 0, 0},
	{"bare LF",                 STR_INIT("a\nb\r\n.\r\n"), STR_INIT(""), 5, 0, 1, 0},
	{"bare LF first",           STR_INIT("\n\r\n.\r\n"), STR_INIT(""), 3, 0, 1, 0},
	{"bare LF after a dot",     STR_INIT(".\n\r\n.\r\n"), STR_INIT(""), 3, 0, 1, 0},
	{"bare LF twice",           STR_INIT("a\n\nb\r\n.\r\n"), STR_INIT(""), 6, 0, 2, 0},
	{"bare CR, NUL and 8 bit",  STR_INIT("a\rb\0\377\r\n.\r\n"), STR_INIT(""), 7, 0, 0, 0},
	{"CR CR LF",                STR_INIT("\r\r\n\r\n.\r\n"), STR_INIT(""), 5, 5, 0, 0},
	{"received",                STR_INIT("Received: a\r\nRECEIVED:\r\n\r\nReceived: b\r\n.\r\n"),
	                            STR_INIT(""), 13 + 11 + 2 + 13, 26, 0, 2},
	{"received with a stuffed dot", STR_INIT(".Received: a\r\n\r\n.\r\n"), STR_INIT(""), 15, 16, 0, 1},
	{"not received",            STR_INIT("Received : a\r\nX-Received: b\r\n Received: c\r\nReceive\r\n"
	                                     "\rReceived: d\r\n.\rReceived: e\r\nReceived\r\n:\r\n.\r\n"),
	                            STR_INIT(""), 14 + 15 + 14 + 9 + 14 + 14 + 10 + 3, 0, 0, 0},
	/* clang-format on */
};

/* step - feeds `in` at most `n` octets at a time, from a place of its own */
static size_t step(struct dotstream *d, struct str in, size_t n)
{
	size_t used = 0;

	while (used < in.n && !d->ended) {
		char piece[256];
		size_t want = in.n - used < n ? in.n - used : n;

		assert_true(want <= sizeof piece);
		memcpy(piece, in.p + used, want);
		size_t took = dotstream_feed(d, (struct str){piece, want});
		assert_true(d->ended ? took <= want : took == want);
		used += took;
	}
	return used;
}

static void rows_whole_and_in_pieces(void **state UNUSED)
{
	for (size_t i = 0; i < countof(rows); i++) {
		for (size_t n = 1; n <= rows[i].in.n; n++) {
			struct dotstream d;

			dotstream_init(&d);
			size_t used = step(&d, rows[i].in, n);

			print_message("# %s, %zu octets at a time\n", rows[i].name, n);
			assert_true(d.ended);
			assert_int_equal(used, rows[i].in.n - rows[i].after.n);
			assert_int_equal(d.stored, used);
			assert_int_equal(d.size, rows[i].size);
			assert_int_equal(d.header_end, rows[i].header_end);
			assert_int_equal(d.bare_lf, rows[i].bare_lf);
			assert_int_equal(d.received, rows[i].received);
		}
	}
}

/* What looks like an end to some programs.  None of these is one. */
static const struct {
	struct str octets;
	uint64_t bare_lf;
	uint64_t dots; /* that RFC 1939 does not count */
} smuggled[] = {
	/* clang-format off */
	{STR_INIT("\n.\n"),          2, 0}, {STR_INIT("\n.\r\n"),        1, 0},
	{STR_INIT("\r\n.\n"),        1, 1}, {STR_INIT("\n.\r"),          1, 0},
	{STR_INIT("\r.\r"),          0, 0}, {STR_INIT("\r.\n"),          1, 0},
	{STR_INIT("\r.\r\n"),        0, 0}, {STR_INIT("\r\n.\r"),        0, 1},
	{STR_INIT("\r\n.\r\r\n"),    0, 1}, {STR_INIT("\r\0\n.\r\n"),    1, 0},
	{STR_INIT("\r\n\0.\r\n"),    0, 0}, {STR_INIT("\r\n.\0\r\n"),    0, 1},
	{STR_INIT("\r\r\n.\r\r\n"),  0, 1},
	/* clang-format on */
};

/* chunked - feeds `in` cut at the places where `cuts` has a bit */
static size_t chunked(struct dotstream *d, struct str in, unsigned cuts)
{
	size_t used = 0;

	for (size_t from = 0, to = 1; from < in.n && !d->ended; to++) {
		if (to < in.n && !(cuts >> (to - 1) & 1))
			continue;
		used += dotstream_feed(d, (struct str){in.p + from, to - from});
		from = to;
	}
	return used;
}

static void nothing_is_smuggled_in_any_chunking(void **state UNUSED)
{
	for (size_t i = 0; i < countof(smuggled); i++) {
		char text[32];
		size_t n = 0;

		text[n++] = 'a';
		memcpy(text + n, smuggled[i].octets.p, smuggled[i].octets.n);
		n += smuggled[i].octets.n;
		memcpy(text + n, "M\r\n.\r\nQ", 7);
		n += 7;
		for (unsigned cuts = 0; cuts < 1U << (n - 1); cuts++) {
			struct dotstream d;

			dotstream_init(&d);
			size_t used = chunked(&d, (struct str){text, n}, cuts);
			if (!d.ended || used != n - 1 || d.stored != n - 1 ||
			    d.size != n - 4 - smuggled[i].dots ||
			    d.bare_lf != smuggled[i].bare_lf)
				fail_msg("row %zu, cuts %x", i, cuts);
		}
	}
}

/* The same with a whole conversation behind it: one message, and the rest of the
 * octets up to the true end belong to it. */
static void smuggled_commands_stay_text(void **state UNUSED)
{
	for (size_t i = 0; i < countof(smuggled); i++) {
		struct buf b;
		struct dotstream d;

		buf_init(&b, 1000);
		buf_put(&b, STR("Subject: x\r\n\r\ntext"));
		buf_put(&b, smuggled[i].octets);
		buf_put(&b,
			STR("MAIL FROM:<x@y>\r\nRCPT TO:<a@b>\r\nDATA\r\n\r\n.\r\nNOOP\r\n"));
		for (size_t cut = 0; cut <= b.n; cut++) {
			dotstream_init(&d);
			size_t used = dotstream_feed(&d, (struct str){b.p, cut});
			used += dotstream_feed(&d, (struct str){b.p + cut, b.n - cut});
			if (d.ended)
				assert_int_equal(used, b.n - 6);
			else
				assert_true(cut == b.n);
		}
		buf_fini(&b);
	}
}

static const struct {
	const char *name;
	struct str in, out;
	uint64_t size;
} stuffing[] = {
	/* clang-format off */
	{"empty message",      STR_INIT(""), STR_INIT(".\r\n"), 0},
	{"text",               STR_INIT("A: b\r\n\r\nhi\r\n"), STR_INIT("A: b\r\n\r\nhi\r\n.\r\n"), 12},
	{"dots",               STR_INIT(".\r\n..\r\na.\r\n.x"), STR_INIT("..\r\n...\r\na.\r\n..x\r\n.\r\n"), 3 + 4 + 4 + 4},
	{"an end in the text", STR_INIT("a\r\n.\r\nMAIL\r\n"), STR_INIT("a\r\n..\r\nMAIL\r\n.\r\n"), 12},
	{"no line end at the end", STR_INIT("a"), STR_INIT("a\r\n.\r\n"), 3},
	{"CR at the end",      STR_INIT("a\r"), STR_INIT("a\r\r\n.\r\n"), 4},
	{"dot and CR at the end", STR_INIT(".\r"), STR_INIT("..\r\r\n.\r\n"), 4},
	{"CR alone",           STR_INIT("\r"), STR_INIT("\r\r\n.\r\n"), 3},
	{"dot alone",          STR_INIT("."), STR_INIT("..\r\n.\r\n"), 3},
	{"bare LF starts no line", STR_INIT("a\n.b\r\n"), STR_INIT("a\n.b\r\n.\r\n"), 6},
	{"NUL",                STR_INIT("\0.\0\r\n"), STR_INIT("\0.\0\r\n.\r\n"), 5},
	/* clang-format on */
};

static void stuffs_in_chunks_of_any_size(void **state UNUSED)
{
	for (size_t i = 0; i < countof(stuffing); i++) {
		for (size_t n = 1; n <= stuffing[i].in.n + 1; n++) {
			struct dotstream d, wire;
			struct buf out;
			struct str in = stuffing[i].in;

			print_message("# %s, chunks of %zu\n", stuffing[i].name, n);
			buf_init(&out, 1000);
			dotstream_init(&d);
			while (in.n > 0) {
				size_t k = in.n < n ? in.n : n;

				dotstream_stuff(&d, (struct str){in.p, k}, &out);
				in = (struct str){in.p + k, in.n - k};
			}
			assert_false(d.ended);
			dotstream_finish(&d, &out);
			assert_true(d.ended);
			assert_true(str_eq(buf_str(&out), stuffing[i].out));
			assert_int_equal(d.size, stuffing[i].size);

			dotstream_init(&wire);
			assert_int_equal(dotstream_feed(&wire, buf_str(&out)), out.n);
			assert_true(wire.ended);
			assert_int_equal(wire.size, d.size);
			assert_int_equal(wire.stored, d.stored);
			assert_int_equal(wire.header_end, d.header_end);
			buf_fini(&out);
		}
	}
}

/* A limit on the size is asked while the message arrives: it may never be
 * passed for a moment by octets that are the end. */
static void size_never_runs_ahead(void **state UNUSED)
{
	struct dotstream d;
	struct str in = STR("1234567\r\n.\r\n");

	dotstream_init(&d);
	for (size_t i = 0; i < in.n; i++) {
		assert_int_equal(dotstream_feed(&d, (struct str){in.p + i, 1}), 1);
		assert_true(d.size <= 9);
	}
	assert_int_equal(d.size, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_whole_and_in_pieces),
		cmocka_unit_test(nothing_is_smuggled_in_any_chunking),
		cmocka_unit_test(smuggled_commands_stay_text),
		cmocka_unit_test(stuffs_in_chunks_of_any_size),
		cmocka_unit_test(size_never_runs_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
