/* SPDX-License-Identifier: ISC */
#include "lib/conf.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_MAX = 32, VALUE_MAX = 4096, LIST_MAX = 64 };

/* ---- values: between the file's words and the struct ------------------------------ */

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

static void print_number(struct buf *out, enum conf_kind kind, uint64_t v)
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
		print_number(why, it->kind, it->min);
		buf_put(why, STR(" to "));
		print_number(why, it->kind, it->max);
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
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
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

static bool set_value(const struct conf_item *it, struct str s, void *base,
		      struct buf *why)
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

static bool is_list(const struct conf_item *it)
{
	return it->kind == CONF_TEXTS || it->kind == CONF_PATHS;
}

static struct str default_of(const struct conf_item *it)
{
	return str_of(it->def_now != NULL ? it->def_now() : it->def);
}

static void set_defaults(const struct conf_table *t, void *base)
{
	struct buf why;

	buf_init(&why, VALUE_MAX);
	for (size_t i = 0; i < t->n; i++)
		if (!is_list(&t->items[i]))
			must(set_value(&t->items[i], default_of(&t->items[i]), base,
				       &why));
	buf_fini(&why);
}

void conf_free(const struct conf_table *t, void *base)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_item *it = &t->items[i];

		if (it->kind == CONF_TEXT || it->kind == CONF_PATH)
			xfree(field(it, base));
		if (!is_list(it))
			continue;

		struct conf_list *list = field(it, base);

		for (size_t k = 0; k < list->n; k++)
			xfree(&list->v[k]);
		xfree(&list->v);
		list->n = 0;
	}
}

/* ---- the text, before libconfuse sees it ------------------------------------------- */

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

static int at_line(const char *file, int line, const char *what, struct err *e)
{
	return err_set(e, ERR_PERM, "5.3.5", "%s:%d: %s", file, line, what);
}

/* scan_text - `clean` has room for text.n octets and a NUL */
static int scan_text(const char *file, struct str text, char *clean, struct err *e)
{
	struct scan s = {.text = text, .line = 1, .clean = clean};

	memcpy(clean, text.p, text.n);
	while (!at_end(&s) && s.wrong == NULL)
		scan_one(&s);
	if (s.wrong != NULL)
		return at_line(file, s.line, s.wrong, e);
	if (s.depth > 0)
		return at_line(file, s.opened[s.depth - 1],
			       "the brace opened here is never closed", e);
	return 0;
}

/* ---- reading, by libconfuse -------------------------------------------------------- */

struct section {
	const char *name;
	cfg_opt_t *opts; /* as many as the table has rows, and an end */
	size_t n;
	bool seen;
};

struct reading {
	const struct conf_table *table;
	const char *file;
	void *base;
	bool *seen;                            /* one for each row */
	struct section sections[SECTIONS_MAX]; /* the first is the file itself, "" */
	size_t n_sections;
	struct err *e;
	bool failed;
};

/* libconfuse's callbacks get no pointer of ours: this is what they work for. */
static _Thread_local struct reading *now;

static int fail(const cfg_t *cfg, const char *what)
{
	if (!now->failed)
		at_line(now->file, cfg->line, what, now->e);
	now->failed = true;
	return -1;
}

static int fail_item(const cfg_t *cfg, const struct conf_item *it, const char *what)
{
	char text[200];

	snprintf(text, sizeof text, "%s%s%s %s", it->section, it->section[0] ? "." : "",
		 it->name, what);
	return fail(cfg, text);
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char what[200];

	vsnprintf(what, sizeof what, fmt, ap);
	fail(cfg, what);
}

static const char *section_of(const cfg_t *cfg)
{
	return strcmp(cfg->name, "root") == 0 ? "" : cfg->name;
}

static size_t row_of(const cfg_t *cfg, const cfg_opt_t *opt)
{
	const struct conf_table *t = now->table;
	size_t i = 0;

	while (i < t->n && (strcmp(t->items[i].section, section_of(cfg)) != 0 ||
			    strcmp(t->items[i].name, opt->name) != 0))
		i++;
	must(i < t->n);
	return i;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t row = row_of(cfg, opt);
	const struct conf_item *it = &now->table->items[row];
	struct buf why;

	*(const char **)result = value;
	/* A list's first value after an equal sign, or any scalar.  An empty list sets
	 * nothing, and `+=` adds to a list. */
	if (opt->nvalues <= 1 && now->seen[row])
		return fail_item(cfg, it, "is set twice");
	now->seen[row] = true;
	buf_init(&why, VALUE_MAX);

	bool ok = set_value(it, str_of(value), now->base, &why);

	if (!ok)
		fail_item(cfg, it, buf_cstr(&why));
	buf_fini(&why);
	return ok ? 0 : -1;
}

static struct section *section_get(const char *name)
{
	size_t i = 0;

	while (i < now->n_sections && strcmp(now->sections[i].name, name) != 0)
		i++;
	must(i < SECTIONS_MAX);
	if (i == now->n_sections) {
		now->n_sections++;
		now->sections[i].name = name;
		now->sections[i].opts =
			xalloc((now->table->n + SECTIONS_MAX + 1) * sizeof(cfg_opt_t));
	}
	return &now->sections[i];
}

static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	struct section *s = section_get(opt->name);

	if (s->seen)
		return fail(cfg, "a section stands twice");
	s->seen = true;
	return 0;
}

/* make_opts - the table as libconfuse wants it: every value is a string to it */
static void make_opts(void)
{
	section_get("");
	for (size_t i = 0; i < now->table->n; i++) {
		const struct conf_item *it = &now->table->items[i];
		struct section *s = section_get(it->section);
		const cfg_opt_t scalar =
			CFG_STR_CB(it->name, NULL, CFGF_NODEFAULT, on_value);
		const cfg_opt_t list =
			CFG_STR_LIST_CB(it->name, NULL, CFGF_NODEFAULT, on_value);

		s->opts[s->n++] = is_list(it) ? list : scalar;
	}
	for (size_t i = 0; i < now->n_sections; i++) {
		const cfg_opt_t end = CFG_END();
		struct section *s = &now->sections[i];

		s->opts[s->n] = end;
	}
	for (size_t i = 1; i < now->n_sections; i++) {
		const cfg_opt_t sub =
			CFG_SEC(now->sections[i].name, now->sections[i].opts, 0);
		const cfg_opt_t end = CFG_END();
		struct section *root = &now->sections[0];

		root->opts[root->n] = sub;
		root->opts[root->n++].validcb = on_section;
		root->opts[root->n] = end;
	}
}

static int parse_clean(const char *clean)
{
	make_opts();

	cfg_t *cfg = cfg_init(now->sections[0].opts, CFGF_NONE);

	must(cfg != NULL);
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, clean) != CFG_SUCCESS)
		fail(cfg, "not understood");
	cfg_free(cfg);
	for (size_t i = 0; i < now->n_sections; i++)
		xfree(&now->sections[i].opts);
	return now->failed ? -1 : 0;
}

int conf_parse(const struct conf_table *t, const char *file, struct str text, void *base,
	       struct err *e)
{
	struct reading reading = {.table = t, .file = file, .base = base, .e = e};
	char *clean = xalloc(text.n + 1);
	int rc = scan_text(file, text, clean, e);

	if (rc == 0) {
		set_defaults(t, base);
		reading.seen = xalloc(t->n);
		now = &reading;
		rc = parse_clean(clean);
		now = NULL;
		xfree(&reading.seen);
	}
	xfree(&clean);
	if (rc < 0)
		conf_free(t, base);
	return rc;
}

int conf_read(const struct conf_table *t, const char *file, void *base, struct err *e)
{
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return err_sys(e, "open %s", file);

	struct buf text;
	int rc = -1;

	buf_init(&text, CONF_FILE_MAX + 1);

	char *to = buf_reserve(&text, CONF_FILE_MAX + 1);
	size_t n = fread(to, 1, CONF_FILE_MAX + 1, f);

	buf_used(&text, n);
	if (ferror(f))
		err_sys(e, "read %s", file);
	else if (n > CONF_FILE_MAX)
		err_set(e, ERR_PERM, "5.3.5", "%s: larger than %d octets", file,
			CONF_FILE_MAX);
	else
		rc = conf_parse(t, file, buf_str(&text), base, e);
	fclose(f);
	buf_fini(&text);
	return rc;
}

/* ---- printing ---------------------------------------------------------------------- */

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
		print_number(out, it->kind, *(const uint64_t *)at);
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

static bool is_default(const struct conf_item *it, const void *base)
{
	struct str def = default_of(it);
	const void *at = (const char *)base + it->offset;

	if (is_list(it))
		return ((const struct conf_list *)at)->n == 0;
	if (it->kind == CONF_TEXT || it->kind == CONF_PATH)
		return str_eq(def, str_of(*(char *const *)at));

	struct buf now_is;

	buf_init(&now_is, VALUE_MAX);
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

		if (only_changed && is_default(it, base))
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
		print_number(out, it->kind, it->min);
		buf_put(out, STR(" to "));
		print_number(out, it->kind, it->max);
		buf_put(out, STR(".\n"));
	}
	if (is_list(it) || it->def[0] == '\0')
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
