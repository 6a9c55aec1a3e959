/* SPDX-License-Identifier: ISC */
/*
 * secret_change - everything that writes a secret
 *
 * Under the lock of names (store/tree.h): a repair that puts an old record back in its place
 * would take this one away, and a record that is made from another one must find it as it
 * was.  What takes long, hashing, is done before.
 */
#include "auth/secret_int.h"

#include "auth/seal.h"
#include "lib/base64.h"
#include "lib/conn.h"
#include "store/id.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"
#include "store/tree.h"

#include <string.h>

/* ---- the record --------------------------------------------------------------------- */

static void put_scram(struct record_writer *w, const struct secret *x)
{
	if (x->scram_none)
		record_put(w, "scram", STR("none"));
	for (size_t i = 0; i < SCRAM_HASHES; i++)
		if (x->scram[i][0] != '\0')
			record_put(w, "scram", str_of(x->scram[i]));
}

/* put_old - false where the record is full: the oldest ones are forgotten then */
static bool put_old(struct record_writer *w, struct str hash)
{
	enum { SUM_ROOM = 32 };
	size_t before = w->text.n;

	record_put(w, "old", hash);
	if (w->text.n <= SECRET_MAX - SUM_ROOM)
		return true;
	buf_cut(&w->text, before);
	return false;
}

/* put_history - `n` hashes at most: that of `before` if it is replaced, and its own */
static void put_history(struct record_writer *w, const struct secret *before,
			bool replaced, size_t n)
{
	struct str rest = buf_str(&before->text), key, value;
	struct buf hash;

	if (!before->found || n == 0)
		return;
	if (replaced && !put_old(w, str_of(before->hash)))
		return;
	n -= replaced;
	while (n > 0 && record_next(&rest, &key, &value)) {
		if (!str_eq(key, STR("old")))
			continue;
		buf_init_secret(&hash, SECRET_HASH_MAX);
		record_decode(value, &hash);
		n = !buf_over(&hash) && put_old(w, buf_str(&hash)) ? n - 1 : 0;
		buf_fini_secret(&hash);
	}
}

/* write_record - of a batch: not replacing anything needs no sync of its own, and what
 * a crash in a deletion left behind is replaced the slow way */
static int write_record(struct store *s, const char *path, struct str record, bool batch,
			struct err *e)
{
	struct storage *root = store_root(s);
	bool existed = false;

	if (store_has_tree(s, "secrets", e) < 0)
		return -1;
	if (batch && storage_put(root, path, record, STORAGE_EXCLUSIVE, &existed, e) < 0)
		return -1;
	return batch && !existed
		       ? 0
		       : storage_put(root, path, record, STORAGE_DURABLE, NULL, e);
}

/* A change: what is there, and what is to be there. */
struct change {
	struct store *s;
	const struct account *a;
	struct secret before, now;
	bool batch;
};

static int write_change(struct change *c, bool new_password, struct err *e)
{
	struct record_writer w;
	struct place place;

	record_begin(&w, secret_kind);
	record_put(&w, "name", str_of(c->a->name.s));
	record_put(&w, "uid", str_of(id_print(c->a->uid).c));
	record_put_u64(&w, "set", c->now.set_ms);
	record_put(&w, "hash", str_of(c->now.hash));
	put_scram(&w, &c->now);
	if (c->now.sealed[0] != '\0')
		record_put(&w, "sealed", str_of(c->now.sealed));
	put_history(&w, &c->before, new_password,
		    (size_t)store_settings(c->s)->auth.password_history);
	name_place("secrets", &c->a->name, NULL, &place);

	int rc = write_record(c->s, place.path, record_finish(&w), c->batch, e);

	record_fini(&w);
	return rc;
}

/* load_before - what nobody can read any more is replaced like nothing */
static int load_before(struct change *c, struct err *e)
{
	if (secret_load(c->s, c->a, &c->before, e) == 0)
		return 0;
	c->before = (struct secret){0};
	return record_is_damage(e) ? 0 : -1;
}

static void change_end(struct change *c)
{
	secret_fini(&c->before);
	secret_fini(&c->now);
}

/* ---- sealing ------------------------------------------------------------------------ */

static int seal_with(const unsigned char *key, const struct account *a,
		     struct str password, struct buf *out, struct err *e)
{
	struct buf context, octets;
	int rc;

	buf_init(&context, NAME_OCTETS + ID_CHARS + 1);
	buf_init_secret(&octets, PASSWORD_MAX + SEAL_MORE);
	secret_context(a, &context);
	rc = seal_make(key, buf_str(&context), password, &octets, e);
	if (rc == 0)
		base64_encode(buf_str(&octets), out);
	buf_fini_secret(&octets);
	buf_fini(&context);
	return rc;
}

static int seal(struct change *c, struct str password, struct err *e)
{
	unsigned char id[SITE_KEY_OCTETS], key[SITE_KEY_OCTETS];
	struct buf b;
	int rc = -1;

	buf_init_secret(&b, SECRET_SEALED_MAX - 1);
	if (site_key_derive(c->s, "seal id", id, e) == 0 &&
	    site_key_derive(c->s, "seal", key, e) == 0) {
		buf_printf(&b, "%s:%s:", SECRET_SEALED_BY, secret_key_id(id).hex);
		rc = seal_with(key, c->a, password, &b, e);
	}
	must(!buf_over(&b));
	if (rc == 0)
		memcpy(c->now.sealed, b.p, b.n + 1);
	explicit_bzero(key, sizeof key);
	buf_fini_secret(&b);
	return rc;
}

/* ---- a new password ------------------------------------------------------------------- */

static int put_password(struct change *c, const struct secret_prepared *p, struct err *e)
{
	enum secret_sealing sealing;

	memcpy(c->now.hash, p->hash, sizeof c->now.hash);
	memcpy(c->now.scram, p->scram, sizeof c->now.scram);
	c->now.scram_none = p->scram_none;
	c->now.set_ms = clock_unix_ms();
	if (secret_sealing(c->s, c->a, &sealing, e) < 0)
		return -1;
	if (p->password[0] != '\0' && sealing == SEALING_YES &&
	    seal(c, str_of(p->password), e) < 0)
		return -1;
	return write_change(c, true, e);
}

/* put - `was`, if it is given, has to be in force still */
static int put(struct change *c, const struct secret *was,
	       const struct secret_prepared *p, struct err *e)
{
	struct storage_file *lock;
	int rc;

	if (c->a->flags & ACCOUNT_PWD_ELSEWHERE)
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password of %s is kept elsewhere (PWD_ELSEWHERE)",
			       c->a->name.s);
	if (tree_lock(store_root(c->s), &lock, e) < 0)
		return -1;
	rc = load_before(c, e);
	if (rc == 0 && was != NULL && was->version != c->before.version)
		rc = err_set(e, ERR_TEMP, "4.3.0", "somebody changed it just now");
	if (rc == 0)
		rc = put_password(c, p, e);
	storage_file_close(&lock);
	change_end(c);
	return rc < 0 ? err_add(e, "password of %s", c->a->name.s) : 0;
}

int secret_put(struct store *s, const struct account *a, const struct secret_prepared *p,
	       bool batch, struct err *e)
{
	struct change c = {.s = s, .a = a, .batch = batch};

	return put(&c, NULL, p, e);
}

int secret_replace(struct store *s, const struct account *a, const struct secret *was,
		   const struct secret_prepared *p, struct err *e)
{
	struct change c = {.s = s, .a = a};

	return put(&c, was, p, e);
}

int secret_set(struct store *s, const struct account *a, struct str password, bool batch,
	       struct err *e)
{
	struct secret_prepared p;
	int rc = secret_prepare(store_settings(s), password, &p, e);

	if (rc == 0)
		rc = secret_put(s, a, &p, batch, e);
	secret_prepared_wipe(&p);
	return rc;
}

int secret_delete(struct store *s, const struct name *name, struct err *e)
{
	struct place place;

	name_place("secrets", name, NULL, &place);
	return storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
}

/* ---- keeping up ------------------------------------------------------------------------ */

/* copy - what a change that is none of the password leaves as it is */
static void copy(const struct secret *from, struct secret *to)
{
	*to = *from;
	to->text = (struct buf){0};
}

/* renew - hash and verifiers, where they are not as they should be */
static int renew(struct change *c, struct str password, struct err *e)
{
	const struct settings *set = store_settings(c->s);

	if (secret_hash_is_weak(set, c->now.hash) &&
	    secret_hash_new(set, password, c->now.hash, e) < 0)
		return -1;
	return secret_scram_is_weak(set, &c->now)
		       ? secret_scram_new(set, password, c->now.scram, &c->now.scram_none,
					  e)
		       : 0;
}

/* reseal - as the domain asks for, now */
static int reseal(struct change *c, struct str password, struct err *e)
{
	enum secret_sealing sealing;

	if (secret_sealing(c->s, c->a, &sealing, e) < 0)
		return -1;
	if (sealing == SEALING_NO)
		explicit_bzero(c->now.sealed, sizeof c->now.sealed);
	return sealing == SEALING_YES ? seal(c, password, e) : 0;
}

static int upgrade(struct change *c, struct str password, struct err *e)
{
	struct storage_file *lock;
	int rc;

	if (tree_lock(store_root(c->s), &lock, e) < 0)
		return -1;
	rc = secret_load(c->s, c->a, &c->before, e);
	if (rc < 0)
		c->before = (struct secret){0};
	/* Another password, or another process did the same. */
	if (rc == 0 && c->before.version == c->now.version)
		rc = reseal(c, password, e) < 0 ? -1 : write_change(c, false, e);
	storage_file_close(&lock);
	return rc;
}

int secret_upgrade(struct store *s, const struct account *a, const struct secret *was,
		   struct str password, struct err *e)
{
	struct change c = {.s = s, .a = a};
	int rc;

	if (!was->found || !was->needs_upgrade)
		return 0;
	copy(was, &c.now);
	rc = renew(&c, password, e);
	if (rc == 0)
		rc = upgrade(&c, password, e);
	change_end(&c);
	return rc < 0 ? err_add(e, "secret of %s", a->name.s) : 0;
}

static int drop_sealed(struct change *c, bool *had, struct err *e)
{
	enum secret_sealing sealing;

	if (secret_load(c->s, c->a, &c->before, e) < 0) {
		c->before = (struct secret){0};
		return -1;
	}
	if (secret_sealing(c->s, c->a, &sealing, e) < 0)
		return -1;
	/* It may have been switched on again meanwhile. */
	*had = c->before.sealed[0] != '\0' && sealing == SEALING_NO;
	if (!*had)
		return 0;
	copy(&c->before, &c->now);
	explicit_bzero(c->now.sealed, sizeof c->now.sealed);
	return write_change(c, false, e);
}

int secret_drop_sealed(struct store *s, const struct account *a, bool *had, struct err *e)
{
	struct change c = {.s = s, .a = a};
	struct storage_file *lock;
	int rc;

	*had = false;
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;
	rc = drop_sealed(&c, had, e);
	storage_file_close(&lock);
	change_end(&c);
	return rc < 0 ? err_add(e, "secret of %s", a->name.s) : 0;
}
