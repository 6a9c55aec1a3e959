/* SPDX-License-Identifier: ISC */
#include "lib/server.h"

#include "lib/crew.h"
#include "lib/handoff.h"
#include "lib/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	LISTEN_MAX = 64,       /* sockets of one process */
	ACCEPT_PAUSE_MS = 200, /* when the process or the machine is out of descriptors */
};

struct socket {
	int fd, protocol;
	bool handoff, mute, introduced;
	bool over; /* a channel that nothing comes from any more */
	char name[SERVER_ADDRESS];
};

/* One server_run(). */
struct run {
	const struct server *s;
	struct crew *crew;
	int signals;
	int pause; /* eventfd: it does not accept any more, for want of descriptors */

	pthread_mutex_t lock; /* of the crew and the main thread */
	struct socket sockets[LISTEN_MAX];
	size_t n_sockets;
	bool open; /* for those who come */
	uint64_t busy_logged_ms, failed_logged_ms;
};

static atomic_bool stopping;

bool server_stopping(void)
{
	return atomic_load(&stopping);
}

/* ---- sessions ------------------------------------------------------------------ */

/* once_a_second - keeps a line that strangers can provoke from flooding the log */
static bool once_a_second(uint64_t *last_ms)
{
	uint64_t now = clock_ms();

	if (*last_ms != 0 && now - *last_ms < 1000)
		return false;
	*last_ms = now;
	return true;
}

static void say_last(int fd, struct str text)
{
	send(fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void refuse(struct run *r, int fd, const struct socket *from)
{
	say_last(fd, from->mute ? STR("") : r->s->busy);
	if (once_a_second(&r->busy_logged_ms))
		log_event(LOG_LV_WARN, "server.busy", kv_s("program", r->s->program),
			  kv_u("connections", r->s->max_connections));
}

static void start_session(struct run *r, int fd, const struct socket *from,
			  const struct sockaddr_storage *peer, struct str note)
{
	const struct crew_guest g = {.fd = fd,
				     .protocol = from->protocol,
				     .note = note,
				     .server = from->name,
				     .from = peer,
				     .unnamed = from->introduced};

	if (!crew_take(r->crew, &g))
		refuse(r, fd, from);
}

void server_watch(struct conn *c, int fd, bool room_too)
{
	crew_watch(c, fd, room_too);
}

void server_forget(struct conn *c)
{
	crew_forget(c);
}

void server_pass_on(void)
{
	crew_pass_on();
}

/* ---- accepting ------------------------------------------------------------------- */

static void open_doors(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_sockets; i++)
		if (!r->sockets[i].over)
			crew_open_door(r->crew, r->sockets[i].fd, i);
	r->open = true;
	pthread_mutex_unlock(&r->lock);
}

static void close_doors(struct run *r)
{
	for (size_t i = 0; r->open && i < r->n_sockets; i++)
		if (!r->sockets[i].over)
			crew_close_door(r->crew, r->sockets[i].fd);
	r->open = false;
}

static void shut_doors(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	close_doors(r);
	pthread_mutex_unlock(&r->lock);
}

/* Out of descriptors or memory: the connection stays in the queue, so asking again at
 * once would only burn the processor. */
static void pause_accepting(struct run *r, const struct err *why)
{
	close_doors(r);
	must(eventfd_write(r->pause, 1) == 0);
	if (once_a_second(&r->failed_logged_ms))
		log_event(LOG_LV_ERROR, "server.accept.failed",
			  kv_s("program", r->s->program), kv_err(why));
}

static void accept_failed(struct run *r)
{
	struct err e;

	/* The peer was gone before we came, or another process was faster. */
	if (errno == EAGAIN || errno == EINTR || errno == EPROTO)
		return;
	err_sys(&e, "accept");
	pause_accepting(r, &e);
}

static void take_failed(struct run *r, struct socket *from, const struct err *e)
{
	if (e->sys != EPIPE) {
		pause_accepting(r, e);
		return;
	}
	/* The stop will be told to us, too. */
	if (r->open)
		crew_close_door(r->crew, from->fd);
	from->over = true;
}

/* take_one - false when nobody is left */
static bool take_one(struct run *r, struct socket *from)
{
	struct buf note;
	struct err e;
	int fd;

	buf_init(&note, HANDOFF_NOTE_MAX);
	if (handoff_take(from->fd, &fd, &note, &e) < 0) {
		take_failed(r, from, &e);
		fd = -1;
	}
	if (fd >= 0)
		start_session(r, fd, from, NULL, buf_str(&note));
	buf_fini(&note);
	return fd >= 0;
}

/* accept_one - likewise */
static bool accept_one(struct run *r, const struct socket *from)
{
	struct sockaddr_storage peer = {0};
	socklen_t n = sizeof peer;
	int fd = accept4(from->fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC);

	if (fd < 0 && errno == ECONNABORTED) /* who is gone stood before others */
		return true;
	if (fd < 0)
		accept_failed(r);
	else
		start_session(r, fd, from, &peer, STR(""));
	return fd >= 0;
}

/* let_one_in - likewise.  That a channel has ended, more than one thread may hear at once. */
static bool let_one_in(struct run *r, struct socket *from)
{
	if (from->over)
		return false;
	return from->handoff ? take_one(r, from) : accept_one(r, from);
}

/* arrive - somebody is at a door; it may have been closed meanwhile.  One at a time: where
 * there are more, the next look at what has happened says so, and nobody has to ask in vain. */
static void arrive(size_t door, void *ctx)
{
	struct run *r = ctx;

	pthread_mutex_lock(&r->lock);
	if (r->open)
		(void)let_one_in(r, &r->sockets[door]);
	pthread_mutex_unlock(&r->lock);
}

/* let_last_in - The kernel tells one process only of a connection (EPOLLEXCLUSIVE).  If it
 * told us, and we closed the door before we looked, no other process would look before the
 * next connection comes.  More than that wait at no socket; who comes from now on is told to
 * the others. */
static void let_last_in(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_sockets; i++)
		for (int n = 0; n < SOMAXCONN; n++)
			if (!let_one_in(r, &r->sockets[i]))
				break;
	pthread_mutex_unlock(&r->lock);
}

static int take_signal(const struct run *r)
{
	struct signalfd_siginfo info;

	return read(r->signals, &info, sizeof info) == sizeof info ? (int)info.ssi_signo
								   : 0;
}

/* serve - until a signal comes, which it returns */
static int serve(struct run *r)
{
	struct pollfd p[] = {{.fd = r->signals, .events = POLLIN},
			     {.fd = r->pause, .events = POLLIN}};
	eventfd_t ignored;
	int sig = 0;

	while (sig == 0) {
		/* In a pause, only a signal comes before its end. */
		bool paused = eventfd_read(r->pause, &ignored) == 0;

		poll(p, paused ? 1 : 2, paused ? ACCEPT_PAUSE_MS : -1);
		sig = take_signal(r);
		if (paused && sig == 0)
			open_doors(r);
	}
	return sig;
}

/* ---- the tick --------------------------------------------------------------------- */

/* On CLOCK_MONOTONIC, as the ticker's condition is. */
static struct timespec after_ms(uint32_t ms)
{
	uint64_t at = clock_ms() + ms;

	return (struct timespec){.tv_sec = (time_t)(at / 1000),
				 .tv_nsec = (long)(at % 1000) * 1000000};
}

struct ticker {
	const struct server *s;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	bool stopped;
};

static void *run_ticker(void *arg)
{
	struct ticker *t = arg;

	pthread_mutex_lock(&t->lock);
	while (!t->stopped) {
		struct timespec until = after_ms(t->s->tick_ms);
		int rc = 0;

		while (!t->stopped && rc != ETIMEDOUT)
			rc = pthread_cond_timedwait(&t->stop, &t->lock, &until);
		if (t->stopped)
			break;
		pthread_mutex_unlock(&t->lock);
		t->s->tick(t->s->ctx);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static int start_ticker(struct ticker *t, const struct server *s, struct err *e)
{
	*t = (struct ticker){.s = s};
	if (s->tick == NULL)
		return 0;
	pthread_mutex_init(&t->lock, NULL);
	init_cond(&t->stop);
	errno = pthread_create(&t->thread, NULL, run_ticker, t);
	return errno ? err_sys(e, "start a thread") : 0;
}

static void stop_ticker(struct ticker *t)
{
	if (t->s->tick == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stopped = true;
	pthread_cond_signal(&t->stop);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->stop);
	pthread_mutex_destroy(&t->lock);
}

/* ---- start and stop ------------------------------------------------------------------ */

static int add_socket(struct run *r, int fd, const struct server_listen *l, struct err *e)
{
	int on = 1;

	if (fd < 0)
		return -1;
	if (r->n_sockets == LISTEN_MAX) {
		close(fd);
		return err_set(e, ERR_PERM, "5.3.5", "more than %d sockets to listen on",
			       LISTEN_MAX);
	}

	struct socket *s = &r->sockets[r->n_sockets++];

	*s = (struct socket){.fd = fd,
			     .protocol = l->protocol,
			     .handoff = l->handoff,
			     .mute = l->mute,
			     .introduced = l->introduced};
	if (l->handoff)
		return 0;
	server_address(fd, s->name);
	/* Connections inherit it.  Replies are put together by MSG_MORE; what is left must
	 * not wait.  Means nothing to a Unix socket. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return 0;
}

/* open_listen - the sockets of one section: the parent's, or else our own */
static int open_listen(struct run *r, const struct server_listen *l, struct err *e)
{
	int fds[LISTEN_MAX];
	size_t n = server_inherited(l->name, fds, countof(fds));

	for (size_t i = 0; i < n && i < countof(fds); i++)
		if (add_socket(r, fds[i], l, e) < 0)
			return -1;
	for (size_t i = 0; n == 0 && i < l->n; i++)
		if (add_socket(r, server_bind(l->addresses[i], e), l, e) < 0)
			return -1;
	return 0;
}

static int open_sockets(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->s->n_listen; i++)
		if (open_listen(r, &r->s->listen[i], e) < 0)
			return -1;
	if (r->n_sockets == 0)
		return err_set(e, ERR_PERM, "5.3.5", "no address to listen on");
	return 0;
}

/* turn_away_late - what is left in a channel that is closed: nobody would come for it */
static void turn_away_late(const struct run *r)
{
	for (size_t i = 0; i < r->n_sockets; i++)
		if (r->sockets[i].handoff && handoff_is_closed(r->sockets[i].fd))
			handoff_turn_away(r->sockets[i].fd, r->s->late);
}

static void close_sockets(struct run *r)
{
	for (size_t i = 0; i < r->n_sockets; i++)
		close(r->sockets[i].fd);
	r->n_sockets = 0;
}

static int open_events(struct run *r, struct err *e)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	r->signals = server_signals(signals, countof(signals), e);
	if (r->signals < 0)
		return -1;
	r->pause = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->pause < 0)
		return err_sys(e, "prepare to wait for connections");
	return 0;
}

/* Nothing here uses select(2), so the hard limit can be had. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* wait_for_sessions - until none is left, `ms` have passed (-1: any time), or, if
 * `or_told`, the process is told to stop */
static void wait_for_sessions(struct run *r, int ms, bool or_told)
{
	struct pollfd p[] = {{.fd = crew_empty_fd(r->crew), .events = POLLIN},
			     {.fd = r->signals, .events = POLLIN}};
	uint64_t end = clock_ms() + (uint64_t)ms;
	eventfd_t ignore;

	while (crew_count(r->crew) > 0) {
		uint64_t now = clock_ms();

		if (ms >= 0 && now >= end)
			return;
		poll(p, or_told ? 2 : 1, ms < 0 ? -1 : (int)(end - now));
		eventfd_read(crew_empty_fd(r->crew), &ignore);

		int sig = or_told ? take_signal(r) : 0;

		if (sig != 0 && sig != SIGHUP)
			return;
	}
}

/* end_sessions - idle ones end now, busy ones may finish, and after the grace the
 * rest is cut; what then still runs is on its way out of a disk access. */
static void end_sessions(struct run *r)
{
	atomic_store(&stopping, true);
	crew_each(r->crew, conn_interrupt);
	wait_for_sessions(r, r->s->grace_ms ? (int)r->s->grace_ms : SERVER_GRACE_MS,
			  false);
	crew_each(r->crew, conn_cut);
	wait_for_sessions(r, -1, false);
}

static int listen_and_serve(struct run *r, struct err *e)
{
	struct ticker ticker;

	if (open_events(r, e) < 0 || open_sockets(r, e) < 0 ||
	    crew_new(r->s, arrive, r, &r->crew, e) < 0 ||
	    (r->s->enter != NULL && r->s->enter(r->s->ctx, e) < 0) ||
	    start_ticker(&ticker, r->s, e) < 0 || crew_begin(r->crew, e) < 0)
		return -1;

	/* Who is told to stop by now takes nobody. */
	int sig = take_signal(r);
	bool opens = sig == 0;

	if (opens)
		open_doors(r);
	server_notify("READY=1");
	if (opens)
		sig = serve(r);

	server_notify("STOPPING=1");
	shut_doors(r);
	if (opens && sig == SIGHUP)
		let_last_in(r);
	turn_away_late(r);
	close_sockets(r);
	if (sig == SIGHUP)
		wait_for_sessions(r, -1, true);
	end_sessions(r);
	stop_ticker(&ticker);
	return 0;
}

int server_run(const struct server *s, struct err *e)
{
	struct run *r = xalloc(sizeof *r);

	*r = (struct run){.s = s, .signals = -1, .pause = -1};
	pthread_mutex_init(&r->lock, NULL);
	atomic_store(&stopping, false);
	raise_descriptor_limit();

	int rc = listen_and_serve(r, e);

	close_sockets(r);
	if (r->signals >= 0)
		close(r->signals);
	if (r->pause >= 0)
		close(r->pause);
	crew_free(&r->crew);
	pthread_mutex_destroy(&r->lock);
	xfree(&r);
	return rc;
}
