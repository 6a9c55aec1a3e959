/* SPDX-License-Identifier: ISC */
#include "lib/conf_int.h"

#include <confuse.h>
#include <stdio.h>
#include <string.h>

enum { SECTIONS_MAX = 32 };

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
		conf_wrong(now->file, cfg->line, what, now->e);
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
	buf_init(&why, CONF_VALUE_MAX);

	bool ok = conf_set(it, str_of(value), now->base, &why);

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

		s->opts[s->n++] = conf_is_list(it) ? list : scalar;
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
	int rc = conf_scan(file, text, clean, e);

	if (rc == 0) {
		conf_set_defaults(t, base);
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
