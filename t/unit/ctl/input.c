/* SPDX-License-Identifier: ISC */
/* Lines from a pipe, written whole and an octet at a time: the same answers. */
#include "ctl/input.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Stand for as many octets of 'x': INPUT_LINE_MAX, and more than one read(2). */
#define FITS "F"
#define HUGE "H"

static const struct {
	const char *name;
	const char *in;
	const char *out; /* "number:line;", or "number:long;" */
} cases[] = {
	/* clang-format off */
	{"nothing",                     "",                    ""},
	{"one line",                    "a\n",                 "1:a;"},
	{"the last one without LF",     "a\nb",                "1:a;2:b;"},
	{"CRLF",                        "a\r\nb\r",            "1:a;2:b;"},
	{"a CR inside stays",           "a\rb\n",              "1:a\rb;"},
	{"empty lines count",           "\n\na\n",             "1:;2:;3:a;"},
	{"just fits",                   FITS "\nb\n",          "1:" FITS ";2:b;"},
	{"just fits with CRLF",         FITS "\r\nb\n",        "1:" FITS ";2:b;"},
	{"one too many",                "x" FITS "\nb\n",      "1:long;2:b;"},
	{"one too many with CRLF",      "x" FITS "\r\nb\n",    "1:long;2:b;"},
	{"one too many at the end",     "x" FITS,              "1:long;"},
	{"far too long is one line",    HUGE "\nb\n",          "1:long;2:b;"},
	{"far too long at the end",     "a\n" HUGE,            "1:a;2:long;"},
	{"two of them",                 HUGE "\n" HUGE "\nb",  "1:long;2:long;3:b;"},
	/* clang-format on */
};

static void expand(const char *s, struct buf *out)
{
	for (; *s; s++)
		for (int i = 0; i < (*s == 'F'   ? INPUT_LINE_MAX
				     : *s == 'H' ? 200000
						 : 1);
		     i++)
			buf_putc(out, *s == 'F' || *s == 'H' ? 'x' : *s);
}

struct writer {
	int fd;
	size_t step;
	struct str bytes;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (size_t at = 0; at < w->bytes.n;) {
		size_t n = w->bytes.n - at < w->step ? w->bytes.n - at : w->step;
		ssize_t done = write(w->fd, w->bytes.p + at, n);

		assert_true(done > 0);
		at += (size_t)done;
	}
	close(w->fd);
	return NULL;
}

static void run_case(size_t i, size_t step)
{
	struct buf in, out, expected;
	struct input input;
	struct str line;
	struct err e;
	enum input_result r;
	pthread_t thread;
	int ends[2];

	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_init(&expected, 1 << 20);
	expand(cases[i].in, &in);
	expand(cases[i].out, &expected);
	assert_int_equal(pipe(ends), 0);

	struct writer w = {ends[1], step, buf_str(&in)};

	assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
	input_init(&input, ends[0]);
	while ((r = input_next(&input, &line, &e)) == INPUT_LINE || r == INPUT_TOO_LONG)
		buf_printf(&out, "%u:" STR_FMT ";", (unsigned)input.number,
			   STR_ARG(r == INPUT_LINE ? line : STR("long")));
	print_message("# %s, %zu octets at a time\n", cases[i].name, step);
	assert_int_equal(r, INPUT_END);
	assert_string_equal(buf_cstr(&out), buf_cstr(&expected));
	assert_int_equal(input_next(&input, &line, &e), INPUT_END);
	assert_int_equal(pthread_join(thread, NULL), 0);
	input_fini(&input);
	close(ends[0]);
	buf_fini(&in);
	buf_fini(&out);
	buf_fini(&expected);
}

static void lines_whole_and_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		run_case(i, 1 << 20);
		run_case(i, strchr(cases[i].in, 'H') ? 1000 : 1);
	}
}

static void a_bad_descriptor_is_an_error(void **state)
{
	struct input input;
	struct str line;
	struct err e;

	(void)state;
	input_init(&input, -1);
	assert_int_equal(input_next(&input, &line, &e), INPUT_FAILED);
	assert_string_equal(e.text, "read the input: Bad file descriptor");
	input_fini(&input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_whole_and_in_pieces),
		cmocka_unit_test(a_bad_descriptor_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
