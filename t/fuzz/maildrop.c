/* SPDX-License-Identifier: ISC */
/*
 * Lines of a maildrop: whatever is parsed is what would be printed, and no line
 * passes for another account's.
 */
#include "store/maildrop_line.h"

#include <stdlib.h>
#include <string.h>

enum { UID_OCTETS = 8 };

static void check_line(struct str text, uint64_t uid)
{
	struct maildrop_line line, other;
	struct buf again;

	if (!maildrop_line_parse(text, uid, &line))
		return;
	must(!maildrop_line_parse(text, uid ^ 1, &other));
	if (line.event == MAILDROP_DROPPED)
		line.event = MAILDROP_ADDED;
	buf_init(&again, MAILDROP_LINE_MAX);
	maildrop_line_print(&line, uid, &again);
	/* Leading zeros of numbers are the one freedom that a line has. */
	must(again.n <= text.n + 1);
	must(maildrop_line_parse((struct str){again.p, again.n - 1}, uid, &other));
	must(other.number == line.number && other.id == line.id &&
	     other.event == line.event);
	must(other.count == line.count && other.octets == line.octets);
	must(str_eq(other.trace, line.trace) && other.size == line.size);
	must(retry_key_eq(other.key, line.key));
	buf_fini(&again);
}

/* sign - gives a line the checksum it would need, so that the rest is reached */
static void sign(struct str text, uint64_t uid, struct buf *out)
{
	buf_put(out, text);
	maildrop_line_sign(out, 0, uid);
	if (out->n > 0)
		buf_cut(out, out->n - 1); /* the newline */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct buf signed_line;
	uint64_t uid;

	if (size < UID_OCTETS)
		return 0;
	memcpy(&uid, data, UID_OCTETS);
	text.p += UID_OCTETS;
	text.n -= UID_OCTETS;
	check_line(text, uid);
	buf_init(&signed_line, MAILDROP_LINE_MAX);
	sign(text, uid, &signed_line);
	if (!buf_over(&signed_line))
		check_line(buf_str(&signed_line), uid);
	buf_fini(&signed_line);
	return 0;
}
