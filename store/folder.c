/* SPDX-License-Identifier: ISC */
#include "store/folder.h"

#include "lib/conn.h"
#include "store/account_int.h"
#include "store/maildrop.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdlib.h>
#include <string.h>

/* ---- the names of all ------------------------------------------------------------------ */

struct names {
	struct name *v;
	size_t n, cap;
};

static void add_name(struct names *to, const struct name *name)
{
	if (to->n == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : 8;

		to->v = xgrow(to->v, to->cap * sizeof *to->v, cap * sizeof *to->v);
		to->cap = cap;
	}
	to->v[to->n++] = *name;
}

static int by_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return strcmp(x->s, y->s);
}

/* is_of - a component of the directory that they share */
static bool is_of(const char *component, const struct name *account, struct name *out)
{
	struct name whose;

	/* Most are accounts. */
	if (strstr(component, "%2f") == NULL ||
	    !name_from_component(str_of(component), out) || !name_is_folder(out))
		return false;
	whose = name_account(out);
	return strcmp(whose.s, account->s) == 0;
}

static int list(struct store *s, const struct name *account, struct names *out,
		struct err *e)
{
	struct storage_names *names;
	struct place dir;
	struct name name;
	const char *component;

	*out = (struct names){0};
	name_place("accounts", account, NULL, &dir);
	*strrchr(dir.path, '/') = '\0';
	if (storage_list(store_root(s), dir.path, &names, e) < 0)
		return -1;
	while ((component = storage_names_next(names)) != NULL)
		if (is_of(component, account, &name))
			add_name(out, &name);
	if (storage_names_end(&names, e) < 0) {
		xfree(&out->v);
		return -1;
	}
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}

int folder_each(struct store *s, const struct name *account,
		int (*each)(const struct name *folder, void *ctx, struct err *e),
		void *ctx, struct err *e)
{
	struct names names;
	int rc = 0;

	if (list(s, account, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = each(&names.v[i], ctx, e);
	xfree(&names.v);
	return rc;
}

int folder_any(struct store *s, const struct name *account, bool *any, uint64_t *uid,
	       struct err *e)
{
	struct names names;

	*uid = 0;
	if (list(s, account, &names, e) < 0)
		return -1;
	*any = names.n > 0;
	for (size_t i = 0; i < names.n && *uid == 0; i++) {
		struct account a;
		struct err bad;
		bool found;

		if (account_read(s, &names.v[i], &a, &found, &bad) == 0 && found)
			*uid = a.folder_of;
	}
	xfree(&names.v);
	return 0;
}

/* ---- one of them ----------------------------------------------------------------------- */

int folder_find(struct store *s, const struct account *a, struct str folder,
		struct account *out, bool *found, struct err *e)
{
	struct name name;

	*found = false;
	if (!name_of_folder(&a->name, folder, &name))
		return 0;
	if (account_find(s, &name, out, found, e) < 0)
		return -1;
	*found = *found && out->folder_of == a->uid;
	out->quota = a->quota;
	out->overdraft = a->overdraft;
	return 0;
}

/* has_room - for one more, under tree_lock(); what an earlier account left counts too */
static int has_room(struct store *s, const struct name *account, bool *room,
		    struct err *e)
{
	struct names names;

	if (list(s, account, &names, e) < 0)
		return -1;
	*room = names.n < store_settings(s)->sieve.max_folders;
	xfree(&names.v);
	return 0;
}

/* mark - before there is one: who does not see the mark does not look for folders */
static int mark(struct store *s, const struct account *a, struct err *e)
{
	struct account now;

	if (account_find_same(s, a, &now, e) < 0)
		return -1;
	if (now.folders)
		return 0;
	now.folders = true;
	return account_put(s, &now, STORAGE_DURABLE, NULL, e);
}

static int create(struct store *s, const struct account *a, const struct name *name,
		  const char **why, struct err *e)
{
	struct account new = {.name = *name, .quota = QUOTA_NONE, .folder_of = a->uid};
	struct account old;
	struct writer *w;
	bool found, room;

	if (account_find(s, name, &old, &found, e) < 0 ||
	    has_room(s, &a->name, &room, e) < 0)
		return -1;
	if (found && old.folder_of == a->uid)
		return 0; /* somebody else was faster */
	*why = found  ? "one of that name was left by an earlier account"
	       : room ? NULL
		      : "the account has as many as it may (max_folders)";
	if (*why != NULL)
		return 0;
	if (mark(s, a, e) < 0 || account_clear_locked(s, name, e) < 0 ||
	    store_writer(s, &w, e) < 0 || writer_id(w, false, &new.uid, e) < 0)
		return -1;
	new.created_ms = clock_unix_ms();
	if (account_put(s, &new, STORAGE_EXCLUSIVE | STORAGE_DURABLE, &found, e) < 0)
		return -1;
	account_make_lease(s, name);
	return 0;
}

int folder_make(struct store *s, const struct account *a, struct str folder,
		struct account *out, const char **why, struct err *e)
{
	struct storage_file *lock;
	struct name name;
	bool found;
	int rc;

	*why = name_folder_wrong(folder);
	if (*why == NULL && !name_of_folder(&a->name, folder, &name))
		*why = "it is too long";
	if (*why != NULL)
		return 0;
	if (folder_find(s, a, folder, out, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = create(s, a, &name, why, e);
	storage_file_close(&lock);
	if (rc < 0 || *why != NULL)
		return rc;
	if (folder_find(s, a, folder, out, &found, e) < 0)
		return -1;
	return found ? 0 : account_does_not_exist(&name, e);
}

/* ---- how much -------------------------------------------------------------------------- */

struct sum {
	struct store *s;
	uint64_t uid;              /* of the account */
	const struct name *beside; /* is not counted; or NULL */
	struct account_usage use;
};

static int count(struct sum *x, const struct account *a, struct err *e)
{
	uint64_t messages, octets;

	if (maildrop_totals(x->s, a, &messages, &octets, e) < 0)
		return e->sys != 0 ? -1 : 0;
	x->use.messages += messages;
	x->use.octets += octets;
	return 0;
}

static int count_folder(const struct name *folder, void *ctx, struct err *e)
{
	struct sum *x = ctx;
	struct account a;
	bool found;

	if (x->beside != NULL && strcmp(x->beside->s, folder->s) == 0)
		return 0;
	if (account_read(x->s, folder, &a, &found, e) < 0)
		return e->sys != 0 ? -1 : 0;
	return found && a.folder_of == x->uid ? count(x, &a, e) : 0;
}

int folder_usage(struct store *s, const struct account *a, struct account_usage *out,
		 struct err *e)
{
	struct sum x = {.s = s, .uid = a->uid};
	int rc = a->folders ? folder_each(s, &a->name, count_folder, &x, e) : 0;

	*out = x.use;
	return rc;
}

int folder_octets_beside(struct store *s, const struct account *a, uint64_t *octets,
			 struct err *e)
{
	struct sum x = {.s = s, .uid = a->folder_of, .beside = &a->name};
	struct account whose = {.name = name_account(&a->name)};
	bool found;
	int rc;

	if (!name_is_folder(&a->name)) {
		struct account_usage use;

		rc = folder_usage(s, a, &use, e);
		*octets = use.octets;
		return rc;
	}
	*octets = 0;
	if (account_find(s, &whose.name, &whose, &found, e) < 0)
		return -1;
	if (!found || whose.uid != a->folder_of)
		return account_does_not_exist(&whose.name, e);
	rc = count(&x, &whose, e);
	if (rc == 0)
		rc = folder_each(s, &whose.name, count_folder, &x, e);
	*octets = x.use.octets;
	return rc;
}
