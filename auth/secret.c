/* SPDX-License-Identifier: ISC */
#include "auth/secret_int.h"

#include "auth/seal.h"
#include "lib/base64.h"
#include "store/domain.h"
#include "store/id.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

const char secret_kind[] = "popstore-secret";

/* ---- the record --------------------------------------------------------------------- */

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
		return store_has_tree(s, "secrets", e);
	if (record_check(buf_str(text), secret_kind, place.path, e) < 0)
		return -1;
	buf_init(&said, sizeof uid_octets);
	*found = record_get(buf_str(text), "uid", &said) &&
		 str_eq(buf_str(&said), str_of(uid.c));
	buf_fini(&said);
	/* What a change of the flag could not remove, for a crash or another program. */
	*found = *found && !(a->flags & ACCOUNT_PWD_ELSEWHERE);
	return 0;
}

/* take - a value that is there once or not at all; false: there is no room for it */
static bool take(struct str value, char *out, size_t room)
{
	struct buf b;
	bool ok;

	buf_init_secret(&b, room - 1);
	record_decode(value, &b);
	ok = !buf_over(&b) && memchr(buf_str(&b).p, '\0', b.n) == NULL;
	if (ok)
		memcpy(out, buf_cstr(&b), b.n + 1);
	buf_fini_secret(&b);
	return ok;
}

static bool take_scram(struct str value, struct secret *x)
{
	struct scram_verifier v;
	bool ok;

	if (str_eq(value, STR("none"))) {
		x->scram_none = true;
		return true;
	}
	ok = scram_parse(value, &v) &&
	     take(value, x->scram[v.hash], sizeof x->scram[v.hash]);
	explicit_bzero(&v, sizeof v);
	return ok;
}

static bool take_line(struct str key, struct str value, struct secret *x)
{
	if (str_eq(key, STR("set")))
		return str_u64(value, &x->set_ms);
	if (str_eq(key, STR("hash")))
		return take(value, x->hash, sizeof x->hash);
	if (str_eq(key, STR("scram")))
		return take_scram(value, x);
	return !str_eq(key, STR("sealed")) || take(value, x->sealed, sizeof x->sealed);
}

/* version - the checksum: every change draws a salt or a nonce */
static uint64_t version(struct str text)
{
	uint64_t sum = 0;

	must(text.n > 17 && str_sum64((struct str){text.p + text.n - 17, 16}, &sum));
	return sum;
}

static bool parse(struct secret *x)
{
	struct str rest = buf_str(&x->text), key, value;

	while (record_next(&rest, &key, &value))
		if (!take_line(key, value, x))
			return false;
	x->has_scram = true;
	for (size_t i = 0; i < SCRAM_HASHES; i++)
		x->has_scram = x->has_scram && x->scram[i][0] != '\0';
	x->version = version(buf_str(&x->text));
	return x->set_ms != 0 && x->hash[0] != '\0';
}

int secret_load(struct store *s, const struct account *a, struct secret *out,
		struct err *e)
{
	*out = (struct secret){0};
	buf_init_secret(&out->text, SECRET_MAX);

	int rc = read_record(s, a, &out->text, &out->found, e);

	if (rc == 0 && out->found && !parse(out))
		rc = err_set(e, ERR_TEMP, "4.3.0", "the secret of %s is not well formed",
			     a->name.s);
	if (rc < 0)
		secret_fini(out);
	return rc;
}

void secret_fini(struct secret *x)
{
	buf_fini_secret(&x->text);
	explicit_bzero(x, sizeof *x);
}

int secret_version(struct store *s, const struct account *a, uint64_t *out, struct err *e)
{
	struct buf text;
	bool found;

	*out = 0;
	buf_init_secret(&text, SECRET_MAX);

	int rc = read_record(s, a, &text, &found, e);

	if (rc == 0 && found)
		*out = version(buf_str(&text));
	buf_fini_secret(&text);
	return rc;
}

/* ---- what the domain asks for ---------------------------------------------------------- */

int secret_sealing(struct store *s, const struct account *a, enum secret_sealing *out,
		   struct err *e)
{
	struct domain d;
	bool found;

	*out = SEALING_UNKNOWN;
	if (domain_find(s, name_domain_of(&a->name), &d, &found, e) < 0)
		return record_is_damage(e) ? 0 : -1;
	*out = found && d.recoverable ? SEALING_YES : SEALING_NO;
	return 0;
}

struct secret_key_id secret_key_id(const unsigned char derived[SITE_KEY_OCTETS])
{
	struct secret_key_id id = {{0}};

	for (size_t i = 0; i < 8; i++)
		snprintf(id.hex + 2 * i, 3, "%02x", derived[i]);
	return id;
}

/* is_sealed_by_ours - or it cannot be told now */
static bool is_sealed_by_ours(struct store *s, const struct secret *x)
{
	unsigned char derived[SITE_KEY_OCTETS];
	struct str rest = str_of(x->sealed);
	struct err ignored;
	bool found;

	str_cut(&rest, ':');
	if (site_key_find(s, "seal id", derived, &found, &ignored) < 0)
		return true;
	return found && str_eq(str_cut(&rest, ':'), str_of(secret_key_id(derived).hex));
}

static bool is_behind(struct store *s, const struct secret *x,
		      enum secret_sealing sealing)
{
	if (sealing == SEALING_NO && x->sealed[0] != '\0')
		return true;
	if (sealing == SEALING_YES && (x->sealed[0] == '\0' || !is_sealed_by_ours(s, x)))
		return true;
	return secret_hash_is_weak(store_settings(s), x->hash) ||
	       secret_scram_is_weak(store_settings(s), x);
}

int secret_read(struct store *s, const struct account *a, struct secret *out,
		struct err *e)
{
	enum secret_sealing sealing;

	if (secret_load(s, a, out, e) < 0)
		return -1;
	if (!out->found)
		return 0;
	if (secret_sealing(s, a, &sealing, e) < 0) {
		secret_fini(out);
		return -1;
	}
	out->recoverable = sealing == SEALING_YES;
	out->needs_upgrade = is_behind(s, out, sealing);
	return 0;
}

int secret_stamp(struct store *s, const struct name *name, uint64_t *stamp, bool *found,
		 struct err *e)
{
	struct place place;

	name_place("secrets", name, NULL, &place);
	return storage_stamp(store_root(s), place.path, stamp, found, e);
}

bool secret_is_expired(const struct settings *set, uint64_t set_ms, uint64_t now_ms)
{
	uint64_t lifetime_s = set->auth.password_lifetime_s;

	return set_ms != 0 && lifetime_s > 0 && now_ms > set_ms &&
	       (now_ms - set_ms) / 1000 >= lifetime_s;
}

/* ---- checking --------------------------------------------------------------------- */

int secret_matches(struct store *s, const struct secret *x, struct str password,
		   bool *match, struct err *e)
{
	*match = false;
	if (x->found)
		return secret_hash_matches(store_settings(s), x->hash, password, match,
					   e);
	secret_check_nobody(s, password);
	return 0;
}

int secret_was(const struct secret *x, size_t n, struct str password, bool *match,
	       struct err *e)
{
	struct str rest = buf_str(&x->text), key, value;
	char hash[SECRET_HASH_MAX];
	int rc = 0;

	*match = false;
	while (rc == 0 && n > 0 && !*match && record_next(&rest, &key, &value)) {
		if (!str_eq(key, STR("old")) || !take(value, hash, sizeof hash))
			continue;
		rc = secret_hash_matches(NULL, hash, password, match, e);
		n--;
	}
	explicit_bzero(hash, sizeof hash);
	return rc;
}

int secret_check(struct store *s, const struct account *a, struct str password,
		 bool *match, struct err *e)
{
	struct secret x;

	*match = false;
	if (secret_read(s, a, &x, e) < 0)
		return -1;

	int rc = secret_matches(s, &x, password, match, e);

	secret_fini(&x);
	return rc < 0 ? err_add(e, "secret of %s", a->name.s) : 0;
}

/* ---- the password itself ------------------------------------------------------------ */

void secret_context(const struct account *a, struct buf *out)
{
	buf_printf(out, "%s %s", a->name.s, id_print(a->uid).c);
}

static int open_with(const unsigned char *key, const struct account *a, struct str text,
		     struct buf *out, struct err *e)
{
	struct buf context, octets;
	bool ok;

	buf_init(&context, NAME_OCTETS + ID_CHARS + 1);
	buf_init_secret(&octets, PASSWORD_MAX + SEAL_MORE);
	secret_context(a, &context);
	ok = base64_decode(text, &octets) && !buf_over(&octets) &&
	     seal_open(key, buf_str(&context), buf_str(&octets), out);
	buf_fini_secret(&octets);
	buf_fini(&context);
	return ok ? 0
		  : err_set(e, ERR_TEMP, "4.3.0",
			    "the sealed password of %s does not open: 'popstore passwd' "
			    "sets it anew",
			    a->name.s);
}

int secret_open_sealed(struct store *s, const struct account *a, const struct secret *x,
		       struct buf *password, struct err *e)
{
	unsigned char key[SITE_KEY_OCTETS];
	struct str text = str_of(x->sealed);
	bool found = false;
	int rc;

	if (!x->found || text.n == 0)
		return err_set(e, ERR_PERM, "5.7.0", "no password of %s is recoverable",
			       a->name.s);
	if (!str_eq(str_cut(&text, ':'), STR(SECRET_SEALED_BY)))
		return err_set(e, ERR_TEMP, "4.3.5",
			       "the password of %s was sealed by a later program",
			       a->name.s);
	if (!is_sealed_by_ours(s, x))
		return err_set(e, ERR_TEMP, "4.3.5",
			       "the password of %s was sealed with another site key: put "
			       "secrets/site-key back from a backup, or set it anew",
			       a->name.s);
	str_cut(&text, ':');
	rc = site_key_find(s, "seal", key, &found, e);
	if (rc == 0 && !found)
		rc = err_set(e, ERR_TEMP, "4.3.0", "the site key was removed just now");
	if (rc == 0)
		rc = open_with(key, a, text, password, e);
	explicit_bzero(key, sizeof key);
	return rc;
}
