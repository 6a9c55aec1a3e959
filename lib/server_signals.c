/* SPDX-License-Identifier: ISC */
#include "lib/server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

int server_signals(const int *signals, size_t n, struct err *e)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? err_sys(e, "signalfd") : fd;
}
