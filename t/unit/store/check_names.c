/* SPDX-License-Identifier: ISC */
/*
 * check_names - what check says of damaged records, and what it mends
 */
#include "store/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "auth/site_key.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/verdict.h"
#include "store/volume_number.h"
#include "t/unit/store/scratch.h"

enum { FINDINGS = 16 };

static const char letter[] = "Subject: x\r\n\r\nx\r\n.\r\n";

struct fixture {
	struct scratch s;
	struct account alice;
	struct check_finding found[FINDINGS];
	size_t n;
};

static void keep(const struct check_finding *f, void *ctx)
{
	struct fixture *x = ctx;

	if (x->n < FINDINGS)
		x->found[x->n] = *f;
	x->n++;
}

static struct check_result run(struct fixture *x, bool repair)
{
	struct check_options o = {.repair = repair, .finding = keep, .ctx = x};
	struct check_result r;

	x->n = 0;
	scratch_ok(check_run(x->s.store, &o, &r, &e_));
	return r;
}

static void forward(struct fixture *x, const char *name, const char *to)
{
	struct forwarding f = {.name = scratch_name(&x->s, name), .n = 1};

	f.targets = xalloc(sizeof *f.targets);
	assert_int_equal(address_parse(str_of(to), true, f.targets), ADDRESS_OK);
	scratch_ok(forwarding_put(x->s.store, &f, &e_));
	forwarding_fini(&f);
}

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "auth { yescrypt_cost = 1 }");
	scratch_domain(&x->s, "example.edu", NULL);
	x->alice = scratch_account(&x->s, "alice@example.org");
	scratch_ok(secret_set(x->s.store, &x->alice, STR("geheim"), false, &e_));
	forward(x, "sales@example.org", "alice@example.org");
	forward(x, "info@example.org", "alice@example.org");
	scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	scratch_end(&x->s);
	xfree(state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

/* ---- one octet ------------------------------------------------------------------ */

static const struct victim {
	const char *tree, *name, *command;
} victims[] = {
	{"domains", "example.edu", "`popstore domain add example.edu`"},
	{"domains", "example.net", "`popstore domain add example.net`"},
	{"forwardings", "sales@example.org",
	 "`popstore forward sales@example.org ADDRESS...`"},
	{"secrets", "alice@example.org", "`popstore passwd alice@example.org`"},
};

/* names - one finding at least, of this record, with what is to be done */
static void names(struct fixture *x, const struct victim *v)
{
	assert_true(x->n >= 1);
	assert_string_equal(x->found[0].invariant, "I2");
	assert_non_null(strstr(x->found[0].what, v->name));
	assert_non_null(strstr(x->found[0].what, v->command));
}

static void any_octet_that_flips_is_mended(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(victims); i++) {
		const struct victim *v = &victims[i];
		struct scratch_path at = scratch_place(v->tree, v->name, NULL);
		struct buf was, is;

		buf_init(&was, RECORD_MAX);
		buf_init(&is, RECORD_MAX);
		scratch_read(&x->s, at.s, &was);
		/* All of a short one; that of a secret is base64 for the most part. */
		for (size_t octet = 0; octet < was.n; octet += 1 + was.n / 300) {
			scratch_flip(&x->s, at.s, octet);
			if (octet % 16 == 0) {
				assert_int_equal(run(x, false).repaired, 0);
				names(x, v);
			}
			assert_int_equal(run(x, true).findings, 1);
			names(x, v);
			assert_true(x->found[0].repaired);
			buf_clear(&is);
			scratch_read(&x->s, at.s, &is);
			assert_true(str_eq(buf_str(&is), buf_str(&was)));
		}
		assert_int_equal(run(x, false).findings, 0);
		buf_fini(&was);
		buf_fini(&is);
	}
}

/* ---- more than one octet ----------------------------------------------------------- */

static void what_cannot_be_proved_is_named_and_stays(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(victims); i++) {
		const struct victim *v = &victims[i];
		struct scratch_path at = scratch_place(v->tree, v->name, NULL);
		struct buf was, is;

		buf_init(&was, RECORD_MAX);
		buf_init(&is, RECORD_MAX);
		scratch_read(&x->s, at.s, &was);
		for (size_t n = 0; n < was.n; n += 7) {
			struct str piece = {was.p, n};

			scratch_write(&x->s, at.s, piece);
			assert_true(run(x, true).findings > 0);
			names(x, v);
			assert_false(x->found[0].repaired);
			buf_clear(&is);
			scratch_read(&x->s, at.s, &is);
			assert_true(str_eq(buf_str(&is), piece));
		}
		memset(is.p, 0, is.n);
		scratch_write(&x->s, at.s, buf_str(&is));
		assert_int_equal(run(x, true).repaired, 0);
		names(x, v);
		scratch_write(&x->s, at.s, buf_str(&was));
		assert_int_equal(run(x, false).findings, 0);
		buf_fini(&was);
		buf_fini(&is);
	}
}

/* Whole by its checksum is not enough. */
static void a_record_that_lacks_a_key_is_named(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(victims); i++) {
		const struct victim *v = &victims[i];
		struct scratch_path at = scratch_place(v->tree, v->name, NULL);
		static const char *const kinds[] = {"popstore-domain", "popstore-domain",
						    "popstore-forwarding",
						    "popstore-secret"};
		struct record_writer w;
		struct buf was;

		buf_init(&was, RECORD_MAX);
		scratch_read(&x->s, at.s, &was);
		record_begin(&w, kinds[i]);
		if (i != 0)
			record_put(&w, "name", str_of(v->name));
		if (i == 1)
			record_put(&w, "alias-of", STR(""));
		scratch_write(&x->s, at.s, record_finish(&w));
		record_fini(&w);
		assert_int_equal(run(x, true).repaired, 0);
		names(x, v);
		scratch_write(&x->s, at.s, buf_str(&was));
		buf_fini(&was);
	}
	assert_int_equal(run(x, false).findings, 0);
}

/* ---- the site key -------------------------------------------------------------------- */

static const char site_key[] = "store/secrets/site-key";

static void make_site_key(struct fixture *x)
{
	unsigned char key[SITE_KEY_OCTETS];

	scratch_ok(site_key_derive(x->s.store, "seal", key, &e_));
	assert_int_equal(run(x, false).findings, 0);
}

static void a_site_key_is_mended_or_named(void **state)
{
	struct fixture *x = *state;
	struct buf was, is;

	make_site_key(x);
	buf_init(&was, RECORD_MAX);
	buf_init(&is, RECORD_MAX);
	scratch_read(&x->s, site_key, &was);
	for (size_t octet = 0; octet < was.n; octet++) {
		scratch_flip(&x->s, site_key, octet);
		assert_int_equal(run(x, false).findings, 1);
		assert_string_equal(x->found[0].invariant, "I2");
		assert_non_null(strstr(x->found[0].what, "remove secrets/site-key"));
		assert_false(x->found[0].repaired);
		assert_int_equal(run(x, true).repaired, 1);
		buf_clear(&is);
		scratch_read(&x->s, site_key, &is);
		assert_true(str_eq(buf_str(&is), buf_str(&was)));
	}
	for (size_t n = 0; n < was.n; n += 7) {
		scratch_write(&x->s, site_key, (struct str){was.p, n});
		assert_int_equal(run(x, true).repaired, 0);
		assert_int_equal(x->n, 1);
	}
	scratch_write(&x->s, site_key, buf_str(&was));
	assert_int_equal(run(x, false).findings, 0);
	buf_fini(&was);
	buf_fini(&is);
}

static void a_site_key_without_a_key_is_named(void **state)
{
	static const char *const keys[] = {NULL, "", "AAAA", "?"};
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(keys); i++) {
		struct record_writer w;

		record_begin(&w, "popstore-site-key");
		record_put_u64(&w, "made", 1);
		if (keys[i] != NULL)
			record_put(&w, "key", str_of(keys[i]));
		scratch_write(&x->s, site_key, record_finish(&w));
		record_fini(&w);
		assert_int_equal(run(x, true).findings, 1);
		assert_int_equal(run(x, true).repaired, 0);
		assert_non_null(strstr(x->found[0].what, "not well formed"));
	}
}

/* ---- what lies elsewhere ------------------------------------------------------------ */

static void move(struct fixture *x, const char *from, const char *to)
{
	assert_int_equal(rename(scratch_path(&x->s, from).s, scratch_path(&x->s, to).s),
			 0);
}

static bool forwards(struct fixture *x, const char *name)
{
	struct name n = scratch_name(&x->s, name);
	struct forwarding f;
	bool found;
	struct err e;

	if (forwarding_find(x->s.store, &n, &f, &found, &e) < 0)
		return false;
	forwarding_fini(&f);
	return found;
}

static void two_that_were_exchanged_are_named(void **state)
{
	struct fixture *x = *state;
	struct scratch_path one = scratch_place("forwardings", "sales@example.org", NULL),
			    other = scratch_place("forwardings", "info@example.org",
						  NULL);

	move(x, one.s, "third");
	move(x, other.s, one.s);
	move(x, "third", other.s);
	assert_int_equal(run(x, true).findings, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_false(x->found[i].repaired);
		assert_non_null(strstr(x->found[i].what, "is the record of"));
	}
	forward(x, "sales@example.org", "alice@example.org");
	forward(x, "info@example.org", "alice@example.org");
	assert_int_equal(run(x, true).findings, 0);
}

/* In a directory that is not its own, as fsck might leave it. */
static void one_that_lies_elsewhere_goes_home(void **state)
{
	static const char *const elsewhere[] = {
		"store/forwardings/sales@example.org",
		"store/forwardings/00/sales@example.org",
		"store/forwardings/00/00/sales@example.org",
	};
	struct fixture *x = *state;
	struct scratch_path home =
		scratch_place("forwardings", "sales@example.org", NULL);

	mkdir(scratch_path(&x->s, "store/forwardings/00").s, 0700);
	mkdir(scratch_path(&x->s, "store/forwardings/00/00").s, 0700);
	for (size_t i = 0; i < countof(elsewhere); i++) {
		move(x, home.s, elsewhere[i]);
		assert_false(forwards(x, "sales@example.org"));
		assert_int_equal(run(x, false).findings, 1);
		assert_non_null(strstr(x->found[0].what, strchr(elsewhere[i], '/') + 1));
		assert_non_null(strstr(x->found[0].what, "sales@example.org"));
		assert_int_equal(run(x, true).repaired, 1);
		assert_true(forwards(x, "sales@example.org"));
		assert_false(scratch_exists(&x->s, elsewhere[i]));
		assert_int_equal(run(x, false).findings, 0);
	}
}

/* It may be of a forwarding that was removed since. */
static void a_copy_under_another_name_stays_a_copy(void **state)
{
	static const char *const copies[] = {
		"store/forwardings/stray",
		"store/forwardings/00/00/Sales@Example.org",
		"store/forwardings/00/00/sales@example.org.bak",
		"store/forwardings/00/00/%61",
	};
	struct fixture *x = *state;
	struct scratch_path home =
		scratch_place("forwardings", "sales@example.org", NULL);

	mkdir(scratch_path(&x->s, "store/forwardings/00").s, 0700);
	mkdir(scratch_path(&x->s, "store/forwardings/00/00").s, 0700);
	for (size_t i = 0; i < countof(copies); i++) {
		move(x, home.s, copies[i]);
		assert_int_equal(run(x, true).repaired, 0);
		assert_int_equal(x->n, 1);
		assert_non_null(strstr(x->found[0].what, strchr(copies[i], '/') + 1));
		assert_false(forwards(x, "sales@example.org"));
		move(x, copies[i], home.s);
	}
	assert_int_equal(run(x, false).findings, 0);
}

static void nothing_whole_is_replaced_by_what_lies_elsewhere(void **state)
{
	struct fixture *x = *state;
	struct scratch_path home =
		scratch_place("forwardings", "sales@example.org", NULL);

	move(x, home.s, "store/forwardings/sales@example.org");
	forward(x, "sales@example.org", "bob@example.com");
	assert_int_equal(run(x, true).repaired, 0);
	assert_int_equal(x->n, 1);
	assert_true(scratch_exists(&x->s, "store/forwardings/sales@example.org"));

	/* nor is an account made a forwarding */
	assert_int_equal(unlink(scratch_path(&x->s, home.s).s), 0);
	scratch_account(&x->s, "sales@example.org");
	assert_int_equal(run(x, true).repaired, 0);
	assert_false(forwards(x, "sales@example.org"));
	scratch_write(&x->s, "store/forwardings/sales@example.org", STR("nonsense\n"));
	assert_int_equal(run(x, true).repaired, 0);
	assert_int_equal(x->n, 1);
	assert_true(scratch_exists(&x->s, "store/forwardings/sales@example.org"));
}

/* At somebody else's place it stays as well, whose own record is lost. */
static void one_at_anothers_place_goes_home_and_he_is_named(void **state)
{
	struct fixture *x = *state;

	move(x, scratch_place("forwardings", "sales@example.org", NULL).s,
	     scratch_place("forwardings", "info@example.org", NULL).s);
	assert_int_equal(run(x, true).findings, 1);
	assert_false(x->found[0].repaired);
	assert_non_null(strstr(x->found[0].what, "forwarding info@example.org: "));
	assert_non_null(strstr(x->found[0].what, "which has it again"));
	assert_true(forwards(x, "sales@example.org"));
	assert_false(forwards(x, "info@example.org"));
}

static void a_secret_of_another_incarnation_stays_away(void **state)
{
	struct fixture *x = *state;
	struct account again;
	bool match;

	move(x, scratch_place("secrets", "alice@example.org", NULL).s,
	     "store/secrets/stray");
	scratch_ok(account_delete(x->s.store, &x->alice.name, &e_));
	again = scratch_account(&x->s, "alice@example.org");
	assert_int_equal(run(x, true).repaired, 0);
	scratch_ok(secret_check(x->s.store, &again, STR("geheim"), &match, &e_));
	assert_false(match);
}

/* A power cut leaves it so of a batch: nobody was told that it was there. */
static void a_secret_that_was_never_written_goes(void **state)
{
	static const char zeros[40];
	struct fixture *x = *state;
	struct scratch_path at = scratch_place("secrets", "bob@example.org", NULL);
	struct account bob = scratch_account(&x->s, "bob@example.org");

	scratch_ok(secret_set(x->s.store, &bob, STR("geheim"), false, &e_));
	for (size_t n = 0; n <= sizeof zeros; n += sizeof zeros) {
		scratch_write(&x->s, at.s, (struct str){zeros, n});
		assert_int_equal(run(x, true).repaired, 1);
		assert_non_null(
			strstr(x->found[0].what, "`popstore passwd bob@example.org`"));
		assert_false(scratch_exists(&x->s, at.s));
		assert_int_equal(run(x, true).findings, 0);
	}
	/* but his mail says that he was there longer */
	scratch_write(&x->s, at.s, STR(""));
	scratch_deliver(&x->s, &bob, letter);
	assert_int_equal(run(x, true).repaired, 0);
	assert_true(scratch_exists(&x->s, at.s));
}

static void a_file_where_a_directory_should_be_is_named(void **state)
{
	struct fixture *x = *state;

	scratch_write(&x->s, "store/domains/00", STR("nonsense\n"));
	scratch_write(&x->s, "store/secrets/01", STR(""));
	assert_int_equal(run(x, true).findings, 2);
	assert_non_null(strstr(x->found[0].what, "domains/00"));
	assert_non_null(strstr(x->found[1].what, "secrets/01"));
}

/* ---- the rest is served -------------------------------------------------------------- */

static unsigned verdict(struct fixture *x, const char *address)
{
	struct verdict v;

	verdict_of(x->s.store, str_of(address), 1000, &v);
	verdict_fini(&v);
	return v.smtp;
}

static void others_get_their_mail(void **state)
{
	struct fixture *x = *state;

	scratch_account(&x->s, "bob@example.edu");
	scratch_flip(&x->s, scratch_place("domains", "example.edu", NULL).s, 30);
	scratch_flip(&x->s, scratch_place("forwardings", "info@example.org", NULL).s, 30);
	assert_int_equal(verdict(x, "bob@example.edu"), 451);
	assert_int_equal(verdict(x, "nobody@example.edu"), 451);
	assert_int_equal(verdict(x, "info@example.org"), 451);
	assert_int_equal(verdict(x, "alice@example.org"), 250);
	assert_int_equal(verdict(x, "alice@example.net"), 250);
	assert_int_equal(verdict(x, "sales@example.org"), 250);
	assert_int_equal(verdict(x, "nobody@example.org"), 550);
	assert_int_equal(verdict(x, "nobody@example.com"), 550);
	scratch_flip(&x->s, scratch_place("domains", "example.org", NULL).s, 30);
	assert_int_equal(verdict(x, "alice@example.net"), 451); /* its alias */
	assert_int_equal(verdict(x, "nobody@example.com"), 550);
}

/* ---- volumes ---------------------------------------------------------------------------- */

/* again - the same directories under another configuration */
static void again(struct fixture *x, const char *store)
{
	store_close(&x->s.store);
	scratch_configure(&x->s, store, "");
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
}

static void begin_with_volumes(struct fixture *x)
{
	*x = (struct fixture){0};
	scratch_begin_with(&x->s, "volumes = {%s/v1, %s/v2}", "");
	x->alice = scratch_account(&x->s, "alice@example.org");
	for (int i = 0; i < 4; i++)
		scratch_deliver(&x->s, &x->alice, letter);
	scratch_ok(store_checkpoint(x->s.store, &e_));
}

static void records_of_volumes_are_written_anew(void **state UNUSED)
{
	struct fixture x;
	struct err e;

	begin_with_volumes(&x);
	scratch_flip(&x.s, "store/volumes/1", 30);
	assert_int_equal(unlink(scratch_path(&x.s, "store/volumes/2").s), 0);
	assert_int_equal(run(&x, false).findings, 2);
	assert_string_equal(x.found[0].invariant, "I1");
	assert_non_null(strstr(x.found[0].what, "volumes/1 is damaged"));
	assert_non_null(strstr(x.found[1].what, "volumes/2 is missing"));
	assert_int_equal(run(&x, true).repaired, 2);
	assert_int_equal(run(&x, false).findings, 0);
	assert_int_equal(volume_number_check(store_root(x.s.store), 1, &e), 0);
	assert_int_equal(volume_number_check(store_root(x.s.store), 2, &e), 0);
	scratch_end(&x.s);
}

/* Without its record the store would count as whole, and forget what may come back. */
static void a_volume_that_is_away_gets_its_number_back(void **state UNUSED)
{
	struct fixture x;
	bool whole;

	begin_with_volumes(&x);
	again(&x, "volumes = {%s/v1}");
	assert_int_equal(unlink(scratch_path(&x.s, "store/volumes/2").s), 0);
	scratch_ok(store_is_whole(x.s.store, &whole, &e_));
	assert_true(whole);
	assert_int_equal(run(&x, true).repaired, 1);
	scratch_ok(store_is_whole(x.s.store, &whole, &e_));
	assert_false(whole);
	assert_int_equal(run(&x, true).repaired, 0);
	assert_int_equal(scratch_count(&x.s, &x.alice), 4);
	again(&x, "volumes = {%s/v1, %s/v2}");
	assert_int_equal(run(&x, true).findings, 0);
	scratch_end(&x.s);
}

/* Their lines are written anew, with the volume on which the message is. */
static void volumes_that_were_exchanged_lose_nothing(void **state UNUSED)
{
	static const char *const marks[] = {"volume", "volume.copy"};
	struct fixture x;

	begin_with_volumes(&x);
	for (int times = 0; times < 2; times++) {
		for (size_t i = 0; i < countof(marks); i++) {
			char one[40], other[40];

			snprintf(one, sizeof one, "v1/%s", marks[i]);
			snprintf(other, sizeof other, "v2/%s", marks[i]);
			move(&x, one, "third");
			move(&x, other, one);
			move(&x, "third", other);
		}
		again(&x, "volumes = {%s/v1, %s/v2}");
		assert_true(run(&x, false).findings >= 4);
		assert_non_null(strstr(x.found[0].what, "is on volume"));
		run(&x, true);
		assert_int_equal(run(&x, false).findings, 0);
		assert_int_equal(scratch_count(&x.s, &x.alice), 4);
	}
	assert_int_equal(run(&x, true).findings, 0);
	assert_int_equal(scratch_count(&x.s, &x.alice), 4);
	scratch_end(&x.s);
}

/* ---- what is in them does not matter ------------------------------------------------------ */

static void files_that_say_nothing_may_say_anything(void **state)
{
	static const char *const files[] = {"store/services", "store/names.lock",
					    "store/repair.lease"};
	static const char *const texts[] = {"", "nonsense", "popstore-services 1\n"};
	struct scratch_path session =
		scratch_place("accounts", "alice@example.org", "session");
	struct fixture *x = *state;
	struct maildrop *m;

	for (size_t i = 0; i < countof(texts); i++) {
		for (size_t f = 0; f < countof(files); f++)
			scratch_write(&x->s, files[f], str_of(texts[i]));
		scratch_write(&x->s, session.s, str_of(texts[i]));
		assert_int_equal(run(x, true).findings, 0);
		scratch_ok(maildrop_open(x->s.store, &x->alice, &m, &e_));
		maildrop_close(&m);
		forward(x, "sales@example.org", "alice@example.org");
		scratch_deliver(&x->s, &x->alice, letter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_octet_that_flips_is_mended),
		TEST(what_cannot_be_proved_is_named_and_stays),
		TEST(a_record_that_lacks_a_key_is_named),
		TEST(a_site_key_is_mended_or_named),
		TEST(a_site_key_without_a_key_is_named),
		TEST(two_that_were_exchanged_are_named),
		TEST(one_that_lies_elsewhere_goes_home),
		TEST(a_copy_under_another_name_stays_a_copy),
		TEST(nothing_whole_is_replaced_by_what_lies_elsewhere),
		TEST(one_at_anothers_place_goes_home_and_he_is_named),
		TEST(a_secret_of_another_incarnation_stays_away),
		TEST(a_secret_that_was_never_written_goes),
		TEST(a_file_where_a_directory_should_be_is_named),
		TEST(others_get_their_mail),
		cmocka_unit_test(records_of_volumes_are_written_anew),
		cmocka_unit_test(a_volume_that_is_away_gets_its_number_back),
		cmocka_unit_test(volumes_that_were_exchanged_lose_nothing),
		TEST(files_that_say_nothing_may_say_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
