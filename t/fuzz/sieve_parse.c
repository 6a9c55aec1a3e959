/* SPDX-License-Identifier: ISC */
/*
 * sieve_parse - any text compiles or has errors, each with a place in it; what compiles
 *               compiles again, and is known by the same hash
 */
#include "sieve/sieve.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t lines(struct str text)
{
	uint32_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct sieve_errors e = {0};
	struct sieve_script *s = sieve_compile(text, "fuzz", &sieve_site_default, &e);

	must((s == NULL) == (e.n > 0) && e.n <= SIEVE_ERRORS);
	for (size_t i = 0; i < e.n; i++) {
		must(e.list[i].line >= 1 && e.list[i].line <= lines(text));
		must(e.list[i].column >= 1 && e.list[i].column <= size + 1);
		must(e.list[i].text[0] != '\0');
	}
	if (s != NULL) {
		struct sieve_script *again =
			sieve_compile(text, "fuzz", &sieve_site_default, &e);

		must(again != NULL);
		must(memcmp(sieve_script_hash(s), sieve_script_hash(again), SIEVE_HASH) ==
		     0);
		sieve_script_free(&again);
	}
	sieve_script_free(&s);
	sieve_errors_fini(&e);
	return 0;
}
