/* SPDX-License-Identifier: ISC */
#include "sieve/lexer_int.h"

#include <string.h>

void lexer_init(struct lexer *l, struct str text, struct arena *a, struct sieve_errors *e)
{
	*l = (struct lexer){text, {1, 1}, a, e};
}

static int peek(const struct lexer *l)
{
	return l->rest.n > 0 ? (unsigned char)l->rest.p[0] : -1;
}

/* step - over n octets, with lines counted */
static void step(struct lexer *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		l->at.column++;
		if (l->rest.p[i] == '\n')
			l->at = (struct place){l->at.line + 1, 1};
	}
	l->rest = (struct str){l->rest.p + n, l->rest.n - n};
}

static void bad(struct lexer *l, struct token *t, const char *text)
{
	errors_add(l->errors, t->at, "%s", text);
	t->kind = TOKEN_BAD;
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* ---- blanks and comments ------------------------------------------------------------- */

static void skip_line(struct lexer *l)
{
	const char *lf = memchr(l->rest.p, '\n', l->rest.n);

	step(l, lf ? (size_t)(lf - l->rest.p) + 1 : l->rest.n);
}

static bool skip_comment(struct lexer *l)
{
	const char *end = memmem(l->rest.p + 2, l->rest.n - 2, "*/", 2);

	if (end == NULL) {
		errors_add(l->errors, l->at, "the comment does not end");
		step(l, l->rest.n);
		return false;
	}
	step(l, (size_t)(end - l->rest.p) + 2);
	return true;
}

/* skip_blanks - false: a comment that does not end */
static bool skip_blanks(struct lexer *l)
{
	for (;;) {
		int c = peek(l);

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			step(l, 1);
		else if (c == '#')
			skip_line(l);
		else if (str_starts(l->rest, STR("/*"))) {
			if (!skip_comment(l))
				return false;
		} else {
			return true;
		}
	}
}

/* ---- words and numbers ------------------------------------------------------------------ */

static struct str take_word(struct lexer *l)
{
	size_t n = 0;

	while (n < l->rest.n && (is_letter(l->rest.p[n]) || is_digit(l->rest.p[n])))
		n++;

	struct str word = {l->rest.p, n};

	step(l, n);
	return word;
}

static void take_tag(struct lexer *l, struct token *t)
{
	step(l, 1);
	if (!is_letter(peek(l))) {
		bad(l, t, "a tag's name is missing after ':'");
		return;
	}
	t->kind = TOKEN_TAG;
	t->text = take_word(l);
}

static bool unit(char c, unsigned *shift)
{
	c = ascii_lower(c);
	*shift = c == 'k' ? 10 : c == 'm' ? 20 : c == 'g' ? 30 : 0;
	return *shift > 0;
}

static void take_number(struct lexer *l, struct token *t)
{
	struct str word = take_word(l), digits = word;
	unsigned shift = 0;

	if (unit(word.p[word.n - 1], &shift))
		digits.n--;
	t->kind = TOKEN_NUMBER;
	for (size_t i = 0; i < digits.n; i++)
		if (!is_digit(digits.p[i])) {
			bad(l, t, "not a number: digits, then K, M or G");
			return;
		}
	if (!str_u64(digits, &t->number) || t->number > (uint64_t)INT64_MAX >> shift)
		bad(l, t, "the number is too large");
	else
		t->number <<= shift;
}

/* ---- strings ------------------------------------------------------------------------------ */

/* A string as it is put together: never longer than the text it stands in, but for CR. */
struct building {
	char *p;
	size_t n;
};

static void put(struct building *b, char c)
{
	if (c == '\n' && (b->n == 0 || b->p[b->n - 1] != '\r'))
		b->p[b->n++] = '\r';
	b->p[b->n++] = c;
}

static void finish(struct lexer *l, struct token *t, const struct building *b)
{
	t->kind = TOKEN_STRING;
	t->text = (struct str){b->p, b->n};
	if (!str_is_utf8(t->text))
		bad(l, t, "the string is not UTF-8");
	else if (memchr(t->text.p, '\0', t->text.n) != NULL)
		bad(l, t, "there is a NUL in the string");
}

/* quoted_length - of the text between the quotes; false: it does not end */
static bool quoted_length(struct str s, size_t *n)
{
	for (*n = 0; *n < s.n; ++*n) {
		if (s.p[*n] == '"')
			return true;
		if (s.p[*n] == '\\' && *n + 1 < s.n)
			++*n;
	}
	return false;
}

static void take_quoted(struct lexer *l, struct token *t)
{
	size_t n;

	step(l, 1);
	if (!quoted_length(l->rest, &n)) {
		bad(l, t, "the string does not end");
		step(l, l->rest.n);
		return;
	}

	struct building b = {arena_alloc(l->arena, 2 * n + 1), 0};

	for (size_t i = 0; i < n; i++) {
		if (l->rest.p[i] == '\\')
			i++;
		put(&b, l->rest.p[i]);
	}
	step(l, n + 1);
	finish(l, t, &b);
}

/* begin_text - what may follow "text:" on its line: blanks and a comment */
static bool begin_text(struct lexer *l, struct token *t)
{
	step(l, 1);
	while (peek(l) == ' ' || peek(l) == '\t')
		step(l, 1);
	if (peek(l) == '#') {
		skip_line(l);
		return true;
	}
	if (peek(l) == '\r')
		step(l, 1);
	if (peek(l) != '\n') {
		bad(l, t, "the line ends after 'text:'");
		return false;
	}
	step(l, 1);
	return true;
}

static struct str first_line(struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);

	return (struct str){s.p, lf ? (size_t)(lf - s.p) + 1 : s.n};
}

static bool ends_text(struct str line)
{
	return str_eq(line, STR(".\n")) || str_eq(line, STR(".\r\n")) ||
	       str_eq(line, STR("."));
}

/* text_length - octets before the line that ends the text; false: there is none */
static bool text_length(struct str s, size_t *n)
{
	for (*n = 0; *n < s.n;) {
		struct str line = first_line((struct str){s.p + *n, s.n - *n});

		if (ends_text(line))
			return true;
		*n += line.n;
	}
	return false;
}

static void take_text(struct lexer *l, struct token *t)
{
	size_t n;

	if (!begin_text(l, t))
		return;
	if (!text_length(l->rest, &n)) {
		bad(l, t, "the text does not end: a line with one dot is missing");
		step(l, l->rest.n);
		return;
	}

	struct str text = {l->rest.p, n};
	struct building b = {arena_alloc(l->arena, 2 * n + 1), 0};

	while (text.n > 0) {
		struct str line = first_line(text);

		text = (struct str){text.p + line.n, text.n - line.n};
		/* RFC 5228 section 2.4.2: a dot at the beginning was doubled */
		for (size_t i = str_starts(line, STR("..")) ? 1 : 0; i < line.n; i++)
			put(&b, line.p[i]);
	}
	step(l, n);
	step(l, first_line(l->rest).n);
	finish(l, t, &b);
}

/* ---- all tokens ----------------------------------------------------------------------------- */

static void take_identifier(struct lexer *l, struct token *t)
{
	t->kind = TOKEN_IDENTIFIER;
	t->text = take_word(l);
	if (str_ieq(t->text, STR("text")) && peek(l) == ':')
		take_text(l, t);
}

void lexer_next(struct lexer *l, struct token *t)
{
	bool whole = skip_blanks(l);
	int c = peek(l);

	*t = (struct token){.at = l->at};
	if (!whole)
		t->kind = TOKEN_BAD;
	else if (c < 0)
		t->kind = TOKEN_END;
	else if (is_letter(c))
		take_identifier(l, t);
	else if (is_digit(c))
		take_number(l, t);
	else if (c == ':')
		take_tag(l, t);
	else if (c == '"')
		take_quoted(l, t);
	else if (c != '\0' && strchr("()[]{},;", c) != NULL) {
		t->kind = TOKEN_MARK;
		t->mark = (char)c;
		step(l, 1);
	} else {
		bad(l, t, "a character that has no meaning here");
		step(l, 1);
	}
}
