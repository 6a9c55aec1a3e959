/* SPDX-License-Identifier: ISC */
#include "store/account_mend.h"

#include "store/account_int.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/mend.h"
#include "store/script.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

struct mending {
	struct store *s;
	const struct name *name;
	uint64_t slot_uid; /* for which a message is held; 0: none known */
	uint64_t others;   /* the uid of the account whose profile stands there, or 0 */
	bool hinted;     /* slot_uid is what scripts or folders say, of any incarnation */
	bool dir;        /* there is a directory */
	struct buf text; /* what stands there as profile */
	struct account a; /* what it becomes */
	enum account_mended *how;
};

static bool is_whole(struct str text, void *ctx)
{
	struct mending *m = ctx;

	return account_is_whole(text, m->name, &m->a);
}

static int read_profile(struct store *s, const struct name *name, struct buf *text,
			struct err *e)
{
	struct place place;
	bool found;

	name_place("accounts", name, "profile", &place);
	return storage_read(store_root(s), place.path, text, &found, e);
}

static int put_profile(struct store *s, const struct name *name, struct str text,
		       struct err *e)
{
	struct place place;

	name_place("accounts", name, "profile", &place);
	return storage_put(store_root(s), place.path, text, STORAGE_DURABLE, NULL, e);
}

/* ---- line by line ---------------------------------------------------------------------- */

/* only_line - the one with this key, with its LF; false if there are two */
static bool only_line(struct str text, const char *key, struct str *out)
{
	size_t n = 0;

	for (struct str rest = text; rest.n > 0;) {
		struct str line = {rest.p, 0}, word;
		const char *lf = memchr(rest.p, '\n', rest.n);

		if (lf == NULL)
			break;
		line.n = (size_t)(lf - rest.p) + 1;
		rest = (struct str){lf + 1, rest.n - line.n};
		word = line;
		if (!str_eq(str_word(&word), str_of(key)))
			continue;
		*out = line;
		n++;
	}
	return n == 1;
}

/* What reads a record takes its last line for the sum, and does not look at it. */
static const struct str no_sum = {"sum -\n", 6};

/* with_line - the profile of `a` with this line in the place of its own */
static void with_line(const struct account *a, const char *key, struct str line,
		      struct buf *out)
{
	struct record_writer w;
	struct str rest, own;

	account_print(a, &w);
	rest = buf_str(&w.text);
	while (rest.n > 0) {
		struct str whole = rest, word;

		own = str_cut(&rest, '\n');
		whole.n = own.n + 1;
		word = own;
		buf_put(out, str_eq(str_word(&word), str_of(key)) ? line : whole);
	}
	buf_put(out, no_sum);
	record_fini(&w);
}

/* take_line - sets one thing as the damaged text has it, if it stands there in the only way
 * in which it is ever written */
static bool take_line(struct str text, const char *key, struct account *a)
{
	struct record_writer w;
	struct account with = {0};
	struct str line;
	struct buf b;
	bool good;

	if (!only_line(text, key, &line))
		return false;
	buf_init(&b, RECORD_MAX);
	with_line(a, key, line, &b);
	good = !buf_over(&b) && account_parse(buf_str(&b), &a->name, &with);
	if (good) {
		account_print(&with, &w);
		buf_put(&w.text, no_sum);
		good = str_eq(buf_str(&w.text), buf_str(&b));
		record_fini(&w);
	}
	buf_fini(&b);
	if (good)
		*a = with;
	return good;
}

/* is_anothers - what stands there names another account that there is, and so tells nothing
 * of ours */
static int is_anothers(struct store *s, const struct name *name, struct str text,
		       bool *anothers, struct err *e)
{
	struct name other;
	struct str line;
	struct place dir;

	*anothers = false;
	if (!only_line(text, "name", &line))
		return 0;
	str_word(&line);
	line.n--;
	if (!name_read(line, &other) || strcmp(other.s, name->s) == 0)
		return 0;
	name_place("accounts", &other, NULL, &dir);
	return storage_exists(store_root(s), dir.path, anothers, e);
}

/* ---- which incarnation ----------------------------------------------------------------- */

static int cannot_be_made_again(const struct mending *m, const char *why, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.3.0",
		       "profile of %s cannot be made again: %s; 'popstore delete --yes' "
		       "removes what is there, 'popstore add' makes it anew",
		       m->name->s, why);
}

static int new_uid(struct mending *m, struct err *e)
{
	struct writer *w;

	return store_writer(m->s, &w, e) < 0 ? -1 : writer_id(w, false, &m->a.uid, e);
}

/* find_uid - `line_uid` is what the damaged text says, or 0.  The maildrop proves what it
 * says; a message that is held proves that there was such an incarnation. */
static int find_uid(struct mending *m, uint64_t line_uid, struct err *e)
{
	uint64_t hint = m->slot_uid != 0 ? m->slot_uid : line_uid, uid;
	bool mail;

	if (maildrop_uid(m->s, m->name, hint, &uid, &mail, e) < 0)
		return -1;
	/* A maildrop of somebody else, perhaps: he would read that mail. */
	if (uid != 0 && hint != 0 && uid != hint && !m->hinted)
		return cannot_be_made_again(m, "its maildrop is of another uid", e);
	if (uid == 0)
		uid = mail ? m->slot_uid : hint;
	if (uid != 0 && uid == m->others)
		return cannot_be_made_again(m, "all that is there is another account's",
					    e);
	m->a.uid = uid;
	if (uid == 0 && account_is_template(&m->a))
		return new_uid(m, e); /* nothing is held for it */
	return uid == 0 ? cannot_be_made_again(m, "nothing tells its uid", e) : 0;
}

/* ---- in parts ------------------------------------------------------------------------------ */

/* take_folder_of - whose folder it is says the account, if it is there, or else its own line */
static int take_folder_of(struct store *s, struct str text, struct account *a,
			  struct err *e)
{
	struct name name = name_account(&a->name);
	struct account with = *a, whose;
	struct err damaged;
	bool found;

	if (account_find(s, &name, &whose, &found, &damaged) == 0 && found) {
		a->folder_of = whose.uid;
		return 0;
	}
	with.folder_of = 1;
	if (!take_line(text, "folder-of", &with))
		return err_set(e, ERR_TEMP, "4.3.0",
			       "there is no account %s that %s would be a folder of; "
			       "'popstore add' makes it",
			       name.s, a->name.s);
	a->folder_of = with.folder_of;
	return 0;
}

/* settings - of the template, which has none but the defaults, as has a folder */
static int settings(struct mending *m, struct str text, struct err *e)
{
	struct account a = {.name = *m->name, .quota = QUOTA_NONE};
	struct domain d;
	uint64_t uid;

	if (name_is_folder(m->name)) {
		m->a = a;
		return take_folder_of(m->s, text, &m->a, e);
	}
	if (account_is_template(&a)) {
		m->a = a;
		return domain_get(m->s, m->name, &d, e);
	}
	if (account_template(m->s, m->name, &m->a, e) < 0)
		return -1;
	return folder_any(m->s, m->name, &m->a.folders, &uid, e);
}

/* take_script - a line that is written only where there is an active one.  Without it none
 * is, and all mail is kept. */
static void take_script(struct str text, struct account *a)
{
	struct account with = *a;

	memset(with.script, '0', SCRIPT_ID_DIGITS);
	if (take_line(text, "script", &with))
		memcpy(a->script, with.script, sizeof a->script);
}

static void take_lines(struct mending *m, struct str text, bool *flags, bool *created)
{
	static const char *const others[] = {"quota", "overdraft", "owner", "group"};

	*flags = take_line(text, "flags", &m->a);
	*created = take_line(text, "created", &m->a);
	for (size_t i = 0; i < countof(others); i++)
		take_line(text, others[i], &m->a);
	take_script(text, &m->a);
}

/* from_parts - what was lost is the template's, and an owner of whom nobody knows whether he
 * may log in may not */
static int from_parts(struct mending *m, struct str text, struct err *e)
{
	struct account uid = {.name = *m->name, .quota = QUOTA_NONE};
	bool flags, created, anothers;

	if (is_anothers(m->s, m->name, text, &anothers, e) < 0)
		return -1;
	if (anothers)
		text.n = 0;
	if (settings(m, text, e) < 0)
		return -1;
	uid.folder_of = m->a.folder_of;
	m->a.uid = 0;
	take_lines(m, text, &flags, &created);
	take_line(text, "uid", &uid);
	if (find_uid(m, uid.uid, e) < 0)
		return -1;
	if (!created)
		m->a.created_ms = id_unix_ms(m->a.uid);
	*m->how = ACCOUNT_IN_PART;
	if (!flags && !account_is_template(&m->a) && !name_is_folder(m->name)) {
		m->a.flags |= ACCOUNT_DISUSER;
		*m->how = ACCOUNT_LOCKED;
	}
	/* With its directory its maildrop was lost: as in make_again(). */
	if (!m->dir && maildrop_begin_rebuilt(m->s, &m->a, e) < 0)
		return -1;
	return account_put(m->s, &m->a, STORAGE_DURABLE, NULL, e);
}

/* ---- a whole profile in a wrong place ---------------------------------------------------- */

static int give_back(struct mending *m, const struct account *other, bool *swapped,
		     struct err *e)
{
	struct account theirs;
	struct buf text;
	uint64_t uid;
	bool mail;
	int rc;

	*swapped = false;
	buf_init(&text, RECORD_MAX);
	rc = read_profile(m->s, &other->name, &text, e);
	if (rc == 0 && is_whole(buf_str(&text), m)) {
		*swapped = true;
		*m->how = ACCOUNT_EXACTLY;
		rc = put_profile(m->s, m->name, buf_str(&text), e);
	}
	if (rc == 0 && !account_is_whole(buf_str(&text), &other->name, &theirs)) {
		rc = maildrop_uid(m->s, &other->name, 0, &uid, &mail, e);
		if (rc == 0 && (*swapped || uid == other->uid))
			rc = put_profile(m->s, &other->name, buf_str(&m->text), e);
	}
	buf_fini(&text);
	return rc;
}

/* from_another - a record without a fault: of another account, which may lack it now, or one
 * that this program does not understand */
static int from_another(struct mending *m, struct err *e)
{
	struct account other;
	bool swapped = false;

	if (!account_of_another(buf_str(&m->text), m->name, &other))
		return err_set(
			e, ERR_TEMP, "4.3.0",
			"profile of %s is whole, but not well formed: it may be of "
			"a later program, and is left alone",
			m->name->s);
	if (give_back(m, &other, &swapped, e) < 0)
		return -1;
	m->others = other.uid;
	return swapped ? 0 : from_parts(m, STR(""), e);
}

/* ---- mending ---------------------------------------------------------------------------------- */

static int mend_text(struct mending *m, struct err *e)
{
	struct err why;

	if (is_whole(buf_str(&m->text), m)) {
		*m->how = ACCOUNT_WAS_WHOLE;
		return 0;
	}
	if (record_check(buf_str(&m->text), account_kind, "", &why) == 0)
		return from_another(m, e);
	if (strcmp(why.dsn, "4.3.5") == 0)
		return err_set(e, ERR_TEMP, "4.3.5", "profile of %s%s", m->name->s,
			       why.text);
	if (mend_octet(m->text.p, m->text.n, is_whole, m)) {
		*m->how = ACCOUNT_EXACTLY;
		return put_profile(m->s, m->name, buf_str(&m->text), e);
	}
	return from_parts(m, buf_str(&m->text), e);
}

/* hint - what only had scripts or folders is known by them */
static int hint(struct mending *m, struct err *e)
{
	bool any;

	if (m->slot_uid != 0)
		return 0;
	if (script_uid(m->s, m->name, &m->slot_uid, &any, e) < 0 ||
	    (m->slot_uid == 0 && !name_is_folder(m->name) &&
	     folder_any(m->s, m->name, &any, &m->slot_uid, e) < 0))
		return -1;
	m->hinted = m->slot_uid != 0;
	return 0;
}

static int mend_locked(struct mending *m, struct err *e)
{
	enum account_standing standing;

	if (account_standing(m->s, m->name, &standing, e) < 0 ||
	    account_has(m->s, m->name, NULL, &m->dir, e) < 0 || hint(m, e) < 0)
		return -1;
	if (standing != ACCOUNT_LOST && standing != ACCOUNT_DAMAGED)
		return account_does_not_exist(m->name, e);
	return read_profile(m->s, m->name, &m->text, e) < 0 ? -1 : mend_text(m, e);
}

int account_mend(struct store *s, const struct name *name, uint64_t uid,
		 struct account *out, enum account_mended *how, struct err *e)
{
	struct mending m = {.s = s, .name = name, .slot_uid = uid, .how = how};
	struct storage_file *lock;
	int rc;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	buf_init(&m.text, RECORD_MAX);
	rc = mend_locked(&m, e);
	buf_fini(&m.text);
	storage_file_close(&lock);
	*out = m.a;
	return rc;
}

/* ---- making again --------------------------------------------------------------------------------- */

static int check_free(struct store *s, const struct name *name, struct err *e)
{
	enum account_standing standing;
	struct forwarding f = {0};
	bool found;

	if (account_standing(s, name, &standing, e) < 0 ||
	    forwarding_find(s, name, &f, &found, e) < 0)
		return -1;
	forwarding_fini(&f);
	if (found)
		return err_set(e, ERR_PERM, "5.1.3", "%s is a forwarding now", name->s);
	if (standing != ACCOUNT_NOWHERE)
		return err_set(e, ERR_PERM, "5.1.3", "there is something else at %s now",
			       name->s);
	return 0;
}

/* make_again - the maildrop comes first: alone it is an account whose profile is lost, and
 * whatever it lacks may have been in it */
static int make_again(struct store *s, const struct name *name, uint64_t uid,
		      struct account *out, struct err *e)
{
	if (check_free(s, name, e) < 0)
		return -1;
	*out = (struct account){.name = *name, .quota = QUOTA_NONE};
	if (name_is_folder(name) ? take_folder_of(s, STR(""), out, e) < 0
				 : account_template(s, name, out, e) < 0)
		return -1;
	if (uid == 0 || account_is_template(out))
		return err_set(e, ERR_PERM, "5.1.3", "%s holds no mail", name->s);
	out->uid = uid;
	out->created_ms = id_unix_ms(uid);
	if (!name_is_folder(name))
		out->flags |= ACCOUNT_DISUSER;
	if (maildrop_begin_rebuilt(s, out, e) < 0)
		return -1;
	return account_put(s, out, STORAGE_DURABLE, NULL, e);
}

int account_make_again(struct store *s, const struct name *name, uint64_t uid,
		       struct account *out, struct err *e)
{
	struct storage_file *lock;

	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = make_again(s, name, uid, out, e);

	storage_file_close(&lock);
	return rc;
}

/* ---- a directory in a wrong place ------------------------------------------------------------- */

static int bring_home(struct store *s, const char *path, const struct name *name,
		      bool *moved, struct err *e)
{
	char profile[2 * PLACE_OCTETS];
	struct account a;
	struct place own;
	struct buf text;
	bool found, existed;
	struct err taken;

	if (check_free(s, name, &taken) < 0)
		return 0;
	snprintf(profile, sizeof profile, "%s/profile", path);
	name_place("accounts", name, NULL, &own);
	buf_init(&text, RECORD_MAX);

	int rc = storage_read(store_root(s), profile, &text, &found, e);

	if (rc == 0 && found && account_is_whole(buf_str(&text), name, &a)) {
		rc = storage_rename(store_root(s), path, own.path, &existed, e);
		*moved = rc == 0 && !existed;
	}
	buf_fini(&text);
	return rc;
}

int account_bring_home(struct store *s, const char *path, const struct name *name,
		       bool *moved, struct err *e)
{
	struct storage_file *lock;

	*moved = false;
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = bring_home(s, path, name, moved, e);

	storage_file_close(&lock);
	return rc;
}
