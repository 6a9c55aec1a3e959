/* SPDX-License-Identifier: ISC */
#include "store/trace.h"

#include "mail/date.h"
#include "store/id.h"

static void put_value(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_putc(out, c < 0x20 || c == 0x7f ? '?' : s.p[i]);
	}
}

void trace_return_path(struct str sender, struct buf *out)
{
	buf_put(out, STR("Return-Path: <"));
	put_value(out, sender);
	buf_put(out, STR(">\r\n"));
}

void trace_received(const struct trace_hop *hop, struct buf *out)
{
	struct id_text id = id_print(hop->id);

	buf_put(out, STR("Received: from "));
	put_value(out, hop->from);
	buf_put(out, STR(" ("));
	put_value(out, hop->peer);
	buf_put(out, STR(")\r\n\tby "));
	put_value(out, hop->by);
	buf_printf(out, " with %sLMTP%s id %s;\r\n\t", hop->utf8 ? "UTF8" : "",
		   hop->tls ? "S" : "", id.c);
	date_rfc5322(out, hop->unix_ms);
	buf_put(out, STR("\r\n"));
}

void trace_delivered_to(struct str address, struct buf *out)
{
	buf_put(out, STR("Delivered-To: "));
	put_value(out, address);
	buf_put(out, STR("\r\n"));
}
