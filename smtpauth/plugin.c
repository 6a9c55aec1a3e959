/* SPDX-License-Identifier: ISC */
/*
 * plugin - libpopstore.so: users of popstore for the SMTP AUTH of Postfix and Sendmail
 *
 * An auxprop plug-in for Cyrus SASL, which gives an MTA what SCRAM wants to know of a user
 * (smtpauth/lookup.h).  The MTA's configuration of SASL, for Postfix smtpd.conf:
 *
 *   pwcheck_method: saslauthd auxprop     PLAIN and LOGIN: authd checks the password, on a
 *   saslauthd_path: /run/popstore/smtp/saslauthd   socket of auth.saslauthd_listen
 *   auxprop_plugin: popstore
 *   popstore_socket: /run/popstore/smtp/auth   a socket of auth.listen
 *   mech_list: PLAIN LOGIN SCRAM-SHA-256
 *
 * "auxprop" behind "saslauthd" is there for one thing: saslauthd's protocol knows yes and no,
 * and no "later".  When it has not said yes, the library asks here for the password, and
 * learns whether authd is there and can tell: if not, the MTA answers 454 instead of 535.
 *
 * It runs in the MTA's process, so it keeps nothing between two calls, and exports one name.
 * Running out of memory ends the process, as in all of popstore: an MTA starts another one.
 *
 * Tests: t/box/test_smtp_auth.py
 */
#include "smtpauth/ask.h"
#include "smtpauth/lookup.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/popstore/smtp/auth"
#define PASSWORD       "*userPassword"
#define VERIFIERS      "*authPassword"

struct plugin {
	char socket[108]; /* as long as a Unix socket's path may be */
};

/* The library calls the functions of one plug-in for all connections of a process. */
static struct plugin plugin;

static void log_trouble(const sasl_utils_t *u, const struct err *e)
{
	u->log(u->conn, SASL_LOG_ERR, "popstore: %s", e->text);
}

static bool is_wanted(const struct propval *wanted, const char *name)
{
	for (; wanted != NULL && wanted->name != NULL; wanted++)
		if (strcmp(wanted->name, name) == 0)
			return true;
	return false;
}

static int give_verifiers(const sasl_server_params_t *s, struct str verifiers)
{
	const sasl_utils_t *u = s->utils;
	const char *name = VERIFIERS;
	int rc = u->prop_set(s->propctx, name, NULL, 0); /* what may be left of another */

	while (verifiers.n > 0 && rc == SASL_OK) {
		struct str one = str_cut(&verifiers, '\n');

		rc = u->prop_set(s->propctx, name, one.p, (int)one.n);
		name = NULL; /* one value more of the same */
	}
	return rc;
}

/* do_lookup - LATER, with a line in the MTA's log, when authd cannot be asked */
static enum lookup_result do_lookup(const sasl_server_params_t *s, struct str user,
				    struct buf *verifiers)
{
	const struct lookup_peer peer = {s->service, s->ipremoteport, s->iplocalport,
					 s->external_ssf > 0};
	enum lookup_result result = LOOKUP_LATER;
	struct wire question, answer;
	uint32_t wait_ms = 0;
	struct err e;

	wire_init(&question);
	wire_init(&answer);
	lookup_question(&question, &peer, user);
	if (!wire_finish(&question))
		result = LOOKUP_NOT_HERE; /* nobody's name is so long */
	else if (ask(plugin.socket, &question, &answer, &e) < 0)
		log_trouble(s->utils, &e);
	else
		result = lookup_answer(&answer, verifiers, &wait_ms);
	wire_fini(&answer);
	wire_fini(&question);
	if (wait_ms > 0)
		poll(NULL, 0, (int)wait_ms);
	return result;
}

static int lookup(void *context UNUSED, sasl_server_params_t *s, unsigned flags,
		  const char *user, unsigned n)
{
	const struct propval *wanted = s->utils->prop_get(s->propctx);
	bool verifiers_wanted = is_wanted(wanted, VERIFIERS);
	struct buf verifiers;
	int rc = SASL_BADAUTH;

	/* Whom somebody wants to be is nobody that we have properties of, and who he is
	 * has not been proved yet when nothing is asked for. */
	if ((flags & SASL_AUXPROP_AUTHZID) ||
	    (!verifiers_wanted && !is_wanted(wanted, PASSWORD)))
		return SASL_OK;
	buf_init_secret(&verifiers, LOOKUP_VERIFIERS_MAX + 64);
	switch (do_lookup(s, (struct str){user, n}, &verifiers)) {
	case LOOKUP_FOUND:
		if (verifiers_wanted)
			rc = give_verifiers(s, buf_str(&verifiers));
		break;
	case LOOKUP_NOT_HERE:
		break;
	case LOOKUP_LATER:
		rc = SASL_UNAVAIL;
		break;
	}
	buf_fini_secret(&verifiers);
	return rc;
}

static char plugin_name[] = "popstore";

static sasl_auxprop_plug_t functions = {.auxprop_lookup = lookup, .name = plugin_name};

__attribute__((visibility("default"))) int
sasl_auxprop_plug_init(const sasl_utils_t *u, int max_version, int *out_version,
		       sasl_auxprop_plug_t **out, const char *name);

int sasl_auxprop_plug_init(const sasl_utils_t *u, int max_version, int *out_version,
			   sasl_auxprop_plug_t **out, const char *name UNUSED)
{
	const char *path = NULL;
	size_t n;

	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	if (u->getopt(u->getopt_context, "POPSTORE", "popstore_socket", &path, NULL) !=
		    SASL_OK ||
	    path == NULL)
		path = DEFAULT_SOCKET;
	n = strlen(path);
	if (n >= sizeof plugin.socket) {
		u->log(NULL, SASL_LOG_ERR, "popstore: popstore_socket is too long");
		return SASL_BADPARAM;
	}
	memcpy(plugin.socket, path, n + 1);
	*out_version = SASL_AUXPROP_PLUG_VERSION;
	*out = &functions;
	return SASL_OK;
}
