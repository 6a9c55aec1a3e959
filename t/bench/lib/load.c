/* SPDX-License-Identifier: ISC */
#include "t/bench/lib/load.h"

#include "t/bench/lib/clock.h"
#include "t/bench/lib/hist.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

/* The state of a checksum is aligned so. */
enum { SLOT_ALIGN = 64 };
enum { EVENTS = 256, ERRORS_SHOWN = 5 };

const char *load_name = "user%@example.org";

static const char *address = "127.0.0.1:110", *order = "sequence";
static uint64_t connections = 1, threads = 1, seconds = 5, warmup = 1, rate, count;
static uint64_t users = 1, first_user, sources = 1;
static bool tls, hold;

const struct option_row load_options[] = {
	/* clang-format off */
	{"address",     OPTION_TEXT,   &address,     "of the server: 127.0.0.1:110, or the path of a socket"},
	{"tls",         OPTION_YES,    &tls,         "yes: TLS from the first octet on"},
	{"connections", OPTION_NUMBER, &connections, "at most so many at a time"},
	{"threads",     OPTION_NUMBER, &threads,     "of this program"},
	{"rate",        OPTION_NUMBER, &rate,        "turns a second; 0: one after the other"},
	{"seconds",     OPTION_NUMBER, &seconds,     "that are measured"},
	{"warmup",      OPTION_NUMBER, &warmup,      "seconds before, that are not"},
	{"count",       OPTION_NUMBER, &count,       "exactly so many turns, whatever time they take"},
	{"name",        OPTION_TEXT,   &load_name,   "of a user; % is replaced by the number"},
	{"users",       OPTION_NUMBER, &users,       "how many there are"},
	{"first_user",  OPTION_NUMBER, &first_user,  "the number of the first"},
	{"order",       OPTION_TEXT,   &order,       "of the users: sequence or random"},
	{"sources",     OPTION_NUMBER, &sources,     "loopback addresses to come from, each with 28,000 ports; a server may look for their names"},
	{"hold",        OPTION_YES,    &hold,        "yes: keep each connection when its turn is done"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

/* What a thread counts; summed at the end. */
struct tally {
	uint64_t turns, errors, octets;
	struct hist times[LOAD_TIMES];
};

struct load_worker {
	const struct load_kind *kind;
	struct link_scratch scratch;
	struct load_slot **free; /* a stack: few connections carry what few can carry */
	size_t n_free, n_slots;
	uint64_t next, next_due; /* the turn that begins next */
	struct tally tally;
	char *slots;
	pthread_t thread;
};

static struct link_to to;
static uint64_t begin_ns, counted_ns, end_ns; /* of the run, of what counts */
static atomic_uint_fast64_t turns_given, turns_ended, turns_held, errors_shown, errors;
static atomic_bool stop;

/* ---- users --------------------------------------------------------------------- */

/* scatter - splitmix64: the same numbers in every run, in no order */
static uint64_t scatter(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
	return n ^ (n >> 31);
}

uint64_t load_user(uint64_t n)
{
	return first_user + (order[0] == 'r' ? scatter(n) : n) % users;
}

uint64_t load_owner(const struct load_slot *s)
{
	uint64_t each = users / connections;

	if (rate > 0 || order[0] == 'r' || each == 0)
		return load_user(s->number);
	return first_user + s->index * each + s->turns % each;
}

void load_put_name(struct buf *out, uint64_t user)
{
	struct str tail = str_of(load_name);
	struct str head = str_cut(&tail, '%');

	buf_printf(out, STR_FMT "%llu" STR_FMT, STR_ARG(head), (unsigned long long)user,
		   STR_ARG(tail));
}

/* ---- what counts ---------------------------------------------------------------- */

static bool counts(const struct load_slot *s, uint64_t now)
{
	if (count > 0)
		return true;
	return rate > 0 ? s->due_ns >= counted_ns && s->due_ns < end_ns
			: now >= counted_ns && now < end_ns;
}

static void add_time(struct load_slot *s, unsigned which, uint64_t since)
{
	uint64_t now = now_ns();

	if (counts(s, now))
		hist_add(&s->worker->tally.times[which], now - since);
}

void load_mark(struct load_slot *s)
{
	s->mark_ns = now_ns();
}

void load_timed(struct load_slot *s, unsigned which)
{
	add_time(s, which, s->mark_ns);
}

void load_timed_turn(struct load_slot *s, unsigned which)
{
	add_time(s, which, s->due_ns);
}

void load_octets(struct load_slot *s, uint64_t n)
{
	if (counts(s, now_ns()))
		s->worker->tally.octets += n;
}

bool load_holds(void)
{
	return hold;
}

static void release(struct load_slot *s)
{
	s->busy = false;
	s->worker->free[s->worker->n_free++] = s;
	turns_ended++;
}

void load_done(struct load_slot *s)
{
	must(s->busy);
	if (counts(s, now_ns()))
		s->worker->tally.turns++;
	if (!hold) {
		release(s);
	} else if (++turns_held == connections) {
		printf("{\"held\": %llu}\n", (unsigned long long)connections);
		fflush(stdout);
	}
}

void load_failed(struct load_slot *s, const char *why, struct str what)
{
	link_close(&s->link);
	if (!s->busy)
		return; /* a connection that nothing was asked on: the next turn opens one */
	if (errors_shown++ < ERRORS_SHOWN)
		fprintf(stderr, "turn %llu: %s: " STR_FMT "\n",
			(unsigned long long)s->number, why, STR_ARG(what));
	s->worker->tally.errors++;
	/* Who waits for all connections to be held would wait for ever. */
	if (++errors >= LOAD_ERRORS_MAX || hold)
		stop = true;
	release(s);
}

void load_open(struct load_slot *s)
{
	const char *wrong = link_open(&s->link, &to);

	if (wrong != NULL)
		load_failed(s, wrong, STR(""));
}

/* ---- turns ---------------------------------------------------------------------- */

/* take_turn - the number of the next turn; a worker holds one until it is due */
static void take_turn(struct load_worker *w)
{
	w->next = turns_given++;
	w->next_due = rate > 0 ? begin_ns + w->next * NS_PER_S / rate : 0;
}

static bool has_turn(const struct load_worker *w, uint64_t now)
{
	if (stop)
		return false;
	if (count > 0)
		return w->next < count;
	if (rate > 0)
		return w->next_due < end_ns && now < end_ns + LOAD_DRAIN_S * NS_PER_S;
	return now < end_ns;
}

static void begin_turn(struct load_worker *w, uint64_t now)
{
	struct load_slot *s = w->free[--w->n_free];

	s->number = w->next;
	s->due_ns = rate > 0 ? w->next_due : now;
	s->mark_ns = now;
	s->busy = true;
	take_turn(w);
	w->kind->begin(s);
	s->turns++;
	if (s->link.state == LINK_OPEN) {
		const char *wrong = link_flush(&s->link);

		if (wrong != NULL)
			load_failed(s, wrong, STR(""));
	}
}

static void begin_due_turns(struct load_worker *w)
{
	for (;;) {
		uint64_t now = now_ns();

		if (w->n_free == 0 || !has_turn(w, now) || w->next_due > now)
			return;
		begin_turn(w, now);
	}
}

/* wait_ns - how long nothing has to be done but for what the server sends */
static struct timespec wait_ns(const struct load_worker *w)
{
	uint64_t now = now_ns(), ns = NS_PER_S / 10;

	if (w->n_free > 0 && has_turn(w, now)) {
		uint64_t left = w->next_due > now ? w->next_due - now : 0;

		ns = left < ns ? left : ns;
	}
	return (struct timespec){.tv_nsec = (long)ns};
}

static bool is_over(const struct load_worker *w)
{
	uint64_t now = now_ns();

	if (has_turn(w, now))
		return false;
	if (stop || w->n_free == w->n_slots)
		return true;
	/* What the last second cuts off does not count; of what was due, all does. */
	return count == 0 && now >= end_ns + (rate > 0 ? LOAD_DRAIN_S * NS_PER_S : 0);
}

/* never_begun - turns of the open loop that were due, and found no connection in time */
static uint64_t never_begun(void)
{
	uint64_t due = rate * (warmup + seconds), begun = turns_given - threads;

	return rate > 0 && count == 0 && due > begun ? due - begun : 0;
}

static void *work(void *arg)
{
	struct load_worker *w = arg;
	struct epoll_event ev[EVENTS];

	take_turn(w);
	while (!is_over(w)) {
		struct timespec wait;
		int n;

		begin_due_turns(w);
		wait = wait_ns(w);
		n = epoll_pwait2(w->scratch.epoll, ev, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++) {
			struct load_slot *s = ev[i].data.ptr;
			const char *wrong;

			if (s->link.fd < 0)
				continue; /* closed by what came before it */
			wrong = link_event(&s->link, ev[i].events);
			if (wrong != NULL)
				load_failed(s, wrong, STR(""));
		}
	}
	return NULL;
}

/* ---- the run -------------------------------------------------------------------- */

static size_t slot_room(const struct load_kind *kind)
{
	return (kind->slot_size + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
}

static struct load_slot *slot(struct load_worker *w, size_t i)
{
	return (struct load_slot *)(void *)(w->slots + i * slot_room(w->kind));
}

static void worker_init(struct load_worker *w, const struct load_kind *kind, size_t n,
			uint64_t first)
{
	w->kind = kind;
	w->n_slots = n;
	w->slots = aligned_alloc(SLOT_ALIGN, n * slot_room(kind));
	must(w->slots != NULL);
	memset(w->slots, 0, n * slot_room(kind));
	w->free = xalloc(n * sizeof(struct load_slot *));
	w->scratch.epoll = epoll_create1(EPOLL_CLOEXEC);
	must(w->scratch.epoll >= 0);
	for (size_t i = 0; i < n; i++) {
		link_init(&slot(w, i)->link, &w->scratch, kind->input);
		slot(w, i)->worker = w;
		slot(w, i)->index = first + i;
		w->free[w->n_free++] = slot(w, i);
	}
}

/* is_missed - whether a turn that has not ended by now is an error.  In the closed loop it is
 * one that the last second cut off. */
static bool is_missed(void)
{
	return !hold && (rate > 0 || count > 0);
}

static void worker_fini(struct load_worker *w, struct tally *sum)
{
	for (size_t i = 0; i < w->n_slots; i++) {
		struct load_slot *s = slot(w, i);

		if (s->busy && is_missed())
			sum->errors++;
		link_fini(&s->link);
	}
	sum->turns += w->tally.turns;
	sum->errors += w->tally.errors;
	sum->octets += w->tally.octets;
	for (unsigned i = 0; i < LOAD_TIMES; i++)
		hist_merge(&sum->times[i], &w->tally.times[i]);
	close(w->scratch.epoll);
	xfree(&w->slots);
	xfree(&w->free);
}

static void print_time(const char *name, const struct hist *h, double took)
{
	printf("\"%s\": {\"n\": %llu, \"per_s\": %.1f, \"mean_us\": %.1f, \"p50_us\": %.1f, "
	       "\"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}",
	       name, (unsigned long long)h->n, (double)h->n / took,
	       h->n > 0 ? (double)h->sum / (double)h->n / 1e3 : 0.0,
	       (double)hist_at(h, 0.5) / 1e3, (double)hist_at(h, 0.9) / 1e3,
	       (double)hist_at(h, 0.99) / 1e3, (double)hist_at(h, 0.999) / 1e3,
	       (double)h->max / 1e3);
}

static void print_result(const struct load_kind *kind, const struct tally *sum,
			 double took, double cpu)
{
	bool more = false;

	printf("{\"what\": \"%s\", \"connections\": %llu, \"threads\": %llu, \"rate\": %llu, "
	       "\"tls\": %s, \"seconds\": %.3f, \"turns\": %llu, \"turns_per_s\": %.1f, "
	       "\"errors\": %llu, \"octets\": %llu, \"client_cpu_us\": %.2f, "
	       "\"client_cpu_share\": %.3f, \"times\": {",
	       kind->what, (unsigned long long)connections, (unsigned long long)threads,
	       (unsigned long long)rate, tls ? "true" : "false", took,
	       (unsigned long long)sum->turns, (double)sum->turns / took,
	       (unsigned long long)sum->errors, (unsigned long long)sum->octets,
	       turns_ended > 0 ? cpu * 1e6 / (double)turns_ended : 0.0,
	       cpu / ((double)(now_ns() - begin_ns) / 1e9));
	for (unsigned i = 0; i < LOAD_TIMES && kind->times[i] != NULL; i++) {
		if (sum->times[i].n == 0)
			continue;
		printf("%s", more ? ", " : "");
		print_time(kind->times[i], &sum->times[i], took);
		more = true;
	}
	printf("}}\n");
}

static void asked_to_stop(int sig UNUSED)
{
	stop = true;
}

static void prepare(void)
{
	struct sigaction act = {.sa_handler = asked_to_stop};
	struct rlimit files;

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	act.sa_handler = SIG_IGN; /* OpenSSL writes without MSG_NOSIGNAL */
	sigaction(SIGPIPE, &act, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	link_to_parse(&to, address, tls);
	to.sources = (unsigned)sources;
	if (hold)
		count = connections;
	if (threads == 0 || threads > connections)
		threads = 1;
	must(users > 0 && connections > 0 && sources > 0);
	begin_ns = now_ns();
	counted_ns = begin_ns + warmup * NS_PER_S;
	end_ns = counted_ns + seconds * NS_PER_S;
}

/* watch - ends a run in which nothing moves any more */
static void *watch(void *arg UNUSED)
{
	uint64_t last = 0;

	pthread_detach(pthread_self());
	while (!stop) {
		sleep(LOAD_STALL_S);
		if (turns_ended == last && turns_held == 0) {
			fprintf(stderr, "nothing was done for %d seconds\n",
				LOAD_STALL_S);
			stop = true;
		}
		last = turns_ended;
	}
	return NULL;
}

int load_run(const struct load_kind *kind)
{
	struct load_worker *w;
	struct tally *sum = xalloc(sizeof *sum);
	double took;
	pthread_t watcher;
	int status;

	prepare();
	w = xalloc(threads * sizeof *w);
	must(pthread_create(&watcher, NULL, watch, NULL) == 0);
	for (uint64_t i = 0, first = 0; i < threads; i++) {
		uint64_t n = connections / threads + (i < connections % threads);

		worker_init(&w[i], kind, n, first);
		first += n;
	}
	for (uint64_t i = 0; i < threads; i++)
		must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0);
	for (uint64_t i = 0; i < threads; i++)
		must(pthread_join(w[i].thread, NULL) == 0);
	sum->errors = never_begun();
	took = (double)(count > 0 ? now_ns() - begin_ns : end_ns - counted_ns) / 1e9;
	for (uint64_t i = 0; i < threads; i++)
		worker_fini(&w[i], sum);
	print_result(kind, sum, took, (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	status = sum->errors == 0 ? EX_OK : EX_SOFTWARE;
	xfree(&w);
	xfree(&sum);
	SSL_CTX_free(to.tls);
	return status;
}
