/* SPDX-License-Identifier: ISC */
#include "mail/srs.h"

#include "lib/base64.h"
#include "lib/openssl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum {
	DAY_S = 24 * 3600,
	DAYS = 1024, /* that two characters tell apart */
	SHA1_OCTETS = 20,
	HASH_ALL = 27, /* of base64 of it, without the padding */
	ADDRESS_MAX = ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX,
};

static const char day_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct srs {
	char domain[ADDRESS_DOMAIN_MAX + 1];
	unsigned hash, days;
	size_t n;
	struct buf secrets[SRS_SECRETS];
};

/* ---- secrets -------------------------------------------------------------------------- */

static int add_secret(struct srs *s, struct str line, struct err *e)
{
	if (line.n < SRS_SECRET_MIN || line.n > SRS_SECRET_MAX)
		return err_set(e, ERR_PERM, "5.3.5", "a secret has %d to %d octets",
			       SRS_SECRET_MIN, SRS_SECRET_MAX);
	if (s->n == SRS_SECRETS)
		return err_set(e, ERR_PERM, "5.3.5", "there are more than %d secrets",
			       SRS_SECRETS);
	buf_init_secret(&s->secrets[s->n], SRS_SECRET_MAX);
	buf_put(&s->secrets[s->n++], line);
	return 0;
}

static int add_secrets(struct srs *s, struct str text, struct err *e)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		if (str_ends(line, STR("\r")))
			line.n--;
		line = str_trim(line);
		if (line.n > 0 && line.p[0] != '#' && add_secret(s, line, e) < 0)
			return -1;
	}
	return s->n > 0 ? 0 : err_set(e, ERR_PERM, "5.3.5", "there is no secret");
}

struct srs *srs_new(const struct srs_rules *rules, struct str secrets, struct err *e)
{
	struct srs *s = xalloc(sizeof *s);

	must(rules->hash >= SRS_HASH_MIN && rules->hash <= SRS_HASH_MAX &&
	     rules->days > 0 && rules->days < DAYS);
	openssl_begin();
	s->hash = rules->hash;
	s->days = rules->days;
	for (size_t i = 0; i < ADDRESS_DOMAIN_MAX && rules->domain[i] != '\0'; i++)
		s->domain[i] = ascii_lower(rules->domain[i]);
	if (add_secrets(s, secrets, e) < 0)
		srs_free(&s);
	return s;
}

void srs_free(struct srs **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->n; i++)
		buf_fini_secret(&(*s)->secrets[i]);
	xfree(s);
}

/* ---- the hash ---------------------------------------------------------------------------- */

struct hash {
	char c[BASE64_OCTETS(SHA1_OCTETS) + 1];
};

static struct hash hash_of(const struct buf *secret, const struct str *parts, size_t n)
{
	char text[2 * ADDRESS_MAX];
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned sum_n = sizeof sum;
	struct hash h;
	struct buf out;
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n && at < sizeof text; k++)
			text[at++] = ascii_lower(parts[i].p[k]);
	must(HMAC(EVP_sha1(), secret->p, (int)secret->n, (const unsigned char *)text, at,
		  sum, &sum_n) != NULL &&
	     sum_n == SHA1_OCTETS);
	buf_init(&out, sizeof h.c - 1);
	base64_encode((struct str){(const char *)sum, sum_n}, &out);
	snprintf(h.c, sizeof h.c, "%s", buf_cstr(&out));
	buf_fini(&out);
	return h;
}

/* same - without case, and in the same time wherever they differ */
static bool same(const char *a, struct str b)
{
	int differ = 0;

	for (size_t i = 0; i < b.n; i++)
		differ |= ascii_lower(a[i]) ^ ascii_lower(b.p[i]);
	return differ == 0;
}

static bool is_ours(const struct srs *s, struct str hash, const struct str *parts,
		    size_t n)
{
	bool found = false;

	if (hash.n < s->hash || hash.n > HASH_ALL)
		return false;
	for (size_t i = 0; i < s->n; i++)
		found |= same(hash_of(&s->secrets[i], parts, n).c, hash);
	return found;
}

/* ---- the two forms --------------------------------------------------------------------------- */

/* has_tag - "SRS0=", where the last may be one of three; *rest begins with it */
static bool has_tag(struct str local, const char *tag, struct str *rest)
{
	size_t n = strlen(tag);

	if (!str_istarts(local, str_of(tag)) || local.n <= n ||
	    strchr("=-+", local.p[n]) == NULL)
		return false;
	*rest = (struct str){local.p + n, local.n - n};
	return true;
}

/* part - up to the next '='; false: there is none, or nothing before it */
static bool part(struct str *rest, struct str *out)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '=', rest->n) : NULL;

	if (end == NULL || end == rest->p)
		return false;
	*out = str_cut(rest, '=');
	return true;
}

/* Of the second form, behind its tag. */
struct second {
	struct str hash, host,
		user; /* user begins with the separator of the first form */
};

static bool second_parse(struct str rest, struct second *out)
{
	str_cut(&rest, rest.p[0]);
	if (!part(&rest, &out->hash) || !part(&rest, &out->host) || rest.n < 2 ||
	    strchr("=-+", rest.p[0]) == NULL)
		return false;
	out->user = rest;
	return true;
}

/* take - what was signed was an address once; nothing else leaves here */
static enum srs_result take(struct str local, struct str domain, struct address *out)
{
	struct address a = {0};
	struct buf text;
	bool ok = local.n <= ADDRESS_LOCAL_MAX && domain.n <= ADDRESS_DOMAIN_MAX;

	*out = a;
	if (!ok)
		return SRS_FORGED;
	memcpy(a.local, local.p, local.n);
	memcpy(a.domain, domain.p, domain.n);
	/* With quotes, so that no local part reads as something else. */
	buf_init(&text, 2 * ADDRESS_MAX);
	address_print(&text, &a);
	ok = !buf_over(&text) && address_parse(buf_str(&text), true, out) == ADDRESS_OK &&
	     out->domain[0] != '\0';
	buf_fini(&text);
	if (!ok)
		*out = (struct address){0};
	return ok ? SRS_OK : SRS_FORGED;
}

/* second_home - the first form of it, at the host that made that */
static enum srs_result second_home(const struct second *x, struct address *out)
{
	struct buf local;
	enum srs_result r;

	buf_init(&local, ADDRESS_LOCAL_MAX);
	buf_put(&local, STR("SRS0"));
	buf_put(&local, x->user);
	r = take(buf_str(&local), x->host, out);
	buf_fini(&local);
	return r;
}

/* ---- forward ------------------------------------------------------------------------------------ */

static void put_second(const struct srs *s, struct str host, struct str user,
		       struct buf *local)
{
	struct str parts[] = {host, user};
	struct hash h = hash_of(&s->secrets[0], parts, countof(parts));

	buf_printf(local, "SRS1=%.*s=" STR_FMT "=" STR_FMT, (int)s->hash, h.c,
		   STR_ARG(host), STR_ARG(user));
}

static void put_first(const struct srs *s, const struct address *sender, int64_t unix_s,
		      struct buf *local)
{
	unsigned day = (unsigned)(unix_s / DAY_S % DAYS);
	char stamp[] = {day_digits[day / 32], day_digits[day % 32], '\0'};
	struct str parts[] = {str_of(stamp), str_of(sender->domain),
			      str_of(sender->local)};
	struct hash h = hash_of(&s->secrets[0], parts, countof(parts));

	buf_printf(local, "SRS0=%.*s=%s=%s=%s", (int)s->hash, h.c, stamp, sender->domain,
		   sender->local);
}

bool srs_forward(const struct srs *s, const struct address *sender, int64_t unix_s,
		 struct address *out)
{
	struct str from = str_of(sender->local), rest;
	struct second second;
	struct buf local;
	bool fits;

	buf_init(&local, ADDRESS_LOCAL_MAX);
	if (has_tag(from, "SRS0", &rest) && rest.n > 1)
		put_second(s, str_of(sender->domain), rest, &local);
	else if (has_tag(from, "SRS1", &rest) && second_parse(rest, &second) &&
		 second_home(&second, out) == SRS_OK)
		put_second(s, second.host, second.user, &local);
	else
		put_first(s, sender, unix_s, &local);
	fits = !buf_over(&local) && sender->domain[0] != '\0';
	*out = (struct address){0};
	if (fits) {
		memcpy(out->local, local.p, local.n);
		memcpy(out->domain, s->domain, sizeof out->domain);
	}
	buf_fini(&local);
	return fits;
}

/* ---- reverse --------------------------------------------------------------------------------------- */

static int day_digit(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	at = c != '\0' ? strchr(day_digits, c) : NULL;
	return at != NULL ? (int)(at - day_digits) : -1;
}

/* is_fresh - days go round after 1024 of them; tomorrow's is a clock that is ahead of ours */
static bool is_fresh(const struct srs *s, struct str stamp, int64_t unix_s)
{
	int high = stamp.n == 2 ? day_digit(stamp.p[0]) : -1;
	int low = stamp.n == 2 ? day_digit(stamp.p[1]) : -1;
	int64_t age;

	if (high < 0 || low < 0)
		return false;
	age = (unix_s / DAY_S + 1 - (high * 32 + low)) % DAYS;
	return age >= 0 && age <= (int64_t)s->days + 1;
}

static enum srs_result reverse_first(const struct srs *s, struct str rest, int64_t unix_s,
				     struct address *out)
{
	struct str hash, parts[3];

	str_cut(&rest, rest.p[0]);
	if (!part(&rest, &hash) || !part(&rest, &parts[0]) || !part(&rest, &parts[1]) ||
	    rest.n == 0)
		return SRS_FORGED;
	parts[2] = rest;
	if (!is_ours(s, hash, parts, countof(parts)))
		return SRS_FORGED;
	if (!is_fresh(s, parts[0], unix_s))
		return SRS_EXPIRED;
	return take(parts[2], parts[1], out);
}

static enum srs_result reverse_second(const struct srs *s, struct str rest,
				      struct address *out)
{
	struct second second;
	struct str parts[2];

	if (!second_parse(rest, &second))
		return SRS_FORGED;
	parts[0] = second.host;
	parts[1] = second.user;
	if (!is_ours(s, second.hash, parts, countof(parts)))
		return SRS_FORGED;
	return second_home(&second, out);
}

enum srs_result srs_reverse(const struct srs *s, const struct address *a, int64_t unix_s,
			    struct address *out)
{
	struct str local = str_of(a->local), rest;

	*out = (struct address){0};
	if (strcmp(a->domain, s->domain) != 0)
		return SRS_NONE;
	if (has_tag(local, "SRS0", &rest))
		return reverse_first(s, rest, unix_s, out);
	if (has_tag(local, "SRS1", &rest))
		return reverse_second(s, rest, out);
	return SRS_NONE;
}
