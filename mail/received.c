/* SPDX-License-Identifier: ISC */
#include "mail/received.h"

#include "mail/date.h"

#include <string.h>

/* ---- finding the field ------------------------------------------------------------ */

/* next_field - with its folded lines; false at the end of the header, or when it is cut
 * off before it can be seen to end */
static bool next_field(struct str *rest, struct str *field)
{
	size_t n = 0;

	do {
		const char *lf = memchr(rest->p + n, '\n', rest->n - n);

		if (lf == NULL)
			return false;
		n = (size_t)(lf - rest->p) + 1;
	} while (n < rest->n && (rest->p[n] == ' ' || rest->p[n] == '\t'));
	if (n == rest->n)
		return false;
	*field = (struct str){rest->p, n};
	*rest = (struct str){rest->p + n, rest->n - n};
	return field->p[0] != '\r';
}

static bool find_first(struct str text, struct str *body)
{
	static const struct str name = STR_INIT("Received:");

	while (next_field(&text, body)) {
		if (!str_istarts(*body, name))
			continue;
		*body = (struct str){body->p + name.n, body->n - name.n};
		return body->n <= RECEIVED_MAX;
	}
	return false;
}

/* ---- its words ---------------------------------------------------------------------- */

static void skip(struct str *s, size_t n)
{
	*s = (struct str){s->p + n, s->n - n};
}

/* quoted - octets of what begins with a quote or with a comment's parenthesis, its end
 * included; 0 when it does not end */
static size_t quoted_octets(struct str s)
{
	bool comment = s.p[0] == '(';
	unsigned depth = 1;

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (comment && s.p[i] == '(')
			depth++;
		else if (s.p[i] == (comment ? ')' : '"'))
			depth--;
		if (depth == 0)
			return i + 1;
		if (depth > RECEIVED_DEPTH)
			return 0;
	}
	return 0;
}

/* skip_blank - blanks and comments */
static bool skip_blank(struct str *s)
{
	while (s->n > 0 && (s->p[0] == '(' || ascii_is_blank(s->p[0]))) {
		size_t n = s->p[0] == '(' ? quoted_octets(*s) : 1;

		if (n == 0)
			return false;
		skip(s, n);
	}
	return true;
}

static bool ends_word(char c)
{
	return ascii_is_blank(c) || c == '(' || c == ';';
}

/* next_word - up to a blank, a comment or the semicolon; empty at the semicolon and at
 * the end.  False when something does not end. */
static bool next_word(struct str *s, struct str *word)
{
	size_t n = 0;

	if (!skip_blank(s))
		return false;
	while (n < s->n && !ends_word(s->p[n])) {
		size_t octets = 1;

		if (s->p[n] == '"')
			octets = quoted_octets((struct str){s->p + n, s->n - n});
		if (octets == 0)
			return false;
		n += octets;
	}
	*word = (struct str){s->p, n};
	skip(s, n);
	return true;
}

/* ---- its clauses ---------------------------------------------------------------------- */

enum clause { FROM, BY, VIA, WITH, ID, FOR, CLAUSES };

static const struct str keywords[CLAUSES] = {
	[FROM] = STR_INIT("from"), [BY] = STR_INIT("by"), [VIA] = STR_INIT("via"),
	[WITH] = STR_INIT("with"), [ID] = STR_INIT("id"), [FOR] = STR_INIT("for"),
};

static enum clause clause_of(struct str word)
{
	size_t i = 0;

	while (i < CLAUSES && !str_ieq(word, keywords[i]))
		i++;
	return (enum clause)i;
}

/* read_clauses - up to the semicolon; a word that is no keyword is passed over */
static bool read_clauses(struct str *body, struct str value[CLAUSES])
{
	struct str word;

	while (next_word(body, &word) && word.n > 0) {
		enum clause c = clause_of(word);

		if (c == CLAUSES)
			continue;
		if (value[c].n > 0 || !next_word(body, &value[c]) || value[c].n == 0)
			return false;
	}
	return body->n > 0 && body->p[0] == ';';
}

bool received_is_id(struct str s)
{
	if (s.n == 0 || s.n > RECEIVED_ID_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("-._+", c) == NULL))
			return false;
	}
	return true;
}

bool received_first(struct str text, struct received *out)
{
	struct str body, value[CLAUSES] = {{0}};

	if (!find_first(text, &body) || !read_clauses(&body, value))
		return false;
	skip(&body, 1);
	out->by = value[BY];
	out->id = value[ID];
	return out->by.n > 0 && received_is_id(out->id) &&
	       date_parse(body, &out->unix_ms);
}
