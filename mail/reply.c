/* SPDX-License-Identifier: ISC */
#include "mail/reply.h"

#include "lib/base64.h"
#include "mail/date.h"
#include "mail/encoded_word.h"

#include <string.h>

enum {
	LINE_MAX_OCTETS = 900, /* RFC 5322 s2.1.1 has 998 */
	BASE64_LINE = 57,      /* octets that make 76 */
};

/* ---- header --------------------------------------------------------------------------------- */

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static void put_field(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "%s: ", name);
	encoded_word_encode(value, strlen(name) + 2, out);
	buf_put(out, STR("\r\n"));
}

/* put_from - a name that is not ASCII as encoded words before the address */
static void put_from(const struct reply *r, struct buf *out)
{
	const char *open = r->from.n > 0 ? memrchr(r->from.p, '<', r->from.n) : NULL;
	struct str name = {r->from.p, 0}, rest = r->from;

	if (open == NULL || is_ascii(r->from)) {
		put_field(out, "From", r->from);
		return;
	}
	name.n = (size_t)(open - r->from.p);
	rest = (struct str){open, r->from.n - name.n};
	name = str_trim(name);
	if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
		name = (struct str){name.p + 1, name.n - 2};
	buf_put(out, STR("From: "));
	encoded_word_encode(name, sizeof "From: ", out);
	buf_put(out, STR("\r\n "));
	encoded_word_encode(rest, 1, out);
	buf_put(out, STR("\r\n"));
}

static void put_to(const struct reply *r, struct buf *out)
{
	buf_put(out, STR("To: "));
	for (size_t i = 0; i < r->n_to; i++) {
		if (i > 0)
			buf_put(out, STR(",\r\n "));
		for (size_t k = 0; k < r->to[i].n; k++)
			buf_putc(out, (unsigned char)r->to[i].p[k] < 0x20 ||
						      r->to[i].p[k] == 0x7f
					      ? '?'
					      : r->to[i].p[k]);
	}
	buf_put(out, STR("\r\n"));
}

/* is_ids - "<a@b> <c@d>": what stands in another's header goes into ours */
static bool is_ids(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]))
			return false;
	return s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' &&
	       s.n <= REPLY_REFERENCES_MAX;
}

/* put_ids - blanks are places to fold at */
static void put_ids(struct buf *out, struct str ids)
{
	while (ids.n > 0) {
		struct str id = str_word(&ids);

		if (id.n == 0)
			continue;
		buf_put(out, STR("\r\n "));
		buf_put(out, id);
	}
}

/* put_thread - RFC 5322 s3.6.4 */
static void put_thread(const struct reply *r, struct buf *out)
{
	if (!is_ids(r->message_id))
		return;
	buf_put(out, STR("In-Reply-To:"));
	put_ids(out, r->message_id);
	buf_put(out, STR("\r\nReferences:"));
	if (is_ids(r->references))
		put_ids(out, r->references);
	put_ids(out, r->message_id);
	buf_put(out, STR("\r\n"));
}

static void put_importance(const struct reply *r, struct buf *out)
{
	static const char *const fields[] = {
		"",
		"X-Priority: 1\r\nImportance: High\r\n",
		"X-Priority: 3\r\nImportance: Normal\r\n",
		"X-Priority: 5\r\nImportance: Low\r\n",
	};

	must(r->importance < countof(fields));
	buf_put(out, str_of(fields[r->importance]));
}

static void put_header(const struct reply *r, struct buf *out)
{
	put_from(r, out);
	put_to(r, out);
	put_field(out, "Subject", r->subject);
	buf_put(out, STR("Date: "));
	date_rfc5322(out, r->unix_ms);
	buf_printf(out, "\r\nMessage-ID: <%s@%s>\r\n", r->id, r->host);
	put_thread(r, out);
	put_importance(r, out);
	buf_printf(out, "Auto-Submitted: %s\r\nMIME-Version: 1.0\r\n", r->submitted);
}

/* ---- body -------------------------------------------------------------------------------------- */

/* line - the next one, whatever ends it; false at the end */
static bool line(struct str *rest, struct str *out)
{
	size_t n = 0;

	if (rest->n == 0)
		return false;
	while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
		n++;
	*out = (struct str){rest->p, n};
	if (n + 1 < rest->n && rest->p[n] == '\r' && rest->p[n + 1] == '\n')
		n++;
	n += n < rest->n;
	*rest = (struct str){rest->p + n, rest->n - n};
	return true;
}

/* put_lines - CRLF, dots doubled, no NUL */
static void put_lines(struct str text, struct buf *out)
{
	struct str l;

	while (line(&text, &l)) {
		if (l.n > 0 && l.p[0] == '.')
			buf_putc(out, '.');
		for (size_t i = 0; i < l.n; i++)
			buf_putc(out, l.p[i] == '\0' ? '?' : l.p[i]);
		buf_put(out, STR("\r\n"));
	}
}

static bool is_plain(struct str text)
{
	struct str l;

	if (!is_ascii(text))
		return false;
	while (line(&text, &l))
		if (l.n > LINE_MAX_OCTETS)
			return false;
	return true;
}

/* put_base64 - of lines that end in CRLF, as RFC 2045 wants of text */
static void put_base64(struct str text, struct buf *out)
{
	struct buf canonical;
	struct str rest, l;

	buf_init(&canonical, REPLY_MAX);
	while (line(&text, &l)) {
		buf_put(&canonical, l);
		buf_put(&canonical, STR("\r\n"));
	}
	out->over |= buf_over(&canonical);
	for (rest = buf_str(&canonical); rest.n > 0;) {
		size_t n = rest.n < BASE64_LINE ? rest.n : BASE64_LINE;

		base64_encode((struct str){rest.p, n}, out);
		buf_put(out, STR("\r\n"));
		rest = (struct str){rest.p + n, rest.n - n};
	}
	buf_fini(&canonical);
}

static void put_text(struct str text, struct buf *out)
{
	bool plain = is_plain(text);

	buf_printf(out,
		   "Content-Type: text/plain; charset=%s\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n",
		   is_ascii(text) ? "us-ascii" : "utf-8", plain ? "7bit" : "base64");
	if (plain)
		put_lines(text, out);
	else
		put_base64(text, out);
}

bool reply_print(const struct reply *r, struct buf *out)
{
	must(r->n_to > 0 && r->n_to <= REPLY_RECIPIENTS);
	put_header(r, out);
	if (r->mime)
		put_lines(r->text, out);
	else
		put_text(r->text, out);
	buf_put(out, STR(".\r\n"));
	return !buf_over(out);
}
