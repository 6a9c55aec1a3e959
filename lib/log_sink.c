/* SPDX-License-Identifier: ISC */
#include "lib/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum kind {
	BLOCKING, /* as it was given to us: asked before each line */
	OURS,     /* a description of our own, O_NONBLOCK */
	SOCKET,
	SYSLOG, /* a socket of our own, not connected */
};

static struct {
	atomic_int fd; /* -1: none now */
	atomic_int kind;
	atomic_bool stuck; /* a line waited as long as it may: none waits any more */
	const char *ident; /* of syslog; NULL: standard error */
	pthread_mutex_t mutex;
} sink = {.fd = STDERR_FILENO, .mutex = PTHREAD_MUTEX_INITIALIZER};

/* set - the old descriptor goes, unless it was not ours; another thread may be writing to
 * it, which only happens where the configuration is read again, in popstored's one */
static void set(int fd, enum kind kind)
{
	int old = atomic_exchange(&sink.fd, fd);

	atomic_store(&sink.kind, kind);
	if (old > STDERR_FILENO && old != fd)
		close(old);
}

void log_sink_forget(void)
{
	atomic_store(&sink.fd, -1);
}

void log_sink_stderr(void)
{
	struct stat sb;
	int fd;

	sink.ident = NULL;
	if (fstat(STDERR_FILENO, &sb) == 0 && S_ISSOCK(sb.st_mode)) {
		set(STDERR_FILENO, SOCKET);
		return;
	}
	fd = open("/proc/self/fd/2",
		  O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		set(fd, OURS);
	else
		set(STDERR_FILENO, BLOCKING);
}

/* The socket is not connected: a syslogd that was started again is found by the next line,
 * also by a process that may make no more connections.  Then only sending itself can wait. */
static int open_syslog(void)
{
	static const struct timeval patience = {.tv_sec = LOG_SINK_WAIT_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return fd;
}

/* dial - if nobody else has done so */
static void dial(void)
{
	pthread_mutex_lock(&sink.mutex);
	if (atomic_load(&sink.fd) < 0 || atomic_load(&sink.kind) != SYSLOG)
		set(open_syslog(), SYSLOG);
	pthread_mutex_unlock(&sink.mutex);
}

void log_sink_syslog(const char *ident)
{
	sink.ident = ident;
	dial();
}

static bool ready(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, ms) == 1;
}

/* put_once - false with EAGAIN where it would have to wait */
static bool put_once(int fd, struct str s)
{
	ssize_t n;

	switch ((enum kind)atomic_load(&sink.kind)) {
	case SOCKET:
		n = send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case SYSLOG:
	case BLOCKING:
		if (!ready(fd, 0)) {
			errno = EAGAIN;
			return false;
		}
		n = write(fd, s.p, s.n);
		break;
	case OURS:
	default:
		n = write(fd, s.p, s.n);
		break;
	}
	if (n >= 0)
		errno = 0; /* a piece of it: not to be tried again */
	return n == (ssize_t)s.n;
}

/* put_syslog - waits as long as put() does, in one call */
static bool put_syslog(int fd, struct str s)
{
	static const struct sockaddr_un log = {.sun_family = AF_UNIX,
					       .sun_path = "/dev/log"};
	int flags = MSG_NOSIGNAL | (atomic_load(&sink.stuck) ? MSG_DONTWAIT : 0);
	ssize_t n =
		sendto(fd, s.p, s.n, flags, (const struct sockaddr *)&log, sizeof log);

	if (n < 0 && errno == EAGAIN)
		atomic_store(&sink.stuck, true);
	else if (n >= 0)
		atomic_store(&sink.stuck, false);
	return n >= 0;
}

static bool put(int fd, struct str s)
{
	bool done = put_once(fd, s);

	if (!done && errno == EAGAIN && !atomic_load(&sink.stuck)) {
		done = ready(fd, LOG_SINK_WAIT_MS) && put_once(fd, s);
		atomic_store(&sink.stuck, !done);
	} else if (done) {
		atomic_store(&sink.stuck, false);
	}
	return done;
}

/* put_datagram - RFC 3164, as the C library writes it */
static bool put_datagram(int priority, struct str line)
{
	char text[LOG_SINK_LINE_MAX + 128], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int fd = atomic_load(&sink.fd);

	localtime_r(&now, &tm); /* lint: ok (syslogd wants local time) */
	strftime(when, sizeof when, "%b %e %T", &tm); /* lint: ok (... in this form) */

	int n = snprintf(text, sizeof text, "<%d>%s %s[%d]: " STR_FMT, priority, when,
			 sink.ident, process_id(), STR_ARG(line));
	struct str s = {text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};

	if (fd < 0) { /* there was none to be had */
		dial();
		fd = atomic_load(&sink.fd);
	}
	return fd >= 0 && put_syslog(fd, s);
}

bool log_sink_put(int priority, struct str line)
{
	if (sink.ident == NULL)
		return put(atomic_load(&sink.fd), line);
	line.n--;
	return put_datagram(priority, line);
}
