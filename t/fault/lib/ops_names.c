/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/ops.h"

#include "auth/secret.h"
#include "store/domain.h"
#include "store/forwarding.h"
#include "store/script.h"
#include "store/storage.h"

#include <stdio.h>
#include <string.h>

/* told - an operation with one part */
static unsigned told(int rc)
{
	return rc == 0 ? 1 : 0;
}

static struct domain domain_of(const char *name, const char *alias_of)
{
	struct domain d = {0};

	world_ok(name_domain(str_of(name), &d.name, &e_));
	if (alias_of != NULL)
		world_ok(name_domain(str_of(alias_of), &d.alias_of, &e_));
	return d;
}

/* ---- domains ------------------------------------------------------------------------- */

static unsigned add_domain(struct world *w, struct err *e)
{
	struct domain d = domain_of("example.com", NULL);

	return told(domain_add(w->store, &d, e));
}

static unsigned add_alias(struct world *w, struct err *e)
{
	struct domain d = domain_of("example.com", "example.org");

	return told(domain_add(w->store, &d, e));
}

static unsigned modify_domain(struct world *w, struct err *e)
{
	struct domain d = domain_of("example.org", NULL);

	d.own_delimiters = true;
	snprintf(d.delimiters, sizeof d.delimiters, "-_");
	return told(domain_update(w->store, &d, e));
}

static void prepare_domain(struct world *w)
{
	struct err e = {0};

	world_open(w);
	must(add_domain(w, &e) == 1);
	world_close(w);
}

static unsigned delete_domain(struct world *w, struct err *e)
{
	struct name n = domain_of("example.com", NULL).name;

	return told(domain_delete(w->store, &n, e));
}

static unsigned delete_alias(struct world *w, struct err *e)
{
	struct name n = domain_of("example.net", NULL).name;

	return told(domain_delete(w->store, &n, e));
}

/* ---- accounts ------------------------------------------------------------------------- */

static unsigned add_account(struct world *w, struct err *e)
{
	if (world_add(w, "dora@example.org", false, e) < 0)
		return 0;
	return told(world_password(w, "dora@example.org", "$y$dora", false, e));
}

static int add_batch_of(struct world *w, const char *const *names, size_t n,
			struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (world_add(w, names[i], true, e) < 0 ||
		    world_password(w, names[i], "$y$many", true, e) < 0)
			return -1;
	return store_sync_batch(w->store, e);
}

static unsigned add_many(struct world *w, struct err *e)
{
	static const char *const names[] = {"dora@example.org", "emil@example.org",
					    "fritz@example.org"};

	return told(add_batch_of(w, names, countof(names), e));
}

static unsigned modify_account(struct world *w, struct err *e)
{
	struct name n = world_name("alice@example.org");
	struct account a;
	bool found;

	if (account_find(w->store, &n, &a, &found, e) < 0)
		return 0;
	must(found);
	a.quota = 1 << 20;
	a.flags = ACCOUNT_LOCKPWD;
	snprintf(a.owner, sizeof a.owner, "Alice A.");
	return told(account_update(w->store, &a, e));
}

/* As `popstore delete` does: the password first. */
static unsigned delete_account(struct world *w, struct err *e)
{
	struct name n = world_name("alice@example.org");

	if (secret_delete(w->store, &n, e) < 0)
		return 0;
	return told(account_delete(w->store, &n, e));
}

/* prepare_folders - with one letter in a folder alone, and one that is everywhere */
static void prepare_folders(struct world *w)
{
	struct err e = {0};

	world_open(w);
	w->folder = "Work";
	must(world_deliver_one(w, "alice@example.org", "filed.300", &e) == 1);
	w->left_out = 1;
	must(world_deliver_one(w, "alice@example.org", "away.300", &e) == 1);
	w->left_out = 0;
	w->folder = "Other";
	must(world_deliver_one(w, "alice@example.org", "other.300", &e) == 1);
	w->folder = NULL;
	world_close(w);
}

/* What a deletion leaves that died when the profile was gone. */
static void prepare_remnant(struct world *w)
{
	world_delete_halfway(w, "alice@example.org");
}

static unsigned add_again(struct world *w, struct err *e)
{
	return told(world_add(w, "alice@example.org", false, e));
}

/* ---- passwords -------------------------------------------------------------------------- */

static unsigned change_password(struct world *w, struct err *e)
{
	return told(world_password(w, "alice@example.org", "$y$second", false, e));
}

static unsigned delete_password(struct world *w, struct err *e)
{
	struct name n = world_name("alice@example.org");

	return told(secret_delete(w->store, &n, e));
}

static void set_recoverable(struct world *w, bool on)
{
	struct domain d;
	bool found;

	world_ok(domain_find(w->store, STR("example.org"), &d, &found, &e_));
	d.recoverable = on;
	world_ok(domain_update(w->store, &d, &e_));
}

static int find_alice(struct world *w, struct account *out, struct err *e)
{
	struct name n = world_name("alice@example.org");
	bool found;

	if (account_find(w->store, &n, out, &found, e) < 0)
		return -1;
	must(found);
	return 0;
}

/* The first one of a store: there is no site key yet. */
static unsigned seal_password(struct world *w, struct err *e)
{
	struct secret_prepared p = {.hash = "$y$second", .password = "open sesame"};
	struct account a;

	if (find_alice(w, &a, e) < 0)
		return 0;
	return told(secret_put(w->store, &a, &p, false, e));
}

static void prepare_recoverable(struct world *w)
{
	world_open(w);
	set_recoverable(w, true);
	world_close(w);
}

static void prepare_sealed(struct world *w)
{
	struct err e = {0};

	world_open(w);
	set_recoverable(w, true);
	must(seal_password(w, &e) == 1);
	set_recoverable(w, false);
	world_close(w);
}

static unsigned drop_password(struct world *w, struct err *e)
{
	struct account a;
	bool had;

	if (find_alice(w, &a, e) < 0)
		return 0;
	return told(secret_drop_sealed(w->store, &a, &had, e));
}

/* After a login: verifiers are missing, and the password is to be sealed. */
static unsigned upgrade_secret(struct world *w, struct err *e)
{
	struct account a;
	struct secret was;
	unsigned done;

	if (find_alice(w, &a, e) < 0 || secret_read(w->store, &a, &was, e) < 0)
		return 0;
	done = told(secret_upgrade(w->store, &a, &was, STR("open sesame"), e));
	secret_fini(&was);
	return done;
}

/* ---- scripts ------------------------------------------------------------------------------ */

static int keep_script(struct world *w, const char *name, const char *text, struct err *e)
{
	struct account a;

	return find_alice(w, &a, e) < 0
		       ? -1
		       : script_put(w->store, &a, str_of(name), str_of(text), e);
}

static unsigned put_script(struct world *w, struct err *e)
{
	return told(keep_script(w, "main", "discard;", e));
}

static int make_active(struct world *w, const char *name, struct err *e)
{
	struct account a;

	return find_alice(w, &a, e) < 0 ? -1
					: script_activate(w->store, &a, str_of(name), e);
}

static unsigned activate_script(struct world *w, struct err *e)
{
	return told(make_active(w, "other", e));
}

static unsigned delete_script(struct world *w, struct err *e)
{
	struct account a;

	return find_alice(w, &a, e) < 0
		       ? 0
		       : told(script_delete(w->store, &a, STR("other"), e));
}

static unsigned rename_script(struct world *w, const char *from, struct err *e)
{
	struct account a;

	return find_alice(w, &a, e) < 0 ? 0
					: told(script_rename(w->store, &a, str_of(from),
							     STR("renamed"), e));
}

static unsigned rename_other(struct world *w, struct err *e)
{
	return rename_script(w, "other", e);
}

static unsigned rename_active(struct world *w, struct err *e)
{
	return rename_script(w, "main", e);
}

static void prepare_scripts(struct world *w)
{
	world_open(w);
	world_ok(keep_script(w, "main", "keep;", &e_));
	world_ok(keep_script(w, "other", "stop;", &e_));
	world_ok(make_active(w, "main", &e_));
	world_close(w);
}

/* ---- forwardings ---------------------------------------------------------------------------- */

static unsigned forward(struct world *w, const char *name, struct err *e)
{
	struct address to[2];
	struct forwarding f = {.name = world_name(name), .n = 2, .targets = to};

	must(address_parse(STR("bob@example.org"), true, &to[0]) == ADDRESS_OK);
	must(address_parse(STR("x@example.edu"), true, &to[1]) == ADDRESS_OK);
	return told(forwarding_put(w->store, &f, e));
}

static unsigned new_forwarding(struct world *w, struct err *e)
{
	return forward(w, "info@example.org", e);
}

static unsigned change_forwarding(struct world *w, struct err *e)
{
	return forward(w, "sales@example.org", e);
}

static unsigned delete_forwarding(struct world *w, struct err *e)
{
	struct name n = world_name("sales@example.org");
	bool existed;

	return told(forwarding_delete(w->store, &n, &existed, e));
}

/* ---- the rows ------------------------------------------------------------------------------------ */

const struct op ops_names[] = {
	{
		.name = "domain add",
		.run = add_domain,
		.parts = {""},
		.leaves = "I3 I4",
	},
	{
		.name = "domain add --alias",
		.run = add_alias,
		.parts = {""},
	},
	{
		.name = "domain modify",
		.run = modify_domain,
		.parts = {""},
	},
	{
		.name = "domain delete",
		.prepare = prepare_domain,
		.run = delete_domain,
		.parts = {""},
		.leaves = "I3 I4",
	},
	{
		.name = "domain delete, of an alias",
		.run = delete_alias,
		.parts = {""},
	},
	{
		.name = "add",
		.run = add_account,
		.parts = {""},
		.leaves = "I4",
	},
	{
		.name = "add --from",
		.run = add_many,
		.parts = {""},
		.torn = "secret ",
		.leaves = "I2 I4",
	},
	{
		.name = "modify",
		.run = modify_account,
		.parts = {""},
	},
	{
		.name = "delete",
		.run = delete_account,
		.parts = {""},
		.leaves = "I4 I7 I9",
	},
	{
		.name = "delete, of an account with folders",
		.prepare = prepare_folders,
		.run = delete_account,
		.parts = {""},
		.leaves = "I4 I7 I9",
	},
	{
		.name = "add, of a name that was deleted halfway",
		.damaged = true,
		.prepare = prepare_remnant,
		.run = add_again,
		.parts = {""},
		.leaves = "I4 I7 I9",
	},
	{
		.name = "delete, of an account with scripts",
		.prepare = prepare_scripts,
		.run = delete_account,
		.parts = {""},
		.leaves = "I4 I7 I9",
	},
	{
		.name = "sieve put, the first",
		.run = put_script,
		.parts = {""},
	},
	{
		.name = "sieve put, over the active one",
		.prepare = prepare_scripts,
		.run = put_script,
		.parts = {""},
	},
	{
		.name = "sieve activate",
		.prepare = prepare_scripts,
		.run = activate_script,
		.parts = {""},
	},
	{
		.name = "sieve delete",
		.prepare = prepare_scripts,
		.run = delete_script,
		.parts = {""},
	},
	{
		.name = "sieve rename",
		.prepare = prepare_scripts,
		.run = rename_other,
		.parts = {""},
	},
	{
		.name = "sieve rename, of the active one",
		.prepare = prepare_scripts,
		.run = rename_active,
		.parts = {""},
		.between = "keep;",
	},
	{
		.name = "passwd",
		.run = change_password,
		.parts = {""},
	},
	{
		.name = "passwd, removed",
		.run = delete_password,
		.parts = {""},
	},
	{
		.name = "passwd, the first that is recoverable",
		.prepare = prepare_recoverable,
		.run = seal_password,
		.parts = {""},
	},
	{
		.name = "a secret that a login brings up to date",
		.prepare = prepare_recoverable,
		.run = upgrade_secret,
		.parts = {""},
	},
	{
		.name = "domain modify --recoverable no, an account of it",
		.prepare = prepare_sealed,
		.run = drop_password,
		.parts = {""},
	},
	{
		.name = "forward, new",
		.run = new_forwarding,
		.parts = {""},
	},
	{
		.name = "forward, changed",
		.run = change_forwarding,
		.parts = {""},
	},
	{
		.name = "noforward",
		.run = delete_forwarding,
		.parts = {""},
	},
};
const size_t ops_names_n = countof(ops_names);
