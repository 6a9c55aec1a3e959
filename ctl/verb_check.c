/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/print.h"
#include "store/check.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

struct checking {
	struct ctl *c;
	json_t *findings; /* NULL: they are printed as they come */
};

static void finding(const struct check_finding *f, void *ctx)
{
	struct checking *ch = ctx;

	if (ch->findings != NULL) {
		json_array_append_new(ch->findings,
				      json_pack("{s:s, s:o, s:b}", "invariant",
						f->invariant, "what",
						print_json_text(str_of(f->what)),
						"repaired", f->repaired));
		return;
	}
	progress_hide(&ch->c->progress);
	printf("%s: ", f->invariant);
	print_visible_to(stdout, str_of(f->what));
	puts(f->repaired ? " (repaired)" : "");
}

static void progress(uint64_t accounts, uint64_t messages, void *ctx)
{
	struct checking *ch = ctx;

	progress_to(&ch->c->progress, accounts + messages);
}

static void print_result(struct checking *ch, const struct check_result *r)
{
	if (ch->findings != NULL) {
		print_json(json_pack("{s:I, s:I, s:I, s:O, s:I, s:b}", "accounts",
				     (json_int_t)r->accounts, "messages",
				     (json_int_t)r->messages, "octets",
				     (json_int_t)r->octets, "findings", ch->findings,
				     "repaired", (json_int_t)r->repaired, "sound",
				     r->findings == r->repaired),
			   stdout);
		return;
	}

	struct buf size;

	buf_init(&size, 32);
	print_size(&size, r->octets);
	printf("accounts %llu, messages %llu, octets %s: ",
	       (unsigned long long)r->accounts, (unsigned long long)r->messages,
	       buf_cstr(&size));
	buf_fini(&size);
	if (r->findings == 0)
		puts("sound");
	else if (r->findings == r->repaired)
		printf("findings %llu, all repaired\n", (unsigned long long)r->findings);
	else
		printf("findings %llu, repaired %llu\n", (unsigned long long)r->findings,
		       (unsigned long long)r->repaired);
}

int verb_check(struct ctl *c, struct err *e)
{
	struct checking ch = {c, ctl_has(c, OPT_JSON) ? json_array() : NULL};
	struct check_result r = {0};
	const struct check_options o = {
		.repair = ctl_has(c, OPT_REPAIR),
		.quick = ctl_has(c, OPT_QUICK),
		.finding = finding,
		.progress = progress,
		.ctx = &ch,
	};

	progress_begin(&c->progress, STDERR_FILENO, "checking accounts and messages", 0);

	int rc = check_run(c->store, &o, &r, e);

	progress_end(&c->progress);
	if (rc == 0)
		print_result(&ch, &r);
	if (rc == 0 && r.findings > r.repaired)
		c->status = EX_DATAERR;
	json_decref(ch.findings);
	return rc;
}
