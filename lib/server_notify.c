/* SPDX-License-Identifier: ISC */
#include "lib/server.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static atomic_int held = -1;

/* dial - connected, for a socket in the abstract name space that is connected may be sent
 * to where a new connection may not be made (Landlock) */
static int dial(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@') /* sd_notify(3): the abstract name space */
		to.sun_path[0] = '\0';

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void server_notify_hold(void)
{
	if (atomic_load(&held) < 0)
		atomic_store(&held, dial());
}

/* Nobody can be told when this fails: who waits for READY=1 has a time-out. */
void server_notify(const char *state)
{
	int kept = atomic_load(&held);
	int fd = kept >= 0 ? kept : dial();

	if (fd < 0)
		return;
	send(fd, state, strlen(state), MSG_NOSIGNAL);
	if (fd != kept)
		close(fd);
}
