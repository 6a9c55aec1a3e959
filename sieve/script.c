/* SPDX-License-Identifier: ISC */
#include "sieve/define_int.h"

#include "lib/hmac.h"
#include "sieve/parser_int.h"
#include "sieve/regex_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define DEFAULT_LIMITS                                                          \
	{.script_octets = 1 << 20, .nesting = 32, .list_entries = 10000,        \
	 .variables = 256, .variable_octets = 4096, .string_octets = 65536,     \
	 .actions = 32, .redirects = 4, .include_depth = 10, .includes = 255,   \
	 .steps = 20000000, .memory = 16 << 20}
/* clang-format on */

const struct sieve_site sieve_site_default = {
	.limits = DEFAULT_LIMITS,
	.vacation_min_s = 86400,
	.vacation_default_s = 7 * 86400,
	.vacation_max_s = 90 * 86400,
	.duplicate_default_s = 7 * 86400,
	.duplicate_max_s = 90 * 86400,
};

/* Whoever wants one of these is told when he puts the script, not when mail comes. */
static const char *const not_at_delivery[] = {
	"editheader",         "environment", "extlists",     "fcc",       "include",
	"redirect-deliverby", "spamtest",    "spamtestplus", "virustest", NULL};

const struct sieve_site sieve_site_delivery = {
	.limits = DEFAULT_LIMITS,
	.off = not_at_delivery,
	.vacation_min_s = 86400,
	.vacation_default_s = 7 * 86400,
	.vacation_max_s = 90 * 86400,
	.duplicate_default_s = 7 * 86400,
	.duplicate_max_s = 90 * 86400,
};

/* ---- errors ----------------------------------------------------------------------------- */

void errors_add(struct sieve_errors *e, struct place at, const char *fmt, ...)
{
	struct sieve_error *x;
	va_list ap;

	if (e->n >= SIEVE_ERRORS)
		return;
	e->list = xgrow(e->list, e->n * sizeof *e->list, (e->n + 1) * sizeof *e->list);
	x = &e->list[e->n++];
	x->line = at.line;
	x->column = at.column;
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof x->text, fmt, ap);
	va_end(ap);
}

void sieve_errors_fini(struct sieve_errors *e)
{
	xfree(&e->list);
	e->n = 0;
}

/* ---- scripts ------------------------------------------------------------------------------ */

void sieve_hash(struct str text, unsigned char hash[SIEVE_HASH])
{
	sha256_of(text, hash);
}

static void compile(struct sieve_script *s, struct str text, struct sieve_errors *errors)
{
	if (text.n > s->site->limits.script_octets) {
		errors_add(errors, (struct place){1, 1},
			   "the script is larger than %zu octets",
			   s->site->limits.script_octets);
		return;
	}
	text = arena_str(&s->arena, text);
	parser_run(s, text, errors);
	/* What is missing in the tree would lead to errors that are none. */
	if (errors->n == 0)
		checker_run(s, errors);
}

struct sieve_script *sieve_compile(struct str text, const char *name,
				   const struct sieve_site *site,
				   struct sieve_errors *errors)
{
	struct sieve_script *s = xalloc(sizeof *s);

	arena_init(&s->arena, SIZE_MAX);
	s->site = site;
	s->name = xstrdup(name);
	sieve_hash(text, s->hash);
	compile(s, text, errors);
	if (errors->n > 0)
		sieve_script_free(&s);
	return s;
}

void sieve_script_free(struct sieve_script **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->n_regexes; i++)
		regex_free(&(*s)->regexes[i]);
	sieve_errors_fini(&(*s)->warnings);
	arena_fini(&(*s)->arena);
	xfree(&(*s)->name);
	xfree(s);
}

const unsigned char *sieve_script_hash(const struct sieve_script *s)
{
	return s->hash;
}

bool sieve_script_uses(const struct sieve_script *s, const char *extension)
{
	int i = registry_find(s->site, str_of(extension));

	return i >= 0 && (s->uses & UINT64_C(1) << i) != 0;
}

const struct sieve_errors *sieve_script_warnings(const struct sieve_script *s)
{
	return &s->warnings;
}

const char *sieve_script_name(const struct sieve_script *s)
{
	return s->name;
}
