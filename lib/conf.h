/* SPDX-License-Identifier: ISC */
/*
 * conf - a configuration file read into a struct by a table
 *
 * One row a setting: where it stands in the file and in the struct, its kind,
 * default, bounds and the sentence of the manual.  Reading, printing what is in
 * effect and the manual's list are all made from the rows.
 *
 * The file is in libconfuse's syntax.  What libconfuse 3.3 lets pass is added
 * here: every error names file and line (its own count drifts by each comment),
 * a section or string that is never closed, a setting or section that stands
 * twice, an octet that its lexer would drop without a word.
 *
 * Owns:    the strings and lists in the struct; conf_free() ends them.
 * Limits:  a file of CONF_FILE_MAX octets.
 * Threads: one at a time (libconfuse's lexer is global).
 * Tests:   t/unit/lib/conf.c
 */
#ifndef CONF_H
#define CONF_H

#include "lib/buf.h"
#include "lib/err.h"

enum { CONF_FILE_MAX = 256 << 10 };

enum conf_kind {
	CONF_TEXT,    /* char *: min to max octets of text */
	CONF_PATH,    /* char *: absolute */
	CONF_COUNT,   /* uint64_t */
	CONF_OCTETS,  /* uint64_t: 50M */
	CONF_SECONDS, /* uint64_t: 10m */
	CONF_BOOL,    /* bool: yes or no */
	CONF_WORD,    /* int: which of `words` */
	CONF_TEXTS,   /* struct conf_list of CONF_TEXT */
	CONF_PATHS,   /* struct conf_list of CONF_PATH */
};

struct conf_list {
	char **v;
	size_t n;
};

struct conf_item {
	const char *section; /* "" = outside of all sections */
	const char *name;
	enum conf_kind kind;
	size_t offset;
	const char *def;              /* as in the file; a list's is "" = empty */
	const char *(*def_now)(void); /* computes the default; `def` describes it */
	uint64_t min, max;            /* of the number, or of a text's octets */
	const char *const *words;     /* NULL at the end */
	const char *(*wrong)(struct str value); /* of a text: NULL, or what is wrong */
	const char *doc;                        /* mdoc, whole sentences */
};

/* All rows, in the manual's order; rows of one section stand together. */
struct conf_table {
	const struct conf_item *items;
	size_t n;
};

/* The compiler checks that the field has the type the kind claims. */
#define CONF_FIELD(st, field, ctype) \
	(offsetof(st, field) + 0 * sizeof(&((st *)0)->field == (ctype *)0))

/* Fills *base, which is all zero, from `file`.  On -1 (ERR_PERM 5.3.5, or ERR_TEMP
 * when the file cannot be read) nothing is left to free. */
int conf_read(const struct conf_table *t, const char *file, void *base, struct err *e);
/* The same from memory; `file` is for the errors. */
int conf_parse(const struct conf_table *t, const char *file, struct str text, void *base,
	       struct err *e);
void conf_free(const struct conf_table *t, void *base);

/* What is in effect, as a file that conf_read() reads to the same effect. */
void conf_print(const struct conf_table *t, const void *base, bool only_changed,
		struct buf *out);
/* Whether this row's setting has its default in *base. */
bool conf_is_default(const struct conf_item *it, const void *base);
/* The list for the manual page. */
void conf_mdoc(const struct conf_table *t, struct buf *out);

#endif
