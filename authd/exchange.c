/* SPDX-License-Identifier: ISC */
#include "authd/exchange.h"

#include "auth/secret.h"
#include "auth/site_key.h"
#include "authd/attempt.h"
#include "lib/log.h"

#include <openssl/crypto.h>
#include <string.h>

enum { FULL_SSF = 256 }; /* what TLS is worth, to the library */

struct exchange {
	struct judge *judge;
	const struct question *q;
	struct attempt attempt;
	sasl_conn_t *conn; /* NULL: the client's first words are not here */
	sasl_callback_t callbacks[3];
	sasl_channel_binding_t binding;
	/* Of the library's callbacks. */
	bool answered; /* *out is: by attempt_password() */
	struct auth_answer *out;
	struct err failed; /* a lookup that could not be made */
	struct err why;    /* it was no user that may have this mechanism */
};

/* ---- what the library asks ------------------------------------------------------------ */

static int get_option(void *ctx UNUSED, const char *plugin UNUSED, const char *name,
		      const char **result, unsigned *length)
{
	if (strcmp(name, "auxprop_plugin") != 0)
		return SASL_FAIL; /* on to plugin.c */
	*result = PLUGIN_OWN;
	if (length != NULL)
		*length = sizeof PLUGIN_OWN - 1;
	return SASL_OK;
}

/* check_password - of PLAIN and LOGIN */
static int check_password(sasl_conn_t *conn UNUSED, void *ctx, const char *user,
			  const char *password, unsigned length,
			  struct propctx *unused UNUSED)
{
	struct exchange *x = ctx;

	/* The library asks again in another way after a no. */
	if (x->answered)
		return SASL_BADAUTH;
	x->answered = true;
	x->attempt.user = str_of(user);
	attempt_password(&x->attempt, (struct str){password, length}, x->out);
	return x->out->result == AUTH_OK ? SASL_OK : SASL_BADAUTH;
}

/* exchange_of - from what a plug-in is given; NULL: it is no exchange's connection */
static struct exchange *exchange_of(const sasl_utils_t *utils)
{
	int (*proc)(void) = NULL;
	void *ctx = NULL;

	if (utils->getcallback(utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &proc,
			       &ctx) != SASL_OK ||
	    proc != PLUGIN_CALLBACK(check_password))
		return NULL;
	return ctx;
}

/* ---- secrets for the library ---------------------------------------------------------- */

/* wants - whether the library asks for a property of who logs in (with `*`) */
static bool wants(const sasl_utils_t *utils, struct propctx *ctx, const char *name)
{
	const struct propval *p = utils->prop_get(ctx);

	while (p != NULL && p->name != NULL)
		if (strcmp((p++)->name, name) == 0)
			return true;
	return false;
}

static const char verifier_name[] = "*authPassword";
static const char password_name[] = "*userPassword";

static bool is_scram(const struct exchange *x)
{
	return str_starts(str_of(mechanisms[x->attempt.mechanism].name), STR("SCRAM-"));
}

static int give_verifiers(const sasl_utils_t *utils, struct propctx *ctx,
			  const struct secret *s)
{
	int rc = SASL_OK;
	bool first = true;

	for (size_t i = 0; i < SCRAM_HASHES && rc == SASL_OK; i++) {
		if (s->scram[i][0] == '\0')
			continue;
		rc = utils->prop_set(ctx, first ? verifier_name : NULL, s->scram[i], -1);
		first = false;
	}
	return rc;
}

/* give_fakes - the same each time for the same name: who asks twice must not see it */
static int give_fakes(struct exchange *x, const sasl_utils_t *utils, struct propctx *ctx)
{
	unsigned char key[SITE_KEY_OCTETS];
	struct str name =
		x->attempt.name.s[0] ? str_of(x->attempt.name.s) : x->attempt.user;
	int rc = SASL_OK;

	if (site_key_derive(x->judge->store, "scram", key, &x->failed) < 0)
		return SASL_FAIL;
	for (unsigned i = 0; i < SCRAM_HASHES && rc == SASL_OK; i++) {
		struct scram_verifier v = {
			.hash = (enum scram_hash)i,
			.iterations = (uint32_t)x->judge->set->auth.scram_iterations};
		struct buf text;

		buf_init(&text, SCRAM_TEXT_MAX);
		if (scram_fake(key, name, &v, &x->failed) < 0) {
			rc = SASL_FAIL;
		} else {
			scram_print(&v, &text);
			rc = utils->prop_set(ctx, i == 0 ? verifier_name : NULL,
					     buf_cstr(&text), -1);
		}
		buf_fini(&text);
	}
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

/* give_random - for a digest that nothing can be right for */
static int give_random(const sasl_utils_t *utils, struct propctx *ctx)
{
	char none[33] = "";

	utils->rand(utils->rpool, none, sizeof none - 1);
	for (size_t i = 0; i < sizeof none - 1; i++)
		none[i] = (char)('a' + (none[i] & 15));
	return utils->prop_set(ctx, password_name, none, -1);
}

static int give_password(struct exchange *x, const sasl_utils_t *utils,
			 struct propctx *ctx, const struct account *a,
			 const struct secret *s)
{
	struct buf password;
	int rc;

	if (a == NULL || !s->found || !s->recoverable || s->sealed[0] == '\0')
		return give_random(utils, ctx);
	buf_init_secret(&password, PASSWORD_MAX);
	if (secret_open_sealed(x->judge->store, a, s, &password, &x->failed) < 0)
		rc = SASL_FAIL;
	else
		rc = utils->prop_set(ctx, password_name, buf_cstr(&password), -1);
	buf_fini_secret(&password);
	return rc;
}

/* give - `a` is NULL for who is nobody, or may not log in so */
static int give(struct exchange *x, const sasl_utils_t *utils, struct propctx *ctx,
		const struct account *a, const struct secret *s)
{
	if (!is_scram(x))
		return give_password(x, utils, ctx, a, s);
	if (a != NULL && s->found && s->has_scram)
		return give_verifiers(utils, ctx, s);
	if (x->why.class == ERR_NONE)
		err_set(&x->why, ERR_PERM, "5.7.8",
			"the account has no verifiers for SCRAM");
	return give_fakes(x, utils, ctx);
}

static int look_up(struct exchange *x, const sasl_utils_t *utils, struct propctx *ctx)
{
	struct account a;
	struct secret s = {0};
	enum user_result r = attempt_find_secret(&x->attempt, &a, &x->why);
	int rc;

	if (r == USER_FAILED) {
		x->failed = x->why;
		return SASL_FAIL;
	}
	if (r == USER_UNKNOWN)
		return give(x, utils, ctx, NULL, NULL);
	if (secret_read(x->judge->store, &a, &s, &x->failed) < 0)
		return SASL_FAIL;
	rc = give(x, utils, ctx, &a, &s);
	secret_fini(&s);
	return rc;
}

/* exchange_look_up - every name is one: whoever does not exist fails at the proof.  The
 * library asks for nothing but to see whether there is such a user, too. */
int exchange_look_up(void *unused UNUSED, sasl_server_params_t *params, unsigned flags,
		     const char *user, unsigned length)
{
	const sasl_utils_t *utils = params->utils;
	struct exchange *x = exchange_of(utils);
	struct err none = {0};

	if (x == NULL || flags & SASL_AUXPROP_AUTHZID ||
	    !wants(utils, params->propctx, is_scram(x) ? verifier_name : password_name))
		return SASL_OK;
	x->attempt.user = (struct str){user, length};
	x->why = none;
	return look_up(x, utils, params->propctx);
}

/* ---- the library's connection ----------------------------------------------------------- */

/* chosen_binding - "p=tls-exporter,..." (RFC 5802 s6); what is something else is left to
 * the library to refuse */
static void choose_binding(struct exchange *x, struct str first)
{
	struct str name = str_cut(&first, ',');
	bool end_point = str_eq(name, STR("p=tls-server-end-point"));
	struct str data = x->q->exporter;

	if (end_point || data.n == 0) {
		end_point = true;
		data = x->q->end_point;
	}
	x->binding = (sasl_channel_binding_t){.name = end_point ? "tls-server-end-point"
								: "tls-exporter",
					      .data = (const unsigned char *)data.p,
					      .len = data.n};
}

/* find_email - the only one, or none: which of two was meant? */
static struct str find_email(const struct question *q)
{
	struct str found = STR("");

	for (size_t i = 0; i < q->n_names; i++) {
		if (!str_starts(q->names[i], STR("email ")))
			continue;
		if (found.n > 0)
			return STR("");
		found = (struct str){q->names[i].p + 6, q->names[i].n - 6};
	}
	return found;
}

/* find_cn - of a subject as RFC 4514 writes it, where it has one CN without escapes */
static struct str find_cn(const struct question *q)
{
	struct str rest = q->subject, found = STR("");

	if (memchr(rest.p, '\\', rest.n) != NULL || memchr(rest.p, '+', rest.n) != NULL ||
	    memchr(rest.p, '"', rest.n) != NULL)
		return STR("");
	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, ','));

		if (!str_istarts(one, STR("CN=")))
			continue;
		if (found.n > 0)
			return STR("");
		found = (struct str){one.p + 3, one.n - 3};
	}
	return found;
}

/* certificate_user - a copy that ends in NUL, for the library */
static bool certificate_user(const struct exchange *x, char *out, size_t size)
{
	bool email = x->judge->set->auth.certificate_name == CERTIFICATE_EMAIL;
	struct str name = email ? find_email(x->q) : find_cn(x->q);

	if (name.n == 0 || name.n >= size || str_has_control(name))
		return false;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return true;
}

static int set_external(struct exchange *x)
{
	char user[AUTH_NAME_MAX];

	if (!certificate_user(x, user, sizeof user)) {
		err_set(&x->why, ERR_PERM, "5.7.8",
			"the certificate does not name one account");
		return SASL_BADAUTH;
	}
	return sasl_setprop(x->conn, SASL_AUTH_EXTERNAL, user);
}

static int set_properties(struct exchange *x, struct str first)
{
	/* No layer of its own: the connection is handed on as it is. */
	sasl_security_properties_t security = {.maxbufsize = 0};
	sasl_ssf_t tls = FULL_SSF;
	int rc = sasl_setprop(x->conn, SASL_SEC_PROPS, &security);

	if (rc == SASL_OK && x->q->tls)
		rc = sasl_setprop(x->conn, SASL_SSF_EXTERNAL, &tls);
	choose_binding(x, first);
	if (rc == SASL_OK && x->binding.len > 0 && is_scram(x))
		rc = sasl_setprop(x->conn, SASL_CHANNEL_BINDING, &x->binding);
	if (rc == SASL_OK && x->attempt.mechanism == MECHANISM_EXTERNAL)
		rc = set_external(x);
	return rc;
}

static const char *service_name(const struct question *q)
{
	/* IANA's "GSSAPI/Kerberos/SASL Service Names" */
	return strcmp(q->service, "pop3") == 0 ? "pop" : q->service;
}

/* What the server says last goes along with the yes where the protocol has a place for it
 * (RFC 5804 s2.1), and is a challenge where it has none. */
static unsigned flags_of(const struct question *q)
{
	return strcmp(q->service, "sieve") == 0 ? SASL_SUCCESS_DATA : 0;
}

static int open_connection(struct exchange *x, struct str first)
{
	int rc;

	x->callbacks[0] =
		(sasl_callback_t){SASL_CB_GETOPT, PLUGIN_CALLBACK(get_option), NULL};
	x->callbacks[1] = (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS,
					    PLUGIN_CALLBACK(check_password), x};
	x->callbacks[2] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	rc = sasl_server_new(service_name(x->q), x->judge->set->hostname, NULL, NULL,
			     NULL, x->callbacks, flags_of(x->q), &x->conn);
	return rc == SASL_OK ? set_properties(x, first) : rc;
}

/* ---- ends ------------------------------------------------------------------------------- */

static void free_exchange(struct exchange **x)
{
	if ((*x)->conn != NULL)
		sasl_dispose(&(*x)->conn);
	xfree(x);
}

/* prove - the library is content; whom did it see? */
static void prove(struct exchange *x, struct auth_answer *out)
{
	const void *user = NULL;

	if (sasl_getprop(x->conn, SASL_USERNAME, &user) != SASL_OK || user == NULL) {
		err_set(&x->why, ERR_PERM, "5.7.8", "nobody was named");
		attempt_refuse(&x->attempt, &x->why, out);
		return;
	}
	x->attempt.user = str_of(user);
	attempt_proof(&x->attempt, out);
}

static void refuse(struct exchange *x, int rc, struct auth_answer *out)
{
	if (x->failed.class != ERR_NONE) {
		attempt_fail(&x->attempt, &x->failed, out);
		return;
	}
	if (x->why.class == ERR_NONE)
		err_set(&x->why, ERR_PERM, "5.7.8", "%s", sasl_errstring(rc, NULL, NULL));
	attempt_refuse(&x->attempt, &x->why, out);
}

/* settle - what the library said becomes the answer, and ends the exchange or not */
static void settle(struct exchange **x, int rc, struct str say, struct auth_answer *out)
{
	buf_clear(&out->data);
	if (rc == SASL_CONTINUE) {
		out->result = AUTH_CHALLENGE;
		buf_put(&out->data, say);
		if (!buf_over(&out->data))
			return;
		rc = SASL_BUFOVER;
		buf_clear(&out->data);
	}
	/* A password that was right counts only with all that surrounds it. */
	if (rc == SASL_OK && !(*x)->answered)
		prove(*x, out);
	else if (!(*x)->answered)
		refuse(*x, rc, out);
	else if (rc != SASL_OK && out->result == AUTH_OK)
		refuse(*x, rc, out);
	if (out->result == AUTH_OK)
		buf_put(&out->data, say); /* see flags_of() */
	free_exchange(x);
}

/* ---- steps ------------------------------------------------------------------------------ */

static void start(struct exchange **x, const struct str *first, struct auth_answer *out)
{
	const char *say = NULL;
	unsigned length = 0;
	int rc = open_connection(*x, first ? *first : STR(""));

	(*x)->out = out;
	if (rc == SASL_OK)
		rc = sasl_server_start((*x)->conn,
				       mechanisms[(*x)->attempt.mechanism].name,
				       first ? first->p : NULL,
				       first ? (unsigned)first->n : 0, &say, &length);
	settle(x, rc, (struct str){say, length}, out);
}

static void refuse_unknown(const struct question *q, struct auth_answer *out)
{
	struct err e;

	err_set(&e, ERR_PERM, "5.7.8", "there is no such mechanism");
	out->result = AUTH_REFUSED;
	log_event(LOG_LV_WARN, "auth.refused", kv_s("service", q->service),
		  kv_s("sid", q->sid), kv_s("client", q->client),
		  kv_str("mechanism", q->mechanism), kv_err(&e));
}

void exchange_begin(struct judge *j, const struct question *q, struct exchange **x,
		    struct auth_answer *out)
{
	unsigned mechanism = mechanism_find(q->mechanism);
	struct attempt t;

	*x = NULL;
	if (mechanism == MECHANISMS || mechanisms[mechanism].needs & NO_SASL) {
		refuse_unknown(q, out);
		return;
	}
	if (!attempt_begin(&t, j, q, mechanism, out))
		return;
	*x = xalloc(sizeof **x);
	**x = (struct exchange){.judge = j, .q = q, .attempt = t};
	/* Which binding is chosen is to be known before the connection begins. */
	if (is_scram(*x) && !q->has_data)
		out->result = AUTH_CHALLENGE;
	else
		start(x, q->has_data ? &q->data : NULL, out);
}

void exchange_step(struct exchange **x, struct str data, struct auth_answer *out)
{
	const char *say = NULL;
	unsigned length = 0;
	int rc;

	if ((*x)->conn == NULL) {
		start(x, &data, out);
		return;
	}
	(*x)->out = out;
	/* The plug-in loses some memory of an empty password each time. */
	if ((*x)->attempt.mechanism == MECHANISM_LOGIN && data.n == 0)
		rc = SASL_BADAUTH;
	else
		rc = sasl_server_step((*x)->conn, data.p, (unsigned)data.n, &say,
				      &length);
	settle(x, rc, (struct str){say, length}, out);
}

void exchange_abort(struct exchange **x, struct auth_answer *out)
{
	struct err e;

	err_set(&e, ERR_PERM, "5.7.8", "the client has given up");
	attempt_refuse(&(*x)->attempt, &e, out);
	free_exchange(x);
}
