/* SPDX-License-Identifier: ISC */
#include "milter/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/forwarding.h"
#include "store/script.h"
#include "t/unit/store/scratch.h"

#define REFUSE(text) "require \"reject\"; reject \"" text "\";"

struct fixture {
	struct scratch s;
	struct filters *filters;
	struct transactions *all;
	struct transaction *t;
};

static void set_script(struct fixture *x, struct account *a, const char *text)
{
	bool found;

	scratch_ok(script_put(x->s.store, a, STR("main"), str_of(text), &e_));
	scratch_ok(script_activate(x->s.store, a, STR("main"), &e_));
	scratch_ok(account_find(x->s.store, &a->name, a, &found, &e_));
}

static void forward(struct fixture *x, const char *name, const char *to)
{
	struct address targets[FORWARDING_TARGETS];
	struct forwarding f = {.name = scratch_name(&x->s, name), .targets = targets};
	struct str rest = str_of(to);

	while (rest.n > 0)
		assert_int_equal(address_parse(str_word(&rest), true, &targets[f.n++]),
				 ADDRESS_OK);
	scratch_ok(forwarding_put(x->s.store, &f, &e_));
}

static void open_all(struct fixture *x)
{
	scratch_ok(filters_open(x->s.store, &x->filters, &e_));
	x->all = transactions_new(x->s.store, x->filters);
	x->t = transaction_new(x->all, true);
}

static int start(void **state)
{
	static const char *const accounts[][2] = {
		{"no@example.org", REFUSE("no")},
		{"never@example.org", REFUSE("never")},
		{"gone@example.org", "discard;"},
		{"kept@example.org", "keep;"},
		{"both@example.org", "require \"reject\"; keep; reject \"no\";"},
		{"broken@example.org", "foo;"},
		{"plain@example.org", NULL},
	};
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "");
	for (size_t i = 0; i < countof(accounts); i++) {
		struct account a = scratch_account(&x->s, accounts[i][0]);

		if (accounts[i][1] != NULL)
			set_script(x, &a, accounts[i][1]);
	}
	forward(x, "team@example.org", "no@example.org never@example.org");
	forward(x, "mixed@example.org", "no@example.org plain@example.org");
	forward(x, "kind@example.org", "no@example.org kept@example.org");
	forward(x, "out@example.org", "no@example.org a@elsewhere.test");
	forward(x, "circle@example.org", "round@example.org");
	forward(x, "round@example.org", "circle@example.org");
	open_all(x);
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	transaction_free(&x->t);
	transactions_free(&x->all);
	filters_close(&x->filters);
	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static void recipient(struct fixture *x, struct transaction *t, struct str rcpt)
{
	struct verdict v;

	verdict_of(x->s.store, rcpt, transaction_size(t), &v);
	transaction_recipient(t, rcpt, &v);
	verdict_fini(&v);
}

/* begin - with recipients parted by blanks */
static void begin(struct fixture *x, struct transaction *t, const char *rcpt)
{
	struct str rest = str_of(rcpt);

	transaction_begin(t, STR("sender@Example.COM"), 0);
	while (rest.n > 0)
		recipient(x, t, str_word(&rest));
}

static enum transaction_end end(struct fixture *x, struct transaction_outcome *o)
{
	transaction_header(x->t, STR("Subject"), STR(" x"));
	transaction_body(x->t, STR("Hello.\r\n"));
	return transaction_end(x->t, o);
}

/* ---- whom it depends on ------------------------------------------------------------------- */

static void all_have_to_refuse(void **state)
{
	struct fixture *x = *state;
	static const struct {
		const char *rcpt;
		bool text; /* is it wanted? */
		enum transaction_end end;
		const char *says;
	} rows[] = {
		/* clang-format off */
		{"", false, TRANSACTION_TAKEN, NULL},
		{"no@example.org", true, TRANSACTION_REFUSED, "no"},
		{"never@example.org no@example.org", true, TRANSACTION_REFUSED, "never"},
		{"no+detail@example.org NO@example.org", true, TRANSACTION_REFUSED, "no"},
		{"no@example.org gone@example.org", true, TRANSACTION_TAKEN, NULL},
		{"no@example.org kept@example.org", true, TRANSACTION_TAKEN, NULL},
		{"no@example.org broken@example.org", true, TRANSACTION_TAKEN, NULL},
		{"both@example.org", true, TRANSACTION_TAKEN, NULL},
		{"no@example.org plain@example.org", false, TRANSACTION_TAKEN, NULL},
		{"plain@example.org no@example.org", false, TRANSACTION_TAKEN, NULL},
		{"no@example.org a@elsewhere.test", false, TRANSACTION_TAKEN, NULL},
		/* Refused at RCPT: no recipient. */
		{"no@example.org nobody@example.org", true, TRANSACTION_REFUSED, "no"},
		{"nobody@example.org", false, TRANSACTION_TAKEN, NULL},
		{"team@example.org", true, TRANSACTION_REFUSED, "no"},
		{"team@example.org never@example.org", true, TRANSACTION_REFUSED, "no"},
		{"mixed@example.org", false, TRANSACTION_TAKEN, NULL},
		{"kind@example.org", true, TRANSACTION_TAKEN, NULL},
		{"out@example.org", false, TRANSACTION_TAKEN, NULL},
		{"circle@example.org no@example.org", false, TRANSACTION_TAKEN, NULL},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct transaction_outcome o;

		printf("# %s\n", rows[i].rcpt);
		begin(x, x->t, rows[i].rcpt);
		assert_int_equal(transaction_wants_text(x->t), rows[i].text);
		assert_int_equal(end(x, &o), rows[i].end);
		if (rows[i].says != NULL)
			assert_string_equal(o.filter.text, rows[i].says);
	}
}

static void the_first_one_is_named(void **state)
{
	struct fixture *x = *state;
	struct transaction_outcome o;

	begin(x, x->t, "team@example.org no@example.org");
	assert_int_equal(transaction_accounts(x->t), 2);
	assert_int_equal(end(x, &o), TRANSACTION_REFUSED);
	assert_string_equal(o.account.s, "no@example.org");
	assert_string_equal(o.filter.script, "main");
	assert_int_equal(o.filter.line, 1);
}

static void nothing_is_left_of_the_last_one(void **state)
{
	struct fixture *x = *state;
	struct transaction_outcome o;

	begin(x, x->t, "plain@example.org");
	begin(x, x->t, "no@example.org");
	assert_int_equal(end(x, &o), TRANSACTION_REFUSED);
	transaction_forget(x->t);
	assert_false(transaction_wants_text(x->t));
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_TAKEN);
	assert_int_equal(transaction_sender(x->t).n, 0);
}

static void without_filters_nobody_is_asked(void **state)
{
	struct fixture *x = *state;
	struct transactions *all = transactions_new(x->s.store, NULL);
	struct transaction *t = transaction_new(all, true);

	begin(x, t, "no@example.org");
	assert_false(transaction_wants_text(t));
	transaction_free(&t);
	assert_null(t);
	transactions_free(&all);
}

/* ---- what the scripts see ------------------------------------------------------------------ */

/* sees - whether the test is true of the message with this field and body */
static bool sees(struct fixture *x, struct transaction *t, const char *test,
		 const char *value, const char *body)
{
	struct account a = scratch_account(&x->s, "eyes@example.org");
	struct transaction_outcome o;
	enum transaction_end what;
	char script[2000];
	bool found;

	snprintf(script, sizeof script,
		 "require [\"ereject\", \"envelope\", \"body\", \"subaddress\", "
		 "\"date\", \"relational\", \"comparator-i;ascii-numeric\"];\n"
		 "if %s { ereject \"seen\"; }",
		 test);
	set_script(x, &a, script);
	begin(x, t, "eyes+detail@example.org eyes@example.org");
	transaction_header(t, STR("From"), STR(" a@example.com"));
	transaction_header(t, STR("X-Test"), str_of(value));
	for (const char *c = body; *c != '\0'; c++) /* in any pieces */
		transaction_body(t, (struct str){c, 1});
	what = transaction_end(t, &o);
	assert_int_not_equal(what, TRANSACTION_UNFILTERED);
	scratch_ok(account_delete(x->s.store, &a.name, &e_));
	scratch_ok(account_find(x->s.store, &a.name, &a, &found, &e_));
	assert_false(found);
	return what == TRANSACTION_REFUSED;
}

static void the_text_is_that_of_the_delivery(void **state)
{
	struct fixture *x = *state;
	struct transaction *loose = transaction_new(x->all, false);
	static const struct {
		const char *test, *value, *body;
	} rows[] = {
		/* clang-format off */
		{"header :is \"x-test\" \"x\"", " x", ""},
		{"header :is \"from\" \"a@example.com\"", "", "x"},
		{"header :is \"x-test\" \"one two\"", " one\n two", "x\r\n"},
		{"header :matches \"x-test\" \"one?two three\"", "\n one\n\ttwo\r\n three", "x\r\n"},
		{"not header :matches \"x-test\" \"*body*\"", " x\n y", "body: z\r\n"},
		{"header \"return-path\" \"<sender@example.com>\"", "", ""},
		{"date :value \"ge\" :zone \"+0000\" \"received\" \"year\" \"2026\"", "", ""},
		{"envelope \"from\" \"sender@example.com\"", "", ""},
		{"envelope :detail \"to\" \"detail\"", "", ""},
		/* Dots are not doubled, and one alone is text. */
		{"body :raw :is text:\n.a\n..\n...b\n.\n", "", ".a\r\n.\r\n..b\r\n"},
		{"body :raw :contains \"after\"", "", "a\r\n.\r\nafter\r\n"},
		{"body :raw :is text:\nx\n.\n", "", "x"},
		{"body :raw :is \"\"", "", ""},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(rows); i++) {
		printf("# %s\n", rows[i].test);
		assert_true(sees(x, x->t, rows[i].test, rows[i].value, rows[i].body));
		assert_true(sees(x, loose, rows[i].test, rows[i].value, rows[i].body));
		assert_false(sees(x, x->t, "false", rows[i].value, rows[i].body));
	}
	transaction_free(&loose);
}

/* size_of - all that the scripts see, with this value of a field */
static unsigned size_of(struct fixture *x, struct transaction *t, const char *value)
{
	unsigned least = 0, most = 4096;
	char test[40];

	while (least < most) {
		unsigned n = (least + most) / 2;

		snprintf(test, sizeof test, "size :over %u", n);
		if (sees(x, t, test, value, "b"))
			least = n + 1;
		else
			most = n;
	}
	return least;
}

static void blanks_before_a_value_are_kept_where_the_mta_has_them(void **state)
{
	struct fixture *x = *state;
	struct transaction *loose = transaction_new(x->all, false);
	unsigned n = size_of(x, x->t, " x");

	assert_int_equal(size_of(x, x->t, "x"), n - 1);
	assert_int_equal(size_of(x, x->t, "  x"), n + 1);
	/* A line of a field ends in CRLF, however it came. */
	assert_int_equal(size_of(x, x->t, " a\n b"), n + 4);
	assert_int_equal(size_of(x, x->t, " a\r\n b"), n + 4);
	/* From others, a value comes without its blank. */
	assert_int_equal(size_of(x, loose, "x"), n);
	assert_int_equal(size_of(x, loose, " x"), n);
	assert_int_equal(size_of(x, loose, "\tx"), n);
	transaction_free(&loose);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* feed - n octets of body; false: no more is wanted */
static bool feed(struct transaction *t, size_t n)
{
	static const char octets[65536];

	while (n > 0 && transaction_wants_text(t)) {
		size_t k = n < sizeof octets ? n : sizeof octets;

		transaction_body(t, (struct str){octets, k});
		n -= k;
	}
	return transaction_wants_text(t);
}

static void a_large_one_passes(void **state)
{
	struct fixture *x = *state;
	struct transaction_outcome o;

	begin(x, x->t, "no@example.org");
	assert_true(feed(x->t, FILTER_OCTETS - 4096));
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_REFUSED);
	begin(x, x->t, "no@example.org");
	assert_false(feed(x->t, FILTER_OCTETS));
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_UNFILTERED);
	assert_non_null(strstr(o.why.text, "too large"));
	/* A recipient who just gets it is no failure. */
	begin(x, x->t, "plain@example.org");
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_TAKEN);
}

static void all_texts_together_have_a_limit(void **state)
{
	struct fixture *x = *state;
	struct transaction *more[FILTER_AT_ONCE];
	struct transaction_outcome o;

	for (size_t i = 0; i < countof(more); i++) {
		more[i] = transaction_new(x->all, true);
		begin(x, more[i], "no@example.org");
		assert_true(feed(more[i], FILTER_OCTETS - 4096));
	}
	begin(x, x->t, "no@example.org");
	assert_false(feed(x->t, 65536));
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_UNFILTERED);
	assert_non_null(strstr(o.why.text, "too many messages"));
	/* One goes, however it ends. */
	transaction_forget(more[0]);
	begin(x, x->t, "no@example.org");
	assert_true(feed(x->t, FILTER_OCTETS - 4096));
	assert_int_equal(transaction_end(x->t, &o), TRANSACTION_REFUSED);
	for (size_t i = 0; i < countof(more); i++)
		transaction_free(&more[i]);
}

static void many_accounts_pass(void **state)
{
	struct fixture *x = *state;
	struct transaction_outcome o;
	char name[40];

	begin(x, x->t, "");
	for (unsigned i = 0; i <= TRANSACTION_ACCOUNTS; i++) {
		struct account a;

		assert_int_equal(transaction_wants_text(x->t), i > 0);
		snprintf(name, sizeof name, "many%u@example.org", i);
		a = scratch_account(&x->s, name);
		set_script(x, &a, REFUSE("no"));
		recipient(x, x->t, str_of(name));
	}
	assert_false(transaction_wants_text(x->t));
	assert_int_equal(end(x, &o), TRANSACTION_UNFILTERED);
	assert_non_null(strstr(o.why.text, "too many recipients"));
}

static void a_message_that_gets_no_turn_passes(void **state)
{
	struct fixture *x = *state;
	struct filter *turns[FILTER_AT_ONCE];
	struct transaction_outcome o;
	struct err e;

	transaction_free(&x->t);
	transactions_free(&x->all);
	filters_close(&x->filters);
	store_close(&x->s.store);
	scratch_configure(&x->s, "", "milter { filter_timeout = 1s }");
	scratch_ok(store_open(x->s.set, &x->s.store, &e_));
	open_all(x);
	for (size_t i = 0; i < countof(turns); i++)
		assert_non_null(turns[i] = filter_begin(x->filters, FILTER_MS, &e));
	begin(x, x->t, "no@example.org");
	assert_int_equal(end(x, &o), TRANSACTION_UNFILTERED);
	assert_string_equal(o.why.dsn, "4.3.2");
	filter_end(&turns[0]);
	begin(x, x->t, "no@example.org");
	assert_int_equal(end(x, &o), TRANSACTION_REFUSED);
	for (size_t i = 1; i < countof(turns); i++)
		filter_end(&turns[i]);
}

/* What cannot be read just now is no reason to keep a client waiting. */
static void a_script_that_cannot_be_read_passes(void **state)
{
	struct fixture *x = *state;
	struct scratch_path dir = scratch_place("accounts", "no@example.org", "sieve");
	struct transaction_outcome o;
	struct account a;
	char path[600];
	bool found;
	struct name n = scratch_name(&x->s, "no@example.org");

	scratch_ok(account_find(x->s.store, &n, &a, &found, &e_));
	snprintf(path, sizeof path, "%s/%s", dir.s, a.script);
	assert_int_equal(unlink(scratch_path(&x->s, path).s), 0);
	assert_int_equal(mkdir(scratch_path(&x->s, path).s, 0700), 0);
	begin(x, x->t, "no@example.org");
	assert_int_equal(end(x, &o), TRANSACTION_UNFILTERED);
	assert_int_equal(o.why.class, ERR_TEMP);
	assert_int_equal(rmdir(scratch_path(&x->s, path).s), 0);
	/* One that is lost keeps the message, and so it is taken. */
	begin(x, x->t, "no@example.org");
	assert_int_equal(end(x, &o), TRANSACTION_TAKEN);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_have_to_refuse),
		T(the_first_one_is_named),
		T(nothing_is_left_of_the_last_one),
		T(without_filters_nobody_is_asked),
		T(the_text_is_that_of_the_delivery),
		T(blanks_before_a_value_are_kept_where_the_mta_has_them),
		T(a_large_one_passes),
		T(all_texts_together_have_a_limit),
		T(many_accounts_pass),
		T(a_message_that_gets_no_turn_passes),
		T(a_script_that_cannot_be_read_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
