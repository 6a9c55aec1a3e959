/* SPDX-License-Identifier: ISC */
#include "auth/scheme.h"

#include "lib/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* ---- crypt(3) ----------------------------------------------------------------------- */

/* is_itoa64 - the digits of every crypt(3) method */
static bool is_itoa64(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= '.' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

static bool is_des(struct str s)
{
	return s.n == 13 && is_itoa64(s);
}

/* tail - s without its prefix, cut in two at the last '$' */
static bool tail(struct str s, size_t prefix, struct str *parameters, struct str *hash)
{
	const char *last;

	s.p += prefix;
	s.n -= prefix;
	last = memrchr(s.p, '$', s.n);
	if (last == NULL)
		return false;
	*parameters = (struct str){s.p, (size_t)(last - s.p)};
	*hash = (struct str){last + 1, s.n - parameters->n - 1};
	return is_itoa64(*hash);
}

/* is_salt - any printable octets but those that end it */
static bool is_salt(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || strchr(" $:*!\\", s.p[i]) != NULL)
			return false;
	return s.n <= max;
}

static bool is_md5(struct str s)
{
	struct str salt, hash;

	return tail(s, 3, &salt, &hash) && is_salt(salt, 8) && hash.n == 22;
}

static bool is_sha(struct str s)
{
	static const struct str rounds_word = STR_INIT("rounds=");
	struct str salt, hash;
	uint32_t rounds;

	if (!tail(s, 3, &salt, &hash))
		return false;
	if (str_starts(salt, rounds_word)) {
		struct str number = str_cut(&salt, '$');

		number.p += rounds_word.n;
		number.n -= rounds_word.n;
		if (!str_u32(number, &rounds) || rounds > SCHEME_ROUNDS_MAX)
			return false;
	}
	return is_salt(salt, 16) && hash.n == (s.p[1] == '5' ? 43 : 86);
}

/* is_bcrypt - $2b$12$ and 53 digits */
static bool is_bcrypt(struct str s)
{
	struct str cost = {s.p + 4, 2}, hash = {s.p + 7, 53};
	uint32_t n;

	return s.n == 60 && strchr("abxy", s.p[2]) != NULL && s.p[2] != '\0' &&
	       s.p[3] == '$' && s.p[6] == '$' && str_u32(cost, &n) && n >= 4 &&
	       n <= SCHEME_BCRYPT_MAX && is_itoa64(hash);
}

static uint32_t itoa64(char c)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (uint32_t)(at - digits) : 64;
}

/* is_yescrypt - as crypt_gensalt(3) makes them: $y$j, a digit for N, one for r, and no more.
 * 2^18 blocks of 4 KiB are cost 11. */
static bool is_yescrypt(struct str s)
{
	struct str rest = {s.p + 7, 0};
	struct str salt;

	if (s.n < 8 || s.p[3] != 'j' || s.p[6] != '$' || itoa64(s.p[4]) > 17 ||
	    itoa64(s.p[5]) > 31)
		return false;
	rest.n = s.n - 7;
	salt = str_cut(&rest, '$');
	return salt.n > 0 && salt.n <= 86 && is_itoa64(salt) && rest.n == 43 &&
	       is_itoa64(rest);
}

static const struct method {
	const char *prefix;
	bool (*is)(struct str s);
} methods[] = {
	/* clang-format off */
	{"$1$", is_md5},
	{"$5$", is_sha},
	{"$6$", is_sha},
	{"$2",  is_bcrypt},
	{"$y$", is_yescrypt},
	{"",    is_des},
	/* clang-format on */
};

static bool is_crypt(struct str s, const char *prefix)
{
	if (!str_starts(s, str_of(prefix)))
		return false;
	for (size_t i = 0; i < countof(methods); i++)
		if (str_starts(s, str_of(methods[i].prefix)))
			return methods[i].is(s);
	return false;
}

/* ---- the table ---------------------------------------------------------------------- */

enum coding { CODING_BASE64, CODING_HEX };

static const struct scheme_row {
	const char *name;
	enum scheme_kind kind;
	const char *what; /* crypt(3)'s prefix, or the digest */
	size_t octets;    /* of the digest */
	bool salted;
	enum coding coding;
} rows[] = {
	/* clang-format off */
	{"CRYPT",        SCHEME_CRYPT,  "",         0,  false, CODING_BASE64},
	{"MD5-CRYPT",    SCHEME_CRYPT,  "$1$",      0,  false, CODING_BASE64},
	{"SHA256-CRYPT", SCHEME_CRYPT,  "$5$",      0,  false, CODING_BASE64},
	{"SHA512-CRYPT", SCHEME_CRYPT,  "$6$",      0,  false, CODING_BASE64},
	{"BLF-CRYPT",    SCHEME_CRYPT,  "$2",       0,  false, CODING_BASE64},
	{"BCRYPT",       SCHEME_CRYPT,  "$2",       0,  false, CODING_BASE64},
	{"YESCRYPT",     SCHEME_CRYPT,  "$y$",      0,  false, CODING_BASE64},
	{"SHA",          SCHEME_DIGEST, "SHA1",     20, false, CODING_BASE64},
	{"SSHA",         SCHEME_DIGEST, "SHA1",     20, true,  CODING_BASE64},
	{"SHA256",       SCHEME_DIGEST, "SHA2-256", 32, false, CODING_BASE64},
	{"SSHA256",      SCHEME_DIGEST, "SHA2-256", 32, true,  CODING_BASE64},
	{"SHA512",       SCHEME_DIGEST, "SHA2-512", 64, false, CODING_BASE64},
	{"SSHA512",      SCHEME_DIGEST, "SHA2-512", 64, true,  CODING_BASE64},
	{"SMD5",         SCHEME_DIGEST, "MD5",      16, true,  CODING_BASE64},
	{"MD5",          SCHEME_DIGEST, "MD5",      16, false, CODING_BASE64},
	{"LDAP-MD5",     SCHEME_DIGEST, "MD5",      16, false, CODING_BASE64},
	{"PLAIN-MD5",    SCHEME_DIGEST, "MD5",      16, false, CODING_HEX},
	{"PLAIN",        SCHEME_PLAIN,  "",         0,  false, CODING_BASE64},
	{"CLEARTEXT",    SCHEME_PLAIN,  "",         0,  false, CODING_BASE64},
	/* clang-format on */
};

/* find_row - and *value, what follows the scheme */
static const struct scheme_row *find_row(struct str text, struct str *value)
{
	struct str name = str_cut(&text, '}');

	if (!str_starts(name, STR("{")) || name.p + name.n == text.p)
		return NULL;
	name.p++;
	name.n--;
	*value = text;
	for (size_t i = 0; i < countof(rows); i++) {
		if (!str_ieq(name, str_of(rows[i].name)))
			continue;
		/* Two systems call different things so. */
		if (str_ieq(name, STR("MD5")) && str_starts(text, STR("$1$")))
			return find_row(STR("{MD5-CRYPT}"), &name);
		return &rows[i];
	}
	return NULL;
}

/* ---- reading ------------------------------------------------------------------------ */

static bool hex(struct str text, struct buf *out)
{
	for (size_t i = 0; i + 1 < text.n; i += 2) {
		uint64_t octet;

		if (!str_hex64((struct str){text.p + i, 2}, &octet))
			return false;
		buf_putc(out, (char)octet);
	}
	return text.n % 2 == 0;
}

static bool parse_digest(struct scheme *x)
{
	const struct scheme_row *r = x->row;
	struct buf b;
	bool ok;

	buf_init_secret(&b, sizeof x->octets);
	ok = (r->coding == CODING_HEX ? hex : base64_decode)(x->value, &b) &&
	     !buf_over(&b) &&
	     (r->salted ? b.n > r->octets && b.n - r->octets <= SCHEME_SALT_MAX
			: b.n == r->octets);
	if (ok)
		memcpy(x->octets, b.p, b.n);
	x->digest_n = r->octets;
	x->n = b.n;
	buf_fini_secret(&b);
	return ok;
}

bool scheme_is_named(struct str text)
{
	struct str value;

	return find_row(text, &value) != NULL;
}

int scheme_parse(struct str text, struct scheme *out, struct err *e)
{
	bool ok = true;

	*out = (struct scheme){0};
	out->row = find_row(text, &out->value);
	if (out->row == NULL)
		return err_set(e, ERR_PERM, "5.7.0",
			       "the hash begins with no scheme that is known, as {CRYPT} "
			       "or {SSHA}");
	if (text.n > SCHEME_TEXT_MAX)
		return err_set(e, ERR_PERM, "5.7.0", "the hash is longer than %d octets",
			       SCHEME_TEXT_MAX);
	out->kind = out->row->kind;
	if (out->kind == SCHEME_CRYPT)
		ok = is_crypt(out->value, out->row->what);
	else if (out->kind == SCHEME_DIGEST)
		ok = parse_digest(out);
	return ok ? 0
		  : err_set(e, ERR_PERM, "5.7.0",
			    "what follows {%s} is no such hash, or one that costs too "
			    "much",
			    out->row->name);
}

void scheme_print(const struct scheme *x, struct buf *out)
{
	if (x->kind != SCHEME_CRYPT)
		buf_printf(out, "{%s}", x->row->name);
	buf_put(out, x->value);
}

/* ---- verifying ---------------------------------------------------------------------- */

static bool digest(const struct scheme *x, struct str password, unsigned char *out)
{
	EVP_MD *md = EVP_MD_fetch(NULL, x->row->what, NULL);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = md != NULL && c != NULL && EVP_DigestInit_ex(c, md, NULL) == 1 &&
		  EVP_DigestUpdate(c, password.p, password.n) == 1 &&
		  EVP_DigestUpdate(c, x->octets + x->digest_n, x->n - x->digest_n) == 1 &&
		  EVP_DigestFinal_ex(c, out, NULL) == 1;

	EVP_MD_CTX_free(c);
	EVP_MD_free(md);
	return ok;
}

bool scheme_matches(const struct scheme *x, struct str password)
{
	unsigned char computed[EVP_MAX_MD_SIZE];
	bool match;

	must(x->kind == SCHEME_DIGEST);
	match = digest(x, password, computed) &&
		CRYPTO_memcmp(computed, x->octets, x->digest_n) == 0;
	explicit_bzero(computed, sizeof computed);
	return match;
}
