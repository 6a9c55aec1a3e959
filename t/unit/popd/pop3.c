/* SPDX-License-Identifier: ISC */
/* The TRANSACTION and UPDATE states, over a maildrop of canned messages. */
#include "popd/pop3.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/id.h"

static const struct capa CAPA_OPEN = {.plaintext = true};

/* ---- a maildrop ------------------------------------------------------------------- */

#define TRACE1 "Return-Path: <a@example.org>\r\n"
#define HEAD1  "Subject: one\r\nX: y\r\n\r\n"
#define BODY1  "first\r\n..\r\nthird, with a \n inside\r\n\r\nlast\r\n"
#define END    ".\r\n"
#define NOBODY "Subject: only a header\r\n"

enum kind { GOOD, MISSING, BUSY, CUT };

static const struct message {
	const char *trace, *stored;
	size_t header_end;
	enum kind kind;
} messages[] = {
	{TRACE1, HEAD1 BODY1 END, sizeof HEAD1 - 1, GOOD},
	{"", NOBODY END, 0, GOOD},
	{"", END, 0, GOOD},
	{"", HEAD1 END, sizeof HEAD1 - 1, MISSING},
	{"", HEAD1 END, sizeof HEAD1 - 1, BUSY},
	{"", HEAD1 END, sizeof HEAD1 - 1, CUT},
};
enum { N = countof(messages) };

static const uint64_t SIZES[N] = {1000, 200, 30, 4, 5, 6};
#define ALL "1245"

static void fill(struct maildrop_entry *entries)
{
	memset(entries, 0, N * sizeof *entries);
	for (size_t i = 0; i < N; i++) {
		entries[i].id = i + 1;
		entries[i].size = SIZES[i];
		entries[i].stored = strlen(messages[i].stored);
	}
}

/* ---- what session.c does, without a socket and a store ------------------------------ */

struct talk {
	struct pop3 *s;
	struct maildrop_entry entries[N];
	struct buf said;
	bool in_parts, commit_fails;
	uint64_t read; /* octets of messages that were asked for in parts */
};

static void keep_output(struct talk *t)
{
	buf_put(&t->said, pop3_output(t->s));
	pop3_written(t->s);
}

static void open_message(struct talk *t)
{
	const struct message *m = &messages[pop3_message(t->s)];
	struct pop3_body body = {str_of(m->trace), strlen(m->stored), m->header_end,
				 t->in_parts};

	if (m->kind == MISSING || m->kind == BUSY)
		pop3_not_opened(t->s, m->kind == BUSY);
	else
		pop3_opened(t->s, &body);
}

static void send_body(struct talk *t)
{
	const struct message *m = &messages[pop3_message(t->s)];

	keep_output(t);
	if (m->kind == CUT) {
		pop3_cut(t->s);
		return;
	}
	buf_put(&t->said, str_of(m->stored));
	pop3_body_sent(t->s);
}

static void read_part(struct talk *t)
{
	const struct message *m = &messages[pop3_message(t->s)];
	struct pop3_part part = pop3_part(t->s);

	assert_in_range(part.n, 1, POP3_PART_MAX);
	assert_true(part.offset + part.n <= strlen(m->stored));
	t->read += part.n;
	if (m->kind == CUT)
		pop3_part_failed(t->s);
	else
		pop3_part_read(t->s, (struct str){m->stored + part.offset, part.n});
}

/* step - false when it needs input or is over */
static bool step(struct talk *t)
{
	switch (pop3_want(t->s)) {
	case POP3_WANT_WRITE:
		keep_output(t);
		return true;
	case POP3_WANT_OPEN:
		open_message(t);
		return true;
	case POP3_WANT_BODY:
		send_body(t);
		return true;
	case POP3_WANT_PART:
		read_part(t);
		return true;
	case POP3_WANT_COMMIT:
		pop3_committed(t->s, !t->commit_fails);
		return true;
	case POP3_WANT_INPUT:
	case POP3_WANT_CLOSE:
		break;
	}
	return false;
}

static void say(struct talk *t, struct str in, size_t piece)
{
	for (;;) {
		while (step(t))
			;
		if (pop3_want(t->s) == POP3_WANT_CLOSE || in.n == 0)
			break;

		size_t n = in.n < piece ? in.n : piece;
		size_t used = pop3_feed(t->s, (struct str){in.p, n});

		assert_in_range(used, 1, n);
		in = (struct str){in.p + used, in.n - used};
	}
	keep_output(t);
}

static void begin(struct talk *t)
{
	*t = (struct talk){0};
	fill(t->entries);
	buf_init(&t->said, 1 << 20);
	t->s = pop3_new(&CAPA_OPEN, t->entries, N);
}

static void end(struct talk *t)
{
	pop3_free(&t->s);
	assert_null(t->s);
	buf_fini(&t->said);
}

/* ---- conversations -------------------------------------------------------------------- */

/* clang-format off */
#define HELLO   "+OK 6 messages (1245 octets)\r\n"
#define BYE     "+OK goodbye\r\n"
#define ARGS    "-ERR wrong arguments\r\n"
#define NONE    "-ERR no such message, there are 6\r\n"
#define UNKNOWN "-ERR unknown command\r\n"
#define IN      "-ERR already logged in\r\n"
#define DEL(n)  "+OK message " #n " deleted\r\n"
#define GONE(n) "-ERR message " #n " is deleted\r\n"
#define RETR1   "+OK 1000 octets\r\n" TRACE1 HEAD1 BODY1 END
#define TOP     "+OK top of message follows\r\n"
#define CAPA    "+OK capabilities follow\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n" \
                "EXPIRE NEVER\r\nUSER\r\nIMPLEMENTATION popstore-" POPSTORE_VERSION "\r\n.\r\n"
#define LOST(id) "-ERR [SYS/PERM] message " id " cannot be read: please tell the operator this number\r\n"
#define LATER(id) "-ERR [SYS/TEMP] message " id " cannot be read now, try again later\r\n"
#define ID(n)   "000000000000" #n

enum { FAIL_COMMIT = 1, CUT_OFF = 2 };

static const struct {
	const char *name;
	struct str in;
	const char *out;
	const char *removed; /* marks at the end, by message: '-' removed, 's' seen */
	enum pop3_want want;
	int how;
} cases[] = {
	{"says +OK to PASS", STR_INIT(""), HELLO, "......", POP3_WANT_INPUT, 0},
	{"STAT", STR_INIT("STAT\r\n"), HELLO "+OK 6 1245\r\n", "......", POP3_WANT_INPUT, 0},
	{"LIST", STR_INIT("LIST\r\n"), HELLO HELLO "1 1000\r\n2 200\r\n3 30\r\n4 4\r\n5 5\r\n6 6\r\n.\r\n", "......", POP3_WANT_INPUT, 0},
	{"LIST of one", STR_INIT("LIST 2\r\n"), HELLO "+OK 2 200\r\n", "......", POP3_WANT_INPUT, 0},
	{"UIDL", STR_INIT("UIDL\r\n"), HELLO HELLO "1 " ID(1) "\r\n2 " ID(2) "\r\n3 " ID(3) "\r\n4 " ID(4) "\r\n5 " ID(5) "\r\n6 " ID(6) "\r\n.\r\n",
	 "......", POP3_WANT_INPUT, 0},
	{"UIDL of one", STR_INIT("UIDL 6\r\n"), HELLO "+OK 6 " ID(6) "\r\n", "......", POP3_WANT_INPUT, 0},
	{"deleted ones are left out", STR_INIT("DELE 1\r\nDELE 3\r\nSTAT\r\nLIST\r\nUIDL\r\nLIST 1\r\nUIDL 3\r\n"),
	 HELLO DEL(1) DEL(3) "+OK 4 215\r\n" "+OK 4 messages (215 octets)\r\n2 200\r\n4 4\r\n5 5\r\n6 6\r\n.\r\n"
	 "+OK 4 messages (215 octets)\r\n2 " ID(2) "\r\n4 " ID(4) "\r\n5 " ID(5) "\r\n6 " ID(6) "\r\n.\r\n" GONE(1) GONE(3),
	 "-.-...", POP3_WANT_INPUT, 0},
	{"and refused", STR_INIT("DELE 1\r\nDELE 1\r\nRETR 1\r\nTOP 1 0\r\n"), HELLO DEL(1) GONE(1) GONE(1) GONE(1), "-.....", POP3_WANT_INPUT, 0},
	{"until RSET", STR_INIT("DELE 1\r\nDELE 2\r\nRSET\r\nSTAT\r\nDELE 1\r\nRSET\r\n"),
	 HELLO DEL(1) DEL(2) HELLO "+OK 6 1245\r\n" DEL(1) HELLO, "......", POP3_WANT_INPUT, 0},
	{"RETR", STR_INIT("RETR 1\r\n"), HELLO RETR1, "s.....", POP3_WANT_INPUT, 0},
	{"RETR twice", STR_INIT("RETR 1\r\nRETR 1\r\n"), HELLO RETR1 RETR1, "s.....", POP3_WANT_INPUT, 0},
	{"an empty message", STR_INIT("RETR 3\r\n"), HELLO "+OK 30 octets\r\n.\r\n", "..s...", POP3_WANT_INPUT, 0},
	{"the top", STR_INIT("TOP 1 0\r\n"), HELLO TOP TRACE1 HEAD1 END, "......", POP3_WANT_INPUT, 0},
	{"the top and two lines", STR_INIT("TOP 1 2\r\n"), HELLO TOP TRACE1 HEAD1 "first\r\n..\r\n" END, "......", POP3_WANT_INPUT, 0},
	{"only CRLF ends a line", STR_INIT("TOP 1 3\r\n"), HELLO TOP TRACE1 HEAD1 "first\r\n..\r\nthird, with a \n inside\r\n" END, "......", POP3_WANT_INPUT, 0},
	{"more lines than there are", STR_INIT("TOP 1 4294967295\r\n"), HELLO TOP TRACE1 HEAD1 BODY1 END, "......", POP3_WANT_INPUT, 0},
	{"the top of a header", STR_INIT("TOP 2 0\r\n"), HELLO TOP NOBODY END, "......", POP3_WANT_INPUT, 0},
	{"the top of nothing", STR_INIT("TOP 3 7\r\n"), HELLO TOP END, "......", POP3_WANT_INPUT, 0},
	{"a message that is missing", STR_INIT("RETR 4\r\nTOP 4 0\r\nNOOP\r\n"), HELLO LOST(ID(4)) LOST(ID(4)) "+OK\r\n", "......", POP3_WANT_INPUT, 0},
	{"and one that may come back", STR_INIT("RETR 5\r\nNOOP\r\n"), HELLO LATER(ID(5)) "+OK\r\n", "......", POP3_WANT_INPUT, 0},
	{"never a false end", STR_INIT("NOOP\r\nRETR 6\r\nNOOP\r\n"), HELLO "+OK\r\n+OK 6 octets\r\n", "......", POP3_WANT_CLOSE, CUT_OFF},
	{"a top that was not begun can be refused", STR_INIT("NOOP\r\nTOP 6 0\r\nNOOP\r\n"), HELLO "+OK\r\n" LOST(ID(6)) "+OK\r\n", "......", POP3_WANT_INPUT, 0},
	{"NOOP", STR_INIT("NOOP\r\n"), HELLO "+OK\r\n", "......", POP3_WANT_INPUT, 0},
	{"CAPA", STR_INIT("CAPA\r\n"), HELLO CAPA, "......", POP3_WANT_INPUT, 0},
	{"QUIT removes", STR_INIT("DELE 2\r\nQUIT\r\nNOOP\r\n"), HELLO DEL(2) BYE, ".-....", POP3_WANT_CLOSE, 0},
	{"QUIT that fails says so", STR_INIT("DELE 2\r\nQUIT\r\n"), HELLO DEL(2) "-ERR [SYS/TEMP] some deleted messages not removed\r\n",
	 ".-....", POP3_WANT_CLOSE, FAIL_COMMIT},
	{"QUIT with a word is no QUIT", STR_INIT("QUIT 1\r\nQUIT now\r\n"), HELLO ARGS ARGS, "......", POP3_WANT_INPUT, 0},
	{"half a QUIT is no QUIT", STR_INIT("DELE 1\r\nQUIT\r"), HELLO DEL(1), "-.....", POP3_WANT_INPUT, 0},
	{"numbers are whole numbers in range",
	 STR_INIT("LIST 0\r\nRETR 0\r\nDELE 7\r\nLIST 4294967295\r\nLIST 4294967297\r\nRETR 18446744073709551617\r\nRETR -1\r\nRETR 01x\r\nDELE +1\r\nTOP 1 -1\r\n"),
	 HELLO NONE NONE NONE NONE ARGS ARGS ARGS ARGS ARGS ARGS, "......", POP3_WANT_INPUT, 0},
	{"and as many as there should be", STR_INIT("RETR\r\nDELE\r\nTOP 1\r\nTOP 1 1 1\r\nSTAT 1\r\nTOP 1 99999999999999999999\r\nRETR  1\r\nRETR 1 2\r\nNOOP x\r\n"),
	 HELLO ARGS ARGS ARGS ARGS ARGS ARGS ARGS ARGS ARGS, "......", POP3_WANT_INPUT, 0},
	{"a space at the end does no harm", STR_INIT("STAT \r\nLIST 2 \r\n"), HELLO "+OK 6 1245\r\n+OK 2 200\r\n", "......", POP3_WANT_INPUT, 0},
	{"NUL ends it", STR_INIT("DELE 1\r\nRETR 1\0 2\r\nQUIT\r\n"), HELLO DEL(1) "-ERR a NUL is no part of any command, goodbye\r\n",
	 "-.....", POP3_WANT_CLOSE, 0},
	{"LF alone runs nothing", STR_INIT("DELE 1\nQUIT\nNOOP\r\n"),
	 HELLO "-ERR a line ends in CRLF and holds no other CR or LF\r\n-ERR a line ends in CRLF and holds no other CR or LF\r\n+OK\r\n",
	 "......", POP3_WANT_INPUT, 0},
	{"ten bad commands end it without UPDATE", STR_INIT("DELE 1\r\na\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\nQUIT\r\n"),
	 HELLO DEL(1) UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
	 "-ERR unknown command; too many errors, goodbye\r\n", "-.....", POP3_WANT_CLOSE, 0},
	{"asking for what is gone is no bad command", STR_INIT("LIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nLIST 9\r\nNOOP\r\n"),
	 HELLO NONE NONE NONE NONE NONE NONE NONE NONE NONE NONE NONE "+OK\r\n", "......", POP3_WANT_INPUT, 0},
	{"the other state's commands", STR_INIT("USER a\r\nPASS b\r\nSTLS\r\nAPOP a b\r\n"), HELLO IN IN UNKNOWN UNKNOWN, "......", POP3_WANT_INPUT, 0},
};
/* clang-format on */

static void check_marks(const struct talk *t, const char *marks)
{
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(t->entries[i].removed, marks[i] == '-');
		assert_int_equal(t->entries[i].seen, marks[i] == 's');
	}
}

static void run(size_t i, size_t piece)
{
	struct talk t;

	begin(&t);
	t.commit_fails = cases[i].how & FAIL_COMMIT;
	say(&t, cases[i].in, piece);
	if (strcmp(buf_cstr(&t.said), cases[i].out) != 0)
		print_error("%s, %zu at a time\n", cases[i].name, piece);
	assert_string_equal(buf_cstr(&t.said), cases[i].out);
	assert_int_equal(pop3_want(t.s), cases[i].want);
	check_marks(&t, cases[i].removed);
	end(&t);
}

static void conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		for (size_t piece = 1; piece <= 1024;
		     piece = piece < 4 ? piece + 1 : piece * 8)
			run(i, piece);
}

static void counts_for_the_log(void **state)
{
	struct talk t;
	struct pop3_counts counts;

	(void)state;
	begin(&t);
	say(&t, STR("RETR 1\r\nRETR 3\r\nRETR 4\r\nTOP 2 0\r\nDELE 1\r\nDELE 2\r\n"),
	    100);
	counts = pop3_counts(t.s);
	assert_int_equal(counts.retrieved, 2);
	assert_int_equal(counts.octets, 1030);
	assert_int_equal(counts.removed, 0);
	say(&t, STR("QUIT\r\n"), 100);
	assert_int_equal(pop3_counts(t.s).removed, 2);
	end(&t);

	begin(&t);
	t.commit_fails = true;
	say(&t, STR("DELE 1\r\nQUIT\r\n"), 100);
	assert_int_equal(pop3_counts(t.s).removed, 0);
	end(&t);
}

/* ---- every command in every state ------------------------------------------------------ */

static const char *const every_line[] = {
	"STAT\r\n",   "LIST\r\n",    "LIST 1\r\n", "UIDL\r\n", "UIDL 1\r\n", "RETR 1\r\n",
	"RETR 4\r\n", "TOP 1 1\r\n", "DELE 1\r\n", "RSET\r\n", "NOOP\r\n",   "CAPA\r\n",
	"QUIT\r\n",   "USER a\r\n",  "PASS a\r\n", "XXXX\r\n", "a\n",
};

/* In a state that waits for its caller, no octet is taken and nothing is said. */
static void nothing_is_taken(struct talk *t, enum pop3_want want)
{
	assert_int_equal(pop3_want(t->s), want);
	size_t before = pop3_output(t->s).n;

	for (size_t i = 0; i < countof(every_line); i++)
		assert_int_equal(pop3_feed(t->s, str_of(every_line[i])), 0);
	assert_int_equal(pop3_output(t->s).n, before);
	assert_int_equal(pop3_want(t->s), want);
}

static void feed(struct talk *t, const char *line)
{
	assert_int_equal(pop3_feed(t->s, str_of(line)), strlen(line));
}

static void every_command_while_the_caller_works(void **state)
{
	struct talk t;
	struct pop3_body body = {STR(""), strlen(messages[0].stored),
				 messages[0].header_end, false};

	(void)state;
	begin(&t);
	feed(&t, "RETR 1\r\n");
	nothing_is_taken(&t, POP3_WANT_OPEN);
	pop3_opened(t.s, &body);
	nothing_is_taken(&t, POP3_WANT_BODY);
	pop3_body_sent(t.s);
	feed(&t, "TOP 1 0\r\n");
	nothing_is_taken(&t, POP3_WANT_OPEN);
	pop3_opened(t.s, &body);
	nothing_is_taken(&t, POP3_WANT_PART);
	read_part(&t);
	feed(&t, "QUIT\r\n");
	nothing_is_taken(&t, POP3_WANT_COMMIT);
	pop3_committed(t.s, true);
	nothing_is_taken(&t, POP3_WANT_CLOSE);
	end(&t);
}

static void says(struct buf *said, const char *first, const char *second, bool *over)
{
	struct talk t;

	begin(&t);
	say(&t, str_of(first), 100);
	*over = pop3_want(t.s) == POP3_WANT_CLOSE;
	buf_clear(&t.said);
	say(&t, str_of(second), 100);
	buf_put(said, buf_str(&t.said));
	end(&t);
}

/* No command but DELE (see the shadow) and QUIT changes what another one answers. */
static void every_command_after_every_other(void **state)
{
	struct buf after, alone;
	bool over, ignored;

	(void)state;
	buf_init(&after, 4096);
	buf_init(&alone, 4096);
	for (size_t a = 0; a < countof(every_line); a++)
		for (size_t b = 0; b < countof(every_line); b++) {
			if (strncmp(every_line[a], "DELE", 4) == 0)
				continue;
			says(&after, every_line[a], every_line[b], &over);
			says(&alone, "NOOP\r\n", every_line[b], &ignored);
			assert_string_equal(buf_cstr(&after),
					    over ? "" : buf_cstr(&alone));
			buf_clear(&after);
			buf_clear(&alone);
		}
	buf_fini(&after);
	buf_fini(&alone);
}

/* ---- a shadow that does it the slow way -------------------------------------------------- */

struct shadow {
	bool removed[N];
	struct buf said;
};

static void shadow_totals(struct shadow *h, const char *format)
{
	size_t n = 0;
	uint64_t octets = 0;

	for (size_t i = 0; i < N; i++) {
		n += !h->removed[i];
		octets += h->removed[i] ? 0 : SIZES[i];
	}
	if (strcmp(format, "STAT") == 0)
		buf_printf(&h->said, "+OK %zu %" PRIu64 "\r\n", n, octets);
	else
		buf_printf(&h->said, "+OK %zu messages (%" PRIu64 " octets)\r\n", n,
			   octets);
}

static void shadow_list(struct shadow *h, bool uidl)
{
	shadow_totals(h, "LIST");
	for (size_t i = 0; i < N; i++)
		if (!h->removed[i] && uidl)
			buf_printf(&h->said, "%zu %013zu\r\n", i + 1, i + 1);
		else if (!h->removed[i])
			buf_printf(&h->said, "%zu %" PRIu64 "\r\n", i + 1, SIZES[i]);
	buf_put(&h->said, STR(".\r\n"));
}

static void shadow_dele(struct shadow *h, unsigned number)
{
	if (number < 1 || number > N)
		buf_put(&h->said, STR(NONE));
	else if (h->removed[number - 1])
		buf_printf(&h->said, "-ERR message %u is deleted\r\n", number);
	else
		buf_printf(&h->said, "+OK message %u deleted\r\n", number);
	if (number >= 1 && number <= N)
		h->removed[number - 1] = true;
}

/* random_command - appends one to `in` and what it should answer to the shadow */
static void random_command(struct shadow *h, struct buf *in)
{
	unsigned number = (unsigned)(random() % (N + 2));

	switch (random() % 6) {
	case 0:
		buf_put(in, STR("STAT\r\n"));
		shadow_totals(h, "STAT");
		break;
	case 1:
		buf_put(in, STR("LIST\r\n"));
		shadow_list(h, false);
		break;
	case 2:
		buf_put(in, STR("UIDL\r\n"));
		shadow_list(h, true);
		break;
	case 3:
		if (random() % 3 == 0) {
			buf_put(in, STR("RSET\r\n"));
			memset(h->removed, 0, sizeof h->removed);
			shadow_totals(h, "LIST");
		}
		break;
	default:
		buf_printf(in, "DELE %u\r\n", number);
		shadow_dele(h, number);
	}
}

static void agrees_with_its_shadow(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct shadow h = {0};
		struct buf in;
		struct talk t;

		srandom(seed);
		begin(&t);
		buf_init(&in, 1 << 16);
		buf_init(&h.said, 1 << 20);
		buf_put(&h.said, STR(HELLO));
		for (int n = 0; n < 60; n++)
			random_command(&h, &in);
		say(&t, buf_str(&in), (size_t)(random() % 40) + 1);
		if (strcmp(buf_cstr(&t.said), buf_cstr(&h.said)) != 0)
			print_error("seed %u:\n%s\n", seed, buf_cstr(&in));
		assert_string_equal(buf_cstr(&t.said), buf_cstr(&h.said));
		for (size_t i = 0; i < N; i++)
			assert_int_equal(t.entries[i].removed, h.removed[i]);
		end(&t);
		buf_fini(&in);
		buf_fini(&h.said);
	}
}

/* ---- long messages ------------------------------------------------------------------------- */

/* A header and a body of random lines, some longer than a piece. */
static struct str random_message(struct buf *b, size_t *header_end)
{
	size_t header_lines = (size_t)(random() % 200), lines = (size_t)(random() % 200);

	buf_clear(b);
	*header_end = 0;
	for (size_t i = 0; i < header_lines + lines; i++) {
		size_t n = random() % 50 == 0 ? (size_t)(random() % 20000)
					      : (size_t)(random() % 90);

		if (i == header_lines) {
			buf_put(b, STR("\r\n"));
			*header_end = b->n;
		}
		for (size_t k = 0; k < n; k++)
			buf_putc(b, "abc\r\nx"[random() % 40 == 0 ? random() % 6 : 0]);
		buf_put(b, STR("e\r\n"));
	}
	buf_put(b, STR(END));
	return buf_str(b);
}

/* slow_top - the header and n lines of the body, a byte at a time */
static void slow_top(struct buf *out, struct str stored, size_t header_end,
		     uint32_t lines)
{
	size_t i = 0, n = stored.n - 3;

	if (header_end == 0)
		header_end = n;
	for (; i < n && (i < header_end || lines > 0); i++) {
		buf_putc(out, stored.p[i]);
		if (i > header_end && stored.p[i] == '\n' && stored.p[i - 1] == '\r')
			lines--;
	}
	buf_put(out, STR(END));
}

struct long_talk {
	struct pop3 *s;
	struct maildrop_entry entry;
	struct buf said;
	uint64_t read;
};

static void converse(struct long_talk *t, struct str stored, size_t header_end)
{
	struct pop3_body body = {STR(""), stored.n, header_end, true};
	struct pop3_part part;

	while (pop3_want(t->s) != POP3_WANT_INPUT) {
		switch (pop3_want(t->s)) {
		case POP3_WANT_OPEN:
			pop3_opened(t->s, &body);
			break;
		case POP3_WANT_PART:
			part = pop3_part(t->s);
			assert_in_range(part.n, 1, POP3_PART_MAX);
			assert_true(part.offset + part.n <= stored.n - 3);
			t->read += part.n;
			pop3_part_read(t->s,
				       (struct str){stored.p + part.offset, part.n});
			break;
		case POP3_WANT_WRITE:
			assert_true(pop3_output(t->s).n <= 32768);
			buf_put(&t->said, pop3_output(t->s));
			pop3_written(t->s);
			break;
		case POP3_WANT_INPUT:
		case POP3_WANT_BODY:
		case POP3_WANT_COMMIT:
		case POP3_WANT_CLOSE:
			fail();
		}
	}
	buf_put(&t->said, pop3_output(t->s));
	pop3_written(t->s);
}

static void check_long(struct long_talk *t, const char *command, struct str stored,
		       size_t header_end, struct str want)
{
	buf_clear(&t->said);
	t->read = 0;
	pop3_feed(t->s, str_of(command));
	converse(t, stored, header_end);

	struct str got = buf_str(&t->said);

	str_cut(&got, '\n'); /* the +OK */
	if (!str_eq(got, want))
		print_error("%s: %zu octets for %zu\n", command, got.n, want.n);
	assert_true(str_eq(got, want));
}

static void long_messages_in_parts(void **state)
{
	struct buf message, want;
	struct long_talk t;
	size_t header_end;
	char command[40];

	(void)state;
	buf_init(&message, 4 << 20);
	buf_init(&want, 4 << 20);
	for (unsigned seed = 1; seed <= 100; seed++) {
		srandom(seed);
		struct str stored = random_message(&message, &header_end);

		t = (struct long_talk){.entry = {.id = 1, .size = stored.n}};
		buf_init(&t.said, 5 << 20);
		t.s = pop3_new(&CAPA_OPEN, &t.entry, 1);
		pop3_written(t.s);
		check_long(&t, "RETR 1\r\n", stored, header_end, stored);
		assert_true(t.entry.seen);
		for (uint32_t lines = 0; lines < 300; lines = lines * 2 + 1) {
			buf_clear(&want);
			slow_top(&want, stored, header_end, lines);
			snprintf(command, sizeof command, "TOP 1 %" PRIu32 "\r\n", lines);
			check_long(&t, command, stored, header_end, buf_str(&want));
			if (lines == 0 && header_end > 0)
				assert_int_equal(t.read, header_end);
			assert_true(t.read < want.n + POP3_PART_MAX);
		}
		pop3_free(&t.s);
		buf_fini(&t.said);
	}
	buf_fini(&message);
	buf_fini(&want);
}

/* Once something of a message was written, a failure must cut. */
static void a_long_message_that_ends_early(void **state)
{
	struct buf message;
	struct maildrop_entry entry = {.id = 1, .size = 100000};
	struct pop3 *s = pop3_new(&CAPA_OPEN, &entry, 1);
	struct pop3_body body = {STR(""), 100000, 0, true};

	(void)state;
	buf_init(&message, POP3_PART_MAX);
	while (message.n < POP3_PART_MAX)
		buf_putc(&message, 'x');
	pop3_feed(s, STR("RETR 1\r\n"));
	pop3_opened(s, &body);
	while (pop3_want(s) == POP3_WANT_PART)
		pop3_part_read(s, buf_str(&message));
	assert_int_equal(pop3_want(s), POP3_WANT_WRITE);
	pop3_written(s);
	assert_int_equal(pop3_want(s), POP3_WANT_PART);
	pop3_part_failed(s);
	assert_int_equal(pop3_want(s), POP3_WANT_CLOSE);
	assert_int_equal(pop3_output(s).n, 0);
	assert_false(entry.seen);
	assert_int_equal(pop3_counts(s).retrieved, 0);
	pop3_free(&s);
	buf_fini(&message);
}

/* ---- large maildrops -------------------------------------------------------------------------- */

static void a_long_list_goes_out_in_pieces(void **state)
{
	enum { MANY = 20000 };
	struct maildrop_entry *entries = xalloc(MANY * sizeof *entries);
	struct pop3 *s = pop3_new(&CAPA_OPEN, entries, MANY);
	size_t lines = 0, writes = 0;

	(void)state;
	pop3_written(s);
	pop3_feed(s, STR("UIDL\r\n"));
	do {
		struct str out = pop3_output(s);

		assert_true(out.n < 20000);
		for (size_t i = 0; i < out.n; i++)
			lines += out.p[i] == '\n';
		writes++;
		pop3_written(s);
	} while (pop3_output(s).n > 0);
	assert_int_equal(lines, MANY + 2);
	assert_true(writes > 20);
	assert_int_equal(pop3_want(s), POP3_WANT_INPUT);
	pop3_free(&s);
	xfree(&entries);
}

static void an_empty_maildrop(void **state)
{
	struct pop3 *s = pop3_new(&CAPA_OPEN, NULL, 0);

	(void)state;
	pop3_feed(s, STR("STAT\r\n"));
	pop3_feed(s, STR("LIST\r\n"));
	pop3_feed(s, STR("RETR 1\r\n"));
	assert_true(str_eq(pop3_output(s), STR("+OK 0 messages (0 octets)\r\n+OK 0 0\r\n"
					       "+OK 0 messages (0 octets)\r\n.\r\n"
					       "-ERR no such message, there are 0\r\n")));
	pop3_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(counts_for_the_log),
		cmocka_unit_test(every_command_while_the_caller_works),
		cmocka_unit_test(every_command_after_every_other),
		cmocka_unit_test(agrees_with_its_shadow),
		cmocka_unit_test(long_messages_in_parts),
		cmocka_unit_test(a_long_message_that_ends_early),
		cmocka_unit_test(a_long_list_goes_out_in_pieces),
		cmocka_unit_test(an_empty_maildrop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
