/* SPDX-License-Identifier: ISC */
#include "ctl/scripts.h"

#include "ctl/print.h"
#include "sieve/testsuite.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* A file of tests, and the scripts beside it that it names. */
struct tests {
	struct ctl *ctl;
	const char *path;
	json_t *json; /* NULL: in words */
};

static bool read_script(void *ctx, struct str name, struct buf *out)
{
	const struct tests *t = ctx;
	const char *slash = strrchr(t->path, '/');
	struct buf path;
	struct err e;
	bool ok;

	buf_init(&path, 4096);
	if (slash != NULL)
		buf_put(&path, (struct str){t->path, (size_t)(slash + 1 - t->path)});
	buf_put(&path, name);
	ok = !buf_over(&path) && scripts_read(buf_cstr(&path), out, &e) == 0;
	buf_fini(&path);
	return ok;
}

static void report(void *ctx, struct str name, struct str failure)
{
	struct tests *t = ctx;

	if (t->json != NULL) {
		json_t *o = json_object();

		json_object_set_new(o, "file", print_json_text(str_of(t->path)));
		json_object_set_new(o, "test", print_json_text(name));
		json_object_set_new(o, "failure",
				    failure.n > 0 ? print_json_text(failure)
						  : json_null());
		json_array_append_new(t->json, o);
	} else if (failure.n > 0) {
		printf("%s: ", t->path);
		print_visible_to(stdout, name);
		printf(": failed, ");
		print_visible_to(stdout, failure);
		putchar('\n');
	}
}

static void print_text(void *ctx, struct str text)
{
	(void)ctx;
	while (text.n > 0) {
		print_visible_to(stdout, str_cut(&text, '\n'));
		putchar('\n');
	}
}

/* broken - the file does not compile, or went wrong outside of its tests */
static void broken(struct ctl *c, const char *path, const struct sieve_errors *errors,
		   const struct sieve_failure *f)
{
	struct err e;

	scripts_complain(c, path, errors);
	if (errors->n > 0)
		return;
	err_set(&e, ERR_PERM, "5.6.0", "%s:%u: %s", path, (unsigned)f->line, f->text);
	c->status = EX_DATAERR;
	ctl_complain(c, &e);
}

static int run_file(struct tests *t, struct sieve_test_count *sum, struct err *e)
{
	const struct sieve_test_host host = {t, read_script, report, print_text};
	struct sieve_test_count count = {0};
	struct sieve_errors errors = {0};
	struct sieve_failure failure = {0};
	struct buf text;
	int rc;

	buf_init(&text, SCRIPTS_FILE_MAX);
	rc = scripts_read(t->path, &text, e);
	if (rc == 0 &&
	    sieve_test(buf_str(&text), t->path, &host, &count, &errors, &failure) < 0)
		broken(t->ctl, t->path, &errors, &failure);
	sum->passed += count.passed;
	sum->failed += count.failed;
	sieve_errors_fini(&errors);
	buf_fini(&text);
	return rc;
}

int verb_sieve_test(struct ctl *c, struct err *e)
{
	struct sieve_test_count sum = {0};
	struct tests t = {.ctl = c, .json = ctl_has(c, OPT_JSON) ? json_array() : NULL};
	int rc = 0;

	for (size_t i = 0; i < c->options.n && rc == 0; i++) {
		t.path = c->options.operands[i];
		rc = run_file(&t, &sum, e);
	}
	if (t.json != NULL)
		print_json(t.json, stdout);
	else
		printf("%zu passed, %zu failed\n", sum.passed, sum.failed);
	if (sum.failed > 0 && c->status == EX_OK)
		c->status = EX_DATAERR;
	return rc;
}
