/* SPDX-License-Identifier: ISC */
/*
 * source_auxprop - asks a plug-in of Cyrus SASL that knows passwords: sasldb, ldapdb, sql
 *
 * libsasl compares the password with the property that the plug-in finds.  What a user typed
 * is a value to the plug-in, and no part of a query as far as the plug-in escapes it; our
 * names hold no quote, asterisk or parenthesis to begin with.
 */
#include "authd/source_int.h"

#include "authd/plugin.h"

#include <string.h>

static int get_option(void *ctx, const char *plugin UNUSED, const char *name,
		      const char **result, unsigned *length)
{
	const struct source *s = ctx;

	if (strcmp(name, "auxprop_plugin") == 0)
		*result = s->name;
	else if (strcmp(name, "pwcheck_method") == 0)
		*result = "auxprop";
	else
		return SASL_FAIL; /* on to plugin.c */
	if (length != NULL)
		*length = (unsigned)strlen(*result);
	return SASL_OK;
}

static int check(const struct source *s, const struct source_question *q)
{
	/* Nothing is written to the context. */
	const sasl_callback_t callbacks[] = {
		{SASL_CB_GETOPT, PLUGIN_CALLBACK(get_option),
		 (void *)(uintptr_t)(const void *)s},
		{SASL_CB_LIST_END, NULL, NULL},
	};
	sasl_conn_t *conn;
	int rc = sasl_server_new("popstore", q->set->hostname, NULL, NULL, NULL,
				 callbacks, 0, &conn);

	if (rc != SASL_OK)
		return rc;
	rc = sasl_checkpass(conn, q->user.p, (unsigned)q->user.n, q->password.p,
			    (unsigned)q->password.n);
	sasl_dispose(&conn);
	return rc;
}

enum source_result source_auxprop(const struct source *s, const struct source_question *q,
				  struct err *e)
{
	int rc;

	/* An empty password is none, whatever is stored there. */
	if (q->password.n == 0 || q->user.n == 0 || str_has_control(q->user) ||
	    memchr(q->password.p, '\0', q->password.n) != NULL)
		return SOURCE_NO;
	rc = check(s, q);
	if (rc == SASL_OK)
		return SOURCE_YES;
	if (rc == SASL_BADAUTH || rc == SASL_NOUSER || rc == SASL_BADPARAM)
		return SOURCE_NO;
	err_set(e, ERR_TEMP, "4.3.0", "%s", sasl_errstring(rc, NULL, NULL));
	return SOURCE_FAILED;
}
