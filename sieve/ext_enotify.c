/* SPDX-License-Identifier: ISC */
/* enotify (RFC 5435) with the method mailto (RFC 5436) */
#include "sieve/extensions_int.h"

#include "sieve/fcc_int.h"
#include "sieve/mailto_int.h"
#include "sieve/modify_int.h"

/* ---- notify ---------------------------------------------------------------------------------- */

static struct str value_of(const struct run *r, const char *name)
{
	struct field *f = header_find(r->header, str_of(name), NULL);

	return f ? field_value(&r->message->arena, f) : (struct str){"", 0};
}

/* subject - RFC 5436 section 2.7: the message of the command, the URI's, or one of ours */
static struct str subject(struct run *r, struct str message, const struct mailto *m)
{
	struct buf out;

	if (message.n > 0)
		return run_one_line(r, message);
	if (m->subject.n > 0)
		return run_one_line(r, m->subject);
	buf_init(&out, r->site->limits.string_octets);
	buf_put(&out, STR("New message: "));
	buf_put(&out, value_of(r, "subject"));
	return run_one_line(r, run_take(r, &out));
}

static struct str body(struct run *r, const struct mailto *m)
{
	struct buf out;

	if (m->body.n > 0)
		return m->body;
	buf_init(&out, 2 * r->site->limits.string_octets);
	buf_put(&out, STR("From: "));
	buf_put(&out, run_one_line(r, value_of(r, "from")));
	buf_put(&out, STR("\r\nSubject: "));
	buf_put(&out, run_one_line(r, value_of(r, "subject")));
	buf_put(&out, STR("\r\n"));
	return run_take(r, &out);
}

static unsigned importance(struct run *r, const struct node *n)
{
	struct str s = run_string(r, n, SLOT_IMPORTANCE);

	return s.n == 1 && s.p[0] >= '1' && s.p[0] <= '3' ? (unsigned)(s.p[0] - '0') : 2;
}

static struct sieve_strings recipients(struct run *r, const struct mailto *m)
{
	struct str *list = arena_alloc(r->arena, m->n * sizeof *list);

	for (size_t i = 0; i < m->n; i++)
		list[i] = m->to[i];
	return (struct sieve_strings){list, m->n};
}

/* RFC 5436 section 2.7.1: a notification of a notification goes round for ever */
static bool is_notification(const struct run *r)
{
	struct str value = value_of(r, "auto-submitted");

	return str_ieq(str_trim(str_cut(&value, ';')), STR("auto-notified"));
}

static enum flow run_notify(struct run *r, const struct node *n)
{
	struct str method = run_string(r, n, SLOT_VALUE),
		   message = run_string(r, n, SLOT_MESSAGE);
	struct sieve_filing fcc = {.folder = {"", 0}};
	struct sieve_action *a;
	struct mailto m;

	if (!mailto_parse(r->arena, method, &m))
		return run_fail(r, "notify: '" STR_FMT "' is no method", STR_ARG(method));
	if (is_notification(r))
		return FLOW_NEXT;
	if (!fcc_take(r, n, &fcc) || (a = run_action(r, SIEVE_NOTIFY)) == NULL)
		return FLOW_FAIL;
	a->filing = fcc;
	a->notify = (struct sieve_notify){
		.method = method,
		.from = run_one_line(r, run_string(r, n, SLOT_FROM)),
		.message = message,
		.importance = importance(r, n),
		.options = run_strings(r, n, SLOT_OPTIONS),
		.to = recipients(r, &m),
		.subject = subject(r, message, &m),
		.body = body(r, &m)};
	return FLOW_NEXT;
}

static bool check_notify(struct checker *c, struct node *n)
{
	const struct str *method = checker_fixed(n, SLOT_VALUE);
	struct mailto m;

	if (method != NULL && !mailto_parse(&c->script->arena, *method, &m))
		return checker_error(c, node_arg(n, SLOT_VALUE)->at,
				     "'" STR_FMT "' is no method of notification",
				     STR_ARG(*method));
	return fcc_check(c, n);
}

static bool check_importance(struct checker *c, struct node *n, const struct arg *a)
{
	struct str s = a->texts.list[0].fixed;

	(void)n;
	return a->texts.list[0].n > 0 || (s.n == 1 && s.p[0] >= '1' && s.p[0] <= '3') ||
	       checker_error(c, a->at, ":importance takes \"1\", \"2\" or \"3\"");
}

/* ---- the tests --------------------------------------------------------------------------------- */

static bool test_valid(struct run *r, const struct node *n)
{
	struct sieve_strings uris = run_strings(r, n, SLOT_NAMES);
	struct mailto m;

	for (size_t i = 0; i < uris.n; i++)
		if (!run_spend(r, 1 + uris.list[i].n) ||
		    !mailto_parse(r->arena, uris.list[i], &m))
			return false;
	return true;
}

/* RFC 5436 section 2.6: whether somebody is there, mail cannot tell */
static bool test_capability(struct run *r, const struct node *n)
{
	struct str uri = run_string(r, n, SLOT_NAMES), item = run_string(r, n, SLOT_ITEM);
	struct matching matching;
	struct mailto m;

	matching_begin(&matching, r, n->match);
	if (mailto_parse(r->arena, uri, &m) && str_ieq(item, STR("online")))
		matching_value(&matching, STR("maybe"));
	return matching_end(&matching);
}

static const struct tag notify_tags[] = {
	{.name = "from", .slot = SLOT_FROM, .value = VALUE_STRING},
	{.name = "importance",
	 .slot = SLOT_IMPORTANCE,
	 .value = VALUE_STRING,
	 .check = check_importance},
	{.name = "options", .slot = SLOT_OPTIONS, .value = VALUE_LIST},
	{.name = "message", .slot = SLOT_MESSAGE, .value = VALUE_STRING},
};

static const struct definition definitions[] = {
	{.name = "notify",
	 .takes = TAKES_FCC,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .tags = notify_tags,
	 .n_tags = countof(notify_tags),
	 .check = check_notify,
	 .run = run_notify},
	{.name = "valid_notify_method",
	 .kind = TEST,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_NAMES}},
	 .test = test_valid},
	{.name = "notify_method_capability",
	 .kind = TEST,
	 .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES},
		    {.kind = VALUE_STRING, .slot = SLOT_ITEM},
		    {.kind = VALUE_LIST, .slot = SLOT_KEYS}},
	 .test = test_capability},
};

static const struct tag tags[] = {
	{.name = "encodeurl",
	 .on = TAKES_SET,
	 .slot = SLOT_ENCODE,
	 .is = &modifier_encodeurl},
};

const struct extension ext_enotify = {.name = "enotify",
				      .definitions = definitions,
				      .n_definitions = countof(definitions),
				      .tags = tags,
				      .n_tags = countof(tags)};
