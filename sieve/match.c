/* SPDX-License-Identifier: ISC */
#include "sieve/extensions_int.h"

#include "sieve/regex_int.h"
#include "sieve/text_int.h"

#include <stdio.h>
#include <string.h>

/* ---- which one ------------------------------------------------------------------------------ */

const struct comparator comparator_octet = {.name = "i;octet", .octets = true};
const struct comparator comparator_ascii_casemap = {.name = "i;ascii-casemap",
						    .fold = true};

static const struct comparator *find_comparator(struct checker *c, struct str name)
{
	for (size_t i = 0; i < registry_count(); i++) {
		const struct extension *x = registry_at(i);

		if (x->comparator != NULL && str_eq(str_of(x->comparator->name), name) &&
		    checker_has(c, x))
			return x->comparator;
	}
	return NULL;
}

static bool find_relation(struct str word, enum relation *out)
{
	static const char *const words[] = {
		[REL_GT] = "gt", [REL_GE] = "ge", [REL_LT] = "lt",
		[REL_LE] = "le", [REL_EQ] = "eq", [REL_NE] = "ne",
	};

	for (size_t i = 0; i < countof(words); i++)
		if (str_ieq(word, str_of(words[i]))) {
			*out = (enum relation)i;
			return true;
		}
	return false;
}

static bool prepare_comparator(struct checker *c, const struct node *n, struct match *m)
{
	const struct arg *a = node_arg(n, SLOT_COMPARATOR);

	if (a == NULL)
		return true;
	m->comparator = find_comparator(c, a->texts.list[0].fixed);
	if (m->comparator == NULL)
		return checker_error(c, a->at,
				     "there is no comparator \"" STR_FMT
				     "\", or it was not required",
				     STR_ARG(a->texts.list[0].fixed));
	return true;
}

static bool prepare_type(struct checker *c, const struct node *n, struct match *m)
{
	const struct arg *a = node_arg(n, SLOT_MATCH);

	if (a == NULL)
		return true;
	m->type = a->is;
	if (m->type->relational && !find_relation(a->texts.list[0].fixed, &m->relation))
		return checker_error(c, a->at,
				     ":%s takes \"gt\", \"ge\", \"lt\", \"le\", "
				     "\"eq\" or \"ne\"",
				     m->type->name);
	if (m->type->substring && m->comparator->numeric)
		return checker_error(c, a->at, "comparator \"%s\" has no :%s",
				     m->comparator->name, m->type->name);
	return true;
}

bool match_prepare(struct checker *c, struct node *n)
{
	struct match *m = arena_alloc(&c->script->arena, sizeof *m);

	*m = (struct match){.type = &match_is,
			    .comparator = &comparator_ascii_casemap,
			    .keys = &node_arg(n, SLOT_KEYS)->texts,
			    .captures = checker_has(c, &ext_variables)};
	n->match = m;
	if (!prepare_comparator(c, n, m) || !prepare_type(c, n, m))
		return false;
	return !m->type->regex || regex_prepare(c, m);
}

/* ---- comparing -------------------------------------------------------------------------------- */

/* folded - to upper case: what stands between "Z" and "a" comes behind all letters (RFC 4790
 * section 9.2.1) */
static unsigned char folded(bool fold, char c)
{
	return (unsigned char)(fold && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static int order_octets(bool fold, struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		int d = folded(fold, a.p[i]) - folded(fold, b.p[i]);

		if (d != 0)
			return d;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

/* digits - of a number, without zeros before it; false: it is none, which is infinite */
static bool digits(struct str s, struct str *out)
{
	size_t n = 0, zeros = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	while (zeros + 1 < n && s.p[zeros] == '0')
		zeros++;
	*out = (struct str){s.p + zeros, n - zeros};
	return n > 0;
}

/* RFC 4790 section 9.1: numbers of any length */
static int order_numbers(struct str a, struct str b)
{
	struct str x, y;
	bool is_a = digits(a, &x), is_b = digits(b, &y);

	if (!is_a || !is_b)
		return is_a ? -1 : is_b;
	if (x.n != y.n)
		return x.n < y.n ? -1 : 1;
	return memcmp(x.p, y.p, x.n);
}

static int order_prepared(const struct comparator *k, struct str a, struct str b)
{
	return k->numeric ? order_numbers(a, b) : order_octets(k->fold, a, b);
}

int comparator_order(struct run *r, const struct comparator *k, struct str a,
		     struct str b)
{
	if (k->canonical != NULL) {
		a = k->canonical(r, a, NULL);
		b = k->canonical(r, b, NULL);
	}
	run_spend(r, a.n < b.n ? a.n : b.n);
	return order_prepared(k, a, b);
}

bool relation_holds(enum relation rel, int order)
{
	switch (rel) {
	case REL_GT:
		return order > 0;
	case REL_GE:
		return order >= 0;
	case REL_LT:
		return order < 0;
	case REL_LE:
		return order <= 0;
	case REL_EQ:
		return order == 0;
	case REL_NE:
		break;
	}
	return order != 0;
}

/* ---- :is, :contains ------------------------------------------------------------------------------ */

static bool key_is(struct matching *m, struct str value, size_t key)
{
	struct str k = m->keys[key];

	if (!m->match->comparator->numeric && k.n != value.n)
		return false;
	return run_spend(m->run, 1 + value.n / 8) &&
	       order_prepared(m->match->comparator, value, k) == 0;
}

/* match_find - is the needle in `s`?  Knuth, Morris and Pratt: linear whatever is sent */
bool match_find(bool fold, struct str needle, struct str s, size_t *work)
{
	enum { SHORT = 64 };
	uint32_t stack[SHORT], *fail = stack;
	size_t k = 0;
	bool found = false;

	*work = needle.n + s.n;
	if (needle.n == 0 || needle.n > s.n)
		return needle.n == 0;
	if (needle.n > SHORT)
		fail = xalloc(needle.n * sizeof *fail);
	fail[0] = 0;
	for (size_t i = 1; i < needle.n; i++) {
		unsigned char c = folded(fold, needle.p[i]);

		while (k > 0 && folded(fold, needle.p[k]) != c)
			k = fail[k - 1];
		k += folded(fold, needle.p[k]) == c;
		fail[i] = (uint32_t)k;
	}
	k = 0;
	for (size_t i = 0; i < s.n && !found; i++) {
		unsigned char c = folded(fold, s.p[i]);

		while (k > 0 && folded(fold, needle.p[k]) != c)
			k = fail[k - 1];
		k += folded(fold, needle.p[k]) == c;
		found = k == needle.n;
	}
	if (fail != stack)
		xfree(&fail);
	return found;
}

static bool key_contains(struct matching *m, struct str value, size_t key)
{
	size_t work;
	bool found = match_find(m->match->comparator->fold, m->keys[key], value, &work);

	return run_spend(m->run, 1 + work) && found;
}

/* ---- :matches -------------------------------------------------------------------------------------- */

/* A wildcard seen so far: where in the value it stands. */
struct star {
	size_t pattern, value; /* behind the "*", and where it ends now */
	size_t capture;
};

/* character - octets of the one that begins at i */
static size_t character(const struct comparator *k, struct str s, size_t i)
{
	size_t n = 1;

	if (k->octets || ((unsigned char)s.p[i] & 0xc0) != 0xc0)
		return 1;
	while (i + n < s.n && n < 4 && ((unsigned char)s.p[i + n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void capture(struct glob *g, size_t i, struct str s)
{
	if (i < GLOB_CAPTURES)
		g->capture[i] = s;
}

/* literal - does an octet of the pattern, quoted or not, stand at the value's i? */
static bool literal(const struct glob *g, struct str pattern, size_t *p, struct str s,
		    size_t i)
{
	size_t at = *p;

	if (at < pattern.n && pattern.p[at] == '\\' && at + 1 < pattern.n)
		at++;
	if (at >= pattern.n || folded(g->comparator->fold, pattern.p[at]) !=
				       folded(g->comparator->fold, s.p[i]))
		return false;
	*p = at + 1;
	return true;
}

/*
 * match_glob - each "*" takes as little as it can, from left to right (RFC 5229 section 3.2)
 *
 * Only the last "*" is ever made longer: one before it that took more would leave less for
 * the rest.
 */
bool match_glob(struct glob *g, struct str pattern, struct str s)
{
	struct star star = {SIZE_MAX, 0, 0};
	size_t p = 0, i = 0, n = 1, from = 0;

	for (g->work = 0; i < s.n && g->work < g->work_max; g->work++) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = (struct star){++p, i, n++};
			from = i;
			capture(g, star.capture, (struct str){s.p + i, 0});
			if (p == pattern.n) {
				i = s.n;
				star.value = i;
			}
		} else if (p < pattern.n && pattern.p[p] == '?') {
			size_t one = character(g->comparator, s, i);

			capture(g, n++, (struct str){s.p + i, one});
			i += one;
			p++;
		} else if (literal(g, pattern, &p, s, i)) {
			i++;
		} else if (star.pattern != SIZE_MAX) {
			p = star.pattern;
			n = star.capture + 1;
			i = ++star.value;
		} else {
			return false;
		}
		if (star.pattern != SIZE_MAX)
			capture(g, star.capture,
				(struct str){s.p + from, star.value - from});
	}
	while (p < pattern.n && pattern.p[p] == '*') {
		capture(g, n++, (struct str){s.p + s.n, 0});
		p++;
	}
	g->n = n < GLOB_CAPTURES ? n : GLOB_CAPTURES;
	g->capture[0] = s;
	return i == s.n && p == pattern.n;
}

/* set_captures - places in the canonical form become places in the value itself */
static void set_captures(struct matching *m, const struct glob *g, struct str value,
			 struct str canonical, const uint32_t *map)
{
	struct frame *f = m->run->frame;

	f->n_captures = g->n;
	for (size_t i = 0; i < g->n; i++) {
		size_t from = (size_t)(g->capture[i].p - canonical.p),
		       to = from + g->capture[i].n;

		if (map != NULL) {
			from = map[from];
			to = map[to];
		}
		f->captures[i] = (struct str){value.p + from, to - from};
	}
}

static bool key_matches(struct matching *m, struct str value, size_t key)
{
	const struct comparator *k = m->match->comparator;
	struct glob g = {.comparator = k, .work_max = run_left(m->run)};
	uint32_t *map = NULL;
	struct str s = k->canonical ? k->canonical(m->run, value, &map) : value;
	bool yes;

	yes = match_glob(&g, m->keys[key], s);
	if (!run_spend(m->run, 1 + g.work) || !yes)
		return false;
	if (m->match->captures)
		set_captures(m, &g, value, s, map);
	return true;
}

const struct match_type match_is = {.name = "is", .key = key_is};
const struct match_type match_contains = {
	.name = "contains", .substring = true, .key = key_contains};
const struct match_type match_matches = {
	.name = "matches", .substring = true, .key = key_matches, .raw = true};

/* ---- a test's values ----------------------------------------------------------------------------------- */

void matching_begin(struct matching *m, struct run *r, const struct match *match)
{
	const struct comparator *k = match->comparator;

	*m = (struct matching){.run = r, .match = match};
	m->keys = arena_alloc(r->arena, match->keys->n * sizeof *m->keys);
	for (size_t i = 0; i < match->keys->n; i++) {
		m->keys[i] = run_text(r, &match->keys->list[i]);
		if (k->canonical != NULL && !match->type->lists && !match->type->regex)
			m->keys[i] = k->canonical(r, m->keys[i], NULL);
	}
}

bool matching_value(struct matching *m, struct str value)
{
	const struct match *x = m->match;

	m->count++;
	if (x->type->counts)
		return m->run->failed;
	/* A type that sets ${1} needs the value as it is. */
	if (x->comparator->canonical != NULL && !x->type->raw)
		value = x->comparator->canonical(m->run, value, NULL);
	for (size_t i = 0; i < x->keys->n && !m->found && !m->run->failed; i++)
		m->found = x->type->key(m, value, i);
	return m->found || m->run->failed;
}

bool matching_end(struct matching *m)
{
	if (m->match->type->counts && !m->run->failed) {
		char text[24];
		int n = snprintf(text, sizeof text, "%llu", (unsigned long long)m->count);

		for (size_t i = 0; i < m->match->keys->n && !m->found; i++)
			m->found =
				m->match->type->key(m, (struct str){text, (size_t)n}, i);
	}
	return m->found && !m->run->failed;
}
