/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/ops.h"

#include <string.h>

size_t ops_count(void)
{
	return ops_names_n + ops_mail_n + ops_mend_n;
}

const struct op *ops_get(size_t i)
{
	if (i < ops_names_n)
		return &ops_names[i];
	i -= ops_names_n;
	return i < ops_mail_n ? &ops_mail[i] : &ops_mend[i - ops_mail_n];
}

const struct op *op_named(const char *name)
{
	for (size_t i = 0; i < ops_count(); i++)
		if (strcmp(ops_get(i)->name, name) == 0)
			return ops_get(i);
	must(false);
}

unsigned op_all_parts(const struct op *op)
{
	unsigned all = 0;

	for (unsigned i = 0; i < OP_PARTS && op->parts[i] != NULL; i++)
		all |= 1u << i;
	return all;
}

unsigned op_part_of(const struct op *op, const char *key)
{
	unsigned i = 0;

	while (i < OP_PARTS && op->parts[i] != NULL &&
	       strncmp(key, op->parts[i], strlen(op->parts[i])) != 0)
		i++;
	return i < OP_PARTS && op->parts[i] != NULL ? i : OP_PARTS;
}
