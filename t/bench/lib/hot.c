/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/hot.h"

#include "lib/conn.h"
#include "lib/settings.h"
#include "store/store.h"
#include "t/bench/lib/options.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { IDLE_MS = 600000, ANSWER_MAX = 1 << 24, PIECE = 1 << 16 };

uint64_t hot_count = 100, hot_octets = 8192;
static const char *conf = "/etc/popstore/popstore.conf";

static const struct option_row options[] = {
	/* clang-format off */
	{"conf",   OPTION_TEXT,   &conf,       "popstore.conf"},
	{"count",  OPTION_NUMBER, &hot_count,  "how often"},
	{"octets", OPTION_NUMBER, &hot_octets, "of a message to be delivered"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

void hot_ask(int fd, struct str text)
{
	must(send(fd, text.p, text.n, MSG_NOSIGNAL) == (ssize_t)text.n);
}

void hot_answer(int fd, const char *begin, const char *end)
{
	struct buf in;

	buf_init(&in, ANSWER_MAX);
	while (!str_ends(buf_str(&in), str_of(end))) {
		char *room = buf_reserve(&in, PIECE);
		ssize_t n = room ? read(fd, room, PIECE) : -1;

		must(n > 0);
		buf_used(&in, (size_t)n);
	}
	must(str_starts(buf_str(&in), str_of(begin)));
	buf_fini(&in);
}

static int serve(const struct hot_path *path, struct store *s, int fd, struct err *e)
{
	struct conn c;
	int rc;

	conn_open(&c, fd, IDLE_MS);
	rc = path->server(s, &c, e);
	conn_close(&c);
	return rc;
}

static int run(const struct hot_path *path, struct store *s, struct err *e)
{
	int fd[2], rc, status;
	pid_t client;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	client = fork();
	must(client >= 0);
	if (client == 0) {
		close(fd[1]);
		path->client(fd[0]);
		_exit(EX_OK);
	}
	close(fd[0]);
	rc = serve(path, s, fd[1], e);
	must(waitpid(client, &status, 0) == client);
	if (rc == 0 && status != 0)
		return err_set(e, ERR_PERM, "5.3.0", "the client was not content");
	return rc;
}

int hot_run(int argc, char **argv, const struct hot_path *path)
{
	struct err e = {0};
	struct settings *set;
	struct store *s;
	int rc;

	options_read(argc, argv, options, NULL);
	if (settings_read(conf, &set, &e) < 0 || store_open(set, &s, &e) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], e.text);
		return EX_CONFIG;
	}
	settings_log(set, "hot");
	rc = run(path, s, &e);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", argv[0], e.text);
	store_close(&s);
	settings_free(&set);
	return rc < 0 ? err_exit_status(&e) : EX_OK;
}
