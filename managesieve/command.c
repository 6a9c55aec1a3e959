/* SPDX-License-Identifier: ISC */
#include "managesieve/command.h"

#include <string.h>

enum {
	BEGIN,    /* an item may begin */
	WORD,     /* within an atom or a number */
	QUOTED,   /* within quotes */
	ESCAPED,  /* behind a backslash there */
	LENGTH,   /* behind an opening brace, see enum brace */
	LITERAL,  /* within a literal; those of SKIP are not kept */
	AFTER,    /* a string is over */
	LINE_END, /* behind a CR */
	SKIP,     /* up to the end of what is no command */
};

/* How far "{31+}" CR has come; in SKIP, too, so that a literal there is passed over. */
enum { NO_BRACE, DIGITS, PLUS, CLOSED, CLOSED_CR };

void command_init(struct command *c, size_t longest)
{
	*c = (struct command){.longest = longest};
}

void command_forget(struct command *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_fini_secret(&c->items[i].text);
	c->n = 0;
}

void command_fini(struct command *c)
{
	command_forget(c);
}

void command_longest(struct command *c, size_t octets)
{
	c->longest = octets;
}

const char *command_why(const struct command *c)
{
	return c->why;
}

/* ---- the end of one, and the next ------------------------------------------------------- */

static void restart(struct command *c)
{
	command_forget(c);
	c->state = BEGIN;
	c->brace = NO_BRACE;
	c->line = c->digits = 0;
	c->over = c->too_long = false;
	c->why = NULL;
}

static enum command_result end(struct command *c)
{
	c->over = true;
	if (c->why != NULL)
		return COMMAND_BAD;
	return c->too_long ? COMMAND_TOO_LONG : COMMAND_WHOLE;
}

static enum command_result hopeless(struct command *c)
{
	c->over = true;
	return COMMAND_HOPELESS;
}

static enum command_result bad(struct command *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
	c->state = SKIP;
	c->brace = NO_BRACE;
	return COMMAND_MORE;
}

/* ---- items --------------------------------------------------------------------------------- */

static void item(struct command *c, enum command_kind kind, size_t max)
{
	c->items[c->n].kind = kind;
	buf_init_secret(&c->items[c->n].text, max);
	c->n++;
}

static void mark_too_long(struct command *c)
{
	if (!c->too_long)
		c->long_item = c->n - 1;
	c->too_long = true;
}

/* keep - the octets of the last item; what is over its limit is counted by the flag alone */
static void keep(struct command *c, struct str octets)
{
	struct buf *to = &c->items[c->n - 1].text;

	if (!c->too_long)
		buf_put(to, octets);
	if (buf_over(to))
		mark_too_long(c);
}

static enum command_result skip(struct command *c, char x);

static enum command_result begin(struct command *c, char x)
{
	if (x == ' ' && c->n > 0)
		return COMMAND_MORE;
	if (x == '\r') {
		c->state = LINE_END;
		return COMMAND_MORE;
	}
	if (c->n == COMMAND_ITEMS) {
		bad(c, "too many arguments");
		return skip(c, x);
	}
	if (x == '"') {
		item(c, COMMAND_STRING, c->longest);
		c->state = QUOTED;
	} else if (x == '{') {
		c->state = LENGTH;
		c->brace = DIGITS;
		c->number = c->digits = 0;
	} else if (x > ' ' && x < 0x7f && strchr("()\\", x) == NULL) {
		item(c, x >= '0' && x <= '9' ? COMMAND_NUMBER : COMMAND_ATOM,
		     COMMAND_WORD_MAX);
		c->state = WORD;
		keep(c, (struct str){&x, 1});
	} else {
		bad(c, "this is no command");
		return skip(c, x);
	}
	return COMMAND_MORE;
}

static enum command_result word(struct command *c, char x)
{
	if (x == ' ' || x == '\r') {
		c->state = x == ' ' ? BEGIN : LINE_END;
	} else if (x > ' ' && x < 0x7f && strchr("(){\"\\", x) == NULL &&
		   c->items[c->n - 1].text.n < COMMAND_WORD_MAX) {
		keep(c, (struct str){&x, 1});
	} else {
		bad(c, "this is no command");
		return skip(c, x);
	}
	return COMMAND_MORE;
}

static enum command_result quoted(struct command *c, char x)
{
	if (x == '"') {
		c->state = AFTER;
	} else if (x == '\\') {
		c->state = ESCAPED;
	} else if (x == '\r' || x == '\n') {
		bad(c, "a string between quotes holds no line end");
		return skip(c, x);
	} else {
		keep(c, (struct str){&x, 1});
	}
	return COMMAND_MORE;
}

static enum command_result escaped(struct command *c, char x)
{
	if (x != '"' && x != '\\') {
		bad(c, "a backslash stands before a quote or another one");
		return skip(c, x);
	}
	c->state = QUOTED;
	keep(c, (struct str){&x, 1});
	return COMMAND_MORE;
}

/* after - a string: it is parted from what follows */
static enum command_result after(struct command *c, char x)
{
	if (x == ' ' || x == '\r') {
		c->state = x == ' ' ? BEGIN : LINE_END;
		return COMMAND_MORE;
	}
	bad(c, "a blank is missing behind a string");
	return skip(c, x);
}

static enum command_result line_end(struct command *c, char x)
{
	if (x == '\n')
		return end(c);
	bad(c, "a line ends in CRLF and holds no other CR or LF");
	return skip(c, x);
}

/* ---- literals ------------------------------------------------------------------------------- */

/* brace - one octet further into "{31+}" CR LF; false: it is none.  *whole: it is over. */
static bool brace(struct command *c, char x, bool *whole)
{
	*whole = false;
	if (c->brace == DIGITS && x >= '0' && x <= '9' && c->digits < 10) {
		c->number = c->number * 10 + (uint64_t)(x - '0');
		c->digits++;
		return true;
	}
	if (c->brace == DIGITS && x == '+' && c->digits > 0)
		c->brace = PLUS;
	else if ((c->brace == DIGITS || c->brace == PLUS) && x == '}' && c->digits > 0)
		c->brace = CLOSED;
	else if (c->brace == CLOSED && x == '\r')
		c->brace = CLOSED_CR;
	else if (c->brace == CLOSED_CR && x == '\n')
		*whole = true;
	else
		return false;
	return true;
}

static enum command_result literal(struct command *c, bool kept)
{
	if (c->number / COMMAND_PASS_OVER > c->longest)
		return hopeless(c);
	c->brace = NO_BRACE;
	if (kept) {
		item(c, COMMAND_STRING, c->longest);
		if (c->number > c->longest)
			mark_too_long(c);
	}
	c->state = LITERAL;
	if (c->number == 0)
		c->state = kept ? AFTER : SKIP;
	return COMMAND_MORE;
}

static enum command_result length(struct command *c, char x)
{
	bool whole;

	if (!brace(c, x, &whole)) {
		bad(c, "the length of a string is not well formed");
		return skip(c, x);
	}
	return whole ? literal(c, true) : COMMAND_MORE;
}

/* octets_of_literal - as many as there are; returns how many */
static size_t octets_of_literal(struct command *c, struct str in)
{
	size_t n = c->number < in.n ? (size_t)c->number : in.n;

	if (c->why == NULL)
		keep(c, (struct str){in.p, n});
	c->number -= n;
	if (c->number == 0)
		c->state = c->why == NULL ? AFTER : SKIP;
	return n;
}

/* ---- what is no command ----------------------------------------------------------------------- */

/* skip - up to the line end, behind which no literal follows */
static enum command_result skip(struct command *c, char x)
{
	bool whole;

	if (brace(c, x, &whole))
		return whole ? literal(c, false) : COMMAND_MORE;
	c->brace = NO_BRACE;
	if (x == '{') {
		c->brace = DIGITS;
		c->number = c->digits = 0;
	}
	return x == '\n' ? end(c) : COMMAND_MORE;
}

/* ---- octet by octet ----------------------------------------------------------------------------- */

static enum command_result octet(struct command *c, char x)
{
	static enum command_result (*const by_state[])(struct command *, char) = {
		[BEGIN] = begin,       [WORD] = word,     [QUOTED] = quoted,
		[ESCAPED] = escaped,   [LENGTH] = length, [AFTER] = after,
		[LINE_END] = line_end, [SKIP] = skip,
	};

	if (x == '\0')
		return hopeless(c);
	if (++c->line > COMMAND_LINE_MAX && c->state != SKIP) {
		bad(c, "this command is too long");
		return skip(c, x);
	}
	return by_state[c->state](c, x);
}

size_t command_feed(struct command *c, struct str in, enum command_result *result)
{
	size_t at = 0;

	if (c->over)
		restart(c);
	*result = COMMAND_MORE;
	while (at < in.n && *result == COMMAND_MORE) {
		if (c->state == LITERAL)
			at += octets_of_literal(c, (struct str){in.p + at, in.n - at});
		else
			*result = octet(c, in.p[at++]);
	}
	return at;
}

/* ---- what was said -------------------------------------------------------------------------------- */

struct str command_text(const struct command *c, size_t i)
{
	return i < c->n ? buf_str(&c->items[i].text) : STR("");
}

bool command_number(struct str digits, uint64_t *out)
{
	return (digits.n == 1 || (digits.n > 1 && digits.p[0] != '0')) &&
	       str_u64(digits, out) && *out <= UINT32_MAX;
}

static bool is_kind(const struct command_item *x, char kind)
{
	uint64_t ignored;

	if (kind == 's')
		return x->kind == COMMAND_STRING;
	return x->kind == COMMAND_NUMBER && command_number(buf_str(&x->text), &ignored);
}

bool command_has(const struct command *c, const char *kinds)
{
	bool optional = false;
	size_t i = 1;

	for (; *kinds != '\0'; kinds++) {
		if (*kinds == '?')
			optional = true;
		else if (i == c->n)
			return optional;
		else if (!is_kind(&c->items[i++], *kinds))
			return false;
	}
	return i == c->n;
}
