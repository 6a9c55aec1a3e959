/* SPDX-License-Identifier: ISC */
#include "store/mend.h"

/* mend_at - the octet at `at`, if it is the one */
static bool mend_at(char *text, size_t n, size_t at,
		    bool (*whole)(struct str text, void *ctx), void *ctx)
{
	const char was = text[at];

	for (unsigned octet = 0; octet <= UINT8_MAX; octet++) {
		text[at] = (char)octet;
		if (whole((struct str){text, n}, ctx))
			return true;
	}
	text[at] = was;
	return false;
}

bool mend_octet(char *text, size_t n, bool (*whole)(struct str text, void *ctx),
		void *ctx)
{
	if (n > MEND_MAX)
		return false;
	if (whole((struct str){text, n}, ctx))
		return true;
	for (size_t at = 0; at < n; at++)
		if (mend_at(text, n, at, whole, ctx))
			return true;
	return false;
}
