/* SPDX-License-Identifier: ISC */
#include "store/forwarding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/store/scratch.h"

static int start(void **state)
{
	*state = xalloc(sizeof(struct scratch));
	scratch_begin_with(*state, "", "");
	scratch_account(*state, "alice@example.org");
	return 0;
}

static int stop(void **state)
{
	scratch_end(*state);
	xfree(state);
	return 0;
}

/* put - `targets` are separated by a blank */
static int put(struct scratch *s, const char *name, const char *targets, struct err *e)
{
	struct forwarding f = {.name = scratch_name(s, name)};
	struct str rest = str_of(targets);

	f.targets = xalloc((FORWARDING_TARGETS + 1) * sizeof *f.targets);
	while (rest.n > 0)
		assert_int_equal(address_parse(str_word(&rest), true, &f.targets[f.n++]),
				 ADDRESS_OK);

	int rc = forwarding_put(s->store, &f, e);

	forwarding_fini(&f);
	assert_null(f.targets);
	return rc;
}

static bool find(struct scratch *s, const char *name, struct forwarding *out)
{
	struct name n = scratch_name(s, name);
	bool found;

	scratch_ok(forwarding_find(s->store, &n, out, &found, &e_));
	return found;
}

/* doc/STORE.md has this one. */
static const char golden[] = "popstore-forwarding 1\n"
			     "name sales@example.org\n"
			     "to alice@example.org\n"
			     "to \"a \\\"b\\\" c\"@example.com\n"
			     "to 100%25@example.edu\n"
			     "sum 7df7f1569360f324\n";

static void is_written_to_the_octet(void **state)
{
	struct scratch *s = *state;
	struct forwarding f = {.name = scratch_name(s, "Sales@Example.ORG"), .n = 3};
	struct buf text;

	f.targets = xalloc(f.n * sizeof *f.targets);
	assert_int_equal(address_parse(STR("alice@EXAMPLE.org"), true, &f.targets[0]),
			 ADDRESS_OK);
	assert_int_equal(
		address_parse(STR("\"a \\\"b\\\" c\"@example.com"), true, &f.targets[1]),
		ADDRESS_OK);
	assert_int_equal(address_parse(STR("\"100%\"@example.edu"), true, &f.targets[2]),
			 ADDRESS_OK);
	scratch_ok(forwarding_put(s->store, &f, &e_));
	forwarding_fini(&f);
	buf_init(&text, RECORD_MAX);
	scratch_read(s, scratch_place("forwardings", "sales@example.org", NULL).s, &text);
	assert_string_equal(buf_cstr(&text), golden);
	buf_fini(&text);

	assert_true(find(s, "SALES@example.org", &f));
	assert_string_equal(f.name.s, "sales@example.org");
	assert_int_equal(f.n, 3);
	assert_string_equal(f.targets[0].local, "alice");
	assert_string_equal(f.targets[0].domain, "example.org");
	assert_string_equal(f.targets[1].local, "a \"b\" c");
	assert_string_equal(f.targets[2].local, "100%");
	forwarding_fini(&f);
}

static void is_replaced_and_deleted(void **state)
{
	struct scratch *s = *state;
	struct name n = scratch_name(s, "sales@example.org");
	struct forwarding f;
	bool existed;

	assert_false(find(s, "sales@example.org", &f));
	assert_null(f.targets);
	scratch_ok(put(s, "sales@example.org", "a@example.com b@example.com", &e_));
	scratch_ok(put(s, "sales@example.org", "c@example.com", &e_));
	assert_true(find(s, "sales@example.org", &f));
	assert_int_equal(f.n, 1);
	assert_string_equal(f.targets[0].local, "c");
	forwarding_fini(&f);
	scratch_ok(forwarding_delete(s->store, &n, &existed, &e_));
	assert_true(existed);
	scratch_ok(forwarding_delete(s->store, &n, &existed, &e_));
	assert_false(existed);
	assert_false(find(s, "sales@example.org", &f));
}

static void refuses(void **state)
{
	static const struct {
		const char *name, *targets, *error;
	} rows[] = {
		/* clang-format off */
		{"alice@example.org",   "x@example.com",       "alice@example.org is an account; only names without one are forwarded"},
		{"default@example.org", "x@example.com",       "default@example.org is the template of new accounts, not an address"},
		{"x@example.net",       "y@example.com",       "example.net is another name of example.org: say x@example.org"},
		{"x@example.com",       "y@example.com",       "there is no domain example.com: 'popstore domain add' makes one"},
		{"x@example.org",       "",                    "a forwarding has 1 to 100 targets"},
		{"x@example.org",       "X@Example.ORG",       "x@example.org cannot be forwarded to itself"},
		{"x@example.org",       "x@example.net",       "x@example.org cannot be forwarded to itself"},
		{"x@example.org",       "y@example.com \"x\"@example.org", "x@example.org cannot be forwarded to itself"},
		{"x@example.org",       "y",                   "a target is written name@domain"},
		/* clang-format on */
	};
	struct scratch *s = *state;
	struct forwarding f;

	for (size_t i = 0; i < countof(rows); i++) {
		struct err e = {0};

		assert_int_equal(put(s, rows[i].name, rows[i].targets, &e), -1);
		assert_int_equal(e.class, ERR_PERM);
		assert_string_equal(e.text, rows[i].error);
		assert_false(find(s, rows[i].name, &f));
	}
}

/* The template is no address even while a crash has left the domain without it. */
static void the_name_of_the_template_is_not_taken(void **state)
{
	struct scratch *s = *state;
	struct name n = scratch_name(s, "default@example.org");
	struct err e;

	scratch_ok(account_delete(s->store, &n, &e_));
	assert_int_equal(put(s, "default@example.org", "x@example.com", &e), -1);
	assert_int_equal(e.class, ERR_PERM);
}

/* put_many - n targets, each a local part of `octets` times `c` */
static int put_many(struct scratch *s, size_t n, size_t octets, char c, struct err *e)
{
	struct forwarding f = {.name = scratch_name(s, "all@example.org"), .n = n};

	f.targets = xalloc(n * sizeof *f.targets);
	for (size_t i = 0; i < n; i++) {
		memset(f.targets[i].local, c, octets);
		snprintf(f.targets[i].domain, sizeof f.targets[i].domain,
			 "d%zu.example.com", i);
	}

	int rc = forwarding_put(s->store, &f, e);

	forwarding_fini(&f);
	return rc;
}

static void holds_a_hundred_and_not_one_more(void **state)
{
	struct scratch *s = *state;
	struct forwarding f;
	struct err e;

	scratch_ok(put_many(s, FORWARDING_TARGETS, 64, 'x', &e_));
	assert_true(find(s, "all@example.org", &f));
	assert_int_equal(f.n, FORWARDING_TARGETS);
	assert_string_equal(f.targets[99].domain, "d99.example.com");
	forwarding_fini(&f);
	assert_int_equal(put_many(s, FORWARDING_TARGETS + 1, 1, 'x', &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	/* Three octets each on the disk: together more than a record. */
	assert_int_equal(put_many(s, FORWARDING_TARGETS, ADDRESS_LOCAL_MAX, '%', &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_string_equal(
		e.text,
		"the targets of all@example.org are longer than 65536 octets in all");
	assert_true(find(s, "all@example.org", &f));
	assert_int_equal(f.n, FORWARDING_TARGETS);
	forwarding_fini(&f);
	/* The longest single one: each octet behind a backslash. */
	scratch_ok(put_many(s, 1, ADDRESS_LOCAL_MAX, '"', &e_));
	assert_true(find(s, "all@example.org", &f));
	assert_int_equal(strlen(f.targets[0].local), ADDRESS_LOCAL_MAX);
	forwarding_fini(&f);
}

static void a_name_of_full_length_is_replaced_too(void **state)
{
	char name[NAME_OCTETS + 1];
	struct scratch *s = *state;
	struct forwarding f;

	scratch_domain(s,
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		       "xxxxxxx",
		       NULL);
	snprintf(name, sizeof name,
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
		 "xxxxxxx");
	assert_int_equal(strlen(name), NAME_OCTETS);
	scratch_ok(put(s, name, "a@example.com", &e_));
	scratch_ok(put(s, name, "b@example.com", &e_));
	assert_true(find(s, name, &f));
	assert_string_equal(f.targets[0].local, "b");
	forwarding_fini(&f);
}

static bool count(const struct forwarding *f, void *ctx)
{
	size_t *n = ctx;

	assert_int_equal(f->n, 1);
	(*n)++;
	return true;
}

static void a_pattern_finds_those_that_match(void **state)
{
	static const struct {
		const char *pattern;
		size_t n;
	} rows[] = {
		{"*", 3},   {"a*@example.org", 1},  {"*@example.com", 0},
		{"?@*", 2}, {"a.b@example.org", 1}, {"nobody@example.org", 0},
		{"Z@*", 1},
	};
	struct scratch *s = *state;

	scratch_ok(put(s, "a.b@example.org", "x@example.com", &e_));
	scratch_ok(put(s, "y@example.org", "x@example.com", &e_));
	scratch_ok(put(s, "z@example.org", "x@example.com", &e_));
	for (size_t i = 0; i < countof(rows); i++) {
		size_t n = 0;

		scratch_ok(forwarding_each(s->store, str_of(rows[i].pattern), count, &n,
					   &e_));
		assert_int_equal(n, rows[i].n);
	}
}

static void damage_is_put_off(void **state)
{
	static const char *const lines[] = {
		"name sales@example.org\n",               /* no target */
		"name x@example.org\nto a@example.com\n", /* another's */
		"to a@example.com\n",                     /* nobody's */
		"name sales@example.org\nto a@@example.com\n",
		"name sales@example.org\nto \n",
	};
	struct scratch *s = *state;
	struct scratch_path place =
		scratch_place("forwardings", "sales@example.org", NULL);
	struct name n = scratch_name(s, "sales@example.org");
	struct forwarding f;
	bool found;

	scratch_ok(put(s, "sales@example.org", "a@example.com", &e_));
	for (size_t i = 0; i <= countof(lines); i++) {
		struct record_writer w;
		struct err e = {0};

		record_begin(&w, "popstore-forwarding");
		if (i < countof(lines)) {
			buf_put(&w.text, str_of(lines[i]));
		} else {
			record_put(&w, "name", str_of(n.s));
			for (int k = 0; k <= FORWARDING_TARGETS; k++)
				record_put(&w, "to", STR("a@example.com"));
		}
		scratch_write(s, place.s, record_finish(&w));
		record_fini(&w);
		assert_int_equal(forwarding_find(s->store, &n, &f, &found, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_null(f.targets);
	}
}

static bool is_bad(const struct name *n, const struct err *why, void *ctx)
{
	size_t *bad = ctx;

	assert_string_equal(n->s, "sales@example.org");
	assert_non_null(strstr(why->text, "is damaged"));
	*bad += 100;
	return true;
}

static void damage_ends_no_listing_and_no_command(void **state)
{
	struct scratch *s = *state;
	struct scratch_path place =
		scratch_place("forwardings", "sales@example.org", NULL);
	struct name name = scratch_name(s, "sales@example.org");
	struct forwarding f;
	bool found;
	size_t n = 0;
	struct err e;

	scratch_ok(put(s, "sales@example.org", "a@example.com", &e_));
	scratch_ok(put(s, "info@example.org", "a@example.com", &e_));
	scratch_flip(s, place.s, 30);
	scratch_ok(forwarding_walk(s->store, STR("*"), count, is_bad, &n, &e_));
	assert_int_equal(n, 101);
	assert_int_equal(forwarding_each(s->store, STR("*"), count, &n, &e), -1);
	assert_non_null(strstr(e.text, "sales@example.org is damaged"));

	scratch_ok(put(s, "sales@example.org", "b@example.com", &e_));
	scratch_ok(forwarding_find(s->store, &name, &f, &found, &e_));
	assert_string_equal(f.targets[0].local, "b");
	forwarding_fini(&f);
	scratch_flip(s, place.s, 30);
	scratch_ok(forwarding_delete(s->store, &name, &found, &e_));
	assert_true(found);
	assert_false(scratch_exists(s, place.s));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(is_written_to_the_octet),
		TEST(is_replaced_and_deleted),
		TEST(refuses),
		TEST(the_name_of_the_template_is_not_taken),
		TEST(holds_a_hundred_and_not_one_more),
		TEST(a_name_of_full_length_is_replaced_too),
		TEST(a_pattern_finds_those_that_match),
		TEST(damage_is_put_off),
		TEST(damage_ends_no_listing_and_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
