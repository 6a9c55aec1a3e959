/* SPDX-License-Identifier: ISC */
#include "sieve/reply_int.h"

#include "mail/address_list.h"

#include <string.h>

/* ---- the sender ------------------------------------------------------------------------- */

/* is_program - mail from these is not from a person (RFC 5230 section 4.6) */
static bool is_program(struct str sender)
{
	static const char *const patterns[] = {
		"mailer-daemon@*", "mailer-daemon", "listserv@*", "majordomo@*",
		"owner-*",         "*-request@*",   "*-owner@*",  "*-bounces@*",
		"*-bounces+*",     "noreply@*",     "no-reply@*", "do-not-reply@*",
		"donotreply@*",    "postmaster@*"};

	for (size_t i = 0; i < countof(patterns); i++)
		if (str_glob(str_of(patterns[i]), sender))
			return true;
	return false;
}

static bool in(struct run *r, struct sieve_strings list, struct str address)
{
	run_spend(r, 1 + list.n);
	for (size_t i = 0; i < list.n; i++)
		if (str_ieq(list.list[i], address))
			return true;
	return false;
}

static bool is_owner(struct run *r, struct sieve_strings mine, struct str address)
{
	const struct sieve_envelope *e = &r->in->envelope;

	return str_ieq(e->to, address) || str_ieq(e->owner, address) ||
	       in(r, e->also, address) || in(r, mine, address);
}

/* ---- the message ---------------------------------------------------------------------------- */

static struct str value_of(const struct run *r, const char *name)
{
	struct field *f = header_find(r->header, str_of(name), NULL);

	return f ? field_value(&r->message->arena, f) : (struct str){"", 0};
}

static bool is_automatic(const struct run *r)
{
	struct str value = value_of(r, "auto-submitted"), word = str_cut(&value, ';');

	return word.n > 0 && !str_ieq(str_trim(word), STR("no"));
}

static bool is_list(const struct run *r)
{
	static const char *const names[] = {
		"list-id",   "list-help",  "list-subscribe", "list-unsubscribe",
		"list-post", "list-owner", "list-archive",   "mailing-list"};

	for (size_t i = 0; i < countof(names); i++)
		if (header_find(r->header, str_of(names[i]), NULL) != NULL)
			return true;
	return false;
}

static bool is_bulk(const struct run *r)
{
	struct str value = str_trim(value_of(r, "precedence"));

	return str_ieq(value, STR("bulk")) || str_ieq(value, STR("junk")) ||
	       str_ieq(value, STR("list"));
}

/* What Microsoft's programs say when they want no answer. */
static bool is_suppressed(const struct run *r)
{
	struct str value = value_of(r, "x-auto-response-suppress");

	while (value.n > 0) {
		struct str word = str_trim(str_cut(&value, ','));

		if (str_ieq(word, STR("all")) || str_ieq(word, STR("oof")) ||
		    str_ieq(word, STR("autoreply")))
			return true;
	}
	return false;
}

static bool is_in_field(struct run *r, struct field *f, struct sieve_strings mine)
{
	const struct address_list *l = field_addresses(&r->message->arena, f);

	for (size_t i = 0; i < l->n && run_spend(r, 1); i++)
		if (is_owner(r, mine, l->list[i].all))
			return true;
	return false;
}

/* is_addressed - RFC 5230 section 4.5: not where the owner got it by a list or a Bcc */
static bool is_addressed(struct run *r, struct sieve_strings mine)
{
	static const char *const names[] = {"to",        "cc",        "bcc",
					    "resent-to", "resent-cc", "resent-bcc"};

	for (size_t i = 0; i < countof(names); i++)
		for (struct field *f = header_find(r->header, str_of(names[i]), NULL);
		     f != NULL; f = header_find(r->header, str_of(names[i]), f))
			if (is_in_field(r, f, mine))
				return true;
	return false;
}

const char *reply_withheld(struct run *r, struct sieve_strings mine)
{
	struct str sender = r->in->envelope.from;

	if (sender.n == 0)
		return "the sender is empty";
	if (is_program(sender))
		return "the sender is a program";
	if (is_owner(r, mine, sender))
		return "the sender is the owner";
	if (is_automatic(r))
		return "the message is automatic";
	if (is_list(r))
		return "the message is of a list";
	if (is_bulk(r))
		return "the message is bulk";
	if (is_suppressed(r))
		return "the message wants no answer";
	if (!is_addressed(r, mine))
		return "the message does not name the owner";
	return NULL;
}
