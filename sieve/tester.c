/* SPDX-License-Identifier: ISC */
#include "sieve/tester_int.h"

#include <string.h>

static bool has_pair(const struct test_pair *list, size_t n, struct str name,
		     struct str value)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name) && str_eq(list[i].value, value))
			return true;
	return false;
}

/* ---- what a script asks its host ------------------------------------------------------------- */

static const struct sieve_script *host_include(void *ctx, enum sieve_place where,
					       struct str name)
{
	struct tester *t = ctx;
	const struct sieve_script *s = NULL;
	struct buf path;

	buf_init(&path, 1024);
	buf_put(&path,
		where == SIEVE_GLOBAL ? STR("included-global/") : STR("included/"));
	buf_put(&path, name);
	buf_put(&path, STR(".sieve"));
	for (size_t i = 0; i < t->n_scripts && s == NULL; i++)
		if (str_eq(str_of(sieve_script_name(t->scripts[i])), buf_str(&path)))
			s = t->scripts[i];
	if (s == NULL)
		s = tester_read(t, buf_str(&path));
	buf_fini(&path);
	return s;
}

static bool host_seen(void *ctx, struct str key)
{
	const struct tester *t = ctx;

	for (size_t i = 0; i < t->n_remembered; i++)
		if (str_eq(t->remembered[i], key))
			return true;
	return false;
}

static bool host_folder_exists(void *ctx, struct str folder)
{
	return tester_folder(ctx, folder, false) != NULL;
}

/* A folder has the use that its name says: "Trash" has "\Trash". */
static bool host_special_use(void *ctx, struct str folder, struct str use)
{
	struct tester *t = ctx;

	if (use.n < 2 || use.p[0] != '\\')
		return false;

	struct str name = {use.p + 1, use.n - 1};

	return (folder.n == 0 || str_ieq(folder, name)) &&
	       tester_folder(t, name, false) != NULL;
}

static bool host_metadata(void *ctx, struct str folder, struct str name, struct buf *out)
{
	const struct tester *t = ctx;

	for (size_t i = t->n_metadata; i > 0; i--) {
		struct str rest = t->metadata[i - 1].name;
		struct str where = str_cut(&rest, '\n');

		if (!str_eq(where, folder) || !str_ieq(rest, name))
			continue;
		buf_put(out, t->metadata[i - 1].value);
		return true;
	}
	return false;
}

static bool host_environment(void *ctx, struct str item, struct buf *out)
{
	static const struct {
		const char *name, *value;
	} items[] = {{"host", "mail.example.org"}, {"domain", "example.org"},
		     {"location", "MDA"},          {"phase", "during"},
		     {"remote-ip", "192.0.2.1"},   {"remote-host", "client.example.net"}};

	(void)ctx;
	for (size_t i = 0; i < countof(items); i++)
		if (str_ieq(item, str_of(items[i].name))) {
			buf_put(out, str_of(items[i].value));
			return true;
		}
	return false;
}

static bool host_list_exists(void *ctx, struct str list)
{
	const struct tester *t = ctx;

	for (size_t i = 0; i < t->n_lists; i++)
		if (str_eq(t->lists[i].name, list))
			return true;
	return false;
}

static bool host_list_has(void *ctx, struct str list, struct str value)
{
	const struct tester *t = ctx;

	return has_pair(t->lists, t->n_lists, list, value);
}

/* ---- life ---------------------------------------------------------------------------------------- */

/* Sunday, 29 November 2026, 12:00:00 +0100 */
enum { TEST_NOW = 1795950000, TEST_ZONE = 3600 };

void tester_init(struct tester *t, const struct sieve_test_host *host)
{
	*t = (struct tester){
		.host = host, .inner = sieve_site_default, .outer = sieve_site_default};
	arena_init(&t->arena, SIZE_MAX);
	t->outer.testsuite = true;
	t->outer.limits.memory = SIZE_MAX;
	t->outer.limits.variables = 4096;
	t->sieve_host = (struct sieve_host){.ctx = t,
					    .now = TEST_NOW,
					    .zone_s = TEST_ZONE,
					    .include = host_include,
					    .seen = host_seen,
					    .folder_exists = host_folder_exists,
					    .special_use_exists = host_special_use,
					    .metadata = host_metadata,
					    .environment = host_environment,
					    .list_exists = host_list_exists,
					    .list_has = host_list_has};
	t->input.host = &t->sieve_host;
	t->input.envelope.from = STR("sender@example.net");
	t->input.envelope.to = STR("recipient@example.org");
	tester_folder(t, STR("INBOX"), true);
	tester_set_message(t, NULL, STR("\r\n"));
}

void tester_fini(struct tester *t)
{
	tester_reset(t);
	for (size_t i = 0; i < t->n_messages; i++)
		sieve_message_free(&t->messages[i]);
	for (size_t i = 0; i < t->n_scripts; i++)
		sieve_script_free(&t->scripts[i]);
	sieve_errors_fini(&t->errors);
	arena_fini(&t->arena);
}

void tester_set_message(struct tester *t, struct run *r, struct str text)
{
	struct sieve_message *m = sieve_message_new(arena_str(&t->arena, text), false, 0);

	t->messages =
		arena_push(&t->arena, t->messages, &t->n_messages, sizeof *t->messages);
	t->messages[t->n_messages - 1] = m;
	t->input.message = m;
	if (r == NULL)
		return;
	r->message = m;
	r->header = &m->header;
	r->part = NULL;
}

bool tester_set(struct tester *t, struct run *r, struct str name, struct str value)
{
	struct sieve_envelope *e = &t->input.envelope;

	value = arena_str(&t->arena, value);
	if (str_ieq(name, STR("message")))
		tester_set_message(t, r, value);
	else if (str_ieq(name, STR("envelope.from")))
		e->from = value;
	else if (str_ieq(name, STR("envelope.to")))
		e->to = value;
	else if (str_ieq(name, STR("envelope.orig_to")))
		e->owner = value;
	else if (str_ieq(name, STR("envelope.auth")))
		e->auth = value;
	else
		return false;
	return true;
}

/* ---- scripts under test ---------------------------------------------------------------------------- */

const struct sieve_script *tester_compile(struct tester *t, struct str text,
					  struct str name)
{
	struct str copy = arena_str(&t->arena, name);

	sieve_errors_fini(&t->errors);
	t->script = sieve_compile(text, copy.p, &t->inner, &t->errors);
	if (t->script == NULL)
		return NULL;
	t->scripts = arena_push(&t->arena, t->scripts, &t->n_scripts, sizeof *t->scripts);
	return t->scripts[t->n_scripts - 1] = (struct sieve_script *)(uintptr_t)t->script;
}

const struct sieve_script *tester_read(struct tester *t, struct str name)
{
	const struct sieve_script *s = NULL;
	struct buf text;

	buf_init(&text, 16 << 20);
	if (t->host->read(t->host->ctx, name, &text))
		s = tester_compile(t, buf_str(&text), name);
	else
		errors_add(&t->errors, (struct place){0, 0},
			   "there is no script " STR_FMT, STR_ARG(name));
	buf_fini(&text);
	return s;
}

bool tester_run(struct tester *t, const struct sieve_script *const *scripts, size_t n)
{
	struct sieve_result *x = sieve_run(scripts, n, &t->input);

	sieve_errors_fini(&t->errors);
	if (x->failed)
		errors_add(&t->errors, (struct place){x->failure.line, x->failure.column},
			   "%s", x->failure.text);
	t->results = arena_push(&t->arena, t->results, &t->n_results, sizeof *t->results);
	t->results[t->n_results - 1] = x;
	return !x->failed;
}

void tester_reset(struct tester *t)
{
	for (size_t i = 0; i < t->n_results; i++)
		sieve_result_free(&t->results[i]);
	t->n_results = 0;
	t->results = NULL;
}

struct test_folder *tester_folder(struct tester *t, struct str name, bool create)
{
	for (size_t i = 0; i < t->n_folders; i++)
		if (str_eq(t->folders[i].name, name))
			return &t->folders[i];
	if (!create)
		return NULL;
	t->folders = arena_push(&t->arena, t->folders, &t->n_folders, sizeof *t->folders);
	t->folders[t->n_folders - 1] =
		(struct test_folder){.name = arena_str(&t->arena, name)};
	return &t->folders[t->n_folders - 1];
}

/* ---- all tests -------------------------------------------------------------------------------------- */

int sieve_test(struct str text, const char *name, const struct sieve_test_host *host,
	       struct sieve_test_count *count, struct sieve_errors *errors,
	       struct sieve_failure *failure)
{
	struct tester t;
	struct sieve_script *s;
	int rc = -1;

	tester_init(&t, host);
	s = sieve_compile(text, name, &t.outer, errors);
	if (s != NULL) {
		struct run r;

		run_begin(&r, &t.outer, &t.input);
		r.tester = &t;
		run_script(&r, s);
		*failure = r.result->failure;
		failure->script = name;
		rc = r.failed ? -1 : 0;
		sieve_result_free(&r.result);
		sieve_script_free(&s);
	}
	*count = t.count;
	tester_fini(&t);
	return rc;
}
