/* SPDX-License-Identifier: ISC */
#include "channel/lmtp.h"

#include <string.h>

#include "channel/arguments.h"
#include "lib/lines.h"
#include "mail/received.h"

enum {
	LINE_OCTETS = 2048, /* with CRLF */
	HOST_OCTETS = 255,
	REPLY_OCTETS = 512,
	/* Each octet of the local part may get a backslash. */
	SENDER_OCTETS = 2 * ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 3,
	BAD_COMMANDS = 20,
	CHUNK_PIECE = 16384,
};

/* CHUNKS is between two chunks of a message; EAT swallows a chunk that is
 * nobody's. */
enum state { NEW, READY, MAIL, RCPT, DATA, CHUNK, CHUNKS, EAT, CLOSED };
#define IN(state)   (1u << (state))
#define TRANSACTION (IN(MAIL) | IN(RCPT) | IN(DATA) | IN(CHUNK) | IN(CHUNKS))
#define COMMANDS    (IN(NEW) | IN(READY) | IN(MAIL) | IN(RCPT) | IN(CHUNKS))

/* What not every client is offered. */
enum offer { OFFER_TLS = 1, OFFER_XCLIENT = 2 };

struct lmtp {
	struct lmtp_limits limits;
	unsigned offers;
	enum state state;
	enum lmtp_want want;
	struct lines lines;
	struct buf out;
	struct buf hostname, peer_name, sender;
	struct buf ident;            /* of the next transaction, or of this one */
	struct proxy_xclient client; /* points into lines */
	bool helo_fixed;             /* XCLIENT said it */
	unsigned bad;

	/* the transaction */
	uint64_t size;
	bool utf8;
	struct str recipient; /* points into lines */
	uint32_t accepted, answered;
	struct dotstream message;
	struct str data;
	struct lmtp_reply refusal; /* of the message; code 0 = none */
	bool given_up;             /* for another reason than what is in it */
	struct buf stuffed;        /* a piece of a chunk in stored form */

	/* the chunk */
	uint64_t chunk, chunk_left;
	bool chunk_last;
	enum state eat_back;
	struct lmtp_reply eat_reply;
};

static const unsigned may_follow[] = {
	/* clang-format off */
	[NEW]    = IN(NEW) | IN(READY) | IN(EAT) | IN(CLOSED),
	[READY]  = IN(NEW) | IN(READY) | IN(MAIL) | IN(EAT) | IN(CLOSED),
	[MAIL]   = IN(READY) | IN(RCPT) | IN(EAT) | IN(CLOSED),
	[RCPT]   = IN(READY) | IN(RCPT) | IN(DATA) | IN(CHUNK) | IN(EAT) | IN(CLOSED),
	[DATA]   = IN(READY) | IN(CLOSED),
	[CHUNK]  = IN(READY) | IN(CHUNKS) | IN(CLOSED),
	[CHUNKS] = IN(READY) | IN(CHUNK) | IN(EAT) | IN(CLOSED),
	[EAT]    = COMMANDS | IN(CLOSED),
	[CLOSED] = 0,
	/* clang-format on */
};

/* enter - the only place that assigns s->state */
static void enter(struct lmtp *s, enum state to)
{
	must(may_follow[s->state] & IN(to));
	s->state = to;
	if (to == CLOSED)
		s->want = LMTP_WANT_CLOSE;
}

/* ---- replies ------------------------------------------------------------------ */

#define REPLY(code, dsn, text) (&(const struct lmtp_reply){code, dsn, text})

static void reply(struct lmtp *s, const struct lmtp_reply *r)
{
	buf_put_u64(&s->out, r->code, 0);
	buf_putc(&s->out, ' ');
	buf_put(&s->out, str_of(r->dsn));
	buf_putc(&s->out, ' ');
	buf_put(&s->out, str_of(r->text));
	buf_put(&s->out, STR("\r\n"));
}

/* refuse - a command that the client should not have sent, or not so */
static void refuse(struct lmtp *s, const struct lmtp_reply *r)
{
	reply(s, r);
	if (++s->bad >= BAD_COMMANDS)
		lmtp_goodbye(s, "4.7.0", "Too many errors");
}

void lmtp_goodbye(struct lmtp *s, const char *dsn, const char *text)
{
	if (s->state == CLOSED)
		return;
	buf_printf(&s->out, "421 %s %s, closing\r\n", dsn, text);
	enter(s, CLOSED);
}

/* ---- transactions --------------------------------------------------------------- */

/* forget - nothing of the transaction remains */
static void forget(struct lmtp *s)
{
	buf_clear(&s->sender);
	buf_clear(&s->ident);
	buf_clear(&s->stuffed);
	s->size = 0;
	s->utf8 = false;
	s->recipient = (struct str){0};
	s->data = (struct str){0};
	s->accepted = s->answered = 0;
	s->refusal = (struct lmtp_reply){0};
	s->given_up = false;
}

/* reset - ends the transaction, if there is one.  The caller may still look at it:
 * it is forgotten when the caller has. */
static void reset(struct lmtp *s)
{
	if (s->state == NEW)
		return;
	if (TRANSACTION & IN(s->state))
		s->want = LMTP_WANT_RESET;
	else
		forget(s);
	enter(s, READY);
}

/* end_message - the last octet is here, and written or given up */
static void end_message(struct lmtp *s)
{
	if (s->refusal.code == 0) {
		s->want = LMTP_WANT_COMMIT;
		return;
	}
	for (uint32_t i = 0; i < s->accepted; i++)
		reply(s, &s->refusal);
	reset(s);
}

/* end_chunk - likewise, of one chunk */
static void end_chunk(struct lmtp *s)
{
	if (s->chunk_last) {
		end_message(s);
	} else if (s->refusal.code != 0) {
		reply(s, &s->refusal);
		reset(s);
	} else {
		buf_printf(&s->out, "250 2.0.0 %llu octets received\r\n",
			   (unsigned long long)s->chunk);
		enter(s, CHUNKS);
	}
}

/* refuse_message - whatever comes of it: the first such reason stands */
static void refuse_message(struct lmtp *s, const struct lmtp_reply *r)
{
	if (!s->given_up)
		s->refusal = *r;
	s->given_up = true;
}

/*
 * judge_message - what dotstream saw, against the limits
 *
 * Asked after each piece, so that a bad message is not written any further.  With
 * several faults the gravest stands, wherever the pieces were cut.
 */
static void judge_message(struct lmtp *s)
{
	const struct dotstream *d = &s->message;

	if (s->given_up)
		return;
	if (d->bare_lf > 0)
		s->refusal =
			*REPLY(554, "5.6.0", "Message has a bare LF: lines end in CRLF");
	else if (d->size > s->limits.message)
		s->refusal = arguments_too_big;
	else if (d->received > s->limits.received)
		s->refusal = *REPLY(554, "5.4.6", "Mail loop: too many Received fields");
}

/* ---- commands --------------------------------------------------------------------- */

static const struct lmtp_reply takes_none = {501, "5.5.4",
					     "This command takes no argument"};

static void run_lhlo(struct lmtp *s, struct str args)
{
	args = str_trim(args);
	if (!arguments_is_host(args)) {
		refuse(s, REPLY(501, "5.5.4", "LHLO wants the name of a host"));
		return;
	}
	if (!s->helo_fixed) {
		buf_clear(&s->peer_name);
		buf_put(&s->peer_name, args);
	}
	buf_printf(&s->out,
		   "250-%s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
		   "250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE %llu\r\n250-CHUNKING\r\n",
		   buf_cstr(&s->hostname), (unsigned long long)s->limits.message);
	if (s->offers & OFFER_TLS)
		buf_put(&s->out, STR("250-STARTTLS\r\n"));
	if (s->offers & OFFER_XCLIENT)
		buf_put(&s->out, STR("250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n"));
	buf_put(&s->out, STR("250 XFORWARD IDENT\r\n"));
	if (s->state == NEW)
		enter(s, READY);
	else
		reset(s);
}

static void run_helo(struct lmtp *s, struct str args UNUSED)
{
	refuse(s, REPLY(500, "5.5.1", "This is LMTP: say LHLO (RFC 2033)"));
}

static void run_xforward(struct lmtp *s, struct str args)
{
	struct str ident = buf_str(&s->ident);
	const struct lmtp_reply *r = arguments_xforward(args, &ident);

	if (r != NULL) {
		refuse(s, r);
		return;
	}
	if (ident.p != s->ident.p) {
		buf_clear(&s->ident);
		buf_put(&s->ident, ident);
	}
	reply(s, REPLY(250, "2.0.0", "Ok"));
}

static void run_starttls(struct lmtp *s, struct str args)
{
	if (str_trim(args).n > 0) {
		refuse(s, &takes_none);
		return;
	}
	reply(s, REPLY(220, "2.0.0", "Ready to start TLS"));
	s->want = LMTP_WANT_TLS;
}

static void run_xclient(struct lmtp *s, struct str args)
{
	if (proxy_xclient(args, &s->client))
		s->want = LMTP_WANT_CLIENT;
	else
		refuse(s, REPLY(501, "5.5.4", "Syntax: XCLIENT attribute=value"));
}

static void run_mail(struct lmtp *s, struct str args)
{
	struct arguments_mail m;
	const struct lmtp_reply *r = arguments_mail(args, s->limits.message, &m);

	if (r != NULL) {
		refuse(s, r);
		return;
	}
	/* In canonical form: no source route, no needless quotes. */
	address_print(&s->sender, &m.sender);
	s->size = m.size;
	s->utf8 = m.utf8;
	s->bad = 0;
	enter(s, MAIL);
	reply(s, REPLY(250, "2.1.0", "Sender ok"));
}

const struct lmtp_reply lmtp_too_many = {452, "4.5.3",
					 "Too many recipients in one transaction"};

static void run_rcpt(struct lmtp *s, struct str args)
{
	struct str address;
	const struct lmtp_reply *r = arguments_rcpt(args, s->utf8, &address);

	if (r != NULL) {
		refuse(s, r);
	} else if (s->accepted >= s->limits.recipients) {
		reply(s, &lmtp_too_many);
	} else {
		s->recipient = address;
		s->want = LMTP_WANT_RECIPIENT;
	}
}

/* begin_message - after LMTP_WANT_OPEN */
static void begin_message(struct lmtp *s)
{
	dotstream_init(&s->message);
	s->want = LMTP_WANT_OPEN;
}

static void run_data(struct lmtp *s, struct str args)
{
	if (str_trim(args).n > 0) {
		refuse(s, &takes_none);
		return;
	}
	enter(s, DATA);
	begin_message(s);
}

static void end_eat(struct lmtp *s)
{
	enter(s, s->eat_back);
	/* RFC 3030 s2: a chunk that failed ends its message. */
	if (s->state == CHUNKS)
		reset(s);
	refuse(s, &s->eat_reply);
}

/* eat - swallows a chunk that no message wants, and refuses it then */
static void eat(struct lmtp *s, const struct lmtp_reply *r)
{
	s->eat_back = s->state;
	s->eat_reply = *r;
	enter(s, EAT);
	if (s->chunk_left == 0)
		end_eat(s);
}

static void chunk_octets(struct lmtp *s, struct str in);

static void begin_chunk(struct lmtp *s)
{
	/* Compared this way round, no number can overflow. */
	if (s->chunk > s->limits.message ||
	    s->message.size > s->limits.message - s->chunk)
		refuse_message(s, &arguments_too_big);
	if (s->chunk_left == 0)
		chunk_octets(s, STR(""));
}

/* lose_count - of the octets that follow: nobody knows where the next command begins */
static void lose_count(struct lmtp *s)
{
	reply(s, REPLY(501, "5.5.4", "Syntax: BDAT octets [LAST]; closing"));
	enter(s, CLOSED);
}

static void run_bdat(struct lmtp *s, struct str args)
{
	enum arguments_bdat what = arguments_bdat(args, &s->chunk, &s->chunk_last);
	enum state was = s->state;

	s->chunk_left = s->chunk;
	if (what == ARGUMENTS_BDAT_UNKNOWN) {
		lose_count(s);
	} else if (what == ARGUMENTS_BDAT_BAD) {
		eat(s, REPLY(501, "5.5.4", "Syntax: BDAT octets [LAST]"));
	} else if (!(IN(was) & (IN(RCPT) | IN(CHUNKS)))) {
		eat(s, REPLY(503, "5.5.1", "No recipient was accepted before BDAT"));
	} else {
		enter(s, CHUNK);
		if (was == RCPT)
			begin_message(s);
		else
			begin_chunk(s);
	}
}

static void run_rset(struct lmtp *s, struct str args)
{
	if (str_trim(args).n > 0) {
		refuse(s, &takes_none);
		return;
	}
	reply(s, REPLY(250, "2.0.0", "Ok"));
	reset(s);
}

static void run_noop(struct lmtp *s, struct str args UNUSED)
{
	reply(s, REPLY(250, "2.0.0", "Ok"));
}

static void run_vrfy(struct lmtp *s, struct str args)
{
	if (str_trim(args).n == 0)
		refuse(s, REPLY(501, "5.5.4", "VRFY wants an address"));
	else
		reply(s, REPLY(252, "2.0.0", "Ask by RCPT"));
}

static void run_help(struct lmtp *s, struct str args UNUSED)
{
	reply(s,
	      REPLY(214, "2.0.0",
		    "LHLO XFORWARD MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 2033, "
		    "3030)"));
}

static void run_quit(struct lmtp *s, struct str args)
{
	if (str_trim(args).n > 0) {
		refuse(s, &takes_none);
		return;
	}
	reply(s, REPLY(221, "2.0.0", "Bye"));
	enter(s, CLOSED);
}

static const struct verb {
	struct str name;
	unsigned states; /* where the RFC allows it */
	void (*run)(struct lmtp *s, struct str args);
	const char *not_now;
	unsigned offer; /* unknown unless this is offered */
} verbs[] = {
	/* clang-format off */
	{STR_INIT("LHLO"), COMMANDS,             run_lhlo, NULL, 0},
	{STR_INIT("HELO"), COMMANDS,             run_helo, NULL, 0},
	{STR_INIT("EHLO"), COMMANDS,             run_helo, NULL, 0},
	{STR_INIT("STARTTLS"), IN(READY),        run_starttls, "LHLO comes first, and STARTTLS before MAIL", OFFER_TLS},
	{STR_INIT("XCLIENT"), IN(NEW) | IN(READY), run_xclient, "XCLIENT comes before MAIL", OFFER_XCLIENT},
	{STR_INIT("XFORWARD"), IN(READY),        run_xforward, "LHLO comes first, and XFORWARD before MAIL", 0},
	{STR_INIT("MAIL"), IN(READY),            run_mail, "LHLO comes first, and MAIL once in a transaction", 0},
	{STR_INIT("RCPT"), IN(MAIL) | IN(RCPT),  run_rcpt, "MAIL comes before RCPT, and the message after", 0},
	{STR_INIT("DATA"), IN(RCPT),             run_data, "No recipient was accepted before DATA", 0},
	{STR_INIT("BDAT"), COMMANDS,             run_bdat, NULL, 0}, /* octets follow in any case */
	{STR_INIT("RSET"), COMMANDS,             run_rset, NULL, 0},
	{STR_INIT("NOOP"), COMMANDS,             run_noop, NULL, 0},
	{STR_INIT("VRFY"), COMMANDS,             run_vrfy, NULL, 0},
	{STR_INIT("HELP"), COMMANDS,             run_help, NULL, 0},
	{STR_INIT("QUIT"), COMMANDS,             run_quit, NULL, 0},
	/* clang-format on */
};

static void run_line(struct lmtp *s, struct str line)
{
	struct str args = line;
	struct str name = str_word(&args);

	for (size_t i = 0; i < countof(verbs); i++) {
		if (!str_ieq(verbs[i].name, name) || verbs[i].offer & ~s->offers)
			continue;
		if (verbs[i].states & IN(s->state))
			verbs[i].run(s, args);
		else
			refuse(s, REPLY(503, "5.5.1", verbs[i].not_now));
		return;
	}
	refuse(s, REPLY(500, "5.5.2", "Command not recognized"));
}

/* ---- input --------------------------------------------------------------------------- */

/* is_text - nothing in it can end a line elsewhere */
static bool is_text(struct str line)
{
	return str_is_utf8(line) && !str_has_control(line);
}

static size_t feed_line(struct lmtp *s, struct str in)
{
	enum lines_result r;
	size_t used = lines_feed(&s->lines, in, &r);

	switch (r) {
	case LINES_MORE:
		break;
	case LINES_ONE:
		if (is_text(lines_text(&s->lines)))
			run_line(s, lines_text(&s->lines));
		else if (str_istarts(lines_text(&s->lines), STR("BDAT")))
			lose_count(s);
		else
			refuse(s,
			       REPLY(500, "5.5.2",
				     "A command is UTF-8 text without control octets"));
		break;
	case LINES_TOO_LONG:
		refuse(s, REPLY(500, "5.5.2", "Line too long"));
		break;
	case LINES_BARE:
	case LINES_NUL:
		reply(s, REPLY(500, "5.5.2",
			       "A command is a line that ends in CRLF; closing"));
		enter(s, CLOSED);
		break;
	}
	return used;
}

static size_t feed_data(struct lmtp *s, struct str in)
{
	size_t used = dotstream_feed(&s->message, in);

	judge_message(s);
	s->data = (struct str){in.p, used};
	if (s->refusal.code == 0)
		s->want = LMTP_WANT_WRITE;
	else if (s->message.ended)
		end_message(s);
	return used;
}

/* chunk_octets - some octets of the chunk, in stored form */
static void chunk_octets(struct lmtp *s, struct str in)
{
	s->chunk_left -= in.n;
	buf_clear(&s->stuffed);
	dotstream_stuff(&s->message, in, &s->stuffed);
	if (s->chunk_left == 0 && s->chunk_last)
		dotstream_finish(&s->message, &s->stuffed);
	must(!buf_over(&s->stuffed));
	judge_message(s);
	s->data = buf_str(&s->stuffed);
	if (s->refusal.code == 0 && s->data.n > 0)
		s->want = LMTP_WANT_WRITE;
	else if (s->chunk_left == 0)
		end_chunk(s);
}

static size_t feed_chunk(struct lmtp *s, struct str in)
{
	if (in.n > s->chunk_left)
		in.n = s->chunk_left;
	if (in.n > CHUNK_PIECE)
		in.n = CHUNK_PIECE;
	chunk_octets(s, in);
	return in.n;
}

static size_t feed_eat(struct lmtp *s, struct str in)
{
	size_t used = in.n < s->chunk_left ? in.n : (size_t)s->chunk_left;

	s->chunk_left -= used;
	if (s->chunk_left == 0)
		end_eat(s);
	return used;
}

size_t lmtp_feed(struct lmtp *s, struct str in)
{
	if (s->want != LMTP_WANT_INPUT || in.n == 0)
		return 0;
	must(s->out.n < LMTP_OUTPUT);
	switch (s->state) {
	case DATA:
		return feed_data(s, in);
	case CHUNK:
		return feed_chunk(s, in);
	case EAT:
		return feed_eat(s, in);
	case NEW:
	case READY:
	case MAIL:
	case RCPT:
	case CHUNKS:
	case CLOSED:
		break;
	}
	return feed_line(s, in);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void opened(struct lmtp *s)
{
	if (s->state == CHUNK)
		begin_chunk(s);
	else
		buf_printf(&s->out,
			   "354 End the message with a dot on a line by itself\r\n");
}

static void written(struct lmtp *s)
{
	if (s->state == DATA && s->message.ended)
		end_message(s);
	else if (s->state == CHUNK && s->chunk_left == 0)
		end_chunk(s);
}

/* begin_again - RFC 3207 s4.2: nothing that the client said before is known */
static void begin_again(struct lmtp *s)
{
	forget(s);
	buf_clear(&s->peer_name);
	s->helo_fixed = false;
	enter(s, NEW);
}

static void greet(struct lmtp *s)
{
	buf_printf(&s->out, "220 %s LMTP ready\r\n", buf_cstr(&s->hostname));
}

/* told - by XCLIENT, what LHLO will not change.  No host's name has to be in xtext. */
static void told(struct lmtp *s)
{
	begin_again(s);
	if (arguments_is_host(s->client.helo)) {
		buf_put(&s->peer_name, s->client.helo);
		s->helo_fixed = true;
	}
	greet(s);
}

void lmtp_done(struct lmtp *s)
{
	enum lmtp_want was = s->want;

	s->want = LMTP_WANT_INPUT;
	switch (was) {
	case LMTP_WANT_OPEN:
		opened(s);
		return;
	case LMTP_WANT_WRITE:
		written(s);
		return;
	case LMTP_WANT_RESET:
		forget(s);
		return;
	case LMTP_WANT_TLS:
		s->offers &= ~(unsigned)OFFER_TLS;
		begin_again(s);
		return;
	case LMTP_WANT_CLIENT:
		told(s);
		return;
	case LMTP_WANT_INPUT:
	case LMTP_WANT_RECIPIENT:
	case LMTP_WANT_COMMIT:
	case LMTP_WANT_CLOSE:
		break;
	}
	must(was == LMTP_WANT_OPEN);
}

static void answer_recipient(struct lmtp *s, const struct lmtp_reply *r)
{
	s->want = LMTP_WANT_INPUT;
	reply(s, r);
	if (r->code / 100 != 2)
		return;
	s->accepted++;
	enter(s, RCPT);
}

/* answer_open - the message cannot be taken.  After DATA that is said at once,
 * after BDAT when the octets are swallowed. */
static void answer_open(struct lmtp *s, const struct lmtp_reply *r)
{
	refuse_message(s, r);
	if (s->state == DATA) {
		reply(s, r);
		reset(s);
	} else {
		s->want = LMTP_WANT_INPUT;
		begin_chunk(s);
	}
}

static void answer_commit(struct lmtp *s, const struct lmtp_reply *r)
{
	reply(s, r);
	if (++s->answered == s->accepted)
		reset(s);
}

void lmtp_answer(struct lmtp *s, const struct lmtp_reply *r)
{
	switch (s->want) {
	case LMTP_WANT_RECIPIENT:
		answer_recipient(s, r);
		return;
	case LMTP_WANT_OPEN:
		answer_open(s, r);
		return;
	case LMTP_WANT_WRITE:
		refuse_message(s, r);
		lmtp_done(s);
		return;
	case LMTP_WANT_COMMIT:
		answer_commit(s, r);
		return;
	case LMTP_WANT_INPUT:
	case LMTP_WANT_TLS:
	case LMTP_WANT_CLIENT:
	case LMTP_WANT_RESET:
	case LMTP_WANT_CLOSE:
		break;
	}
	must(s->want == LMTP_WANT_RECIPIENT);
}

/* ---- life and views ---------------------------------------------------------------------- */

struct lmtp *lmtp_new(const struct lmtp_limits *limits, struct str hostname)
{
	struct lmtp *s = xalloc(sizeof *s);

	s->limits = *limits;
	lines_init(&s->lines, LINE_OCTETS);
	buf_init(&s->hostname, HOST_OCTETS);
	buf_init(&s->peer_name, HOST_OCTETS);
	buf_init(&s->sender, SENDER_OCTETS);
	buf_init(&s->ident, RECEIVED_ID_MAX);
	/* Each octet may get a dot, and finish() adds CRLF.CRLF. */
	buf_init(&s->stuffed, 2 * CHUNK_PIECE + 5);
	buf_init(&s->out, LMTP_OUTPUT + ((size_t)limits->recipients + 4) * REPLY_OCTETS);
	buf_put(&s->hostname, hostname);
	greet(s);
	return s;
}

void lmtp_offer(struct lmtp *s, bool tls, bool xclient)
{
	s->offers = (tls ? OFFER_TLS : 0U) | (xclient ? OFFER_XCLIENT : 0U);
}

void lmtp_free(struct lmtp **s)
{
	if (*s == NULL)
		return;
	lines_fini(&(*s)->lines);
	buf_fini(&(*s)->hostname);
	buf_fini(&(*s)->peer_name);
	buf_fini(&(*s)->sender);
	buf_fini(&(*s)->ident);
	buf_fini(&(*s)->stuffed);
	buf_fini(&(*s)->out);
	xfree(s);
}

enum lmtp_want lmtp_want(const struct lmtp *s)
{
	return s->want;
}

struct buf *lmtp_output(struct lmtp *s)
{
	return &s->out;
}

const struct proxy_client *lmtp_client(const struct lmtp *s)
{
	return &s->client.client;
}

struct str lmtp_peer_name(const struct lmtp *s)
{
	return buf_str(&s->peer_name);
}

struct str lmtp_ident(const struct lmtp *s)
{
	return buf_str(&s->ident);
}

struct str lmtp_sender(const struct lmtp *s)
{
	return buf_str(&s->sender);
}

uint64_t lmtp_size(const struct lmtp *s)
{
	return s->size;
}

bool lmtp_is_utf8(const struct lmtp *s)
{
	return s->utf8;
}

struct str lmtp_recipient(const struct lmtp *s)
{
	return s->recipient;
}

uint32_t lmtp_accepted(const struct lmtp *s)
{
	return s->accepted;
}

struct str lmtp_data(const struct lmtp *s)
{
	return s->data;
}

const struct dotstream *lmtp_message(const struct lmtp *s)
{
	return &s->message;
}

bool lmtp_in_message(const struct lmtp *s)
{
	return (IN(s->state) & (IN(DATA) | IN(CHUNK) | IN(CHUNKS) | IN(EAT))) != 0;
}

const struct lmtp_reply *lmtp_refusal(const struct lmtp *s)
{
	return s->refusal.code ? &s->refusal : NULL;
}
