/* SPDX-License-Identifier: ISC */
#include "store/account_int.h"

#include "store/account_mend.h"
#include "store/folder.h"
#include "store/maildrop_int.h"
#include "store/record.h"
#include "store/script.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

/* ---- letting go ---------------------------------------------------------------------------- */

struct search {
	struct store *s;
	const struct account *a;
};

static bool is_of(const struct message_slot *slot, const struct account *a)
{
	return a->uid != 0 ? slot->uid == a->uid : strcmp(slot->name.s, a->name.s) == 0;
}

static int release_slots(unsigned volume, struct message *m, const struct search *x,
			 struct err *e)
{
	const struct message_info *mi = message_info(m);

	for (size_t i = 0; i < mi->n_slots; i++)
		if (mi->slots[i].state == '+' && is_of(&mi->slots[i], x->a) &&
		    message_release(x->s, volume, mi->id, mi->slots[i].uid, e) < 0)
			return -1;
	return 0;
}

static int search_one(unsigned volume, uint64_t id, void *ctx, struct err *e)
{
	const struct search *x = ctx;
	struct message *m;
	int rc = message_open(x->s, volume, id, &m, e);

	if (rc == 0 && m != NULL)
		rc = message_slots(m, e) < 0 ? -1 : release_slots(volume, m, x, e);
	message_close(&m);
	return rc;
}

/* search_all - what the maildrop had its lines do not tell, but the slots do.  Its lock keeps
 * a delivery out that does not know yet that the account is gone. */
static int search_all(struct store *s, const struct account *a, struct err *e)
{
	struct search x = {s, a};
	struct place place = maildrop_place(a);
	struct storage_file *f;
	int rc = maildrop_file_lock(s, a, STORAGE_APPEND, &f, e);

	if (rc == 0)
		rc = message_each(s, 0, UINT64_MAX, search_one, &x, e);
	if (rc == 0)
		rc = maildrop_let_go(s, e);
	if (rc == 0)
		rc = storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
	storage_file_close(&f);
	return rc;
}

/* tells_all - the lines of its maildrop say what it had; no file says: nothing.  Of one that
 * was made again some may still be missing: that of a message which check was to bring home. */
static bool tells_all(struct store *s, const struct account *a, bool *rebuilt,
		      struct err *e)
{
	struct maildrop *m;

	*rebuilt = false;

	if (a->uid == 0)
		return err_set(e, ERR_TEMP, "4.3.0", "nothing tells the uid of %s",
			       a->name.s) == 0;
	if (maildrop_look(s, a, &m, e) < 0)
		return e->sys != 0;
	*rebuilt = maildrop_is_rebuilt(m);
	maildrop_close(&m);
	if (*rebuilt)
		err_set(e, ERR_TEMP, "4.3.0",
			"lines of the maildrop of %s were lost to damage once",
			a->name.s);
	return !*rebuilt;
}

/* release - a search takes too long for tree_lock() */
static int release(struct store *s, const struct account *a, bool search, bool locked,
		   struct err *e)
{
	bool rebuilt;

	if (tells_all(s, a, &rebuilt, e))
		return maildrop_release_all(s, a, e);
	return search || (rebuilt && !locked) ? search_all(s, a, e) : -1;
}

/* remove_rest - under tree_lock(), since who finds neither the mark nor the lease makes the
 * name again.  Scripts go before the mark: without it they say that a profile was lost. */
static int remove_rest(struct store *s, const struct name *name, struct err *e)
{
	struct place dir, deleted;

	name_place("accounts", name, NULL, &dir);
	name_place("accounts", name, "deleted", &deleted);
	if (script_remove_all(s, name, e) < 0 ||
	    storage_remove(store_root(s), deleted.path, 0, e) < 0)
		return -1;
	return storage_remove_tree(store_root(s), dir.path, e);
}

static int remove_rest_unlocked(struct store *s, const struct name *name, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = remove_rest(s, name, e);

	storage_file_close(&lock);
	return rc;
}

/* What is deleted with an account. */
struct ending {
	struct store *s;
	bool search, locked;
};

static int end_folder(const struct name *folder, void *ctx, struct err *e);

/* let_go - of its messages, now that it is durably gone (P4), and then of its directory.  Its
 * folders go first: as long as it has any, its mark says that they are to go. */
static int let_go(struct store *s, const struct name *name, bool search, bool locked,
		  struct err *e)
{
	struct account a = {.name = *name};
	struct ending x = {s, search, locked};
	bool copy;

	if (account_deleted_is_copy(s, name, &copy, e) < 0 ||
	    account_deleted_uid(s, name, &a.uid, e) < 0 ||
	    (!copy && !name_is_folder(name) &&
	     folder_each(s, name, end_folder, &x, e) < 0) ||
	    (!copy && release(s, &a, search, locked, e) < 0) ||
	    (locked ? remove_rest(s, name, e) : remove_rest_unlocked(s, name, e)) < 0)
		return err_add(e,
			       "%s is deleted, but not all of its messages are; "
			       "'popstore check --repair' releases the rest",
			       name->s);
	return 0;
}

/* ---- deleting ------------------------------------------------------------------------------- */

static int take_lease(struct store *s, const struct name *name,
		      struct storage_lease **lease, struct err *e)
{
	struct place session;

	name_place("accounts", name, "session", &session);
	return storage_lease_take(store_root(s), session.path, lease, e);
}

/* rename_profile - durably: from here on nobody is told that the account exists.  A mark
 * that is there already, beside a profile, is none. */
static int rename_profile(struct store *s, const struct name *name, struct err *e)
{
	struct place profile, deleted;
	bool existed;

	name_place("accounts", name, "profile", &profile);
	name_place("accounts", name, "deleted", &deleted);
	if (storage_rename(store_root(s), profile.path, deleted.path, &existed, e) < 0)
		return -1;
	if (!existed)
		return 0;
	if (storage_remove(store_root(s), deleted.path, STORAGE_DURABLE, e) < 0)
		return -1;
	return storage_rename(store_root(s), profile.path, deleted.path, &existed, e);
}

/* put_mark - where there is no profile to rename */
static int put_mark(struct store *s, const struct name *name, struct err *e)
{
	struct record_writer w;
	struct place deleted;
	int rc;

	name_place("accounts", name, "deleted", &deleted);
	record_begin(&w, account_kind);
	record_put(&w, "name", str_of(name->s));
	rc = storage_put(store_root(s), deleted.path, record_finish(&w), STORAGE_DURABLE,
			 NULL, e);
	record_fini(&w);
	return rc;
}

static int mark(struct store *s, const struct name *name, struct err *e)
{
	bool found;

	if (account_has(s, name, "profile", &found, e) < 0)
		return -1;
	return found ? rename_profile(s, name, e) : put_mark(s, name, e);
}

static int in_use(const struct name *name, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.2.1",
		       "%s is in use by a POP3 session; try again when it has ended",
		       name->s);
}

static int end_as_it_stands(const struct ending *x, const struct name *folder,
			    enum account_standing standing, struct err *e)
{
	if (standing == ACCOUNT_NOWHERE)
		return 0;
	if (standing == ACCOUNT_REMNANT) /* nothing was held for it yet */
		return x->locked ? remove_rest(x->s, folder, e)
				 : remove_rest_unlocked(x->s, folder, e);
	if (standing != ACCOUNT_DELETED && mark(x->s, folder, e) < 0)
		return -1;
	return let_go(x->s, folder, x->search, x->locked, e);
}

/* end_folder - of an account whose deletion is marked: nobody can make one any more, or log
 * in to it.  A deletion of the folder itself may have been stopped before. */
static int end_folder(const struct name *folder, void *ctx, struct err *e)
{
	struct ending *x = ctx;
	struct storage_lease *lease;
	enum account_standing standing;
	int rc;

	if (take_lease(x->s, folder, &lease, e) < 0)
		return e->sys == ENOENT ? 0 : -1; /* it has just gone */
	if (lease == NULL)
		return in_use(folder, e);
	rc = account_standing(x->s, folder, &standing, e);
	if (rc == 0)
		rc = end_as_it_stands(x, folder, standing, e);
	storage_lease_drop(&lease);
	return rc;
}

/* has_session - asked before the mark: a deletion that then finds a session in a folder has
 * to be ended later */
static int has_session(const struct name *folder, void *ctx, struct err *e)
{
	struct store *s = ctx;
	struct storage_lease *lease;

	if (take_lease(s, folder, &lease, e) < 0)
		return e->sys == ENOENT ? 0 : -1;
	if (lease == NULL)
		return in_use(folder, e);
	storage_lease_drop(&lease);
	return 0;
}

/* take_away - the lease stays with the caller until the rest is gone */
static int take_away(struct store *s, const struct name *name, bool damaged_too,
		     struct storage_lease **lease, struct err *e)
{
	struct account a;
	bool found;

	*lease = NULL;
	if (account_find(s, name, &a, &found, e) == 0) {
		if (!found)
			return account_does_not_exist(name, e);
	} else if (!damaged_too || !record_is_damage(e)) {
		return -1;
	}
	if (take_lease(s, name, lease, e) < 0)
		return -1;
	if (*lease == NULL)
		return in_use(name, e);
	if (!name_is_folder(name) && folder_each(s, name, has_session, s, e) < 0)
		return -1;
	return mark(s, name, e);
}

int account_delete_locked(struct store *s, const struct name *name, struct err *e)
{
	struct storage_lease *lease;
	int rc = take_away(s, name, false, &lease, e);

	if (rc == 0)
		rc = let_go(s, name, false, true, e);
	storage_lease_drop(&lease);
	return rc;
}

static int delete_any(struct store *s, const struct name *name, bool damaged_too,
		      struct err *e)
{
	struct storage_file *lock;
	struct storage_lease *lease;
	int rc;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = take_away(s, name, damaged_too, &lease, e);
	/* Letting go of thousands of messages takes time, and keeps nobody out but
	 * those who would make this name again: they wait for the lease. */
	storage_file_close(&lock);
	if (rc == 0)
		rc = let_go(s, name, damaged_too, false, e);
	storage_lease_drop(&lease);
	return rc;
}

int account_delete(struct store *s, const struct name *name, struct err *e)
{
	return delete_any(s, name, false, e);
}

int account_delete_damaged(struct store *s, const struct name *name, struct err *e)
{
	return delete_any(s, name, true, e);
}

/* ---- what a crash left ------------------------------------------------------------------------ */

static int being_deleted(const struct name *name, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.2.1",
		       "%s is being deleted; try again when that is done", name->s);
}

/* clear - with the lease: one that still runs holds it, and would take the new account's
 * files for its own */
static int clear(struct store *s, const struct name *name, enum account_standing standing,
		 struct err *e)
{
	struct storage_lease *lease;
	int rc;

	if (take_lease(s, name, &lease, e) < 0)
		return e->sys == ENOENT ? 0 : -1; /* it has just gone */
	if (lease == NULL)
		return being_deleted(name, e);
	rc = standing == ACCOUNT_DELETED ? let_go(s, name, false, true, e)
					 : remove_rest(s, name, e);
	storage_lease_drop(&lease);
	return rc;
}

int account_clear_locked(struct store *s, const struct name *name, struct err *e)
{
	enum account_standing standing;

	if (account_standing(s, name, &standing, e) < 0)
		return -1;
	if (standing == ACCOUNT_NOWHERE)
		return 0;
	if (standing == ACCOUNT_DELETED || standing == ACCOUNT_REMNANT)
		return clear(s, name, standing, e);
	return err_set(e, ERR_TEMP, "4.3.0",
		       "profile of %s is damaged; 'popstore check --repair' mends it",
		       name->s);
}

int account_clear_remnant(struct store *s, const struct name *name, bool *cleared,
			  struct err *e)
{
	enum account_standing standing;
	struct storage_file *lock;
	int rc;

	*cleared = false;
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = account_standing(s, name, &standing, e);
	if (rc == 0 && standing == ACCOUNT_REMNANT) {
		rc = clear(s, name, standing, e);
		*cleared = rc == 0;
	}
	storage_file_close(&lock);
	return rc;
}

static int is_halfway(struct store *s, const struct name *name, bool *halfway,
		      struct err *e)
{
	enum account_standing standing;
	struct storage_lease *lease;

	if (account_standing(s, name, &standing, e) < 0)
		return -1;
	*halfway = standing == ACCOUNT_DELETED || standing == ACCOUNT_REMNANT;
	if (!*halfway)
		return 0;
	if (take_lease(s, name, &lease, e) < 0)
		return -1;
	*halfway = lease != NULL;
	storage_lease_drop(&lease);
	return 0;
}

int account_is_halfway(struct store *s, const struct name *name, bool *halfway,
		       struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = is_halfway(s, name, halfway, e);

	storage_file_close(&lock);
	return rc;
}

/* lease_of_deletion - NULL when there is none to end */
static int lease_of_deletion(struct store *s, const struct name *name,
			     struct storage_lease **lease, struct err *e)
{
	enum account_standing standing;

	*lease = NULL;
	if (account_standing(s, name, &standing, e) < 0)
		return -1;
	if (standing != ACCOUNT_DELETED)
		return 0;
	if (take_lease(s, name, lease, e) < 0)
		return e->sys == ENOENT ? 0 : -1;
	return *lease == NULL ? being_deleted(name, e) : 0;
}

int account_finish_deletion(struct store *s, const struct name *name, struct err *e)
{
	struct storage_file *lock;
	struct storage_lease *lease;
	int rc;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = lease_of_deletion(s, name, &lease, e);
	storage_file_close(&lock);
	if (rc == 0 && lease != NULL)
		rc = let_go(s, name, true, false, e);
	storage_lease_drop(&lease);
	return rc;
}

int account_unmark(struct store *s, const struct name *name, bool *was, struct err *e)
{
	struct storage_file *lock;
	struct account a;
	struct place deleted;
	bool found;
	int rc;

	*was = false;
	name_place("accounts", name, "deleted", &deleted);
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = account_read(s, name, &a, &found, e);
	if (rc == 0 && found)
		rc = storage_exists(store_root(s), deleted.path, was, e);
	if (rc == 0 && *was)
		rc = storage_remove(store_root(s), deleted.path, STORAGE_DURABLE, e);
	storage_file_close(&lock);
	return rc;
}
