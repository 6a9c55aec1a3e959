/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "lib/base64.h"
#include "store/id.h"
#include "store/record.h"
#include "store/store_int.h"

enum { SITE_KEY_OCTETS = 32 };

/* check_secret - auth/secret.c makes them; what a hash is, only crypt(3) knows */
int check_secret(struct str text, const struct name *name, const char *what,
		 struct err *e)
{
	struct buf own, uid, hash;
	uint64_t u;

	if (record_check(text, "popstore-secret", what, e) < 0)
		return -1;
	buf_init(&own, NAME_OCTETS);
	buf_init(&uid, ID_CHARS);
	buf_init_secret(&hash, RECORD_MAX);

	bool ok = record_get(text, "name", &own) &&
		  str_eq(buf_str(&own), str_of(name->s)) &&
		  record_get(text, "uid", &uid) && !buf_over(&uid) &&
		  id_parse(buf_str(&uid), &u) && record_get_u64(text, "set", &u) &&
		  record_get(text, "hash", &hash) && hash.n > 0;

	buf_fini(&own);
	buf_fini(&uid);
	buf_fini_secret(&hash);
	return ok ? 0
		  : err_set(e, ERR_TEMP, "4.3.0", "secret of %s is not well formed",
			    name->s);
}

/* check_site_key - auth/site_key.c makes it */
int check_site_key(struct str text, const struct name *name UNUSED, const char *what,
		   struct err *e)
{
	struct buf digits, octets;
	uint64_t made;

	if (record_check(text, "popstore-site-key", what, e) < 0)
		return -1;
	buf_init_secret(&digits, RECORD_MAX);
	buf_init_secret(&octets, RECORD_MAX);

	bool ok = record_get_u64(text, "made", &made) &&
		  record_get(text, "key", &digits) &&
		  base64_decode(buf_str(&digits), &octets) && octets.n == SITE_KEY_OCTETS;

	buf_fini_secret(&octets);
	buf_fini_secret(&digits);
	return ok ? 0 : err_set(e, ERR_TEMP, "4.3.0", "%s is not well formed", what);
}

bool check_secret_may_be(struct store *s, struct str text, const struct name *name)
{
	struct account a;
	struct buf uid;
	struct err e;
	bool found;

	if (account_find(s, name, &a, &found, &e) < 0 || !found)
		return false;
	buf_init(&uid, ID_CHARS);
	record_get(text, "uid", &uid);
	found = str_eq(buf_str(&uid), str_of(id_print(a.uid).c));
	buf_fini(&uid);
	return found;
}

bool check_secret_is_remnant(struct store *s, struct str text, const struct name *name)
{
	struct place maildrop;
	bool has_mail;
	struct err e;

	name_place("accounts", name, "maildrop", &maildrop);
	return str_is_blank(text) &&
	       storage_exists(store_root(s), maildrop.path, &has_mail, &e) == 0 &&
	       !has_mail;
}
