/* SPDX-License-Identifier: ISC */
#include "authd/mechanism.h"

const struct mechanism mechanisms[] = {
	/* clang-format off */
	[MECHANISM_EXTERNAL]           = {"EXTERNAL",           NEEDS_CERTIFICATE, NULL},
	[MECHANISM_GSSAPI]             = {"GSSAPI",             NEEDS_KEYTAB,      "libgssapiv2"},
	[MECHANISM_SCRAM_SHA_512_PLUS] = {"SCRAM-SHA-512-PLUS", NEEDS_BINDING,     "libscram"},
	[MECHANISM_SCRAM_SHA_256_PLUS] = {"SCRAM-SHA-256-PLUS", NEEDS_BINDING,     "libscram"},
	[MECHANISM_SCRAM_SHA_1_PLUS]   = {"SCRAM-SHA-1-PLUS",   NEEDS_BINDING,     "libscram"},
	[MECHANISM_SCRAM_SHA_512]      = {"SCRAM-SHA-512",      0,                 "libscram"},
	[MECHANISM_SCRAM_SHA_256]      = {"SCRAM-SHA-256",      0,                 "libscram"},
	[MECHANISM_SCRAM_SHA_1]        = {"SCRAM-SHA-1",        0,                 "libscram"},
	[MECHANISM_DIGEST_MD5]         = {"DIGEST-MD5",         NEEDS_RECOVERABLE, "libdigestmd5"},
	[MECHANISM_CRAM_MD5]           = {"CRAM-MD5",           NEEDS_RECOVERABLE, "libcrammd5"},
	[MECHANISM_APOP]               = {"APOP",               NEEDS_RECOVERABLE | NO_SASL, NULL},
	[MECHANISM_PLAIN]              = {"PLAIN",              NEEDS_CLEAR_TEXT,  "libplain"},
	[MECHANISM_LOGIN]              = {"LOGIN",              NEEDS_CLEAR_TEXT,  "liblogin"},
	[MECHANISM_PASS]               = {"PASS",               NEEDS_CLEAR_TEXT | NO_SASL, NULL},
	/* clang-format on */
};

unsigned mechanism_defaults(void)
{
	unsigned set = 0;

	for (unsigned i = 0; i < MECHANISMS; i++)
		if ((mechanisms[i].needs & (NEEDS_RECOVERABLE | NEEDS_KEYTAB)) == 0)
			set |= MECHANISM_BIT(i);
	return set;
}

unsigned mechanism_find(struct str name)
{
	unsigned i = 0;

	while (i < MECHANISMS && !str_ieq(name, str_of(mechanisms[i].name)))
		i++;
	return i;
}
