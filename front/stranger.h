/* SPDX-License-Identifier: ISC */
/*
 * stranger - who begins in another protocol: a browser that was sent here, another port's client
 *
 * What such a client is told could be taken for an answer, or what it sends for commands; so it
 * is best told nothing.
 *
 * Limits: looks at STRANGER_BEGINNING octets.
 * Tests:  t/unit/popd/login.c  t/unit/managesieve/login.c
 */
#ifndef STRANGER_H
#define STRANGER_H

#include "lib/str.h"

enum { STRANGER_BEGINNING = 8 };

/* Zeroed where a connection begins, and where it begins anew. */
struct stranger {
	char first[STRANGER_BEGINNING];
	size_t n;
};

/* `in` is what comes next, up to the end of the first line; true: it is one. */
bool stranger_is(struct stranger *s, struct str in);

#endif
