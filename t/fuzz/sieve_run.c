/* SPDX-License-Identifier: ISC */
/*
 * sieve_run - any script on any message: limits hold, a failure leaves an implicit keep and
 *             nothing else, and whatever the actions name is fit to be performed: folders are
 *             no paths, addresses and fields end no line
 *
 * The input is a script, a NUL, and a message.
 */
#include "sieve/sieve.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 200000, MEMORY = 4 << 20 };

static bool yes(void *ctx, struct str s)
{
	(void)ctx;
	return s.n % 2 != 0;
}

static bool value(void *ctx, struct str item, struct buf *out)
{
	buf_put(out, item);
	return yes(ctx, item);
}

static bool metadata(void *ctx, struct str folder, struct str name, struct buf *out)
{
	buf_put(out, folder);
	return yes(ctx, name);
}

static bool both(void *ctx, struct str a, struct str b)
{
	return yes(ctx, a) && yes(ctx, b);
}

/* include - the script itself, which is a circle, or nothing */
static const struct sieve_script *include(void *ctx, enum sieve_place where,
					  struct str name)
{
	return where == SIEVE_PERSONAL && name.n % 2 ? *(struct sieve_script **)ctx
						     : NULL;
}

static bool one_line(struct str s)
{
	return s.n == 0 ||
	       (memchr(s.p, '\r', s.n) == NULL && memchr(s.p, '\n', s.n) == NULL);
}

/* is_path - upwards, from the root, or with a hole in it */
static bool is_path(struct str s)
{
	while (s.n > 0) {
		bool more = memchr(s.p, '/', s.n) != NULL;
		struct str level = str_cut(&s, '/');

		if (level.n == 0 || str_eq(level, STR("..")) || (more && s.n == 0))
			return true;
	}
	return false;
}

static void fit(const struct sieve_action *a)
{
	must(!is_path(a->filing.folder) && !str_has_control(a->filing.folder));
	must(!str_has_control(a->redirect.address));
	must(a->kind != SIEVE_REDIRECT || a->redirect.address.n > 0 ||
	     a->redirect.list.n > 0);
	must(one_line(a->vacation.subject) && one_line(a->vacation.from));
	must(one_line(a->notify.subject) && one_line(a->notify.from));
	for (size_t i = 0; i < a->notify.to.n; i++)
		must(!str_has_control(a->notify.to.list[i]));
}

static void look_at(const struct sieve_message *m, const struct sieve_result *r)
{
	struct buf out;

	must(r->steps <= STEPS);
	must(!r->failed || (r->n == 1 && r->actions[0].implicit && r->n_edits == 0));
	for (size_t i = 0; i < r->n; i++)
		fit(&r->actions[i]);
	for (size_t i = 0; i < r->n_edits; i++)
		must(one_line(r->edits[i].name) && one_line(r->edits[i].value));
	buf_init(&out, 16 << 20);
	sieve_print(r, &out);
	buf_clear(&out);
	sieve_edited(m, r, r->n_edits, &out);
	buf_fini(&out);
}

static void run(struct sieve_script *s, struct str message, bool stored)
{
	const struct sieve_host host = {&s,   1795950000, 3600,  include, yes, yes,
					both, metadata,   value, yes,     both};
	struct sieve_input in = {.message = sieve_message_new(message, stored, 0),
				 .host = &host};
	const struct sieve_script *scripts[] = {s, s};
	struct sieve_result *r;

	in.envelope.from = STR("s@example.net");
	in.envelope.to = STR("r+d@example.org");
	r = sieve_run(scripts, countof(scripts), &in);
	look_at(in.message, r);
	sieve_result_free(&r);
	sieve_message_free(&in.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sieve_site site = sieve_site_default;
	struct str message = {(const char *)data, size}, text = str_cut(&message, '\0');
	struct sieve_errors e = {0};
	struct sieve_script *s;

	site.limits.steps = STEPS;
	site.limits.memory = MEMORY;
	site.spam = (struct sieve_scanner){
		.field = "x-spam", .pattern = "([0-9.]+)", .max = "5"};
	site.virus = (struct sieve_scanner){
		.field = "x-virus", .kind = SCANNER_LENGTH, .max = "5"};
	s = sieve_compile(text, "fuzz", &site, &e);
	if (s != NULL) {
		run(s, message, false);
		run(s, message, true);
	}
	sieve_script_free(&s);
	sieve_errors_fini(&e);
	return 0;
}
