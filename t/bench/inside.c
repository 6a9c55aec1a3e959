/* SPDX-License-Identifier: ISC */
/*
 * inside - verdicts in the library itself: no socket, no protocol
 *
 *   inside conf=popstore.conf threads=1 users=1000 seconds=5
 *
 * What a milter, a policy daemon and LMTP share.  Every one has to accept.  One line of
 * JSON, as lib/load has it.
 */
#include "lib/settings.h"
#include "store/store.h"
#include "store/verdict.h"
#include "t/bench/lib/clock.h"
#include "t/bench/lib/options.h"

#include <pthread.h>
#include <stdio.h>
#include <sysexits.h>

enum { THREADS_MAX = 64, NAME_MAX_OCTETS = 256 };

static const char *conf = "/etc/popstore/popstore.conf", *domain = "example.org";
static uint64_t threads = 1, users = 1, seconds = 5, count;

static const struct option_row options[] = {
	/* clang-format off */
	{"conf",    OPTION_TEXT,   &conf,    "popstore.conf"},
	{"domain",  OPTION_TEXT,   &domain,  "of the users user0, user1 ..."},
	{"threads", OPTION_NUMBER, &threads, ""},
	{"users",   OPTION_NUMBER, &users,   "how many there are"},
	{"seconds", OPTION_NUMBER, &seconds, ""},
	{"count",   OPTION_NUMBER, &count,   "exactly so many a thread, whatever time they take"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

struct worker {
	pthread_t thread;
	struct store *store;
	uint64_t first, done;
	bool failed;
};

static uint64_t end_ns;

static bool is_over(const struct worker *w)
{
	return count > 0 ? w->done == count : now_ns() >= end_ns;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[NAME_MAX_OCTETS];
	struct verdict v;

	while (!w->failed && !is_over(w)) {
		snprintf(name, sizeof name, "user%llu@%s",
			 (unsigned long long)((w->first + w->done) % users), domain);
		verdict_of_plain(w->store, str_of(name), 8192, &v);
		if (v.code == VERDICT_OK) {
			w->done++;
		} else {
			fprintf(stderr, "%s: %s\n", name, v.word);
			w->failed = true;
		}
		verdict_fini(&v);
	}
	return NULL;
}

static int run(struct store *s)
{
	struct worker w[THREADS_MAX] = {0};
	uint64_t begin = now_ns(), done = 0;
	double took, cpu;
	bool failed = false;

	end_ns = begin + seconds * NS_PER_S;
	for (unsigned i = 0; i < threads; i++) {
		w[i].store = s;
		w[i].first = i * users / threads;
		must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0);
	}
	for (unsigned i = 0; i < threads; i++) {
		must(pthread_join(w[i].thread, NULL) == 0);
		done += w[i].done;
		failed = failed || w[i].failed;
	}
	took = (double)(now_ns() - begin) / 1e9;
	cpu = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
	printf("{\"what\": \"inside\", \"threads\": %llu, \"turns\": %llu, "
	       "\"turns_per_s\": %.1f, \"turns_per_core_s\": %.1f, \"errors\": %d}\n",
	       (unsigned long long)threads, (unsigned long long)done, (double)done / took,
	       (double)done / cpu, failed);
	return failed ? EX_SOFTWARE : EX_OK;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	struct settings *set;
	struct store *s;
	int status;

	options_read(argc, argv, options, NULL);
	if (threads == 0 || threads > THREADS_MAX || users == 0)
		return EX_USAGE;
	if (settings_read(conf, &set, &e) < 0 || store_open(set, &s, &e) < 0) {
		fprintf(stderr, "inside: %s\n", e.text);
		return EX_CONFIG;
	}
	status = run(s);
	store_close(&s);
	settings_free(&set);
	return status;
}
