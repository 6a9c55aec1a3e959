/* SPDX-License-Identifier: ISC */
#include "lib/conf_int.h"

#include <string.h>

static void print_text(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s != '\0'; s++) {
		/* libconfuse expands ${NAME} between these quotes. */
		if (strchr("\"\\$", *s) != NULL)
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void print_list(struct buf *out, const struct conf_list *list)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_put(out, STR(", "));
		print_text(out, list->v[i]);
	}
	buf_putc(out, '}');
}

static void print_value(struct buf *out, const struct conf_item *it, const void *base)
{
	const void *at = (const char *)base + it->offset;

	switch (it->kind) {
	case CONF_COUNT:
	case CONF_OCTETS:
	case CONF_SECONDS:
		conf_print_number(out, it->kind, *(const uint64_t *)at);
		break;
	case CONF_BOOL:
		buf_printf(out, "%s", *(const bool *)at ? "yes" : "no");
		break;
	case CONF_WORD:
		buf_printf(out, "%s", it->words[*(const int *)at]);
		break;
	case CONF_TEXT:
	case CONF_PATH:
		print_text(out, *(char *const *)at);
		break;
	case CONF_TEXTS:
	case CONF_PATHS:
		print_list(out, at);
		break;
	}
}

bool conf_is_default(const struct conf_item *it, const void *base)
{
	struct str def = conf_default(it);
	const void *at = (const char *)base + it->offset;

	if (conf_is_list(it))
		return ((const struct conf_list *)at)->n == 0;
	if (it->kind == CONF_TEXT || it->kind == CONF_PATH)
		return str_eq(def, str_of(*(char *const *)at));

	struct buf now_is;

	buf_init(&now_is, CONF_VALUE_MAX);
	print_value(&now_is, it, base);

	bool same = str_ieq(def, buf_str(&now_is));

	buf_fini(&now_is);
	return same;
}

void conf_print(const struct conf_table *t, const void *base, bool only_changed,
		struct buf *out)
{
	const char *open = "";

	for (size_t i = 0; i < t->n; i++) {
		const struct conf_item *it = &t->items[i];

		if (only_changed && conf_is_default(it, base))
			continue;
		if (strcmp(open, it->section) != 0) {
			if (open[0] != '\0')
				buf_put(out, STR("}\n"));
			buf_printf(out, "%s {\n", it->section);
			open = it->section;
		}
		buf_printf(out, "%s%s = ", open[0] != '\0' ? "\t" : "", it->name);
		print_value(out, it, base);
		buf_putc(out, '\n');
	}
	if (open[0] != '\0')
		buf_put(out, STR("}\n"));
}

static const char *kind_word(enum conf_kind kind)
{
	static const char *const words[] = {
		[CONF_TEXT] = "text",         [CONF_PATH] = "path",
		[CONF_COUNT] = "number",      [CONF_OCTETS] = "size",
		[CONF_SECONDS] = "time",      [CONF_BOOL] = "yes | no",
		[CONF_TEXTS] = "{text, ...}", [CONF_PATHS] = "{path, ...}",
	};

	return words[kind];
}

static void mdoc_kind(struct buf *out, const struct conf_item *it)
{
	buf_put(out, STR(" Ar "));
	if (it->kind != CONF_WORD) {
		buf_printf(out, "%s", kind_word(it->kind));
		return;
	}
	for (int i = 0; it->words[i] != NULL; i++)
		buf_printf(out, "%s%s", i > 0 ? " | " : "", it->words[i]);
}

static bool has_bounds(const struct conf_item *it)
{
	return it->kind == CONF_COUNT || it->kind == CONF_OCTETS ||
	       it->kind == CONF_SECONDS;
}

static void mdoc_item(struct buf *out, const struct conf_item *it)
{
	buf_printf(out, ".It Ic %s No =", it->name);
	mdoc_kind(out, it);
	buf_putc(out, '\n');
	buf_printf(out, "%s\n", it->doc);
	if (has_bounds(it)) {
		buf_put(out, STR("From "));
		conf_print_number(out, it->kind, it->min);
		buf_put(out, STR(" to "));
		conf_print_number(out, it->kind, it->max);
		buf_put(out, STR(".\n"));
	}
	if (conf_is_list(it) || it->def[0] == '\0')
		buf_put(out, STR("Default: empty.\n"));
	else if (it->def_now != NULL)
		buf_printf(out, "Default: %s.\n", it->def);
	else
		buf_printf(out, "Default:\n.Ql %s .\n", it->def);
}

void conf_mdoc(const struct conf_table *t, struct buf *out)
{
	const char *open = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct conf_item *it = &t->items[i];

		if (open == NULL || strcmp(open, it->section) != 0) {
			if (open != NULL)
				buf_put(out, STR(".El\n"));
			if (it->section[0] != '\0')
				buf_printf(out, ".Ss %s\n", it->section);
			buf_put(out, STR(".Bl -tag -width Ds\n"));
			open = it->section;
		}
		mdoc_item(out, it);
	}
	buf_put(out, STR(".El\n"));
}
