/* SPDX-License-Identifier: ISC */
/* duplicate (RFC 7352): was a message with this id here before? */
#include "sieve/extensions_int.h"

#include "sieve/digest_int.h"

/* A :header names a field, a :uniqueid is the id itself. */
static const bool is_header = true, is_value = false;

/* unique_id - false: the message has none, and is no duplicate of anything */
static bool unique_id(struct run *r, const struct node *n, struct str *id)
{
	const struct arg *a = node_arg(n, SLOT_ID);
	struct str name = a ? run_text(r, &a->texts.list[0]) : STR("message-id");
	struct field *f;

	if (a != NULL && !*(const bool *)a->is) {
		*id = name;
		return true;
	}
	f = header_find(r->header, name, NULL);
	if (f == NULL)
		return false;
	*id = field_value(&r->message->arena, f);
	return id->n > 0;
}

static uint32_t seconds(const struct run *r, const struct node *n)
{
	const struct arg *a = node_arg(n, SLOT_TIME);
	const struct sieve_site *site = r->site;

	if (a == NULL)
		return site->duplicate_default_s;
	return a->number > site->duplicate_max_s ? site->duplicate_max_s
						 : (uint32_t)a->number;
}

/* remember - once the message has been dealt with, and not before: it may come again */
static void remember(struct run *r, struct str key, uint32_t for_s)
{
	struct sieve_result *x = r->result;

	if (x->n_tracks >= r->site->limits.actions) {
		run_fail(r, "too many ids to remember");
		return;
	}
	x->tracks = arena_push(r->arena, x->tracks, &x->n_tracks, sizeof *x->tracks);
	x->tracks[x->n_tracks - 1] = (struct sieve_track){key, for_s};
}

static bool test_duplicate(struct run *r, const struct node *n)
{
	const struct sieve_host *h = r->in->host;
	struct str parts[3] = {STR("duplicate"), run_string(r, n, SLOT_HANDLE)};
	struct str key;
	bool seen;

	if (!unique_id(r, n, &parts[2]))
		return false;
	key = digest(r, parts, countof(parts));
	seen = h->seen != NULL && h->seen(h->ctx, key);
	/* RFC 7352 section 3: with :last it is remembered anew each time */
	if (!seen || node_has(n, SLOT_LAST))
		remember(r, key, seconds(r, n));
	return seen;
}

static const struct tag duplicate_tags[] = {
	{.name = "handle", .slot = SLOT_HANDLE, .value = VALUE_STRING},
	{.name = "header", .slot = SLOT_ID, .value = VALUE_STRING, .is = &is_header},
	{.name = "uniqueid", .slot = SLOT_ID, .value = VALUE_STRING, .is = &is_value},
	{.name = "seconds", .slot = SLOT_TIME, .value = VALUE_NUMBER},
	{.name = "last", .slot = SLOT_LAST},
};

static const struct definition definitions[] = {
	{.name = "duplicate",
	 .kind = TEST,
	 .tags = duplicate_tags,
	 .n_tags = countof(duplicate_tags),
	 .test = test_duplicate},
};

const struct extension ext_duplicate = {.name = "duplicate",
					.definitions = definitions,
					.n_definitions = countof(definitions)};
