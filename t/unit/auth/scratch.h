/* SPDX-License-Identifier: ISC */
/*
 * scratch - a store for one test: example.org, its alias example.net, no accounts
 *
 * Include it after cmocka.h.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "auth/secret.h"
#include "lib/buf.h"
#include "store/domain.h"
#include "store/store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
	char dir[32];
	struct settings *set;
	struct store *store;
};

static inline void scratch_domain(struct scratch *s, const char *name,
				  const char *alias_of)
{
	struct domain d = {0};
	struct err e;

	assert_int_equal(name_domain(str_of(name), &d.name, &e), 0);
	if (alias_of != NULL)
		assert_int_equal(name_domain(str_of(alias_of), &d.alias_of, &e), 0);
	if (domain_add(s->store, &d, &e) < 0)
		fail_msg("%s", e.text);
}

/* `auth` is what stands in that section of the configuration. */
static inline void scratch_begin(struct scratch *s, const char *auth)
{
	struct buf conf;
	struct err e;

	snprintf(s->dir, sizeof s->dir, "/tmp/popstore-unit-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	buf_init(&conf, 4096);
	buf_printf(&conf,
		   "store { root = \"%s/store\" }\nauth { yescrypt_cost = 1 %s }\n",
		   s->dir, auth);
	if (settings_parse("unit.conf", buf_str(&conf), &s->set, &e) < 0 ||
	    store_init(s->set, &e) < 0 || store_open(s->set, &s->store, &e) < 0)
		fail_msg("%s", e.text);
	buf_fini(&conf);
	scratch_domain(s, "example.org", NULL);
	scratch_domain(s, "example.net", "example.org");
}

static inline int scratch_remove(const char *path, const struct stat *st, int type,
				 struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void scratch_end(struct scratch *s)
{
	store_close(&s->store);
	settings_free(&s->set);
	assert_int_equal(nftw(s->dir, scratch_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct name scratch_name(struct scratch *s, const char *name)
{
	struct name n;
	struct err e;

	assert_int_equal(name_parse(s->set, str_of(name), &n, &e), 0);
	return n;
}

static inline struct account scratch_add(struct scratch *s, const char *name,
					 const char *password, unsigned flags)
{
	struct name n = scratch_name(s, name);
	struct account a;
	struct err e;

	if (account_template(s->store, &n, &a, &e) < 0)
		fail_msg("%s", e.text);
	a.flags |= flags;
	if (account_create(s->store, &a, true, &e) < 0 ||
	    (password && secret_set(s->store, &a, str_of(password), true, &e) < 0))
		fail_msg("%s", e.text);
	return a;
}

#endif
