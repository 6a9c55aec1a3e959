/* SPDX-License-Identifier: ISC */
#include "policy/policy.h"

#include <string.h>

/* The attributes that we use; all others pass by unread. */
enum attribute { REQUEST, STATE, RECIPIENT, SIZE, QUEUE_ID, ATTRIBUTES };

static const struct str attribute_names[ATTRIBUTES] = {
	[REQUEST] = STR_INIT("request"),     [STATE] = STR_INIT("protocol_state"),
	[RECIPIENT] = STR_INIT("recipient"), [SIZE] = STR_INIT("size"),
	[QUEUE_ID] = STR_INIT("queue_id"),
};

/* The stages at which the recipient that is named is the one to be judged.  It is
 * empty at the last two when there are several. */
static const struct str judged_states[] = {
	STR_INIT("RCPT"),
	STR_INIT("DATA"),
	STR_INIT("END-OF-MESSAGE"),
};

struct policy {
	enum policy_want want;
	struct buf request; /* all of it up to now */
	size_t line_at;     /* where its current line begins */
	struct str value[ATTRIBUTES];
	uint64_t size;
	struct buf out;
	const char *broken;
};

struct policy *policy_new(void)
{
	struct policy *p = xalloc(sizeof *p);

	buf_init(&p->request, POLICY_REQUEST_MAX);
	buf_init(&p->out, 1024);
	return p;
}

void policy_free(struct policy **p)
{
	if (*p == NULL)
		return;
	buf_fini(&(*p)->request);
	buf_fini(&(*p)->out);
	xfree(p);
}

enum policy_want policy_want(const struct policy *p)
{
	return p->want;
}

struct buf *policy_output(struct policy *p)
{
	return &p->out;
}

bool policy_idle(const struct policy *p)
{
	return p->request.n == 0;
}

const char *policy_broken(const struct policy *p)
{
	return p->broken;
}

struct str policy_recipient(const struct policy *p)
{
	return p->value[RECIPIENT];
}

uint64_t policy_size(const struct policy *p)
{
	return p->size;
}

struct str policy_queue_id(const struct policy *p)
{
	return p->value[QUEUE_ID];
}

static void break_off(struct policy *p, const char *why)
{
	p->broken = why;
	p->want = POLICY_WANT_CLOSE;
}

static void begin_request(struct policy *p)
{
	buf_clear(&p->request);
	p->line_at = 0;
	p->want = POLICY_WANT_INPUT;
}

static void dunno(struct policy *p)
{
	buf_put(&p->out, STR("action=DUNNO\n\n"));
	begin_request(p);
}

/* take_line - one line of the request, of which only the known ones matter */
static void take_line(struct policy *p, struct str line)
{
	struct str value = line;
	struct str name = str_cut(&value, '=');

	for (size_t i = 0; i < ATTRIBUTES; i++) {
		if (!str_eq(name, attribute_names[i]))
			continue;
		if (p->value[i].p != NULL)
			break_off(p, "an attribute is there twice");
		p->value[i] = value;
	}
}

/* take_lines - only at the end, since the buffer moves while it grows */
static void take_lines(struct policy *p)
{
	struct str rest = {p->request.p, p->request.n - 1}; /* without the empty line */

	memset(p->value, 0, sizeof p->value);
	while (rest.n > 0 && p->want != POLICY_WANT_CLOSE)
		take_line(p, str_cut(&rest, '\n'));
}

static bool is_judged(struct str state)
{
	for (size_t i = 0; i < countof(judged_states); i++)
		if (str_eq(state, judged_states[i]))
			return true;
	return false;
}

static void run_request(struct policy *p)
{
	const struct str *v = p->value;

	take_lines(p);
	if (p->want == POLICY_WANT_CLOSE)
		return;
	p->size = 0;
	if (!str_eq(v[REQUEST], STR("smtpd_access_policy")))
		break_off(p, "it is no request=smtpd_access_policy");
	else if (v[SIZE].n > 0 && !str_u64(v[SIZE], &p->size))
		break_off(p, "the size is no number");
	else if (is_judged(v[STATE]) && v[RECIPIENT].n > 0)
		p->want = POLICY_WANT_VERDICT;
	else
		dunno(p);
}

/* end_line - an empty one ends the request; any other is looked at at once, so that
 * a peer with another protocol is not waited for */
static void end_line(struct policy *p)
{
	struct str line = {p->request.p + p->line_at, p->request.n - 1 - p->line_at};
	const char *equals = line.n ? memchr(line.p, '=', line.n) : NULL;

	p->line_at = p->request.n;
	if (line.n == 0)
		run_request(p);
	else if (equals == NULL || equals == line.p)
		break_off(p, "a line is not name=value");
}

size_t policy_feed(struct policy *p, struct str in)
{
	size_t used = 0;
	bool ended = false;

	while (used < in.n && p->want == POLICY_WANT_INPUT && !ended) {
		const char *lf = memchr(in.p + used, '\n', in.n - used);
		size_t n = lf ? (size_t)(lf - in.p) + 1 - used : in.n - used;

		if (memchr(in.p + used, '\0', n) != NULL)
			break_off(p, "there is a NUL in the request");
		buf_put(&p->request, (struct str){in.p + used, n});
		used += n;
		if (buf_over(&p->request))
			break_off(p, "the request is too long");
		if (lf != NULL && p->want == POLICY_WANT_INPUT)
			end_line(p);
		ended = policy_idle(p);
	}
	return used;
}

void policy_answer(struct policy *p, const struct verdict *v)
{
	must(p->want == POLICY_WANT_VERDICT);
	if (verdict_accepts(v) || v->code == VERDICT_NOT_OURS) {
		dunno(p);
		return;
	}
	buf_printf(&p->out, "action=%u %s %s\n\n", v->smtp, v->dsn, v->text);
	begin_request(p);
}
