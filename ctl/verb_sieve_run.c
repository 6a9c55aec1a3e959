/* SPDX-License-Identifier: ISC */
#include "ctl/scripts.h"

#include "ctl/print.h"

#include <stdio.h>
#include <sysexits.h>
#include <time.h>

static void print_json_result(const struct sieve_result *r, struct str printed)
{
	json_t *o = json_object(), *actions = json_array();

	while (printed.n > 0)
		json_array_append_new(actions, print_json_text(str_cut(&printed, '\n')));
	json_object_set_new(o, "actions", actions);
	json_object_set_new(o, "steps", json_integer((json_int_t)r->steps));
	json_object_set_new(o, "failure",
			    r->failed ? print_json_text(str_of(r->failure.text))
				      : json_null());
	print_json(o, stdout);
}

static void print_result(struct ctl *c, const struct sieve_result *r)
{
	struct buf out;

	if (r->failed) {
		struct err e;

		err_set(&e, ERR_PERM, "5.6.0", "%s:%u: %s", r->failure.script,
			(unsigned)r->failure.line, r->failure.text);
		c->status = EX_DATAERR;
		ctl_complain(c, &e);
	}
	buf_init(&out, SCRIPTS_FILE_MAX);
	sieve_print(r, &out);
	if (ctl_has(c, OPT_JSON))
		print_json_result(r, buf_str(&out));
	else
		for (struct str rest = buf_str(&out); rest.n > 0;) {
			print_visible_to(stdout, str_cut(&rest, '\n'));
			putchar('\n');
		}
	buf_fini(&out);
}

static struct str address(const struct ctl *c, enum option x, const char *otherwise)
{
	const char *given = ctl_value(c, x);

	return str_of(given ? given : otherwise);
}

static void run(struct ctl *c, const struct sieve_script *s, struct str message)
{
	struct scripts scripts;
	struct sieve_host host = {
		.ctx = &scripts, .now = time(NULL), .include = scripts_include};
	struct sieve_input in = {.host = &host};
	struct sieve_result *r;

	scripts_init(&scripts, c, sieve_script_name(s));
	in.message = sieve_message_new(message, false, 0);
	in.envelope.from = address(c, OPT_SENDER, "sender@example.com");
	in.envelope.to = address(c, OPT_RECIPIENT, "recipient@example.com");
	r = sieve_run(&s, 1, &in);
	print_result(c, r);
	sieve_result_free(&r);
	sieve_message_free(&in.message);
	scripts_fini(&scripts);
}

int verb_sieve_run(struct ctl *c, struct err *e)
{
	const char *path = c->options.operands[0];
	struct sieve_script *s = NULL;
	struct buf text, message;
	int rc;

	buf_init(&text, SCRIPTS_FILE_MAX);
	buf_init(&message, SCRIPTS_FILE_MAX);
	rc = scripts_read(path, &text, e) < 0 ||
			     scripts_read(c->options.operands[1], &message, e) < 0
		     ? -1
		     : 0;
	if (rc == 0)
		s = scripts_compile(c, buf_str(&text), path);
	if (s != NULL)
		run(c, s, buf_str(&message));
	sieve_script_free(&s);
	buf_fini(&message);
	buf_fini(&text);
	return rc;
}
