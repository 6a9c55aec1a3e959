/* SPDX-License-Identifier: ISC */
/*
 * durable - a bare limit: files made durable, by n threads, and lines appended
 *
 *   durable folder=/srv/bench threads=16 octets=8K appends=1 seconds=5
 *
 * Each turn makes a file without a name, writes it, gives it its name and syncs it, as whoever
 * must not lose a message has to; then appends a line to `appends` files of 100 octets each, as
 * a store with an index for each account does.  sync_appends=yes syncs each of those as well.
 * Nothing else is done: no mail store that keeps a message in a file can be faster.
 *
 * The folder has to be there; what is made in it is left.  One line of JSON, as lib/load has it.
 */
#include "lib/buf.h"
#include "t/bench/lib/clock.h"
#include "t/bench/lib/hist.h"
#include "t/bench/lib/options.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { INDEXES = 1000, LINE = 100, THREADS_MAX = 256, FILES_A_FOLDER = 1000 };

static const char *folder = ".";
static uint64_t threads = 16, octets = 8192, appends = 1, seconds = 5;
static bool sync_appends;

static const struct option_row options[] = {
	/* clang-format off */
	{"folder",       OPTION_TEXT,   &folder,       "where"},
	{"threads",      OPTION_NUMBER, &threads,      "at a time"},
	{"octets",       OPTION_NUMBER, &octets,       "of a file"},
	{"appends",      OPTION_NUMBER, &appends,      "for each file"},
	{"sync_appends", OPTION_YES,    &sync_appends, "yes: each of them, too"},
	{"seconds",      OPTION_NUMBER, &seconds,      ""},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

struct worker {
	pthread_t thread;
	unsigned number;
	struct hist times;
	bool failed;
};

static int root;
static char *content;
static uint64_t end_ns;

/* make_file - durable with its name: fsync(2) of a new file on ext4 and XFS writes its directory
 * entry along with it */
static int make_file(unsigned worker, uint64_t i)
{
	char dir[64], proc[64], path[128];
	int fd, rc;

	snprintf(dir, sizeof dir, "%u-%llu", worker,
		 (unsigned long long)(i / FILES_A_FOLDER));
	if (i % FILES_A_FOLDER == 0 && mkdirat(root, dir, 0700) < 0)
		return -1;
	fd = openat(root, dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	snprintf(path, sizeof path, "%s/%llu", dir, (unsigned long long)i);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	rc = write(fd, content, octets) == (ssize_t)octets &&
			     linkat(AT_FDCWD, proc, root, path, AT_SYMLINK_FOLLOW) == 0 &&
			     fsync(fd) == 0
		     ? 0
		     : -1;
	close(fd);
	return rc;
}

static int append(uint64_t i)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof path, "index-%llu", (unsigned long long)(i % INDEXES));
	fd = openat(root, path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	rc = write(fd, content, LINE) == LINE && (!sync_appends || fdatasync(fd) == 0)
		     ? 0
		     : -1;
	close(fd);
	return rc;
}

static int turn(const struct worker *w, uint64_t i)
{
	if (make_file(w->number, i) < 0)
		return -1;
	for (uint64_t n = 0; n < appends; n++)
		if (append(w->number * 31 + i * appends + n) < 0)
			return -1;
	return 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; now_ns() < end_ns; i++) {
		uint64_t since = now_ns();

		if (turn(w, i) < 0) {
			perror(folder);
			w->failed = true;
			return NULL;
		}
		hist_add(&w->times, now_ns() - since);
	}
	return NULL;
}

static int run(struct worker *w)
{
	struct hist *sum = xalloc(sizeof *sum);
	bool failed = false;

	end_ns = now_ns() + seconds * NS_PER_S;
	for (unsigned i = 0; i < threads; i++) {
		w[i].number = i;
		must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0);
	}
	for (unsigned i = 0; i < threads; i++) {
		must(pthread_join(w[i].thread, NULL) == 0);
		hist_merge(sum, &w[i].times);
		failed = failed || w[i].failed;
	}
	printf("{\"what\": \"durable\", \"threads\": %llu, \"turns\": %llu, "
	       "\"seconds\": %llu, \"client_cpu_us\": %.2f, \"turns_per_s\": %.1f, \"errors\": %d, \"times\": {\"turn\": {\"n\": %llu, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}}}\n",
	       (unsigned long long)threads, (unsigned long long)sum->n,
	       (unsigned long long)seconds,
	       (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3 / (double)(sum->n + 1),
	       (double)sum->n / (double)seconds, failed, (unsigned long long)sum->n,
	       (double)hist_at(sum, 0.5) / 1e3, (double)hist_at(sum, 0.99) / 1e3,
	       (double)sum->max / 1e3);
	xfree(&sum);
	return failed ? EX_IOERR : EX_OK;
}

int main(int argc, char **argv)
{
	struct worker *w;
	int status;

	options_read(argc, argv, options, NULL);
	root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || threads == 0 || threads > THREADS_MAX) {
		perror(folder);
		return EX_USAGE;
	}
	content = xalloc(octets > LINE ? octets : LINE);
	memset(content, 'x', octets > LINE ? octets : LINE);
	content[LINE - 1] = '\n';
	w = xalloc(threads * sizeof *w);
	status = run(w);
	xfree(&w);
	xfree(&content);
	close(root);
	return status;
}
