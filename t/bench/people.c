/* SPDX-License-Identifier: ISC */
/*
 * people - accounts for a benchmark: a million in minutes
 *
 *   people conf=popstore.conf users=1M password=secret
 *
 * user0@example.org and so on, as `popstore add --from` makes them and in batches as durable,
 * but for one thing: all have the same password, and it is hashed once, not once for each.
 * The records are those of the product, and a login verifies as it always does.  The store
 * and the domain are there already.
 */
#include "auth/secret.h"
#include "lib/settings.h"
#include "store/account.h"
#include "store/store.h"
#include "t/bench/lib/clock.h"
#include "t/bench/lib/options.h"

#include <stdio.h>
#include <sysexits.h>

enum { BATCH = 20000 };

static const char *conf = "/etc/popstore/popstore.conf", *domain = "example.org";
static const char *password = "secret";
static uint64_t users = 1, first_user;

static const struct option_row options[] = {
	/* clang-format off */
	{"conf",       OPTION_TEXT,   &conf,       "popstore.conf"},
	{"domain",     OPTION_TEXT,   &domain,     "that is there"},
	{"password",   OPTION_TEXT,   &password,   "of all of them"},
	{"users",      OPTION_NUMBER, &users,      "how many"},
	{"first_user", OPTION_NUMBER, &first_user, "the number of the first"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

static int make(struct store *s, uint64_t number, const struct secret_prepared *secret,
		struct err *e)
{
	struct account a;
	struct name name;
	char local[32];

	snprintf(local, sizeof local, "user%llu", (unsigned long long)number);
	if (name_of(store_settings(s), str_of(local), str_of(domain), &name, e) < 0 ||
	    account_template(s, &name, &a, e) < 0 || account_create(s, &a, true, e) < 0)
		return -1;
	return secret_put(s, &a, secret, true, e);
}

static int make_all(struct store *s, struct err *e)
{
	struct secret_prepared secret;

	if (secret_prepare(store_settings(s), str_of(password), &secret, e) < 0)
		return -1;
	for (uint64_t i = 0; i < users; i++) {
		if (make(s, first_user + i, &secret, e) < 0)
			return err_add(e, "user %llu",
				       (unsigned long long)(first_user + i));
		if (i % BATCH == BATCH - 1 && store_sync_batch(s, e) < 0)
			return -1;
	}
	return store_sync_batch(s, e);
}

int main(int argc, char **argv)
{
	uint64_t begin = now_ns();
	struct err e = {0};
	struct settings *set;
	struct store *s;
	int rc;

	options_read(argc, argv, options, NULL);
	if (settings_read(conf, &set, &e) < 0 || store_open(set, &s, &e) < 0) {
		fprintf(stderr, "people: %s\n", e.text);
		return EX_CONFIG;
	}
	rc = make_all(s, &e);
	if (rc < 0)
		fprintf(stderr, "people: %s\n", e.text);
	store_close(&s);
	settings_free(&set);
	if (rc < 0)
		return err_exit_status(&e);
	printf("{\"what\": \"people\", \"turns\": %llu, \"seconds\": %.3f}\n",
	       (unsigned long long)users, (double)(now_ns() - begin) / 1e9);
	return EX_OK;
}
