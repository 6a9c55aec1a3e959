/* SPDX-License-Identifier: ISC */
/*
 * A world without processes: what the supervisor wishes is written down as words
 * ("lmtp=101 term=101 exit=0"), process ids count from 100, and time stands still
 * until the test moves it.
 */
#include "dispatch/supervisor.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

struct world {
	struct supervisor *s;
	uint64_t now_ms, wake_ms;
	pid_t next_pid;
	bool fork_fails;
	struct buf trace;
};

static int exits(int status)
{
	return W_EXITCODE(status, 0);
}

static int dies(int sig)
{
	return W_EXITCODE(0, sig);
}

static void start(struct world *w, const char *name, const char *option)
{
	pid_t pid = w->fork_fails ? -1 : w->next_pid++;

	buf_printf(&w->trace, "%s%s=%d ", name, option ? option : "", (int)pid);
	supervisor_started(w->s, pid, exits(EX_OSERR), w->now_ms);
}

/* obey - does everything that is wished; true until it is over */
static bool obey(struct world *w)
{
	for (;;) {
		struct supervisor_want want = supervisor_next(w->s, w->now_ms);

		switch (want.wish) {
		case WISH_WAIT:
			w->wake_ms = want.at_ms;
			assert_true(want.at_ms == 0 || want.at_ms > w->now_ms);
			return true;
		case WISH_START:
			start(w, want.service->name, NULL);
			break;
		case WISH_RUN:
			start(w, want.verb, want.option);
			break;
		case WISH_SIGNAL:
			buf_printf(&w->trace, "%s=%d ",
				   want.signal == SIGKILL   ? "kill"
				   : want.signal == SIGTERM ? "term"
							    : "hup",
				   (int)want.pid);
			break;
		case WISH_READY:
			buf_put(&w->trace, STR("ready "));
			break;
		case WISH_EXIT:
			buf_printf(&w->trace, "exit=%d ", want.status);
			return false;
		}
	}
}

static void expect(struct world *w, const char *want)
{
	obey(w);

	struct str got = str_trim(buf_str(&w->trace));

	w->trace.p[got.n] = '\0';
	assert_string_equal(got.p, want);
	buf_clear(&w->trace);
	buf_put(&w->trace, STR(""));
}

static struct supervisor_end end(struct world *w, pid_t pid, int status)
{
	return supervisor_ended(w->s, pid, status, w->now_ms);
}

static void ready(struct world *w, pid_t from, pid_t to)
{
	for (pid_t pid = from; pid <= to; pid++)
		assert_true(supervisor_ready(w->s, pid));
}

static void begin(struct world *w, unsigned milter, unsigned policy, unsigned lmtp,
		  unsigned pop3)
{
	const unsigned workers[SERVICE_COUNT] = {0, milter, policy, lmtp, 0, pop3};

	*w = (struct world){.s = supervisor_new(), .now_ms = 1000000, .next_pid = 100};
	buf_init(&w->trace, 4096);
	buf_put(&w->trace, STR(" "));
	buf_clear(&w->trace);
	supervisor_configure(w->s, workers);
}

static void reload(struct world *w, unsigned milter, unsigned policy, unsigned lmtp,
		   unsigned pop3)
{
	const unsigned workers[SERVICE_COUNT] = {0, milter, policy, lmtp, 0, pop3};

	supervisor_configure(w->s, workers);
}

/* recover is 100; lmtp and pop3 are 101 and 102 */
static void begin_two(struct world *w)
{
	begin(w, 0, 0, 1, 1);
	expect(w, "recover--resume=100");
	end(w, 100, exits(0));
	expect(w, "lmtp=101 pop3=102");
	ready(w, 101, 102);
	expect(w, "ready");
}

static void over(struct world *w)
{
	supervisor_free(&w->s);
	assert_null(w->s);
	buf_fini(&w->trace);
}

/* ---- start ------------------------------------------------------------------------ */

static void recovery_comes_first_and_ready_last(void **state UNUSED)
{
	struct world w;

	begin(&w, 1, 1, 2, 2);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "milter=101 policy=102 lmtp=103 lmtp=104 pop3=105 pop3=106");
	ready(&w, 101, 105);
	expect(&w, "");
	assert_int_equal(w.wake_ms, w.now_ms + 60000);
	ready(&w, 106, 106);
	expect(&w, "ready");
	assert_false(supervisor_ready(w.s, 106)); /* once */
	assert_false(supervisor_ready(w.s, 4711));
	over(&w);
}

static void failed_recovery_starts_nothing(void **state UNUSED)
{
	struct world w;

	begin(&w, 1, 1, 1, 1);
	expect(&w, "recover--resume=100");
	assert_true(end(&w, 100, exits(EX_CONFIG)).fatal);
	expect(&w, "exit=78");
	over(&w);
}

static void recovery_that_is_not_done_holds_nobody_up(int status)
{
	struct supervisor_end e;
	struct world w;

	begin(&w, 0, 0, 1, 0);
	expect(&w, "recover--resume=100");
	e = end(&w, 100, exits(status));
	assert_false(e.fatal);
	assert_false(e.expected); /* it is logged */
	expect(&w, "lmtp=101");
	over(&w);
}

static void one_damaged_account_holds_nobody_up(void **state UNUSED)
{
	recovery_that_is_not_done_holds_nobody_up(EX_DATAERR);
}

static void a_full_disk_holds_nobody_up(void **state UNUSED)
{
	recovery_that_is_not_done_holds_nobody_up(EX_TEMPFAIL);
}

static void a_start_is_all_or_nothing(void **state UNUSED)
{
	struct world w;

	begin(&w, 1, 0, 1, 0);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "milter=101 lmtp=102");
	ready(&w, 102, 102);
	assert_true(end(&w, 101, exits(EX_UNAVAILABLE)).fatal);
	expect(&w, "term=102");
	assert_true(end(&w, 102, exits(0)).expected);
	expect(&w, "exit=69");
	over(&w);
}

static void ending_well_before_ready_is_a_failure_too(void **state UNUSED)
{
	struct world w;

	begin(&w, 0, 1, 0, 0);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "policy=101");
	end(&w, 101, exits(0));
	expect(&w, "exit=70");
	over(&w);
}

static void fork_that_fails_ends_the_start(void **state UNUSED)
{
	struct world w;

	begin(&w, 0, 1, 0, 0);
	w.fork_fails = true;
	expect(&w, "recover--resume=-1 exit=71");
	over(&w);
}

static void never_ready_is_killed(void **state UNUSED)
{
	struct world w;

	begin(&w, 0, 1, 0, 0);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "policy=101");
	w.now_ms += SUPERVISOR_READY_MS;
	expect(&w, "kill=101 recover=102");
	end(&w, 101, dies(SIGKILL));
	expect(&w, "term=102");
	end(&w, 102, dies(SIGTERM));
	expect(&w, "exit=70");
	over(&w);
}

/* ---- crashes ----------------------------------------------------------------------- */

static void what_ends_is_started_again(void **state UNUSED)
{
	struct world w;
	struct supervisor_end e;

	begin_two(&w);
	for (pid_t pid = 102, pause = 100; pid < 106; pid++, pause *= 2) {
		e = end(&w, pid, exits(EX_SOFTWARE));
		assert_string_equal(e.name, "pop3");
		assert_false(e.expected);
		assert_true(e.restarts);
		assert_int_equal(e.restart_ms, pause);
		expect(&w, "");
		assert_int_equal(w.wake_ms, w.now_ms + (uint64_t)pause);
		w.now_ms += (uint64_t)pause;
		expect(&w, pid == 102   ? "pop3=103"
			   : pid == 103 ? "pop3=104"
			   : pid == 104 ? "pop3=105"
					: "pop3=106");
		ready(&w, pid + 1, pid + 1);
		expect(&w, ""); /* ready is said once */
	}
	over(&w);
}

static void crashed_delivery_is_recovered(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	end(&w, 102, dies(SIGSEGV)); /* a reader leaves nothing behind */
	expect(&w, "");
	end(&w, 101, exits(EX_TEMPFAIL)); /* nor does one that chose to end */
	expect(&w, "");
	w.now_ms += 100;
	expect(&w, "lmtp=103 pop3=104");
	end(&w, 103, dies(SIGKILL));
	expect(&w, "recover=105");
	w.now_ms += 200;
	expect(&w, "lmtp=106");
	end(&w, 106, dies(SIGKILL)); /* while the recovery runs: it has to run again */
	expect(&w, "");
	assert_true(end(&w, 105, exits(0)).expected);
	expect(&w, "recover=107");
	over(&w);
}

static void recovery_runs_every_minute(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	for (pid_t pid = 103; pid < 106; pid++) {
		assert_int_equal(w.wake_ms, w.now_ms + 60000);
		w.now_ms += 59999;
		expect(&w, "");
		w.now_ms += 1;
		obey(&w);
		assert_int_equal(w.next_pid, pid + 1);
		buf_clear(&w.trace);
		/* It may fail now: that is logged, and the mail goes on. */
		assert_int_equal(end(&w, pid, exits(pid == 103)).expected, pid != 103);
		expect(&w, "");
	}
	over(&w);
}

static void hanging_restart_is_killed_and_tried_again(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	end(&w, 102, exits(1));
	w.now_ms += 100;
	expect(&w, "pop3=103");
	w.now_ms += 59900;
	expect(&w, "recover=104");
	end(&w, 104, exits(0));
	w.now_ms += 100;
	expect(&w, "kill=103");
	expect(&w, "");
	assert_true(end(&w, 103, dies(SIGKILL)).restarts);
	w.now_ms += 100; /* it ran for a minute, if in vain */
	expect(&w, "pop3=105");
	over(&w);
}

/* ---- reload ------------------------------------------------------------------------ */

static void old_workers_serve_until_all_new_ones_do(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 0, 2, 1);
	expect(&w, "lmtp=103 lmtp=104 pop3=105");
	ready(&w, 103, 103);
	expect(&w, "");
	ready(&w, 104, 104);
	expect(&w, "hup=101");
	ready(&w, 105, 105);
	expect(&w, "hup=102 ready");
	assert_true(end(&w, 101, exits(0)).expected);
	assert_false(end(&w, 102, dies(SIGSEGV)).expected);
	expect(&w, "");
	over(&w);
}

static void what_is_not_configured_any_more_ends(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 1, 1, 0);
	expect(&w, "hup=102 policy=103 lmtp=104");
	ready(&w, 103, 104);
	expect(&w, "hup=101 ready");
	over(&w);
}

static void one_that_binds_itself_ends_first(void **state UNUSED)
{
	struct world w;

	begin(&w, 1, 0, 0, 0);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "milter=101");
	ready(&w, 101, 101);
	expect(&w, "ready");
	reload(&w, 1, 0, 0, 0);
	expect(&w, "term=101");
	end(&w, 101, exits(0));
	expect(&w, "milter=102");
	ready(&w, 102, 102);
	expect(&w, "ready");
	over(&w);
}

static void new_workers_that_fail_leave_the_old_ones(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 0, 1, 1);
	expect(&w, "lmtp=103 pop3=104");
	assert_true(end(&w, 103, exits(EX_CONFIG)).restarts);
	w.now_ms += 100;
	expect(&w, "lmtp=105");
	/* The next reload takes the place of this one, whatever became of it. */
	reload(&w, 0, 0, 1, 1);
	expect(&w, "term=105 term=104 lmtp=106 pop3=107");
	end(&w, 104, exits(0));
	end(&w, 105, exits(0));
	ready(&w, 106, 107);
	expect(&w, "hup=101 hup=102 ready");
	over(&w);
}

static void last_sessions_have_ten_minutes(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 0, 0, 1);
	expect(&w, "hup=101 pop3=103");
	ready(&w, 103, 103);
	expect(&w, "hup=102 ready");
	assert_true(end(&w, 101, exits(0)).expected);
	for (pid_t pid = 104; pid < 113; pid++) { /* the minutes pass with recoveries */
		w.now_ms += 60000;
		obey(&w);
		end(&w, pid, exits(0));
	}
	buf_clear(&w.trace);
	w.now_ms += SUPERVISOR_DRAIN_MS - 9 * 60000;
	expect(&w, "term=102 recover=113");
	w.now_ms += SUPERVISOR_KILL_MS;
	expect(&w, "kill=102");
	over(&w);
}

static void an_old_worker_that_dies_is_not_replaced_twice(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 0, 1, 1);
	expect(&w, "lmtp=103 pop3=104");
	assert_false(end(&w, 102, exits(1)).restarts);
	ready(&w, 103, 104);
	expect(&w, "hup=101 ready");
	over(&w);
}

static void reload_while_recovering_counts_at_the_start(void **state UNUSED)
{
	struct world w;

	begin(&w, 0, 0, 1, 0);
	expect(&w, "recover--resume=100");
	reload(&w, 0, 0, 0, 1);
	expect(&w, "");
	end(&w, 100, exits(0));
	expect(&w, "pop3=101");
	over(&w);
}

/* ---- stop ---------------------------------------------------------------------------- */

static void the_mtas_side_ends_first(void **state UNUSED)
{
	struct world w;

	begin(&w, 1, 1, 1, 1);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "milter=101 policy=102 lmtp=103 pop3=104");
	ready(&w, 101, 104);
	expect(&w, "ready");
	supervisor_stop(w.s);
	expect(&w, "term=101 term=102 term=103");
	end(&w, 101, exits(0));
	end(&w, 102, exits(0));
	expect(&w, "");
	end(&w, 103, exits(0));
	expect(&w, "term=104");
	end(&w, 104, exits(0));
	expect(&w, "exit=0");
	over(&w);
}

/* The login processes before the sessions, and last whom they ask. */
static void who_is_asked_is_there_first_and_last(void **state UNUSED)
{
	const unsigned workers[SERVICE_COUNT] = {1, 0, 0, 1, 1, 2};
	struct world w;

	begin(&w, 0, 0, 0, 0);
	supervisor_configure(w.s, workers);
	expect(&w, "recover--resume=100");
	end(&w, 100, exits(0));
	expect(&w, "authd=101 lmtp=102 pop3-login=103 pop3=104 pop3=105");
	ready(&w, 101, 105);
	expect(&w, "ready");
	supervisor_stop(w.s);
	expect(&w, "term=102");
	end(&w, 102, exits(0));
	expect(&w, "term=103 term=104 term=105");
	end(&w, 103, exits(0));
	end(&w, 105, exits(0));
	expect(&w, "");
	end(&w, 104, exits(0));
	expect(&w, "term=101");
	end(&w, 101, exits(0));
	expect(&w, "exit=0");
	over(&w);
}

static void who_does_not_end_is_killed(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	supervisor_stop(w.s);
	expect(&w, "term=101");
	assert_int_equal(w.wake_ms, w.now_ms + SUPERVISOR_KILL_MS);
	w.now_ms += SUPERVISOR_KILL_MS;
	expect(&w, "kill=101");
	assert_false(end(&w, 101, dies(SIGKILL)).expected);
	expect(&w, "term=102");
	end(&w, 102, exits(0));
	expect(&w, "exit=0");
	over(&w);
}

static void a_stop_ends_last_sessions(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	reload(&w, 0, 0, 1, 1);
	expect(&w, "lmtp=103 pop3=104");
	ready(&w, 103, 104);
	expect(&w, "hup=101 hup=102 ready");
	supervisor_stop(w.s);
	expect(&w, "term=101 term=103");
	end(&w, 101, exits(0));
	end(&w, 103, exits(0));
	expect(&w, "term=102 term=104");
	end(&w, 102, exits(0));
	end(&w, 104, exits(0));
	expect(&w, "exit=0");
	over(&w);
}

static void stop_while_recovering(void **state UNUSED)
{
	struct world w;

	begin(&w, 0, 0, 1, 1);
	expect(&w, "recover--resume=100");
	supervisor_stop(w.s);
	expect(&w, "term=100");
	w.now_ms += SUPERVISOR_KILL_MS;
	expect(&w, "kill=100");
	end(&w, 100, dies(SIGKILL));
	expect(&w, "exit=0");
	over(&w);
}

static void stop_during_a_pause_and_a_reload(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	end(&w, 102, exits(1));
	reload(&w, 0, 0, 1, 1);
	expect(&w, "lmtp=103 pop3=104");
	end(&w, 104, exits(1)); /* pauses */
	supervisor_stop(w.s);
	expect(&w, "term=101 term=103");
	reload(&w, 1, 1, 1, 1); /* comes too late */
	end(&w, 103, exits(0));
	end(&w, 101, exits(0));
	expect(&w, "exit=0");
	over(&w);
}

static void strangers_are_nobody(void **state UNUSED)
{
	struct world w;

	begin_two(&w);
	assert_null(end(&w, 4711, exits(0)).name);
	expect(&w, "");
	over(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovery_comes_first_and_ready_last),
		cmocka_unit_test(failed_recovery_starts_nothing),
		cmocka_unit_test(one_damaged_account_holds_nobody_up),
		cmocka_unit_test(a_full_disk_holds_nobody_up),
		cmocka_unit_test(a_start_is_all_or_nothing),
		cmocka_unit_test(ending_well_before_ready_is_a_failure_too),
		cmocka_unit_test(fork_that_fails_ends_the_start),
		cmocka_unit_test(never_ready_is_killed),
		cmocka_unit_test(what_ends_is_started_again),
		cmocka_unit_test(crashed_delivery_is_recovered),
		cmocka_unit_test(recovery_runs_every_minute),
		cmocka_unit_test(hanging_restart_is_killed_and_tried_again),
		cmocka_unit_test(old_workers_serve_until_all_new_ones_do),
		cmocka_unit_test(what_is_not_configured_any_more_ends),
		cmocka_unit_test(one_that_binds_itself_ends_first),
		cmocka_unit_test(new_workers_that_fail_leave_the_old_ones),
		cmocka_unit_test(last_sessions_have_ten_minutes),
		cmocka_unit_test(an_old_worker_that_dies_is_not_replaced_twice),
		cmocka_unit_test(reload_while_recovering_counts_at_the_start),
		cmocka_unit_test(the_mtas_side_ends_first),
		cmocka_unit_test(who_is_asked_is_there_first_and_last),
		cmocka_unit_test(who_does_not_end_is_killed),
		cmocka_unit_test(a_stop_ends_last_sessions),
		cmocka_unit_test(stop_while_recovering),
		cmocka_unit_test(stop_during_a_pause_and_a_reload),
		cmocka_unit_test(strangers_are_nobody),
	};

	return cmocka_run_group_tests_name("dispatch/supervisor", tests, NULL, NULL);
}
