/* SPDX-License-Identifier: ISC */
#include "smtpauth/lookup.h"

#include <string.h>

enum { WAIT_MAX_MS = 15000 };

/* address_of - without the port that SASL writes behind it */
static struct str address_of(const char *address_and_port)
{
	struct str s = str_of(address_and_port);

	return str_cut(&s, ';');
}

/* put_server - "192.0.2.1;25" or "2001:db8::1;25", as popstore.conf writes it */
static void put_server(struct wire *m, const char *server)
{
	struct str port = str_of(server);
	struct str host = str_cut(&port, ';');
	bool ipv6 = host.n > 0 && memchr(host.p, ':', host.n) != NULL;
	struct buf text;

	if (host.n == 0 || port.n == 0)
		return;
	buf_init(&text, 128);
	buf_printf(&text, ipv6 ? "[" STR_FMT "]:" STR_FMT : STR_FMT ":" STR_FMT,
		   STR_ARG(host), STR_ARG(port));
	if (!buf_over(&text))
		wire_put(m, "server", buf_str(&text));
	buf_fini(&text);
}

void lookup_question(struct wire *m, const struct lookup_peer *p, struct str user)
{
	struct str client = address_of(p->client);

	wire_put(m, "do", STR("lookup"));
	wire_put(m, "service", str_of(p->service));
	wire_put(m, "client", client.n > 0 ? client : STR("unix"));
	put_server(m, p->server);
	if (p->tls)
		wire_put(m, "tls", STR("yes"));
	wire_put(m, "user", user);
}

/* take_verifiers - what stands between blanks there, a line each */
static void take_verifiers(const struct wire *m, struct buf *verifiers)
{
	struct buf text;

	buf_init_secret(&text, LOOKUP_VERIFIERS_MAX);
	wire_get(m, "verifiers", &text);

	struct str rest = buf_str(&text);

	while (rest.n > 0 && !buf_over(&text)) {
		struct str one = str_word(&rest);

		buf_put(verifiers, one);
		if (one.n > 0)
			buf_putc(verifiers, '\n');
	}
	buf_fini_secret(&text);
}

enum lookup_result lookup_answer(const struct wire *m, struct buf *verifiers,
				 uint32_t *wait_ms)
{
	uint64_t wait = 0;

	wire_get_u64(m, "wait", &wait);
	*wait_ms = (uint32_t)(wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
	if (wire_is(m, "answer", "refused"))
		return LOOKUP_NOT_HERE;
	if (!wire_is(m, "answer", "ok"))
		return LOOKUP_LATER;
	take_verifiers(m, verifiers);
	return verifiers->n > 0 && !buf_over(verifiers) ? LOOKUP_FOUND : LOOKUP_LATER;
}
