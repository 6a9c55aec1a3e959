/* SPDX-License-Identifier: ISC */
/*
 * plugin - Cyrus SASL in this process: its library, and the plug-ins that are loaded
 *
 * Only the plug-ins that the rules need are loaded: the library asks about each file before
 * it opens it (SASL_CB_VERIFYFILE).  Its options come from auth.sasl_options and from the
 * connection, never from a file in /etc.
 *
 * libldap, which a plug-in may bring in, sets mutexes of its own for the library; both are
 * pthread mutexes in memory of calloc(3), so that it does not matter whose is used.
 *
 * Threads: plugin_begin() and plugin_end() before and after all others.
 * Tests:   t/unit/authd/exchange.c
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include "authd/rules.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

/* With `lookup` as the auxprop plug-in that PLUGIN_OWN names.  `set` and `rules` are borrowed
 * until the end. */
#define PLUGIN_OWN "popstore"

typedef int plugin_lookup_fn(void *unused, sasl_server_params_t *params, unsigned flags,
			     const char *user, unsigned length);

int plugin_begin(const struct settings *set, const struct rules *rules,
		 plugin_lookup_fn *lookup, struct err *e) MUST_USE;
void plugin_end(void);

/* Those of authd/mechanism.h that can be had: the library's, PASS and APOP. */
unsigned plugin_mechanisms(void);

/* The library has one type for the procedures of all its callbacks. */
#define PLUGIN_CALLBACK(f) ((int (*)(void))(void (*)(void))(f))

#endif
