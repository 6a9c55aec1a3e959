/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCHED (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* ---- where to ------------------------------------------------------------------ */

static bool parse_unix(struct link_to *to, const char *address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&to->address;

	if (address[0] != '/' || strlen(address) >= sizeof un->sun_path)
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, address, strlen(address) + 1);
	to->n = sizeof *un;
	return true;
}

static bool parse_inet(struct link_to *to, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&to->address;
	struct str port = str_of(address), host = str_cut(&port, ':');
	char text[INET_ADDRSTRLEN];
	uint32_t number;

	if (host.n >= sizeof text || !str_u32(port, &number) || number > UINT16_MAX)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)number);
	to->n = sizeof *in;
	return inet_pton(AF_INET, text, &in->sin_addr) == 1;
}

void link_to_parse(struct link_to *to, const char *address, bool tls)
{
	*to = (struct link_to){.sources = 1};
	if (!parse_unix(to, address) && !parse_inet(to, address)) {
		fprintf(stderr, "not an address: %s\n", address);
		exit(EX_USAGE);
	}
	if (tls)
		to->tls = SSL_CTX_new(TLS_client_method());
}

/* ---- life ---------------------------------------------------------------------- */

void link_init(struct link *l, struct link_scratch *scratch, link_input_fn *input)
{
	*l = (struct link){.fd = -1, .scratch = scratch, .input = input};
	buf_init(&l->in, LINK_IN_MAX);
	buf_init(&l->out, LINK_OUT_MAX);
}

void link_fini(struct link *l)
{
	link_close(l);
	buf_fini(&l->in);
	buf_fini(&l->out);
}

void link_close(struct link *l)
{
	if (l->fd < 0)
		return;
	SSL_free(l->tls);
	l->tls = NULL;
	close(l->fd);
	l->fd = -1;
	l->state = LINK_CLOSED;
	buf_clear(&l->in);
	buf_clear(&l->out);
	l->body = (struct str){0};
}

/* pick_source - one of many loopback addresses, so that ports do not run out */
static int pick_source(struct link *l, const struct link_to *to)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	const int on = 1;

	if (to->address.ss_family != AF_INET)
		return 0;
	from.sin_addr.s_addr =
		htonl(INADDR_LOOPBACK + l->scratch->opened++ % to->sources);
	if (setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
	    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		return -1;
	return bind(l->fd, (struct sockaddr *)&from, sizeof from);
}

const char *link_open(struct link *l, const struct link_to *to)
{
	struct epoll_event ev = {.events = WATCHED, .data.ptr = l};

	l->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (l->fd < 0)
		return "no socket";
	if (pick_source(l, to) < 0)
		return "no source address";
	if (connect(l->fd, (const struct sockaddr *)&to->address, to->n) < 0 &&
	    errno != EINPROGRESS)
		return "cannot connect";
	if (epoll_ctl(l->scratch->epoll, EPOLL_CTL_ADD, l->fd, &ev) < 0)
		return "cannot be watched";
	if (to->tls != NULL) {
		l->tls = SSL_new(to->tls);
		SSL_set_fd(l->tls, l->fd);
		SSL_set_connect_state(l->tls);
	}
	l->state = LINK_OPENING;
	return NULL;
}

/* ---- sending ------------------------------------------------------------------- */

static bool is_later(const struct link *l, int rc)
{
	int why;

	if (l->tls == NULL)
		return errno == EAGAIN;
	why = SSL_get_error(l->tls, rc);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* send_tls - `out`, or else `body`: each is a record of its own anyway */
static ssize_t send_tls(struct link *l)
{
	struct str next = l->out.n > 0 ? buf_str(&l->out) : l->body;

	ERR_clear_error();
	return SSL_write(l->tls, next.p, (int)(next.n < 1 << 14 ? next.n : 1 << 14));
}

static ssize_t send_clear(struct link *l)
{
	struct iovec parts[] = {
		{l->out.p, l->out.n},
		{(void *)(uintptr_t)l->body.p, l->body.n},
	};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = countof(parts)};

	return sendmsg(l->fd, &msg, MSG_NOSIGNAL);
}

const char *link_flush(struct link *l)
{
	while (l->state == LINK_OPEN && l->out.n + l->body.n > 0) {
		ssize_t n = l->tls ? send_tls(l) : send_clear(l);
		size_t head = l->out.n;

		if (n <= 0)
			return is_later(l, (int)n) ? NULL : "cannot send";
		if ((size_t)n < head) {
			buf_drop(&l->out, (size_t)n);
			continue;
		}
		buf_clear(&l->out);
		l->body.p += (size_t)n - head;
		l->body.n -= (size_t)n - head;
	}
	return NULL;
}

/* ---- receiving ----------------------------------------------------------------- */

/* offer - gives the conversation what came; what it leaves is kept */
static const char *offer(struct link *l, struct str in)
{
	bool kept = l->in.n > 0;
	size_t taken;

	if (kept) {
		buf_put(&l->in, in);
		in = buf_str(&l->in);
	}
	taken = l->input(l, in);
	if (l->state != LINK_OPEN)
		return NULL;
	if (kept)
		buf_drop(&l->in, taken);
	else
		buf_put(&l->in, (struct str){in.p + taken, in.n - taken});
	return buf_over(&l->in) ? "an answer without end" : NULL;
}

static const char *receive(struct link *l, bool to_the_end)
{
	const size_t room = sizeof l->scratch->octets;

	while (l->state == LINK_OPEN) {
		const char *wrong;
		ssize_t n;

		ERR_clear_error();
		n = l->tls ? SSL_read(l->tls, l->scratch->octets, (int)room)
			   : recv(l->fd, l->scratch->octets, room, 0);
		if (n < 0 && is_later(l, (int)n))
			return NULL;
		if (n <= 0)
			return "closed by the server";
		wrong = offer(l, (struct str){l->scratch->octets, (size_t)n});
		if (wrong != NULL)
			return wrong;
		/* Less than there was room for: it is empty, and epoll tells when not. */
		if (l->tls == NULL && (size_t)n < room && !to_the_end)
			return NULL;
	}
	return NULL;
}

static const char *connected(struct link *l)
{
	int why = 0;
	socklen_t n = sizeof why;
	int rc;

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0 || why != 0)
		return "cannot connect";
	if (l->tls != NULL) {
		ERR_clear_error();
		rc = SSL_do_handshake(l->tls);
		if (rc != 1)
			return is_later(l, rc) ? NULL : "no TLS";
	}
	l->state = LINK_OPEN;
	return NULL;
}

const char *link_event(struct link *l, uint32_t events)
{
	const char *wrong = NULL;

	if (l->state == LINK_OPENING) {
		wrong = connected(l);
		/* What follows the handshake may be here already. */
		events |= EPOLLIN;
	}
	if (wrong == NULL && events & EPOLLOUT)
		wrong = link_flush(l);
	if (wrong == NULL && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		wrong = receive(l, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	if (wrong == NULL)
		wrong = link_flush(l);
	return wrong;
}
