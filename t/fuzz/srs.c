/* SPDX-License-Identifier: ISC */
/*
 * srs - nothing is taken for ours that was not made by us; what we make comes home, whatever
 *       the sender is
 */
#include "mail/srs.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct srs_rules rules = {"srs.example.org", 12, 21};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t now = 1795995104;
	struct address a, to, home;
	struct err e;
	struct srs *s = srs_new(&rules, STR("0123456789abcdef\n"), &e);
	struct srs *other = srs_new(&rules, (struct str){(const char *)data, size}, &e);

	srs_free(&other);
	if (address_parse_plain((struct str){(const char *)data, size}, true, &a) ==
		    ADDRESS_OK &&
	    a.domain[0] != '\0') {
		memcpy(to.domain, "srs.example.org", sizeof "srs.example.org");
		memcpy(to.local, a.local, sizeof to.local);
		must(srs_reverse(s, &to, now, &home) != SRS_OK);
		if (srs_forward(s, &a, now, &to)) {
			bool again = str_istarts(str_of(a.local), STR("SRS1")) &&
				     str_starts(str_of(to.local), STR("SRS1"));

			must(srs_reverse(s, &to, now, &home) == SRS_OK);
			must(again || strcmp(home.local, a.local) == 0 ||
			     str_istarts(str_of(a.local), STR("SRS0")));
			must(again || strcmp(home.domain, a.domain) == 0);
		}
	}
	srs_free(&s);
	return 0;
}
