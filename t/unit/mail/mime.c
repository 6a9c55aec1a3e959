/* SPDX-License-Identifier: ISC */
#include "mail/mime.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Parts depth first, as depth:type/subtype=text, parted by "; ". */
static const struct {
	const char *name, *text, *parts;
} cases[] = {
	/* clang-format off */
	{"no MIME", "A: b\r\n\r\nbody", "0:text/plain=body"},
	{"a type", "Content-Type: IMAGE/Png\r\n\r\nx", "0:image/png=x"},
	{"no type in it", "Content-Type: foo\r\n\r\nx", "0:text/plain=x"},
	{"two parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\nafter\r\n",
	 "0:multipart/mixed; 1:text/plain=one; 1:text/html=two"},
	{"LF", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n",
	 "0:multipart/mixed; 1:text/plain=one; 1:text/plain=two"},
	{"blanks behind the boundary", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\n\r\none\r\n--b-- \r\n",
	 "0:multipart/mixed; 1:text/plain=one"},
	{"no last boundary", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n",
	 "0:multipart/mixed; 1:text/plain=one\r\n"},
	{"no boundary", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none", "0:multipart/mixed"},
	{"an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\none", "0:multipart/mixed"},
	{"no parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--b--\r\n", "0:multipart/mixed"},
	{"an empty part", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--\r\n", "0:multipart/mixed; 1:text/plain="},
	{"nested", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nin\r\n--c--\r\n--b\r\n\r\nout\r\n--b--\r\n",
	 "0:multipart/mixed; 1:multipart/alternative; 2:text/plain=in; 1:text/plain=out"},
	{"the outer boundary ends the inner part", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nin\r\n--b\r\n\r\nout\r\n--b--\r\n",
	 "0:multipart/mixed; 1:multipart/alternative; 2:text/plain=in; 1:text/plain=out"},
	{"a message", "Content-Type: message/rfc822\r\n\r\nA: b\r\nContent-Type: text/html\r\n\r\nx", "0:message/rfc822; 1:text/html=x"},
	{"a digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\nx\r\n--b--\r\n",
	 "0:multipart/digest; 1:message/rfc822; 2:text/plain=x"},
	{"a message that is encoded", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", "0:message/rfc822=A"},
	{"decoded", "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC", "0:text/plain=ü"},
	{"no text stays octets", "Content-Type: a/b; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\neA==", "0:a/b=x"},
	/* clang-format on */
};

static struct mime_part *parse(struct arena *a, struct str text)
{
	struct header *h = arena_alloc(a, sizeof *h);

	header_parse(h, a, &text, false);
	return mime_parse(a, h, text);
}

static unsigned depth_of(const struct mime_part *p)
{
	unsigned n = 0;

	for (; p->parent != NULL; p = p->parent)
		n++;
	return n;
}

static void finds_parts(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct arena a;
		struct buf out;
		struct str text = str_of(cases[i].text);

		arena_init(&a, SIZE_MAX);
		text = arena_str(&a, text);
		buf_init(&out, 4000);

		struct mime_part *top = parse(&a, text);

		for (struct mime_part *p = top; p != NULL; p = mime_next(p, top)) {
			buf_printf(&out, "%s%u:" STR_FMT "/" STR_FMT,
				   p == top ? "" : "; ", depth_of(p), STR_ARG(p->type),
				   STR_ARG(p->subtype));
			if (p->child != NULL || str_eq(p->type, STR("multipart")))
				continue;
			buf_putc(&out, '=');
			mime_decode(p, &out);
		}
		print_message("# %s\n", cases[i].name);
		assert_string_equal(buf_cstr(&out), cases[i].parts);
		buf_fini(&out);
		arena_fini(&a);
	}
}

static size_t count(const struct mime_part *top, unsigned *depth)
{
	size_t n = 0;

	*depth = 0;
	for (const struct mime_part *p = top; p != NULL; p = mime_next(p, top)) {
		n++;
		if (depth_of(p) > *depth)
			*depth = depth_of(p);
	}
	return n;
}

static void no_more_parts_than_the_limit(void **state UNUSED)
{
	struct arena a;
	struct buf text;
	unsigned depth;

	arena_init(&a, SIZE_MAX);
	buf_init(&text, 1 << 20);
	buf_put(&text, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
	for (size_t i = 0; i < 50000; i++)
		buf_put(&text, STR("--b\r\n\r\nx\r\n"));
	assert_int_equal(count(parse(&a, buf_str(&text)), &depth), MIME_PARTS);
	buf_fini(&text);
	arena_fini(&a);
}

static void no_deeper_than_the_limit(void **state UNUSED)
{
	struct arena a;
	struct buf text;
	unsigned depth;

	arena_init(&a, SIZE_MAX);
	buf_init(&text, 8 << 20);
	for (size_t i = 0; i < 100000; i++)
		buf_put(&text, STR("Content-Type: message/rfc822\r\n\r\n"));
	assert_int_equal(count(parse(&a, buf_str(&text)), &depth), MIME_DEPTH + 1);
	assert_int_equal(depth, MIME_DEPTH);
	buf_fini(&text);
	arena_fini(&a);
}

static void html_is_read(void **state UNUSED)
{
	struct arena a;
	struct buf out;

	arena_init(&a, SIZE_MAX);
	buf_init(&out, 1000);
	mime_visible(parse(&a, STR("Content-Type: text/html\r\n\r\n<p>a<b>b</b>")), &out);
	assert_string_equal(buf_cstr(&out), "ab");
	buf_fini(&out);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_parts),
		cmocka_unit_test(no_more_parts_than_the_limit),
		cmocka_unit_test(no_deeper_than_the_limit),
		cmocka_unit_test(html_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
