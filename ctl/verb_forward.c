/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/forwardings.h"

/* take_target - an address as it stands in an envelope, with or without < > */
static int take_target(struct str s, struct address *out, struct err *e)
{
	if (s.n > 1 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = (struct str){s.p + 1, s.n - 2};
	if (address_parse(s, true, out) != ADDRESS_OK)
		return err_set(e, ERR_PERM, "5.1.3", "'" STR_FMT "' is not an address",
			       STR_ARG(s));
	if (out->domain[0] == '\0')
		return err_set(e, ERR_PERM, "5.1.3",
			       "'" STR_FMT "' has no domain: say name@domain",
			       STR_ARG(s));
	return 0;
}

static int take_targets(const struct ctl *c, struct forwarding *f, struct err *e)
{
	size_t n = c->options.n - 1;

	if (n > FORWARDING_TARGETS)
		return err_set(e, ERR_PERM, "5.5.3", "at most %d addresses",
			       FORWARDING_TARGETS);
	f->targets = xalloc(n * sizeof *f->targets);
	for (; f->n < n; f->n++)
		if (take_target(ctl_operand(c, f->n + 1), &f->targets[f->n], e) < 0)
			return -1;
	return 0;
}

int verb_forward(struct ctl *c, struct err *e)
{
	struct forwarding f = {0};
	int rc = name_parse(c->settings, ctl_operand(c, 0), &f.name, e);

	if (rc == 0)
		rc = take_targets(c, &f, e);
	if (rc == 0)
		rc = forwarding_put(c->store, &f, e);
	if (rc == 0)
		ctl_done(c, str_of(f.name.s), "forwarded");
	forwarding_fini(&f);
	return rc;
}
