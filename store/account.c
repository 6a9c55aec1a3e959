/* SPDX-License-Identifier: ISC */
#include "store/account_int.h"

#include "lib/conn.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "store/script.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

const char account_kind[] = "popstore-profile";
static const char template_local[] = "default";

static const struct {
	unsigned flag;
	const char *name;
} flags[] = {
	/* clang-format off */
	{ACCOUNT_DISMAIL, "DISMAIL"},
	{ACCOUNT_DISUSER, "DISUSER"},
	{ACCOUNT_LOCKPWD, "LOCKPWD"},
	{ACCOUNT_PWD_ELSEWHERE, "PWD_ELSEWHERE"},
	/* clang-format on */
};

const char *account_flag_name(unsigned flag)
{
	for (size_t i = 0; i < countof(flags); i++)
		if (flags[i].flag == flag)
			return flags[i].name;
	return NULL;
}

bool account_flag_parse(struct str s, unsigned *flag, bool *on)
{
	*on = !str_istarts(s, STR("NO"));
	if (!*on) {
		s.p += 2;
		s.n -= 2;
	}
	for (size_t i = 0; i < countof(flags); i++) {
		if (str_ieq(s, str_of(flags[i].name))) {
			*flag = flags[i].flag;
			return true;
		}
	}
	return false;
}

bool account_is_template(const struct account *a)
{
	return str_eq(name_local(&a->name), str_of(template_local));
}

int account_template_name(struct store *s, const struct name *domain, struct name *out,
			  struct err *e)
{
	return name_of(store_settings(s), str_of(template_local), str_of(domain->s), out,
		       e);
}

/* ---- the profile -------------------------------------------------------------------- */

static void put_flags(struct record_writer *w, unsigned set)
{
	struct buf b;

	buf_init(&b, 128);
	for (size_t i = 0; i < countof(flags); i++)
		if (set & flags[i].flag)
			buf_printf(&b, "%s%s", b.n ? "," : "", flags[i].name);
	record_put(w, "flags", buf_str(&b));
	buf_fini(&b);
}

void account_print(const struct account *a, struct record_writer *w)
{
	record_begin(w, account_kind);
	record_put(w, "name", str_of(a->name.s));
	record_put(w, "uid", str_of(id_print(a->uid).c));
	record_put_u64(w, "created", a->created_ms);
	put_flags(w, a->flags);
	if (a->quota == QUOTA_NONE)
		record_put(w, "quota", STR("none"));
	else
		record_put_u64(w, "quota", a->quota);
	record_put_u64(w, "overdraft", a->overdraft);
	record_put(w, "owner", str_of(a->owner));
	record_put(w, "group", str_of(a->group));
	if (a->script[0] != '\0')
		record_put(w, "script", str_of(a->script));
	if (a->folders)
		record_put(w, "folders", STR("yes"));
	if (a->folder_of != 0)
		record_put(w, "folder-of", str_of(id_print(a->folder_of).c));
}

/* What a profile has, in the order of `keys`; a value that is missing is empty. */
enum {
	NAME,
	UID,
	CREATED,
	FLAGS,
	QUOTA,
	OVERDRAFT,
	OWNER,
	GROUP,
	SCRIPT,
	FOLDERS,
	FOLDER_OF,
	N_KEYS
};

static const struct str keys[N_KEYS] = {
	/* clang-format off */
	[NAME] = STR_INIT("name"),       [UID] = STR_INIT("uid"),
	[CREATED] = STR_INIT("created"), [FLAGS] = STR_INIT("flags"),
	[QUOTA] = STR_INIT("quota"),     [OVERDRAFT] = STR_INIT("overdraft"),
	[OWNER] = STR_INIT("owner"),     [GROUP] = STR_INIT("group"),
	[SCRIPT] = STR_INIT("script"),   [FOLDERS] = STR_INIT("folders"),
	[FOLDER_OF] = STR_INIT("folder-of"),
	/* clang-format on */
};

/* take_all - in one pass, since every message asks for it; of keys that repeat the first */
static void take_all(struct str text, struct str values[N_KEYS])
{
	bool taken[N_KEYS] = {false};
	struct str key, value;

	while (record_next(&text, &key, &value)) {
		size_t i = 0;

		while (i < N_KEYS && !str_eq(key, keys[i]))
			i++;
		if (i == N_KEYS || taken[i])
			continue;
		taken[i] = true;
		values[i] = value;
	}
}

/* take - false when it is longer than there is room: cut, it would be lost for good
 * with the next update */
static bool take(struct str value, char *to, size_t room)
{
	struct buf b;

	buf_init(&b, room - 1);
	record_decode(value, &b);
	memcpy(to, buf_cstr(&b), b.n + 1);

	bool fits = !buf_over(&b);

	buf_fini(&b);
	return fits;
}

static bool take_flags(struct str value, unsigned *out)
{
	char list[128];

	*out = 0;
	if (!take(value, list, sizeof list))
		return false;
	for (struct str rest = str_of(list); rest.n > 0;) {
		unsigned flag;
		bool on;

		/* A flag of a later version that this program cannot honour. */
		if (!account_flag_parse(str_cut(&rest, ','), &flag, &on) || !on)
			return false;
		*out |= flag;
	}
	return true;
}

static bool take_quota(struct str value, uint64_t *out)
{
	*out = QUOTA_NONE;
	return str_eq(value, STR("none")) || str_u64(value, out);
}

/* take_script - none, or the digits of an id */
static bool take_script(struct str value, char out[SCRIPT_ID_DIGITS + 1])
{
	out[0] = '\0';
	if (value.n == 0)
		return true;
	if (!script_is_id(value))
		return false;
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return true;
}

/* take_folders - a folder says whose it is, and nobody else does */
static bool take_folders(const struct str v[N_KEYS], struct account *out)
{
	out->folders = str_eq(v[FOLDERS], STR("yes"));
	if (!name_is_folder(&out->name))
		return v[FOLDER_OF].n == 0;
	return id_parse(v[FOLDER_OF], &out->folder_of) && out->folder_of != 0;
}

bool account_parse(struct str text, const struct name *name, struct account *out)
{
	struct str v[N_KEYS] = {0};
	char stored_name[NAME_OCTETS + 1];

	*out = (struct account){.name = *name};
	take_all(text, v);
	return take(v[NAME], stored_name, sizeof stored_name) &&
	       strcmp(stored_name, name->s) == 0 && id_parse(v[UID], &out->uid) &&
	       take(v[OWNER], out->owner, sizeof out->owner) &&
	       take(v[GROUP], out->group, sizeof out->group) &&
	       take_script(v[SCRIPT], out->script) && take_folders(v, out) &&
	       str_u64(v[CREATED], &out->created_ms) &&
	       take_flags(v[FLAGS], &out->flags) && take_quota(v[QUOTA], &out->quota) &&
	       str_u64(v[OVERDRAFT], &out->overdraft);
}

bool account_of_another(struct str text, const struct name *name, struct account *out)
{
	struct name other = {0};
	struct buf b;
	bool is_name;

	buf_init(&b, NAME_OCTETS);
	is_name = record_get(text, "name", &b) && name_read(buf_str(&b), &other) &&
		  !buf_over(&b);
	buf_fini(&b);
	return is_name && strcmp(other.s, name->s) != 0 &&
	       account_parse(text, &other, out);
}

static int not_ours(struct str text, const struct name *name, struct err *e)
{
	struct account other;

	if (account_of_another(text, name, &other))
		return err_set(e, ERR_TEMP, "4.3.0", "profile of %s is that of %s",
			       name->s, other.name.s);
	return err_set(e, ERR_TEMP, "4.3.0", "profile of %s is not well formed", name->s);
}

int account_read_known(struct str text, const struct name *name, const char *path,
		       void *out, struct err *e)
{
	if (record_check(text, account_kind, path, e) < 0)
		return -1;
	return account_parse(text, name, out) ? 0 : not_ours(text, name, e);
}

int account_read(struct store *s, const struct name *name, struct account *out,
		 bool *found, struct err *e)
{
	struct place place;

	name_place("accounts", name, "profile", &place);
	return known_find(s->profiles, store_root(s), name, place.path, out, found, e);
}

/* has_lines - its maildrop, if only one octet of them.  An empty file tells nothing: a
 * delivery makes one, and finds out only then that the account was deleted. */
static int has_lines(struct store *s, const struct name *name, bool *has, struct err *e)
{
	struct storage_file *f;
	struct place place;
	uint64_t size = 0;
	bool found;
	int rc;

	*has = false;
	name_place("accounts", name, "maildrop", &place);
	if (storage_file_open(store_root(s), place.path, STORAGE_READ, &f, &found, e) < 0)
		return -1;
	if (!found)
		return 0;
	rc = storage_file_size(f, &size, e);
	*has = size > 0;
	storage_file_close(&f);
	return rc;
}

/* is_lost - lines of a maildrop stand there alone.  A deletion removes them before its mark,
 * so of one that goes on meanwhile either the mark is seen or no lines behind it. */
static int is_lost(struct store *s, const struct name *name, bool *lost, struct err *e)
{
	bool deleted;

	if (has_lines(s, name, lost, e) < 0)
		return -1;
	if (!*lost)
		return 0;
	if (account_has(s, name, "deleted", &deleted, e) < 0)
		return -1;
	if (!deleted)
		return has_lines(s, name, lost, e);
	*lost = false;
	return 0;
}

int account_find(struct store *s, const struct name *name, struct account *out,
		 bool *found, struct err *e)
{
	bool lost;

	if (account_read(s, name, out, found, e) < 0)
		return -1;
	if (*found)
		return 0;
	if (is_lost(s, name, &lost, e) < 0)
		return -1;
	if (!lost)
		return store_has_tree(s, "accounts", e);
	/* Or it was made since, and has mail already. */
	if (account_read(s, name, out, found, e) < 0 || *found)
		return *found ? 0 : -1;
	return err_set(e, ERR_TEMP, "4.3.0",
		       "profile of %s is lost, its maildrop is not; "
		       "'popstore check --repair' makes it again",
		       name->s);
}

int account_stamp(struct store *s, const struct name *name, uint64_t *stamp, bool *found,
		  struct err *e)
{
	struct place place;

	name_place("accounts", name, "profile", &place);
	return storage_stamp(store_root(s), place.path, stamp, found, e);
}

bool account_is_whole(struct str text, const struct name *name, struct account *out)
{
	struct err e;

	return record_check(text, account_kind, "", &e) == 0 &&
	       account_parse(text, name, out);
}

/* ---- making and changing ---------------------------------------------------------------- */

int account_template(struct store *s, const struct name *name, struct account *out,
		     struct err *e)
{
	struct domain d;
	struct name template;
	bool found;

	if (domain_get(s, name, &d, e) < 0 ||
	    account_template_name(s, &d.name, &template, e) < 0 ||
	    account_find(s, &template, out, &found, e) < 0)
		return -1;
	/* Without one, see domain.h, the defaults are those it would begin with. */
	if (!found)
		*out = (struct account){.quota = QUOTA_NONE};
	out->name = *name;
	out->owner[0] = out->script[0] = '\0';
	out->folders = false;
	return 0;
}

static int exists_already(const struct account *a, struct err *e)
{
	return err_set(e, ERR_PERM, "5.1.3", "account %s exists already", a->name.s);
}

int account_does_not_exist(const struct name *name, struct err *e)
{
	return err_set(e, ERR_PERM, "5.1.1", "there is no account %s", name->s);
}

/* is_damaged - there is one, and nobody can tell what it says */
static int is_damaged(const struct account *a, struct err *e)
{
	if (record_is_damage(e))
		err_add(e,
			"%s may have mail: 'popstore check --repair' mends it, 'popstore "
			"delete --yes' removes it",
			a->name.s);
	return -1;
}

static int check_new(struct store *s, const struct account *a, struct err *e)
{
	struct forwarding f = {0};
	struct account old;
	struct domain d;
	bool found;

	if (domain_get(s, &a->name, &d, e) < 0)
		return -1;
	if (account_find(s, &a->name, &old, &found, e) < 0)
		return is_damaged(a, e);
	if (found)
		return exists_already(a, e);
	if (forwarding_find(s, &a->name, &f, &found, e) < 0)
		return -1;
	forwarding_fini(&f);
	return found ? err_set(e, ERR_PERM, "5.1.3",
			       "%s is a forwarding; 'popstore noforward' removes it",
			       a->name.s)
		     : 0;
}

int account_put(struct store *s, const struct account *a, int how, bool *existed,
		struct err *e)
{
	struct record_writer w;
	struct place place;

	name_place("accounts", &a->name, "profile", &place);
	account_print(a, &w);

	int rc = storage_put(store_root(s), place.path, record_finish(&w), how, existed,
			     e);

	record_fini(&w);
	return rc;
}

void account_make_lease(struct store *s, const struct name *name)
{
	struct storage_lease *lease = NULL;
	struct place session;
	struct err ignored;

	name_place("accounts", name, "session", &session);
	if (storage_lease_take(store_root(s), session.path, &lease, &ignored) == 0)
		storage_lease_drop(&lease);
}

int account_create_locked(struct store *s, struct account *a, bool batch, struct err *e)
{
	struct writer *w;
	bool existed;

	if (check_new(s, a, e) < 0 || account_clear_locked(s, &a->name, e) < 0 ||
	    store_writer(s, &w, e) < 0 || writer_id(w, false, &a->uid, e) < 0)
		return -1;
	a->created_ms = clock_unix_ms();
	if (account_put(s, a, STORAGE_EXCLUSIVE | (batch ? 0 : STORAGE_DURABLE), &existed,
			e) < 0)
		return -1;
	if (existed)
		return exists_already(a, e);
	account_make_lease(s, &a->name);
	return 0;
}

int account_create(struct store *s, struct account *a, bool batch, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = account_create_locked(s, a, batch, e);

	storage_file_close(&lock);
	return rc;
}

int store_sync_batch(struct store *s, struct err *e)
{
	return storage_sync(store_root(s), e);
}

int account_find_same(struct store *s, const struct account *a, struct account *now,
		      struct err *e)
{
	bool found;

	*now = (struct account){0};
	if (account_find(s, &a->name, now, &found, e) < 0)
		return -1;
	return found && now->uid == a->uid ? 0 : account_does_not_exist(&a->name, e);
}

int account_update(struct store *s, const struct account *a, struct err *e)
{
	struct account is = *a, old;
	struct storage_file *lock;
	int rc;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = account_find_same(s, a, &old, e);
	/* It may have been chosen since the caller looked. */
	memcpy(is.script, old.script, sizeof is.script);
	is.folders = is.folders || old.folders;
	is.folder_of = old.folder_of;
	if (rc == 0)
		rc = account_put(s, &is, STORAGE_DURABLE, NULL, e);
	storage_file_close(&lock);
	return rc;
}

int account_usage(struct store *s, const struct account *a, struct account_usage *out,
		  struct err *e)
{
	struct account_usage folders;

	if (maildrop_totals(s, a, &out->messages, &out->octets, e) < 0 ||
	    folder_usage(s, a, &folders, e) < 0)
		return -1;
	out->messages += folders.messages;
	out->octets += folders.octets;
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct walk {
	struct store *s;
	bool (*each)(const struct account *a, void *ctx);
	bool (*bad)(const struct name *n, const struct err *why, void *ctx);
	void *ctx;
};

static int walk_one(const struct name *name, bool *more, void *ctx, struct err *e)
{
	struct walk *w = ctx;
	struct account a;
	bool found;

	if (name_is_folder(name))
		return 0;
	if (account_find(w->s, name, &a, &found, e) < 0) {
		if (w->bad == NULL)
			return -1;
		*more = w->bad(name, e, w->ctx);
	} else if (found) {
		*more = w->each(&a, w->ctx);
	}
	return 0;
}

int account_walk(struct store *s, struct str pattern,
		 bool (*each)(const struct account *a, void *ctx),
		 bool (*bad)(const struct name *n, const struct err *why, void *ctx),
		 void *ctx, struct err *e)
{
	struct walk w = {s, each, bad, ctx};

	return tree_each(store_root(s), "accounts", pattern, walk_one, NULL, &w, e);
}

int account_each(struct store *s, struct str pattern,
		 bool (*each)(const struct account *a, void *ctx), void *ctx,
		 struct err *e)
{
	return account_walk(s, pattern, each, NULL, ctx, e);
}
