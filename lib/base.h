/* SPDX-License-Identifier: ISC */
/*
 * base - what every file includes first: promises, attributes, memory
 *
 * must() states a promise of our own code.  It is never compiled out and never
 * depends on anything that a peer, a file or a user can influence: those are
 * ordinary errors (lib/err.h).  Running out of memory aborts; the dispatcher
 * restarts the process, and what was acknowledged is on disk.
 *
 * Tests: t/unit/lib/base.c
 */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define countof(a)        (sizeof(a) / sizeof(*(a)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_USE          __attribute__((warn_unused_result))
#define NORETURN          __attribute__((noreturn))
#define UNUSED            __attribute__((unused))

/* Of a large variable, which would be zeroed at each call (-ftrivial-auto-var-init): where
 * that costs more than what is done with it, and only what was written is looked at. */
#define NOT_ZEROED __attribute__((uninitialized))

#define must(e) ((e) ? (void)0 : must_fail(#e, __FILE__, __LINE__, __func__))
NORETURN void must_fail(const char *expr, const char *file, int line, const char *func);

int process_id(void); /* getpid(), which is a system call, once in a process */

void *xalloc(size_t size);                    /* zeroed; aborts rather than fails */
void *xgrow(void *p, size_t old, size_t new); /* new tail zeroed */
void *xresize(void *p, size_t new);           /* new tail not even that */
char *xstrdup(const char *s);
void xfree(void *pp); /* void **: frees and clears */

#endif
