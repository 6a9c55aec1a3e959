/* SPDX-License-Identifier: ISC */
#include "channel/arguments.h"

#include <string.h>

#include "mail/received.h"

enum { HOST_OCTETS = 255, ATTRIBUTE_OCTETS = 255 };

const struct lmtp_reply arguments_too_big = {552, "5.3.4",
					     "Message is larger than this server takes"};

static const struct lmtp_reply mail_syntax = {501, "5.5.4",
					      "Syntax: MAIL FROM:<address>"};
static const struct lmtp_reply rcpt_syntax = {501, "5.5.4", "Syntax: RCPT TO:<address>"};
static const struct lmtp_reply xforward_syntax = {501, "5.5.4",
						  "Syntax: XFORWARD attribute=value"};
static const struct lmtp_reply bad_parameter = {501, "5.5.4", "Bad parameter"};
static const struct lmtp_reply unknown_parameter = {555, "5.5.4", "Unknown parameter"};
static const struct lmtp_reply bad_sender = {501, "5.1.7", "Bad sender address"};
static const struct lmtp_reply needs_utf8 = {553, "5.6.7", "Address needs SMTPUTF8"};

/* ---- MAIL ------------------------------------------------------------------- */

/* path_of - "FROM:<path>" or "TO:<path>"; what follows stays in *args */
static bool path_of(struct str *args, struct str keyword, struct str *path)
{
	if (!str_istarts(*args, keyword))
		return false;
	*args = (struct str){args->p + keyword.n, args->n - keyword.n};
	*args = str_trim(*args);
	return address_path(args, path) && (args->n == 0 || args->p[0] == ' ');
}

/* A parameter of MAIL; `max` is the largest message. */
typedef const struct lmtp_reply *take_fn(struct arguments_mail *m, struct str value,
					 uint64_t max);

static const struct lmtp_reply *take_size(struct arguments_mail *m, struct str value,
					  uint64_t max)
{
	if (!str_u64(value, &m->size))
		return &bad_parameter;
	return m->size > max ? &arguments_too_big : NULL;
}

static const struct lmtp_reply *take_body(struct arguments_mail *m UNUSED,
					  struct str value, uint64_t max UNUSED)
{
	if (str_ieq(value, STR("7BIT")) || str_ieq(value, STR("8BITMIME")))
		return NULL;
	return &bad_parameter;
}

static const struct lmtp_reply *take_utf8(struct arguments_mail *m, struct str value,
					  uint64_t max UNUSED)
{
	m->utf8 = true;
	return value.n == 0 ? NULL : &bad_parameter;
}

/* RFC 4954 s5: who handed the message in is nothing that we use. */
static const struct lmtp_reply *take_auth(struct arguments_mail *m UNUSED,
					  struct str value, uint64_t max UNUSED)
{
	return value.n > 0 ? NULL : &bad_parameter;
}

static const struct {
	struct str name;
	take_fn *take;
} parameters[] = {
	{STR_INIT("SIZE"), take_size},
	{STR_INIT("BODY"), take_body},
	{STR_INIT("SMTPUTF8"), take_utf8},
	{STR_INIT("AUTH"), take_auth},
};

static const struct lmtp_reply *take(struct arguments_mail *m, struct str value,
				     uint64_t max, unsigned *seen)
{
	struct str name = str_cut(&value, '=');

	for (size_t i = 0; i < countof(parameters); i++) {
		if (!str_ieq(parameters[i].name, name))
			continue;
		if (*seen & 1u << i)
			return &bad_parameter;
		*seen |= 1u << i;
		return parameters[i].take(m, value, max);
	}
	return &unknown_parameter;
}

static const struct lmtp_reply *take_sender(struct arguments_mail *m, struct str path)
{
	switch (address_parse(path, m->utf8, &m->sender)) {
	case ADDRESS_OK:
	case ADDRESS_NULL:
		return NULL;
	case ADDRESS_NEEDS_UTF8:
		return &needs_utf8;
	case ADDRESS_BAD:
	case ADDRESS_TOO_LONG:
		break;
	}
	return &bad_sender;
}

const struct lmtp_reply *arguments_mail(struct str args, uint64_t max,
					struct arguments_mail *out)
{
	struct str path;
	unsigned seen = 0;

	*out = (struct arguments_mail){0};
	if (!path_of(&args, STR("FROM:"), &path))
		return &mail_syntax;
	while (args.n > 0) {
		struct str word = str_word(&args);
		const struct lmtp_reply *r =
			word.n > 0 ? take(out, word, max, &seen) : NULL;

		if (r != NULL)
			return r;
	}
	return take_sender(out, path);
}

/* ---- the others ----------------------------------------------------------------- */

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

const struct lmtp_reply *arguments_rcpt(struct str args, bool utf8, struct str *address)
{
	if (!path_of(&args, STR("TO:"), address))
		return &rcpt_syntax;
	if (str_trim(args).n > 0)
		return &unknown_parameter;
	return utf8 || is_ascii(*address) ? NULL : &needs_utf8;
}

enum arguments_bdat arguments_bdat(struct str args, uint64_t *n, bool *last)
{
	args = str_trim(args);

	struct str number = str_word(&args);
	struct str word = str_trim(args);

	*last = word.n > 0;
	if (!str_u64(number, n))
		return ARGUMENTS_BDAT_UNKNOWN;
	if (word.n > 0 && !str_ieq(word, STR("LAST")))
		return ARGUMENTS_BDAT_BAD;
	return ARGUMENTS_BDAT_OK;
}

/* The attributes of XFORWARD; only IDENT is announced. */
static bool is_attribute(struct str name)
{
	static const char *const names[] = {"NAME", "ADDR",  "PORT",  "PROTO",
					    "HELO", "IDENT", "SOURCE"};

	for (size_t i = 0; i < countof(names); i++)
		if (str_ieq(name, str_of(names[i])))
			return true;
	return false;
}

/* is_xtext - RFC 3461 s4 */
static bool is_xtext(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint64_t octet;

		if (s.p[i] == '=' || s.p[i] <= ' ' || !ascii_is_print(s.p[i]))
			return false;
		if (s.p[i] == '+' &&
		    (s.n - i < 3 || !str_hex64((struct str){s.p + i + 1, 2}, &octet)))
			return false;
	}
	return s.n > 0 && s.n <= ATTRIBUTE_OCTETS;
}

const struct lmtp_reply *arguments_xforward(struct str args, struct str *ident)
{
	args = str_trim(args);
	if (args.n == 0)
		return &xforward_syntax;
	while (args.n > 0) {
		struct str value = str_word(&args);
		struct str name = str_cut(&value, '=');

		if (!is_attribute(name) || !is_xtext(value))
			return &xforward_syntax;
		/* No queue id holds an octet that xtext would have to encode, and
		 * [UNAVAILABLE] is none either. */
		if (str_ieq(name, STR("IDENT")))
			*ident = received_is_id(value) &&
						 memchr(value.p, '+', value.n) == NULL
					 ? value
					 : (struct str){"", 0};
	}
	return NULL;
}

static bool is_host_octet(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(".-_:[]", c) != NULL);
}

bool arguments_is_host(struct str s)
{
	if (s.n == 0 || s.n > HOST_OCTETS)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_host_octet(s.p[i]))
			return false;
	return true;
}
