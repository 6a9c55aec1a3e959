/* SPDX-License-Identifier: ISC */
#include "auth/secret.h"

#include "lib/buf.h"
#include "lib/conn.h"
#include "store/id.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

#include <crypt.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static const char kind[] = "popstore-secret";

enum { SECRET_MAX = 4096 }; /* octets of a record */

/* ---- turns: memory-hard hashes must not add up (P9) --------------------------- */

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static long turns_taken;

static void turn_take(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	must(pthread_mutex_lock(&turn_lock) == 0);
	while (turns_taken > 0 && turns_taken >= cores)
		must(pthread_cond_wait(&turn_free, &turn_lock) == 0);
	turns_taken++;
	must(pthread_mutex_unlock(&turn_lock) == 0);
}

static void turn_give(void)
{
	must(pthread_mutex_lock(&turn_lock) == 0);
	turns_taken--;
	must(pthread_cond_signal(&turn_free) == 0);
	must(pthread_mutex_unlock(&turn_lock) == 0);
}

/* ---- hashing ---------------------------------------------------------------------- */

/* hash_with - crypt(3) of a password that password_check() passed; false when
 * libxcrypt does not know the setting */
static bool hash_with(struct str password, const char *setting, struct secret_hash *out)
{
	struct crypt_data *data = xalloc(sizeof *data); /* 32 KiB: not for the stack */
	char phrase[PASSWORD_MAX + 1];

	must(password.n < sizeof phrase);
	if (password.n > 0)
		memcpy(phrase, password.p, password.n);
	phrase[password.n] = '\0';

	turn_take();
	const char *hash = crypt_rn(phrase, setting, data, (int)sizeof *data);
	turn_give();

	bool ok = hash != NULL && strlen(hash) < sizeof out->s;

	if (ok)
		memcpy(out->s, hash, strlen(hash) + 1);
	explicit_bzero(phrase, sizeof phrase);
	explicit_bzero(data, sizeof *data);
	xfree(&data);
	return ok;
}

static int new_setting(const struct settings *set, char out[CRYPT_GENSALT_OUTPUT_SIZE],
		       struct err *e)
{
	if (crypt_gensalt_rn("$y$", set->auth.yescrypt_cost, NULL, 0, out,
			     CRYPT_GENSALT_OUTPUT_SIZE) == NULL)
		return err_sys(e, "make a salt of cost %u",
			       (unsigned)set->auth.yescrypt_cost);
	return 0;
}

static int password_check(struct str password, struct err *e)
{
	if (password.n == 0)
		return err_set(e, ERR_PERM, "5.7.0", "the password is empty");
	if (password.n > PASSWORD_MAX)
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password is longer than %d octets", PASSWORD_MAX);
	if (str_has_control(password))
		return err_set(e, ERR_PERM, "5.7.0",
			       "the password holds a control octet");
	return 0;
}

int secret_hash(const struct settings *set, struct str password, struct secret_hash *out,
		struct err *e)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (password_check(password, e) < 0 || new_setting(set, setting, e) < 0)
		return -1;
	if (!hash_with(password, setting, out))
		return err_set(e, ERR_TEMP, "4.3.0", "crypt(3) made no yescrypt hash");
	return 0;
}

/* same_hash - takes as long for a difference in the first octet as in the last */
static bool same_hash(struct str stored, const struct secret_hash *computed)
{
	size_t n = strlen(computed->s);
	unsigned char differ = stored.n != n;

	for (size_t i = 0; i < n && i < stored.n; i++)
		differ |= (unsigned char)(stored.p[i] ^ computed->s[i]);
	return differ == 0;
}

/* ---- records ---------------------------------------------------------------------- */

/* put_record - of a batch: not replacing anything needs no sync of its own, and what
 * a crash in a deletion left behind is replaced the slow way */
static int put_record(struct store *s, const char *path, struct str record, bool batch,
		      struct err *e)
{
	struct storage *root = store_root(s);
	bool existed = false;

	if (batch && storage_put(root, path, record, STORAGE_EXCLUSIVE, &existed, e) < 0)
		return -1;
	return batch && !existed
		       ? 0
		       : storage_put(root, path, record, STORAGE_DURABLE, NULL, e);
}

int secret_put(struct store *s, const struct account *a, const struct secret_hash *hash,
	       bool batch, struct err *e)
{
	struct record_writer w;
	struct place place;
	struct id_text uid = id_print(a->uid);

	record_begin(&w, kind);
	record_put(&w, "name", str_of(a->name.s));
	record_put(&w, "uid", str_of(uid.c));
	record_put_u64(&w, "set", clock_unix_ms());
	record_put(&w, "hash", str_of(hash->s));
	name_place("secrets", &a->name, NULL, &place);

	int rc = put_record(s, place.path, record_finish(&w), batch, e);

	record_fini(&w);
	return rc < 0 ? err_add(e, "password of %s", a->name.s) : 0;
}

/* read_record - *found only for a secret of this incarnation of the account */
static int read_record(struct store *s, const struct account *a, struct buf *text,
		       bool *found, struct err *e)
{
	struct place place;
	char uid_octets[ID_CHARS + 1];
	struct id_text uid = id_print(a->uid);
	struct buf said;

	name_place("secrets", &a->name, NULL, &place);
	if (storage_read(store_root(s), place.path, text, found, e) < 0)
		return -1;
	if (!*found)
		return 0;
	if (record_check(buf_str(text), kind, place.path, e) < 0)
		return -1;
	buf_init(&said, sizeof uid_octets);
	*found = record_get(buf_str(text), "uid", &said) &&
		 str_eq(buf_str(&said), str_of(uid.c));
	buf_fini(&said);
	return 0;
}

int secret_set_ms(struct store *s, const struct account *a, uint64_t *ms, struct err *e)
{
	struct buf text;
	bool found = false;

	*ms = 0;
	buf_init_secret(&text, SECRET_MAX);

	int rc = read_record(s, a, &text, &found, e);

	if (rc == 0 && found && !record_get_u64(buf_str(&text), "set", ms))
		rc = err_set(e, ERR_TEMP, "4.3.0", "the secret of %s has no time",
			     a->name.s);
	buf_fini_secret(&text);
	return rc;
}

int secret_delete(struct store *s, const struct name *name, struct err *e)
{
	struct place place;

	name_place("secrets", name, NULL, &place);
	return storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
}

int secret_set(struct store *s, const struct account *a, struct str password, bool batch,
	       struct err *e)
{
	struct secret_hash hash;
	int rc = secret_hash(store_settings(s), password, &hash, e);

	if (rc == 0)
		rc = secret_put(s, a, &hash, batch, e);
	explicit_bzero(&hash, sizeof hash);
	return rc;
}

/* ---- checking --------------------------------------------------------------------- */

void secret_check_nobody(struct store *s, struct str password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct secret_hash hash;
	struct err ignored;

	/* A hash to compare with is not needed, and making one would cost twice
	 * the time: a fresh salt does. */
	if (password.n > PASSWORD_MAX)
		password.n = PASSWORD_MAX;
	if (new_setting(store_settings(s), setting, &ignored) == 0)
		hash_with(password, setting, &hash);
	explicit_bzero(&hash, sizeof hash);
}

int secret_check(struct store *s, const struct account *a, struct str password,
		 bool *match, struct err *e)
{
	struct secret_hash computed = {0};
	struct buf text, stored;
	struct err ignored;
	bool found = false;

	*match = false;
	buf_init_secret(&text, SECRET_MAX);
	buf_init_secret(&stored, SECRET_HASH_MAX);

	int rc = read_record(s, a, &text, &found, e);

	if (rc == 0 && found && !record_get(buf_str(&text), "hash", &stored))
		rc = err_set(e, ERR_TEMP, "4.3.0", "the secret of %s has no hash",
			     a->name.s);
	if (rc == 0 && (!found || password_check(password, &ignored) < 0))
		secret_check_nobody(s, password);
	else if (rc == 0 && hash_with(password, buf_cstr(&stored), &computed))
		*match = same_hash(buf_str(&stored), &computed);
	else if (rc == 0)
		rc = err_set(e, ERR_TEMP, "4.3.0",
			     "crypt(3) does not know the hash of %s", a->name.s);
	explicit_bzero(&computed, sizeof computed);
	buf_fini_secret(&stored);
	buf_fini_secret(&text);
	return rc;
}
