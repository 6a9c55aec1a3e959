/* SPDX-License-Identifier: ISC */
#include "front/stranger.h"

#include <string.h>

/* 0x16: a handshake of TLS. */
static const struct str beginnings[] = {
	STR_INIT("GET "),  STR_INIT("POST "),    STR_INIT("PUT "),
	STR_INIT("HEAD "), STR_INIT("OPTIONS "), STR_INIT("DELETE "),
	STR_INIT("PATCH"), STR_INIT("TRACE "),   STR_INIT("CONNECT "),
	STR_INIT("PRI "),  STR_INIT("SSH-"),     STR_INIT("EHLO"),
	STR_INIT("HELO"),  STR_INIT("LHLO"),     STR_INIT("MAIL FRO"),
	STR_INIT("\x16"),
};

bool stranger_is(struct stranger *s, struct str in)
{
	size_t n = sizeof s->first - s->n;
	struct str first;

	if (n > in.n)
		n = in.n;
	memcpy(s->first + s->n, in.p, n);
	s->n += n;
	first = (struct str){s->first, s->n};
	for (size_t i = 0; i < countof(beginnings); i++)
		if (str_istarts(first, beginnings[i]))
			return true;
	return false;
}
