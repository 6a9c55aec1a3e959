/* SPDX-License-Identifier: ISC */
/* RFC 5228 section 4: keep, discard, redirect */
#include "sieve/extensions_int.h"

#include "mail/address.h"
#include "sieve/extlists_int.h"
#include "sieve/filing_int.h"
#include "sieve/redirect_int.h"

static enum flow run_keep(struct run *r, const struct node *n)
{
	struct sieve_filing f = {.folder = STR("INBOX")};

	if (!filing_take(r, n, &f))
		return FLOW_FAIL;
	r->cancelled = true;
	return filing_add(r, SIEVE_KEEP, &f, false);
}

static enum flow run_discard(struct run *r, const struct node *n)
{
	struct sieve_result *x = r->result;

	(void)n;
	r->cancelled = true;
	for (size_t i = 0; i < x->n; i++)
		if (x->actions[i].kind == SIEVE_DISCARD)
			return FLOW_NEXT;
	return run_action(r, SIEVE_DISCARD) ? FLOW_NEXT : FLOW_FAIL;
}

/* ---- redirect ---------------------------------------------------------------------------- */

static bool check_redirect(struct checker *c, struct node *n)
{
	const struct str *to = checker_fixed(n, SLOT_VALUE);
	struct buf out;
	bool ok;

	if (c->site->no_redirect)
		return checker_error(c, n->at, "redirect is not available here");
	if (!redirect_check(c, n))
		return false;
	if (to == NULL || node_has(n, SLOT_LIST))
		return true;
	buf_init(&out, 1024);
	ok = redirect_address(*to, &out);
	buf_fini(&out);
	return ok || checker_error(c, node_arg(n, SLOT_VALUE)->at,
				   "'" STR_FMT "' is no address", STR_ARG(*to));
}

bool redirect_address(struct str s, struct buf *out)
{
	struct address a;

	/* RFC 5228 section 4.2: an addr-spec, and no group or name around it */
	if (address_parse(s, true, &a) != ADDRESS_OK || a.domain[0] == '\0')
		return false;
	address_print(out, &a);
	return !buf_over(out);
}

/* find_redirect - to the same place */
static struct sieve_action *find_redirect(struct run *r, const struct sieve_redirect *to)
{
	for (size_t i = 0; i < r->result->n; i++) {
		struct sieve_action *a = &r->result->actions[i];

		if (a->kind == SIEVE_REDIRECT &&
		    str_ieq(a->redirect.address, to->address) &&
		    str_eq(a->redirect.list, to->list))
			return a;
	}
	return NULL;
}

/* take_list - RFC 6134 section 2.8: the host knows who is in it */
static bool take_list(struct run *r, struct str name, struct sieve_redirect *to)
{
	const struct sieve_host *h = r->in->host;

	to->list = extlists_name(r, name);
	if (h->list_exists == NULL || !h->list_exists(h->ctx, to->list))
		run_fail(r, "redirect: there is no list '" STR_FMT "'", STR_ARG(name));
	return !r->failed;
}

static bool take_target(struct run *r, const struct node *n, struct sieve_redirect *to)
{
	struct str s = run_string(r, n, SLOT_VALUE);
	struct buf out;
	bool ok;

	if (node_has(n, SLOT_LIST))
		return take_list(r, s, to);
	buf_init(&out, 1024);
	ok = redirect_address(s, &out);
	to->address = run_take(r, &out);
	if (!ok)
		run_fail(r, "redirect: '" STR_FMT "' is no address", STR_ARG(s));
	return ok;
}

static enum flow run_redirect(struct run *r, const struct node *n)
{
	struct sieve_redirect to = {.address = {"", 0}};
	struct sieve_action *a;

	if (!take_target(r, n, &to) || !redirect_options(r, n, &to))
		return FLOW_FAIL;
	if (!node_has(n, SLOT_COPY))
		r->cancelled = true;
	a = find_redirect(r, &to);
	if (a != NULL) {
		a->copy = a->copy && node_has(n, SLOT_COPY);
		return FLOW_NEXT;
	}
	if (++r->redirects > r->site->limits.redirects)
		return run_fail(r, "too many redirects");
	a = run_action(r, SIEVE_REDIRECT);
	if (a == NULL)
		return FLOW_FAIL;
	a->redirect = to;
	a->copy = node_has(n, SLOT_COPY);
	return FLOW_NEXT;
}

static const struct definition definitions[] = {
	{.name = "keep", .takes = TAKES_FLAGS, .run = run_keep},
	{.name = "discard", .run = run_discard},
	{.name = "redirect",
	 .takes = TAKES_COPY | TAKES_REDIRECT,
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .check = check_redirect,
	 .run = run_redirect},
};

const struct extension core_actions = {.always = true,
				       .definitions = definitions,
				       .n_definitions = countof(definitions)};
