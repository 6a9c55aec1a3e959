/* SPDX-License-Identifier: ISC */
#include "authd/source_int.h"

#include <stdio.h>
#include <string.h>

static int parse_plugin(struct str rest, struct source *out, struct err *e)
{
	for (size_t i = 0; i < rest.n; i++)
		if (!(ascii_lower(rest.p[i]) >= 'a' && ascii_lower(rest.p[i]) <= 'z') &&
		    !(rest.p[i] >= '0' && rest.p[i] <= '9'))
			rest.n = 0;
	if (rest.n == 0)
		return err_set(e, ERR_PERM, "5.3.5", "a plug-in's name is missing");
	snprintf(out->name, sizeof out->name, STR_FMT, STR_ARG(rest));
	return 0;
}

static const struct source_kind kinds[] = {
	/* clang-format off */
	{"secret",    NULL,                NULL},
	{"saslauthd", NULL,                source_saslauthd},
	{"sasldb",    NULL,                source_auxprop},
	{"ldapdb",    NULL,                source_auxprop},
	{"auxprop:",  parse_plugin,        source_auxprop},
	{"pop3://",   source_remote_parse, source_remote},
	{"pop3s://",  source_remote_parse, source_remote},
	{"imap://",   source_remote_parse, source_remote},
	{"imaps://",  source_remote_parse, source_remote},
	/* clang-format on */
};

int source_parse(struct str text, struct source *out, struct err *e)
{
	*out = (struct source){0};
	if (text.n >= sizeof out->text)
		return err_set(e, ERR_PERM, "5.3.5", "a source is longer than %d octets",
			       SOURCE_TEXT - 1);
	snprintf(out->text, sizeof out->text, STR_FMT, STR_ARG(text));
	for (size_t i = 0; i < countof(kinds); i++) {
		struct str word = str_of(kinds[i].word);

		if (!str_starts(text, word) ||
		    (kinds[i].parse == NULL && text.n != word.n))
			continue;
		out->kind = &kinds[i];
		snprintf(out->name, sizeof out->name, "%s", kinds[i].word);
		return kinds[i].parse == NULL
			       ? 0
			       : kinds[i].parse(
					 (struct str){text.p + word.n, text.n - word.n},
					 out, e);
	}
	return err_set(e, ERR_PERM, "5.3.5", "\"" STR_FMT "\" is no source",
		       STR_ARG(text));
}

bool source_is_secret(const struct source *s)
{
	return s->kind->check == NULL;
}

bool source_is_plugin(const struct source *s)
{
	return s->kind->check == source_auxprop;
}

enum source_result source_check(const struct source *s, const struct source_question *q,
				struct err *e)
{
	enum source_result r = s->kind->check(s, q, e);

	if (r == SOURCE_FAILED)
		err_add(e, "%s", s->text);
	return r;
}
