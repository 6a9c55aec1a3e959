/* SPDX-License-Identifier: ISC */
#include "mail/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *encoding, *text, *octets;
} cases[] = {
	/* clang-format off */
	{"base64", "aGVsbG8=", "hello"},
	{"BASE64", "aGVs\r\nbG8=\r\n", "hello"},
	{" base64 ", "aGVsbG8", "hello"},
	{"base64", "aGVsbG8=aGVsbG8=", "hellohello"},
	{"base64", "a!G-V_s(bG8=", "hello"},
	{"base64", "a", ""},
	{"base64", "====", ""},
	{"base64", "", ""},
	{"quoted-printable", "a=3Db", "a=b"},
	{"Quoted-Printable", "gr=c3=BC", "grü"},
	{"quoted-printable", "soft =\r\nbreak", "soft break"},
	{"quoted-printable", "soft =\nbreak", "soft break"},
	{"quoted-printable", "soft= \t\r\nbreak", "softbreak"},
	{"quoted-printable", "blanks \t \r\ngo", "blanks\r\ngo"},
	{"quoted-printable", "lf\nstays", "lf\nstays"},
	{"quoted-printable", "=", ""},
	{"quoted-printable", "a=4", "a=4"},
	{"quoted-printable", "a=4x", "a=4x"},
	{"quoted-printable", "a==41", "a=A"},
	{"quoted-printable", "end=41", "endA"},
	{"7bit", "a=3D ", "a=3D "},
	{"8bit", "gr\xc3", "gr\xc3"},
	{"x-unknown", "a", "a"},
	/* clang-format on */
};

static void decodes(void **state UNUSED)
{
	for (size_t i = 0; i < countof(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = xalloc(n); /* so that ASan sees a read past the end */
		struct buf out;

		memcpy(exact, cases[i].text, n);
		buf_init(&out, n);
		transfer_decode(transfer_of(str_of(cases[i].encoding)),
				(struct str){exact, n}, &out);
		print_message("# %s\n", cases[i].text);
		assert_false(buf_over(&out));
		assert_string_equal(buf_cstr(&out), cases[i].octets);
		buf_fini(&out);
		xfree(&exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
