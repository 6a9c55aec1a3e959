/* SPDX-License-Identifier: ISC */
#include "lib/conf_int.h"

#include <string.h>

enum { LIST_MAX = 64 };

struct unit {
	char letter;
	uint64_t factor;
};

/* Largest first, so that printing picks the shortest form. */
static const struct unit second_units[] = {
	{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
static const struct unit octet_units[] = {
	{'T', UINT64_C(1) << 40}, {'G', 1 << 30}, {'M', 1 << 20}, {'K', 1 << 10}};

static bool parse_seconds(struct str s, uint64_t *out)
{
	uint64_t factor = 1;

	for (size_t i = 0; s.n > 0 && i < countof(second_units); i++) {
		if (ascii_lower(s.p[s.n - 1]) != second_units[i].letter)
			continue;
		factor = second_units[i].factor;
		s.n--;
		break;
	}
	if (!str_u64(s, out) || *out > UINT64_MAX / factor)
		return false;
	*out *= factor;
	return true;
}

static void print_units(struct buf *out, uint64_t v, const struct unit *u, size_t n)
{
	for (size_t i = 0; i < n && v > 0; i++) {
		if (v % u[i].factor != 0)
			continue;
		buf_printf(out, "%llu%c", (unsigned long long)(v / u[i].factor),
			   u[i].letter);
		return;
	}
	buf_printf(out, "%llu", (unsigned long long)v);
}

void conf_print_number(struct buf *out, enum conf_kind kind, uint64_t v)
{
	if (kind == CONF_OCTETS)
		print_units(out, v, octet_units, countof(octet_units));
	else if (kind == CONF_SECONDS)
		print_units(out, v, second_units, countof(second_units));
	else
		buf_printf(out, "%llu", (unsigned long long)v);
}

static void *field(const struct conf_item *it, void *base)
{
	return (char *)base + it->offset;
}

/* The setters say what is wrong, as the end of "NAME ...", and return false. */
static bool set_number(const struct conf_item *it, struct str s, uint64_t *to,
		       struct buf *why)
{
	uint64_t v;
	bool ok = it->kind == CONF_OCTETS    ? str_size(s, &v)
		  : it->kind == CONF_SECONDS ? parse_seconds(s, &v)
					     : str_u64(s, &v);

	if (!ok) {
		buf_printf(why, "is not %s",
			   it->kind == CONF_OCTETS    ? "a size as 50M"
			   : it->kind == CONF_SECONDS ? "a time as 90s, 10m or 2h"
						      : "a number");
		return false;
	}
	if (v < it->min || v > it->max) {
		buf_put(why, STR("has to be from "));
		conf_print_number(why, it->kind, it->min);
		buf_put(why, STR(" to "));
		conf_print_number(why, it->kind, it->max);
		return false;
	}
	*to = v;
	return true;
}

static bool set_bool(struct str s, bool *to, struct buf *why)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}};

	for (size_t i = 0; i < 2 * countof(words); i++) {
		if (!str_ieq(s, str_of(words[i / 2][i % 2])))
			continue;
		*to = i % 2 == 1;
		return true;
	}
	buf_put(why, STR("is yes or no"));
	return false;
}

static bool set_word(const struct conf_item *it, struct str s, int *to, struct buf *why)
{
	for (int i = 0; it->words[i] != NULL; i++) {
		if (!str_ieq(s, str_of(it->words[i])))
			continue;
		*to = i;
		return true;
	}
	buf_put(why, STR("is one of:"));
	for (int i = 0; it->words[i] != NULL; i++)
		buf_printf(why, " %s", it->words[i]);
	return false;
}

static bool is_path(const struct conf_item *it)
{
	return it->kind == CONF_PATH || it->kind == CONF_PATHS;
}

static const char *text_wrong(const struct conf_item *it, struct str s)
{
	if (!str_is_utf8(s))
		return "is not UTF-8";
	if (str_has_control(s))
		return "holds a control character";
	if (is_path(it) && (s.n == 0 || s.p[0] != '/'))
		return "is not an absolute path";
	return it->wrong != NULL ? it->wrong(s) : NULL;
}

static bool set_text(const struct conf_item *it, struct str s, char **to, struct buf *why)
{
	const char *wrong = text_wrong(it, s);

	if (wrong != NULL) {
		buf_printf(why, "%s", wrong);
		return false;
	}
	if (s.n < it->min || s.n > it->max) {
		buf_printf(why, "has to have from %llu to %llu characters",
			   (unsigned long long)it->min, (unsigned long long)it->max);
		return false;
	}
	xfree(to);
	*to = memcpy(xalloc(s.n + 1), s.p, s.n);
	return true;
}

static bool add_text(const struct conf_item *it, struct str s, struct conf_list *to,
		     struct buf *why)
{
	for (size_t i = 0; i < to->n; i++)
		if (str_eq(s, str_of(to->v[i]))) {
			buf_put(why, STR("has one value twice"));
			return false;
		}
	if (to->n == LIST_MAX) {
		buf_printf(why, "has more than %d values", LIST_MAX);
		return false;
	}
	if (to->v == NULL)
		to->v = xalloc(LIST_MAX * sizeof *to->v);
	if (!set_text(it, s, &to->v[to->n], why))
		return false;
	to->n++;
	return true;
}

bool conf_set(const struct conf_item *it, struct str s, void *base, struct buf *why)
{
	switch (it->kind) {
	case CONF_COUNT:
	case CONF_OCTETS:
	case CONF_SECONDS:
		return set_number(it, s, field(it, base), why);
	case CONF_BOOL:
		return set_bool(s, field(it, base), why);
	case CONF_WORD:
		return set_word(it, s, field(it, base), why);
	case CONF_TEXT:
	case CONF_PATH:
		return set_text(it, s, field(it, base), why);
	case CONF_TEXTS:
	case CONF_PATHS:
		return add_text(it, s, field(it, base), why);
	}
	must(false);
}

bool conf_is_list(const struct conf_item *it)
{
	return it->kind == CONF_TEXTS || it->kind == CONF_PATHS;
}

struct str conf_default(const struct conf_item *it)
{
	return str_of(it->def_now != NULL ? it->def_now() : it->def);
}

void conf_set_defaults(const struct conf_table *t, void *base)
{
	struct buf why;

	buf_init(&why, CONF_VALUE_MAX);
	for (size_t i = 0; i < t->n; i++)
		if (!conf_is_list(&t->items[i]))
			must(conf_set(&t->items[i], conf_default(&t->items[i]), base,
				      &why));
	buf_fini(&why);
}

void conf_free(const struct conf_table *t, void *base)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_item *it = &t->items[i];

		if (it->kind == CONF_TEXT || it->kind == CONF_PATH)
			xfree(field(it, base));
		if (!conf_is_list(it))
			continue;

		struct conf_list *list = field(it, base);

		for (size_t k = 0; k < list->n; k++)
			xfree(&list->v[k]);
		xfree(&list->v);
		list->n = 0;
	}
}
