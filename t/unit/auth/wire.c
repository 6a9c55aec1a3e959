/* SPDX-License-Identifier: ISC */
/* What is well formed, by rows, whole and octet by octet; and that what was put comes out. */
#include "auth/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	struct str in;
	enum wire_state state;
	const char *broken;
} rows[] = {
	/* clang-format off */
	{STR_INIT("do offer\n\n"),                      WIRE_WHOLE,  NULL},
	{STR_INIT("do password\nuser a b\n\n"),         WIRE_WHOLE,  NULL},
	{STR_INIT("do x\nempty \n\n"),                  WIRE_WHOLE,  NULL},
	{STR_INIT("do x\nuser a%0ab%25\n\n"),           WIRE_WHOLE,  NULL},
	{STR_INIT("do x\ncertificate-name a\ncertificate-name b\n\n"), WIRE_WHOLE, NULL},
	{STR_INIT("\n"),                                WIRE_WHOLE,  NULL},
	{STR_INIT("do x\n"),                            WIRE_MORE,   NULL},
	{STR_INIT("do x"),                              WIRE_MORE,   NULL},
	{STR_INIT(""),                                  WIRE_MORE,   NULL},

	{STR_INIT("do\n\n"),                            WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT(" do x\n\n"),                         WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("Do x\n\n"),                          WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("d\0o x\n\n"),                        WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("do=x\n\n"),                          WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("aaaaaaaaaabbbbbbbbbbccccccccccddd x\n"), WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("GET / HTTP/1.0\n"),                  WIRE_BROKEN, "a line is not `key value`"},
	{STR_INIT("do x\r\n\r\n"),                      WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("do a\0b\n\n"),                       WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("do a\tb\n\n"),                       WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("do a%\n\n"),                         WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("do a%2\n\n"),                        WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("do a%2g\n\n"),                       WIRE_BROKEN, "a value is not percent-encoded"},
	{STR_INIT("user a\ndo x\nuser b\n\n"),          WIRE_BROKEN, "a key is there twice"},
	/* clang-format on */
};

/* feed - in pieces of `step`; what follows a whole message is left */
static enum wire_state feed(struct wire *m, struct str in, size_t step)
{
	enum wire_state state = m->state;

	while (in.n > 0 && state == WIRE_MORE) {
		size_t used;

		state = wire_feed(m, (struct str){in.p, in.n < step ? in.n : step},
				  &used);
		assert_true(used > 0);
		in = (struct str){in.p + used, in.n - used};
	}
	return state;
}

static void rows_say_what_is_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		for (size_t step = 1; step < 100; step += 33) {
			struct wire m;

			print_message("# row %zu, step %zu\n", i, step);
			wire_init(&m);
			assert_int_equal(feed(&m, rows[i].in, step), rows[i].state);
			if (rows[i].broken != NULL)
				assert_string_equal(wire_broken(&m), rows[i].broken);
			else
				assert_null(wire_broken(&m));
			wire_fini(&m);
		}
}

static void what_was_put_comes_out(void **state)
{
	static const struct str user = STR_INIT("a%b \n\0\xff c");
	struct wire out, in;
	struct buf value;
	uint64_t n;

	(void)state;
	wire_init(&out);
	wire_init(&in);
	buf_init(&value, 64);
	wire_put(&out, "do", STR("password"));
	wire_put(&out, "user", user);
	wire_put_u64(&out, "wait", UINT64_MAX);
	wire_put_base64(&out, "data", user);
	wire_put_base64(&out, "empty", STR(""));
	assert_true(wire_finish(&out));
	assert_int_equal(feed(&in, buf_str(&out.text), 7), WIRE_WHOLE);

	assert_true(wire_is(&in, "do", "password"));
	assert_false(wire_is(&in, "do", "pass"));
	assert_true(wire_get(&in, "user", &value));
	assert_true(str_eq(buf_str(&value), user));
	buf_clear(&value);
	assert_true(wire_get_base64(&in, "data", &value));
	assert_true(str_eq(buf_str(&value), user));
	buf_clear(&value);
	assert_true(wire_get_base64(&in, "empty", &value));
	assert_int_equal(value.n, 0);
	assert_true(wire_get_u64(&in, "wait", &n));
	assert_true(n == UINT64_MAX);
	assert_false(wire_get_u64(&in, "user", &n));
	assert_false(wire_get_base64(&in, "user", &value));
	assert_false(wire_has(&in, "use"));
	assert_false(wire_get(&in, "password", &value));
	buf_fini(&value);
	wire_fini(&in);
	wire_fini(&out);
}

static void two_messages_in_one_piece_are_two(void **state)
{
	struct str in = STR("do offer\n\ndo abort\n\n");
	struct wire m;
	size_t used;

	(void)state;
	wire_init(&m);
	assert_int_equal(wire_feed(&m, in, &used), WIRE_WHOLE);
	assert_int_equal(used, sizeof "do offer\n\n" - 1);
	wire_clear(&m);
	in = (struct str){in.p + used, in.n - used};
	assert_int_equal(wire_feed(&m, in, &used), WIRE_WHOLE);
	assert_true(wire_is(&m, "do", "abort"));
	wire_fini(&m);
}

static void limits_hold(void **state)
{
	static char big[WIRE_MAX];
	struct wire m;
	size_t used;

	(void)state;
	memset(big, 'a', sizeof big);
	wire_init(&m);
	wire_put(&m, "data", (struct str){big, WIRE_MAX - 7});
	assert_true(wire_finish(&m));
	wire_clear(&m);
	wire_put(&m, "data", (struct str){big, WIRE_MAX - 6});
	assert_false(wire_finish(&m));

	wire_clear(&m);
	assert_int_equal(wire_feed(&m, STR("do "), &used), WIRE_MORE);
	assert_int_equal(wire_feed(&m, (struct str){big, sizeof big}, &used),
			 WIRE_BROKEN);
	assert_string_equal(wire_broken(&m), "it is too long");

	wire_clear(&m);
	for (int i = 0; i < WIRE_LINES; i++)
		assert_int_equal(wire_feed(&m, STR("certificate-name x\n"), &used),
				 WIRE_MORE);
	assert_int_equal(wire_feed(&m, STR("certificate-name x\n"), &used), WIRE_BROKEN);
	assert_string_equal(wire_broken(&m), "it has too many lines");
	wire_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_is_well_formed),
		cmocka_unit_test(what_was_put_comes_out),
		cmocka_unit_test(two_messages_in_one_piece_are_two),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
