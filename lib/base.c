/* SPDX-License-Identifier: ISC */
#include "lib/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must_fail(const char *expr, const char *file, int line, const char *func)
{
	fprintf(stderr,
		"event=broken.promise level=error promise=\"%s\" at=%s:%d func=%s\n",
		expr, file, line, func);
	abort();
}

void *xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1); /* lint: ok */

	must(p != NULL);
	return p;
}

void *xgrow(void *p, size_t old, size_t new)
{
	must(new >= old);
	p = realloc(p, new ? new : 1); /* lint: ok */
	must(p != NULL);
	memset((char *)p + old, 0, new - old);
	return p;
}

void *xresize(void *p, size_t new)
{
	p = realloc(p, new ? new : 1); /* lint: ok */
	must(p != NULL);
	return p;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xalloc(n), s, n);
}

void xfree(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}
