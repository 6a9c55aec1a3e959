/* SPDX-License-Identifier: ISC */
/* reject and ereject (RFC 5429): the message is refused, with a text for its sender */
#include "sieve/extensions_int.h"

static bool is_refused(const struct run *r)
{
	for (size_t i = 0; i < r->result->n; i++) {
		enum sieve_action_kind kind = r->result->actions[i].kind;

		if (kind == SIEVE_REJECT || kind == SIEVE_EREJECT)
			return true;
	}
	return false;
}

static enum flow refuse(struct run *r, const struct node *n, enum sieve_action_kind kind)
{
	struct str reason = run_string(r, n, SLOT_VALUE);
	struct sieve_action *a;

	if (is_refused(r))
		return run_fail(r, "the message was refused already");
	a = run_action(r, kind);
	if (a == NULL)
		return FLOW_FAIL;
	a->reason = reason;
	r->cancelled = true;
	return FLOW_NEXT;
}

static enum flow run_reject(struct run *r, const struct node *n)
{
	return refuse(r, n, SIEVE_REJECT);
}

static enum flow run_ereject(struct run *r, const struct node *n)
{
	return refuse(r, n, SIEVE_EREJECT);
}

static const struct definition reject[] = {
	{.name = "reject",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .run = run_reject},
};

static const struct definition ereject[] = {
	{.name = "ereject",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .run = run_ereject},
};

const struct extension ext_reject = {
	.name = "reject", .definitions = reject, .n_definitions = countof(reject)};
const struct extension ext_ereject = {
	.name = "ereject", .definitions = ereject, .n_definitions = countof(ereject)};
