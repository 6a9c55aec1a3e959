/* SPDX-License-Identifier: ISC */
/* What a secret is made of, and how it keeps up with settings, domain and its own past. */
#include "auth/secret_int.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/id.h"
#include "t/unit/auth/scratch.h"

#define PASSWORD "correct horse"

struct fixture {
	struct scratch s;
	struct account alice;
};

static struct account add(struct fixture *x, const char *name, const char *password)
{
	return scratch_add(&x->s, name, password, 0);
}

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin(&x->s, "");
	x->alice = add(x, "alice@example.org", NULL);
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

/* ---- helpers ------------------------------------------------------------------------ */

static void set(struct fixture *x, const char *password)
{
	scratch_ok(secret_set(x->s.store, &x->alice, str_of(password), false, &e_));
}

static void set_hash(struct fixture *x, const char *hash)
{
	struct secret_prepared p;

	scratch_ok(secret_prepare_hash(x->s.set, str_of(hash), &p, &e_));
	scratch_ok(secret_put(x->s.store, &x->alice, &p, false, &e_));
	secret_prepared_wipe(&p);
}

static void read_it(struct fixture *x, struct secret *out)
{
	scratch_ok(secret_read(x->s.store, &x->alice, out, &e_));
}

static bool matches(struct fixture *x, const char *password)
{
	bool match;

	scratch_ok(secret_check(x->s.store, &x->alice, str_of(password), &match, &e_));
	return match;
}

/* upgrade - as after a login */
static void upgrade(struct fixture *x, const char *password)
{
	struct secret was;

	read_it(x, &was);
	scratch_ok(secret_upgrade(x->s.store, &x->alice, &was, str_of(password), &e_));
	secret_fini(&was);
}

static bool is_behind(struct fixture *x)
{
	struct secret now;
	bool behind;

	read_it(x, &now);
	behind = now.needs_upgrade;
	secret_fini(&now);
	return behind;
}

static void recoverable(struct fixture *x, bool on)
{
	struct domain d;
	bool found;

	scratch_ok(domain_find(x->s.store, STR("example.org"), &d, &found, &e_));
	d.recoverable = on;
	scratch_ok(domain_update(x->s.store, &d, &e_));
}

/* opens - to this password, or not at all (NULL) */
static void opens(struct fixture *x, const char *password)
{
	struct secret now;
	struct buf opened;
	struct err e = {0};

	read_it(x, &now);
	buf_init_secret(&opened, PASSWORD_MAX);

	int rc = secret_open_sealed(x->s.store, &x->alice, &now, &opened, &e);

	assert_int_equal(rc, password ? 0 : -1);
	if (password != NULL)
		assert_string_equal(buf_cstr(&opened), password);
	else
		assert_int_equal(opened.n, 0);
	buf_fini_secret(&opened);
	secret_fini(&now);
}

static struct scratch_path place(void)
{
	return scratch_place("secrets", "alice@example.org", NULL);
}

/* holds - does the record hold these octets? */
static bool holds(struct fixture *x, const char *octets)
{
	struct buf text;
	bool found;

	buf_init(&text, RECORD_MAX);
	scratch_read(&x->s, place().s, &text);
	found = strstr(buf_cstr(&text), octets) != NULL;
	buf_fini(&text);
	return found;
}

/* ---- verifiers ------------------------------------------------------------------------ */

static void there_is_a_verifier_for_each_hash(void **state)
{
	struct fixture *x = *state;
	struct secret now;

	set(x, "pencil");
	read_it(x, &now);
	assert_true(now.found && now.has_scram && !now.scram_none && !now.needs_upgrade);
	for (size_t i = 0; i < SCRAM_HASHES; i++) {
		struct scram_verifier v, same;

		assert_true(scram_parse(str_of(now.scram[i]), &v));
		assert_int_equal(v.hash, i);
		assert_int_equal(v.iterations, 4096);
		same = v;
		scratch_ok(scram_make(STR("pencil"), &same, &e_));
		assert_memory_equal(&same, &v, sizeof v);
	}
	secret_fini(&now);
	assert_false(holds(x, "pencil"));
}

static void a_password_that_nobody_can_prepare_has_none(void **state)
{
	struct fixture *x = *state;
	struct secret now;

	set(x, "\xff\x80");
	read_it(x, &now);
	assert_true(now.scram_none && !now.has_scram && !now.needs_upgrade);
	secret_fini(&now);
	assert_true(holds(x, "\nscram none\n"));
	assert_true(matches(x, "\xff\x80"));
	set(x, PASSWORD);
	assert_false(holds(x, "\nscram none\n"));
}

/* ---- hashes of other systems ------------------------------------------------------------ */

static const struct {
	const char *hash;
	bool behind; /* what is set so */
} foreign[] = {
	/* clang-format off */
	{"{CRYPT}abhfCpXqd4GrI", true},
	{"{CRYPT}$1$saltsalt$NuzA7WTAelpl95xgBGWN60", true},
	{"{SHA512-CRYPT}$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/", true},
	{"{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", true},
	{"{YESCRYPT}$y$j75$saltsaltsaltsaltsalt$qVhqrHhDjzwEn0kG7s3PjZ296M0.qZ6M5aiaSh43/J8", true},
	{"{SSHA}bvtffqkhrMbVQlFpJuYd8xvI101OYUNsNDU2Nw==", true},
	{"{SSHA512}z2tmWBp4ECPPveSR/UDulG94NWOJKFK9LP5ske43g3Svs6rvsgbI/CuDoAJYATio2a0zpr1oco7/G1Q+RiL91U5hQ2w0NTY3", true},
	{"{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde", true},
	{"{PLAIN}" PASSWORD, false},
	/* clang-format on */
};

static void they_are_good_and_become_ours(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(foreign); i++) {
		struct secret was, now;

		print_message("# %s\n", foreign[i].hash);
		set_hash(x, foreign[i].hash);
		assert_true(matches(x, PASSWORD));
		assert_false(matches(x, "incorrect horse"));
		read_it(x, &was);
		assert_int_equal(was.needs_upgrade, foreign[i].behind);
		upgrade(x, PASSWORD);
		read_it(x, &now);
		assert_false(now.needs_upgrade);
		assert_true(now.has_scram);
		assert_true(str_starts(str_of(now.hash), STR("$y$")));
		assert_int_equal(now.set_ms, was.set_ms);
		assert_int_equal(now.version != was.version, foreign[i].behind);
		assert_true(matches(x, PASSWORD));
		secret_fini(&was);
		secret_fini(&now);
	}
}

static void a_hash_is_refused_like_a_password(void **state)
{
	static const char *const wrong[] = {"", PASSWORD, "{CRYPT}", "{PLAIN}",
					    "{PLAIN}a\tb"};
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(wrong); i++) {
		struct secret_prepared p;
		struct err e = {0};

		assert_int_equal(secret_prepare_hash(x->s.set, str_of(wrong[i]), &p, &e),
				 -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_int_equal(p.hash[0], '\0');
	}
}

/* ---- upgrades ----------------------------------------------------------------------------- */

static void what_an_older_program_wrote_gets_verifiers(void **state)
{
	struct fixture *x = *state;
	struct record_writer w;
	struct secret was, now;

	set(x, PASSWORD);
	read_it(x, &was);
	record_begin(&w, secret_kind);
	record_put(&w, "name", STR("alice@example.org"));
	record_put(&w, "uid", str_of(id_print(x->alice.uid).c));
	record_put_u64(&w, "set", 1234567890123);
	record_put(&w, "hash", str_of(was.hash));
	scratch_write(&x->s, place().s, record_finish(&w));
	record_fini(&w);
	assert_true(matches(x, PASSWORD));
	assert_true(is_behind(x));
	upgrade(x, PASSWORD);
	read_it(x, &now);
	assert_true(now.has_scram && !now.needs_upgrade);
	assert_string_equal(now.hash, was.hash); /* good enough as it is */
	assert_true(now.set_ms == 1234567890123);
	secret_fini(&was);
	secret_fini(&now);
}

static void settings_that_rise_are_followed_and_none_that_fall(void **state)
{
	struct fixture *x = *state;
	struct secret low, high, same;

	set(x, PASSWORD);
	read_it(x, &low);
	x->s.set->auth.yescrypt_cost = 2;
	x->s.set->auth.scram_iterations = 5000;
	assert_true(is_behind(x));
	upgrade(x, PASSWORD);
	read_it(x, &high);
	assert_false(high.needs_upgrade);
	assert_string_not_equal(low.hash, high.hash);
	assert_non_null(strstr(high.scram[SCRAM_SHA_1], "$5000:"));
	assert_true(matches(x, PASSWORD));

	x->s.set->auth.yescrypt_cost = 1;
	x->s.set->auth.scram_iterations = 4096;
	assert_false(is_behind(x));
	upgrade(x, PASSWORD);
	read_it(x, &same);
	assert_true(same.version == high.version);
	secret_fini(&low);
	secret_fini(&high);
	secret_fini(&same);
}

static void every_cost_is_told_from_the_next(void **state)
{
	struct fixture *x = *state;
	char hash[SECRET_HASH_MAX];

	for (uint64_t made = 1; made <= 6; made++) {
		x->s.set->auth.yescrypt_cost = made;
		scratch_ok(secret_hash_new(x->s.set, STR(PASSWORD), hash, &e_));
		for (uint64_t asked = 1; asked <= 11; asked++) {
			x->s.set->auth.yescrypt_cost = asked;
			assert_int_equal(secret_hash_is_weak(x->s.set, hash),
					 made < asked);
		}
	}
}

static void an_upgrade_never_undoes_a_new_password(void **state)
{
	struct fixture *x = *state;
	struct secret was, now;

	set_hash(x, "{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde");
	read_it(x, &was);
	set(x, "another");
	read_it(x, &now);
	scratch_ok(secret_upgrade(x->s.store, &x->alice, &was, STR(PASSWORD), &e_));
	assert_true(matches(x, "another"));
	assert_false(matches(x, PASSWORD));

	uint64_t version;

	scratch_ok(secret_version(x->s.store, &x->alice, &version, &e_));
	assert_true(version == now.version);
	/* Nor does it bring a secret back. */
	scratch_ok(secret_delete(x->s.store, &x->alice.name, &e_));
	scratch_ok(secret_upgrade(x->s.store, &x->alice, &was, STR(PASSWORD), &e_));
	assert_false(scratch_exists(&x->s, place().s));
	secret_fini(&was);
	secret_fini(&now);
}

/* ---- many at once --------------------------------------------------------------------------- */

struct racer {
	struct fixture *x;
	unsigned number;
};

/* upgrade_again - what is behind by its settings, whatever the password is now */
static void *upgrade_again(void *arg)
{
	struct racer *r = arg;
	struct fixture *x = r->x;

	for (int i = 0; i < 40; i++) {
		struct secret was;
		struct err e;
		bool match = false;

		must(secret_read(x->s.store, &x->alice, &was, &e) == 0);
		must(secret_matches(x->s.store, &was, STR(PASSWORD), &match, &e) == 0);
		if (match)
			must(secret_upgrade(x->s.store, &x->alice, &was, STR(PASSWORD),
					    &e) == 0);
		secret_fini(&was);
	}
	return NULL;
}

static void *set_again(void *arg)
{
	struct racer *r = arg;
	struct fixture *x = r->x;

	for (int i = 0; i < 20; i++) {
		struct secret_prepared p;
		struct err e;
		bool match = false;

		must(secret_prepare_hash(
			     x->s.set, STR("{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde"),
			     &p, &e) == 0);
		must(secret_put(x->s.store, &x->alice, &p, false, &e) == 0);
		must(secret_set(x->s.store, &x->alice, STR("another"), false, &e) == 0);
		/* Nobody else sets one: from now on it is this one, upgrade or not. */
		must(secret_check(x->s.store, &x->alice, STR("another"), &match, &e) ==
		     0);
		must(match);
	}
	return NULL;
}

static void set_and_upgrade_at_once_leave_what_was_set(void **state)
{
	struct fixture *x = *state;
	struct racer racers[3] = {{x, 0}, {x, 1}, {x, 2}};
	pthread_t threads[3];

	set(x, PASSWORD);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i ? upgrade_again : set_again,
						&racers[i]),
				 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(matches(x, "another"));
}

static void a_user_undoes_nothing_that_a_manager_did(void **state)
{
	struct fixture *x = *state;
	struct secret_prepared p;
	struct secret was;
	struct err e = {0};

	set(x, PASSWORD);
	read_it(x, &was);
	scratch_ok(secret_prepare(x->s.set, STR("the user's"), &p, &e_));
	set(x, "the manager's");
	assert_int_equal(secret_replace(x->s.store, &x->alice, &was, &p, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(matches(x, "the manager's"));
	secret_fini(&was);
	read_it(x, &was);
	scratch_ok(secret_replace(x->s.store, &x->alice, &was, &p, &e_));
	assert_true(matches(x, "the user's"));
	secret_prepared_wipe(&p);
	secret_fini(&was);
}

/* ---- recoverable passwords ------------------------------------------------------------------ */

static void one_is_sealed_only_where_the_domain_asks(void **state)
{
	struct fixture *x = *state;

	set(x, PASSWORD);
	opens(x, NULL);
	assert_false(scratch_exists(&x->s, "store/secrets/site-key"));
	recoverable(x, true);
	assert_true(is_behind(x));
	set(x, PASSWORD);
	assert_false(is_behind(x));
	assert_true(holds(x, "\nsealed AES-256-GCM:"));
	assert_false(holds(x, "horse"));
	opens(x, PASSWORD);
	recoverable(x, false);
	assert_true(is_behind(x));
	set(x, PASSWORD);
	opens(x, NULL);
}

static void the_next_login_seals_it_or_forgets_it(void **state)
{
	struct fixture *x = *state;

	set(x, PASSWORD);
	recoverable(x, true);
	upgrade(x, PASSWORD);
	assert_false(is_behind(x));
	opens(x, PASSWORD);
	recoverable(x, false);
	upgrade(x, PASSWORD);
	assert_false(is_behind(x));
	assert_false(holds(x, "sealed"));
	assert_true(matches(x, PASSWORD));
}

static void all_that_can_be_longest_fits(void **state)
{
	char longest[PASSWORD_MAX + 1];
	struct fixture *x = *state;

	memset(longest, '%', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	recoverable(x, true);
	x->s.set->auth.scram_iterations = 1000000;
	set(x, longest);
	opens(x, longest);
}

static void a_domain_that_cannot_be_read_changes_nothing(void **state)
{
	struct fixture *x = *state;

	recoverable(x, true);
	set(x, PASSWORD);
	scratch_flip(&x->s, scratch_place("domains", "example.org", NULL).s, 30);
	assert_false(is_behind(x));
	opens(x, PASSWORD);
	set(x, "another");
	opens(x, NULL);
}

static void dropping_leaves_the_rest(void **state)
{
	struct fixture *x = *state;
	struct secret was, now;
	bool had = true;

	recoverable(x, true);
	set(x, PASSWORD);
	scratch_ok(secret_drop_sealed(x->s.store, &x->alice, &had, &e_));
	assert_false(had); /* the domain asks for it */
	read_it(x, &was);
	recoverable(x, false);
	scratch_ok(secret_drop_sealed(x->s.store, &x->alice, &had, &e_));
	assert_true(had);
	read_it(x, &now);
	assert_string_equal(now.sealed, "");
	assert_string_equal(now.hash, was.hash);
	assert_memory_equal(now.scram, was.scram, sizeof now.scram);
	assert_true(now.set_ms == was.set_ms && now.version != was.version);
	scratch_ok(secret_drop_sealed(x->s.store, &x->alice, &had, &e_));
	assert_false(had);
	secret_fini(&was);
	secret_fini(&now);
}

/* rewrite - the record with one value replaced by another */
static void rewrite(struct fixture *x, const char *key, const char *value)
{
	struct buf text;
	struct record_writer w;
	struct str rest, k, v;

	buf_init(&text, RECORD_MAX);
	scratch_read(&x->s, place().s, &text);
	record_begin(&w, secret_kind);
	rest = buf_str(&text);
	while (record_next(&rest, &k, &v)) {
		char name[32];

		snprintf(name, sizeof name, STR_FMT, STR_ARG(k));
		record_put(&w, name, strcmp(name, key) == 0 ? str_of(value) : v);
	}
	scratch_write(&x->s, place().s, record_finish(&w));
	record_fini(&w);
	buf_fini(&text);
}

static void anothers_sealed_password_does_not_open(void **state)
{
	struct fixture *x = *state;
	struct account bob;
	struct secret his;

	recoverable(x, true);
	bob = add(x, "bob@example.org", "bob's own");
	set(x, PASSWORD);
	scratch_ok(secret_read(x->s.store, &bob, &his, &e_));
	rewrite(x, "sealed", his.sealed);
	opens(x, NULL);
	secret_fini(&his);
}

static void another_site_key_opens_nothing_until_the_next_login(void **state)
{
	static const char file[] = "store/secrets/site-key";
	struct fixture *x = *state;
	struct secret now;
	struct buf b;
	struct err e = {0};

	recoverable(x, true);
	set(x, PASSWORD);
	assert_int_equal(unlink(scratch_path(&x->s, file).s), 0);
	opens(x, NULL); /* and makes none */
	assert_false(scratch_exists(&x->s, file));
	add(x, "bob@example.org", "bob's own"); /* which makes another */
	assert_true(scratch_exists(&x->s, file));
	read_it(x, &now);
	buf_init_secret(&b, PASSWORD_MAX);
	assert_int_equal(secret_open_sealed(x->s.store, &x->alice, &now, &b, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "site-key"));
	assert_true(now.needs_upgrade);
	buf_fini_secret(&b);
	secret_fini(&now);
	assert_true(matches(x, PASSWORD)); /* which does not depend on it */
	upgrade(x, PASSWORD);
	opens(x, PASSWORD);
}

static void a_damaged_site_key_stops_what_needs_it(void **state)
{
	struct fixture *x = *state;
	struct err e = {0};

	recoverable(x, true);
	set(x, PASSWORD);
	scratch_flip(&x->s, "store/secrets/site-key", 30);
	assert_true(matches(x, PASSWORD));
	assert_false(is_behind(x));
	opens(x, NULL);
	assert_int_equal(secret_set(x->s.store, &x->alice, STR("another"), false, &e),
			 -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_true(matches(x, PASSWORD));
	recoverable(x, false);
	set(x, "another");
	assert_true(matches(x, "another"));
}

/* ---- the past ----------------------------------------------------------------------------------- */

/* was - one of the newest n old ones */
static bool was(struct fixture *x, size_t n, const char *password)
{
	struct secret now;
	bool match;

	read_it(x, &now);
	scratch_ok(secret_was(&now, n, str_of(password), &match, &e_));
	secret_fini(&now);
	return match;
}

static void so_many_old_ones_are_kept_as_the_settings_say(void **state)
{
	struct fixture *x = *state;

	set(x, "first");
	set(x, "second");
	assert_false(holds(x, "\nold "));
	x->s.set->auth.password_history = 2;
	set(x, "third");
	assert_true(was(x, 2, "second"));
	assert_false(was(x, 2, "first"));
	assert_false(was(x, 2, "third")); /* that is the one in force */
	set(x, "fourth");
	set(x, "fifth");
	assert_true(was(x, 2, "fourth"));
	assert_true(was(x, 2, "third"));
	assert_false(was(x, 1, "third"));
	assert_false(was(x, 2, "second"));
	x->s.set->auth.scram_iterations = 4097;
	upgrade(x, "fifth"); /* no new password */
	assert_true(was(x, 2, "fourth"));
	assert_true(was(x, 2, "third"));
	assert_false(was(x, 2, "fifth"));
	x->s.set->auth.password_history = 0;
	set(x, "sixth");
	assert_false(holds(x, "\nold "));
}

static void a_full_record_forgets_the_oldest(void **state)
{
	struct fixture *x = *state;
	struct stat st;

	recoverable(x, true);
	x->s.set->auth.password_history = SECRET_HISTORY_MAX;
	set(x, "the oldest");
	/* Bigger than those that are made here. */
	for (int i = 1; i < SECRET_HISTORY_MAX; i++)
		set_hash(
			x,
			"{SSHA512}apWkjalu9NY/q9IpRns/PTvi5uOW8l/m8IAjXCeeJ1rvMQlqMVyZ7+RaNqO7"
			"dfbiFRFZ9y4GNUZAaIvPYFnLLXNzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz"
			"c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=");
	set(x, "the newest");
	assert_int_equal(stat(scratch_path(&x->s, place().s).s, &st), 0);
	assert_true(st.st_size <= SECRET_MAX);
	assert_true(st.st_size > SECRET_MAX - 200);
	assert_true(matches(x, "the newest"));
	assert_true(was(x, 1, PASSWORD));
	assert_false(was(x, SECRET_HISTORY_MAX, "the oldest"));
}

static void a_password_expires_when_it_is_old(void **state)
{
	struct fixture *x = *state;
	struct secret now;
	uint64_t set_ms;

	set(x, PASSWORD);
	read_it(x, &now);
	set_ms = now.set_ms;
	assert_false(secret_is_expired(x->s.set, now.set_ms,
				       set_ms + UINT64_C(1) * 1000000000));
	x->s.set->auth.password_lifetime_s = 3600;
	assert_false(secret_is_expired(x->s.set, now.set_ms, set_ms));
	assert_false(secret_is_expired(x->s.set, now.set_ms,
				       set_ms - 1)); /* a clock went back */
	assert_false(secret_is_expired(x->s.set, now.set_ms, set_ms + 3599999));
	assert_true(secret_is_expired(x->s.set, now.set_ms, set_ms + 3600000));
	secret_fini(&now);
}

/* ---- elsewhere ------------------------------------------------------------------------------------ */

static void what_is_kept_elsewhere_is_not_kept_here(void **state)
{
	struct fixture *x = *state;
	struct secret now;
	struct err e = {0};

	set(x, PASSWORD);
	x->alice.flags |= ACCOUNT_PWD_ELSEWHERE;
	assert_false(matches(x, PASSWORD)); /* what was left is not in force */
	read_it(x, &now);
	assert_false(now.found);
	secret_fini(&now);
	assert_int_equal(secret_set(x->s.store, &x->alice, STR("another"), false, &e),
			 -1);
	assert_int_equal(e.class, ERR_PERM);
	x->alice.flags = 0;
	assert_true(matches(x, PASSWORD));
}

/* ---- the document ------------------------------------------------------------------------ */

/* example - the octets of a record of that kind in doc/STORE.md, as they stand there */
static void example(const char *kind, struct buf *out)
{
	FILE *f = fopen("doc/STORE.md", "r");
	char line[1024];

	if (f == NULL)
		skip();
	while (fgets(line, sizeof line, f) != NULL) {
		if (out->n == 0 &&
		    (strncmp(line, kind, strlen(kind)) != 0 || line[strlen(kind)] != ' '))
			continue;
		buf_put(out, str_of(line));
		if (strncmp(line, "sum ", 4) == 0)
			break;
	}
	fclose(f);
}

/* A reader that was written from the document alone has to come to the same. */
static void the_examples_of_the_document_are_what_it_says(void **state)
{
	struct fixture *x = *state;
	struct buf secret, key, uid;
	bool match;

	buf_init(&secret, RECORD_MAX);
	buf_init(&key, RECORD_MAX);
	buf_init(&uid, ID_CHARS);
	example("popstore-secret", &secret);
	example("popstore-site-key", &key);
	assert_true(record_get(buf_str(&secret), "uid", &uid) &&
		    id_parse(buf_str(&uid), &x->alice.uid));
	set(x, PASSWORD); /* makes the directories */
	scratch_write(&x->s, place().s, buf_str(&secret));
	scratch_write(&x->s, "store/secrets/site-key", buf_str(&key));
	recoverable(x, true);
	assert_true(matches(x, "pencil"));
	assert_false(is_behind(x));
	opens(x, "pencil");

	struct secret now;

	read_it(x, &now);
	assert_true(now.has_scram);
	scratch_ok(secret_was(&now, 1, STR("pen"), &match, &e_));
	assert_true(match);
	secret_fini(&now);
	buf_fini(&secret);
	buf_fini(&key);
	buf_fini(&uid);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static void no_octet_that_flips_lets_anybody_in(void **state)
{
	struct fixture *x = *state;
	struct buf text;

	recoverable(x, true);
	x->s.set->auth.password_history = 1;
	set(x, "first");
	set(x, PASSWORD);
	buf_init(&text, RECORD_MAX);
	scratch_read(&x->s, place().s, &text);
	for (size_t i = 0; i < text.n; i++) {
		struct secret now;
		struct err e = {0};
		uint64_t version;

		scratch_flip(&x->s, place().s, i);
		assert_int_equal(secret_read(x->s.store, &x->alice, &now, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(secret_version(x->s.store, &x->alice, &version, &e), -1);
		scratch_flip(&x->s, place().s, i);
	}
	assert_true(matches(x, PASSWORD));
	buf_fini(&text);
}

static void values_that_are_not_well_formed_are_an_error(void **state)
{
	static const struct {
		const char *key, *value;
	} wrong[] = {
		{"set", "x"},
		{"set", "0"},
		{"hash", ""},
		{"scram", "SCRAM"},
		{"scram", "SCRAM-SHA-1$4096:AAAA$A:A"},
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < countof(wrong); i++) {
		struct secret now;
		struct err e = {0};

		set(x, PASSWORD);
		rewrite(x, wrong[i].key, wrong[i].value);
		assert_int_equal(secret_read(x->s.store, &x->alice, &now, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_true(record_is_damage(&e));
	}
	set(x, PASSWORD); /* what is damaged is replaced */
	assert_true(matches(x, PASSWORD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_is_a_verifier_for_each_hash),
		TEST(a_password_that_nobody_can_prepare_has_none),
		TEST(they_are_good_and_become_ours),
		TEST(a_hash_is_refused_like_a_password),
		TEST(what_an_older_program_wrote_gets_verifiers),
		TEST(settings_that_rise_are_followed_and_none_that_fall),
		TEST(every_cost_is_told_from_the_next),
		TEST(an_upgrade_never_undoes_a_new_password),
		TEST(set_and_upgrade_at_once_leave_what_was_set),
		TEST(a_user_undoes_nothing_that_a_manager_did),
		TEST(one_is_sealed_only_where_the_domain_asks),
		TEST(the_next_login_seals_it_or_forgets_it),
		TEST(all_that_can_be_longest_fits),
		TEST(a_domain_that_cannot_be_read_changes_nothing),
		TEST(dropping_leaves_the_rest),
		TEST(anothers_sealed_password_does_not_open),
		TEST(another_site_key_opens_nothing_until_the_next_login),
		TEST(a_damaged_site_key_stops_what_needs_it),
		TEST(so_many_old_ones_are_kept_as_the_settings_say),
		TEST(a_full_record_forgets_the_oldest),
		TEST(a_password_expires_when_it_is_old),
		TEST(what_is_kept_elsewhere_is_not_kept_here),
		TEST(the_examples_of_the_document_are_what_it_says),
		TEST(no_octet_that_flips_lets_anybody_in),
		TEST(values_that_are_not_well_formed_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
