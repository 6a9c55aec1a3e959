/* SPDX-License-Identifier: ISC */
/*
 * pop3 - fetches mail over POP3, as fast as it goes or at a fixed rate
 *
 *   pop3 address=127.0.0.1:110 connections=50 users=1000 do=stat,retr,dele seconds=10
 *
 * A turn is one session on a connection of its own: USER, PASS, what `do` says, QUIT.  RETR
 * is asked for each message; its body is compared with the checksum that the message
 * carries (t/bench/lib/mail.h), TOP and the others are read to their end.
 *
 * Times: connect  from when the turn was due to the greeting
 *        login    from when it was due to the answer of PASS
 *        stat list uidl top retr dele quit   of one command
 *        turn     all of it
 */
#include "t/bench/lib/load.h"
#include "t/bench/lib/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { STEPS_MAX = 8 };

enum step {
	STEP_STAT,
	STEP_LIST,
	STEP_UIDL,
	STEP_TOP,
	STEP_RETR,
	STEP_DELE,
	STEP_QUIT,
	STEPS
};
enum { TIME_CONNECT = STEPS, TIME_LOGIN, TIME_TURN };

enum answer {
	ANSWER_LINE,    /* +OK and that is all */
	ANSWER_LINES,   /* up to the line with a dot */
	ANSWER_MESSAGE, /* one of ours */
};

static const struct {
	const char *name, *command;
	bool each; /* asked for each message */
	enum answer answer;
} steps[STEPS] = {
	/* clang-format off */
	[STEP_STAT] = {"stat", "STAT\r\n",       false, ANSWER_LINE},
	[STEP_LIST] = {"list", "LIST\r\n",       false, ANSWER_LINES},
	[STEP_UIDL] = {"uidl", "UIDL\r\n",       false, ANSWER_LINES},
	[STEP_TOP]  = {"top",  "TOP % 0\r\n",    true,  ANSWER_LINES},
	[STEP_RETR] = {"retr", "RETR %\r\n",     true,  ANSWER_MESSAGE},
	[STEP_DELE] = {"dele", "DELE %\r\n",     true,  ANSWER_LINE},
	[STEP_QUIT] = {"quit", "QUIT\r\n",       false, ANSWER_LINE},
	/* clang-format on */
};

static const char *what = "stat", *password = "secret";
static uint64_t repeat = 1;
static enum step script[STEPS_MAX];
static unsigned n_steps;

static const struct option_row options[] = {
	/* clang-format off */
	{"do",       OPTION_TEXT,   &what,     "after the login: stat,list,uidl,top,retr,dele in any order"},
	{"password", OPTION_TEXT,   &password, "of all users"},
	{"repeat",   OPTION_NUMBER, &repeat,   "how often each message is fetched"},
	{NULL, OPTION_YES, NULL, NULL},
	/* clang-format on */
};

struct slot {
	struct load_slot base;
	enum {
		GREETING,
		USER,
		PASS,
		FIRST_LINE,
		LINES,
		MESSAGE
	} state;           /* what comes next */
	unsigned at;       /* in the script */
	uint64_t asked;    /* of the messages, by this step */
	uint32_t messages; /* as STAT said */
	struct mail_check check;
};

/* ---- asking ----------------------------------------------------------------------- */

static enum step step_of(const struct slot *s)
{
	return script[s->at];
}

static bool has_more_to_ask(const struct slot *s)
{
	enum step step = step_of(s);

	if (!steps[step].each)
		return s->asked == 0;
	return s->asked < s->messages * (step == STEP_DELE ? 1 : repeat);
}

/* ask_next - the next command; the last is QUIT, which nothing follows */
static void ask_next(struct slot *s)
{
	struct str rest, head;

	while (!has_more_to_ask(s)) {
		s->at++;
		s->asked = 0;
	}
	rest = str_of(steps[step_of(s)].command);
	if (steps[step_of(s)].each) {
		head = str_cut(&rest, '%');
		buf_printf(&s->base.link.out, STR_FMT "%u" STR_FMT, STR_ARG(head),
			   (unsigned)(s->asked % s->messages) + 1, STR_ARG(rest));
	} else {
		buf_put(&s->base.link.out, rest);
	}
	s->asked++;
	s->state = FIRST_LINE;
	load_mark(&s->base);
}

static void begin(struct load_slot *base)
{
	struct slot *s = (struct slot *)base;

	s->state = GREETING;
	s->at = 0;
	s->asked = 0;
	s->messages = 0;
	load_open(base);
}

/* ---- answers ----------------------------------------------------------------------- */

static void answered(struct slot *s)
{
	enum step step = step_of(s);

	load_timed(&s->base, step);
	if (step != STEP_QUIT) {
		ask_next(s);
		return;
	}
	link_close(&s->base.link);
	load_timed_turn(&s->base, TIME_TURN);
	load_done(&s->base);
}

static void read_stat(struct slot *s, struct str line)
{
	struct str rest = line;

	str_word(&rest);
	if (!str_u32(str_word(&rest), &s->messages))
		load_failed(&s->base, "STAT", line);
}

static void first_line(struct slot *s, struct str line)
{
	enum step step = step_of(s);

	if (step == STEP_STAT)
		read_stat(s, line);
	if (s->base.link.state != LINK_OPEN)
		return;
	if (steps[step].answer == ANSWER_LINE) {
		answered(s);
	} else {
		mail_check_begin(&s->check);
		s->state = steps[step].answer == ANSWER_LINES ? LINES : MESSAGE;
	}
}

/* logged_in - and, with hold=yes, nothing more */
static void logged_in(struct slot *s)
{
	load_timed_turn(&s->base, TIME_LOGIN);
	if (load_holds())
		load_done(&s->base);
	else
		ask_next(s);
}

static void line_came(struct slot *s, struct str line)
{
	struct buf *out = &s->base.link.out;

	if (!str_starts(line, STR("+OK"))) {
		load_failed(&s->base, "POP3", line);
		return;
	}
	switch (s->state) {
	case GREETING:
		load_timed_turn(&s->base, TIME_CONNECT);
		buf_put(out, STR("USER "));
		load_put_name(out, load_owner(&s->base));
		buf_put(out, STR("\r\n"));
		s->state = USER;
		break;
	case USER:
		buf_printf(out, "PASS %s\r\n", password);
		s->state = PASS;
		break;
	case PASS:
		logged_in(s);
		break;
	case FIRST_LINE:
		first_line(s, line);
		break;
	case LINES:
	case MESSAGE:
		break;
	}
}

static size_t feed_line(struct slot *s, struct str in)
{
	const char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : 0;

	if (n > 0)
		line_came(s, (struct str){in.p, n >= 2 ? n - 2 : 0});
	return n;
}

/* lines_end - how many octets a list has to its end; 0 where that has not come.  An empty one
 * has no line before the dot. */
static size_t lines_end(const struct slot *s, struct str in)
{
	static const struct str empty = STR_INIT(".\r\n"), end = STR_INIT("\r\n.\r\n");
	const char *at;

	if (s->check.octets == 0 && str_starts(in, empty))
		return empty.n;
	at = memmem(in.p, in.n, end.p, end.n);
	return at ? (size_t)(at - in.p) + end.n : 0;
}

/* feed_lines - to the end of a list; what may be a part of its end is left */
static size_t feed_lines(struct slot *s, struct str in)
{
	size_t n = lines_end(s, in);

	if (n > 0) {
		answered(s);
		return n;
	}
	n = in.n > 4 ? in.n - 4 : 0;
	s->check.octets += n;
	return n;
}

static size_t feed_message(struct slot *s, struct str in)
{
	size_t taken = mail_check_feed(&s->check, in);

	if (s->check.state == MAIL_WRONG) {
		load_failed(&s->base, "not the message that was sent", STR(""));
	} else if (s->check.state == MAIL_WHOLE) {
		load_octets(&s->base, s->check.octets);
		answered(s);
	}
	return taken;
}

static size_t input(struct link *l, struct str in)
{
	struct slot *s = (struct slot *)l;
	size_t taken = 0;

	while (taken < in.n && l->state == LINK_OPEN) {
		struct str rest = {in.p + taken, in.n - taken};
		size_t n = s->state == MESSAGE ? feed_message(s, rest)
			   : s->state == LINES ? feed_lines(s, rest)
					       : feed_line(s, rest);

		taken += n;
		if (n == 0)
			break;
	}
	return taken;
}

/* ---- the run ------------------------------------------------------------------------ */

static bool add_step(struct str name)
{
	for (unsigned i = 0; i < STEP_QUIT && n_steps < STEPS_MAX - 1; i++) {
		if (!str_eq(str_of(steps[i].name), name))
			continue;
		/* Without STAT nobody knows how many there are. */
		if (steps[i].each && (n_steps == 0 || script[0] != STEP_STAT))
			return false;
		script[n_steps++] = i;
		return true;
	}
	return false;
}

static void read_script(void)
{
	struct str rest = str_of(what);

	while (rest.n > 0) {
		if (add_step(str_cut(&rest, ',')))
			continue;
		fprintf(stderr, "not understood: do=%s; stat comes first\n", what);
		exit(EX_USAGE);
	}
	script[n_steps] = STEP_QUIT;
}

int main(int argc, char **argv)
{
	static const struct load_kind kind = {
		.what = "pop3",
		.times = {[STEP_STAT] = "stat",
			  [STEP_LIST] = "list",
			  [STEP_UIDL] = "uidl",
			  [STEP_TOP] = "top",
			  [STEP_RETR] = "retr",
			  [STEP_DELE] = "dele",
			  [STEP_QUIT] = "quit",
			  [TIME_CONNECT] = "connect",
			  [TIME_LOGIN] = "login",
			  [TIME_TURN] = "turn"},
		.slot_size = sizeof(struct slot),
		.begin = begin,
		.input = input,
	};

	options_read(argc, argv, options, load_options);
	read_script();
	return load_run(&kind);
}
