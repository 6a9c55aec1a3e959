/* SPDX-License-Identifier: ISC */
/*
 * capa - what a client that has not logged in may do on its connection, as it is now
 *
 * Made of what authd offers, the settings and the state of TLS; each protocol says it in its
 * own words.
 *
 * Tests: t/unit/popd/login.c  t/unit/managesieve/login.c
 */
#ifndef FRONT_CAPA_H
#define FRONT_CAPA_H

#include "lib/str.h"

#include <stdint.h>

struct capa {
	bool plaintext; /* a password may come in clear here: USER and PASS work */
	bool stls;      /* TLS can be begun */
	bool tls;       /* it was */
	bool apop;      /* the greeting's challenge may be answered */
	bool xclient;   /* the peer may say for whom it speaks */
	uint64_t login_delay_s; /* 0 = none */
	const char *mechanisms; /* of SASL, a blank between two; NULL = none */
};

/* Whether `mechanism`, in any case, is one of them. */
bool capa_has_mechanism(const struct capa *c, struct str mechanism);

#endif
