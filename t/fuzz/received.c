/* SPDX-License-Identifier: ISC */
/*
 * received - what it gives lies in the text and is well formed; nothing that follows the
 *            first Received field changes it, and nothing that a stranger sent does when
 *            the line of our MTA stands on top
 */
#include "mail/received.h"

#include "lib/buf.h"

#include <string.h>

static bool inside(struct str s, struct str text)
{
	return s.n > 0 && s.p >= text.p && s.p + s.n <= text.p + text.n;
}

static void same_with_more(struct str text, const struct received *r)
{
	struct received again;
	struct buf more;

	buf_init(&more, text.n + 100);
	buf_put(&more, text);
	buf_put(&more,
		STR("x: y\r\nReceived: by z id z; 1 Jan 2020 00:00:00 GMT\r\n\r\n"));
	must(received_first(buf_str(&more), &again));
	must(str_eq(again.by, r->by) && str_eq(again.id, r->id));
	must(again.unix_ms == r->unix_ms);
	buf_fini(&more);
}

static void ours_stands_on_top(struct str text)
{
	struct received r;
	struct buf whole;

	/* The field ends with the octet that shows that it is not folded. */
	if (text.n == 0 || text.p[0] == ' ' || text.p[0] == '\t')
		return;
	buf_init(&whole, text.n + 100);
	buf_put(&whole, STR("Received: by mx id 1; 1 Jan 2026 00:00:00 GMT\r\n"));
	buf_put(&whole, text);
	must(received_first(buf_str(&whole), &r));
	must(str_eq(r.by, STR("mx")) && str_eq(r.id, STR("1")));
	buf_fini(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct received r;

	ours_stands_on_top(text);
	if (!received_first(text, &r))
		return 0;
	must(inside(r.by, text) && inside(r.id, text) && received_is_id(r.id));
	for (size_t i = 0; i < r.by.n; i++)
		must(r.by.p[i] != '(' || memchr(r.by.p, '"', i) != NULL);
	same_with_more(text, &r);
	return 0;
}
