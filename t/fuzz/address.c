/* SPDX-License-Identifier: ISC */
/*
 * address - what is accepted is printed in a form that means the same, fits
 *           between < and >, and holds nothing that could end a line
 */
#include "mail/address.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct address *a)
{
	struct address again;
	struct buf out;
	struct str rest, path;

	buf_init(&out, 4 * sizeof *a);
	buf_putc(&out, '<');
	address_print(&out, a);
	buf_putc(&out, '>');
	must(!buf_over(&out));
	rest = buf_str(&out);
	for (size_t i = 0; i < rest.n; i++)
		must((unsigned char)rest.p[i] >= 0x20 && rest.p[i] != 0x7f);
	must(address_path(&rest, &path));
	must(rest.n == 0);
	must(address_parse(path, true, &again) == ADDRESS_OK);
	must(strcmp(a->local, again.local) == 0);
	must(strcmp(a->domain, again.domain) == 0);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size}, path;
	struct address a;

	if (address_parse(in, true, &a) == ADDRESS_OK)
		same_again(&a);
	if (address_parse(in, false, &a) == ADDRESS_OK)
		same_again(&a);
	if (address_parse_plain(in, true, &a) == ADDRESS_OK)
		same_again(&a);
	while (address_path(&in, &path))
		if (address_parse(path, true, &a) == ADDRESS_OK)
			same_again(&a);
	return 0;
}
