/* SPDX-License-Identifier: ISC */
#include "store/verdict.h"

#include "store/domain.h"
#include "store/sender.h"
#include "store/standing.h"
#include "store/store.h"

#include <string.h>

static const struct row {
	unsigned smtp;
	const char *dsn, *word, *text;
} rows[] = {
	/* clang-format off */
	[VERDICT_OK]            = {250, "2.1.5", "ok",            "recipient ok"},
	[VERDICT_FORWARD]       = {250, "2.1.5", "forward",       "recipient ok, will be forwarded"},
	[VERDICT_NOT_OURS]      = {550, "5.1.2", "not-ours",      "this store does not hold mail for that domain"},
	[VERDICT_BAD_ADDRESS]   = {553, "5.1.3", "bad-address",   "the address is not well formed"},
	[VERDICT_NO_USER]       = {550, "5.1.1", "no-user",       "no such user here"},
	[VERDICT_NOT_RECEIVING] = {550, "5.2.1", "not-receiving", "this mailbox does not accept mail"},
	[VERDICT_OVER_QUOTA]    = {452, "4.2.2", "over-quota",    "mailbox is full, try again later"},
	[VERDICT_TOO_LARGE]     = {552, "5.2.3", "too-large",     "the message is larger than this mailbox can ever hold"},
	[VERDICT_FORGED]        = {550, "5.7.1", "forged",        "this return address is forged or has expired"},
	[VERDICT_TRY_AGAIN]     = {451, "4.3.0", "try-again",     "mail store is not available, try again later"},
	/* clang-format on */
};

/* What OVER_QUOTA is where the operator wants senders to know at once. */
static const struct row over_quota_reject = {552, "5.2.2", "over-quota",
					     "mailbox is full"};

void verdict_set(struct store *s, enum verdict_code code, struct verdict *out)
{
	const struct row *row = &rows[code];

	if (code == VERDICT_OVER_QUOTA &&
	    store_settings(s)->store.over_quota == OVER_QUOTA_REJECT)
		row = &over_quota_reject;
	out->code = code;
	out->smtp = row->smtp;
	out->dsn = row->dsn;
	out->word = row->word;
	out->text = row->text;
}

bool verdict_accepts(const struct verdict *v)
{
	return v->code == VERDICT_OK || v->code == VERDICT_FORWARD;
}

void verdict_fini(struct verdict *v)
{
	forwarding_fini(&v->forwarding);
}

enum verdict_code verdict_quota(const struct account *a, uint64_t used, uint64_t size)
{
	uint64_t most;

	if (a->quota == QUOTA_NONE)
		return VERDICT_OK;
	most = a->overdraft > UINT64_MAX - a->quota ? UINT64_MAX
						    : a->quota + a->overdraft;
	if (size > most)
		return VERDICT_TOO_LARGE;
	if (used > a->quota || used > most - size)
		return VERDICT_OVER_QUOTA;
	return VERDICT_OK;
}

/* ---- who is it? --------------------------------------------------------------------- */

/* look - is this very name an account or a forwarding? */
static int look(struct store *s, const struct name *name, struct verdict *out,
		bool *found, struct err *e)
{
	if (account_find(s, name, &out->account, found, e) < 0)
		return -1;
	if (*found) {
		out->name = *name;
		out->code = VERDICT_OK;
		return 0;
	}
	if (forwarding_find(s, name, &out->forwarding, found, e) < 0)
		return -1;
	if (*found) {
		out->name = *name;
		out->code = VERDICT_FORWARD;
	}
	return 0;
}

/* look_in_domain - the exact name, then the name without its detail */
static int look_in_domain(struct store *s, const struct domain *d, struct str local,
			  struct verdict *out, struct err *e)
{
	struct err not_a_name;
	struct name name;
	bool found = false;

	if (name_of(store_settings(s), local, str_of(d->name.s), &name, &not_a_name) ==
	    0) {
		out->name = name;
		if (look(s, &name, out, &found, e) < 0)
			return -1;
	}
	if (found)
		return 0;

	struct str detail;

	out->code = VERDICT_NO_USER;
	if (!domain_cut_detail(d, &local, &detail))
		return 0;
	if (name_of(store_settings(s), local, str_of(d->name.s), &name, &not_a_name) < 0)
		return 0;
	return look(s, &name, out, &found, e);
}

/* may_receive - of an account that is there */
static int may_receive(struct store *s, const struct account *a, uint64_t size,
		       enum verdict_code *code, struct err *e)
{
	struct account_usage use = {0};

	*code = VERDICT_NOT_RECEIVING;
	if (account_is_template(a) || (a->flags & ACCOUNT_DISMAIL))
		return 0;
	if (a->quota != QUOTA_NONE && account_usage(s, a, &use, e) < 0)
		return -1;
	*code = verdict_quota(a, use.octets, size);
	return 0;
}

/* look_for_return - is it a return address of ours, and whose? */
static int look_for_return(struct store *s, const struct domain *d,
			   const struct address *a, struct verdict *out, bool *found,
			   struct err *e)
{
	struct address home;
	enum srs_result result;

	if (sender_reverse(s, a, &home, &result, e) < 0)
		return -1;
	*found = result != SRS_NONE;
	if (!*found)
		return 0;
	out->name = d->name;
	out->code = VERDICT_FORGED;
	if (result != SRS_OK)
		return 0;
	out->code = VERDICT_FORWARD;
	out->returns = true;
	out->forwarding.name = d->name;
	out->forwarding.n = 1;
	out->forwarding.targets = xalloc(sizeof home);
	out->forwarding.targets[0] = home;
	return 0;
}

static int judge(struct store *s, const struct address *a, uint64_t size,
		 struct verdict *out, struct err *e)
{
	struct domain d;
	bool found;

	if (domain_resolve(s, str_of(a->domain), &d, &found, e) < 0)
		return -1;
	if (!found) {
		out->code = VERDICT_NOT_OURS;
		return 0;
	}
	if (look_for_return(s, &d, a, out, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (look_in_domain(s, &d, str_of(a->local), out, e) < 0)
		return -1;
	if (out->code != VERDICT_OK)
		return 0;
	return may_receive(s, &out->account, size, &out->code, e);
}

void verdict_of_address(struct store *s, const struct address *a, uint64_t size,
			struct verdict *out)
{
	*out = (struct verdict){0};
	if (judge(s, a, size, out, &out->why) < 0 ||
	    (verdict_accepts(out) && store_takes_mail(s, &out->why) < 0))
		out->code = VERDICT_TRY_AGAIN;
	verdict_set(s, out->code, out);
}

static void verdict_of_parsed(struct store *s, enum address_result parsed,
			      const struct address *a, uint64_t size, struct verdict *out)
{
	if (parsed == ADDRESS_OK) {
		verdict_of_address(s, a, size, out);
		return;
	}
	*out = (struct verdict){0};
	verdict_set(s, VERDICT_BAD_ADDRESS, out);
}

void verdict_of(struct store *s, struct str recipient, uint64_t size, struct verdict *out)
{
	struct address a;

	verdict_of_parsed(s, address_parse(recipient, true, &a), &a, size, out);
}

void verdict_of_plain(struct store *s, struct str recipient, uint64_t size,
		      struct verdict *out)
{
	struct address a;

	verdict_of_parsed(s, address_parse_plain(recipient, true, &a), &a, size, out);
}
