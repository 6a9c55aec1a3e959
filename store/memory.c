/* SPDX-License-Identifier: ISC */
#include "store/memory.h"

#include "lib/conn.h"
#include "lib/openssl.h"
#include "store/id.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char kind[] = "popstore-memory";

struct memory {
	struct memory_entry v[MEMORY_ENTRIES];
	size_t n;
};

struct memory_key memory_key(const char *what, const struct str *parts, size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct memory_key key = {""};
	EVP_MD_CTX *c;

	openssl_begin();
	c = EVP_MD_CTX_new();
	must(c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(c, what, strlen(what) + 1) == 1);
	for (size_t i = 0; i < n; i++) {
		char length[24]; /* so that no two lists are the same octets */
		int digits = snprintf(length, sizeof length, "%zu:", parts[i].n);

		must(EVP_DigestUpdate(c, length, (size_t)digits) == 1 &&
		     EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1);
	}
	must(EVP_DigestFinal_ex(c, sum, NULL) == 1);
	EVP_MD_CTX_free(c);
	for (size_t i = 0; i < MEMORY_DIGITS / 2; i++)
		snprintf(&key.hex[2 * i], 3, "%02x", sum[i]);
	return key;
}

/* ---- the file ---------------------------------------------------------------------------- */

static struct place place_of(const struct account *a)
{
	struct place p;

	name_place("accounts", &a->name, "memory", &p);
	return p;
}

static bool parse_entry(struct str value, struct memory_entry *out)
{
	struct str hex = str_word(&value);
	uint64_t half;

	if (hex.n != MEMORY_DIGITS || !str_sum64((struct str){hex.p, hex.n / 2}, &half) ||
	    !str_sum64((struct str){hex.p + hex.n / 2, hex.n / 2}, &half))
		return false;
	snprintf(out->key.hex, sizeof out->key.hex, STR_FMT, STR_ARG(hex));
	return str_u64(value, &out->until_ms);
}

static bool parse_lines(struct str text, struct memory *m)
{
	struct str key, value;

	while (record_next(&text, &key, &value)) {
		if (!str_eq(key, STR("key")))
			continue;
		if (m->n == MEMORY_ENTRIES || !parse_entry(value, &m->v[m->n]))
			return false;
		m->n++;
	}
	return true;
}

/* parse - one of another incarnation is an empty one, and so is a file that was never
 * written */
static int parse(struct str text, const struct account *a, struct memory *m,
		 struct err *e)
{
	struct place place = place_of(a);
	uint64_t uid = 0;
	struct buf b;
	bool ok;

	m->n = 0;
	if (str_is_blank(text))
		return 0;
	if (record_check(text, kind, place.path, e) < 0)
		return -1;
	buf_init(&b, ID_CHARS);
	ok = record_get(text, "uid", &b) && id_parse(buf_str(&b), &uid) &&
	     parse_lines(text, m);
	buf_fini(&b);
	if (!ok)
		return err_set(e, ERR_TEMP, "4.3.0", "%s is not well formed", place.path);
	if (uid != a->uid)
		m->n = 0;
	return 0;
}

static int read_memory(struct store *s, const struct account *a, struct memory *m,
		       struct err *e)
{
	struct place place = place_of(a);
	struct buf text;
	bool found;
	int rc;

	m->n = 0;
	buf_init(&text, RECORD_MAX);
	rc = storage_read(store_root(s), place.path, &text, &found, e);
	if (rc == 0 && found)
		rc = parse(buf_str(&text), a, m, e);
	buf_fini(&text);
	return rc;
}

static int write_memory(struct store *s, const struct account *a, const struct memory *m,
			struct err *e)
{
	struct place place = place_of(a);
	struct record_writer w;
	int rc;

	record_begin(&w, kind);
	record_put(&w, "uid", str_of(id_print(a->uid).c));
	for (size_t i = 0; i < m->n; i++) {
		char line[MEMORY_DIGITS + 24];

		snprintf(line, sizeof line, "%s %" PRIu64, m->v[i].key.hex,
			 m->v[i].until_ms);
		record_put(&w, "key", str_of(line));
	}
	rc = storage_put(store_root(s), place.path, record_finish(&w), STORAGE_DURABLE,
			 NULL, e);
	record_fini(&w);
	return rc;
}

/* lock - of the file itself, which is replaced under it; NULL: the account's directory is gone */
static int lock(struct store *s, const struct account *a, struct storage_file **out,
		struct err *e)
{
	struct place place = place_of(a);

	return storage_file_open_locked(store_root(s), place.path, STORAGE_APPEND, out,
					e);
}

static int is_gone(const struct account *a, struct err *e)
{
	return err_set(e, ERR_PERM, "5.1.1", "account %s is gone", a->name.s);
}

static int check_same(struct store *s, const struct account *a, struct err *e)
{
	struct account now;
	bool found;

	if (account_find(s, &a->name, &now, &found, e) < 0)
		return -1;
	return found && now.uid == a->uid ? 0 : is_gone(a, e);
}

/* lock_of_account - nothing is made where there is none, and who waited looks again */
static int lock_of_account(struct store *s, const struct account *a,
			   struct storage_file **out, struct err *e)
{
	if (check_same(s, a, e) < 0 || lock(s, a, out, e) < 0)
		return -1;
	if (*out == NULL)
		return is_gone(a, e);
	if (check_same(s, a, e) == 0)
		return 0;
	storage_file_close(out);
	return -1;
}

/* ---- what is remembered -------------------------------------------------------------------- */

static struct memory_entry *find(struct memory *m, const struct memory_key *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].key.hex, key->hex) == 0)
			return &m->v[i];
	return NULL;
}

static void forget(struct memory *m, struct memory_entry *x)
{
	*x = m->v[--m->n];
}

static void forget_old(struct memory *m, uint64_t now_ms)
{
	for (size_t i = m->n; i-- > 0;)
		if (m->v[i].until_ms <= now_ms)
			forget(m, &m->v[i]);
}

static void remember(struct memory *m, const struct memory_entry *new)
{
	struct memory_entry *x = find(m, &new->key);

	if (x == NULL && m->n == MEMORY_ENTRIES) {
		x = &m->v[0];
		for (size_t i = 1; i < m->n; i++)
			if (m->v[i].until_ms < x->until_ms)
				x = &m->v[i];
	} else if (x == NULL) {
		x = &m->v[m->n++];
	}
	*x = *new;
}

int memory_has(struct store *s, const struct account *a, const struct memory_key *key,
	       bool *has, struct err *e)
{
	/* Not zeroed: it is large, and asked for with each message that a filter sees. */
	struct memory *m = xresize(NULL, sizeof *m);
	const struct memory_entry *x;
	int rc = read_memory(s, a, m, e);

	x = rc == 0 ? find(m, key) : NULL;
	*has = x != NULL && x->until_ms > clock_unix_ms();
	xfree(&m);
	return rc;
}

static int put_locked(struct store *s, const struct account *a,
		      const struct memory_entry *v, size_t n, bool *taken,
		      struct memory *m, struct err *e)
{
	if (read_memory(s, a, m, e) < 0)
		return -1;
	forget_old(m, clock_unix_ms());
	if (taken != NULL) {
		*taken = find(m, &v->key) == NULL;
		if (!*taken)
			return 0;
	}
	for (size_t i = 0; i < n; i++)
		remember(m, &v[i]);
	return write_memory(s, a, m, e);
}

int memory_put(struct store *s, const struct account *a, const struct memory_entry *v,
	       size_t n, bool *taken, struct err *e)
{
	struct storage_file *held;
	struct memory *m;
	int rc;

	must(taken == NULL || n == 1);
	if (lock_of_account(s, a, &held, e) < 0)
		return -1;
	m = xalloc(sizeof *m);
	rc = put_locked(s, a, v, n, taken, m, e);
	xfree(&m);
	storage_file_close(&held);
	return rc;
}

int memory_forget(struct store *s, const struct account *a, const struct memory_key *key,
		  struct err *e)
{
	struct storage_file *held;
	struct memory_entry *x;
	struct memory *m;
	int rc;

	if (lock_of_account(s, a, &held, e) < 0)
		return -1;
	m = xalloc(sizeof *m);
	rc = read_memory(s, a, m, e);
	x = rc == 0 ? find(m, key) : NULL;
	if (x != NULL) {
		forget(m, x);
		rc = write_memory(s, a, m, e);
	}
	xfree(&m);
	storage_file_close(&held);
	return rc;
}

/* ---- check ------------------------------------------------------------------------------------ */

int memory_check(struct store *s, const struct account *a, struct err *e)
{
	struct memory *m = xalloc(sizeof *m);
	int rc = read_memory(s, a, m, e);

	xfree(&m);
	return rc;
}

int memory_mend(struct store *s, const struct account *a, bool *removed, struct err *e)
{
	struct place place = place_of(a);
	struct storage_file *held;
	struct err why;
	int rc = 0;

	*removed = false;
	if (lock(s, a, &held, e) < 0)
		return -1;
	if (held == NULL)
		return 0;
	if (memory_check(s, a, &why) < 0 && record_is_damage(&why)) {
		rc = storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
		*removed = rc == 0;
	}
	storage_file_close(&held);
	return rc;
}
