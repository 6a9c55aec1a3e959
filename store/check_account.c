/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/account_mend.h"
#include "store/check_missing.h"
#include "store/domain.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/record.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* still_there - the session that removed it may have ended since we looked */
static bool still_there(struct check *c, const struct account *a, uint64_t id)
{
	enum maildrop_state state;
	struct err e;

	return maildrop_state_of(c->s, a, id, &state, &e) == 0 && state == MAILDROP_HAS;
}

static int not_held(struct check *c, const struct account *a,
		    const struct maildrop_entry *en, bool has_slot, struct err *e)
{
	bool repair = c->o->repair && has_slot;

	if (!still_there(c, a, en->id))
		return 0;
	if (repair && message_hold(c->s, en->volume, en->id, a->uid, e) < 0)
		return -1;
	check_report(c, "I6", repair, "%s: message %s does not hold a slot for it",
		     a->name.s, id_print(en->id).c);
	return 0;
}

static int check_entry(struct check *c, const struct account *a,
		       const struct maildrop_entry *en, struct missing *gone,
		       struct err *e)
{
	const struct message_slot *slot;
	struct message *m;
	int rc = 0;

	if (store_volume(c->s, en->volume) == NULL) {
		check_report(c, "I6", false,
			     "%s: message %s is on volume %u, which is not in the "
			     "configuration",
			     a->name.s, id_print(en->id).c, en->volume);
		check_away(c, en->volume);
		return 0;
	}
	/* A damaged message is reported once, among the messages. */
	if (message_open(c->s, en->volume, en->id, &m, e) < 0 ||
	    (m != NULL && message_slots(m, e) < 0)) {
		message_close(&m);
		return 0;
	}
	if (m == NULL) {
		missing_add(gone, en);
		return 0;
	}

	const struct message_info *mi = message_info(m);

	slot = message_slot_of(mi, a->uid);
	if (slot == NULL || slot->state != '+')
		rc = not_held(c, a, en, slot != NULL, e);
	else if (en->stored != mi->stored || en->header_end != mi->header_end ||
		 en->slot != slot->offset ||
		 en->size != mi->size + message_trace_octets(slot->trace))
		check_report(c, "I6", false,
			     "%s: the maildrop and message %s differ about its size",
			     a->name.s, id_print(en->id).c);
	else
		seen_put(&c->seen, a->uid, en->id);
	message_close(&m);
	return rc;
}

/* check_entries - what it says of its messages */
static int check_entries(struct check *c, const struct account *a, struct maildrop *m,
			 struct missing *gone, struct err *e)
{
	for (size_t i = 0; i < maildrop_count(m); i++)
		if (check_entry(c, a, maildrop_entry(m, i), gone, e) < 0)
			return -1;
	return 0;
}

/* mend_maildrop - false when it stays as it is */
static bool mend_maildrop(struct check *c, const struct account *a, const char *what)
{
	struct err why = {0};
	uint64_t lost;
	bool mended = c->o->repair && maildrop_rebuild(c->s, a, &lost, &why) == 0;

	if (c->o->repair && !mended)
		check_report(c, "I5", false, "%s; %s", what, why.text);
	else
		check_report(c, "I5", mended, "%s", what);
	return mended;
}

/* look_whole - a torn end is a finding too: the next writer would cut it off, but nothing
 * says that it was not a line that somebody was promised */
static int look_whole(struct check *c, const struct account *a, struct maildrop **m,
		      struct err *e)
{
	if (maildrop_look(c->s, a, m, e) < 0)
		return -1;
	if (!maildrop_is_torn(*m))
		return 0;
	maildrop_close(m);
	return err_set(e, ERR_TEMP, "4.3.0", "maildrop of %s ends in a piece of a line",
		       a->name.s);
}

static int check_account(struct check *c, const struct account *a, struct err *e)
{
	struct missing gone = {0};
	struct maildrop *m;
	struct domain d;
	struct err why;
	bool found;
	int rc;

	if (domain_find(c->s, name_domain_of(&a->name), &d, &found, e) == 0 &&
	    (!found || d.alias_of.s[0] != '\0'))
		check_report(c, "I4", false, "account %s is in no domain of this store",
			     a->name.s);
	if (look_whole(c, a, &m, &why) < 0) {
		/* What cannot be read now may be whole: making it again from what a
		 * failing disk gives would lose the rest. */
		if (why.sys != 0) {
			check_report(c, "I5", false, "%s", why.text);
			return 0;
		}
		if (!mend_maildrop(c, a, why.text))
			return 0;
		if (maildrop_look(c->s, a, &m, e) < 0)
			return -1;
	}
	rc = check_entries(c, a, m, &gone, e);
	maildrop_close(&m);
	if (rc == 0)
		rc = check_scripts(c, a, e);
	if (rc == 0)
		check_memory(c, a);
	if (rc == 0)
		missing_report(c, a, &gone);
	missing_free(&gone);
	return rc;
}

/* stale_mark - an account that is there was not deleted.  Were its profile lost one day, the
 * mark would say so. */
static int stale_mark(struct check *c, const struct account *a, struct err *e)
{
	struct place place;
	bool marked;

	name_place("accounts", &a->name, "deleted", &place);
	if (storage_exists(store_root(c->s), place.path, &marked, e) < 0)
		return -1;
	if (marked && c->o->repair && account_unmark(c->s, &a->name, &marked, e) < 0)
		return -1;
	if (marked)
		check_report(c, "I4", c->o->repair,
			     "account %s is there, and has the mark of a deletion",
			     a->name.s);
	return 0;
}

static void deleted_halfway(struct check *c, const struct name *name)
{
	struct err why = {0};
	bool done = c->o->repair && account_finish_deletion(c->s, name, &why) == 0;

	check_report(c, "I4", done, "account %s was deleted halfway%s%s", name->s,
		     why.text[0] ? ": " : "", why.text);
}

static void remnant(struct check *c, const struct name *name)
{
	struct err why = {0};
	bool cleared = false;

	if (c->o->repair && account_clear_remnant(c->s, name, &cleared, &why) < 0)
		cleared = false;
	check_report(c, "I4", cleared, "account %s was added or deleted halfway%s%s",
		     name->s, why.text[0] ? ": " : "", why.text);
}

/* is_at_work - somebody adds or deletes it just now, or has done so since we looked */
static bool is_at_work(struct check *c, const struct name *name)
{
	struct err e;
	bool halfway;

	return account_is_halfway(c->s, name, &halfway, &e) == 0 && !halfway;
}

static void halfway(struct check *c, const struct name *name,
		    enum account_standing standing)
{
	if (is_at_work(c, name))
		return;
	if (standing == ACCOUNT_DELETED)
		deleted_halfway(c, name);
	else
		remnant(c, name);
}

/* lost_but_more - the profile of an account that never had mail; true if it is made again.
 * It may have been made meanwhile. */
static bool lost_but_more(struct check *c, const struct name *name, struct account *a)
{
	char what[400];
	struct err e;
	bool found;

	if (account_find(c->s, name, a, &found, &e) == 0 && found)
		return false;
	snprintf(what, sizeof what,
		 "profile of %s is lost, its scripts or folders are not", name->s);
	return check_mend_profile(c, name, 0, "I2", what, a);
}

/* no_account - of which nobody can tell the profile, for this reason */
static int no_account(struct check *c, const struct name *name, const struct err *why,
		      struct err *e)
{
	enum account_standing standing;
	struct account a;
	struct err other;

	if (why->class != ERR_NONE && !record_is_damage(why))
		check_report(c, "I2", false, "%s", why->text);
	else if (account_standing(c->s, name, &standing, &other) < 0)
		check_report(c, "I2", false, "%s", other.text);
	else if (standing == ACCOUNT_DELETED || standing == ACCOUNT_REMNANT)
		halfway(c, name, standing);
	else if (standing != ACCOUNT_NOWHERE && why->class != ERR_NONE &&
		 check_mend_profile(c, name, 0, "I2", why->text, &a))
		return check_account(c, &a, e);
	else if (standing == ACCOUNT_LOST && why->class == ERR_NONE &&
		 lost_but_more(c, name, &a))
		return check_account(c, &a, e);
	return 0;
}

/* ---- folders ------------------------------------------------------------------------------- */

/* unmarked - an account has folders, and does not say so: they would not count for its quota */
static int unmarked(struct check *c, const struct account *whose, struct err *e)
{
	struct account marked = *whose;

	marked.folders = true;
	if (c->o->repair && account_update(c->s, &marked, e) < 0)
		return -1;
	check_report(c, "I20", c->o->repair,
		     "account %s has folders, and its profile does not say so",
		     whose->name.s);
	return 0;
}

/* is_gone - with its account, which went after it, since we looked */
static bool is_gone(struct check *c, const struct account *folder)
{
	struct account now;
	struct err e;
	bool found;

	return account_find(c->s, &folder->name, &now, &found, &e) == 0 &&
	       (!found || now.uid != folder->uid);
}

/* without_account - whose directory is gone; else it is told with that one */
static int without_account(struct check *c, const struct account *folder,
			   const struct name *whose, struct err *e)
{
	char what[NAME_OCTETS + 80];
	struct account a;
	struct place dir;
	bool there;

	name_place("accounts", whose, NULL, &dir);
	if (storage_exists(store_root(c->s), dir.path, &there, e) < 0)
		return -1;
	if (there || is_gone(c, folder))
		return 0;
	snprintf(what, sizeof what, "account %s is gone, its folders are not", whose->s);
	if (check_mend_profile(c, whose, folder->folder_of, "I20", what, &a))
		return check_account(c, &a, e);
	return 0;
}

/* check_folder - of an account that is there, is this uid, and knows of it */
static int check_folder(struct check *c, const struct account *folder, struct err *e)
{
	struct name name = name_account(&folder->name);
	struct account whose;
	struct err bad;
	bool found;

	if (account_find(c->s, &name, &whose, &found, &bad) < 0)
		return 0; /* told with the account */
	if (!found)
		return without_account(c, folder, &name, e);
	if (whose.uid != folder->folder_of && !is_gone(c, folder))
		check_report(c, "I20", false,
			     "folder %s is of an account that had the name before; "
			     "'popstore delete' removes the folder",
			     folder->name.s);
	else if (whose.uid == folder->folder_of && !whose.folders)
		return unmarked(c, &whose, e);
	return 0;
}

/* ---- all of them --------------------------------------------------------------------------- */

static int check_own_place(struct check *c, const struct name *name, struct err *e)
{
	struct account a;
	struct err why = {0};
	bool found = false;

	c->result->accounts++;
	if (account_find(c->s, name, &a, &found, &why) < 0 || !found)
		return no_account(c, name, &why, e);
	if (stale_mark(c, &a, e) < 0 ||
	    (name_is_folder(name) && check_folder(c, &a, e) < 0))
		return -1;
	return check_account(c, &a, e);
}

/* check_place - a directory that somebody moved or copied goes to its own place, if it is
 * that account's and nothing is there: else it would be made again without what this one
 * knows */
static int check_place(const char *path, const struct name *name, void *ctx,
		       struct err *e)
{
	struct check *c = ctx;
	struct place own;
	bool moved = false;
	struct err why;

	name_place("accounts", name, NULL, &own);
	if (strcmp(own.path, path) == 0)
		return check_own_place(c, name, e);
	if (memchr(name->s, '@', strlen(name->s)) == NULL)
		return 0; /* nothing of ours */
	if (c->o->repair && account_bring_home(c->s, path, name, &moved, &why) < 0)
		moved = false;
	check_report(c, "I4", moved, "%s is not in its place, which is %s%s", path,
		     own.path,
		     moved ? "" : ": move it there if nothing is there, else remove it");
	/* What lies behind is still to come. */
	return moved && strcmp(own.path, path) < 0 ? check_own_place(c, name, e) : 0;
}

int check_accounts(struct check *c, struct err *e)
{
	return round_names(&c->round, "accounts", check_place, c, e);
}
