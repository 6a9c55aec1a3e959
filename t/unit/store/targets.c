/* SPDX-License-Identifier: ISC */
#include "store/targets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/delivery.h"
#include "t/unit/auth/scratch.h"

static struct scratch site;

/* forward - `to` are addresses with blanks between them */
static void forward(const char *name, const char *to)
{
	struct forwarding f = {.name = scratch_name(&site, name)};
	struct address targets[FORWARDING_TARGETS];
	struct str rest = str_of(to);
	struct err e;

	while (rest.n > 0)
		assert_int_equal(address_parse(str_word(&rest), true, &targets[f.n++]),
				 ADDRESS_OK);
	f.targets = targets;
	if (forwarding_put(site.store, &f, &e) < 0)
		fail_msg("%s: %s", name, e.text);
}

/* fill - `full` has 40 octets of the 50 that it may have */
static void fill(void)
{
	struct account a = scratch_add(&site, "full@example.org", NULL, 0);
	struct delivery_totals t = {.size = 40};
	struct delivery *d = delivery_begin(site.store, STR(""), STR("test"));
	struct err e;

	a.quota = 50;
	a.overdraft = 0;
	assert_int_equal(account_update(site.store, &a, &e), 0);
	delivery_rcpt(d, &a, STR(""));
	assert_int_equal(delivery_open(d, &e), 0);
	assert_int_equal(
		delivery_write(d, STR("12345678901234567890123456789012345678\r\n.\r\n"),
			       &e),
		0);
	assert_int_equal(delivery_commit(d, &t, &e), 0);
	assert_int_equal(delivery_result(d, 0, &e), VERDICT_OK);
	delivery_end(&d);
}

/* forward_many - `name` stands for n addresses elsewhere, through ten forwardings */
static void forward_many(const char *prefix, unsigned n)
{
	struct buf top, part;
	char name[64];

	buf_init(&top, 4096);
	for (unsigned i = 0; i < n;) {
		buf_init(&part, 8192);
		snprintf(name, sizeof name, "%s%u@example.org", prefix, i);
		buf_printf(&top, "%s%s", i ? " " : "", name);
		for (unsigned end = i + 100 < n ? i + 100 : n; i < end; i++)
			buf_printf(&part, "%sx%u@far.example", part.n ? " " : "", i);
		forward(name, buf_cstr(&part));
		buf_fini(&part);
	}
	snprintf(name, sizeof name, "%s@example.org", prefix);
	forward(name, buf_cstr(&top));
	buf_fini(&top);
}

static int make_site(void **state UNUSED)
{
	scratch_begin(&site, "");
	scratch_add(&site, "alice@example.org", NULL, 0);
	scratch_add(&site, "bob@example.org", NULL, 0);
	scratch_add(&site, "off@example.org", NULL, ACCOUNT_DISMAIL);
	fill();
	forward("one@example.org", "alice@example.org");
	forward("list@example.org", "alice@example.org bob@example.org");
	forward("twice@example.org",
		"alice@example.org Alice@example.net alice+x@example.org list@example.org");
	forward("far@example.org", "x@far.example");
	forward("both@example.org", "alice@example.org x@far.example list@example.org");
	forward("partly@example.org", "alice@example.org carol@example.org");
	forward("half@example.org", "alice@example.org full@example.org");
	forward("dead@example.org", "carol@example.org off@example.org");
	forward("later@example.org", "carol@example.org full@example.org");
	forward("c1@example.org", "c2@example.org");
	forward("c2@example.org", "c1@example.org");
	forward("h1@example.org", "h2@example.org alice@example.org");
	forward("h2@example.org", "h1@example.org");
	forward("d10@example.org", "alice@example.org");
	for (int i = 9; i >= 0; i--) {
		char name[32], to[32];

		snprintf(name, sizeof name, "d%d@example.org", i);
		snprintf(to, sizeof to, "d%d@example.org", i + 1);
		forward(name, to);
	}
	forward_many("most", 1000);
	forward_many("more", 1001);
	return 0;
}

static int remove_site(void **state UNUSED)
{
	scratch_end(&site);
	return 0;
}

static const struct {
	const char *address;
	enum targets_way way;
	unsigned code;
	const char *dsn;
	size_t n;
	const char *first; /* canonical */
} rows[] = {
	/* clang-format off */
	{"alice@example.org",        TARGETS_STORE, 250, "2.1.5", 1, "alice@example.org"},
	{"Alice+detail@EXAMPLE.net", TARGETS_STORE, 250, "2.1.5", 1, "alice@example.org"},
	{"carol@example.org",        TARGETS_NONE,  550, "5.1.1", 0, NULL},
	{"off@example.org",          TARGETS_NONE,  550, "5.2.1", 0, NULL},
	{"full@example.org",         TARGETS_NONE,  452, "4.2.2", 0, NULL},
	{"x@far.example",            TARGETS_NONE,  550, "5.1.2", 0, NULL},
	{"a b@example.org",          TARGETS_NONE,  553, "5.1.3", 0, NULL},
	{"",                         TARGETS_NONE,  553, "5.1.3", 0, NULL},
	{"one@example.org",          TARGETS_STORE, 250, "2.1.5", 1, "alice@example.org"},
	{"list@example.org",         TARGETS_STORE, 250, "2.1.5", 2, "alice@example.org"},
	{"list+x@example.net",       TARGETS_STORE, 250, "2.1.5", 2, "alice@example.org"},
	{"twice@example.org",        TARGETS_STORE, 250, "2.1.5", 2, "alice@example.org"},
	{"far@example.org",          TARGETS_MAIL,  250, "2.1.5", 1, "x@far.example"},
	{"both@example.org",         TARGETS_BOTH,  250, "2.1.5", 3, "alice@example.org"},
	/* The MTA tells the sender of carol, and tries full again. */
	{"partly@example.org",       TARGETS_BOTH,  250, "2.1.5", 2, "alice@example.org"},
	{"half@example.org",         TARGETS_BOTH,  250, "2.1.5", 2, "alice@example.org"},
	{"dead@example.org",         TARGETS_NONE,  550, "5.1.1", 2, NULL},
	{"later@example.org",        TARGETS_NONE,  452, "4.2.2", 2, NULL},
	{"c1@example.org",           TARGETS_NONE,  554, "5.4.6", 0, NULL},
	{"h1@example.org",           TARGETS_STORE, 250, "2.1.5", 1, "alice@example.org"},
	{"d1@example.org",           TARGETS_STORE, 250, "2.1.5", 1, "alice@example.org"},
	{"d0@example.org",           TARGETS_NONE,  554, "5.4.6", 0, NULL},
	{"most@example.org",         TARGETS_MAIL,  250, "2.1.5", 1000, "x0@far.example"},
	{"more@example.org",         TARGETS_NONE,  550, "5.2.4", 1000, NULL},
	/* clang-format on */
};

static void a_recipient_takes_one_way(void **state UNUSED)
{
	for (size_t i = 0; i < countof(rows); i++) {
		struct targets t;
		struct buf first;

		print_message("# %s\n", rows[i].address);
		targets_of(site.store, str_of(rows[i].address), 20, &t);
		assert_int_equal(t.way, rows[i].way);
		assert_int_equal(t.reply.code, rows[i].code);
		assert_string_equal(t.reply.dsn, rows[i].dsn);
		assert_int_equal(t.n, rows[i].n);
		if (rows[i].first != NULL) {
			buf_init(&first, 1024);
			address_print(&first, &t.v[0].address);
			assert_string_equal(buf_cstr(&first), rows[i].first);
			buf_fini(&first);
		}
		for (size_t k = 0; k < t.n && t.way == TARGETS_STORE; k++)
			assert_true(t.v[k].ours);
		targets_fini(&t);
		assert_null(t.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recipient_takes_one_way),
	};

	return cmocka_run_group_tests(tests, make_site, remove_site);
}
