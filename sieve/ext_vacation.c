/* SPDX-License-Identifier: ISC */
/* vacation (RFC 5230) and vacation-seconds (RFC 6131) */
#include "sieve/extensions_int.h"

#include "mail/address_list.h"
#include "sieve/digest_int.h"
#include "sieve/fcc_int.h"
#include "sieve/reply_int.h"

/* What a number of :days or :seconds is multiplied with. */
static const uint32_t days = 86400, seconds = 1;

static uint32_t interval(const struct run *r, const struct node *n)
{
	const struct sieve_site *site = r->site;
	const struct arg *a = node_arg(n, SLOT_TIME);
	uint64_t s, min = site->vacation_min_s;

	if (a == NULL)
		return site->vacation_default_s;
	/* RFC 6131 section 2: 0 seconds is each time, where the site lets it be */
	if (*(const uint32_t *)a->is == seconds && a->number == 0)
		return 0;
	if (a->number > site->vacation_max_s)
		return site->vacation_max_s;
	s = a->number * *(const uint32_t *)a->is;
	if (*(const uint32_t *)a->is == seconds)
		min = 0;
	return (uint32_t)(s < min                    ? min
			  : s > site->vacation_max_s ? site->vacation_max_s
						     : s);
}

static struct str subject(struct run *r, const struct node *n)
{
	struct buf out;
	struct field *f;

	if (node_has(n, SLOT_SUBJECT))
		return run_one_line(r, run_string(r, n, SLOT_SUBJECT));
	f = header_find(r->header, STR("subject"), NULL);
	buf_init(&out, r->site->limits.string_octets);
	buf_put(&out, f ? STR("Auto: ") : STR("Automated reply"));
	if (f != NULL)
		buf_put(&out, field_value(&r->message->arena, f));
	return run_one_line(r, run_take(r, &out));
}

/* handle - RFC 5230 section 4.2: another text is another answer, if no handle was given */
static struct str handle(struct run *r, const struct node *n,
			 const struct sieve_vacation *v)
{
	struct str given[] = {STR("handle"), run_string(r, n, SLOT_HANDLE)};
	struct str made[] = {v->reason, run_string(r, n, SLOT_SUBJECT), v->from,
			     v->mime ? STR("mime") : STR("text")};

	return node_has(n, SLOT_HANDLE) ? digest(r, given, countof(given))
					: digest(r, made, countof(made));
}

static bool has_answered(const struct run *r)
{
	for (size_t i = 0; i < r->result->n; i++)
		if (r->result->actions[i].kind == SIEVE_VACATION)
			return true;
	return false;
}

static enum flow run_vacation(struct run *r, const struct node *n)
{
	struct sieve_vacation v = {.seconds = interval(r, n),
				   .to = r->in->envelope.from,
				   .from = run_one_line(r, run_string(r, n, SLOT_FROM)),
				   .reason = run_string(r, n, SLOT_VALUE),
				   .subject = subject(r, n),
				   .mime = node_has(n, SLOT_MIME)};
	struct sieve_filing fcc = {.folder = {"", 0}};
	struct sieve_action *a;

	if (has_answered(r))
		return run_fail(r, "vacation was used already");
	v.handle = handle(r, n, &v);
	v.withheld = reply_withheld(r, run_strings(r, n, SLOT_ADDRESSES));
	if (r->failed || !fcc_take(r, n, &fcc))
		return FLOW_FAIL;
	a = run_action(r, SIEVE_VACATION);
	if (a == NULL)
		return FLOW_FAIL;
	a->vacation = v;
	a->filing = fcc;
	return FLOW_NEXT;
}

/* ---- checks ----------------------------------------------------------------------------- */

/* A From may have a name: "Alice <alice@example.org>". */
static bool check_from(struct checker *c, struct node *n, const struct arg *a)
{
	struct arena arena;
	bool ok;

	(void)n;
	if (a->texts.list[0].n > 0)
		return true;
	arena_init(&arena, SIZE_MAX);
	ok = address_list_parse(&arena, a->texts.list[0].fixed)->n == 1 &&
	     !str_has_control(a->texts.list[0].fixed);
	arena_fini(&arena);
	return ok || checker_error(c, a->at, ":from: '" STR_FMT "' is no address",
				   STR_ARG(a->texts.list[0].fixed));
}

static const struct tag vacation_tags[] = {
	{.name = "days", .slot = SLOT_TIME, .value = VALUE_NUMBER, .is = &days},
	{.name = "subject", .slot = SLOT_SUBJECT, .value = VALUE_STRING},
	{.name = "from", .slot = SLOT_FROM, .value = VALUE_STRING, .check = check_from},
	{.name = "addresses", .slot = SLOT_ADDRESSES, .value = VALUE_LIST},
	{.name = "mime", .slot = SLOT_MIME},
	{.name = "handle", .slot = SLOT_HANDLE, .value = VALUE_STRING},
};

static const struct definition definitions[] = {
	{.name = "vacation",
	 .takes = TAKES_VACATION | TAKES_FCC,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .tags = vacation_tags,
	 .n_tags = countof(vacation_tags),
	 .check = fcc_check,
	 .run = run_vacation},
};

const struct extension ext_vacation = {.name = "vacation",
				       .definitions = definitions,
				       .n_definitions = countof(definitions)};

static const struct tag seconds_tags[] = {
	{.name = "seconds",
	 .on = TAKES_VACATION,
	 .slot = SLOT_TIME,
	 .value = VALUE_NUMBER,
	 .is = &seconds},
};

const struct extension ext_vacation_seconds = {.name = "vacation-seconds",
					       .tags = seconds_tags,
					       .n_tags = countof(seconds_tags),
					       .implies = &ext_vacation};
