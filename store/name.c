/* SPDX-License-Identifier: ISC */
#include "store/name.h"

#include "store/record.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool component_octet_ok(char c, size_t at)
{
	return is_alnum(c) || strchr("_-+=@", c) != NULL || (c == '.' && at > 0) ||
	       (unsigned char)c >= 0x80;
}

/* put_component - each octet as it is or as %xx; an operator's charset, whatever it
 * holds, cannot make a slash, a leading dot or a control octet of a file name */
static void put_component(struct buf *out, struct str s)
{
	size_t plain = 0; /* where what stands for itself begins */

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\0' && component_octet_ok(s.p[i], i))
			continue;
		buf_put(out, (struct str){s.p + plain, i - plain});
		buf_printf(out, "%%%02x", (unsigned char)s.p[i]);
		plain = i + 1;
	}
	buf_put(out, (struct str){s.p + plain, s.n - plain});
}

/* ---- canonical names -------------------------------------------------------------- */

static bool local_octet_ok(const struct settings *set, char c)
{
	if (is_alnum(c))
		return true;
	if ((unsigned char)c >= 0x80)
		return set->store.utf8_names;
	/* Not even a careless configuration makes these part of a name. */
	return (unsigned char)c > ' ' && c != 0x7f && strchr("/@\\\"", c) == NULL &&
	       strchr(set->store.name_charset, c) != NULL;
}

static int check_local(const struct settings *set, struct str local, struct err *e)
{
	if (local.n == 0)
		return err_set(e, ERR_PERM, "5.1.3", "the name before the @ is empty");
	if (local.n > NAME_LOCAL_MAX)
		return err_set(e, ERR_PERM, "5.1.3",
			       "the name before the @ is longer than %d octets",
			       NAME_LOCAL_MAX);
	for (size_t i = 0; i < local.n; i++)
		if (!local_octet_ok(set, ascii_lower(local.p[i])))
			return err_set(e, ERR_PERM, "5.1.3",
				       "octet 0x%02x is not allowed in a name "
				       "(see name_charset in popstore.conf)",
				       (unsigned char)local.p[i]);
	if (!str_is_utf8(local))
		return err_set(e, ERR_PERM, "5.1.3", "the name is not well-formed UTF-8");
	return 0;
}

/* label_ok - RFC 1034 s3.5 with digits first (RFC 1123), or UTF-8 (RFC 5890) */
static bool label_ok(struct str label)
{
	if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = ascii_lower(label.p[i]);

		if (!is_alnum(c) && c != '-' && c != '_' && (unsigned char)c < 0x80)
			return false;
	}
	return true;
}

static int check_domain(struct str domain, struct err *e)
{
	struct str rest = domain;

	if (domain.n == 0)
		return err_set(e, ERR_PERM, "5.1.3", "the domain is missing");
	if (domain.n > NAME_DOMAIN_MAX)
		return err_set(e, ERR_PERM, "5.1.3",
			       "the domain is longer than %d octets", NAME_DOMAIN_MAX);
	if (!str_is_utf8(domain) || domain.p[domain.n - 1] == '.')
		return err_set(e, ERR_PERM, "5.1.3", "the domain is not well formed");
	while (rest.n > 0)
		if (!label_ok(str_cut(&rest, '.')))
			return err_set(e, ERR_PERM, "5.1.3",
				       "the domain is not well formed");
	return 0;
}

static void put_folded(char **to, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		*(*to)++ = ascii_lower(s.p[i]);
	**to = '\0';
}

/* fits_component - much of a local part may need encoding, three octets for one */
static bool fits_component(const struct name *n)
{
	struct buf b;

	buf_init(&b, NAME_MAX);
	put_component(&b, str_of(n->s));

	bool fits = !buf_over(&b);

	buf_fini(&b);
	return fits;
}

int name_of(const struct settings *set, struct str local, struct str domain,
	    struct name *out, struct err *e)
{
	char *to = out->s;

	out->s[0] = '\0';
	if (check_local(set, local, e) < 0 || check_domain(domain, e) < 0)
		return -1;
	put_folded(&to, local);
	*to++ = '@';
	put_folded(&to, domain);
	if (fits_component(out))
		return 0;
	out->s[0] = '\0';
	return err_set(e, ERR_PERM, "5.1.3", "the name is too long for a file name");
}

int name_parse(const struct settings *set, struct str s, struct name *out, struct err *e)
{
	const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;

	if (at == NULL)
		return err_set(e, ERR_PERM, "5.1.3", "a name is written name@domain");
	return name_of(set, (struct str){s.p, (size_t)(at - s.p)},
		       (struct str){at + 1, (size_t)(s.p + s.n - at - 1)}, out, e);
}

int name_domain(struct str s, struct name *out, struct err *e)
{
	char *to = out->s;

	out->s[0] = '\0';
	if (check_domain(s, e) < 0)
		return -1;
	put_folded(&to, s);
	return 0;
}

bool name_read(struct str s, struct name *out)
{
	char *to = out->s;

	if (s.n == 0 || s.n > NAME_OCTETS || memchr(s.p, '\0', s.n) != NULL)
		return false;
	put_folded(&to, s);
	return fits_component(out);
}

/* at_of - where the local part ends: the last one, since a folder's name may hold others */
static size_t at_of(const struct name *n)
{
	const char *at = strrchr(n->s, '@');

	return at != NULL ? (size_t)(at - n->s) : strlen(n->s);
}

struct str name_local(const struct name *n)
{
	return (struct str){n->s, at_of(n)};
}

struct str name_domain_of(const struct name *n)
{
	size_t at = at_of(n);

	return str_of(n->s[at] == '@' ? n->s + at + 1 : n->s);
}

/* ---- folders ---------------------------------------------------------------------- */

const char *name_folder_wrong(struct str folder)
{
	if (folder.n == 0)
		return "it is empty";
	if (folder.n > NAME_FOLDER_MAX)
		return "it is too long";
	if (!str_is_utf8(folder))
		return "it is not well-formed UTF-8";
	if (str_has_control(folder) || str_has_line_end(folder))
		return "it has a control character";
	if (memchr(folder.p, '/', folder.n) != NULL)
		return "it has a slash";
	return NULL;
}

bool name_of_folder(const struct name *account, struct str folder, struct name *out)
{
	struct str local = name_local(account), domain = name_domain_of(account);
	char *to = out->s;

	out->s[0] = '\0';
	if (name_folder_wrong(folder) != NULL || name_is_folder(account) ||
	    local.n + 1 + folder.n + 1 + domain.n > NAME_OCTETS)
		return false;
	put_folded(&to, local);
	*to++ = '/';
	put_folded(&to, folder);
	*to++ = '@';
	put_folded(&to, domain);
	if (fits_component(out))
		return true;
	out->s[0] = '\0';
	return false;
}

/* slash_of - NULL: it is no folder's name */
static const char *slash_of(const struct name *n)
{
	struct str local = name_local(n);

	return local.n > 0 ? memchr(local.p, '/', local.n) : NULL;
}

bool name_is_folder(const struct name *n)
{
	return slash_of(n) != NULL;
}

struct str name_folder(const struct name *n)
{
	const char *slash = slash_of(n);

	if (slash == NULL)
		return STR("");
	return (struct str){slash + 1, at_of(n) - (size_t)(slash + 1 - n->s)};
}

struct name name_account(const struct name *n)
{
	const char *slash = slash_of(n);
	struct name out = *n;

	if (slash != NULL)
		snprintf(out.s + (slash - n->s), sizeof out.s - (size_t)(slash - n->s),
			 "%s", n->s + at_of(n));
	return out;
}

/* ---- places -------------------------------------------------------------------------- */

static void add(struct place *p, size_t *n, struct str s)
{
	must(s.n < sizeof p->path - *n);
	memcpy(p->path + *n, s.p, s.n);
	*n += s.n;
	p->path[*n] = '\0';
}

/* hash_of - a folder's is that of its account, so that one directory has all of them */
static uint64_t hash_of(const struct name *n)
{
	struct name account;

	if (strchr(n->s, '/') == NULL)
		return XXH3_64bits(n->s, strlen(n->s));
	account = name_account(n);
	return XXH3_64bits(account.s, strlen(account.s));
}

/* Every message asks for this several times. */
void name_place(const char *tree, const struct name *n, const char *leaf,
		struct place *out)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t hash = hash_of(n);
	const char above[] = {'/', hex[hash >> 60],      hex[hash >> 56 & 15],
			      '/', hex[hash >> 52 & 15], hex[hash >> 48 & 15],
			      '/'};
	struct buf component;
	size_t len = 0;

	buf_init(&component, NAME_MAX);
	put_component(&component, str_of(n->s));
	must(!buf_over(&component)); /* whoever made the name saw to it */
	add(out, &len, str_of(tree));
	add(out, &len, (struct str){above, sizeof above});
	add(out, &len, buf_str(&component));
	if (leaf != NULL) {
		add(out, &len, STR("/"));
		add(out, &len, str_of(leaf));
	}
	buf_fini(&component);
}

bool name_from_component(struct str component, struct name *out)
{
	struct buf text, again;

	buf_init(&text, NAME_OCTETS);
	buf_init(&again, NAME_MAX);
	record_decode(component, &text);

	bool ok = !buf_over(&text) && name_read(buf_str(&text), out);

	/* It is ours only if it is how we would write it. */
	if (ok)
		put_component(&again, str_of(out->s));
	ok = ok && str_eq(buf_str(&again), component);
	buf_fini(&again);
	buf_fini(&text);
	return ok;
}
