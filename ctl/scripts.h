/* SPDX-License-Identifier: ISC */
/*
 * scripts - Sieve scripts in files, for the verbs that need no store
 *
 * A script that includes others finds them beside its file: NAME.sieve, and those of the
 * site in global/NAME.sieve.
 *
 * Owns:   the scripts that it has compiled, until scripts_fini().
 * Limits: SCRIPTS_FILE_MAX octets a file, which has to be a regular one, or "-".
 * Tests:  t/box/test_sieve.py
 */
#ifndef SCRIPTS_H
#define SCRIPTS_H

#include "ctl/ctl.h"
#include "sieve/sieve.h"

enum { SCRIPTS_FILE_MAX = 64 << 20 };

/* Appends what is in a file; "-" is standard input. */
int scripts_read(const char *path, struct buf *out, struct err *e) MUST_USE;

struct scripts {
	struct ctl *ctl;
	char *directory; /* of the script */
	struct scripts_included {
		char *path;
		struct sieve_script *script; /* NULL: it is not there, or has errors */
	} * list;
	size_t n;
};

void scripts_init(struct scripts *s, struct ctl *c, const char *path);
void scripts_fini(struct scripts *s);

/* Complains of each error, "FILE:LINE:COLUMN: TEXT"; NULL: there were some. */
struct sieve_script *scripts_compile(struct ctl *c, struct str text, const char *path);
/* The same, by what the site has of the language. */
struct sieve_script *scripts_compile_for(struct ctl *c, struct str text, const char *path,
					 const struct sieve_site *site);
/* For struct sieve_host; ctx is the struct scripts. */
const struct sieve_script *scripts_include(void *ctx, enum sieve_place where,
					   struct str name);

void scripts_complain(struct ctl *c, const char *path, const struct sieve_errors *errors);

#endif
