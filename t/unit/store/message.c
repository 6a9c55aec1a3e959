/* SPDX-License-Identifier: ISC */
#include "store/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"

/* ---- the header as text -------------------------------------------------------------- */

/* The example of doc/STORE.md, to the octet. */
static const char golden[] =
	"popstore-message 1 00000451\n"
	"id 1ik5bm2ko0405\n"
	"arrived 00000001795292023123\n"
	"stored 00000000000000000053\n"
	"size 00000000000000000049\n"
	"header 00000000000000000043\n"
	"body-sum a17be223474ae02d\n"
	"retry-key 5dd8b1c0f4a3e2974c60aa12be8f7350\n"
	"slots 0000000002\n"
	"env-id 5f3k.1\n"
	"from sender@example.net\n"
	"head-sum 247d139c9048f009\n"
	"rcpt + alice@example.org 1ik5bjee80000 Delivered-To:%20alice@example.org%0d%0a\n"
	"rcpt - bob@example.org 1ik5bjee80001 -\n"
	"slot-sum 62f394b636b314fc\n"
	"\n";
static const char body[] =
	"From: sender@example.net\r\nSubject: dots\r\n\r\n..one\r\n.\r\n";

/* An example at any time, for slots[0] and slots[1]. */
struct example {
	struct message_info info;
	struct message_slot slots[2];
};

static void example(struct example *x, uint64_t id)
{
	*x = (struct example){
		.info = {.id = id,
			 .arrived_ms = UINT64_C(1795292023123),
			 .from = STR("sender@example.net"),
			 .envelope_id = STR("5f3k.1"),
			 .stored = sizeof body - 1,
			 .size = sizeof body - 5,
			 .header_end = 43,
			 .sum = XXH3_64bits(body, sizeof body - 1),
			 .key = {UINT64_C(0x5dd8b1c0f4a3e297),
				 UINT64_C(0x4c60aa12be8f7350)},
			 .n_slots = 2,
			 .slots = x->slots},
		.slots = {{.state = '+',
			   .trace = STR("Delivered-To:%20alice@example.org%0d%0a")},
			  {.state = '-'}},
	};
	assert_true(name_read(STR("alice@example.org"), &x->slots[0].name) &&
		    name_read(STR("bob@example.org"), &x->slots[1].name));
	assert_true(id_parse(STR("1ik5bjee80000"), &x->slots[0].uid) &&
		    id_parse(STR("1ik5bjee80001"), &x->slots[1].uid));
}

static uint64_t example_id(void)
{
	uint64_t id;

	assert_true(id_parse(STR("1ik5bm2ko0405"), &id));
	return id;
}

static void is_written_to_the_octet(void **state UNUSED)
{
	struct example x;
	struct buf out;

	example(&x, example_id());
	buf_init(&out, MESSAGE_HEADER_MAX);
	buf_put(&out, STR("before"));
	message_header_print(&x.info, &out);
	assert_string_equal(buf_cstr(&out) + 6, golden);
	assert_int_equal(x.info.body, sizeof golden - 1);
	assert_int_equal(golden[x.slots[0].offset], '+');
	assert_int_equal(golden[x.slots[1].offset], '-');
	assert_string_equal(message_path(x.info.id).s,
			    "messages/20261121/2013/1ik5bm2ko0405");
	buf_fini(&out);
}

static bool parses(struct str text, struct message_info *mi)
{
	char *exact = xalloc(text.n); /* so that ASan sees a read past the end */
	struct err e = {0};

	memcpy(exact, text.p, text.n);

	bool ok = message_head_parse((struct str){exact, text.n}, mi, &e) == 0 &&
		  mi->body == text.n &&
		  message_slots_parse((struct str){exact, text.n}, mi, &e) == 0;

	if (!ok && e.class != ERR_NONE)
		assert_int_equal(e.class, ERR_TEMP);
	message_info_fini(mi);
	xfree(&exact);
	return ok;
}

static void gives_back_what_was_written(void **state UNUSED)
{
	struct message_info mi;
	struct err e;

	assert_int_equal(message_head_parse(str_of(golden), &mi, &e), 0);
	assert_int_equal(mi.id, example_id());
	assert_int_equal(mi.arrived_ms, UINT64_C(1795292023123));
	assert_int_equal(mi.stored, 53);
	assert_int_equal(mi.size, 49);
	assert_int_equal(mi.header_end, 43);
	assert_true(str_eq(mi.from, STR("sender@example.net")));
	assert_true(str_eq(mi.envelope_id, STR("5f3k.1")));
	assert_null(mi.slots);
	assert_int_equal(message_slots_parse(str_of(golden), &mi, &e), 0);
	assert_string_equal(retry_key_print(mi.key).c,
			    "5dd8b1c0f4a3e2974c60aa12be8f7350");
	assert_int_equal(mi.n_slots, 2);
	assert_string_equal(mi.slots[0].name.s, "alice@example.org");
	assert_int_equal(mi.slots[0].state, '+');
	assert_true(str_eq(mi.slots[0].trace,
			   STR("Delivered-To:%20alice@example.org%0d%0a")));
	assert_int_equal(golden[mi.slots[1].offset], '-');
	assert_int_equal(mi.slots[1].trace.n, 0);
	message_info_fini(&mi);
	/* the head alone needs no more than itself */
	assert_int_equal(
		message_head_parse(
			(struct str){golden, (size_t)(strstr(golden, "rcpt") - golden)},
			&mi, &e),
		0);
}

static void no_damage_passes(void **state UNUSED)
{
	const char *head_sum = strstr(golden, "head-sum ") + 9;
	const char *slot_sum = strstr(golden, "slot-sum ") + 9;
	struct message_info mi;
	char text[sizeof golden];

	assert_true(parses(str_of(golden), &mi));
	for (size_t i = 0; i < sizeof golden - 1; i++) {
		const char *at = golden + i;
		bool in_sum = (at >= head_sum && at < head_sum + 16) ||
			      (at >= slot_sum && at < slot_sum + 16);

		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, golden, sizeof golden);
			text[i] = (char)(text[i] ^ 1 << bit);
			if (in_sum && bit == 5 && *at > '9')
				continue; /* in upper case it is the same sum */
			assert_false(parses((struct str){text, sizeof golden - 1}, &mi));
		}
		assert_false(parses((struct str){golden, i}, &mi));
	}
}

static void a_state_is_no_part_of_the_sum(void **state UNUSED)
{
	struct message_info mi;
	char text[sizeof golden];

	memcpy(text, golden, sizeof golden);
	*strchr(strstr(text, "rcpt"), '+') = '-';
	assert_true(parses(str_of(text), &mi));
}

static void says_that_there_are_too_many_recipients(void **state UNUSED)
{
	struct example x;
	struct buf out;

	example(&x, example_id());
	for (size_t max = 320; max < sizeof golden; max += 7) {
		buf_init(&out, max);
		message_header_print(&x.info, &out);
		assert_int_equal(buf_over(&out), max < sizeof golden - 1);
		buf_fini(&out);
	}
}

/* ---- files ---------------------------------------------------------------------------- */

/* Makes the example's file, with both slots held, at any time. */
static void put_example(struct scratch *s, uint64_t id)
{
	struct example x;
	struct buf out;

	example(&x, id);
	x.slots[1].state = '+';
	buf_init(&out, MESSAGE_HEADER_MAX);
	message_header_print(&x.info, &out);
	buf_put(&out, str_of(body));
	scratch_ok(storage_put(s->store->root, message_path(id).s, buf_str(&out), 0, NULL,
			       &e_));
	buf_fini(&out);
}

static struct message *open_it(struct scratch *s, uint64_t id)
{
	struct message *m;

	scratch_ok(message_open(s->store, 0, id, &m, &e_));
	return m;
}

static void is_read_back(void **state)
{
	struct scratch *s = *state;
	struct message *m;
	char text[100];
	size_t got;

	assert_null(open_it(s, example_id()));
	put_example(s, example_id());
	m = open_it(s, example_id());
	assert_non_null(m);
	assert_int_equal(message_info(m)->stored, sizeof body - 1);
	assert_null(message_info(m)->slots);
	scratch_ok(message_slots(m, &e_));
	scratch_ok(message_slots(m, &e_));
	assert_string_equal(message_info(m)->slots[1].name.s, "bob@example.org");
	scratch_ok(message_read(m, 0, text, sizeof text, &got, &e_));
	assert_int_equal(got, sizeof body - 1);
	assert_memory_equal(text, body, got);
	scratch_ok(message_read(m, 43, text, 5, &got, &e_));
	assert_memory_equal(text, "..one", 5);
	assert_int_equal(pread(message_fd(m), text, 4, (off_t)message_info(m)->body), 4);
	assert_memory_equal(text, "From", 4);
	scratch_ok(message_verify(m, &e_));
	message_close(&m);
	assert_null(m);
	message_close(&m);
}

static void a_file_that_is_not_whole_is_damage(void **state)
{
	struct scratch *s = *state;
	uint64_t id = example_id(), other = id + 1;
	struct scratch_path path = scratch_message(id);
	struct message *m;
	struct buf text;
	struct err e;

	put_example(s, id);
	buf_init(&text, 4096);
	scratch_read(s, path.s, &text);
	for (size_t n = 0; n <= text.n + 1; n++) {
		if (n == text.n)
			continue;
		buf_putc(&text, 'x'); /* one too many at last */
		scratch_write(s, path.s, (struct str){text.p, n});
		buf_cut(&text, text.n - 1);
		assert_int_equal(message_open(s->store, 0, id, &m, &e), -1);
		assert_null(m);
		assert_int_equal(e.class, ERR_TEMP);
		assert_non_null(strstr(e.text, path.s + sizeof "store"));
	}
	/* nor is another message's file */
	scratch_write(s, scratch_message(other).s, buf_str(&text));
	assert_int_equal(message_open(s->store, 0, other, &m, &e), -1);
	assert_non_null(strstr(e.text, "damaged: it is message"));
	assert_int_equal(message_open(s->store, 9, id, &m, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_fini(&text);
}

static void a_flipped_body_fails_its_checksum(void **state)
{
	struct scratch *s = *state;
	struct message *m;
	struct err e;

	put_example(s, example_id());
	scratch_flip(s, scratch_message(example_id()).s, sizeof golden - 1 + 20);
	m = open_it(s, example_id());
	assert_int_equal(message_verify(m, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "1ik5bm2ko0405: damaged: its body"));
	message_close(&m);
}

/* ---- releasing --------------------------------------------------------------------------- */

static void release(struct scratch *s, uint64_t id, uint64_t uid)
{
	scratch_ok(message_release(s->store, 0, id, uid, &e_));
}

static void the_last_to_let_go_removes_it(void **state)
{
	struct scratch *s = *state;
	struct account a[3] = {scratch_account(s, "alice@example.org"),
			       scratch_account(s, "bob@example.org"),
			       scratch_account(s, "carol@example.org")};
	uint64_t id = scratch_deliver_to(s, a, 3, body, NULL);
	const struct scratch_path path = scratch_message(id);
	struct message *m;

	release(s, id, a[1].uid);
	release(s, id, a[1].uid);
	release(s, id, 12345); /* nobody here */
	release(s, id, a[0].uid);
	m = open_it(s, id);
	assert_non_null(m);
	scratch_ok(message_slots(m, &e_));
	assert_int_equal(message_info(m)->slots[0].state, '-');
	assert_int_equal(message_info(m)->slots[1].state, '-');
	assert_int_equal(message_info(m)->slots[2].state, '+');
	scratch_ok(message_verify(m, &e_));
	release(s, id, a[2].uid);
	assert_false(scratch_exists(s, path.s));
	release(s, id, a[2].uid);
	/* who has it open reads on */
	scratch_ok(message_verify(m, &e_));
	message_close(&m);
}

enum { HOLDERS = 8 };

struct holder {
	struct scratch *s;
	uint64_t id, uid;
};

static void *let_go(void *ctx)
{
	struct holder *h = ctx;
	struct err e;

	must(message_release(h->s->store, 0, h->id, h->uid, &e) == 0);
	return NULL;
}

static void of_many_who_let_go_at_once_one_is_the_last(void **state)
{
	struct scratch *s = *state;
	struct account a[HOLDERS];
	struct holder h[HOLDERS];
	pthread_t t[HOLDERS];

	for (size_t i = 0; i < HOLDERS; i++) {
		char name[32];

		snprintf(name, sizeof name, "user%zu@example.org", i);
		a[i] = scratch_account(s, name);
	}
	for (int round = 0; round < 20; round++) {
		uint64_t id = scratch_deliver_to(s, a, HOLDERS, body, NULL);

		for (size_t i = 0; i < HOLDERS; i++) {
			h[i] = (struct holder){s, id, a[i].uid};
			assert_int_equal(pthread_create(&t[i], NULL, let_go, &h[i]), 0);
		}
		for (size_t i = 0; i < HOLDERS; i++)
			assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_false(scratch_exists(s, scratch_message(id).s));
	}
}

static void empty_directories_go_when_their_minute_is_over(void **state)
{
	struct scratch *s = *state;
	uint64_t then = id_make(UINT64_C(1700000000000), 1, 1), now;
	struct account a = scratch_account(s, "alice@example.org");
	struct scratch_path dir;
	uint64_t alice, bob;

	assert_true(id_parse(STR("1ik5bjee80000"), &alice));
	assert_true(id_parse(STR("1ik5bjee80001"), &bob));
	put_example(s, then);
	put_example(s, then + 1);
	assert_true(scratch_exists(s, "store/messages/20231114/2213"));
	release(s, then, alice);
	release(s, then, bob);
	assert_true(scratch_exists(s, "store/messages/20231114/2213"));
	release(s, then + 1, bob);
	release(s, then + 1, alice);
	assert_false(scratch_exists(s, "store/messages/20231114"));
	assert_true(scratch_exists(s, "store/messages"));
	/* a delivery may be about to use that of now */
	now = scratch_deliver(s, &a, body);
	release(s, now, a.uid);
	assert_false(scratch_exists(s, scratch_message(now).s));
	dir = scratch_message(now);
	*strrchr(dir.s, '/') = '\0';
	assert_true(scratch_exists(s, dir.s));
}

static void a_slot_is_taken_back(void **state)
{
	struct scratch *s = *state;
	struct account a[2] = {scratch_account(s, "alice@example.org"),
			       scratch_account(s, "bob@example.org")};
	uint64_t id = scratch_deliver_to(s, a, 2, body, NULL);

	release(s, id, a[0].uid);
	scratch_ok(message_hold(s->store, 0, id, a[0].uid, &e_));
	release(s, id, a[1].uid);
	assert_true(scratch_exists(s, scratch_message(id).s));
	release(s, id, a[0].uid);
	scratch_ok(message_hold(s->store, 0, id, a[0].uid, &e_)); /* gone: fine */
}

static void what_is_no_message_is_set_aside(void **state)
{
	struct scratch *s = *state;
	uint64_t id = example_id(), empty = id + 1;

	put_example(s, id);
	scratch_write(s, scratch_message(empty).s, STR(""));
	scratch_ok(message_set_aside(s->store, 0, id, &e_));
	scratch_ok(message_set_aside(s->store, 0, empty, &e_));
	scratch_ok(message_set_aside(s->store, 0, empty, &e_));
	assert_false(scratch_exists(s, scratch_message(id).s));
	assert_false(scratch_exists(s, scratch_message(empty).s));
	assert_true(scratch_exists(s, "store/damaged/1ik5bm2ko0405"));
}

/* ---- every file ------------------------------------------------------------------------------ */

struct seen {
	uint64_t ids[16];
	size_t n, stop_at;
};

static int see(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	struct seen *seen = ctx;

	assert_int_equal(volume, 0);
	assert_true(seen->n < countof(seen->ids));
	seen->ids[seen->n++] = id;
	return seen->n == seen->stop_at ? err_set(e, ERR_TEMP, "4.3.0", "stop") : 0;
}

static void finds_those_of_a_time_oldest_first(void **state)
{
	/* two in one minute, the next minute, the next day, years later */
	static const uint64_t ms[] = {
		UINT64_C(1700000000000), UINT64_C(1700000000001), UINT64_C(1700000059999),
		UINT64_C(1700090000000), UINT64_C(1795292023123),
	};
	static const struct {
		uint64_t from, to;
		size_t first, n;
	} rows[] = {
		/* clang-format off */
		{0, UINT64_MAX, 0, 5},
		{UINT64_C(1700000000000), UINT64_C(1700000000000), 0, 1},
		{UINT64_C(1700000000001), UINT64_C(1700000059999), 1, 2},
		{UINT64_C(1700000000002), UINT64_C(1795292023122), 2, 2},
		{UINT64_C(1795292023123), UINT64_MAX,              4, 1},
		{UINT64_C(1795292023124), UINT64_MAX,              0, 0},
		{0, UINT64_C(1699999999999),                       0, 0},
		/* clang-format on */
	};
	struct scratch *s = *state;

	for (size_t i = countof(ms); i-- > 0;)
		put_example(s, id_make(ms[i], 3, 7));
	/* what is none of ours */
	scratch_write(s, "store/messages/20231114/2213/README", STR("x"));
	scratch_write(s, "store/messages/20231114/2213/.new.1.0", STR("x"));
	scratch_write(s, "store/messages/20231114/2213/1ik5bm2ko0405.orig", STR("x"));
	for (size_t i = 0; i < countof(rows); i++) {
		struct seen seen = {0};

		scratch_ok(message_each(s->store, rows[i].from, rows[i].to, see, &seen,
					&e_));
		assert_int_equal(seen.n, rows[i].n);
		for (size_t k = 0; k < seen.n; k++)
			assert_int_equal(id_unix_ms(seen.ids[k]), ms[rows[i].first + k]);
	}
	struct seen seen = {.stop_at = 2};
	struct err e;

	assert_int_equal(message_each(s->store, 0, UINT64_MAX, see, &seen, &e), -1);
	assert_int_equal(seen.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_written_to_the_octet),
		cmocka_unit_test(gives_back_what_was_written),
		cmocka_unit_test(no_damage_passes),
		cmocka_unit_test(a_state_is_no_part_of_the_sum),
		cmocka_unit_test(says_that_there_are_too_many_recipients),
		scratch_test(is_read_back),
		scratch_test(a_file_that_is_not_whole_is_damage),
		scratch_test(a_flipped_body_fails_its_checksum),
		scratch_test(the_last_to_let_go_removes_it),
		scratch_test(of_many_who_let_go_at_once_one_is_the_last),
		scratch_test(empty_directories_go_when_their_minute_is_over),
		scratch_test(a_slot_is_taken_back),
		scratch_test(what_is_no_message_is_set_aside),
		scratch_test(finds_those_of_a_time_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
