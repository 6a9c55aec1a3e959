/* SPDX-License-Identifier: ISC */
#include "popd/pop3.h"

#include <inttypes.h>
#include <string.h>

#include "popd/dialogue.h"
#include "store/id.h"

enum state { TRANSACTION, LISTING, OPENING, BODY, PARTS, UPDATE, CLOSED };
#define IN(state) (1u << (state))

#define ALL_LINES UINT64_MAX

struct pop3 {
	enum state state;
	struct capa capa;
	struct dialogue d;
	struct maildrop_entry *entries;
	size_t n;
	size_t left;     /* messages not marked */
	uint64_t octets; /* and their size */
	struct pop3_counts counts;

	size_t message;               /* RETR, TOP: which one; LISTING: which one next */
	bool uidl;                    /* LISTING: unique ids, not sizes */
	bool retr;                    /* the message is sent whole */
	uint64_t lines;               /* of the body that are still to be sent */
	uint64_t at, header_end, end; /* PARTS: stored octets */
	bool line_cr;                 /* PARTS: the last octet was a CR */
	size_t reply_at; /* where this message's reply starts in the output ... */
	bool reply_sent; /* ... unless some of it was written */
};

static const unsigned may_follow[] = {
	[TRANSACTION] = IN(LISTING) | IN(OPENING) | IN(UPDATE) | IN(CLOSED),
	[LISTING] = IN(TRANSACTION),
	[OPENING] = IN(TRANSACTION) | IN(BODY) | IN(PARTS),
	[BODY] = IN(TRANSACTION) | IN(CLOSED),
	[PARTS] = IN(TRANSACTION) | IN(CLOSED),
	[UPDATE] = IN(CLOSED),
	[CLOSED] = 0,
};

/* enter - the only place that assigns s->state */
static void enter(struct pop3 *s, enum state to)
{
	must(may_follow[s->state] & IN(to));
	s->state = to;
}

/* count_again - no entry is marked: as it is at the start and after RSET */
static void count_again(struct pop3 *s)
{
	s->left = s->n;
	s->octets = 0;
	for (size_t i = 0; i < s->n; i++) {
		s->entries[i].removed = false;
		s->octets += s->entries[i].size;
	}
}

static void say_totals(struct pop3 *s)
{
	buf_printf(&s->d.out, "+OK %zu messages (%" PRIu64 " octets)\r\n", s->left,
		   s->octets);
}

struct pop3 *pop3_new(const struct capa *capa, struct maildrop_entry *entries, size_t n)
{
	struct pop3 *s = xalloc(sizeof *s);

	s->state = TRANSACTION;
	s->capa = *capa;
	s->entries = entries;
	s->n = n;
	dialogue_init(&s->d);
	count_again(s);
	say_totals(s);
	return s;
}

void pop3_free(struct pop3 **sp)
{
	if (*sp == NULL)
		return;
	dialogue_fini(&(*sp)->d);
	xfree(sp);
}

/* ---- listings --------------------------------------------------------------------- */

static void list_one(struct pop3 *s, size_t i, bool uidl)
{
	const struct maildrop_entry *en = &s->entries[i];

	if (uidl)
		buf_printf(&s->d.out, "%zu %s\r\n", i + 1, id_print(en->id).c);
	else
		buf_printf(&s->d.out, "%zu %" PRIu64 "\r\n", i + 1, en->size);
}

/* list_more - as much of a listing as fits the output */
static void list_more(struct pop3 *s)
{
	for (; s->message < s->n && !dialogue_full(&s->d); s->message++)
		if (!s->entries[s->message].removed)
			list_one(s, s->message, s->uidl);
	if (s->message < s->n)
		return;
	buf_put(&s->d.out, STR(".\r\n"));
	enter(s, TRANSACTION);
}

/* ---- the commands ------------------------------------------------------------------- */

/* What stands after a command: message numbers and counts. */
struct args {
	size_t n;
	uint32_t v[2];
};

/* find - the message with this number, or its refusal.  A client that asks for
 * what is gone makes no mistake that should count. */
static bool find(struct pop3 *s, uint32_t number, size_t *i)
{
	*i = (size_t)number - 1;
	if (number < 1 || number > s->n) {
		buf_printf(&s->d.out, "-ERR no such message, there are %zu\r\n", s->n);
		return false;
	}
	if (s->entries[*i].removed) {
		buf_printf(&s->d.out, "-ERR message %" PRIu32 " is deleted\r\n", number);
		return false;
	}
	return true;
}

static void run_stat(struct pop3 *s, struct args a)
{
	(void)a;
	buf_printf(&s->d.out, "+OK %zu %" PRIu64 "\r\n", s->left, s->octets);
}

static void run_listing(struct pop3 *s, struct args a, bool uidl)
{
	size_t i;

	if (a.n == 0) {
		s->message = 0;
		s->uidl = uidl;
		say_totals(s);
		enter(s, LISTING);
		list_more(s);
	} else if (find(s, a.v[0], &i)) {
		buf_put(&s->d.out, STR("+OK "));
		list_one(s, i, uidl);
	}
}

static void run_list(struct pop3 *s, struct args a)
{
	run_listing(s, a, false);
}

static void run_uidl(struct pop3 *s, struct args a)
{
	run_listing(s, a, true);
}

static void run_retr(struct pop3 *s, struct args a)
{
	if (!find(s, a.v[0], &s->message))
		return;
	s->retr = true;
	s->lines = ALL_LINES;
	enter(s, OPENING);
}

static void run_top(struct pop3 *s, struct args a)
{
	if (!find(s, a.v[0], &s->message))
		return;
	s->retr = false;
	s->lines = a.v[1];
	enter(s, OPENING);
}

static void run_dele(struct pop3 *s, struct args a)
{
	size_t i;

	if (!find(s, a.v[0], &i))
		return;
	s->entries[i].removed = true;
	s->left--;
	s->octets -= s->entries[i].size;
	buf_printf(&s->d.out, "+OK message %" PRIu32 " deleted\r\n", a.v[0]);
}

static void run_rset(struct pop3 *s, struct args a)
{
	(void)a;
	if (s->left < s->n)
		count_again(s);
	say_totals(s);
}

static void run_noop(struct pop3 *s, struct args a)
{
	(void)a;
	buf_put(&s->d.out, STR("+OK\r\n"));
}

static void run_capa(struct pop3 *s, struct args a)
{
	(void)a;
	capa_reply(&s->d.out, &s->capa, true);
}

static void run_quit(struct pop3 *s, struct args a)
{
	(void)a;
	s->counts.quit = true;
	enter(s, UPDATE);
}

static const struct verb {
	struct str name;
	unsigned states;   /* where the RFC allows it: the rest is "not now" */
	unsigned min, max; /* arguments, all of them numbers */
	void (*run)(struct pop3 *s, struct args a);
} verbs[] = {
	/* clang-format off */
	{STR_INIT("STAT"), IN(TRANSACTION), 0, 0, run_stat},
	{STR_INIT("LIST"), IN(TRANSACTION), 0, 1, run_list},
	{STR_INIT("UIDL"), IN(TRANSACTION), 0, 1, run_uidl},
	{STR_INIT("RETR"), IN(TRANSACTION), 1, 1, run_retr},
	{STR_INIT("TOP"),  IN(TRANSACTION), 2, 2, run_top},
	{STR_INIT("DELE"), IN(TRANSACTION), 1, 1, run_dele},
	{STR_INIT("RSET"), IN(TRANSACTION), 0, 0, run_rset},
	{STR_INIT("NOOP"), IN(TRANSACTION), 0, 0, run_noop},
	{STR_INIT("CAPA"), IN(TRANSACTION), 0, 0, run_capa},
	{STR_INIT("QUIT"), IN(TRANSACTION), 0, 0, run_quit},
	{STR_INIT("USER"), 0, 0, 0, NULL},
	{STR_INIT("PASS"), 0, 0, 0, NULL},
	/* clang-format on */
};

static const struct verb *find_verb(struct str name)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (str_ieq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* parse_args - whole numbers, a space between two of them, and nothing else: half
 * a number must never become message 1 */
static bool parse_args(const struct verb *v, struct str rest, struct args *a)
{
	*a = (struct args){0};
	for (; rest.n > 0; a->n++)
		if (a->n == v->max || !str_u32(str_word(&rest), &a->v[a->n]))
			return false;
	return a->n >= v->min;
}

static void run_line(struct pop3 *s, struct str line)
{
	struct str rest = line;
	const struct verb *v = find_verb(str_word(&rest));
	struct args a;

	if (v == NULL)
		dialogue_refuse(&s->d, "unknown command");
	else if (!(v->states & IN(s->state)))
		dialogue_refuse(&s->d, "already logged in");
	else if (!parse_args(v, rest, &a))
		dialogue_refuse(&s->d, "wrong arguments");
	else
		v->run(s, a);
}

size_t pop3_feed(struct pop3 *s, struct str in)
{
	struct str line;
	bool whole;

	if (pop3_want(s) != POP3_WANT_INPUT)
		return 0;

	size_t used = dialogue_feed(&s->d, in, &line, &whole);

	if (whole)
		run_line(s, line);
	if (s->d.ended)
		enter(s, CLOSED);
	return used;
}

/* ---- what the caller asks and answers ------------------------------------------------ */

enum pop3_want pop3_want(const struct pop3 *s)
{
	if (s->state == CLOSED)
		return POP3_WANT_CLOSE;
	if (s->state == BODY)
		return POP3_WANT_BODY;
	if (dialogue_full(&s->d))
		return POP3_WANT_WRITE;
	if (s->state == OPENING)
		return POP3_WANT_OPEN;
	if (s->state == PARTS)
		return POP3_WANT_PART;
	return s->state == UPDATE ? POP3_WANT_COMMIT : POP3_WANT_INPUT;
}

struct str pop3_output(const struct pop3 *s)
{
	return buf_str(&s->d.out);
}

void pop3_written(struct pop3 *s)
{
	dialogue_written(&s->d);
	s->reply_sent = true;
	if (s->state == LISTING)
		list_more(s);
}

/* ---- a message --------------------------------------------------------------------------- */

size_t pop3_message(const struct pop3 *s)
{
	return s->message;
}

static void begin_reply(struct pop3 *s)
{
	s->reply_at = s->d.out.n;
	s->reply_sent = false;
	if (s->retr)
		buf_printf(&s->d.out, "+OK %" PRIu64 " octets\r\n",
			   s->entries[s->message].size);
	else
		buf_put(&s->d.out, STR("+OK top of message follows\r\n"));
}

/* end_parts - when everything asked for is in the output */
static void end_parts(struct pop3 *s)
{
	if (s->at < s->end && (s->at < s->header_end || s->lines > 0))
		return;
	buf_put(&s->d.out, STR(".\r\n"));
	if (s->retr)
		pop3_body_sent(s);
	else
		enter(s, TRANSACTION);
}

void pop3_opened(struct pop3 *s, const struct pop3_body *body)
{
	begin_reply(s);
	buf_put(&s->d.out, body->trace);
	if (s->retr && !body->in_parts) {
		enter(s, BODY);
		return;
	}
	/* What follows the text, ".CRLF", is said by end_parts(). */
	s->end = body->stored > 3 ? body->stored - 3 : 0;
	s->header_end = body->header_end ? body->header_end : s->end;
	s->at = 0;
	s->line_cr = false;
	enter(s, PARTS);
	end_parts(s);
}

/* The id is the message's UIDL and the name of its file: all an operator needs. */
static void say_unreadable(struct pop3 *s, bool for_now)
{
	const struct maildrop_entry *en = &s->entries[s->message];

	buf_printf(
		&s->d.out,
		for_now ? "-ERR [SYS/TEMP] message %s cannot be read now, try again later\r\n"
			: "-ERR [SYS/PERM] message %s cannot be read: please tell the "
			  "operator this number\r\n",
		id_print(en->id).c);
}

void pop3_not_opened(struct pop3 *s, bool for_now)
{
	say_unreadable(s, for_now);
	enter(s, TRANSACTION);
}

void pop3_body_sent(struct pop3 *s)
{
	struct maildrop_entry *en = &s->entries[s->message];

	en->seen = true;
	s->counts.retrieved++;
	s->counts.octets += en->size;
	enter(s, TRANSACTION);
}

/* pop3_part - no more than is needed, as far as that can be told: a line of mail
 * has about 80 octets or fewer */
struct pop3_part pop3_part(const struct pop3 *s)
{
	uint64_t want = s->at < s->header_end ? s->header_end - s->at : 0;

	if (s->lines < POP3_PART_MAX / 80)
		want += s->lines * 80;
	else
		want = POP3_PART_MAX;
	if (want > POP3_PART_MAX)
		want = POP3_PART_MAX;
	if (want > s->end - s->at)
		want = s->end - s->at;
	return (struct pop3_part){s->at, (size_t)want};
}

/* take_lines - how many octets of the body the wanted lines have.  Only CRLF ends
 * a line; the two may stand in different pieces. */
static size_t take_lines(struct pop3 *s, struct str body)
{
	for (size_t i = 0; i < body.n; i++) {
		if (body.p[i] == '\n' && s->line_cr && --s->lines == 0)
			return i + 1;
		s->line_cr = body.p[i] == '\r';
	}
	return body.n;
}

void pop3_part_read(struct pop3 *s, struct str octets)
{
	must(s->state == PARTS && octets.n == pop3_part(s).n);

	uint64_t header = s->at < s->header_end ? s->header_end - s->at : 0;
	size_t take = octets.n;

	if (s->lines != ALL_LINES && header < octets.n) {
		struct str body = {octets.p + header, octets.n - (size_t)header};

		take = (size_t)header + (s->lines > 0 ? take_lines(s, body) : 0);
	}
	buf_put(&s->d.out, (struct str){octets.p, take});
	s->at += take;
	end_parts(s);
}

void pop3_part_failed(struct pop3 *s)
{
	if (s->reply_sent) {
		pop3_cut(s);
		return;
	}
	buf_cut(&s->d.out, s->reply_at);
	say_unreadable(s, false);
	enter(s, TRANSACTION);
}

void pop3_cut(struct pop3 *s)
{
	dialogue_written(&s->d);
	enter(s, CLOSED);
}

/* ---- the end --------------------------------------------------------------------------------- */

void pop3_committed(struct pop3 *s, bool ok)
{
	if (ok) {
		s->counts.removed = s->n - s->left;
		buf_put(&s->d.out, STR("+OK goodbye\r\n"));
	} else {
		buf_put(&s->d.out,
			STR("-ERR [SYS/TEMP] some deleted messages not removed\r\n"));
	}
	enter(s, CLOSED);
}

struct pop3_counts pop3_counts(const struct pop3 *s)
{
	return s->counts;
}
