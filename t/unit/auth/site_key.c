/* SPDX-License-Identifier: ISC */
/* The key of the site: made once, never overwritten, another one for each use. */
#include "auth/site_key.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/auth/scratch.h"

static const char file[] = "store/secrets/site-key";

static void derive(struct scratch *s, const char *use, unsigned char out[SITE_KEY_OCTETS])
{
	scratch_ok(site_key_derive(s->store, use, out, &e_));
}

static void each_use_has_its_own(void **state)
{
	unsigned char a[SITE_KEY_OCTETS], b[SITE_KEY_OCTETS], again[SITE_KEY_OCTETS];
	struct scratch s;

	(void)state;
	scratch_begin(&s, "");
	derive(&s, "seal", a);
	derive(&s, "scram", b);
	derive(&s, "seal", again);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_equal(a, again, sizeof a);
	scratch_end(&s);
}

/* RFC 5869 with the key octets 0 to 31, no salt and "popstore seal". */
static void it_is_hkdf_of_what_the_file_says(void **state)
{
	static const unsigned char expected[SITE_KEY_OCTETS] = {
		0x3d, 0x50, 0x90, 0x84, 0xa9, 0xa6, 0x24, 0x80, 0xb5, 0xcf, 0xd1,
		0x72, 0x29, 0x78, 0x28, 0xc6, 0xb2, 0xcf, 0xa1, 0xa9, 0x52, 0xc3,
		0x64, 0xcd, 0x27, 0x26, 0xe0, 0x8a, 0xfb, 0x2c, 0x8a, 0xa2};
	unsigned char out[SITE_KEY_OCTETS];
	struct record_writer w;
	struct scratch s;

	(void)state;
	scratch_begin(&s, "");
	record_begin(&w, "popstore-site-key");
	record_put_u64(&w, "made", 1);
	record_put(&w, "key", STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
	scratch_write(&s, file, record_finish(&w));
	record_fini(&w);
	derive(&s, "seal", out);
	assert_memory_equal(out, expected, sizeof out);
	scratch_end(&s);
}

static void only_who_needs_one_makes_it(void **state)
{
	unsigned char out[SITE_KEY_OCTETS];
	struct scratch s;
	struct stat st;
	bool found = true;

	(void)state;
	scratch_begin(&s, "");
	scratch_ok(site_key_find(s.store, "seal", out, &found, &e_));
	assert_false(found);
	assert_false(scratch_exists(&s, file));
	derive(&s, "seal", out);
	assert_int_equal(stat(scratch_path(&s, file).s, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	scratch_ok(site_key_find(s.store, "seal", out, &found, &e_));
	assert_true(found);
	scratch_end(&s);
}

static void a_damaged_one_is_an_error_and_stays(void **state)
{
	unsigned char out[SITE_KEY_OCTETS];
	struct buf was, is;
	struct scratch s;
	struct err e;

	(void)state;
	scratch_begin(&s, "");
	derive(&s, "seal", out);
	buf_init(&was, 1024);
	buf_init(&is, 1024);
	scratch_read(&s, file, &was);
	for (size_t i = 0; i < was.n; i++) {
		scratch_flip(&s, file, i);
		assert_int_equal(site_key_derive(s.store, "seal", out, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		scratch_flip(&s, file, i);
	}
	scratch_read(&s, file, &is);
	assert_true(str_eq(buf_str(&was), buf_str(&is)));
	scratch_write(&s, file, STR(""));
	assert_int_equal(site_key_derive(s.store, "seal", out, &e), -1);
	buf_fini(&was);
	buf_fini(&is);
	scratch_end(&s);
}

static void a_lost_tree_gets_no_key(void **state)
{
	unsigned char out[SITE_KEY_OCTETS];
	struct scratch s;
	struct err e;

	(void)state;
	scratch_begin(&s, "");
	assert_int_equal(rmdir(scratch_path(&s, "store/secrets").s), 0);
	assert_int_equal(site_key_derive(s.store, "seal", out, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_false(scratch_exists(&s, "store/secrets"));
	scratch_end(&s);
}

/* ---- many at once ------------------------------------------------------------------- */

struct racer {
	struct scratch *s;
	pthread_barrier_t *start;
	unsigned char key[SITE_KEY_OCTETS];
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct err e;

	pthread_barrier_wait(r->start);
	must(site_key_derive(r->s->store, "seal", r->key, &e) == 0);
	return NULL;
}

static void who_needs_it_at_once_gets_the_same(void **state)
{
	enum { RACERS = 8 };
	struct racer racers[RACERS];
	pthread_t threads[RACERS];
	pthread_barrier_t start;
	struct scratch s;

	(void)state;
	scratch_begin(&s, "");
	pthread_barrier_init(&start, NULL, RACERS);
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){.s = &s, .start = &start};
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 1; i < RACERS; i++)
		assert_memory_equal(racers[0].key, racers[i].key, SITE_KEY_OCTETS);
	pthread_barrier_destroy(&start);
	scratch_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_use_has_its_own),
		cmocka_unit_test(it_is_hkdf_of_what_the_file_says),
		cmocka_unit_test(only_who_needs_one_makes_it),
		cmocka_unit_test(a_damaged_one_is_an_error_and_stays),
		cmocka_unit_test(a_lost_tree_gets_no_key),
		cmocka_unit_test(who_needs_it_at_once_gets_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
