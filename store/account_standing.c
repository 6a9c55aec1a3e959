/* SPDX-License-Identifier: ISC */
#include "store/account_mend.h"

#include "store/account_int.h"
#include "store/folder.h"
#include "store/maildrop.h"
#include "store/mend.h"
#include "store/script.h"
#include "store/store_int.h"

int account_has(struct store *s, const struct name *name, const char *leaf, bool *found,
		struct err *e)
{
	struct place place;

	name_place("accounts", name, leaf, &place);
	return storage_exists(store_root(s), place.path, found, e);
}

/* read_leaf - the text of one of the account's records; always ended with buf_fini() */
static int read_leaf(struct store *s, const struct name *name, const char *leaf,
		     struct buf *text, bool *found, struct err *e)
{
	struct place place;

	name_place("accounts", name, leaf, &place);
	buf_init(text, RECORD_MAX);
	return storage_read(store_root(s), place.path, text, found, e);
}

/* of_profile - one that is there */
static int of_profile(struct store *s, const struct name *name, bool holds,
		      enum account_standing *out, struct err *e)
{
	struct buf text;
	bool found;
	int rc = read_leaf(s, name, "profile", &text, &found, e);

	*out = rc < 0 || holds || !str_is_blank(buf_str(&text)) ? ACCOUNT_DAMAGED
								: ACCOUNT_REMNANT;
	buf_fini(&text);
	return rc;
}

int account_standing(struct store *s, const struct name *name, enum account_standing *out,
		     struct err *e)
{
	bool dir, profile, deleted, mail, scripts, folders = false;
	uint64_t uid;

	*out = ACCOUNT_NOWHERE;
	if (account_has(s, name, NULL, &dir, e) < 0 ||
	    account_has(s, name, "profile", &profile, e) < 0 ||
	    account_has(s, name, "deleted", &deleted, e) < 0 ||
	    maildrop_uid(s, name, 0, &uid, &mail, e) < 0 ||
	    script_uid(s, name, &uid, &scripts, e) < 0 ||
	    (!name_is_folder(name) && folder_any(s, name, &folders, &uid, e) < 0))
		return -1;
	if (profile)
		return of_profile(s, name, mail || scripts || folders, out, e);
	/* Folders alone are an account, too: it is not to be cleared, or made anew. */
	*out = deleted                      ? ACCOUNT_DELETED
	       : mail || scripts || folders ? ACCOUNT_LOST
	       : dir                        ? ACCOUNT_REMNANT
					    : ACCOUNT_NOWHERE;
	return 0;
}

struct mark {
	const struct name *name;
	struct account a;
};

static bool is_whole(struct str text, void *ctx)
{
	struct mark *m = ctx;

	return account_is_whole(text, m->name, &m->a);
}

/* is_copy - the mark and the maildrop are both of that other account, whose directory
 * somebody copied here */
static int is_copy(struct store *s, const struct name *name, struct str text, bool *copy,
		   struct err *e)
{
	struct account other;
	struct err no_record;
	uint64_t uid;
	bool mail;

	*copy = false;
	if (record_check(text, account_kind, "", &no_record) < 0 ||
	    !account_of_another(text, name, &other))
		return 0;
	if (maildrop_uid(s, name, 0, &uid, &mail, e) < 0)
		return -1;
	*copy = uid == other.uid;
	return 0;
}

int account_deleted_is_copy(struct store *s, const struct name *name, bool *copy,
			    struct err *e)
{
	struct buf text;
	bool found;
	int rc = read_leaf(s, name, "deleted", &text, &found, e);

	*copy = false;
	if (rc == 0 && found)
		rc = is_copy(s, name, buf_str(&text), copy, e);
	buf_fini(&text);
	return rc;
}

int account_deleted_uid(struct store *s, const struct name *name, uint64_t *uid,
			struct err *e)
{
	struct mark m = {.name = name};
	struct buf text;
	bool found, mail;
	int rc = read_leaf(s, name, "deleted", &text, &found, e);

	*uid = 0;
	if (rc == 0 && found && mend_octet(text.p, text.n, is_whole, &m))
		*uid = m.a.uid;
	else if (rc == 0)
		rc = maildrop_uid(s, name, 0, uid, &mail, e);
	buf_fini(&text);
	return rc;
}
