/* SPDX-License-Identifier: ISC */
/*
 * canned - a bare limit: a server that only accepts, answers, and sends one file
 *
 *   canned listen=127.0.0.1:1110 octets=8K messages=100
 *
 * To POP3 clients it is a maildrop with `messages` messages of `octets`, the same for
 * everybody, whatever the password.  It looks at the first letters of a command, and sends a
 * message by sendfile(2).  A thread for each connection, with blocking calls: what no mail
 * server that works in this way can be faster than.  corrupt=yes changes one octet of the
 * message, for the generators' own test.
 *
 * Prints "ready" when it listens; SIGTERM ends it.
 */
#include "t/bench/lib/link.h"
#include "t/bench/lib/mail.h"
#include "t/bench/lib/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { STACK = 64 << 10, LINE_MAX_OCTETS = 512, BACKLOG = 4096 };

static const char *listen_at = "127.0.0.1:1110";
static uint64_t octets = 8192, messages = 1;
static bool corrupt;

static const struct option_row options[] = {
	/* clang-format off */
	{"listen",   OPTION_TEXT,   &listen_at, "address"},
	{"octets",   OPTION_NUMBER, &octets,    "of a message"},
	{"messages", OPTION_NUMBER, &messages,  "in the maildrop"},
	{"corrupt",  OPTION_YES,    &corrupt,   "yes: the message is not what it says it is"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

static int file;
static size_t file_octets;
static char stat_answer[64];

static void make_file(void)
{
	struct mail mail;
	struct buf text;

	mail_init(&mail, octets);
	buf_init(&text, octets + 4096);
	mail_put_header(&mail, 0, STR("you@example.org"), &text);
	buf_put(&text, buf_str(&mail.body));
	if (corrupt)
		text.p[text.n - 10] ^= 1;
	file = memfd_create("message", MFD_CLOEXEC);
	must(file >= 0 && write(file, text.p, text.n) == (ssize_t)text.n);
	file_octets = text.n;
	snprintf(stat_answer, sizeof stat_answer, "+OK %llu %llu\r\n",
		 (unsigned long long)messages,
		 (unsigned long long)(messages * (text.n - 3)));
	buf_fini(&text);
	mail_fini(&mail);
}

static bool say(int fd, const char *text, int flags)
{
	size_t n = strlen(text);

	return send(fd, text, n, MSG_NOSIGNAL | flags) == (ssize_t)n;
}

static bool send_file(int fd)
{
	off_t at = 0;

	if (!say(fd, "+OK\r\n", MSG_MORE))
		return false;
	while (at < (off_t)file_octets)
		if (sendfile(fd, file, &at, file_octets - (size_t)at) <= 0)
			return false;
	return true;
}

/* answer - false when that was the last command */
static bool answer(int fd, const char *command)
{
	switch (command[0]) {
	case 'R':
		return send_file(fd);
	case 'S':
		return say(fd, stat_answer, 0);
	case 'Q':
		say(fd, "+OK\r\n", 0);
		return false;
	default:
		return say(fd, "+OK\r\n", 0);
	}
}

/* serve - our clients send a command in one piece, and wait for its answer */
static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char line[LINE_MAX_OCTETS];

	if (say(fd, "+OK\r\n", 0))
		while (recv(fd, line, sizeof line, 0) > 0 && answer(fd, line))
			;
	close(fd);
	return NULL;
}

static int open_listener(void)
{
	struct link_to at;
	const int on = 1;
	int fd;

	link_to_parse(&at, listen_at, false);
	fd = socket(at.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&at.address, at.n) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	int listener, fd;

	options_read(argc, argv, options, NULL);
	make_file();
	listener = open_listener();
	if (listener < 0) {
		perror(listen_at);
		return EX_OSERR;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	printf("ready\n");
	fflush(stdout);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, serve, (void *)(intptr_t)fd) != 0)
			close(fd);
	}
	perror("accept");
	return EX_OSERR;
}
