/* SPDX-License-Identifier: ISC */
#include "sieve/extensions_int.h"

#include "sieve/text_int.h"

#include <string.h>

static bool is_letter(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool checker_is_identifier(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && (i == 0 || !is_digit(s.p[i])))
			return false;
	return s.n > 0;
}

static struct str behind(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

/* reference - "${...}" at the beginning of `s`: what is between, and how long all of it
 * is.  No "$" may be in it, so that a row of beginnings is read once. */
static bool reference(struct str s, struct str *inside, size_t *n)
{
	size_t end = 2;

	while (end < s.n && s.p[end] != '}' && s.p[end] != '$')
		end++;
	if (end >= s.n || s.p[end] != '}')
		return false;
	*inside = (struct str){s.p + 2, end - 2};
	*n = end + 1;
	return true;
}

/* ---- variables (RFC 5229) --------------------------------------------------------------------- */

static struct str lower(struct arena *a, struct str s)
{
	struct str copy = arena_str(a, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		p[i] = ascii_lower(p[i]);
	return copy;
}

/* in_space - "global.x" (RFC 6609 section 3.4): takes the name space off */
static bool in_space(const struct checker *c, struct str *name)
{
	const struct str space = STR("global.");

	if (!checker_has(c, &ext_include) || !str_istarts(*name, space))
		return false;
	*name = behind(*name, space.n);
	return true;
}

bool checker_variable(struct checker *c, struct str name, struct place at,
		      uint32_t *index)
{
	struct sieve_script *s = c->script;
	bool space = in_space(c, &name);

	for (size_t i = 0; i < s->n_variables; i++)
		if (s->variables[i].space == space &&
		    str_ieq(s->variables[i].name, name)) {
			*index = (uint32_t)i;
			return true;
		}
	if (!checker_is_identifier(name))
		return checker_error(c, at, "'" STR_FMT "' is no name of a variable",
				     STR_ARG(name));
	if (s->n_variables >= c->site->limits.variables)
		return checker_error(c, at, "too many variables");
	s->variables = arena_push(&s->arena, s->variables, &s->n_variables,
				  sizeof *s->variables);
	*index = (uint32_t)s->n_variables - 1;
	s->variables[*index] = (struct variable){
		.name = lower(&s->arena, name), .global = space, .space = space};
	return true;
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

/* is_variable - by its form: a name, a number, or a name in a name space */
static bool is_variable(struct str s)
{
	if (is_number(s))
		return true;
	while (memchr(s.p, '.', s.n) != NULL)
		if (!checker_is_identifier(str_cut(&s, '.')))
			return false;
	return is_number(s) || checker_is_identifier(s);
}

static bool capture(struct checker *c, struct str name, struct place at, struct piece *p)
{
	p->kind = PIECE_MATCH;
	if (!str_u32(name, &p->index) || p->index >= GLOB_CAPTURES)
		return checker_error(c, at, "${" STR_FMT "} is more than ${%d}",
				     STR_ARG(name), GLOB_CAPTURES - 1);
	return true;
}

static bool variable(struct checker *c, struct str name, struct place at, struct piece *p)
{
	struct str rest = name;

	if (is_number(name))
		return capture(c, name, at, p);
	if (memchr(name.p, '.', name.n) != NULL && !in_space(c, &rest))
		return checker_error(c, at, "${" STR_FMT "}: there is no such name space",
				     STR_ARG(name));
	p->kind = PIECE_VARIABLE;
	return checker_variable(c, name, at, &p->index);
}

/* find_reference - *n: octets before it; false: there is none any more */
static bool find_reference(struct str s, bool (*is)(struct str), size_t *n,
			   struct str *inside, size_t *all)
{
	for (*n = 0; *n < s.n; ++*n) {
		const char *at = memmem(s.p + *n, s.n - *n, "${", 2);

		if (at == NULL)
			return false;
		*n = (size_t)(at - s.p);
		if (reference(behind(s, *n), inside, all) && is(*inside))
			return true;
	}
	return false;
}

static struct piece *add_piece(struct checker *c, struct piece **list, size_t *n)
{
	*list = arena_push(&c->script->arena, *list, n, sizeof **list);
	(*list)[*n - 1] = (struct piece){0};
	return &(*list)[*n - 1];
}

static bool find_variables(struct checker *c, struct text *t)
{
	struct piece *list = NULL;
	struct str s = t->fixed, inside;
	size_t before, all;
	bool ok = true;

	while (find_reference(s, is_variable, &before, &inside, &all)) {
		if (before > 0)
			add_piece(c, &list, &t->n)->fixed = (struct str){s.p, before};
		ok = variable(c, inside, t->at, add_piece(c, &list, &t->n)) && ok;
		s = behind(s, before + all);
	}
	if (t->n > 0 && s.n > 0)
		add_piece(c, &list, &t->n)->fixed = s;
	t->pieces = list;
	return ok;
}

/* ---- encoded-character (RFC 5228 section 2.4.2.4) ------------------------------------------------ */

static int digit16(char c)
{
	c = ascii_lower(c);
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_encoded(struct str s)
{
	struct str rest = s, kind = str_cut(&rest, ':');
	size_t digits = 0;

	if (!str_ieq(kind, STR("hex")) && !str_ieq(kind, STR("unicode")))
		return false;
	for (size_t i = 0; i < rest.n; i++) {
		bool blank = ascii_is_blank(rest.p[i]);

		if (!blank && digit16(rest.p[i]) < 0)
			return false;
		digits += !blank;
	}
	return digits > 0;
}

static struct str next_word(struct str *s)
{
	size_t n = 0;

	while (s->n > 0 && ascii_is_blank(s->p[0]))
		*s = behind(*s, 1);
	while (n < s->n && !ascii_is_blank(s->p[n]))
		n++;

	struct str word = {s->p, n};

	*s = behind(*s, n);
	return word;
}

static bool put_hex(struct str word, struct buf *out)
{
	if (word.n > 2)
		return false;
	buf_putc(out, (char)(word.n == 2 ? digit16(word.p[0]) << 4 | digit16(word.p[1])
					 : digit16(word.p[0])));
	return true;
}

static bool put_unicode(struct str word, struct buf *out)
{
	uint64_t c;

	if (!str_hex64(word, &c) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	text_put_point(out, (uint32_t)c);
	return true;
}

void text_put_point(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_putc(out, (char)(0xe0 | c >> 12));
		} else {
			buf_putc(out, (char)(0xf0 | c >> 18));
			buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

static bool put_encoded(struct checker *c, struct str inside, struct place at,
			struct buf *out)
{
	bool hex = ascii_lower(inside.p[0]) == 'h';
	struct str rest = inside;

	(void)str_cut(&rest, ':');
	for (struct str w = next_word(&rest); w.n > 0; w = next_word(&rest))
		if (!(hex ? put_hex(w, out) : put_unicode(w, out)))
			return checker_error(c, at, "'" STR_FMT "' is no %s", STR_ARG(w),
					     hex ? "octet" : "character");
	return true;
}

static bool decode(struct checker *c, struct text *t)
{
	struct str s = t->fixed, inside;
	struct buf out;
	size_t before, all;
	bool ok = true;

	buf_init(&out, s.n);
	while (find_reference(s, is_encoded, &before, &inside, &all)) {
		buf_put(&out, (struct str){s.p, before});
		ok = put_encoded(c, inside, t->at, &out) && ok;
		s = behind(s, before + all);
	}
	buf_put(&out, s);
	t->fixed = arena_str(&c->script->arena, buf_str(&out));
	buf_fini(&out);
	return ok;
}

bool text_compile(struct checker *c, struct text *t, bool fixed)
{
	bool ok = true;

	if (memmem(t->fixed.p, t->fixed.n, "${", 2) == NULL)
		return true;
	if (checker_has(c, &ext_encoded_character))
		ok = decode(c, t);
	if (ok && !fixed && checker_has(c, &ext_variables))
		ok = find_variables(c, t);
	return ok;
}
