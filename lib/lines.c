/* SPDX-License-Identifier: ISC */
#include "lib/lines.h"

#include <string.h>

void lines_init(struct lines *l, size_t max)
{
	must(max > 2);
	*l = (struct lines){.text = xalloc(max), .max = max};
}

void lines_fini(struct lines *l)
{
	if (l->text != NULL)
		explicit_bzero(l->text, l->max);
	xfree(&l->text);
	*l = (struct lines){0};
}

/* whole - the LF has come: what kind of line is it?  l->n is left for lines_text(). */
static enum lines_result whole(struct lines *l)
{
	bool bare = l->bare || (!l->cr && !l->lf_ends);
	bool too_long = l->too_long;

	l->ending = l->cr ? 2 : 1;
	l->cr = l->bare = l->too_long = false;
	if (bare)
		return LINES_BARE;
	return too_long ? LINES_TOO_LONG : LINES_ONE;
}

static void put(struct lines *l, char c)
{
	l->bare |= l->cr;
	l->cr = c == '\r';
	if (l->n < l->max - 1)
		l->text[l->n++] = c;
	else
		l->too_long = true;
}

size_t lines_feed(struct lines *l, struct str in, enum lines_result *result)
{
	*result = LINES_MORE;
	if (l->n > 0 && l->text[l->n - 1] == '\n')
		l->n = 0;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\0') {
			*result = LINES_NUL;
			return i + 1;
		}
		if (in.p[i] == '\n') {
			*result = whole(l);
			l->text[l->n++] = '\n';
			return i + 1;
		}
		put(l, in.p[i]);
	}
	return in.n;
}

struct str lines_text(const struct lines *l)
{
	return (struct str){l->text, l->n >= l->ending ? l->n - l->ending : 0};
}

void lines_forget(struct lines *l)
{
	explicit_bzero(l->text, l->n);
	l->n = 0;
}
