/* SPDX-License-Identifier: ISC */
#include "lib/server.h"

#include "lib/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_INHERITED = 3 }; /* SD_LISTEN_FDS_START */

static int listen_on(const char *address, const struct sockaddr *sa, socklen_t n,
		     struct err *e)
{
	int on = 1;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket for %s", address);
	if (sa->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, sa, n) < 0 || listen(fd, SOMAXCONN) < 0) {
		err_sys(e, "listen on %s", address);
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- Unix sockets -------------------------------------------------------------- */

/* is_alive - somebody accepts (or may: the queue is full) at this path */
static bool is_alive(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true; /* cannot tell: leave it alone */

	int rc = connect(fd, (const struct sockaddr *)a, sizeof *a);
	bool alive = rc == 0 || errno != ECONNREFUSED;

	close(fd);
	return alive;
}

static int unix_address(const char *path, struct sockaddr_un *a, struct err *e)
{
	size_t n = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n >= sizeof a->sun_path)
		return err_set(e, ERR_PERM, "5.3.5",
			       "listen on %s: a socket's path has at most %zu octets",
			       path, sizeof a->sun_path - 1);
	memcpy(a->sun_path, path, n + 1);
	return 0;
}

int server_make_room(const char *path, struct err *e)
{
	struct sockaddr_un a;
	struct stat st;

	if (unix_address(path, &a, e) < 0)
		return -1;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "listen on %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_PERM, "5.3.5",
			       "listen on %s: exists and is no socket", path);
	if (is_alive(&a)) {
		errno = EADDRINUSE;
		return err_sys(e, "listen on %s", path);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove stale socket %s", path);
	return 0;
}

static int bind_unix(const char *path, struct err *e)
{
	struct sockaddr_un a;

	if (unix_address(path, &a, e) < 0 || server_make_room(path, e) < 0)
		return -1;

	int fd = listen_on(path, (const struct sockaddr *)&a, sizeof a, e);

	if (fd >= 0 && chmod(path, 0666) < 0) {
		err_sys(e, "open socket %s to clients", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- TCP ------------------------------------------------------------------------ */

static int bad_address(const char *address, struct err *e)
{
	return err_set(e, ERR_PERM, "5.3.5",
		       "\"%s\" is no address to listen on; as 127.0.0.1:24, [::1]:24, "
		       "*:24 or /path",
		       address);
}

static bool copy_out(struct str s, char *to, size_t size)
{
	if (s.n == 0 || s.n >= size)
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

/* split - "host:port" or "[host]:port"; a bare IPv6 address is ambiguous */
static bool split(const char *address, char host[64], char port[6])
{
	const char *colon = strrchr(address, ':');
	uint32_t number;

	if (colon == NULL)
		return false;

	struct str h = {address, (size_t)(colon - address)};
	struct str p = str_of(colon + 1);

	if (str_starts(h, STR("[")) && str_ends(h, STR("]")))
		h = (struct str){h.p + 1, h.n - 2};
	else if (h.n > 0 && memchr(h.p, ':', h.n) != NULL)
		return false;
	return str_u32(p, &number) && number <= 65535 && copy_out(h, host, 64) &&
	       copy_out(p, port, 6);
}

static int bind_numeric(const char *address, const char *host, const char *port,
			struct err *e)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return bad_address(address, e);

	int fd = listen_on(address, found->ai_addr, found->ai_addrlen, e);

	freeaddrinfo(found);
	return fd;
}

int server_bind(const char *address, struct err *e)
{
	char host[64], port[6];

	if (address[0] == '/')
		return bind_unix(address, e);
	if (!split(address, host, port))
		return bad_address(address, e);
	if (strcmp(host, "*") != 0)
		return bind_numeric(address, host, port, e);

	int fd = bind_numeric(address, "::", port, e);

	if (fd < 0 && e->sys == EAFNOSUPPORT) /* a kernel without IPv6 */
		fd = bind_numeric(address, "0.0.0.0", port, e);
	return fd;
}

/* ---- where is it bound? ------------------------------------------------------------- */

void server_address(int fd, char out[SERVER_ADDRESS])
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} a = {0};
	socklen_t n = sizeof a;
	char host[64], port[8];

	out[0] = '\0';
	if (getsockname(fd, &a.sa, &n) < 0)
		return;
	if (a.sa.sa_family == AF_UNIX)
		snprintf(out, SERVER_ADDRESS, "%s", a.un.sun_path);
	else if (getnameinfo(&a.sa, n, host, sizeof host, port, sizeof port,
			     NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(out, SERVER_ADDRESS,
			 a.sa.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- handed down by the parent ---------------------------------------------------- */

static bool env_u32(const char *name, uint32_t *out)
{
	return str_u32(str_of(getenv(name)), out);
}

size_t server_inherited(const char *name, int *fds, size_t max)
{
	struct str names = str_of(getenv("LISTEN_FDNAMES"));
	uint32_t pid, n;
	size_t found = 0;

	/* The variables outlive an exec; the sockets are ours only if we are meant. */
	if (!env_u32("LISTEN_PID", &pid) || pid != (uint32_t)getpid() ||
	    !env_u32("LISTEN_FDS", &n))
		return 0;
	for (uint32_t i = 0; i < n && names.n > 0; i++) {
		int fd = FIRST_INHERITED + (int)i;

		if (!str_eq(str_cut(&names, ':'), str_of(name)))
			continue;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
			continue;
		if (found < max)
			fds[found] = fd;
		found++;
	}
	return found;
}

int server_channel(const char *name, struct err *e)
{
	char end[32];
	int fd;

	snprintf(end, sizeof end, "%s.give", name);
	if (server_inherited(end, &fd, 1) > 0)
		return fd;
	return err_set(e, ERR_PERM, "5.3.5",
		       "no channel \"%s\": this program is started by popstored", name);
}
