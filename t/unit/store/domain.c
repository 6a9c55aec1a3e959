/* SPDX-License-Identifier: ISC */
#include "store/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/store/scratch.h"

static struct domain domain(const char *name, const char *alias_of)
{
	struct domain d = {0};

	scratch_ok(name_domain(str_of(name), &d.name, &e_));
	if (alias_of != NULL)
		scratch_ok(name_domain(str_of(alias_of), &d.alias_of, &e_));
	return d;
}

static bool find(struct scratch *s, const char *name, struct domain *out)
{
	bool found;

	scratch_ok(domain_find(s->store, str_of(name), out, &found, &e_));
	return found;
}

/* refused - for good, with this sentence */
static void refused(int rc, const struct err *e, const char *text)
{
	assert_int_equal(rc, -1);
	assert_int_equal(e->class, ERR_PERM);
	assert_string_equal(e->text, text);
}

static void is_written_to_the_octet(void **state)
{
	static const char plain[] = "popstore-domain 1\n"
				    "name example.org\n"
				    "sum a0d150d292044709\n";
	static const char alias[] = "popstore-domain 1\n"
				    "name example.com\n"
				    "alias-of example.org\n"
				    "delimiters -_\n"
				    "sum c991e0a0b9808286\n";
	struct scratch *s = *state;
	struct domain d = domain("example.com", "example.org");
	struct buf text;

	d.own_delimiters = true;
	memcpy(d.delimiters, "-_", 3);
	scratch_ok(domain_add(s->store, &d, &e_));
	buf_init(&text, RECORD_MAX);
	scratch_read(s, scratch_place("domains", "example.org", NULL).s, &text);
	assert_string_equal(buf_cstr(&text), plain);
	buf_clear(&text);
	scratch_read(s, scratch_place("domains", "example.com", NULL).s, &text);
	assert_string_equal(buf_cstr(&text), alias);
	buf_fini(&text);
}

static void finds_it_in_any_case(void **state)
{
	struct scratch *s = *state;
	struct domain d;

	assert_true(find(s, "Example.ORG", &d));
	assert_string_equal(d.name.s, "example.org");
	assert_string_equal(d.alias_of.s, "");
	assert_string_equal(d.delimiters, "+");
	assert_false(d.own_delimiters);
	assert_false(find(s, "example.com", &d));
	/* what cannot be a domain is not one of ours */
	assert_false(find(s, "", &d));
	assert_false(find(s, "../example.org", &d));
	assert_false(find(s, "[192.0.2.1]", &d));
}

static void follows_an_alias(void **state)
{
	struct scratch *s = *state;
	struct domain d;
	bool found;

	assert_true(find(s, "example.net", &d));
	assert_string_equal(d.alias_of.s, "example.org");
	scratch_ok(domain_resolve(s->store, STR("EXAMPLE.net"), &d, &found, &e_));
	assert_true(found);
	assert_string_equal(d.name.s, "example.org");
	scratch_ok(domain_resolve(s->store, STR("example.com"), &d, &found, &e_));
	assert_false(found);
}

static void an_alias_that_leads_nowhere_is_put_off(void **state)
{
	struct scratch *s = *state;
	struct domain d;
	struct err e;
	bool found;

	assert_int_equal(
		unlink(scratch_path(s, scratch_place("domains", "example.org", NULL).s)
			       .s),
		0);
	assert_int_equal(domain_resolve(s->store, STR("example.net"), &d, &found, &e),
			 -1);
	assert_int_equal(e.class, ERR_TEMP);
}

static void says_where_a_name_belongs(void **state)
{
	struct scratch *s = *state;
	struct name n = scratch_name(s, "alice@example.org");
	struct domain d;
	struct err e;

	scratch_ok(domain_get(s->store, &n, &d, &e_));
	assert_string_equal(d.name.s, "example.org");
	n = scratch_name(s, "alice@example.net");
	refused(domain_get(s->store, &n, &d, &e), &e,
		"example.net is another name of example.org: say alice@example.org");
	n = scratch_name(s, "alice@example.com");
	refused(domain_get(s->store, &n, &d, &e), &e,
		"there is no domain example.com: 'popstore domain add' makes one");
}

static void refuses_to_add(void **state)
{
	static const struct {
		const char *name, *alias_of, *delimiters, *error;
	} rows[] = {
		/* clang-format off */
		{"example.org", NULL,          NULL, "domain example.org exists already"},
		{"example.net", NULL,          NULL, "domain example.net exists already"},
		{"example.org", "example.org", NULL, "domain example.org exists already"},
		{"example.com", "example.edu", NULL, "there is no domain example.edu"},
		{"example.com", "example.com", NULL, "there is no domain example.com"},
		{"example.com", "example.net", NULL, "example.net is itself an alias, of example.org"},
		{"example.com", NULL,          " ",  "octet 0x20 cannot be a delimiter"},
		{"example.com", NULL,          "+.", "octet 0x2e cannot be a delimiter"},
		{"example.com", NULL,          "@",  "octet 0x40 cannot be a delimiter"},
		{"example.com", NULL,          "/",  "octet 0x2f cannot be a delimiter"},
		{"example.com", NULL,          "\t", "octet 0x09 cannot be a delimiter"},
		/* clang-format on */
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct domain d = domain(rows[i].name, rows[i].alias_of), found;
		struct err e;

		d.own_delimiters = rows[i].delimiters != NULL;
		if (d.own_delimiters)
			memcpy(d.delimiters, rows[i].delimiters,
			       strlen(rows[i].delimiters) + 1);
		refused(domain_add(s->store, &d, &e), &e, rows[i].error);
		assert_false(find(s, "example.com", &found));
	}
}

static void keeps_no_delimiters_apart_from_the_common_ones(void **state)
{
	struct scratch *s = *state;
	struct domain d;

	assert_true(find(s, "example.org", &d));
	d.own_delimiters = true;
	d.delimiters[0] = '\0';
	scratch_ok(domain_update(s->store, &d, &e_));
	assert_true(find(s, "example.org", &d));
	assert_true(d.own_delimiters);
	assert_string_equal(d.delimiters, "");
	d.own_delimiters = false;
	scratch_ok(domain_update(s->store, &d, &e_));
	assert_true(find(s, "example.org", &d));
	assert_false(d.own_delimiters);
	assert_string_equal(d.delimiters, "+");
}

static void an_alias_may_change_its_target_but_not_its_kind(void **state)
{
	struct scratch *s = *state;
	struct domain d = domain("example.net", "example.com");
	struct err e;

	refused(domain_update(s->store, &d, &e), &e, "there is no domain example.com");
	scratch_domain(s, "example.com", NULL);
	scratch_ok(domain_update(s->store, &d, &e_));
	assert_true(find(s, "example.net", &d));
	assert_string_equal(d.alias_of.s, "example.com");
	d = domain("example.net", NULL);
	refused(domain_update(s->store, &d, &e), &e,
		"a domain cannot become an alias, nor an alias a domain: "
		"delete and add it");
	d = domain("example.com", "example.org");
	refused(domain_update(s->store, &d, &e), &e,
		"a domain cannot become an alias, nor an alias a domain: "
		"delete and add it");
	d = domain("example.edu", NULL);
	refused(domain_update(s->store, &d, &e), &e, "there is no domain example.edu");
}

static void is_deleted_when_nothing_uses_it(void **state)
{
	struct scratch *s = *state;
	struct domain com = domain("example.com", NULL), d;
	struct name bob, carol;
	struct forwarding f = {.n = 1};
	struct err e;
	bool existed;

	scratch_domain(s, "example.com", NULL);
	scratch_domain(s, "example.edu", "example.com");
	refused(domain_delete(s->store, &com.name, &e), &e,
		"domain example.com is in use, by alias domain example.edu at least");
	d = domain("example.edu", NULL);
	scratch_ok(domain_delete(s->store, &d.name, &e_));

	bob = scratch_account(s, "bob@example.com").name;
	refused(domain_delete(s->store, &com.name, &e), &e,
		"domain example.com is in use, by account bob@example.com at least");
	scratch_ok(account_delete(s->store, &bob, &e_));

	carol = scratch_name(s, "carol@example.com");
	f.name = carol;
	f.targets = xalloc(sizeof *f.targets);
	assert_int_equal(address_parse(STR("x@example.edu"), true, f.targets),
			 ADDRESS_OK);
	scratch_ok(forwarding_put(s->store, &f, &e_));
	forwarding_fini(&f);
	refused(domain_delete(s->store, &com.name, &e), &e,
		"domain example.com is in use, by forwarding carol@example.com at least");
	scratch_ok(forwarding_delete(s->store, &carol, &existed, &e_));
	assert_true(existed);

	scratch_ok(domain_delete(s->store, &com.name, &e_));
	assert_false(find(s, "example.com", &d));
	assert_false(scratch_exists(
		s, scratch_place("accounts", "default@example.com", NULL).s));
	refused(domain_delete(s->store, &com.name, &e), &e,
		"there is no domain example.com");
	assert_true(find(s, "example.org", &d));
	scratch_domain(s, "example.com", NULL);
}

/* A crash between two writes leaves it: example.org without default@example.org. */
static void lose_template(struct scratch *s)
{
	struct name n = scratch_name(s, "default@example.org");

	scratch_ok(account_delete(s->store, &n, &e_));
}

static void without_its_template_it_works(void **state)
{
	struct scratch *s = *state;
	struct account a;
	struct name n = scratch_name(s, "alice@example.org");

	lose_template(s);
	scratch_ok(account_template(s->store, &n, &a, &e_));
	assert_true(a.quota == QUOTA_NONE);
	assert_int_equal(a.flags, 0);
	assert_int_equal(a.overdraft, 0);
	scratch_ok(account_create(s->store, &a, false, &e_));
}

static void without_its_template_it_can_be_added_again(void **state)
{
	struct scratch *s = *state;
	struct domain d = domain("example.org", NULL);
	struct name n = scratch_name(s, "default@example.org");
	struct account a;
	struct err e;
	bool found;

	lose_template(s);
	d.own_delimiters = true;
	d.delimiters[0] = '-';
	scratch_ok(domain_add(s->store, &d, &e_));
	assert_true(find(s, "example.org", &d));
	assert_string_equal(d.delimiters, "-");
	scratch_ok(account_find(s->store, &n, &a, &found, &e_));
	assert_true(found);
	refused(domain_add(s->store, &d, &e), &e, "domain example.org exists already");
}

static void without_its_template_it_can_be_deleted(void **state)
{
	struct scratch *s = *state;
	struct domain net = domain("example.net", NULL), d = domain("example.org", NULL);

	lose_template(s);
	scratch_ok(domain_delete(s->store, &net.name, &e_));
	scratch_ok(domain_delete(s->store, &d.name, &e_));
	assert_false(find(s, "example.org", &d));
}

static bool count(const struct domain *d, void *ctx)
{
	size_t *n = ctx;

	assert_true(strcmp(d->name.s, "example.org") == 0 ||
		    strcmp(d->name.s, "example.net") == 0);
	(*n)++;
	return true;
}

static bool first_only(const struct domain *d UNUSED, void *ctx)
{
	size_t *n = ctx;

	(*n)++;
	return false;
}

static void lists_every_one_once(void **state)
{
	struct scratch *s = *state;
	struct scratch_path place = scratch_place("domains", "example.org", NULL);
	size_t n = 0;

	/* What a crash left while a record was replaced is no domain. */
	memcpy(strrchr(place.s, '/'), "/.new.1.0", sizeof "/.new.1.0");
	scratch_write(s, place.s, STR("popstore-dom"));
	scratch_ok(domain_each(s->store, count, &n, &e_));
	assert_int_equal(n, 2);
	n = 0;
	scratch_ok(domain_each(s->store, first_only, &n, &e_));
	assert_int_equal(n, 1);
}

/* What is not one of ours, or of somebody else's making, is damage: never "unknown". */
static void damage_is_put_off(void **state)
{
	static const char *const texts[] = {
		"",
		"popstore-domain 1\n",
	};
	struct scratch *s = *state;
	struct scratch_path place = scratch_place("domains", "example.org", NULL);
	struct record_writer w;
	struct domain d;
	struct err e;
	bool found;

	for (size_t i = 0; i < countof(texts); i++) {
		scratch_write(s, place.s, str_of(texts[i]));
		assert_int_equal(
			domain_find(s->store, STR("example.org"), &d, &found, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
	}
	for (size_t i = 0; i < 4; i++) {
		record_begin(&w, i == 0 ? "popstore-profile" : "popstore-domain");
		record_put(&w, "name", str_of(i == 1 ? "example.com" : "example.org"));
		if (i == 2)
			record_put(&w, "alias-of", STR("not a domain"));
		if (i == 3)
			record_put(&w, "delimiters", STR("12345678"));
		scratch_write(s, place.s, record_finish(&w));
		record_fini(&w);
		assert_int_equal(
			domain_find(s->store, STR("example.org"), &d, &found, &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
	}
}

static bool is_bad(const struct name *n, const struct err *why, void *ctx)
{
	size_t *bad = ctx;

	assert_string_equal(n->s, "example.com");
	assert_non_null(strstr(why->text, "is damaged"));
	*bad += 100;
	return true;
}

static bool any(const struct domain *d UNUSED, void *ctx)
{
	*(size_t *)ctx += 1;
	return true;
}

static void damage_ends_no_listing(void **state)
{
	struct scratch *s = *state;
	struct err e;
	size_t n = 0;

	scratch_domain(s, "example.com", NULL);
	scratch_flip(s, scratch_place("domains", "example.com", NULL).s, 30);
	scratch_ok(domain_walk(s->store, any, is_bad, &n, &e_));
	assert_int_equal(n, 102);
	assert_int_equal(domain_each(s->store, any, &n, &e), -1);
	assert_non_null(strstr(e.text, "example.com is damaged"));
}

static void adding_writes_a_damaged_one_anew(void **state)
{
	struct scratch *s = *state;
	struct domain plain = domain("example.org", NULL),
		      alias = domain("example.net", "example.org"), d;
	struct account a;

	a = scratch_account(s, "alice@example.org");
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	scratch_ok(domain_add(s->store, &plain, &e_));
	assert_true(find(s, "example.org", &d));
	assert_int_equal(d.alias_of.s[0], '\0');
	scratch_deliver(s, &a, "Subject: x\r\n\r\n.\r\n");

	scratch_flip(s, scratch_place("domains", "example.net", NULL).s, 30);
	scratch_ok(domain_add(s->store, &alias, &e_));
	assert_true(find(s, "example.net", &d));
	assert_string_equal(d.alias_of.s, "example.org");

	/* one that was an alias can become a domain, since nobody knows any more */
	scratch_flip(s, scratch_place("domains", "example.net", NULL).s, 30);
	alias.alias_of.s[0] = '\0';
	scratch_ok(domain_add(s->store, &alias, &e_));
	assert_true(scratch_exists(
		s, scratch_place("accounts", "default@example.net", "profile").s));
}

/* What it holds would be out of reach. */
static void no_alias_is_made_of_a_damaged_domain(void **state)
{
	struct scratch *s = *state;
	struct domain alias = domain("example.org", "example.com");
	struct err e;

	scratch_domain(s, "example.com", NULL);
	scratch_flip(s, scratch_place("domains", "example.net", NULL).s, 30);
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	assert_int_equal(domain_add(s->store, &alias, &e), -1);
	assert_non_null(strstr(e.text, "example.org may be in use: "));
	assert_non_null(strstr(e.text, "example.net is damaged"));
	scratch_flip(s, scratch_place("domains", "example.net", NULL).s, 30);
	refused(domain_add(s->store, &alias, &e), &e,
		"domain example.org is in use, by alias domain example.net at least");
	scratch_ok(domain_delete(s->store, &(struct name){"example.net"}, &e_));
	refused(domain_add(s->store, &alias, &e), &e,
		"example.org was no alias: it has an account `default`; delete it before");
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	scratch_account(s, "alice@example.org");
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	refused(domain_add(s->store, &alias, &e), &e,
		"domain example.org is in use, by account alice@example.org at least");
}

static void a_damaged_one_is_deleted_when_nothing_uses_it(void **state)
{
	struct scratch *s = *state;
	struct name org = {"example.org"}, net = {"example.net"};
	struct account alice = scratch_account(s, "alice@example.org");
	struct domain d;
	struct err e;

	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	refused(domain_delete(s->store, &org, &e), &e,
		"domain example.org is in use, by account alice@example.org at least");
	scratch_ok(account_delete(s->store, &alice.name, &e_));
	scratch_flip(s, scratch_place("domains", "example.net", NULL).s, 30);
	assert_int_equal(domain_delete(s->store, &org, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "example.net is damaged"));
	/* nor the other way round; one of them has to be said anew */
	assert_int_equal(domain_delete(s->store, &net, &e), -1);
	assert_non_null(strstr(e.text, "example.org is damaged"));
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	scratch_ok(domain_delete(s->store, &net, &e_));
	assert_false(find(s, "example.net", &d));
	scratch_flip(s, scratch_place("domains", "example.org", NULL).s, 30);
	scratch_ok(domain_delete(s->store, &org, &e_));
	assert_false(find(s, "example.org", &d));
	assert_false(scratch_exists(
		s, scratch_place("accounts", "default@example.org", "profile").s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(is_written_to_the_octet),
		scratch_test(finds_it_in_any_case),
		scratch_test(follows_an_alias),
		scratch_test(an_alias_that_leads_nowhere_is_put_off),
		scratch_test(says_where_a_name_belongs),
		scratch_test(refuses_to_add),
		scratch_test(keeps_no_delimiters_apart_from_the_common_ones),
		scratch_test(an_alias_may_change_its_target_but_not_its_kind),
		scratch_test(is_deleted_when_nothing_uses_it),
		scratch_test(without_its_template_it_works),
		scratch_test(without_its_template_it_can_be_added_again),
		scratch_test(without_its_template_it_can_be_deleted),
		scratch_test(lists_every_one_once),
		scratch_test(damage_is_put_off),
		scratch_test(damage_ends_no_listing),
		scratch_test(adding_writes_a_damaged_one_anew),
		scratch_test(no_alias_is_made_of_a_damaged_domain),
		scratch_test(a_damaged_one_is_deleted_when_nothing_uses_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
