/* SPDX-License-Identifier: ISC */
#include "auth/password_policy.h"

#include "auth/secret_int.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

static int refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_PERM, "5.7.0", "%s", why);
}

int password_policy_may_change(const struct account *a, struct err *e)
{
	if (a->flags & ACCOUNT_LOCKPWD)
		return refuse(e, "the password of this account cannot be changed");
	if (a->flags & ACCOUNT_PWD_ELSEWHERE)
		return refuse(e, "the password of this account is kept elsewhere");
	return 0;
}

/* ---- length, name ------------------------------------------------------------------- */

/* characters - octets that begin one */
static size_t characters(struct str s)
{
	size_t n = 0;

	if (!str_is_utf8(s))
		return s.n;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static int check_length(const struct settings *set, struct str password, struct err *e)
{
	uint64_t min = set->auth.password_min_length;

	if (characters(password) >= min)
		return 0;
	return err_set(e, ERR_PERM, "5.7.0", "the password has less than %u characters",
		       (unsigned)min);
}

static int check_name(const struct account *a, struct str password, struct err *e)
{
	if (str_ieq(password, name_local(&a->name)) ||
	    str_ieq(password, str_of(a->name.s)))
		return refuse(e, "the password is the name of the account");
	return 0;
}

/* ---- dictionary --------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return ascii_lower(c) != c || (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

/* core - without what is no letter at both ends; as it is, where that is most of it */
static struct str core(struct str password)
{
	struct str s = password;

	while (s.n > 0 && !is_letter(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && !is_letter(s.p[s.n - 1]))
		s.n--;
	return s.n * 2 > password.n ? s : password;
}

static struct str without_line_end(struct str line)
{
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line;
}

static bool is_listed(FILE *f, struct str password)
{
	char line[2 * PASSWORD_MAX]; /* a longer one is no password, nor is its end */
	struct str word = core(password);
	bool whole = true;

	while (fgets(line, sizeof line, f) != NULL) {
		struct str entry = without_line_end(str_of(line));

		if (whole && (str_ieq(entry, password) || str_ieq(entry, word)))
			return true;
		whole = strchr(line, '\n') != NULL;
	}
	return false;
}

static int check_dictionary(const struct settings *set, struct str password,
			    struct err *e)
{
	const char *path = set->auth.password_dictionary;
	bool listed, failed;
	FILE *f;

	if (path[0] == '\0')
		return 0;
	f = fopen(path, "re");
	if (f == NULL)
		return err_sys(e, "open %s", path);
	listed = is_listed(f, password);
	failed = ferror(f) != 0;
	if (failed)
		err_sys(e, "read %s", path);
	fclose(f);
	if (listed)
		return refuse(e, "the password is one that others try first");
	return failed ? -1 : 0;
}

/* ---- former ones -------------------------------------------------------------------- */

static int check_history(struct store *s, const struct secret *now, struct str password,
			 struct err *e)
{
	size_t n = (size_t)store_settings(s)->auth.password_history;
	bool match;

	if (!now->found)
		return 0;
	if (secret_matches(s, now, password, &match, e) < 0)
		return -1;
	if (match)
		return refuse(e, "the password is the same as before");
	if (secret_was(now, n, password, &match, e) < 0)
		return -1;
	return match ? refuse(e, "the password was used before") : 0;
}

int password_policy_check(struct store *s, const struct account *a,
			  const struct secret *now, struct str password, struct err *e)
{
	const struct settings *set = store_settings(s);

	if (password_policy_may_change(a, e) < 0 ||
	    secret_password_check(password, e) < 0 ||
	    check_length(set, password, e) < 0 || check_name(a, password, e) < 0 ||
	    check_dictionary(set, password, e) < 0)
		return -1;
	return check_history(s, now, password, e);
}
