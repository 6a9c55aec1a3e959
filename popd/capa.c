/* SPDX-License-Identifier: ISC */
#include "popd/capa.h"

#include <inttypes.h>

void capa_reply(struct buf *out, const struct capa *c, bool logged_in)
{
	buf_put(out, STR("+OK capabilities follow\r\n"
			 "TOP\r\n"
			 "UIDL\r\n"
			 "PIPELINING\r\n"
			 "RESP-CODES\r\n"
			 "AUTH-RESP-CODE\r\n"
			 "EXPIRE NEVER\r\n"));
	if (c->plaintext)
		buf_put(out, STR("USER\r\n"));
	if (str_of(c->mechanisms).n > 0)
		buf_printf(out, "SASL %s\r\n", c->mechanisms);
	if (c->stls && !logged_in)
		buf_put(out, STR("STLS\r\n"));
	if (c->login_delay_s > 0)
		buf_printf(out, "LOGIN-DELAY %" PRIu64 "\r\n", c->login_delay_s);
	if (logged_in)
		buf_put(out, STR("IMPLEMENTATION popstore-" POPSTORE_VERSION "\r\n"));
	buf_put(out, STR(".\r\n"));
}

void capa_mechanisms_reply(struct buf *out, const struct capa *c)
{
	struct str rest = str_of(c->mechanisms);

	buf_put(out, STR("+OK mechanisms follow\r\n"));
	while (rest.n > 0) {
		buf_put(out, str_word(&rest));
		buf_put(out, STR("\r\n"));
	}
	buf_put(out, STR(".\r\n"));
}
