/* SPDX-License-Identifier: ISC */
#include "lib/proxy.h"

#include "lib/conn.h"

#include <netinet/in.h>
#include <string.h>

/* ---- version 1: a line ---------------------------------------------------------------- */

enum { LINE_MAX_OCTETS = 107 }; /* with CRLF, proxy-protocol.txt s2.1 */

/* port_of - without sign or leading zeros */
static bool port_of(struct str s, uint16_t *port)
{
	uint32_t n;

	if (!str_u32(s, &n) || n > UINT16_MAX || (s.n > 1 && s.p[0] == '0'))
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool address_of(struct str s, bool ipv6, struct network_address *out)
{
	return ipv6 == (s.n > 0 && memchr(s.p, ':', s.n) != NULL) &&
	       network_parse_address(s, out);
}

/* parse_line - "TCP4 from to port port" */
static bool parse_line(struct str line, struct proxy_client *out)
{
	struct str family = str_word(&line);
	struct str from = str_word(&line), to = str_word(&line);
	struct str from_port = str_word(&line);
	bool ipv6 = str_eq(family, STR("TCP6"));
	struct network_address ours;
	uint16_t our_port;

	if (str_eq(family, STR("UNKNOWN")))
		return true;
	if (!ipv6 && !str_eq(family, STR("TCP4")))
		return false;
	out->known = true;
	return address_of(from, ipv6, &out->address) && address_of(to, ipv6, &ours) &&
	       port_of(from_port, &out->port) && port_of(line, &our_port);
}

static enum proxy_result line_octet(struct proxy *p)
{
	static const struct str begin = STR_INIT("PROXY ");
	struct str line = {p->header, p->n};

	if (p->n <= begin.n)
		return str_starts(begin, line) ? PROXY_MORE : PROXY_BAD;
	if (!str_ends(line, STR("\n")))
		return p->n < LINE_MAX_OCTETS ? PROXY_MORE : PROXY_BAD;
	line.n -= 2;
	if (line.p[line.n] != '\r' || str_has_control(line))
		return PROXY_BAD;
	line = (struct str){line.p + begin.n, line.n > begin.n ? line.n - begin.n : 0};
	return parse_line(line, &p->client) ? PROXY_DONE : PROXY_BAD;
}

/* ---- version 2: octets ------------------------------------------------------------------ */

enum {
	FIXED = 16,
	TYPE_AT = 12,
	FAMILY_AT = 13,
	LENGTH_AT = 14,
	LOCAL = 0x20, /* version 2, the command 0 */
	PROXY = 0x21,
	FAMILY_NONE = 0x00,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	FAMILY_UNIX = 0x31,
};

static const struct str signature = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

static unsigned octet(const struct proxy *p, size_t at)
{
	return (unsigned char)p->header[at];
}

static uint16_t port_at(const struct proxy *p, size_t at)
{
	return (uint16_t)(octet(p, at) << 8 | octet(p, at + 1));
}

/* Each is: the client's address, ours, the client's port, ours; then extensions. */
static bool take_ipv4(struct proxy *p)
{
	if (p->total < FIXED + 12)
		return false;
	p->client.known = true;
	memset(p->client.address.octets, 0, 10);
	memset(p->client.address.octets + 10, 0xff, 2);
	memcpy(p->client.address.octets + 12, p->header + FIXED, 4);
	p->client.port = port_at(p, FIXED + 8);
	return true;
}

static bool take_ipv6(struct proxy *p)
{
	if (p->total < FIXED + 36)
		return false;
	p->client.known = true;
	memcpy(p->client.address.octets, p->header + FIXED, 16);
	p->client.port = port_at(p, FIXED + 32);
	return true;
}

static bool take_addresses(struct proxy *p)
{
	if (octet(p, TYPE_AT) == LOCAL)
		return true;
	switch (octet(p, FAMILY_AT)) {
	case FAMILY_TCP4:
		return take_ipv4(p);
	case FAMILY_TCP6:
		return take_ipv6(p);
	case FAMILY_NONE:
	case FAMILY_UNIX:
		return true;
	default:
		return false; /* datagrams, and what is not invented yet */
	}
}

static enum proxy_result binary_octet(struct proxy *p)
{
	struct str so_far = {p->header, p->n};

	if (p->n <= signature.n)
		return str_starts(signature, so_far) ? PROXY_MORE : PROXY_BAD;
	if (p->n < FIXED)
		return PROXY_MORE;
	if (p->n == FIXED) {
		if (octet(p, TYPE_AT) != LOCAL && octet(p, TYPE_AT) != PROXY)
			return PROXY_BAD;
		p->total = FIXED + (octet(p, LENGTH_AT) << 8 | octet(p, LENGTH_AT + 1));
		if (p->total > sizeof p->header)
			return PROXY_BAD;
	}
	if (p->n < p->total)
		return PROXY_MORE;
	return take_addresses(p) ? PROXY_DONE : PROXY_BAD;
}

/* ---- both --------------------------------------------------------------------------------- */

void proxy_init(struct proxy *p)
{
	p->client = (struct proxy_client){0};
	p->n = p->total = 0;
}

size_t proxy_feed(struct proxy *p, struct str in, enum proxy_result *r)
{
	size_t used = 0;

	*r = PROXY_MORE;
	while (*r == PROXY_MORE && used < in.n) {
		must(p->n < sizeof p->header);
		p->header[p->n++] = in.p[used++];
		*r = p->header[0] == 'P' ? line_octet(p) : binary_octet(p);
	}
	return used;
}

static int read_header(struct conn *c, struct proxy *p, struct err *e)
{
	enum proxy_result r = PROXY_MORE;
	struct str in;

	/* A proxy sends the client's handshake in the same segment. */
	while (r == PROXY_MORE)
		if (conn_peek(c, &in, e) < 0 ||
		    conn_skip(c, proxy_feed(p, in, &r), e) < 0)
			return -1;
	if (r == PROXY_BAD)
		return err_set(e, ERR_PEER, "5.5.2",
			       "no PROXY header, as this network has to send");
	return 0;
}

void conn_set_client(struct conn *c, const struct proxy_client *client)
{
	struct sockaddr_in6 told = {.sin6_family = AF_INET6};

	if (!client->known)
		return;
	memcpy(told.sin6_addr.s6_addr, client->address.octets, 16);
	told.sin6_port = htons(client->port);
	conn_set_peer(c, &told);
}

int conn_read_proxy(struct conn *c, const struct conf_list *networks, struct err *e)
{
	uint64_t deadline_ms = c->deadline_ms;
	struct proxy *p;
	int rc;

	if (!network_list_has_peer(networks, c->peer))
		return 0;
	p = xalloc(sizeof *p);
	proxy_init(p);
	conn_deadline(c, PROXY_WAIT_MS);
	rc = read_header(c, p, e);
	c->deadline_ms = deadline_ms;
	if (rc == 0)
		conn_set_client(c, &p->client);
	xfree(&p);
	return rc;
}

/* ---- XCLIENT -------------------------------------------------------------------------------- */

enum { ATTRIBUTE_OCTETS = 255 };

static bool hex_octet(struct str s, char *out)
{
	uint64_t v;

	if (s.n < 3 || !str_hex64((struct str){s.p + 1, 2}, &v))
		return false;
	*out = (char)v;
	return true;
}

bool proxy_xtext(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '=' || c == ' ' || !ascii_is_print(c))
			return false;
		if (c == '+') {
			if (!hex_octet((struct str){s.p + i, s.n - i}, &c))
				return false;
			i += 2;
		}
		buf_putc(out, c);
	}
	return !buf_over(out);
}

static bool is_xtext(struct str s)
{
	struct buf plain;
	bool ok;

	buf_init(&plain, ATTRIBUTE_OCTETS);
	ok = s.n > 0 && proxy_xtext(s, &plain);
	buf_fini(&plain);
	return ok;
}

static bool is_unavailable(struct str s)
{
	return str_ieq(s, STR("[UNAVAILABLE]")) || str_ieq(s, STR("[TEMPUNAVAIL]"));
}

/* take_addr - Postfix writes "IPV6:" before such an address, Dovecot's proxies do not */
static bool take_addr(struct str s, struct proxy_xclient *out)
{
	static const struct str prefix = STR_INIT("IPV6:");
	bool ipv6 = str_istarts(s, prefix);

	if (ipv6)
		s = (struct str){s.p + prefix.n, s.n - prefix.n};
	out->client.known = ipv6 ? address_of(s, true, &out->client.address)
				 : network_parse_address(s, &out->client.address);
	return out->client.known;
}

static bool take_port(struct str s, struct proxy_xclient *out)
{
	return port_of(s, &out->client.port);
}

static bool take_helo(struct str s, struct proxy_xclient *out)
{
	out->helo = s;
	return true;
}

static bool take_login(struct str s, struct proxy_xclient *out)
{
	out->login = s;
	return true;
}

/* Those that matter here.  Others are passed over, as by Dovecot's servers: its proxies add some,
 * later versions more, and a proxy that is refused lets nobody in.  They need not be xtext:
 * Dovecot's sessions have a bare `+`. */
static const struct attribute {
	struct str name;
	bool (*take)(struct str value, struct proxy_xclient *out);
} attributes[] = {
	/* clang-format off */
	{STR_INIT("ADDR"),  take_addr},
	{STR_INIT("PORT"),  take_port},
	{STR_INIT("HELO"),  take_helo},
	{STR_INIT("LOGIN"), take_login},
	/* clang-format on */
};

static bool take(struct str name, struct str value, struct proxy_xclient *out)
{
	for (size_t i = 0; i < countof(attributes); i++) {
		const struct attribute *a = &attributes[i];

		if (str_ieq(a->name, name))
			return is_xtext(value) &&
			       (is_unavailable(value) || a->take(value, out));
	}
	return name.n > 0 && value.n > 0;
}

bool proxy_xclient(struct str args, struct proxy_xclient *out)
{
	*out = (struct proxy_xclient){0};
	args = str_trim(args);
	if (args.n == 0)
		return false;
	while (args.n > 0) {
		struct str value = str_word(&args);
		struct str name = str_cut(&value, '=');

		if (!take(name, value, out))
			return false;
	}
	return true;
}
