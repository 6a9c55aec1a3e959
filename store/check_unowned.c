/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/account_mend.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "store/store_int.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* ---- a profile that is made again ------------------------------------------------------ */

static void say_mended(struct check *c, const char *invariant, const char *what,
		       const struct name *name, enum account_mended how)
{
	static const char *const words[] = {
		[ACCOUNT_WAS_WHOLE] = "whole again by now",
		[ACCOUNT_EXACTLY] = "made again exactly as it was",
		[ACCOUNT_IN_PART] = "made again from what could be read of it, the rest "
				    "from the domain's template",
		[ACCOUNT_LOCKED] = "made again, without its flags: its owner cannot log "
				   "in until",
	};

	if (how == ACCOUNT_LOCKED)
		check_report(c, invariant, true,
			     "%s; %s 'popstore modify %s --flags nodisuser'", what,
			     words[how], name->s);
	else
		check_report(c, invariant, true, "%s; %s", what, words[how]);
}

bool check_mend_profile(struct check *c, const struct name *name, uint64_t uid,
			const char *invariant, const char *what, struct account *out)
{
	enum account_mended how;
	struct err why;

	if (!c->o->repair) {
		check_report(c, invariant, false, "%s", what);
		return false;
	}
	if (account_mend(c->s, name, uid, out, &how, &why) < 0) {
		check_report(c, invariant, false, "%s; %s", what, why.text);
		return false;
	}
	say_mended(c, invariant, what, name, how);
	return true;
}

/* ---- held for nobody ---------------------------------------------------------------------- */

struct unowned {
	struct check *c;
	unsigned volume;
	const struct message_info *mi;
	const struct message_slot *slot;
};

static int let_go(struct unowned *u, bool may, const char *what, struct err *e)
{
	bool repair = u->c->o->repair && may;

	if (repair && message_release(u->c->s, u->volume, u->mi->id, u->slot->uid, e) < 0)
		return -1;
	check_report(u->c, "I7", repair, "message %s is held for %s, %s",
		     id_print(u->mi->id).c, u->slot->name.s, what);
	return 0;
}

static void say_made_again(struct unowned *u, const struct account *a,
			   const struct id_text *id)
{
	if (name_is_folder(&a->name))
		check_report(u->c, "I7", true,
			     "folder %s is gone, and message %s is held for it; made "
			     "again",
			     a->name.s, id->c);
	else
		check_report(
			u->c, "I7", true,
			"account %s is gone, and message %s is held for it; made "
			"again with the template's settings: its owner cannot log in "
			"until 'popstore modify %s --flags nodisuser'",
			a->name.s, id->c, a->name.s);
}

/* make_again - false, said, where that cannot be */
static bool make_again(struct unowned *u, struct account *a)
{
	const char *name = u->slot->name.s;
	struct id_text id = id_print(u->mi->id);
	struct err why;
	bool fails;

	if (account_make_again(u->c->s, &u->slot->name, u->slot->uid, a, &why) == 0) {
		say_made_again(u, a, &id);
		return true;
	}
	/* A full disk is no reason to let go of mail. */
	fails = why.class == ERR_TEMP;
	check_report(
		u->c, "I7", false,
		"message %s is held for %s, an account that is not there and cannot "
		"be made again%s: %s%s",
		id.c, name, fails ? " now" : "", why.text,
		fails ? ""
		      : "; 'popstore check --repair --release-unowned' lets go of it");
	return false;
}

static int of_deleted(struct unowned *u, struct err *e)
{
	struct err bad;
	uint64_t uid;
	bool halfway;

	if (account_is_halfway(u->c->s, &u->slot->name, &halfway, &bad) == 0 && !halfway)
		return 0; /* the deletion is at work */
	if (account_deleted_uid(u->c->s, &u->slot->name, &uid, &bad) < 0)
		return 0; /* said with the account */
	if (uid == 0 || uid == u->slot->uid)
		return let_go(u, true, "an account that was deleted", e);
	return let_go(u, u->c->o->release_unowned,
		      "but of an account that was there before the deleted one; "
		      "'popstore check --repair --release-unowned' lets go of it",
		      e);
}

/* try_profile - with the uid that the slot has, if the profile could not be made again without
 * one; once for each name, since it takes its time */
static bool try_profile(struct unowned *u, struct account *a)
{
	uint64_t name = XXH3_64bits(u->slot->name.s, strlen(u->slot->name.s)) | 1;
	struct check *c = u->c;
	char what[NAME_OCTETS + 80];
	enum account_mended how;
	uint64_t unused;
	struct err why;

	if (!c->o->repair || c->tried.used >= CHECK_TRIED_MAX ||
	    idmap_get(&c->tried, name, &unused))
		return false;
	idmap_put(&c->tried, name, 1);
	if (account_mend(c->s, &u->slot->name, u->slot->uid, a, &how, &why) < 0 ||
	    a->uid != u->slot->uid)
		return false;
	snprintf(what, sizeof what, "profile of %s: message %s tells its uid", a->name.s,
		 id_print(u->mi->id).c);
	say_mended(c, "I2", what, &a->name, how);
	return true;
}

static int of_nobody(struct unowned *u, struct account *a, bool *again, struct err *e)
{
	const struct check_options *o = u->c->o;

	if (!o->repair || o->release_unowned)
		return let_go(u, o->release_unowned,
			      o->repair
				      ? "an account that is not there"
				      : "an account that is not there; --repair makes it "
					"again, with --release-unowned lets go of it",
			      e);
	*again = make_again(u, a);
	return 0;
}

/* of_another - the name is an account, which is not the one that the message is for */
static int of_another(struct unowned *u, struct err *e)
{
	return let_go(u, u->c->o->release_unowned,
		      "but not for the account that has this name now; 'popstore check "
		      "--repair --release-unowned' lets go of it",
		      e);
}

static int by_standing(struct unowned *u, enum account_standing standing,
		       struct account *a, bool *again, struct err *e)
{
	struct account now;
	struct err bad;
	bool found;

	switch (standing) {
	case ACCOUNT_DELETED:
		return of_deleted(u, e);
	case ACCOUNT_NOWHERE:
		return of_nobody(u, a, again, e);
	case ACCOUNT_REMNANT:
		return 0; /* it is cleared, and this is found without it */
	case ACCOUNT_LOST:
	case ACCOUNT_DAMAGED:
		break;
	}
	if (account_find(u->c->s, &u->slot->name, &now, &found, &bad) == 0) {
		if (found && now.uid != u->slot->uid)
			return of_another(u, e);
		return 0; /* it has come or gone just now */
	}
	*again = record_is_damage(&bad) && try_profile(u, a);
	return 0;
}

int check_unowned(struct check *c, unsigned volume, const struct message_info *mi,
		  const struct message_slot *slot, struct account *a, bool *again,
		  struct err *e)
{
	struct unowned u = {c, volume, mi, slot};
	enum account_standing standing;
	struct err bad;

	*again = false;
	/* First where the account stands, and then the slot: a deletion that ended before
	 * the first look has let go before the second. */
	if (account_standing(c->s, &slot->name, &standing, &bad) < 0 ||
	    !check_still_holds(c, volume, mi->id, slot->uid))
		return 0; /* what cannot be read is reported with the account */
	return by_standing(&u, standing, a, again, e);
}
