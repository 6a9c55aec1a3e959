/* SPDX-License-Identifier: ISC */
/*
 * table - rows to print, in aligned columns or as JSON, from one description
 *
 *   static const struct column columns[] = {{"name", "NAME", CELL_TEXT}, ...};
 *   t = table_new(columns, countof(columns));
 *   table_text(t, ...); table_number(t, ...);      a row, cell by cell
 *   table_print(t, TABLE_ROWS, json, stdout);
 *
 * A cell is a number or a piece of text until it is printed, so a million rows
 * fit in memory.  The same rows always print the same: sorted by the first column.
 *
 * Owns:  its cells.  Ends: table_free().
 * Tests: t/unit/ctl/table.c
 */
#ifndef TABLE_H
#define TABLE_H

#include "lib/str.h"

#include <stdio.h>

enum cell_kind {
	CELL_TEXT,  /* "-" where empty; JSON: string */
	CELL_LIST,  /* texts after each other, each ended by LF; JSON: array of strings */
	CELL_COUNT, /* JSON: number */
	CELL_SIZE,  /* octets in a human unit; JSON: number of octets */
	CELL_QUOTA, /* the same; UINT64_MAX is "none", JSON null */
	CELL_TIME,  /* Unix milliseconds; JSON: RFC 3339, null for 0 */
	CELL_BOOL,  /* yes, no; JSON true, false */
};

struct column {
	const char *key;   /* in JSON; an interface, see popstore(8) */
	const char *title; /* for people; NULL: JSON only */
	enum cell_kind kind;
};

enum table_form {
	TABLE_ROWS,   /* a line a row under a heading; JSON: array of objects */
	TABLE_RECORD, /* one row, a line a column; JSON: object */
};

struct table;

/* `columns` is borrowed. */
struct table *table_new(const struct column *columns, size_t n);
void table_free(struct table **t);

/* The next cell: text for TEXT and LIST, a number for the others. */
void table_text(struct table *t, struct str s);
void table_number(struct table *t, uint64_t u);

size_t table_rows(const struct table *t); /* complete ones */
void table_print(struct table *t, enum table_form form, bool json, FILE *out);

#endif
