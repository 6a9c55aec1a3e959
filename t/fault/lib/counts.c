/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/counts.h"

#include <stdio.h>
#include <stdlib.h>

void count(const char *what, uint64_t n)
{
	const char *path = getenv("POPSTORE_COUNTS");
	FILE *f = path ? fopen(path, "a") : NULL;

	printf("%12llu  %s\n", (unsigned long long)n, what);
	if (f != NULL) {
		fprintf(f, "%s\t%llu\n", what, (unsigned long long)n);
		fclose(f);
	}
}
