/* SPDX-License-Identifier: ISC */
#include "lib/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct sample {
	char *name, *dir;
	uint64_t count, octets, seconds;
	bool yes;
	int word;
	struct conf_list texts, paths;
};

static const char *const words[] = {"red", "green", NULL};

static const char *no_x(struct str s)
{
	return s.n > 0 && memchr(s.p, 'x', s.n) != NULL ? "holds an x" : NULL;
}

static const char *this_name(void)
{
	return "computed";
}

/* clang-format off */
#define ROW(sec, nam, knd, ctype, ...) \
	{.section = (sec), .name = #nam, .kind = (knd), \
	 .offset = CONF_FIELD(struct sample, nam, ctype), .doc = "About " #nam ".", __VA_ARGS__}

static const struct conf_item items[] = {
	ROW("",  name,    CONF_TEXT,    char *,           .def = "this machine", .def_now = this_name, .min = 1, .max = 12, .wrong = no_x),
	ROW("s", dir,     CONF_PATH,    char *,           .def = "/d", .min = 1, .max = 20),
	ROW("s", count,   CONF_COUNT,   uint64_t,         .def = "7", .min = 1, .max = 9),
	ROW("s", octets,  CONF_OCTETS,  uint64_t,         .def = "1M", .min = 0, .max = UINT64_MAX),
	ROW("s", seconds, CONF_SECONDS, uint64_t,         .def = "90s", .min = 0, .max = UINT64_MAX),
	ROW("s", yes,     CONF_BOOL,    bool,             .def = "no"),
	ROW("t", word,    CONF_WORD,    int,              .def = "red", .words = words),
	ROW("t", texts,   CONF_TEXTS,   struct conf_list, .def = "", .min = 1, .max = 20),
	ROW("t", paths,   CONF_PATHS,   struct conf_list, .def = "", .min = 1, .max = 20),
};
/* clang-format on */

static const struct conf_table table = {items, countof(items)};

static int parse(const char *text, struct sample *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	return conf_parse(&table, "x.conf", str_of(text), out, e);
}

/* What a good file says, printed as what differs from the defaults. */
static void reads_every_kind(void **state UNUSED)
{
	static const struct {
		const char *text, *changed;
	} rows[] = {
		/* clang-format off */
		{"",                                      ""},
		{"# only\n// some\n/* comments */",       ""},
		{"name = a",                              "name = \"a\"\n"},
		{"name=\"a b\"",                          "name = \"a b\"\n"},
		{"name='a b'",                            "name = \"a b\"\n"},
		{"name=\"#//{}\"",                        "name = \"#//{}\"\n"},
		{"name=\"a\\\"b\\\\\\$c\"",               "name = \"a\\\"b\\\\\\$c\"\n"},
		{"name='${HOME}'",                        "name = \"\\${HOME}\"\n"},
		{"name=\"${T_CONF}\"",                    "name = \"from-env\"\n"},
		{"name=\"\xc3\xa4\"",                     "name = \"\xc3\xa4\"\n"},
		{"name = 127.0.0.1:24",                   "name = \"127.0.0.1:24\"\n"},
		{"name = [::]:110",                       "name = \"[::]:110\"\n"},
		{"name = computed",                       ""},
		{"s{dir=/var/x}",                         "s {\n\tdir = \"/var/x\"\n}\n"},
		{"s { count = 1 }",                       "s {\n\tcount = 1\n}\n"},
		{"s { count = 7 }",                       ""},
		{"s { octets = 1048576 }",                ""},
		{"s { octets = 0 }",                      "s {\n\toctets = 0\n}\n"},
		{"s { octets = 1023 }",                   "s {\n\toctets = 1023\n}\n"},
		{"s { octets = 2048k }",                  "s {\n\toctets = 2M\n}\n"},
		{"s { octets = 1025K }",                  "s {\n\toctets = 1025K\n}\n"},
		{"s { octets = 18446744073709551615 }",   "s {\n\toctets = 18446744073709551615\n}\n"},
		{"s { seconds = 1h }",                    "s {\n\tseconds = 1h\n}\n"},
		{"s { seconds = 1440m }",                 "s {\n\tseconds = 1d\n}\n"},
		{"s { seconds = 61s }",                   "s {\n\tseconds = 61s\n}\n"},
		{"s { seconds = 0 }",                     "s {\n\tseconds = 0\n}\n"},
		{"s { seconds = 1m }",                    "s {\n\tseconds = 1m\n}\n"},
		{"s { seconds = 90 }",                    ""},
		{"s { yes = true }",                      "s {\n\tyes = yes\n}\n"},
		{"s { yes = On }",                        "s {\n\tyes = yes\n}\n"},
		{"s { yes = off }",                       ""},
		{"t { word = GREEN }",                    "t {\n\tword = green\n}\n"},
		{"t { texts = {} }",                      ""},
		{"t { texts = a }",                       "t {\n\ttexts = {\"a\"}\n}\n"},
		{"t { texts = {a, \"b\",\n# c\n'c'} }",   "t {\n\ttexts = {\"a\", \"b\", \"c\"}\n}\n"},
		{"t { texts = {}\ntexts = {a} }",        "t {\n\ttexts = {\"a\"}\n}\n"},
		{"t { texts = {a}\ntexts += {b, c} }",   "t {\n\ttexts = {\"a\", \"b\", \"c\"}\n}\n"},
		{"t { paths = {/a, \"/b\"} }",            "t {\n\tpaths = {\"/a\", \"/b\"}\n}\n"},
		{"t{}s{}",                                ""},
		{"s { count=1\r\nyes=yes\r\n}\r\n",       "s {\n\tcount = 1\n\tyes = yes\n}\n"},
		/* clang-format on */
	};
	struct buf out;

	setenv("T_CONF", "from-env", 1);
	buf_init(&out, 4096);
	for (size_t i = 0; i < countof(rows); i++) {
		struct sample s;
		struct err e = {.text = ""};

		print_message("# %s\n", rows[i].text);
		assert_int_equal(parse(rows[i].text, &s, &e), 0);
		assert_string_equal(e.text, "");
		buf_clear(&out);
		conf_print(&table, &s, true, &out);
		assert_string_equal(buf_cstr(&out), rows[i].changed);
		conf_free(&table, &s);
	}
	buf_fini(&out);
}

static void names_file_and_line_of_what_is_wrong(void **state UNUSED)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		/* clang-format off */
		{"nme = a",                        "1: no such option 'nme'"},
		{"s {\n\n foo = a }",              "3: no such option 'foo'"},
		{"count = 1",                      "1: no such option 'count'"},
		{"# c\n# c\n/* c\nc */\n// c\nz=1", "6: no such option 'z'"},
		{"s { # c\ncount = 1 # c\n# c\n}\nz=1", "5: no such option 'z'"},
		{"name = a\nname = b",             "2: name is set twice"},
		{"s { count = 1\ncount = 1 }",     "2: s.count is set twice"},
		{"s { }\ns { }",                   "2: a section stands twice"},
		{"t { texts = {a}\ntexts = {b} }", "2: t.texts is set twice"},
		{"t { texts = {a, b,\na} }",       "2: t.texts has one value twice"},
		{"\ns {\ncount = 1\n",             "2: the brace opened here is never closed"},
		{"s {\ncount = 1\nt {\n}\n",       "1: the brace opened here is never closed"},
		{"t { texts = {a\n}",              "1: the brace opened here is never closed"},
		{"t { texts = {{a}} }",            "1: an opening brace too many"},
		{"s { }\n}",                       "2: a closing brace too many"},
		{"\n/* c\nname = a",               "2: a comment is not closed"},
		{"/*/ name = a",                   "1: a comment is not closed"},
		{"\nname = \"a\nb\"",              "2: a quoted value is not closed on its line"},
		{"\nname = 'a\\",                  "2: a quoted value is not closed on its line"},
		{"name = *:25",                    "1: a value with characters besides letters, digits and ._-:/@%[] stands in quotes"},
		{"name = a*b",                     "1: a value with characters besides letters, digits and ._-:/@%[] stands in quotes"},
		{"include(\"/etc/passwd\")",       "1: a value with characters besides letters, digits and ._-:/@%[] stands in quotes"},
		{"name = a;",                      "1: a value with characters besides letters, digits and ._-:/@%[] stands in quotes"},
		{"name = ${HOME}",                 "1: a value with characters besides letters, digits and ._-:/@%[] stands in quotes"},
		{"name = \"a\\x01\"",              "1: name holds a control character"},
		{"name = \"\xc3\"",                "1: name is not UTF-8"},
		{"name = \"\"",                    "1: name has to have from 1 to 12 characters"},
		{"name = 1234567890123",           "1: name has to have from 1 to 12 characters"},
		{"name = ax",                      "1: name holds an x"},
		{"name = {a}",                     "1: unexpected token '{'"},
		{"name",                           "1: premature end of file"},
		{"name =",                         "1: premature end of file"},
		{"s { dir = var }",                "1: s.dir is not an absolute path"},
		{"t { paths = {/a, b} }",          "1: t.paths is not an absolute path"},
		{"s { count = 0 }",                "1: s.count has to be from 1 to 9"},
		{"s { count = 10 }",               "1: s.count has to be from 1 to 9"},
		{"s { count = -1 }",               "1: s.count is not a number"},
		{"s { count = 1k }",               "1: s.count is not a number"},
		{"s { count = \"\" }",             "1: s.count is not a number"},
		{"s { count = 18446744073709551616 }", "1: s.count is not a number"},
		{"s { octets = 1m1 }",             "1: s.octets is not a size as 50M"},
		{"s { octets = 16777216T }",       "1: s.octets is not a size as 50M"},
		{"s { seconds = 1w }",             "1: s.seconds is not a time as 90s, 10m or 2h"},
		{"s { seconds = m }",              "1: s.seconds is not a time as 90s, 10m or 2h"},
		{"s { seconds = 18446744073709551615d }", "1: s.seconds is not a time as 90s, 10m or 2h"},
		{"s { yes = maybe }",              "1: s.yes is yes or no"},
		{"t { word = blue }",              "1: t.word is one of: red green"},
		{"t { texts = a b }",              "1: no such option 'b'"},
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct sample s;
		struct err e;
		char want[300];

		print_message("# %s\n", rows[i].text);
		snprintf(want, sizeof want, "x.conf:%s", rows[i].error);
		assert_int_equal(parse(rows[i].text, &s, &e), -1);
		assert_string_equal(e.text, want);
		assert_int_equal(e.class, ERR_PERM);
	}
}

static void a_nul_ends_nothing(void **state UNUSED)
{
	struct sample s = {0};
	struct err e;

	assert_int_equal(conf_parse(&table, "x", STR("name = a\0\nz"), &s, &e), -1);
	assert_int_equal(conf_parse(&table, "x", STR("name = \"a\0\"\nz"), &s, &e), -1);
	assert_int_equal(conf_parse(&table, "x", STR("# a\0\nz = 1"), &s, &e), -1);
	assert_string_equal(e.text, "x:2: no such option 'z'");
}

static void a_list_has_an_end(void **state UNUSED)
{
	struct buf text;
	struct sample s;
	struct err e;

	buf_init(&text, 4096);
	buf_put(&text, STR("t { texts = {0"));
	for (int i = 1; i < 64; i++)
		buf_printf(&text, ", %d", i);

	size_t n = text.n;

	buf_put(&text, STR("} }"));
	assert_int_equal(parse(buf_cstr(&text), &s, &e), 0);
	assert_int_equal(s.texts.n, 64);
	assert_string_equal(s.texts.v[63], "63");
	conf_free(&table, &s);
	buf_cut(&text, n);
	buf_put(&text, STR(", 64} }"));
	assert_int_equal(parse(buf_cstr(&text), &s, &e), -1);
	assert_string_equal(e.text, "x.conf:1: t.texts has more than 64 values");
	buf_fini(&text);
}

/* What is printed is read again to the same effect. */
static void print_and_read_agree(void **state UNUSED)
{
	struct buf first, second;
	struct sample s;
	struct err e;

	buf_init(&first, 4096);
	buf_init(&second, 4096);
	assert_int_equal(parse("name='\\\"${A}' s { octets=3G seconds=7 yes=yes } "
			       "t { word=green texts={'a\"', \"b c\"} }",
			       &s, &e),
			 0);
	conf_print(&table, &s, false, &first);
	conf_free(&table, &s);
	assert_int_equal(parse(buf_cstr(&first), &s, &e), 0);
	assert_string_equal(s.name, "\\\"${A}");
	conf_print(&table, &s, false, &second);
	conf_free(&table, &s);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	buf_fini(&first);
	buf_fini(&second);
}

static void reads_a_file(void **state UNUSED)
{
	char path[] = "/tmp/popstore-conf-XXXXXX";
	int fd = mkstemp(path);
	struct sample s = {0};
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name = file\n", 12), 12);
	assert_int_equal(conf_read(&table, path, &s, &e), 0);
	assert_string_equal(s.name, "file");
	conf_free(&table, &s);
	assert_int_equal(ftruncate(fd, CONF_FILE_MAX + 1), 0);
	assert_int_equal(conf_read(&table, path, &s, &e), -1);
	assert_non_null(strstr(e.text, "larger than 262144 octets"));
	close(fd);
	unlink(path);
	assert_int_equal(conf_read(&table, path, &s, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(conf_read(&table, "/", &s, &e), -1);
}

static void the_manual_has_every_row(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 16384);
	conf_mdoc(&table, &out);
	assert_false(buf_over(&out));
	for (size_t i = 0; i < countof(items); i++) {
		char line[64];

		snprintf(line, sizeof line, ".It Ic %s No =", items[i].name);
		assert_non_null(strstr(buf_cstr(&out), line));
		assert_non_null(strstr(buf_cstr(&out), items[i].doc));
	}
	assert_non_null(strstr(buf_cstr(&out), ".Ss s\n.Bl -tag -width Ds\n.It Ic dir"));
	assert_non_null(strstr(buf_cstr(&out), "From 1 to 9.\nDefault:\n.Ql 7 .\n"));
	assert_non_null(strstr(buf_cstr(&out), "Default: this machine.\n"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(names_file_and_line_of_what_is_wrong),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(print_and_read_agree),
		cmocka_unit_test(reads_a_file),
		cmocka_unit_test(the_manual_has_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
