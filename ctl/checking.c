/* SPDX-License-Identifier: ISC */
#include "ctl/checking.h"

#include "ctl/print.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- signals ----------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt(int number UNUSED)
{
	interrupted = 1;
}

/* watch - what is ignored stays so, as for nohup(1) */
static void watch(int number)
{
	struct sigaction sa = {.sa_handler = interrupt,
			       .sa_flags = SA_RESTART | SA_RESETHAND};
	struct sigaction old;

	sigaction(number, NULL, &old);
	if (old.sa_handler != SIG_IGN)
		sigaction(number, &sa, NULL);
}

static bool stop(void *ctx UNUSED)
{
	return interrupted;
}

/* ---- while it runs -------------------------------------------------------------------- */

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
	fflush(stdout); /* who goes on after a kill does not find it again */
}

static void note(const char *text, void *ctx)
{
	struct checking *ch = ctx;

	progress_hide(&ch->c->progress);
	fprintf(stderr, "popstore: %s: ", ch->c->verb->name);
	print_visible_to(stderr, str_of(text));
	fputc('\n', stderr);
}

static void progress(const struct round_state *now, void *ctx)
{
	struct checking *ch = ctx;
	const struct check_result *r = &now->so_far;

	if (strcmp(ch->phase, now->phase) != 0) {
		snprintf(ch->phase, sizeof ch->phase, "%s", now->phase);
		snprintf(ch->label, sizeof ch->label, "%s %s", ch->doing, ch->phase);
	}
	progress_part(&ch->c->progress, ch->label, now->share, TREE_WHOLE,
		      strcmp(now->phase, "accounts") == 0 ? r->accounts : r->messages);
}

void checking_begin(struct checking *ch, struct ctl *c, const char *doing)
{
	*ch = (struct checking){
		.c = c,
		.doing = doing,
		.findings = ctl_has(c, OPT_JSON) ? json_array() : NULL,
	};
	watch(SIGINT);
	watch(SIGTERM);
	watch(SIGHUP);
	progress_begin(&c->progress, STDERR_FILENO, doing, 0);
}

struct check_options checking_options(struct checking *ch)
{
	return (struct check_options){
		.keep_place = true,
		.resume = ctl_has(ch->c, OPT_RESUME),
		.finding = finding,
		.note = note,
		.progress = progress,
		.stop = stop,
		.ctx = ch,
	};
}

/* ---- the result -------------------------------------------------------------------------- */

static void print_as_json(const struct checking *ch, const struct check_result *r)
{
	print_json(json_pack("{s:I, s:I, s:I, s:O, s:I, s:I, s:b, s:b}", "accounts",
			     (json_int_t)r->accounts, "messages", (json_int_t)r->messages,
			     "octets", (json_int_t)r->octets, "findings", ch->findings,
			     "found", (json_int_t)r->findings, "repaired",
			     (json_int_t)r->repaired, "sound",
			     !r->stopped && r->findings == r->repaired, "stopped",
			     r->stopped),
		   stdout);
}

static void print_counts(const struct check_result *r)
{
	struct buf size;

	buf_init(&size, 32);
	print_size(&size, r->octets);
	printf("accounts %llu, messages %llu, octets %s: ",
	       (unsigned long long)r->accounts, (unsigned long long)r->messages,
	       buf_cstr(&size));
	buf_fini(&size);
}

static void print_result(const struct check_result *r)
{
	print_counts(r);
	if (r->stopped)
		printf("stopped, ");
	if (r->findings == 0)
		puts(r->stopped ? "findings 0 so far" : "sound");
	else if (r->findings == r->repaired)
		printf("findings %llu, all repaired\n", (unsigned long long)r->findings);
	else
		printf("findings %llu, repaired %llu\n", (unsigned long long)r->findings,
		       (unsigned long long)r->repaired);
}

int checking_end(struct checking *ch, int rc)
{
	const struct check_result *r = &ch->result;

	progress_end(&ch->c->progress);
	if (rc == 0 && ch->findings != NULL)
		print_as_json(ch, r);
	else if (rc == 0)
		print_result(r);
	if (rc == 0 && r->stopped) {
		note(r->resumable ? "it was stopped: the same with --resume goes on"
				  : "it was stopped, and cannot be resumed",
		     ch);
		ch->c->status = EX_TEMPFAIL;
	} else if (rc == 0 && r->findings > r->repaired) {
		ch->c->status = EX_DATAERR;
	}
	json_decref(ch->findings);
	return rc;
}
