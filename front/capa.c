/* SPDX-License-Identifier: ISC */
#include "front/capa.h"

bool capa_has_mechanism(const struct capa *c, struct str mechanism)
{
	struct str rest = str_of(c->mechanisms);

	while (rest.n > 0)
		if (str_ieq(str_word(&rest), mechanism))
			return mechanism.n > 0;
	return false;
}
