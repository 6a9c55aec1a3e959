/* SPDX-License-Identifier: ISC */
#include "lib/crew.h"

#include "lib/conn_int.h"
#include "lib/handoff.h"
#include "lib/timers.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
enum { STACK_OCTETS = 1024 * 1024 }; /* red zones make frames many times larger */
#else
enum { STACK_OCTETS = 128 * 1024 };
#endif

/* What an event is for: a session's key, or one of these, or a door. */
#define EVENT_LEAVE UINT64_MAX
#define EVENT_CLOCK (UINT64_MAX - 1)
#define EVENT_NUDGE (UINT64_MAX - 2)
#define EVENT_DOOR  (UINT64_MAX - 0x10000)

enum {
	EVENTS = 16, /* fetched at a time */
	BESIDE =
		2, /* threads besides those that connections keep: one leads, one watches */
};

struct session {
	struct conn c;
	struct crew *crew;
	int protocol;
	struct buf note;
	uint64_t key;    /* its place in crew.slots, and how often that was used */
	bool has_events; /* its descriptor is watched */

	/* Under the crew's lock: */
	struct session *next; /* that is ready */
	bool waiting;         /* no thread has it */
	bool again;           /* there was an event while one had it */
	bool ended;           /* an event said that the peer has ended */
	struct timer timer;   /* not later than: */
	uint64_t until_ms;    /* when it has waited long enough */
};

struct slot {
	struct session *session; /* NULL: free */
	uint32_t used;           /* how often */
	uint32_t next_free;      /* the number of the next one, from 1; 0 is none */
};

struct crew {
	const struct server *s;
	void (*arrive)(size_t door, void *ctx);
	void *ctx;
	pthread_attr_t attr;
	int epoll, clock, leave, empty;
	int nudge; /* eventfd: what is ready came from one who leads no more */

	pthread_mutex_t lock;
	struct slot *slots;
	size_t n_slots;
	uint32_t free;     /* the first free slot, as in next_free */
	size_t count;      /* of sessions that are not gone */
	bool empty_wanted; /* somebody waits until there is none */
	struct timers timers;
	uint64_t clock_ms; /* what `clock` is set to; 0: it is not */

	/* What the next thing to do is taken from. */
	struct session *ready, **ready_end; /* not begun yet */
	struct epoll_event events[EVENTS];
	size_t n_events, next_event;

	size_t threads;
	size_t idle;           /* that nobody has called, */
	size_t relieved;       /* and those who were, and are on their way */
	pthread_cond_t relief; /* for the idle: somebody is to lead, or to watch */
	pthread_cond_t gone;   /* a thread has left: */
	pthread_t last;        /* the last one that did, who waits for those before */
	bool has_last;
	bool closing;
	bool led;      /* somebody leads, */
	uint64_t term; /* whose number this is, */
	bool acting;   /* and is at something, */
	uint64_t acts; /* the so-manieth */
	bool watched;  /* somebody watches, */
	bool alarmed;  /* closely, or is called to do so */
	pthread_cond_t alarm;
};

/* Of the thread that leads, or has led. */
static _Thread_local struct crew *mine;
static _Thread_local uint64_t my_term;

static void lock(struct crew *k)
{
	must(pthread_mutex_lock(&k->lock) == 0);
}

static void unlock(struct crew *k)
{
	must(pthread_mutex_unlock(&k->lock) == 0);
}

/* ---- the table of sessions ------------------------------------------------------ */

static void add_slots(struct crew *k)
{
	size_t n = k->n_slots ? 2 * k->n_slots : 64;

	k->slots = xgrow(k->slots, k->n_slots * sizeof *k->slots, n * sizeof *k->slots);
	for (; k->n_slots < n; k->n_slots++) {
		k->slots[k->n_slots].next_free = k->free;
		k->free = (uint32_t)k->n_slots + 1;
	}
}

static void take_slot(struct crew *k, struct session *x)
{
	struct slot *slot;

	if (k->free == 0)
		add_slots(k);
	slot = &k->slots[k->free - 1];
	x->key = (uint64_t)slot->used << 32 | k->free;
	k->free = slot->next_free;
	slot->session = x;
}

static struct slot *slot_of(struct crew *k, uint64_t key)
{
	return &k->slots[(uint32_t)key - 1];
}

static void free_slot(struct crew *k, const struct session *x)
{
	struct slot *slot = slot_of(k, x->key);

	*slot = (struct slot){.used = (slot->used + 1) & INT32_MAX, .next_free = k->free};
	k->free = (uint32_t)x->key;
}

/* find - whom an event is for; NULL: who is not there any more */
static struct session *find(struct crew *k, uint64_t key)
{
	const struct slot *slot = slot_of(k, key);

	return slot->used == key >> 32 ? slot->session : NULL;
}

/* ---- time ------------------------------------------------------------------------- */

/* set_clock - to the first timer, unless it rings before that anyway */
static void set_clock(struct crew *k)
{
	const struct timer *first = timers_first(&k->timers);
	struct itimerspec when = {0};

	if (first == NULL || (k->clock_ms != 0 && k->clock_ms <= first->at_ms))
		return;
	k->clock_ms = first->at_ms;
	when.it_value.tv_sec = (time_t)(first->at_ms / 1000);
	/* Not 0, which would stop the clock. */
	when.it_value.tv_nsec = (long)(first->at_ms % 1000) * 1000000 + 1;
	must(timerfd_settime(k->clock, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

/* wait_until - most sessions are heard of long before: a timer that rings too early is
 * set again then, and need not be moved now */
static void wait_until(struct crew *k, struct session *x, uint64_t at_ms)
{
	x->until_ms = at_ms;
	if (timer_is_set(&x->timer) && x->timer.at_ms <= at_ms)
		return;
	timers_set(&k->timers, &x->timer, at_ms);
	set_clock(k);
}

static struct session *session_of(struct timer *t)
{
	return (struct session *)((char *)t - offsetof(struct session, timer));
}

/* take_late - one who has waited long enough, or NULL */
static struct session *take_late(struct crew *k)
{
	uint64_t now = clock_ms(), ignored;
	struct session *late = NULL;
	struct timer *first;

	/* Another thread may have been faster. */
	(void)!read(k->clock, &ignored, sizeof ignored);
	k->clock_ms = 0;
	while (late == NULL && (first = timers_first(&k->timers)) != NULL &&
	       first->at_ms <= now) {
		struct session *x = session_of(first);

		timers_unset(&k->timers, first);
		if (x->waiting && x->until_ms <= now)
			late = x;
		else if (x->waiting)
			timers_set(&k->timers, first, x->until_ms);
	}
	set_clock(k);
	return late;
}

/* ---- events ----------------------------------------------------------------------- */

#define OCTETS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static void watch(struct crew *k, int fd, uint32_t what, uint64_t event)
{
	struct epoll_event ev = {.events = what, .data.u64 = event};

	must(epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
}

static struct session *session_with(struct conn *c)
{
	return (struct session *)((char *)c - offsetof(struct session, c));
}

void crew_watch(struct conn *c, int fd, bool room_too)
{
	struct session *x = session_with(c);
	struct epoll_event ev = {.events = OCTETS | (room_too ? EPOLLOUT : 0),
				 .data.u64 = x->key};

	/* Most were watched before: what talks to authd goes from one to the next. */
	if (epoll_ctl(x->crew->epoll, EPOLL_CTL_MOD, fd, &ev) == 0)
		return;
	must(errno == ENOENT);
	watch(x->crew, fd, ev.events, x->key);
	x->has_events |= fd == c->fd;
}

void crew_forget(struct conn *c)
{
	struct session *x = session_with(c);

	if (x->has_events)
		must(epoll_ctl(x->crew->epoll, EPOLL_CTL_DEL, c->fd, NULL) == 0);
	x->has_events = false;
}

void crew_open_door(struct crew *k, int fd, size_t door)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE,
				 .data.u64 = EVENT_DOOR + door};

	must(epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
}

void crew_close_door(struct crew *k, int fd)
{
	must(epoll_ctl(k->epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
}

/* claim - the session that an event is for, now this thread's; or NULL */
static struct session *claim(struct crew *k, const struct epoll_event *ev)
{
	struct session *x =
		ev->data.u64 == EVENT_CLOCK ? take_late(k) : find(k, ev->data.u64);

	if (x == NULL)
		return NULL;
	x->ended |= (ev->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	x->again = !x->waiting;
	if (x->again)
		return NULL;
	x->waiting = false;
	conn_wake(&x->c, !x->ended);
	return x;
}

/* ---- running ---------------------------------------------------------------------- */

static void end(struct crew *k, struct session *x)
{
	lock(k);
	timers_unset(&k->timers, &x->timer);
	free_slot(k, x);
	unlock(k);
	conn_close(&x->c);
	buf_fini(&x->note);
	xfree(&x);
	lock(k);
	if (--k->count == 0 && k->empty_wanted)
		must(eventfd_write(k->empty, 1) == 0);
	unlock(k);
}

/* rest - true when it waits now; false when something has come meanwhile */
static bool rest(struct crew *k, struct session *x)
{
	bool waits;

	conn_rest(&x->c);
	lock(k);
	waits = !x->again;
	x->again = false;
	x->waiting = waits;
	if (waits)
		wait_until(k, x, conn_rest_until(&x->c));
	else
		conn_wake(&x->c, !x->ended);
	unlock(k);
	return waits;
}

static void run(struct crew *k, struct session *x)
{
	const struct server *s = k->s;

	if (s->step == NULL) {
		crew_pass_on();
		s->session(&x->c, x->protocol, s->ctx);
		end(k, x);
		return;
	}
	do {
		if (!s->step(&x->c, x->protocol, s->ctx)) {
			end(k, x);
			return;
		}
		buf_fini(&x->note);
		x->c.note = STR("");
		/* What has come already is an event at once. */
		if (!x->has_events)
			watch(k, x->c.fd, OCTETS, x->key);
		x->has_events = true;
	} while (!rest(k, x));
}

/* ---- threads ------------------------------------------------------------------------ */

static void *work(void *arg);

/* add_thread - under the lock, which is let go meanwhile.  Where there are as many as there
 * may be, one has no connection and comes back by itself. */
static bool add_thread(struct crew *k)
{
	pthread_t thread;
	bool done;

	if (k->threads >= k->s->max_connections + BESIDE || k->closing)
		return true;
	k->threads++;
	unlock(k);
	done = pthread_create(&thread, &k->attr, work, k) == 0;
	lock(k);
	k->threads -= !done;
	return done;
}

/* call - somebody to lead or to watch; where none can be had, others wait until this thread
 * has time */
static void call(struct crew *k)
{
	if (k->watched) {
		pthread_cond_signal(&k->alarm);
	} else if (k->idle > 0) {
		k->idle--;
		k->relieved++;
		pthread_cond_signal(&k->relief);
	} else {
		add_thread(k);
	}
}

void crew_pass_on(void)
{
	struct crew *k = mine;

	if (k == NULL)
		return;
	lock(k);
	if (k->led && k->term == my_term) {
		k->led = k->acting = false;
		call(k);
	}
	unlock(k);
}

static bool leads(const struct crew *k)
{
	return k->led && k->term == my_term && !k->closing;
}

/* fetch - waits for events; nobody takes over meanwhile, for nothing is held up */
static void fetch(struct crew *k)
{
	struct epoll_event ev[EVENTS];
	int n;

	unlock(k);
	n = epoll_wait(k->epoll, ev, EVENTS, -1);
	must(n >= 0 || errno == EINTR);
	lock(k);
	k->n_events = n > 0 ? (size_t)n : 0;
	k->next_event = 0;
	memcpy(k->events, ev, k->n_events * sizeof ev[0]);
}

static void act(struct crew *k, struct session *x, uint64_t event)
{
	k->acting = true;
	k->acts++;
	if (!k->alarmed) {
		k->alarmed = true;
		call(k);
	}
	unlock(k);
	if (x != NULL)
		run(k, x);
	else
		k->arrive(event - EVENT_DOOR, k->ctx);
	lock(k);
	if (leads(k))
		k->acting = false;
}

static struct session *take_ready(struct crew *k)
{
	struct session *x = k->ready;

	if (x != NULL)
		k->ready = x->next;
	if (k->ready == NULL)
		k->ready_end = &k->ready;
	return x;
}

static bool is_door(uint64_t event)
{
	return event >= EVENT_DOOR && event < EVENT_NUDGE;
}

static bool is_special(uint64_t event)
{
	return event == EVENT_LEAVE || event == EVENT_NUDGE;
}

/* react - to one event; many are for nobody any more */
static void react(struct crew *k)
{
	const struct epoll_event ev = k->events[k->next_event++];
	struct session *x;

	if (is_door(ev.data.u64)) {
		act(k, NULL, ev.data.u64);
	} else if (!is_special(ev.data.u64)) {
		x = claim(k, &ev);
		if (x != NULL)
			act(k, x, ev.data.u64);
	}
}

/* lead - under the lock, as long as nobody else does */
static void lead(struct crew *k)
{
	k->led = true;
	k->alarmed = false;
	mine = k;
	my_term = ++k->term;
	while (leads(k)) {
		struct session *x = take_ready(k);

		if (x != NULL)
			act(k, x, 0);
		else if (k->next_event < k->n_events)
			react(k);
		else
			fetch(k);
	}
}

/* stand_by - until something is to be watched: false when there is no need any more */
static void stand_by(struct crew *k, bool closely)
{
	struct timespec until;

	if (!closely) {
		pthread_cond_wait(&k->alarm, &k->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += CREW_PATIENCE_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&k->alarm, &k->lock, &until);
}

/* keep_watch - under the lock, as long as somebody leads who is not held up */
static void keep_watch(struct crew *k)
{
	uint64_t seen = k->acts;

	k->watched = true;
	while (k->led && !k->closing) {
		stand_by(k, k->alarmed);
		if (k->acting && k->acts == seen && k->alarmed)
			k->led = k->acting = false;
		else if (!k->acting && k->acts == seen)
			k->alarmed = false;
		seen = k->acts;
	}
	k->watched = k->alarmed = false;
}

static void be_idle(struct crew *k)
{
	k->idle++;
	while (k->relieved == 0 && !k->closing)
		pthread_cond_wait(&k->relief, &k->lock);
	if (k->relieved > 0)
		k->relieved--;
}

/* leave - under the lock.  Who waits for this thread waits for all that left before: what a
 * library frees at a thread's end has to be free when the process ends. */
static void leave(struct crew *k)
{
	pthread_t before = k->last;
	bool join = k->has_last;

	k->last = pthread_self();
	k->has_last = true;
	k->threads--;
	pthread_cond_signal(&k->gone);
	unlock(k);
	if (join)
		must(pthread_join(before, NULL) == 0);
}

static void *work(void *arg)
{
	struct crew *k = arg;

	lock(k);
	while (!k->closing) {
		if (!k->led)
			lead(k);
		else if (!k->watched)
			keep_watch(k);
		else if (k->idle < CREW_IDLE)
			be_idle(k);
		else
			break;
	}
	leave(k);
	return NULL;
}

/* ---- who comes ------------------------------------------------------------------------ */

/* enter - room for one more; and one that keeps its thread leaves one to lead */
static bool enter(struct crew *k)
{
	bool room;

	lock(k);
	room = k->count < k->s->max_connections;
	if (room && k->s->step == NULL && k->idle == 0 && !k->watched)
		room = add_thread(k);
	k->count += room;
	unlock(k);
	return room;
}

static struct session *session_new(struct crew *k, const struct crew_guest *g)
{
	struct session *x = xalloc(sizeof *x);

	if (g->unnamed)
		conn_open_unnamed(&x->c, g->fd, k->s->idle_ms);
	else if (g->from != NULL)
		conn_open_from(&x->c, g->fd, k->s->idle_ms, g->from);
	else
		conn_open(&x->c, g->fd, k->s->idle_ms);
	x->crew = k;
	x->protocol = g->protocol;
	x->c.server = g->server;
	buf_init(&x->note, HANDOFF_NOTE_MAX);
	buf_put(&x->note, g->note);
	x->c.note = buf_str(&x->note);
	conn_wake(&x->c, true);
	return x;
}

bool crew_take(struct crew *k, const struct crew_guest *g)
{
	struct session *x;

	if (!enter(k))
		return false;
	x = session_new(k, g);
	lock(k);
	take_slot(k, x);
	*k->ready_end = x;
	k->ready_end = &x->next;
	/* Who was relieved while people arrived: the one who leads may sleep by now. */
	if (!leads(k))
		must(eventfd_write(k->nudge, 1) == 0);
	unlock(k);
	return true;
}

void crew_each(struct crew *k, void (*what)(struct conn *c))
{
	lock(k);
	for (size_t i = 0; i < k->n_slots; i++)
		if (k->slots[i].session != NULL)
			what(&k->slots[i].session->c);
	unlock(k);
}

size_t crew_count(struct crew *k)
{
	size_t n;

	lock(k);
	n = k->count;
	unlock(k);
	return n;
}

int crew_empty_fd(struct crew *k)
{
	lock(k);
	k->empty_wanted = true;
	unlock(k);
	return k->empty;
}

/* ---- life ----------------------------------------------------------------------------- */

static int open_events(struct crew *k, struct err *e)
{
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	k->leave = eventfd(0, EFD_CLOEXEC);
	k->empty = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->epoll < 0 || k->clock < 0 || k->leave < 0 || k->empty < 0 || k->nudge < 0)
		return err_sys(e, "prepare to serve connections");
	watch(k, k->clock, EPOLLIN, EVENT_CLOCK);
	watch(k, k->leave, EPOLLIN, EVENT_LEAVE);
	watch(k, k->nudge, EPOLLIN | EPOLLET, EVENT_NUDGE);
	return 0;
}

static void close_events(struct crew *k)
{
	const int fds[] = {k->epoll, k->clock, k->leave, k->empty, k->nudge};

	for (size_t i = 0; i < countof(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void init_conditions(struct crew *k)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr) == 0);
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&k->relief, &attr) == 0);
	must(pthread_cond_init(&k->gone, &attr) == 0);
	must(pthread_cond_init(&k->alarm, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

int crew_new(const struct server *s, void (*arrive)(size_t door, void *ctx), void *ctx,
	     struct crew **out, struct err *e)
{
	struct crew *k = xalloc(sizeof *k);

	k->s = s;
	k->arrive = arrive;
	k->ctx = ctx;
	k->ready_end = &k->ready;
	k->epoll = k->clock = k->leave = k->empty = k->nudge = -1;
	must(pthread_mutex_init(&k->lock, NULL) == 0);
	init_conditions(k);
	must(pthread_attr_init(&k->attr) == 0);
	must(pthread_attr_setstacksize(&k->attr, STACK_OCTETS) == 0);
	*out = k;
	if (open_events(k, e) == 0)
		return 0;
	crew_free(out);
	return -1;
}

int crew_begin(struct crew *k, struct err *e)
{
	bool begun;

	lock(k);
	begun = add_thread(k);
	unlock(k);
	return begun ? 0 : err_set(e, ERR_TEMP, "4.3.2", "no thread can be started");
}

static void dismiss(struct crew *k)
{
	lock(k);
	must(k->count == 0);
	k->closing = true;
	if (k->threads > 0)
		must(eventfd_write(k->leave, 1) == 0);
	pthread_cond_broadcast(&k->relief);
	pthread_cond_broadcast(&k->alarm);
	while (k->threads > 0)
		pthread_cond_wait(&k->gone, &k->lock);
	unlock(k);
	if (k->has_last)
		must(pthread_join(k->last, NULL) == 0);
}

void crew_free(struct crew **out)
{
	struct crew *k = *out;

	if (k == NULL)
		return;
	dismiss(k);
	close_events(k);
	timers_fini(&k->timers);
	xfree(&k->slots);
	pthread_attr_destroy(&k->attr);
	pthread_cond_destroy(&k->relief);
	pthread_cond_destroy(&k->gone);
	pthread_cond_destroy(&k->alarm);
	pthread_mutex_destroy(&k->lock);
	xfree(out);
}
