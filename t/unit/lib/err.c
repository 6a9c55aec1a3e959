/* SPDX-License-Identifier: ISC */
#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

static void says_class_code_and_text(void **state UNUSED)
{
	struct err e = {.sys = 5};

	assert_int_equal(err_set(&e, ERR_PERM, "5.1.1", "no %s", "alice"), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_string_equal(e.dsn, "5.1.1");
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "no alice");
}

static void context_comes_in_front(void **state UNUSED)
{
	struct err e;

	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open %s", "maildrop"), -1);
	assert_string_equal(e.text, "open maildrop: No such file or directory");
	assert_int_equal(err_add(&e, "deliver to %s", "alice"), -1);
	assert_string_equal(e.text,
			    "deliver to alice: open maildrop: No such file or directory");
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.dsn, "4.3.0");
}

static void a_full_disk_has_a_code_of_its_own(void **state UNUSED)
{
	static const struct {
		int sys;
		const char *dsn;
	} rows[] = {
		{ENOSPC, "4.3.1"}, {EDQUOT, "4.3.1"}, {EFBIG, "4.3.1"},  {EIO, "4.3.0"},
		{EACCES, "4.3.0"}, {ENOENT, "4.3.0"}, {EMFILE, "4.3.0"},
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct err e;

		errno = rows[i].sys;
		err_sys(&e, "write");
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(e.sys, rows[i].sys);
		assert_string_equal(e.dsn, rows[i].dsn);
	}
}

static void long_text_is_cut_not_overrun(void **state UNUSED)
{
	struct {
		struct err e;
		char guard[8];
	} at;
	char text[1000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memcpy(at.guard, "guarded", 8);
	err_set(&at.e, ERR_TEMP, "4.3.0 and more than fits", "%s", text);
	assert_int_equal(strlen(at.e.text), sizeof at.e.text - 1);
	assert_int_equal(strlen(at.e.dsn), sizeof at.e.dsn - 1);
	errno = ENOSPC;
	err_sys(&at.e, "%s", text);
	assert_int_equal(strlen(at.e.text), sizeof at.e.text - 1);
	err_add(&at.e, "deliver");
	assert_int_equal(strlen(at.e.text), sizeof at.e.text - 1);
	assert_memory_equal(at.e.text, "deliver: xxx", 12);
	err_add(&at.e, "%s", text);
	assert_int_equal(strlen(at.e.text), sizeof at.e.text - 1);
	assert_string_equal(at.guard, "guarded");
}

static void exit_statuses(void **state UNUSED)
{
	static const struct {
		struct err e;
		int status;
	} rows[] = {
		/* clang-format off */
		{{.class = ERR_NONE},                                 EX_OK},
		{{.class = ERR_TEMP, .dsn = "4.3.0"},                 EX_TEMPFAIL},
		{{.class = ERR_TEMP, .dsn = "4.3.0", .sys = EACCES},  EX_NOPERM},
		{{.class = ERR_TEMP, .dsn = "4.3.0", .sys = EPERM},   EX_NOPERM},
		{{.class = ERR_TEMP, .dsn = "4.3.1", .sys = ENOSPC},  EX_TEMPFAIL},
		{{.class = ERR_PERM, .dsn = "5.1.1"},                 EX_NOUSER},
		{{.class = ERR_PERM, .dsn = "5.1.2"},                 EX_NOHOST},
		{{.class = ERR_PERM, .dsn = "5.3.5"},                 EX_CONFIG},
		{{.class = ERR_PERM, .dsn = "5.5.4"},                 EX_USAGE},
		{{.class = ERR_PERM, .dsn = "5.3.0"},                 EX_DATAERR},
		{{.class = ERR_PEER, .dsn = ""},                      EX_DATAERR},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++)
		assert_int_equal(err_exit_status(&rows[i].e), rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_class_code_and_text),
		cmocka_unit_test(context_comes_in_front),
		cmocka_unit_test(a_full_disk_has_a_code_of_its_own),
		cmocka_unit_test(long_text_is_cut_not_overrun),
		cmocka_unit_test(exit_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
