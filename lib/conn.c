/* SPDX-License-Identifier: ISC */
#include "lib/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_read_ms(clockid_t clock)
{
	struct timespec t;

	must(clock_gettime(clock, &t) == 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_unix_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

/* ---- who is there ----------------------------------------------------------- */

union any_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static void name_ipv4(struct conn *c, struct in_addr a, in_port_t port)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a, host, sizeof host);
	snprintf(c->peer, sizeof c->peer, "%s:%u", host, ntohs(port));
	c->loopback = ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET;
}

static void name_ipv6(struct conn *c, const struct sockaddr_in6 *a)
{
	char host[INET6_ADDRSTRLEN];
	struct in_addr v4;

	/* A dual-stack socket shows an IPv4 peer as ::ffff:192.0.2.7. */
	if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
		memcpy(&v4, a->sin6_addr.s6_addr + 12, sizeof v4);
		name_ipv4(c, v4, a->sin6_port);
		return;
	}
	inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof host);
	snprintf(c->peer, sizeof c->peer, "[%s]:%u", host, ntohs(a->sin6_port));
	c->loopback = IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
}

static void name_unix(struct conn *c)
{
	struct ucred who;
	socklen_t n = sizeof who;

	c->loopback = true;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		snprintf(c->peer, sizeof c->peer, "unix:?");
	else
		snprintf(c->peer, sizeof c->peer, "unix:%u", (unsigned)who.uid);
}

static void name_peer(struct conn *c)
{
	union any_address a = {0};
	socklen_t n = sizeof a;

	if (getpeername(c->fd, &a.sa, &n) < 0)
		snprintf(c->peer, sizeof c->peer, "gone");
	else if (a.sa.sa_family == AF_INET)
		name_ipv4(c, a.in.sin_addr, a.in.sin_port);
	else if (a.sa.sa_family == AF_INET6)
		name_ipv6(c, &a.in6);
	else
		name_unix(c);
}

static void name_session(struct conn *c)
{
	static atomic_uint count;

	snprintf(c->sid, sizeof c->sid, "%x-%x", (unsigned)getpid() & 0xffffff,
		 atomic_fetch_add(&count, 1) + 1);
}

/* ---- life --------------------------------------------------------------------- */

/* Socket options fail only on a descriptor that is no socket or already reset,
 * and then the first read or write says so. */
static void set_wait(struct conn *c, int option, uint32_t ms)
{
	struct timeval t = {.tv_sec = ms / 1000,
			    .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	setsockopt(c->fd, SOL_SOCKET, option, &t, sizeof t);
	if (option == SO_RCVTIMEO)
		c->wait_ms = ms;
}

void conn_open(struct conn *c, int owned_fd, uint32_t idle_ms)
{
	int on = 1;

	must(idle_ms > 0);
	*c = (struct conn){.fd = owned_fd, .idle_ms = idle_ms};
	name_peer(c);
	name_session(c);
	set_wait(c, SO_RCVTIMEO, idle_ms);
	set_wait(c, SO_SNDTIMEO, idle_ms);
	/* Replies are put together by MSG_MORE; what is left must not wait.  Means
	 * nothing to a Unix socket. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* Not xalloc(): zeroing would make pages resident that an idle session
	 * never touches. */
	c->in = malloc(CONN_INPUT); /* lint: ok, as said */
	must(c->in != NULL);
}

void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	xfree(&c->in);
	c->fd = -1;
	c->in_n = 0;
}

void conn_deadline(struct conn *c, uint32_t ms)
{
	c->deadline_ms = ms ? clock_ms() + ms : 0;
}

/* ---- reading ------------------------------------------------------------------ */

static int timed_out(struct err *e)
{
	err_set(e, ERR_PEER, "4.4.2", "timeout");
	e->sys = ETIMEDOUT;
	return -1;
}

static int peer_failed(struct err *e, const char *what)
{
	if (errno == EAGAIN)
		return timed_out(e);
	err_sys(e, "%s", what);
	e->class = ERR_PEER;
	return -1;
}

/* aim - makes the socket's own time-out fit the deadline; false when it is past
 *
 * Only a deadline that is clearly nearer than what is set is worth a system
 * call, so in the common case there is none. */
static bool aim(struct conn *c)
{
	uint64_t want = c->idle_ms;

	if (c->deadline_ms != 0) {
		uint64_t now = clock_ms();

		if (now >= c->deadline_ms)
			return false;
		if (c->deadline_ms - now < want)
			want = c->deadline_ms - now;
	}
	if (want + want / 8 < c->wait_ms || c->wait_ms < want)
		set_wait(c, SO_RCVTIMEO, (uint32_t)want);
	return true;
}

static int fill(struct conn *c, struct err *e)
{
	ssize_t n;

	if (!aim(c))
		return timed_out(e);
	do {
		if (atomic_load(&c->interrupted) && !atomic_load(&c->busy))
			return err_set(e, ERR_PEER, "4.3.2", "interrupted");
		n = recv(c->fd, c->in, CONN_INPUT, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return peer_failed(e, "read");
	if (n == 0)
		return err_set(e, ERR_PEER, "4.4.2",
			       atomic_load(&c->interrupted) ? "interrupted"
							    : "connection closed");
	if (c->deadline_ms != 0 && clock_ms() >= c->deadline_ms)
		return timed_out(e);
	c->in_at = 0;
	c->in_n = (size_t)n;
	return 0;
}

int conn_input(struct conn *c, struct str *in, struct err *e)
{
	if (c->in_n == 0 && fill(c, e) < 0)
		return -1;
	*in = (struct str){c->in + c->in_at, c->in_n};
	return 0;
}

void conn_consume(struct conn *c, size_t n)
{
	must(n <= c->in_n);
	c->in_at += n;
	c->in_n -= n;
}

void conn_consume_secret(struct conn *c, size_t n)
{
	conn_consume(c, n);
	explicit_bzero(c->in + c->in_at - n, n);
}

bool conn_has_input(const struct conn *c)
{
	return c->in_n > 0;
}

/* ---- writing ------------------------------------------------------------------ */

/* A write in progress; the clock is asked only when one call did not do it. */
struct progress {
	uint64_t left, end_ms;
};

/* advance - counts what went out; false when the peer takes it too slowly */
static bool advance(const struct conn *c, struct progress *p, uint64_t n)
{
	p->left -= n;
	if (p->left == 0)
		return true;

	uint64_t now = clock_ms();

	if (p->end_ms == 0)
		p->end_ms = now + c->idle_ms + p->left * 1000 / CONN_RATE_MIN;
	return now < p->end_ms;
}

int conn_write(struct conn *c, struct str out, bool more, struct err *e)
{
	struct progress p = {.left = out.n};

	while (p.left > 0) {
		ssize_t n = send(c->fd, out.p + (out.n - p.left), p.left,
				 MSG_NOSIGNAL | (more ? MSG_MORE : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return peer_failed(e, "write");
		if (!advance(c, &p, (uint64_t)n))
			return timed_out(e);
	}
	return 0;
}

int conn_sendfile(struct conn *c, int fd, off_t offset, uint64_t n, struct err *e)
{
	enum { PIECE = 1 << 30 }; /* sendfile(2) moves at most 2^31 octets at a time */
	struct progress p = {.left = n};

	while (p.left > 0) {
		ssize_t sent = sendfile(c->fd, fd, &offset,
					p.left < PIECE ? (size_t)p.left : PIECE);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EIO)
			return err_sys(e, "read file");
		if (sent < 0)
			return peer_failed(e, "write");
		if (sent == 0)
			return err_set(e, ERR_TEMP, "4.3.0",
				       "file is %llu octets shorter than promised",
				       (unsigned long long)p.left);
		if (!advance(c, &p, (uint64_t)sent))
			return timed_out(e);
	}
	return 0;
}

/* ---- stopping ----------------------------------------------------------------- */

/* busy and interrupted are sequentially consistent: whichever comes second, its
 * thread sees the other's, so an interrupted conn that stops being busy ends. */
void conn_busy(struct conn *c, bool busy)
{
	atomic_store(&c->busy, busy);
}

void conn_interrupt(struct conn *c)
{
	atomic_store(&c->interrupted, true);
	if (!atomic_load(&c->busy))
		shutdown(c->fd, SHUT_RD);
}

void conn_cut(struct conn *c)
{
	atomic_store(&c->interrupted, true);
	shutdown(c->fd, SHUT_RDWR);
}
