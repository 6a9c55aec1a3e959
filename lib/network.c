/* SPDX-License-Identifier: ISC */
#include "lib/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { V4_AT = 96 }; /* bits before an IPv4 address */

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_ipv4(const char *text, struct network_address *out)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	memcpy(out->octets, mapped, sizeof mapped);
	memcpy(out->octets + sizeof mapped, &a, sizeof a);
	return true;
}

bool network_parse_address(struct str s, struct network_address *out)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return parse_ipv4(text, out) || inet_pton(AF_INET6, text, out->octets) == 1;
}

bool network_parse_peer(struct str s, struct network_address *out)
{
	struct str port = s;
	struct str host = str_cut(&port, ':');
	uint32_t number;

	if (s.n > 0 && s.p[0] == '[') {
		port = (struct str){s.p + 1, s.n - 1};
		host = str_cut(&port, ']');
		if (port.n == 0 || port.p[0] != ':')
			return false;
		port = (struct str){port.p + 1, port.n - 1};
	}
	return str_u32(port, &number) && number <= UINT16_MAX &&
	       network_parse_address(host, out);
}

/* clear_behind - whether all bits behind the first `bits` are 0 */
static bool clear_behind(const struct network_address *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (a->octets[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

bool network_parse(struct str s, struct network *out)
{
	struct str bits = s;
	struct str host = str_cut(&bits, '/');
	bool whole = host.n == s.n; /* no slash */
	unsigned least, most = 128;
	uint32_t n;

	if (!network_parse_address(host, &out->first))
		return false;
	least = memchr(host.p, ':', host.n) == NULL ? V4_AT : 0;
	if (whole)
		n = most - least;
	else if (bits.n > 3 || !str_u32(bits, &n) || n > most - least)
		return false;
	out->bits = n + least;
	return clear_behind(&out->first, out->bits);
}

bool network_has(const struct network *n, const struct network_address *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->first.octets, a->octets, whole) != 0)
		return false;
	return rest == 0 ||
	       (n->first.octets[whole] ^ a->octets[whole]) >> (8 - rest) == 0;
}

int network_parse_list(struct str s, struct network *out, size_t max, size_t *n,
		       struct err *e)
{
	*n = 0;
	do {
		struct str one = str_cut(&s, ',');

		if (*n == max)
			return err_set(e, ERR_PERM, "5.3.5", "more than %zu networks",
				       max);
		if (!network_parse(one, &out[(*n)++]))
			return err_set(e, ERR_PERM, "5.3.5",
				       "\"" STR_FMT "\" is no network", STR_ARG(one));
	} while (s.n > 0);
	return 0;
}

bool network_any_has(const struct network *list, size_t n,
		     const struct network_address *a)
{
	for (size_t i = 0; i < n; i++)
		if (network_has(&list[i], a))
			return true;
	return false;
}

static bool is_ipv4(const struct network_address *a)
{
	return memcmp(a->octets, mapped, sizeof mapped) == 0;
}

struct network network_around(const struct network_address *a)
{
	struct network n = {.bits = is_ipv4(a) ? V4_AT + 24 : 64};

	memcpy(n.first.octets, a->octets, n.bits / 8);
	return n;
}

void network_print(const struct network *n, char out[NETWORK_TEXT])
{
	bool v4 = n->bits >= V4_AT && is_ipv4(&n->first);
	const unsigned char *octets = n->first.octets;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? octets + sizeof mapped : octets, text,
		  sizeof text);
	if (n->bits == 128)
		snprintf(out, NETWORK_TEXT, "%s", text);
	else
		snprintf(out, NETWORK_TEXT, "%s/%u", text,
			 v4 ? n->bits - V4_AT : n->bits);
}

const char *network_wrong(struct str s)
{
	struct network n;
	struct str rest = s;

	if (!network_parse_address(str_cut(&rest, '/'), &n.first))
		return "is not an address or a network as 192.0.2.0/24 or 2001:db8::/32";
	if (!network_parse(s, &n))
		return "has a prefix that is no number or too long, or an address that "
		       "does not end where it does";
	return NULL;
}

bool network_list_has_peer(const struct conf_list *list, const char *peer)
{
	struct network_address a;
	struct network n;

	if (list->n == 0 || !network_parse_peer(str_of(peer), &a))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (network_parse(str_of(list->v[i]), &n) && network_has(&n, &a))
			return true;
	return false;
}
