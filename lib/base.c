/* SPDX-License-Identifier: ISC */
#include "lib/base.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int own_id;

static void forget_id(void)
{
	atomic_store(&own_id, 0);
}

static void forget_id_in_children(void)
{
	must(pthread_atfork(NULL, NULL, forget_id) == 0);
}

int process_id(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int id = atomic_load(&own_id);

	if (id != 0)
		return id;
	/* Before it is remembered, or a child could take it for its own. */
	must(pthread_once(&once, forget_id_in_children) == 0);
	id = (int)getpid();
	atomic_store(&own_id, id);
	return id;
}

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

void *xresize(void *p, size_t new)
{
	p = realloc(p, new ? new : 1); /* lint: ok */
	must(p != NULL);
	return p;
}

void *xgrow(void *p, size_t old, size_t new)
{
	must(new >= old);
	p = xresize(p, new);
	memset((char *)p + old, 0, new - old);
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
