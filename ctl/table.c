/* SPDX-License-Identifier: ISC */
#include "ctl/table.h"

#include "ctl/print.h"
#include "lib/buf.h"

#include <stdlib.h>
#include <string.h>

struct cell {
	uint64_t u; /* the number, or where the text starts */
	size_t n;   /* octets of the text */
};

struct table {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n, cap;
	struct buf text;
};

struct table *table_new(const struct column *columns, size_t n)
{
	struct table *t = xalloc(sizeof *t);

	must(n > 0);
	t->columns = columns;
	t->n_columns = n;
	/* As much as the store has names; what the machine cannot hold aborts. */
	buf_init(&t->text, SIZE_MAX / 4);
	return t;
}

void table_free(struct table **t)
{
	if (*t == NULL)
		return;
	xfree(&(*t)->cells);
	buf_fini(&(*t)->text);
	xfree(t);
}

static bool is_text(enum cell_kind kind)
{
	return kind == CELL_TEXT || kind == CELL_LIST;
}

static void add(struct table *t, struct cell c, bool text)
{
	must(is_text(t->columns[t->n % t->n_columns].kind) == text);
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		t->cells = xgrow(t->cells, t->cap * sizeof c, cap * sizeof c);
		t->cap = cap;
	}
	t->cells[t->n++] = c;
}

void table_text(struct table *t, struct str s)
{
	struct cell c = {t->text.n, s.n};

	buf_put(&t->text, s);
	add(t, c, true);
}

void table_number(struct table *t, uint64_t u)
{
	add(t, (struct cell){u, 0}, false);
}

size_t table_rows(const struct table *t)
{
	return t->n / t->n_columns;
}

static struct str text_of(const struct table *t, const struct cell *c)
{
	return (struct str){buf_cstr(&t->text) + c->u, c->n};
}

static int compare(const void *va, const void *vb, void *vt)
{
	const struct cell *a = va, *b = vb;
	const struct table *t = vt;

	if (!is_text(t->columns[0].kind))
		return a->u < b->u ? -1 : a->u > b->u;

	struct str x = text_of(t, a), y = text_of(t, b);
	int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

/* ---- for people ------------------------------------------------------------------ */

static void show_list(struct buf *out, struct str list)
{
	for (const char *sep = ""; list.n > 0; sep = ", ") {
		buf_put(out, str_of(sep));
		print_visible(out, str_cut(&list, '\n'));
	}
}

static void show_cell(const struct table *t, const struct column *col,
		      const struct cell *c, struct buf *out)
{
	buf_clear(out);
	switch (col->kind) {
	case CELL_TEXT:
		print_visible(out, text_of(t, c));
		break;
	case CELL_LIST:
		show_list(out, text_of(t, c));
		break;
	case CELL_COUNT:
		buf_printf(out, "%llu", (unsigned long long)c->u);
		break;
	case CELL_QUOTA:
		if (c->u == UINT64_MAX)
			buf_put(out, STR("none"));
		else
			print_size(out, c->u);
		break;
	case CELL_SIZE:
		print_size(out, c->u);
		break;
	case CELL_TIME:
		print_time(out, c->u);
		break;
	case CELL_BOOL:
		buf_put(out, str_of(c->u ? "yes" : "no"));
		break;
	}
	if (out->n == 0)
		buf_putc(out, '-');
}

/* width - characters, not octets */
static int width(struct str s)
{
	int n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool align_right(enum cell_kind kind)
{
	return kind == CELL_COUNT || kind == CELL_SIZE || kind == CELL_QUOTA;
}

static void put_padded(FILE *out, struct str s, int to, bool right)
{
	int pad = to - width(s);

	if (right)
		fprintf(out, "%*s", pad, "");
	fwrite(s.p, 1, s.n, out);
	if (!right)
		fprintf(out, "%*s", pad, "");
}

/* put_line - one row; the last shown column is not padded when it is text */
static void put_line(const struct table *t, const struct cell *row, const int *widths,
		     size_t last, struct buf *b, FILE *out)
{
	const char *sep = "";

	for (size_t i = 0; i <= last; i++) {
		const struct column *col = &t->columns[i];

		if (col->title == NULL)
			continue;
		if (row != NULL)
			show_cell(t, col, &row[i], b);

		struct str s = row ? buf_str(b) : str_of(col->title);
		bool right = align_right(col->kind);

		fputs(sep, out);
		put_padded(out, s, i == last && !right ? width(s) : widths[i], right);
		sep = "  ";
	}
	fputc('\n', out);
}

static void print_rows(const struct table *t, struct buf *b, FILE *out)
{
	int *widths = xalloc(t->n_columns * sizeof *widths);
	size_t last = 0, rows = table_rows(t);

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct column *col = &t->columns[i];

		if (col->title == NULL)
			continue;
		last = i;
		widths[i] = width(str_of(col->title));
		for (size_t r = 0; r < rows; r++) {
			show_cell(t, col, &t->cells[r * t->n_columns + i], b);
			if (width(buf_str(b)) > widths[i])
				widths[i] = width(buf_str(b));
		}
	}
	if (rows > 0)
		put_line(t, NULL, widths, last, b, out);
	for (size_t r = 0; r < rows; r++)
		put_line(t, &t->cells[r * t->n_columns], widths, last, b, out);
	xfree(&widths);
}

static void print_record(const struct table *t, struct buf *b, FILE *out)
{
	int w = 0;

	must(table_rows(t) == 1);
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].title && width(str_of(t->columns[i].title)) > w)
			w = width(str_of(t->columns[i].title));
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].title == NULL)
			continue;
		show_cell(t, &t->columns[i], &t->cells[i], b);
		put_padded(out, str_of(t->columns[i].title), w + 2, false);
		fwrite(b->p, 1, b->n, out);
		fputc('\n', out);
	}
}

/* ---- for programs ----------------------------------------------------------------- */

static json_t *json_list(struct str list)
{
	json_t *array = json_array();

	while (list.n > 0)
		json_array_append_new(array, print_json_text(str_cut(&list, '\n')));
	return array;
}

static json_t *json_cell(const struct table *t, enum cell_kind kind, const struct cell *c)
{
	switch (kind) {
	case CELL_TEXT:
		return print_json_text(text_of(t, c));
	case CELL_LIST:
		return json_list(text_of(t, c));
	case CELL_TIME:
		return print_json_time(c->u);
	case CELL_BOOL:
		return json_boolean(c->u != 0);
	case CELL_QUOTA:
		return c->u == UINT64_MAX ? json_null() : json_integer((json_int_t)c->u);
	case CELL_COUNT:
	case CELL_SIZE:
		break;
	}
	return json_integer((json_int_t)c->u);
}

static json_t *json_row(const struct table *t, const struct cell *row)
{
	json_t *object = json_object();

	for (size_t i = 0; i < t->n_columns; i++)
		json_object_set_new(object, t->columns[i].key,
				    json_cell(t, t->columns[i].kind, &row[i]));
	return object;
}

/* print_json_rows - an array, a row at a time: never a tree of all of them */
static void print_json_rows(const struct table *t, FILE *out)
{
	const char *sep = "\n";

	fputc('[', out);
	for (size_t r = 0; r < table_rows(t); r++, sep = ",\n") {
		json_t *row = json_row(t, &t->cells[r * t->n_columns]);

		fputs(sep, out);
		json_dumpf(row, out, 0);
		json_decref(row);
	}
	fputs("\n]\n", out);
}

void table_print(struct table *t, enum table_form form, bool json, FILE *out)
{
	struct buf b;

	must(t->n % t->n_columns == 0);
	if (t->n > 0)
		qsort_r(t->cells, table_rows(t), t->n_columns * sizeof *t->cells, compare,
			t);
	buf_init(&b, SIZE_MAX / 4);
	if (json && form == TABLE_ROWS)
		print_json_rows(t, out);
	else if (json)
		print_json(json_row(t, t->cells), out);
	else if (form == TABLE_ROWS)
		print_rows(t, &b, out);
	else
		print_record(t, &b, out);
	buf_fini(&b);
}
