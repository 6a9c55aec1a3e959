/* SPDX-License-Identifier: ISC */
#include "mail/order.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_OCTETS = 4 };

/* ---- asking ---------------------------------------------------------------------- */

void order_put_envelope(struct buf *out, const struct submit *s)
{
	buf_printf(out, "timeout %u\nsender %s\n", s->timeout_ms, s->sender);
	if (submit_has(s->notify))
		buf_printf(out, "notify %s\n", s->notify);
	if (submit_has(s->ret))
		buf_printf(out, "ret %s\n", s->ret);
	for (size_t i = 0; i < s->n_rcpt; i++)
		buf_printf(out, "rcpt %s\n", s->rcpt[i]);
	buf_put(out, STR("message\n"));
}

size_t order_envelope_max(const struct submit *s)
{
	return (s->n_rcpt + 5) * ORDER_LINE_MAX;
}

void order_put_piece(struct buf *out, struct str octets)
{
	must(octets.n <= ORDER_PIECE);
	for (int i = LENGTH_OCTETS - 1; i >= 0; i--)
		buf_putc(out, (char)(octets.n >> 8 * i & 0xff));
	buf_put(out, octets);
}

static const struct {
	struct str word;
	enum err_class class;
} classes[] = {
	{STR_INIT("temporary"), ERR_TEMP},
	{STR_INIT("permanent"), ERR_PERM},
};

int order_answer(struct str line, struct err *e)
{
	struct str word = str_word(&line), dsn;

	if (str_eq(word, STR("ok")))
		return 0;
	dsn = str_word(&line);
	for (size_t i = 0; i < countof(classes); i++)
		if (str_eq(word, classes[i].word) && dsn.n < sizeof e->dsn && dsn.n > 0 &&
		    dsn.p[0] == (classes[i].class == ERR_TEMP ? '4' : '5')) {
			char code[sizeof e->dsn];

			snprintf(code, sizeof code, STR_FMT, STR_ARG(dsn));
			return err_set(e, classes[i].class, code, STR_FMT, STR_ARG(line));
		}
	return err_set(e, ERR_TEMP, "4.3.0", "popstore-submitd gave no answer");
}

/* ---- being asked ------------------------------------------------------------------- */

struct order {
	enum order_state state;
	struct buf line;         /* that is not whole yet */
	struct buf sender, rcpt; /* rcpt: each with its NUL */
	struct buf notify, ret;
	const char **v;
	size_t n;
	uint32_t timeout_ms;
	bool has_sender;
	uint64_t room;   /* octets of message that may still come */
	uint32_t piece;  /* octets left of this one */
	unsigned length; /* octets of a length that have come */
};

struct order *order_new(uint64_t max_octets)
{
	struct order *o = xalloc(sizeof *o);

	o->room = max_octets;
	buf_init(&o->line, ORDER_LINE_MAX);
	buf_init(&o->sender, ORDER_LINE_MAX);
	buf_init(&o->notify, ORDER_LINE_MAX);
	buf_init(&o->ret, ORDER_LINE_MAX);
	buf_init(&o->rcpt, (size_t)ORDER_LINE_MAX * SUBMIT_RECIPIENTS);
	return o;
}

void order_free(struct order **op)
{
	struct order *o = *op;

	if (o == NULL)
		return;
	buf_fini(&o->line);
	buf_fini(&o->sender);
	buf_fini(&o->notify);
	buf_fini(&o->ret);
	buf_fini(&o->rcpt);
	xfree(&o->v);
	xfree(op);
}

static void broken(struct order *o)
{
	o->state = ORDER_BROKEN;
}

/* point - at each recipient, when no more can come and move them */
static void point(struct order *o)
{
	const char *at = o->rcpt.p;

	o->v = xalloc((o->n + 1) * sizeof *o->v);
	for (size_t i = 0; i < o->n; i++) {
		o->v[i] = at;
		at += strlen(at) + 1;
	}
}

static void take_line(struct order *o, struct str line)
{
	struct str word = str_word(&line);

	if (str_has_control(line)) {
		broken(o);
	} else if (str_eq(word, STR("timeout"))) {
		if (!str_u32(line, &o->timeout_ms))
			broken(o);
	} else if (str_eq(word, STR("sender")) && !o->has_sender) {
		o->has_sender = true;
		buf_put(&o->sender, line);
	} else if (str_eq(word, STR("notify")) && o->notify.n == 0) {
		buf_put(&o->notify, line);
	} else if (str_eq(word, STR("ret")) && o->ret.n == 0) {
		buf_put(&o->ret, line);
	} else if (str_eq(word, STR("rcpt")) && o->n < SUBMIT_RECIPIENTS && line.n > 0) {
		o->n++;
		buf_put(&o->rcpt, line);
		buf_putc(&o->rcpt, '\0');
	} else if (str_eq(word, STR("message")) && o->has_sender && o->n > 0) {
		point(o);
		o->state = ORDER_MESSAGE;
	} else {
		broken(o);
	}
}

static size_t feed_line(struct order *o, struct str in)
{
	const char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf != NULL ? (size_t)(lf - in.p) : in.n;

	buf_put(&o->line, (struct str){in.p, n});
	if (buf_over(&o->line)) {
		broken(o);
		return n;
	}
	if (lf == NULL)
		return n;
	take_line(o, buf_str(&o->line));
	buf_clear(&o->line);
	return n + 1;
}

/* feed_length - one octet of it */
static void feed_length(struct order *o, unsigned char c)
{
	o->piece = o->piece << 8 | c;
	if (++o->length < LENGTH_OCTETS)
		return;
	if (o->piece > ORDER_PIECE || o->piece > o->room)
		broken(o);
	else if (o->piece == 0)
		o->state = ORDER_WHOLE;
}

static size_t feed_message(struct order *o, struct str in, struct str *piece)
{
	size_t n = in.n < o->piece ? in.n : o->piece;

	if (o->length < LENGTH_OCTETS) {
		feed_length(o, (unsigned char)in.p[0]);
		return 1;
	}
	*piece = (struct str){in.p, n};
	o->piece -= (uint32_t)n;
	o->room -= n;
	if (o->piece == 0)
		o->length = 0;
	return n;
}

size_t order_feed(struct order *o, struct str in, struct str *piece)
{
	size_t used = 0;

	*piece = (struct str){"", 0};
	while (used < in.n && piece->n == 0) {
		struct str rest = {in.p + used, in.n - used};

		if (o->state == ORDER_ENVELOPE)
			used += feed_line(o, rest);
		else if (o->state == ORDER_MESSAGE)
			used += feed_message(o, rest, piece);
		else
			break;
	}
	return used;
}

enum order_state order_state(const struct order *o)
{
	return o->state;
}

void order_submit(const struct order *o, struct submit *out)
{
	must(o->state == ORDER_WHOLE);
	*out = (struct submit){.sender = buf_cstr(&o->sender),
			       .rcpt = o->v,
			       .n_rcpt = o->n,
			       .notify = buf_cstr(&o->notify),
			       .ret = buf_cstr(&o->ret),
			       .timeout_ms = o->timeout_ms};
}

void order_put_answer(struct buf *out, int rc, const struct err *e)
{
	if (rc == 0) {
		buf_put(out, STR("ok\n"));
		return;
	}
	buf_printf(out, "%s %s ", e->class == ERR_PERM ? "permanent" : "temporary",
		   e->dsn);
	for (const char *p = e->text; *p != '\0'; p++) /* the program's words */
		buf_putc(out, ascii_is_print(*p) ? *p : '?');
	buf_putc(out, '\n');
}
