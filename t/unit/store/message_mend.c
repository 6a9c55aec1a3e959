/* SPDX-License-Identifier: ISC */
#include "store/message_mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "store/id.h"
#include "t/unit/store/scratch.h"

static const char body[] =
	"From: sender@example.net\r\nSubject: dots\r\n\r\n..one\r\n.\r\n";
static const char trace[] = "Delivered-To:%20alice@example.org%0d%0a";

enum { MAX = 2048, ALICE = 0, BOB = 1, CAROL = 2 };

/* A message to three, of which bob has removed it. */
struct fixture {
	struct scratch s;
	uint64_t id;
	struct message_slot slots[3];
	struct message_claim claims[2]; /* alice's and carol's */
	char good[MAX];                 /* the file */
	size_t n, header;
};

static const char *const names[] = {"alice@example.org", "bob@example.org",
				    "carol@example.org"};

static struct message_info describe(struct fixture *x)
{
	for (size_t i = 0; i < 3; i++) {
		x->slots[i] = (struct message_slot){
			.uid = UINT64_C(7000000000000) + i,
			.state = i == BOB ? '-' : '+',
			.trace = i == ALICE ? str_of(trace) : (struct str){"", 0}};
		assert_true(name_read(str_of(names[i]), &x->slots[i].name));
	}
	return (struct message_info){.id = x->id,
				     .arrived_ms = id_unix_ms(x->id) + 7,
				     .from = STR("sender@example.net"),
				     .envelope_id = STR("5f3k.1"),
				     .stored = sizeof body - 1,
				     .size = sizeof body - 5,
				     .header_end = 43,
				     .sum = XXH3_64bits(body, sizeof body - 1),
				     .key = {UINT64_C(0x5dd8b1c0f4a3e297), 99},
				     .n_slots = 3,
				     .slots = x->slots};
}

static void claim(struct fixture *x, struct message_claim *c, size_t slot)
{
	*c = (struct message_claim){
		.name = names[slot],
		.trace = slot == ALICE ? trace : "",
		.uid = x->slots[slot].uid,
		.slot = x->slots[slot].offset,
		.size = sizeof body - 5 + (slot == ALICE ? 33 : 0),
		.stored = sizeof body - 1,
		.header_end = 43,
		.key = {UINT64_C(0x5dd8b1c0f4a3e297), 99},
	};
}

static void begin(struct fixture *x)
{
	struct message_info mi;
	struct message_path dir;
	struct buf out;

	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "", "");
	x->id = id_make(UINT64_C(1795292023123), 1, 5);
	mi = describe(x);
	buf_init(&out, MAX);
	message_header_print(&mi, &out);
	x->header = out.n;
	buf_put(&out, str_of(body));
	assert_false(buf_over(&out));
	memcpy(x->good, out.p, out.n);
	x->n = out.n;
	buf_fini(&out);
	claim(x, &x->claims[0], ALICE);
	claim(x, &x->claims[1], CAROL);
	dir = message_path(x->id);
	*strrchr(dir.s, '/') = '\0';
	scratch_ok(storage_make_dir(store_root(x->s.store), dir.s, &e_));
}

static void put(struct fixture *x, const char *text, size_t n)
{
	scratch_write(&x->s, scratch_message(x->id).s, (struct str){text, n});
}

/* is - the file is this, to the octet */
static bool is(struct fixture *x, const char *text, size_t n)
{
	struct buf file;
	bool same;

	buf_init(&file, 1 << 20);
	scratch_read(&x->s, scratch_message(x->id).s, &file);
	same = file.n == n && memcmp(file.p, text, n) == 0;
	buf_fini(&file);
	return same;
}

static enum message_owner owner(const struct name *name, uint64_t uid, void *ctx)
{
	struct fixture *x = ctx;

	for (size_t i = 0; i < 3; i++)
		if (strcmp(names[i], name->s) == 0 && x->slots[i].uid == uid)
			return MESSAGE_OWNER_OTHER;
	return MESSAGE_OWNER_NONE;
}

static struct message_claims all(struct fixture *x)
{
	return (struct message_claims){x->claims, 2, true, owner, x};
}

static const struct message_claims none = {NULL, 0, false, NULL, NULL};

/* mends - and what it leaves alone it has not touched */
static bool mends(struct fixture *x, const char *text, struct message_claims c,
		  size_t *fillers)
{
	struct err e = {0};

	put(x, text, x->n);
	if (message_mend(x->s.store, 0, x->id, &c, fillers, &e) == 0)
		return true;
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, 0);
	assert_true(is(x, text, x->n));
	return false;
}

/* is_sound - a reader likes it; alice and carol are held, with their traces */
static void is_sound(struct fixture *x)
{
	const struct message_slot *slot;
	struct message *m;

	scratch_ok(message_open(x->s.store, 0, x->id, &m, &e_));
	assert_non_null(m);
	scratch_ok(message_slots(m, &e_));
	scratch_ok(message_verify(m, &e_));
	assert_int_equal(message_info(m)->size, sizeof body - 5);
	assert_int_equal(message_info(m)->header_end, 43);
	for (size_t i = 0; i < 3; i += 2) {
		slot = message_slot_of(message_info(m), x->slots[i].uid);
		assert_non_null(slot);
		assert_int_equal(slot->state, '+');
		assert_int_equal(slot->offset, x->slots[i].offset);
		assert_string_equal(slot->name.s, names[i]);
		assert_true(str_eq(slot->trace, x->slots[i].trace));
	}
	message_close(&m);
}

static void any_flipped_octet_of_the_header_is_mended(void **state UNUSED)
{
	struct fixture x;
	char text[MAX], want[MAX];
	size_t fillers;

	begin(&x);
	for (size_t at = 0; at < x.header; at++) {
		memcpy(text, x.good, x.n);
		memcpy(want, x.good, x.n);
		text[at] = (char)(text[at] ^ 1 << at % 8);
		if (at == x.slots[BOB].offset)
			want[at] = '+'; /* nothing tells: held is the safe error */
		if (!mends(&x, text, none, &fillers) || !is(&x, want, x.n))
			fail_msg("octet %zu", at);
		assert_int_equal(fillers, 0);
	}
	scratch_end(&x.s);
}

/* Of the head from the sum of the body on, anything may be lost: the body is proved. */
static void a_zeroed_part_of_the_head_is_made_again(void **state UNUSED)
{
	struct fixture x;
	char text[MAX];
	size_t fillers, exact = 0, tried = 0;
	size_t head;

	begin(&x);
	head = (size_t)(strstr(x.good, "rcpt ") - x.good);
	for (size_t n = 2; n < 64; n += 12) {
		for (size_t at = 0; at + n <= head; at += 5) {
			bool id = at + n > 31 && at<44, key = at + n> 192 && at < 224;
			bool sum = at + n > 165 && at<181, head_sum = at + n> head - 26;

			memcpy(text, x.good, x.n);
			memset(text + at, 0, n);
			tried++;
			if (!mends(&x, text, all(&x), &fillers)) {
				/* neither sum, or neither of the names */
				if (!(head_sum || at + n > 242) || !(sum || (id && key)))
					fail_msg("%zu octets at %zu", n, at);
				continue;
			}
			assert_int_equal(fillers, 0);
			is_sound(&x);
			exact += is(&x, x.good, x.n);
			if (at + n <= 45 && !is(&x, x.good, x.n))
				fail_msg("%zu octets at %zu: not as it was", n, at);
		}
	}
	assert_true(exact * 2 > tried);
	scratch_end(&x.s);
}

static void zeroed_recipients_are_made_again_from_maildrops(void **state UNUSED)
{
	struct fixture x;
	char text[MAX];
	size_t fillers, exact = 0, filled = 0;
	size_t head, bob, carol;

	begin(&x);
	head = (size_t)(strstr(x.good, "rcpt ") - x.good);
	bob = x.slots[BOB].offset - 5;
	carol = x.slots[CAROL].offset - 5;
	for (size_t n = 2; n <= x.header - head; n += 17) {
		for (size_t at = head; at + n <= x.header; at += 9) {
			bool of_bob = at < carol && at + n > bob;

			memcpy(text, x.good, x.n);
			memset(text + at, 0, n);
			if (!mends(&x, text, all(&x), &fillers))
				fail_msg("%zu octets at %zu", n, at);
			is_sound(&x);
			exact += fillers == 0;
			filled += fillers == 1;
			/* alone, bob's state is the one thing that nothing tells */
			if (!of_bob && !is(&x, x.good, x.n))
				fail_msg("%zu octets at %zu: not as it was", n, at);
			assert_true(fillers == 0 || of_bob);
		}
	}
	assert_true(exact > 0 && filled > 0);
	scratch_end(&x.s);
}

static void a_filler_holds_what_is_lost(void **state UNUSED)
{
	struct fixture x;
	struct message *m;
	struct message_claims c;
	char text[MAX];
	size_t fillers, bob;

	begin(&x);
	bob = x.slots[BOB].offset;
	memcpy(text, x.good, x.n);
	memset(text + bob, 0, 12);
	assert_true(mends(&x, text, all(&x), &fillers));
	assert_int_equal(fillers, 1);
	is_sound(&x);
	scratch_ok(message_open(x.s.store, 0, x.id, &m, &e_));
	scratch_ok(message_slots(m, &e_));
	assert_int_equal(message_info(m)->n_slots, 3);
	assert_int_equal(message_info(m)->slots[1].uid, 0);
	assert_int_equal(message_info(m)->slots[1].state, '+');
	assert_string_equal(message_info(m)->slots[1].name.s, "x@x");
	message_close(&m);

	/* Somebody's maildrop was not read: the line may be his. */
	c = all(&x);
	c.complete = false;
	assert_false(mends(&x, text, c, &fillers));
	/* If it is the last of all, the rest proves itself. */
	memcpy(text, x.good, x.n);
	memset(text + x.slots[CAROL].offset, 0, 12);
	assert_true(mends(&x, text, c, &fillers));
	assert_true(is(&x, x.good, x.n));
	scratch_end(&x.s);
}

static void a_line_of_nobody_known_becomes_a_filler(void **state UNUSED)
{
	struct message_claims c;
	struct fixture x;
	char text[MAX];
	size_t fillers;

	begin(&x);
	memcpy(text, x.good, x.n);
	memset(text + x.header - 20, 0, 18); /* slot-sum */
	assert_true(mends(&x, text, all(&x), &fillers));
	assert_true(is(&x, x.good, x.n));
	c = all(&x);
	c.owner = NULL;
	assert_true(mends(&x, text, c, &fillers));
	assert_int_equal(fillers, 1);
	is_sound(&x);
	/* alice's maildrop has lost her line, and nothing proves this one */
	c = all(&x);
	c.v++;
	c.n--;
	assert_false(mends(&x, text, c, &fillers));
	scratch_end(&x.s);
}

static void a_body_that_is_not_whole_gets_no_header(void **state UNUSED)
{
	static const size_t at[] = {3, 100, 190, 300};
	struct fixture x;
	char text[MAX];
	size_t fillers;

	begin(&x);
	for (size_t i = 0; i < countof(at); i++) {
		for (size_t n = 1; n < 40; n += 19) {
			memcpy(text, x.good, x.n);
			memset(text + at[i], 0, n);
			text[x.n - 12] ^= 1;
			assert_false(mends(&x, text, all(&x), &fillers));
			assert_false(mends(&x, text, none, &fillers));
		}
	}
	/* nor one of another length */
	put(&x, x.good, x.n - 3);
	struct message_claims c = all(&x);
	struct err e;

	assert_int_equal(message_mend(x.s.store, 0, x.id, &c, &fillers, &e), -1);
	assert_true(is(&x, x.good, x.n - 3));
	scratch_end(&x.s);
}

/* Another message, of the same length and to the same people, in the place of this one. */
static void a_body_of_another_message_gets_no_header(void **state UNUSED)
{
	struct fixture x;
	char text[MAX], other[MAX];
	struct message_info mi;
	struct buf out;
	size_t fillers;

	begin(&x);
	mi = describe(&x);
	mi.id++;
	mi.key.low++;
	buf_init(&out, MAX);
	message_header_print(&mi, &out);
	buf_put(&out, str_of(body));
	memcpy(other, out.p, x.n);
	buf_fini(&out);
	assert_false(mends(&x, other, all(&x), &fillers));
	for (size_t at = 0; at < x.header; at += 23) {
		memcpy(text, other, x.n);
		memset(text + at, 0, 9);
		assert_false(mends(&x, text, all(&x), &fillers));
	}
	memcpy(text, other, x.n);
	memset(text, 0, 160); /* but not the sum of the body */
	assert_false(mends(&x, text, all(&x), &fillers));
	scratch_end(&x.s);
}

static void maildrops_that_disagree_prove_nothing(void **state UNUSED)
{
	struct fixture x;
	char text[MAX];
	size_t fillers;

	begin(&x);
	memcpy(text, x.good, x.n);
	memset(text + x.slots[ALICE].offset, 0, 20);
	x.claims[0].slot += 3;
	assert_false(mends(&x, text, all(&x), &fillers));
	x.claims[0].slot = 2;
	assert_false(mends(&x, text, all(&x), &fillers));
	x.claims[0].slot = UINT32_MAX;
	assert_false(mends(&x, text, all(&x), &fillers));
	claim(&x, &x.claims[0], ALICE);
	x.claims[1].size++;
	assert_false(mends(&x, text, all(&x), &fillers));
	scratch_end(&x.s);
}

/* Head and recipients at once, the end of the head included. */
static void any_zeroed_part_harms_nobody(void **state UNUSED)
{
	struct fixture x;
	char text[MAX];
	size_t fillers, mended = 0;

	begin(&x);
	for (size_t n = 40; n < x.header; n += 61) {
		for (size_t at = 0; at + n <= x.header; at += 23) {
			memcpy(text, x.good, x.n);
			memset(text + at, 0, n);
			if (!mends(&x, text, all(&x), &fillers)) {
				if (at >= 182)
					fail_msg("%zu octets at %zu", n, at);
				continue;
			}
			is_sound(&x);
			mended++;
		}
	}
	assert_true(mended > 0);
	scratch_end(&x.s);
}

/* A checksum that fits proves no widths. */
static void a_head_of_other_widths_is_left_alone(void **state UNUSED)
{
	struct fixture x;
	struct buf b;
	size_t fillers, cut;
	char *at;

	begin(&x);
	for (size_t pass = 0; pass < 2; pass++) {
		buf_init(&b, MAX);
		buf_put(&b, (struct str){x.good, x.n});
		at = strstr(b.p, pass ? "arrived 0" : "stored 0");
		at = strchr(at, '0');
		cut = strspn(at, "0") - 1;
		memmove(at, at + cut, (size_t)(b.p + b.n - at) - cut);
		b.n -= cut;
		at = strstr(b.p, "head-sum ");
		snprintf(b.p + 19, 9, "%08zu", x.header - cut);
		b.p[27] = '\n';

		uint64_t sum = XXH3_64bits(b.p, (size_t)(at - b.p));

		for (int i = 0; i < 16; i++)
			at[9 + i] = "0123456789abcdef"[sum >> (60 - 4 * i) & 15];
		memset(strstr(b.p, "slot-sum") + 1, 0, 20);
		put(&x, b.p, b.n);

		struct message_claims c = all(&x);
		struct err e;

		assert_int_equal(message_mend(x.s.store, 0, x.id, &c, &fillers, &e), -1);
		assert_non_null(strstr(e.text, "not written as this program"));
		buf_fini(&b);
	}
	scratch_end(&x.s);
}

/* Noise is refused, or mended so that a reader likes it. */
static void noise_is_survived(void **state UNUSED)
{
	struct fixture x;
	char text[MAX];
	uint64_t seed = 1;
	size_t fillers;

	begin(&x);
	for (int i = 0; i < 60; i++) {
		memcpy(text, x.good, x.n);
		for (int k = i % 5; k >= 0; k--) {
			size_t at, n;

			seed = XXH3_64bits(&seed, sizeof seed);
			at = seed % x.n;
			n = 1 + (seed >> 20) % 8;
			for (size_t j = at; j < at + n && j < x.n; j++)
				text[j] = x.good[(seed >> 30) % x.n + (j - at) < x.n
							 ? (seed >> 30) % x.n + (j - at)
							 : 0];
		}
		if (mends(&x, text, all(&x), &fillers))
			is_sound(&x);
	}
	scratch_end(&x.s);
}

/* A line of recipients at the very start of the file, and last lines of the head that have
 * lost their spaces: nothing that a file says reaches in front of it, or an assertion. */
static void a_head_that_is_too_short_is_left_alone(void **state UNUSED)
{
	static const char early[] = "\nrcpt + x@x 0000000000000 -\n";
	static const char bare[] = "env-id\nfrom\n";
	struct fixture x;
	const struct message_claims carols = {&x.claims[1], 1, true, NULL, NULL};
	char text[MAX];
	size_t fillers;

	begin(&x);
	for (size_t at = 1; at < 32; at++) {
		memcpy(text, x.good, x.n);
		memcpy(text + at, early, sizeof early - 1);
		memset(text + 242, 0, x.header - 242);
		assert_false(mends(&x, text, none, &fillers));
	}
	memcpy(text, x.good, x.n);
	memset(text + 242, '?', x.header - 242);
	memcpy(text + 242, bare, sizeof bare - 1);
	scratch_write(&x.s, scratch_message(x.id).s, (struct str){text, x.n});
	scratch_ok(message_mend(x.s.store, 0, x.id, &carols, &fillers, &e_));
	assert_int_equal(fillers, 1);
	scratch_end(&x.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_flipped_octet_of_the_header_is_mended),
		cmocka_unit_test(a_zeroed_part_of_the_head_is_made_again),
		cmocka_unit_test(zeroed_recipients_are_made_again_from_maildrops),
		cmocka_unit_test(a_filler_holds_what_is_lost),
		cmocka_unit_test(a_line_of_nobody_known_becomes_a_filler),
		cmocka_unit_test(a_body_that_is_not_whole_gets_no_header),
		cmocka_unit_test(a_body_of_another_message_gets_no_header),
		cmocka_unit_test(maildrops_that_disagree_prove_nothing),
		cmocka_unit_test(any_zeroed_part_harms_nobody),
		cmocka_unit_test(a_head_of_other_widths_is_left_alone),
		cmocka_unit_test(a_head_that_is_too_short_is_left_alone),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
