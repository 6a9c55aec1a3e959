/* SPDX-License-Identifier: ISC */
#include "lib/conn_int.h"

#include "lib/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { HOLD_STEP_MS = 200 };

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

	c->is_unix = c->loopback = true;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		snprintf(c->peer, sizeof c->peer, "unix:?");
	else
		snprintf(c->peer, sizeof c->peer, "unix:%u", (unsigned)who.uid);
}

static void name_peer(struct conn *c, const struct sockaddr_storage *from)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (from->ss_family == AF_INET) {
		memcpy(&in, from, sizeof in);
		name_ipv4(c, in.sin_addr, in.sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(&in6, from, sizeof in6);
		name_ipv6(c, &in6);
	} else {
		name_unix(c);
	}
}

/* Who is on another machine's loopback talks over a wire to us. */
void conn_set_peer(struct conn *c, const struct sockaddr_in6 *told)
{
	bool here = c->loopback;

	name_ipv6(c, told);
	c->loopback = c->loopback && here;
}

static void name_session(struct conn *c)
{
	static atomic_uint count;

	snprintf(c->sid, sizeof c->sid, "%x-%x", (unsigned)process_id() & 0xffffff,
		 atomic_fetch_add(&count, 1) + 1);
}

void conn_introduce(struct conn *c, struct str peer, struct str sid, bool loopback)
{
	if (peer.n > 0)
		snprintf(c->peer, sizeof c->peer, STR_FMT, STR_ARG(peer));
	if (sid.n > 0)
		snprintf(c->sid, sizeof c->sid, STR_FMT, STR_ARG(sid));
	c->loopback = loopback;
}

void conn_address(const struct conn *c, char out[CONN_PEER])
{
	struct str peer = str_of(c->peer);
	const char *colon = memrchr(peer.p, ':', peer.n);

	if (colon != NULL)
		peer.n = (size_t)(colon - peer.p);
	if (peer.n > 2 && str_starts(peer, STR("[")) && str_ends(peer, STR("]")))
		peer = (struct str){peer.p + 1, peer.n - 2};
	snprintf(out, CONN_PEER, STR_FMT, STR_ARG(peer));
}

/* ---- life --------------------------------------------------------------------- */

/* Socket options fail only on a descriptor that is no socket or already reset,
 * and then the first read or write says so. */
static void set_wait(struct conn *c, int option, uint32_t ms)
{
	struct timeval t = {.tv_sec = ms / 1000,
			    .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	setsockopt(c->fd, SOL_SOCKET, option, &t, sizeof t);
}

void conn_open_unnamed(struct conn *c, int owned_fd, uint32_t idle_ms)
{
	must(idle_ms > 0);
	*c = (struct conn){
		.fd = owned_fd, .idle_ms = idle_ms, .server = "", .piece = CONN_INPUT};
	name_session(c);
}

void conn_open_from(struct conn *c, int owned_fd, uint32_t idle_ms,
		    const struct sockaddr_storage *from)
{
	conn_open_unnamed(c, owned_fd, idle_ms);
	name_peer(c, from);
}

void conn_open(struct conn *c, int owned_fd, uint32_t idle_ms)
{
	struct sockaddr_storage from = {0};
	socklen_t n = sizeof from;

	conn_open_unnamed(c, owned_fd, idle_ms);
	if (getpeername(owned_fd, (struct sockaddr *)&from, &n) < 0)
		snprintf(c->peer, sizeof c->peer, "gone");
	else
		name_peer(c, &from);
}

void conn_read_little(struct conn *c, size_t octets)
{
	must(c->in_n == 0 && octets <= CONN_INPUT);
	xfree(&c->in);
	c->piece = octets;
}

void conn_need_input(struct conn *c)
{
	if (c->in != NULL)
		return;
	/* Not xalloc(): zeroing would touch pages that little input never does. */
	c->in = malloc(c->piece); /* lint: ok, as said */
	must(c->in != NULL);
}

void conn_wake(struct conn *c, bool announced)
{
	c->announced = announced;
	c->dry = false;
}

void conn_rest(struct conn *c)
{
	if (c->in_n == 0)
		xfree(&c->in);
	if (c->rest_until_ms == 0)
		c->rest_until_ms = clock_ms() + c->idle_ms;
}

void conn_forgive(struct conn *c)
{
	c->rest_until_ms = 0;
}

uint64_t conn_rest_until(const struct conn *c)
{
	uint64_t until = c->rest_until_ms;

	if (c->deadline_ms != 0 && c->deadline_ms < until)
		until = c->deadline_ms;
	return c->wake_ms != 0 && c->wake_ms < until ? c->wake_ms : until;
}

bool conn_is_overdue(const struct conn *c)
{
	return c->rest_until_ms != 0 && clock_ms() >= c->rest_until_ms;
}

void conn_close(struct conn *c)
{
	conn_tls_close(c);
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

int conn_timed_out(struct err *e)
{
	err_set(e, ERR_PEER, "4.4.2", "timeout");
	e->sys = ETIMEDOUT;
	return -1;
}

int conn_peer_failed(struct err *e, const char *what)
{
	if (errno == EAGAIN)
		return conn_timed_out(e);
	err_sys(e, "%s", what);
	e->class = ERR_PEER;
	return -1;
}

bool conn_is_late(const struct conn *c)
{
	return c->deadline_ms != 0 && clock_ms() >= c->deadline_ms;
}

uint32_t conn_patience(const struct conn *c)
{
	uint64_t now;

	if (c->deadline_ms == 0)
		return c->idle_ms;
	now = clock_ms();
	if (now >= c->deadline_ms)
		return 0;
	return c->deadline_ms - now < c->idle_ms ? (uint32_t)(c->deadline_ms - now)
						 : c->idle_ms;
}

int conn_ended(const struct conn *c, struct err *e)
{
	return err_set(e, ERR_PEER, "4.4.2",
		       atomic_load(&c->interrupted) ? "interrupted"
						    : "connection closed");
}

bool conn_must_end(const struct conn *c)
{
	return atomic_load(&c->interrupted) && !atomic_load(&c->busy);
}

/* aim - makes the socket's own time-out fit the deadline; false when it is past
 *
 * Only a deadline that is clearly nearer than what is set is worth a system
 * call, so in the common case there is none. */
static bool aim(struct conn *c)
{
	uint64_t want = conn_patience(c);

	if (want == 0)
		return false;
	if (want + want / 8 < c->wait_ms || c->wait_ms < want) {
		set_wait(c, SO_RCVTIMEO, (uint32_t)want);
		c->wait_ms = (uint32_t)want;
	}
	return true;
}

static int nothing_now(const struct conn *c, struct err *e)
{
	return conn_is_overdue(c) ? conn_timed_out(e) : 0;
}

/* receive - once, in clear text; with MSG_DONTWAIT it may be that nothing was there */
static int receive(struct conn *c, int flags, struct err *e)
{
	ssize_t n;

	if (flags & MSG_DONTWAIT ? conn_is_late(c) : !aim(c))
		return conn_timed_out(e);
	conn_need_input(c);
	do {
		if (conn_must_end(c))
			return err_set(e, ERR_PEER, "4.3.2", "interrupted");
		if (c->dry && flags & MSG_DONTWAIT)
			return nothing_now(c, e);
		n = recv(c->fd, c->in, c->piece, flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && flags & MSG_DONTWAIT && errno == EAGAIN)
		return nothing_now(c, e);
	if (n < 0)
		return conn_peer_failed(e, "read");
	if (n == 0)
		return conn_ended(c, e);
	if (conn_is_late(c))
		return conn_timed_out(e);
	c->rest_until_ms = 0;
	c->dry = c->announced && (size_t)n < c->piece && !(flags & MSG_PEEK);
	c->in_at = 0;
	c->in_n = (size_t)n;
	return 0;
}

/* fill - reads once; without `wait` it may be that nothing was there */
static int fill(struct conn *c, bool wait, struct err *e)
{
	if (c->tls != NULL)
		return conn_tls_fill(c, wait, e);
	return receive(c, wait ? 0 : MSG_DONTWAIT, e);
}

static int input(struct conn *c, bool wait, struct str *in, struct err *e)
{
	if (c->in_n == 0 && fill(c, wait, e) < 0)
		return -1;
	*in = (struct str){c->in_n > 0 ? c->in + c->in_at : "", c->in_n};
	return 0;
}

int conn_input(struct conn *c, struct str *in, struct err *e)
{
	return input(c, true, in, e);
}

int conn_input_now(struct conn *c, struct str *in, struct err *e)
{
	return input(c, false, in, e);
}

int conn_peek(struct conn *c, struct str *in, struct err *e)
{
	must(c->tls == NULL && c->in_n == 0);
	if (receive(c, MSG_PEEK, e) < 0)
		return -1;
	*in = (struct str){c->in, c->in_n};
	c->in_n = 0;
	return 0;
}

int conn_skip(struct conn *c, size_t n, struct err *e)
{
	must(n <= c->piece);
	conn_need_input(c);
	if (recv(c->fd, c->in, n, MSG_DONTWAIT) != (ssize_t)n)
		return conn_peer_failed(e, "read");
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

void conn_unread(struct conn *c, struct str octets)
{
	must(c->in_n == 0 && octets.n <= c->piece);
	conn_need_input(c);
	memcpy(c->in, octets.p, octets.n);
	c->in_at = 0;
	c->in_n = octets.n;
}

bool conn_has_input(const struct conn *c)
{
	return c->in_n > 0;
}

/* ---- writing ------------------------------------------------------------------ */

bool conn_advance(const struct conn *c, struct conn_progress *p, uint64_t n)
{
	p->left -= n;
	if (p->left == 0)
		return true;

	uint64_t now = clock_ms();

	if (p->end_ms == 0)
		p->end_ms = now + c->idle_ms + p->left * 1000 / CONN_RATE_MIN;
	return now < p->end_ms;
}

/* bound - the kernel ends a write that waits for longer than the peer may be silent */
static void bound(struct conn *c)
{
	if (!c->bounded)
		set_wait(c, SO_SNDTIMEO, c->idle_ms);
	c->bounded = true;
}

int conn_write(struct conn *c, struct str out, bool more, struct err *e)
{
	struct conn_progress p = {.left = out.n};
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (c->tls != NULL)
		return conn_tls_write(c, out, more, e);
	while (p.left > 0) {
		/* Nearly always there is room, and nothing to be bounded. */
		ssize_t n = send(c->fd, out.p + (out.n - p.left), p.left,
				 flags | (c->bounded ? 0 : MSG_DONTWAIT));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && !c->bounded) {
			server_pass_on();
			bound(c);
			continue;
		}
		if (n < 0)
			return conn_peer_failed(e, "write");
		if (!conn_advance(c, &p, (uint64_t)n))
			return conn_timed_out(e);
	}
	return 0;
}

int conn_file_short(uint64_t left, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.3.0", "file is %llu octets shorter than promised",
		       (unsigned long long)left);
}

int conn_sendfile(struct conn *c, int fd, off_t offset, uint64_t n, struct err *e)
{
	/* sendfile(2) moves at most 2^31 octets at a time; a socket that waits for none of
	 * them has room for so many. */
	enum { PIECE = 1 << 30, SENT_AT_ONCE = 65536 };
	struct conn_progress p = {.left = n};

	if (c->tls != NULL)
		return conn_tls_sendfile(c, fd, offset, n, e);
	bound(c);
	if (n > SENT_AT_ONCE)
		server_pass_on();
	while (p.left > 0) {
		ssize_t sent = sendfile(c->fd, fd, &offset,
					p.left < PIECE ? (size_t)p.left : PIECE);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EIO)
			return err_sys(e, "read file");
		if (sent < 0)
			return conn_peer_failed(e, "write");
		if (sent == 0)
			return conn_file_short(p.left, e);
		if (!conn_advance(c, &p, (uint64_t)sent))
			return conn_timed_out(e);
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

int conn_hold(const struct conn *c, uint32_t ms, struct err *e)
{
	uint64_t now = clock_ms(), end = now + ms;

	if (ms > 0)
		server_pass_on();
	/* In steps, for no event of the socket tells of an interruption at any time. */
	while (now < end && !atomic_load(&c->interrupted)) {
		if (conn_is_late(c))
			return conn_timed_out(e);
		poll(NULL, 0, end - now < HOLD_STEP_MS ? (int)(end - now) : HOLD_STEP_MS);
		now = clock_ms();
	}
	return 0;
}

bool conn_is_held(const struct conn *c, uint64_t end_ms)
{
	return clock_ms() < end_ms && !conn_is_late(c) && !atomic_load(&c->interrupted);
}

int conn_check_deadline(const struct conn *c, struct err *e)
{
	return conn_is_late(c) ? conn_timed_out(e) : 0;
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
