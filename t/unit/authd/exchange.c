/* SPDX-License-Identifier: ISC */
/* SASL exchanges with Cyrus SASL's own client; and what no good client would say. */
#include "authd/exchange.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"
#include "store/domain.h"
#include "t/unit/auth/scratch.h"

/* ---- the rig ------------------------------------------------------------------------ */

struct rig {
	struct scratch s;
	struct judge j;
	struct question q;
};

static const char rules[] =
	"rules = { \"mechanisms EXTERNAL,SCRAM-SHA-512-PLUS,SCRAM-SHA-256-PLUS,"
	"SCRAM-SHA-1-PLUS,SCRAM-SHA-512,SCRAM-SHA-256,SCRAM-SHA-1,DIGEST-MD5,CRAM-MD5,"
	"APOP,PLAIN,LOGIN,PASS\" } certificate_name = email";

static void set_recoverable(struct rig *r, const char *domain)
{
	struct domain d;
	bool found;

	scratch_ok(domain_find(r->s.store, str_of(domain), &d, &found, &e_));
	assert_true(found);
	d.recoverable = true;
	scratch_ok(domain_update(r->s.store, &d, &e_));
}

static void begin(struct rig *r)
{
	log_open("exchange", false, LOG_LV_ERROR);
	*r = (struct rig){0};
	scratch_begin(&r->s, rules);
	set_recoverable(r, "example.org");
	scratch_add(&r->s, "alice@example.org", "a secret", 0);
	scratch_add(&r->s, "off@example.org", "a secret", ACCOUNT_DISUSER);
	scratch_ok(judge_init(&r->j, store_settings(r->s.store), r->s.store, &e_));
	r->q = (struct question){.service = "pop3",
				 .sid = "s1",
				 .client = "192.0.2.7",
				 .server = "",
				 .tls = true,
				 .loopback = true,
				 .exporter = STR_INIT("0123456789abcdef0123456789abcdef"),
				 .end_point = STR_INIT("fedcba9876543210")};
}

static void end(struct rig *r)
{
	judge_fini(&r->j);
	scratch_end(&r->s);
}

/* ---- a client ----------------------------------------------------------------------- */

struct client {
	const char *user, *password;
	sasl_secret_t *secret;
};

static int get_name(void *ctx, int id, const char **result, unsigned *n)
{
	const struct client *c = ctx;

	/* No authorization name: the library takes "" for the same. */
	*result = id == SASL_CB_AUTHNAME ? c->user : "";
	if (n != NULL)
		*n = (unsigned)strlen(*result);
	return SASL_OK;
}

static int get_secret(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **out)
{
	struct client *c = ctx;
	size_t n = strlen(c->password);

	(void)conn;
	(void)id;
	free(c->secret);
	c->secret = malloc(sizeof *c->secret + n + 1);
	assert_non_null(c->secret);
	c->secret->len = n;
	memcpy(c->secret->data, c->password, n + 1);
	*out = c->secret;
	return SASL_OK;
}

static sasl_conn_t *new_client(struct client *c, sasl_callback_t callbacks[4],
			       sasl_channel_binding_t *binding)
{
	sasl_security_properties_t security = {0};
	sasl_conn_t *conn;

	callbacks[0] = (sasl_callback_t){SASL_CB_USER, PLUGIN_CALLBACK(get_name), c};
	callbacks[1] = (sasl_callback_t){SASL_CB_AUTHNAME, PLUGIN_CALLBACK(get_name), c};
	callbacks[2] = (sasl_callback_t){SASL_CB_PASS, PLUGIN_CALLBACK(get_secret), c};
	callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	assert_int_equal(sasl_client_new("pop", "mail.example.org", NULL, NULL, callbacks,
					 0, &conn),
			 SASL_OK);
	assert_int_equal(sasl_setprop(conn, SASL_SEC_PROPS, &security), SASL_OK);
	if (binding != NULL)
		assert_int_equal(sasl_setprop(conn, SASL_CHANNEL_BINDING, binding),
				 SASL_OK);
	return conn;
}

/* converse - until the server has an answer */
static void converse(struct rig *r, sasl_conn_t *conn, const char *mechanism,
		     struct auth_answer *out)
{
	struct exchange *x;
	const char *say = NULL, *chosen;
	unsigned n = 0;
	int rc = sasl_client_start(conn, mechanism, NULL, &say, &n, &chosen);

	assert_true(rc == SASL_OK || rc == SASL_CONTINUE);
	r->q.mechanism = str_of(mechanism);
	r->q.has_data = say != NULL;
	r->q.data = (struct str){say, n};
	exchange_begin(&r->j, &r->q, &x, out);
	while (out->result == AUTH_CHALLENGE) {
		rc = sasl_client_step(conn, buf_cstr(&out->data), (unsigned)out->data.n,
				      NULL, &say, &n);
		if (rc != SASL_OK && rc != SASL_CONTINUE) {
			exchange_abort(&x, out);
			return;
		}
		exchange_step(&x, (struct str){say ? say : "", say ? n : 0}, out);
	}
	assert_null(x);
}

static enum auth_result log_in(struct rig *r, const char *mechanism, const char *user,
			       const char *password, sasl_channel_binding_t *binding)
{
	struct client c = {.user = user, .password = password};
	sasl_callback_t callbacks[4];
	sasl_conn_t *conn = new_client(&c, callbacks, binding);
	struct auth_answer out;
	enum auth_result result;

	auth_answer_init(&out);
	converse(r, conn, mechanism, &out);
	if (out.result == AUTH_OK)
		assert_string_equal(out.account, "alice@example.org");
	result = out.result;
	auth_answer_fini(&out);
	sasl_dispose(&conn);
	free(c.secret);
	return result;
}

/* ---- tests -------------------------------------------------------------------------- */

static const char *const names[] = {"PLAIN",         "LOGIN",         "SCRAM-SHA-1",
				    "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5",
				    "DIGEST-MD5"};

static void every_mechanism_says_who_is_there(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	r.q.exporter = r.q.end_point = STR("");
	for (size_t i = 0; i < countof(names); i++) {
		print_message("# %s\n", names[i]);
		assert_int_equal(
			log_in(&r, names[i], "alice@example.org", "a secret", NULL),
			AUTH_OK);
		assert_int_equal(
			log_in(&r, names[i], "alice@example.org", "A secret", NULL),
			AUTH_REFUSED);
		assert_int_equal(
			log_in(&r, names[i], "nobody@example.org", "a secret", NULL),
			AUTH_REFUSED);
		assert_int_equal(
			log_in(&r, names[i], "alice@nowhere.org", "a secret", NULL),
			AUTH_REFUSED);
		assert_int_equal(
			log_in(&r, names[i], "off@example.org", "a secret", NULL),
			AUTH_REFUSED);
	}
	end(&r);
}

static void both_bindings_are_taken_and_no_wrong_one(void **state)
{
	static const char *const plus[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS",
					   "SCRAM-SHA-512-PLUS"};
	static const struct {
		const char *name, *data;
		enum auth_result result;
	} bindings[] = {
		{"tls-exporter", "0123456789abcdef0123456789abcdef", AUTH_OK},
		{"tls-exporter", "0123456789abcdef0123456789abcdeF", AUTH_REFUSED},
		{"tls-server-end-point", "fedcba9876543210", AUTH_OK},
		{"tls-server-end-point", "0123456789abcdef0123456789abcdef",
		 AUTH_REFUSED},
		{"tls-unique", "fedcba9876543210", AUTH_REFUSED},
	};
	struct rig r;

	(void)state;
	begin(&r);
	for (size_t i = 0; i < countof(plus); i++)
		for (size_t k = 0; k < countof(bindings); k++) {
			sasl_channel_binding_t b = {
				.name = bindings[k].name,
				.data = (const unsigned char *)bindings[k].data,
				.len = strlen(bindings[k].data),
				.critical = 1};

			print_message("# %s %zu\n", plus[i], k);
			assert_int_equal(
				log_in(&r, plus[i], "alice@example.org", "a secret", &b),
				bindings[k].result);
		}
	/* Without a channel there is nothing to bind to. */
	r.q.exporter = r.q.end_point = STR("");

	struct auth_answer out;
	struct exchange *x;

	auth_answer_init(&out);
	r.q.mechanism = STR("SCRAM-SHA-256-PLUS");
	r.q.has_data = true;
	r.q.data = STR("p=tls-exporter,,n=alice@example.org,r=abcdefgh");
	exchange_begin(&r.j, &r.q, &x, &out);
	assert_int_equal(out.result, AUTH_REFUSED);
	auth_answer_fini(&out);
	end(&r);
}

/* say - one exchange of given words; the result of the last */
static enum auth_result say(struct rig *r, const char *mechanism, const struct str *words,
			    size_t n)
{
	struct auth_answer out;
	struct exchange *x;
	enum auth_result result;

	auth_answer_init(&out);
	r->q.mechanism = str_of(mechanism);
	r->q.has_data = n > 0 && words[0].p != NULL;
	r->q.data = r->q.has_data ? words[0] : STR("");
	exchange_begin(&r->j, &r->q, &x, &out);
	for (size_t i = 1; i < n && out.result == AUTH_CHALLENGE; i++)
		exchange_step(&x, words[i], &out);
	result = out.result;
	if (x != NULL)
		exchange_abort(&x, &out);
	auth_answer_fini(&out);
	return result;
}

static const struct {
	const char *mechanism;
	struct str words[3];
	size_t n;
} bad[] = {
	/* clang-format off */
	{"PLAIN", {STR_INIT("")}, 1},
	{"PLAIN", {STR_INIT("\0")}, 1},
	{"PLAIN", {STR_INIT("\0\0")}, 1},
	{"PLAIN", {STR_INIT("\0u\0")}, 1},
	{"PLAIN", {STR_INIT("\0alice@example.org")}, 1},
	{"PLAIN", {STR_INIT("\0alice@example.org\0a secret\0junk")}, 1},
	{"PLAIN", {STR_INIT("\0alice@example.org\0a secret\0")}, 1},
	{"PLAIN", {STR_INIT("bob@example.org\0alice@example.org\0a secret")}, 1},
	{"PLAIN", {STR_INIT("\0' OR 1=1\0x")}, 1},
	{"PLAIN", {STR_INIT("\0*)(uid=*\0x")}, 1},
	{"PLAIN", {STR_INIT("\0bob\x1b]0;x\x07\0x")}, 1},
	{"PLAIN", {STR_INIT("\0a\nNov 21 sshd: Accepted\0x")}, 1},
	{"LOGIN", {{NULL, 0}, STR_INIT(""), STR_INIT("")}, 3},
	{"LOGIN", {{NULL, 0}, STR_INIT("alice@example.org"), STR_INIT("")}, 3},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("alice@example.org")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("alice@example.org ")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("alice@example.org 0123456789abcdef0123456789abcde")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("alice@example.org 0123456789abcdef0123456789abcdef")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT("alice@example.org 0123456789abcdef0123456789abcdef0")}, 2},
	{"CRAM-MD5", {{NULL, 0}, STR_INIT(" 0123456789abcdef0123456789abcdef")}, 2},
	{"SCRAM-SHA-256", {STR_INIT(""), STR_INIT("x")}, 2},
	{"SCRAM-SHA-256", {STR_INIT("x,,n=alice@example.org,r=abc")}, 1},
	{"SCRAM-SHA-256", {STR_INIT("n,,n=,r=abc")}, 1},
	{"SCRAM-SHA-256", {STR_INIT("n,,n=alice@example.org,r="), STR_INIT("c=biws,r=,p=AAAA")}, 2},
	{"SCRAM-SHA-256", {STR_INIT("n,,m=x,n=alice@example.org,r=abc")}, 1},
	{"SCRAM-SHA-256", {STR_INIT("n,a=bob@example.org,n=alice@example.org,r=abc"), STR_INIT("x")}, 2},
	{"SCRAM-SHA-256", {STR_INIT("n,,n=alice@example.org,r=abc"), STR_INIT("")}, 2},
	{"SCRAM-SHA-256", {STR_INIT("n,,n=alice@example.org,r=abc"), STR_INIT("c=biws,r=abc,p=AAAA")}, 2},
	{"SCRAM-SHA-256", {STR_INIT("p=tls-exporter,,n=alice@example.org,r=abc"), STR_INIT("c=biws,r=abc,p=AAAA")}, 2},
	{"SCRAM-SHA-256", {{NULL, 0}, STR_INIT(""), STR_INIT("x")}, 3},
	{"DIGEST-MD5", {{NULL, 0}, STR_INIT("")}, 2},
	{"DIGEST-MD5", {{NULL, 0}, STR_INIT("username=\"alice\",response=00")}, 2},
	{"NTLM", {STR_INIT("x")}, 1},
	{"ANONYMOUS", {STR_INIT("x")}, 1},
	{"APOP", {STR_INIT("x")}, 1},
	{"PASS", {STR_INIT("x")}, 1},
	{"EXTERNAL", {STR_INIT("")}, 1},
	{"", {STR_INIT("")}, 1},
	{"PLAIN LOGIN", {STR_INIT("")}, 1},
	/* clang-format on */
};

static void bad_words_are_refused_and_hurt_nobody(void **state)
{
	static char big[16384];
	struct str words[] = {{big, sizeof big}, {big, sizeof big}};
	struct rig r;

	(void)state;
	begin(&r);
	memset(big, 'a', sizeof big);
	for (size_t i = 0; i < countof(bad); i++) {
		print_message("# row %zu: %s\n", i, bad[i].mechanism);
		assert_int_equal(say(&r, bad[i].mechanism, bad[i].words, bad[i].n),
				 AUTH_REFUSED);
	}
	for (size_t i = 0; i < countof(names); i++)
		assert_int_equal(say(&r, names[i], words, 2), AUTH_REFUSED);
	assert_int_equal(log_in(&r, "PLAIN", "alice@example.org", "a secret", NULL),
			 AUTH_OK);
	end(&r);
}

/* first_of - the server's first message to this name */
static void first_of(struct rig *r, const char *user, struct buf *out)
{
	struct auth_answer a;
	struct exchange *x;
	char first[128];

	snprintf(first, sizeof first, "n,,n=%s,r=abcdefgh", user);
	auth_answer_init(&a);
	r->q.mechanism = STR("SCRAM-SHA-256");
	r->q.has_data = true;
	r->q.data = str_of(first);
	exchange_begin(&r->j, &r->q, &x, &a);
	assert_int_equal(a.result, AUTH_CHALLENGE);
	/* r=<nonce>,s=<salt>,i=<iterations>: the nonce is another each time. */
	struct str rest = buf_str(&a.data);

	str_cut(&rest, ',');
	buf_clear(out);
	buf_put(out, rest);
	exchange_abort(&x, &a);
	auth_answer_fini(&a);
}

static void an_unknown_user_looks_like_a_known_one(void **state)
{
	struct buf known, unknown, again, other;
	struct rig r;

	(void)state;
	begin(&r);
	r.q.exporter = r.q.end_point = STR("");
	buf_init(&known, 256);
	buf_init(&unknown, 256);
	buf_init(&again, 256);
	buf_init(&other, 256);
	first_of(&r, "alice@example.org", &known);
	first_of(&r, "nobody@example.org", &unknown);
	first_of(&r, "nobody@example.org", &again);
	first_of(&r, "none@example.org", &other);
	assert_int_equal(known.n, unknown.n);
	assert_true(str_ends(buf_str(&unknown), STR(",i=4096")));
	assert_true(str_eq(buf_str(&unknown), buf_str(&again)));
	assert_false(str_eq(buf_str(&unknown), buf_str(&other)));
	buf_fini(&other);
	buf_fini(&again);
	buf_fini(&unknown);
	buf_fini(&known);
	end(&r);
}

static void a_downgrade_is_noticed(void **state)
{
	struct str words[] = {STR("y,,n=alice@example.org,r=abcdefgh"),
			      STR("c=eSws,r=x,p=AAAA")};
	struct rig r;

	(void)state;
	begin(&r);
	/* The client could have bound, and was made to believe that we cannot. */
	assert_int_equal(say(&r, "SCRAM-SHA-256", words, 2), AUTH_REFUSED);
	end(&r);
}

static void a_certificate_names_one_account(void **state)
{
	static const struct {
		struct str names[2];
		size_t n;
		struct str said;
		enum auth_result result;
	} rows[] = {
		/* clang-format off */
		{{STR_INIT("email alice@example.org")}, 1, STR_INIT(""), AUTH_OK},
		{{STR_INIT("email Alice@Example.org")}, 1, STR_INIT(""), AUTH_OK},
		{{STR_INIT("dns mail.example.org"), STR_INIT("email alice@example.org")}, 2, STR_INIT(""), AUTH_OK},
		{{STR_INIT("email alice@example.org")}, 1, STR_INIT("alice@example.org"), AUTH_OK},
		{{STR_INIT("email alice@example.org")}, 1, STR_INIT("off@example.org"), AUTH_REFUSED},
		{{STR_INIT("email off@example.org")}, 1, STR_INIT(""), AUTH_REFUSED},
		{{STR_INIT("email nobody@example.org")}, 1, STR_INIT(""), AUTH_REFUSED},
		{{STR_INIT("email alice@example.org"), STR_INIT("email off@example.org")}, 2, STR_INIT(""), AUTH_REFUSED},
		{{STR_INIT("email alice@example.org\0x")}, 1, STR_INIT(""), AUTH_REFUSED},
		{{STR_INIT("dns alice@example.org")}, 1, STR_INIT(""), AUTH_REFUSED},
		/* clang-format on */
	};
	struct rig r;

	(void)state;
	begin(&r);
	for (size_t i = 0; i < countof(rows); i++) {
		print_message("# row %zu\n", i);
		memcpy(r.q.names, rows[i].names, sizeof rows[i].names);
		r.q.n_names = rows[i].n;
		assert_int_equal(say(&r, "EXTERNAL", &rows[i].said, 1), rows[i].result);
	}
	end(&r);
}

static void what_is_offered_can_be_had(void **state)
{
	struct auth_offer o;
	struct rig r;

	(void)state;
	begin(&r);
	judge_offer(&r.j, &r.q, &o);
	assert_string_equal(o.mechanisms,
			    "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS "
			    "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 "
			    "PLAIN LOGIN");
	assert_true(o.password && o.apop);
	r.q.tls = r.q.loopback = false;
	r.q.exporter = r.q.end_point = STR("");
	judge_offer(&r.j, &r.q, &o);
	assert_string_equal(o.mechanisms, "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 "
					  "DIGEST-MD5 CRAM-MD5");
	assert_true(!o.password && o.apop);
	end(&r);
}

static int begin_client(void **state)
{
	(void)state;
	return sasl_client_init(NULL) == SASL_OK ? 0 : -1;
}

static int end_client(void **state)
{
	(void)state;
	sasl_client_done();
	return 0;
}

/* A plug-in of Cyrus SASL keeps a few octets to the end of the process, which look lost to
 * a sanitizer once it is unloaded: so none is. */
int dlclose(void *handle UNUSED)
{
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_says_who_is_there),
		cmocka_unit_test(both_bindings_are_taken_and_no_wrong_one),
		cmocka_unit_test(bad_words_are_refused_and_hurt_nobody),
		cmocka_unit_test(an_unknown_user_looks_like_a_known_one),
		cmocka_unit_test(a_downgrade_is_noticed),
		cmocka_unit_test(a_certificate_names_one_account),
		cmocka_unit_test(what_is_offered_can_be_had),
	};

	return cmocka_run_group_tests(tests, begin_client, end_client);
}
