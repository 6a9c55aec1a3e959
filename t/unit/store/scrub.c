/* SPDX-License-Identifier: ISC */
#include "store/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "lib/conn.h"
#include "store/id.h"
#include "store/round.h"
#include "t/unit/store/scratch.h"

static const char text[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

struct fixture {
	struct scratch s;
	struct account alice;
	uint64_t id;
	struct check_finding last;
	uint64_t stop_ms; /* when it is asked to stop; 0: never */
};

static void keep(const struct check_finding *f, void *ctx)
{
	((struct fixture *)ctx)->last = *f;
}

static bool is_time(void *ctx)
{
	const struct fixture *x = ctx;

	return x->stop_ms > 0 && clock_ms() >= x->stop_ms;
}

static struct check_result run(struct fixture *x, uint64_t rate)
{
	struct check_options o = {.finding = keep, .stop = is_time, .ctx = x};
	struct check_result r;

	x->last = (struct check_finding){0};
	scratch_ok(scrub_run(x->s.store, &o, rate, &r, &e_));
	return r;
}

static void begin(struct fixture *x)
{
	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "", "");
	x->alice = scratch_account(&x->s, "alice@example.org");
	x->id = scratch_deliver(&x->s, &x->alice, text);
}

static void a_sound_message_is_counted(void **state)
{
	struct check_result r;
	struct fixture x;

	(void)state;
	begin(&x);
	scratch_deliver(&x.s, &x.alice, text);
	r = run(&x, 0);
	assert_int_equal(r.findings, 0);
	assert_int_equal(r.messages, 2);
	assert_int_equal(r.octets, 2 * strlen(text));
	scratch_end(&x.s);
}

/* Every octet flipped, every length. */
static void whatever_is_damaged_is_named_and_left(void **state)
{
	struct scratch_path path;
	struct fixture x;
	struct buf file, now;
	size_t unseen = 0;

	(void)state;
	begin(&x);
	path = scratch_message(x.id);
	buf_init(&file, 1 << 20);
	buf_init(&now, 1 << 20);
	scratch_read(&x.s, path.s, &file);
	for (size_t at = 0; at < file.n; at++) {
		scratch_write(&x.s, path.s, buf_str(&file));
		scratch_flip(&x.s, path.s, at);
		unseen += run(&x, 0).findings == 0;
		scratch_write(&x.s, path.s, (struct str){file.p, at});
		buf_clear(&now);
		assert_int_equal(run(&x, 0).findings, 1);
		assert_string_equal(x.last.invariant, "I8");
		assert_non_null(strstr(x.last.what, id_print(x.id).c));
		assert_false(x.last.repaired);
		scratch_read(&x.s, path.s, &now);
		assert_true(str_eq(buf_str(&now), (struct str){file.p, at}));
	}
	assert_int_equal(unseen, 0);
	buf_fini(&now);
	buf_fini(&file);
	scratch_end(&x.s);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct scratch_path path;
	struct fixture x;

	(void)state;
	begin(&x);
	path = scratch_path(&x.s, scratch_message(x.id).s);
	assert_int_equal(unlink(path.s), 0);
	assert_int_equal(mkfifo(path.s, 0600), 0);
	assert_int_equal(run(&x, 0).findings, 1);
	assert_non_null(strstr(x.last.what, path.s));
	scratch_end(&x.s);
}

static void deliver_large(struct fixture *x, size_t octets)
{
	struct buf b;

	buf_init(&b, octets + 100);
	buf_put(&b, STR("Subject: large\r\n\r\n"));
	while (b.n < octets)
		buf_put(&b,
			STR("0123456789012345678901234567890123456789012345678901\r\n"));
	buf_put(&b, STR(".\r\n"));
	scratch_deliver(&x->s, &x->alice, buf_cstr(&b));
	buf_fini(&b);
}

static void it_keeps_to_the_rate(void **state)
{
	struct fixture x;
	uint64_t begun;

	(void)state;
	begin(&x);
	deliver_large(&x, 400000);
	begun = clock_ms();
	assert_int_equal(run(&x, 1000000).messages, 2);
	assert_in_range(clock_ms() - begun, 350, 3500);
	scratch_end(&x.s);
}

/* In the middle of a message that would take hours; it is not counted. */
static void it_stops_while_it_waits(void **state)
{
	struct check_result r;
	struct fixture x;
	uint64_t begun;

	(void)state;
	begin(&x);
	deliver_large(&x, 400000);
	begun = clock_ms();
	x.stop_ms = begun + 200;
	r = run(&x, 2000);
	assert_true(r.stopped);
	assert_int_equal(r.messages, 1);
	assert_int_equal(r.findings, 0);
	assert_in_range(clock_ms() - begun, 200, 60000);
	scratch_end(&x.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_message_is_counted),
		cmocka_unit_test(whatever_is_damaged_is_named_and_left),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(it_keeps_to_the_rate),
		cmocka_unit_test(it_stops_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
