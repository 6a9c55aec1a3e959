/* SPDX-License-Identifier: ISC */
/* Lines of at most 16 octets, fed whole and a byte at a time: the same answers. */
#include "lib/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

enum { MAX = 16 };

static const struct line_case {
	const char *name;
	struct str in;
	const char *out; /* what came of it, see one() */
} cases[] = {
	/* clang-format off */
	{"nothing",                  STR_INIT(""),                                ""},
	{"one line",                 STR_INIT("NOOP\r\n"),                        "[NOOP]"},
	{"an empty line is a line",  STR_INIT("\r\n"),                            "[]"},
	{"two lines",                STR_INIT("a\r\nb\r\n"),                      "[a][b]"},
	{"half a line",              STR_INIT("a\r\nb"),                          "[a]"},
	{"CR waits for its LF",      STR_INIT("a\r"),                             ""},
	{"just fits",                STR_INIT("12345678901234\r\nb\r\n"),         "[12345678901234][b]"},
	{"one too many",             STR_INIT("123456789012345\r\nb\r\n"),        "long[b]"},
	{"far too many",             STR_INIT("1234567890123456789012345678901234567890\r\nb\r\n"), "long[b]"},
	{"too long is said once",    STR_INIT("12345678901234567\r\n12345678901234567\r\nb\r\n"), "longlong[b]"},
	{"too long and LF alone",    STR_INIT("12345678901234567\nb\r\n"),     "bare[b]"},
	{"too long and still going", STR_INIT("1234567890123456789012345678901234567890"), ""},
	{"LF alone",                 STR_INIT("QUIT\nSTAT\r\n"),                  "bare[STAT]"},
	{"only LF",                  STR_INIT("\n\n"),                            "barebare"},
	{"CR inside",                STR_INIT("a\rb\r\nc\r\n"),                   "bare[c]"},
	{"CR twice at the end",      STR_INIT("a\r\r\nc\r\n"),                    "bare[c]"},
	{"CR then LF of a next",     STR_INIT("\ra\nc\r\n"),                      "bare[c]"},
	{"NUL is found at once",     STR_INIT("a\0b\r\n"),                        "nul"},
	{"NUL in a long line",       STR_INIT("12345678901234567890\0\r\n"),      "nul"},
	{"eight bits pass",          STR_INIT("\xff\x80\r\n"),                    "[\xff\x80]"},
	/* clang-format on */
};

/* The same with lf_ends. */
static const struct line_case lf_cases[] = {
	/* clang-format off */
	{"CRLF ends a line",         STR_INIT("NOOP\r\nb\r\n"),                   "[NOOP][b]"},
	{"LF alone does, too",       STR_INIT("QUIT\nSTAT\r\nb\n"),              "[QUIT][STAT][b]"},
	{"empty lines",              STR_INIT("\n\r\n"),                         "[][]"},
	{"CR inside does not",       STR_INIT("a\rb\nc\n"),                      "bare[c]"},
	{"CR twice at the end",      STR_INIT("a\r\r\nc\n"),                     "bare[c]"},
	{"just fits",                STR_INIT("123456789012345\nb\n"),           "[123456789012345][b]"},
	{"one too many",             STR_INIT("1234567890123456\nb\n"),          "long[b]"},
	{"NUL is found at once",     STR_INIT("a\0b\n"),                         "nul"},
	/* clang-format on */
};

/* one - writes what came of it; false when there is nothing more to feed */
static bool one(struct buf *out, const struct lines *l, enum lines_result r)
{
	switch (r) {
	case LINES_MORE:
		return true;
	case LINES_ONE:
		buf_printf(out, "[" STR_FMT "]", STR_ARG(lines_text(l)));
		return true;
	case LINES_TOO_LONG:
		buf_put(out, STR("long"));
		return true;
	case LINES_BARE:
		buf_put(out, STR("bare"));
		return true;
	case LINES_NUL:
		buf_put(out, STR("nul"));
		return false;
	}
	return false;
}

static void run(const struct line_case *c, bool lf_ends, size_t step)
{
	struct lines l;
	struct buf out;
	struct str in = c->in;
	enum lines_result r;
	bool more = true;

	lines_init(&l, MAX);
	l.lf_ends = lf_ends;
	buf_init(&out, 1024);
	while (more && in.n > 0) {
		size_t n = in.n < step ? in.n : step;
		char *piece = xalloc(n); /* so that a read past the end is seen */

		memcpy(piece, in.p, n);
		size_t used = lines_feed(&l, (struct str){piece, n}, &r);

		assert_in_range(used, 1, n);
		more = one(&out, &l, r);
		in = (struct str){in.p + used, in.n - used};
		xfree(&piece);
	}
	if (strcmp(buf_cstr(&out), c->out) != 0)
		print_error("%s, %zu at a time\n", c->name, step);
	assert_string_equal(buf_cstr(&out), c->out);
	lines_fini(&l);
	assert_null(l.text);
	buf_fini(&out);
}

static void run_all(const struct line_case *c, size_t n, bool lf_ends)
{
	for (size_t i = 0; i < n; i++)
		for (size_t step = 1; step <= 64; step = step < 4 ? step + 1 : step * 4)
			run(&c[i], lf_ends, step);
}

static void whole_and_in_pieces(void **state)
{
	(void)state;
	run_all(cases, countof(cases), false);
}

static void lf_alone_ends_a_line_where_it_may(void **state)
{
	(void)state;
	run_all(lf_cases, countof(lf_cases), true);
}

static void a_line_can_be_forgotten(void **state)
{
	struct lines l;
	enum lines_result r;

	(void)state;
	lines_init(&l, MAX);
	lines_feed(&l, STR("PASS x\r\n"), &r);
	assert_int_equal(r, LINES_ONE);
	lines_forget(&l);
	assert_int_equal(lines_text(&l).n, 0);
	for (size_t i = 0; i < MAX; i++)
		assert_int_equal(l.text[i], 0);
	lines_feed(&l, STR("QUIT\r\n"), &r);
	assert_int_equal(r, LINES_ONE);
	assert_true(str_eq(lines_text(&l), STR("QUIT")));
	lines_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_can_be_forgotten),
		cmocka_unit_test(whole_and_in_pieces),
		cmocka_unit_test(lf_alone_ends_a_line_where_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
