/* SPDX-License-Identifier: ISC */
/*
 * openssl - how the library is begun, by whoever uses it first in a process
 *
 * Nothing of openssl.cnf is for us, and who has entered its role could not read it.  Threads
 * may use the library while the process ends.
 */
#ifndef OPENSSL_H
#define OPENSSL_H

#include "lib/base.h"

#include <openssl/crypto.h>

static inline void openssl_begin(void)
{
	must(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT,
				 NULL) == 1);
}

#endif
