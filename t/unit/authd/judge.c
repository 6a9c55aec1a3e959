/* SPDX-License-Identifier: ISC */
/* Who may come in, by rows; and that a refusal never takes a short cut. */
#include "authd/judge.h"

#include <crypt.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/storage.h"
#include "t/unit/auth/scratch.h"

static const struct {
	struct str user, password;
	const char *account; /* NULL: refused */
} rows[] = {
	/* clang-format off */
	{STR_INIT("alice@example.org"),   STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("Alice@EXAMPLE.net"),   STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("alice"),               STR_INIT("a secret"), "alice@example.org"},
	{STR_INIT("dismail@example.org"), STR_INIT("a secret"), "dismail@example.org"},
	{STR_INIT("lockpwd@example.org"), STR_INIT("a secret"), "lockpwd@example.org"},

	{STR_INIT("alice@example.org"),   STR_INIT("A secret"),    NULL},
	{STR_INIT("alice@example.org"),   STR_INIT(""),            NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret "),   NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("a secret\0"),  NULL},
	{STR_INIT("alice@example.org"),   STR_INIT("x\tmaster_user=root\tskip_password_check=1"), NULL},
	{STR_INIT("bare@example.org"),    STR_INIT(""),            NULL},
	{STR_INIT("bare@example.org"),    STR_INIT("a secret"),    NULL},
	{STR_INIT("disuser@example.org"), STR_INIT("a secret"),    NULL},
	{STR_INIT("disuser@example.org"), STR_INIT("wrong"),       NULL},
	{STR_INIT("default@example.org"), STR_INIT("a secret"),    NULL},
	{STR_INIT("default@example.org"), STR_INIT("wrong"),       NULL},
	{STR_INIT("nobody@example.org"),  STR_INIT("a secret"),    NULL},
	{STR_INIT("alice@example.com"),   STR_INIT("a secret"),    NULL},
	{STR_INIT("alice+x@example.org"), STR_INIT("wrong"),       NULL},
	{STR_INIT("alice+work@example.org"), STR_INIT("wrong"),    NULL},
	{STR_INIT(""),                    STR_INIT("a secret"),    NULL},
	{STR_INIT("a\0b@example.org"),    STR_INIT("a secret"),    NULL},
	{STR_INIT("alice\x1b]0;x\x07"),   STR_INIT("a secret"),    NULL},
	/* clang-format on */
};

static void begin(struct scratch *s, struct judge *j)
{
	struct name template;
	struct account account;
	struct err e;
	bool found;

	log_open("judge", false, LOG_LV_ERROR);
	scratch_begin(s, "default_domain = \"example.org\"");
	scratch_add(s, "alice@example.org", "a secret", 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "dismail@example.org", "a secret", ACCOUNT_DISMAIL);
	scratch_add(s, "disuser@example.org", "a secret", ACCOUNT_DISUSER);
	scratch_add(s, "lockpwd@example.org", "a secret", ACCOUNT_LOCKPWD);
	/* A secret that nothing here would give the template. */
	template = scratch_name(s, "default@example.org");
	assert_int_equal(account_find(s->store, &template, &account, &found, &e), 0);
	assert_true(found);
	assert_int_equal(secret_set(s->store, &account, STR("a secret"), true, &e), 0);
	scratch_ok(judge_init(j, store_settings(s->store), s->store, &e_));
}

static void end(struct scratch *s, struct judge *j)
{
	judge_fini(j);
	scratch_end(s);
}

static void ask(struct judge *j, struct str user, struct str password,
		struct auth_answer *out)
{
	struct question q = {.service = "pop3",
			     .sid = "s1",
			     .client = "192.0.2.7",
			     .server = "192.0.2.1:110",
			     .tls = true,
			     .loopback = true, /* no line to wait in */
			     .user = user,
			     .password = password};

	auth_answer_init(out);
	judge_password(j, &q, out);
}

static void rows_say_who_comes_in(void **state)
{
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j);
	for (size_t i = 0; i < countof(rows); i++) {
		struct auth_answer out;

		print_message("# row %zu\n", i);
		ask(&j, rows[i].user, rows[i].password, &out);
		assert_int_equal(out.result, rows[i].account ? AUTH_OK : AUTH_REFUSED);
		assert_string_equal(out.account, rows[i].account ? rows[i].account : "");
		assert_int_equal(out.uid != 0, rows[i].account != NULL);
		/* Nobody is told why. */
		assert_string_equal(out.why, "");
		auth_answer_fini(&out);
	}
	end(&s, &j);
}

/* ---- what is remembered ------------------------------------------------------------- */

static enum auth_result result(struct judge *j, struct str user, struct str password)
{
	struct auth_answer out;
	enum auth_result r;

	ask(j, user, password, &out);
	r = out.result;
	auth_answer_fini(&out);
	return r;
}

/* settle - until the records of alice have stamps: so a password is remembered by them */
static void settle(struct scratch *s)
{
	struct name alice = scratch_name(s, "alice@example.org");
	uint64_t profile = 0, secret = 0;
	struct err e;
	bool found;

	while (profile == 0 || secret == 0) {
		poll(NULL, 0, 20);
		assert_int_equal(account_stamp(s->store, &alice, &profile, &found, &e),
				 0);
		assert_int_equal(secret_stamp(s->store, &alice, &secret, &found, &e), 0);
	}
}

static struct account alice_of(struct scratch *s)
{
	struct name name = scratch_name(s, "alice@example.org");
	struct account alice;
	struct err e;
	bool found;

	assert_int_equal(account_find(s->store, &name, &alice, &found, &e), 0);
	assert_true(found);
	return alice;
}

/* Twice, from what was read and by the stamps alone; an alias is the same account. */
static void expect_remembered(struct judge *j, struct str password)
{
	struct cache_state before, now;

	cache_get_state(j->cache, &before);
	for (int i = 0; i < 2; i++)
		assert_int_equal(result(j, STR("Alice@EXAMPLE.net"), password), AUTH_OK);
	cache_get_state(j->cache, &now);
	assert_int_equal(now.hits - before.hits, 2);
}

static void a_change_ends_what_is_remembered(void **state)
{
	struct scratch s;
	struct judge j;
	struct account alice;
	struct err e;

	(void)state;
	begin(&s, &j);
	settle(&s);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_OK);
	expect_remembered(&j, STR("a secret"));

	alice = alice_of(&s);
	alice.flags = ACCOUNT_DISUSER;
	assert_int_equal(account_update(s.store, &alice, &e), 0);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_REFUSED);
	settle(&s);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_REFUSED);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_REFUSED);
	alice.flags = 0;
	assert_int_equal(account_update(s.store, &alice, &e), 0);
	settle(&s);
	expect_remembered(&j, STR("a secret"));

	assert_int_equal(secret_set(s.store, &alice, STR("another one"), false, &e), 0);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_REFUSED);
	assert_int_equal(result(&j, STR("alice"), STR("another one")), AUTH_OK);
	settle(&s);
	expect_remembered(&j, STR("another one"));

	assert_int_equal(account_delete(s.store, &alice.name, &e), 0);
	assert_int_equal(result(&j, STR("alice"), STR("another one")), AUTH_REFUSED);
	scratch_add(&s, "alice@example.org", "a third", 0);
	assert_int_equal(result(&j, STR("alice"), STR("another one")), AUTH_REFUSED);
	assert_int_equal(result(&j, STR("alice"), STR("a third")), AUTH_OK);
	end(&s, &j);
}

/* A password that was right before it had a stamp is found by its version, and by its stamp
 * from then on. */
static void what_was_too_young_is_remembered_too(void **state)
{
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j);
	assert_int_equal(result(&j, STR("alice"), STR("a secret")), AUTH_OK);
	expect_remembered(&j, STR("a secret"));
	settle(&s);
	expect_remembered(&j, STR("a secret"));
	end(&s, &j);
}

static void what_cannot_be_read_is_neither_yes_nor_no(void **state)
{
	struct scratch s;
	struct judge j;
	struct auth_answer out;
	struct name n;
	struct place place;

	(void)state;
	begin(&s, &j);
	n = scratch_name(&s, "alice@example.org");
	name_place("secrets", &n, NULL, &place);
	scratch_ok(storage_put(store_root(s.store), place.path, STR("nonsense\n"), 0,
			       NULL, &e_));
	ask(&j, STR("alice@example.org"), STR("a secret"), &out);
	assert_int_equal(out.result, AUTH_TRY_AGAIN);
	auth_answer_fini(&out);
	end(&s, &j);
}

static void clear_text_is_for_whom_the_settings_say(void **state)
{
	static const struct {
		const char *word;
		bool tls, loopback, may;
	} cases[] = {
		{"never", false, true, false},     {"never", true, false, true},
		{"loopback", false, false, false}, {"loopback", false, true, true},
		{"loopback", true, false, true},   {"always", false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct scratch s;
		char setting[64];
		struct auth_offer offer;
		struct auth_answer out;
		struct question q = {.service = "pop3",
				     .sid = "",
				     .client = "",
				     .server = "",
				     .tls = cases[i].tls,
				     .loopback = cases[i].loopback,
				     .user = STR_INIT("alice@example.org"),
				     .password = STR_INIT("a secret")};

		snprintf(setting, sizeof setting, "plaintext_without_tls = %s",
			 cases[i].word);
		scratch_begin(&s, setting);
		scratch_add(&s, "alice@example.org", "a secret", 0);

		struct judge j;

		scratch_ok(judge_init(&j, store_settings(s.store), s.store, &e_));

		judge_offer(&j, &q, &offer);
		assert_int_equal(offer.password, cases[i].may);
		auth_answer_init(&out);
		judge_password(&j, &q, &out);
		assert_int_equal(out.result, cases[i].may ? AUTH_OK : AUTH_REFUSED);
		auth_answer_fini(&out);
		end(&s, &j);
	}
}

/* ---- folders ------------------------------------------------------------------------- */

/* What POP3 alone asks for, and what stays a secret until the proof. */
static void a_folder_is_its_owners(void **state)
{
	static const struct {
		const char *user, *service, *account; /* NULL: refused */
	} cases[] = {
		{"alice+work@example.org", "pop3", "alice/work@example.org"},
		{"Alice+WORK@example.net", "pop3", "alice/work@example.org"},
		{"alice+work", "pop3", "alice/work@example.org"},
		{"alice+none@example.org", "pop3", NULL},
		{"alice/work@example.org", "pop3", NULL},
		{"alice+work@example.org", "smtp", NULL},
		{"disuser+work@example.org", "pop3", NULL},
	};
	struct account alice, folder;
	struct scratch s;
	struct judge j;
	const char *why;
	struct name name;
	bool found;

	(void)state;
	begin(&s, &j);
	name = scratch_name(&s, "alice@example.org");
	scratch_ok(account_find(s.store, &name, &alice, &found, &e_));
	scratch_ok(folder_make(s.store, &alice, STR("Work"), &folder, &why, &e_));
	assert_null(why);
	for (size_t i = 0; i < 2 * countof(cases); i++) {
		size_t k = i % countof(cases); /* and again, from memory */
		struct question q = {.service = cases[k].service,
				     .sid = "s1",
				     .client = "192.0.2.7",
				     .server = "192.0.2.1:110",
				     .tls = true,
				     .loopback = true,
				     .user = str_of(cases[k].user),
				     .password = STR("a secret")};
		struct auth_answer out;

		print_message("# case %zu\n", i);
		auth_answer_init(&out);
		judge_password(&j, &q, &out);
		assert_int_equal(out.result, cases[k].account ? AUTH_OK : AUTH_REFUSED);
		if (cases[k].account != NULL) {
			assert_string_equal(out.account, cases[k].account);
			assert_int_equal(out.uid, folder.uid);
			assert_true(folder.uid != alice.uid);
		}
		auth_answer_fini(&out);
	}
	end(&s, &j);
}

/* ---- that a refusal takes no short cut ---------------------------------------------- */

static unsigned hashes;

/* Takes the place of libcrypt's. */
char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	char *hash = crypt_r(phrase, setting, data);

	assert_int_equal(size, sizeof(struct crypt_data));
	hashes++;
	return hash[0] == '*' ? NULL : hash;
}

static void every_refusal_pays_for_a_hash(void **state)
{
	struct scratch s;
	struct judge j;

	(void)state;
	begin(&s, &j);
	for (size_t i = 0; i < countof(rows); i++) {
		struct auth_answer out;

		if (rows[i].account != NULL)
			continue;
		/* Again, too, of who may not come in with the right password. */
		for (int again = 0; again < 2; again++) {
			hashes = 0;
			ask(&j, rows[i].user, rows[i].password, &out);
			print_message("# row %zu: %u\n", i, hashes);
			assert_int_equal(out.result, AUTH_REFUSED);
			assert_int_equal(hashes, 1);
			auth_answer_fini(&out);
		}
	}
	end(&s, &j);
}

/* Who was let in until a moment ago, too, whose password is remembered. */
static void who_is_disabled_is_not_remembered(void **state)
{
	struct auth_answer out;
	struct account a;
	struct scratch s;
	struct name n;
	struct judge j;
	bool found;

	(void)state;
	begin(&s, &j);
	ask(&j, STR("alice@example.org"), STR("a secret"), &out);
	assert_int_equal(out.result, AUTH_OK);
	auth_answer_fini(&out);
	n = scratch_name(&s, "alice@example.org");
	scratch_ok(account_find(s.store, &n, &a, &found, &e_));
	a.flags |= ACCOUNT_DISUSER;
	scratch_ok(account_update(s.store, &a, &e_));
	hashes = 0;
	ask(&j, STR("alice@example.org"), STR("a secret"), &out);
	assert_int_equal(out.result, AUTH_REFUSED);
	assert_int_equal(hashes, 1);
	auth_answer_fini(&out);
	end(&s, &j);
}

/* ---- with another source -------------------------------------------------------------- */

/* A saslauthd that says one thing to all; NULL: it hangs up. */
struct other {
	int fd;
	char path[64];
	pthread_t thread;
	const char *says;
	atomic_uint asked;
};

static void *play(void *ctx)
{
	struct other *o = ctx;

	for (;;) {
		char question[1024];
		int fd = accept(o->fd, NULL, NULL);

		if (fd < 0) /* shut down */
			return NULL;
		atomic_fetch_add(&o->asked, 1);
		assert_true(recv(fd, question, sizeof question, 0) > 0);
		if (o->says != NULL)
			assert_int_equal(send(fd, o->says, 4, MSG_NOSIGNAL), 4);
		close(fd);
	}
}

static void other_begin(struct other *o, const char *says)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	static unsigned n;

	*o = (struct other){.says = says, .fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	snprintf(o->path, sizeof o->path, "/tmp/judge-%ld-%u", (long)getpid(), n++);
	snprintf(a.sun_path, sizeof a.sun_path, "%s", o->path);
	assert_int_equal(bind(o->fd, (const struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(o->fd, 8), 0);
	assert_int_equal(pthread_create(&o->thread, NULL, play, o), 0);
}

static void other_end(struct other *o)
{
	shutdown(o->fd, SHUT_RDWR);
	assert_int_equal(pthread_join(o->thread, NULL), 0);
	close(o->fd);
	unlink(o->path);
}

/* begin_with - alice has a secret of her own by now, bare has none yet */
static void begin_with(struct scratch *s, struct judge *j, struct other *o,
		       const char *rule, const char *says)
{
	char auth[256];

	log_open("judge", false, LOG_LV_ERROR);
	other_begin(o, says);
	snprintf(auth, sizeof auth, "saslauthd = \"%s\" rules = {\"%s\"}", o->path, rule);
	scratch_begin(s, auth);
	scratch_add(s, "alice@example.org", "a secret", 0);
	scratch_add(s, "bare@example.org", NULL, 0);
	scratch_add(s, "disuser@example.org", "a secret", ACCOUNT_DISUSER);
	scratch_ok(judge_init(j, store_settings(s->store), s->store, &e_));
}

static void end_with(struct scratch *s, struct judge *j, struct other *o)
{
	end(s, j);
	other_end(o);
}

static const char *const transitions[] = {
	"sources secret,saslauthd transition yes",
	"sources saslauthd,secret transition yes",
	"sources saslauthd transition yes",
};

/* Neither the answer nor what is done for it tells who has a secret of his own by now. */
static void with_transition_a_refusal_tells_nothing(void **state)
{
	static const struct {
		const char *says;
		enum auth_result result;
	} others[] = {
		{"\0\2NO", AUTH_REFUSED},
		{"\0\2OK", AUTH_REFUSED}, /* what was good before the transition */
		{NULL, AUTH_TRY_AGAIN},
	};
	static const struct str users[] = {
		STR_INIT("alice@example.org"),
		STR_INIT("disuser@example.org"),
		STR_INIT("nobody@example.org"),
		STR_INIT("bare@example.org"),
	};

	(void)state;
	for (size_t i = 0; i < countof(transitions) * countof(others); i++) {
		size_t n = i % countof(others);
		struct scratch s;
		struct other o;
		struct judge j;

		begin_with(&s, &j, &o, transitions[i / countof(others)], others[n].says);
		/* It is right of the last one, who has none yet. */
		for (size_t k = 0; k < countof(users) - (n == 1); k++) {
			struct auth_answer out;

			print_message("# %s, %zu: " STR_FMT "\n",
				      transitions[i / countof(others)], n,
				      STR_ARG(users[k]));
			hashes = 0;
			atomic_store(&o.asked, 0);
			ask(&j, users[k], STR("another"), &out);
			assert_int_equal(out.result, others[n].result);
			assert_int_equal(hashes, 1);
			assert_int_equal(atomic_load(&o.asked), 1);
			auth_answer_fini(&out);
		}
		end_with(&s, &j, &o);
	}
}

/* And with it he comes in, and the other source is not shown it. */
static void with_transition_the_secret_is_asked_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(transitions); i++) {
		struct auth_answer out;
		struct scratch s;
		struct other o;
		struct judge j;

		print_message("# %s\n", transitions[i]);
		begin_with(&s, &j, &o, transitions[i], NULL);
		ask(&j, STR("alice@example.org"), STR("a secret"), &out);
		assert_int_equal(out.result, AUTH_OK);
		assert_int_equal(atomic_load(&o.asked), 0);
		auth_answer_fini(&out);
		end_with(&s, &j, &o);
	}
}

/* A no of the secret is learnt, too, where another source fails and the answer is `later`. */
static void a_source_that_fails_makes_no_try_free(void **state)
{
	static const struct {
		const char *rule;
		bool counts;
	} cases[] = {
		{"sources secret,saslauthd", true},
		{"sources saslauthd,secret transition yes", true},
		{"sources saslauthd", false},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct scratch s;
		struct other o;
		struct judge j;
		uint32_t wait = 0;

		begin_with(&s, &j, &o, cases[i].rule, NULL);
		for (size_t k = 0; k <= LIMITER_FREE; k++) {
			struct auth_answer out;

			ask(&j, STR("alice@example.org"), STR("another"), &out);
			assert_int_equal(out.result, AUTH_TRY_AGAIN);
			wait = out.wait_ms;
			auth_answer_fini(&out);
		}
		print_message("# %s: %u ms\n", cases[i].rule, wait);
		assert_int_equal(wait > 0, cases[i].counts);
		end_with(&s, &j, &o);
	}
}

/* ---- APOP ----------------------------------------------------------------------- */

static const struct {
	const char *rule;
	enum auth_result result;
} apop_rows[] = {
	{"mechanisms APOP", AUTH_OK},
	{"sources saslauthd,secret mechanisms APOP", AUTH_OK},
	{"mechanisms PASS", AUTH_REFUSED},
	{"sources saslauthd mechanisms APOP", AUTH_REFUSED},
	{"domain example.org sources saslauthd mechanisms APOP", AUTH_REFUSED},
};

static enum auth_result apop(struct judge *j)
{
	/* RFC 1939 s7 */
	struct question q = {
		.service = "pop3",
		.sid = "s1",
		.client = "192.0.2.7",
		.server = "",
		.loopback = true,
		.user = STR("mrose@example.org"),
		.challenge = STR("<1896.697170952@dbc.mtview.ca.us>"),
		.digest = STR("c4c9334bac560ecc979e58001b3e22fb"),
	};
	struct auth_answer out;
	enum auth_result result;

	auth_answer_init(&out);
	judge_apop(j, &q, &out);
	result = out.result;
	auth_answer_fini(&out);
	return result;
}

static void set_recoverable(struct scratch *s)
{
	struct domain d;
	bool found;

	scratch_ok(domain_find(s->store, STR("example.org"), &d, &found, &e_));
	assert_true(found);
	d.recoverable = true;
	scratch_ok(domain_update(s->store, &d, &e_));
}

static void apop_is_for_whom_the_rules_ask_the_secret(void **state)
{
	(void)state;
	log_open("judge", false, LOG_LV_ERROR);
	for (size_t i = 0; i < countof(apop_rows); i++) {
		struct scratch s;
		struct judge j;
		char auth[256];

		print_message("# row %zu: %s\n", i, apop_rows[i].rule);
		snprintf(auth, sizeof auth, "rules = {\"%s\"}", apop_rows[i].rule);
		scratch_begin(&s, auth);
		set_recoverable(&s);
		scratch_add(&s, "mrose@example.org", "tanstaaf", 0);
		scratch_ok(judge_init(&j, store_settings(s.store), s.store, &e_));
		assert_int_equal(apop(&j), apop_rows[i].result);
		end(&s, &j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_who_comes_in),
		cmocka_unit_test(a_change_ends_what_is_remembered),
		cmocka_unit_test(what_was_too_young_is_remembered_too),
		cmocka_unit_test(what_cannot_be_read_is_neither_yes_nor_no),
		cmocka_unit_test(clear_text_is_for_whom_the_settings_say),
		cmocka_unit_test(a_folder_is_its_owners),
		cmocka_unit_test(every_refusal_pays_for_a_hash),
		cmocka_unit_test(who_is_disabled_is_not_remembered),
		cmocka_unit_test(with_transition_a_refusal_tells_nothing),
		cmocka_unit_test(with_transition_the_secret_is_asked_first),
		cmocka_unit_test(a_source_that_fails_makes_no_try_free),
		cmocka_unit_test(apop_is_for_whom_the_rules_ask_the_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
