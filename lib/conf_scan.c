/* SPDX-License-Identifier: ISC */
#include "lib/conf_int.h"

#include <string.h>

enum { DEPTH_MAX = 2 }; /* a section, and a list in it */

/*
 * libconfuse 3.3 counts a comment's line several times over, drops octets that
 * start no word ('*'), and takes the end of the file for any number of closing
 * braces.  So it gets the text without comments, and only after this look at it.
 */
struct scan {
	struct str text;
	size_t at;
	int line;
	char *clean;           /* the text; comments become blanks */
	int opened[DEPTH_MAX]; /* lines of the braces that are open */
	unsigned depth;
	const char *wrong;
};

static char peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : '\0';
}

static bool at_end(const struct scan *s)
{
	return s->at >= s->text.n;
}

static void step(struct scan *s)
{
	if (!at_end(s) && s->text.p[s->at++] == '\n')
		s->line++;
}

static void blank(struct scan *s)
{
	if (!at_end(s) && s->text.p[s->at] != '\n')
		s->clean[s->at] = ' ';
	step(s);
}

static void scan_string(struct scan *s)
{
	char quote = peek(s, 0);

	step(s);
	while (!at_end(s) && peek(s, 0) != quote && peek(s, 0) != '\n') {
		if (peek(s, 0) == '\\' && peek(s, 1) != '\n')
			step(s);
		step(s);
	}
	if (peek(s, 0) != quote)
		s->wrong = "a quoted value is not closed on its line";
	else
		step(s);
}

static void scan_line_comment(struct scan *s)
{
	while (!at_end(s) && peek(s, 0) != '\n')
		blank(s);
}

static void scan_long_comment(struct scan *s)
{
	int line = s->line;

	blank(s);
	blank(s);
	while (!at_end(s) && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
		blank(s);
	if (at_end(s)) {
		s->wrong = "a comment is not closed";
		s->line = line;
	}
	blank(s);
	blank(s);
}

static void scan_brace(struct scan *s)
{
	if (peek(s, 0) == '{' && s->depth == DEPTH_MAX)
		s->wrong = "an opening brace too many";
	else if (peek(s, 0) == '}' && s->depth == 0)
		s->wrong = "a closing brace too many";
	else if (peek(s, 0) == '{')
		s->opened[s->depth++] = s->line;
	else
		s->depth--;
	step(s);
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
	       (c != '\0' && strchr("._-:/@%[]", c) != NULL);
}

static void scan_one(struct scan *s)
{
	char c = peek(s, 0);

	if (c == '"' || c == '\'')
		scan_string(s);
	else if (c == '#' || (c == '/' && peek(s, 1) == '/'))
		scan_line_comment(s);
	else if (c == '/' && peek(s, 1) == '*')
		scan_long_comment(s);
	else if (c == '{' || c == '}')
		scan_brace(s);
	else if (is_word(c))
		while (is_word(peek(s, 0)))
			step(s);
	else if (c != '\0' && strchr(" \t\r\n=,+", c) != NULL)
		step(s);
	else
		s->wrong =
			"a value with characters besides letters, digits and ._-:/@%[] "
			"stands in quotes";
}

int conf_wrong(const char *file, int line, const char *what, struct err *e)
{
	return err_set(e, ERR_PERM, "5.3.5", "%s:%d: %s", file, line, what);
}

int conf_scan(const char *file, struct str text, char *clean, struct err *e)
{
	struct scan s = {.text = text, .line = 1, .clean = clean};

	memcpy(clean, text.p, text.n);
	while (!at_end(&s) && s.wrong == NULL)
		scan_one(&s);
	if (s.wrong != NULL)
		return conf_wrong(file, s.line, s.wrong, e);
	if (s.depth > 0)
		return conf_wrong(file, s.opened[s.depth - 1],
				  "the brace opened here is never closed", e);
	return 0;
}
