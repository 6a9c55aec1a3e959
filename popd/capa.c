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
	if (c->login_delay_s > 0)
		buf_printf(out, "LOGIN-DELAY %" PRIu64 "\r\n", c->login_delay_s);
	if (logged_in)
		buf_put(out, STR("IMPLEMENTATION popstore-" POPSTORE_VERSION "\r\n"));
	buf_put(out, STR(".\r\n"));
}
