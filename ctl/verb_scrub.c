/* SPDX-License-Identifier: ISC */
#include "ctl/checking.h"

#include "store/scrub.h"

#include <string.h>

/* A disk does ten times as much, and a day is long. */
enum { RATE_DEFAULT = 10 << 20 };

static int read_rate(const char *value, uint64_t *out, struct err *e)
{
	*out = RATE_DEFAULT;
	if (value == NULL)
		return 0;
	if (strcmp(value, "none") == 0)
		*out = 0;
	else if (!str_size(str_of(value), out))
		return ctl_usage_error(
			e, "--rate takes octets a second, as 10M, or none, not '%s'",
			value);
	return 0;
}

int verb_scrub(struct ctl *c, struct err *e)
{
	struct checking ch;
	struct check_options o;
	uint64_t rate;
	int rc;

	if (read_rate(ctl_value(c, OPT_RATE), &rate, e) < 0)
		return -1;
	checking_begin(&ch, c, "scrubbing");
	o = checking_options(&ch);
	rc = scrub_run(c->store, &o, rate, &ch.result, e);
	if (rc == 0 && ch.result.findings > 0 && !ch.result.stopped)
		o.note("`popstore check --repair` mends what can be proved; the rest has "
		       "to come from a backup",
		       &ch);
	return checking_end(&ch, rc);
}
