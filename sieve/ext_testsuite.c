/* SPDX-License-Identifier: ISC */
/* vnd.dovecot.testsuite: the commands and tests with which Sieve tests itself */
#include "sieve/extensions_int.h"

#include "sieve/tester_int.h"

/* ---- test, test_fail -------------------------------------------------------------------------- */

static bool check_test(struct checker *c, struct node *n)
{
	return c->n_up == 0 ||
	       checker_error(c, n->at, "tests do not stand within other commands");
}

/* failure_text - why the test failed: by test_fail, or because the engine stopped it */
static struct str failure_text(struct run *r)
{
	struct buf out;

	if (r->tester->failed)
		return r->tester->failure;
	if (!r->failed)
		return (struct str){"", 0};
	buf_init(&out, 512);
	buf_printf(&out, "line %u: %s", (unsigned)r->result->failure.line,
		   r->result->failure.text);
	return run_take(r, &out);
}

static enum flow run_test_command(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;
	struct str name = run_string(r, n, SLOT_NAMES), failure;

	t->failed = false;
	r->result->steps = 0;
	run_block(r, n->block, n->n_block);
	failure = failure_text(r);
	if (failure.n > 0 || t->failed)
		t->count.failed++;
	else
		t->count.passed++;
	t->host->report(t->host->ctx, name, failure);
	r->failed = false;
	return FLOW_NEXT;
}

static enum flow run_test_fail(struct run *r, const struct node *n)
{
	struct buf out;

	buf_init(&out, 4096);
	buf_printf(&out, "line %u: ", (unsigned)n->at.line);
	buf_put(&out, run_string(r, n, SLOT_VALUE));
	r->tester->failed = true;
	r->tester->failure = run_take(r, &out);
	return FLOW_STOP;
}

/* ---- message and envelope ------------------------------------------------------------------------ */

static enum flow run_test_set(struct run *r, const struct node *n)
{
	struct str name = run_string(r, n, SLOT_NAMES);

	if (!tester_set(r->tester, r, name, run_string(r, n, SLOT_VALUE)))
		return run_fail(r, "test_set: there is no '" STR_FMT "'", STR_ARG(name));
	return FLOW_NEXT;
}

static const bool in_queue = true, in_folder = false;

static bool select_message(struct run *r, const struct node *n)
{
	const bool *queue = node_arg(n, SLOT_MESSAGE)->is;
	struct str name = *queue ? STR("") : run_string(r, n, SLOT_MESSAGE);
	const struct test_folder *f = tester_folder(r->tester, name, false);
	uint64_t i = node_arg(n, SLOT_LIMIT)->number;

	if (f == NULL || i >= f->n)
		return false;
	tester_set_message(r->tester, r, f->messages[i]);
	return true;
}

static enum flow run_test_message(struct run *r, const struct node *n)
{
	return select_message(r, n) ? FLOW_NEXT
				    : run_fail(r, "test_message: there is none");
}

static bool check_message(struct checker *c, struct node *n)
{
	return node_has(n, SLOT_MESSAGE) ||
	       checker_error(c, n->at, "'test_message' needs :smtp or :folder");
}

/* ---- scripts --------------------------------------------------------------------------------------- */

static bool test_compile(struct run *r, const struct node *n)
{
	struct str text = run_string(r, n, SLOT_VALUE);

	if (node_has(n, SLOT_BODY))
		return tester_compile(r->tester, text, STR("test")) != NULL;
	return tester_read(r->tester, text) != NULL;
}

static bool test_run(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;

	if (t->script == NULL) {
		run_fail(r, "test_script_run: no script was compiled");
		return false;
	}
	if (!node_has(n, SLOT_COPY))
		tester_reset(t);
	return tester_run(t, &t->script, 1);
}

static bool test_multiscript(struct run *r, const struct node *n)
{
	struct sieve_strings names = run_strings(r, n, SLOT_VALUE);
	const struct sieve_script **list = arena_alloc(r->arena, names.n * sizeof *list);

	for (size_t i = 0; i < names.n; i++) {
		list[i] = node_has(n, SLOT_BODY)
				  ? tester_compile(r->tester, names.list[i], STR("test"))
				  : tester_read(r->tester, names.list[i]);
		if (list[i] == NULL)
			return false;
	}
	tester_reset(r->tester);
	return tester_run(r->tester, list, names.n);
}

/* A compiled script is not a file here: what was compiled is kept. */
static enum flow run_binary_save(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;

	t->saved = arena_push(&t->arena, t->saved, &t->n_saved, sizeof *t->saved);
	t->saved[t->n_saved - 1] = (struct test_script){
		arena_str(&t->arena, run_string(r, n, SLOT_NAMES)), t->script};
	return FLOW_NEXT;
}

static enum flow run_binary_load(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;
	struct str name = run_string(r, n, SLOT_NAMES);

	for (size_t i = t->n_saved; i > 0; i--)
		if (str_eq(t->saved[i - 1].name, name)) {
			t->script = t->saved[i - 1].script;
			return FLOW_NEXT;
		}
	return run_fail(r, "test_binary_load: there is no '" STR_FMT "'", STR_ARG(name));
}

/* ---- results ----------------------------------------------------------------------------------------- */

/* action_word - Pigeonhole says "store" where it files */
static struct str action_word(const struct sieve_action *a)
{
	return a->kind == SIEVE_FILEINTO ? STR("store")
					 : str_of(sieve_action_name(a->kind));
}

static bool test_action(struct run *r, const struct node *n)
{
	const struct arg *index = node_arg(n, SLOT_INDEX);
	const struct tester *t = r->tester;
	struct matching m;
	uint64_t number = 0;

	matching_begin(&m, r, n->match);
	for (size_t i = 0; i < t->n_results; i++)
		for (size_t k = 0; k < t->results[i]->n; k++)
			if (++number && (index == NULL || index->number == number))
				matching_value(&m,
					       action_word(&t->results[i]->actions[k]));
	return matching_end(&m);
}

/* What sieve_print() says of each action, a line a value: our own. */
static bool test_printed(struct run *r, const struct node *n)
{
	const struct tester *t = r->tester;
	struct matching m;
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < t->n_results; i++)
		sieve_print(t->results[i], &out);
	matching_begin(&m, r, n->match);
	for (struct str rest = run_take(r, &out); rest.n > 0;)
		if (matching_value(&m, str_cut(&rest, '\n')))
			break;
	return matching_end(&m);
}

static bool test_execute(struct run *r, const struct node *n)
{
	(void)n;
	return tester_execute(r->tester);
}

static enum flow run_result_reset(struct run *r, const struct node *n)
{
	(void)n;
	tester_reset(r->tester);
	return FLOW_NEXT;
}

static enum flow run_result_print(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;
	struct buf out;

	(void)n;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < t->n_results; i++)
		sieve_print(t->results[i], &out);
	t->host->print(t->host->ctx, buf_str(&out));
	buf_fini(&out);
	return FLOW_NEXT;
}

static bool test_error(struct run *r, const struct node *n)
{
	const struct arg *index = node_arg(n, SLOT_INDEX);
	const struct sieve_errors *e = &r->tester->errors;
	struct matching m;

	matching_begin(&m, r, n->match);
	for (size_t i = 0; i < e->n; i++)
		if (index == NULL || index->number == i + 1)
			matching_value(&m, str_of(e->list[i].text));
	return matching_end(&m);
}

/* ---- settings and folders ------------------------------------------------------------------------------ */

static enum flow run_config_set(struct run *r, const struct node *n)
{
	struct str name = run_string(r, n, SLOT_NAMES);

	if (!tester_config(r->tester, name, run_string(r, n, SLOT_VALUE)))
		return run_fail(r, "test_config_set: there is no '" STR_FMT "'",
				STR_ARG(name));
	return FLOW_NEXT;
}

/* All settings together: each test that changes one unsets it. */
static enum flow run_config_unset(struct run *r, const struct node *n)
{
	(void)n;
	r->tester->inner = sieve_site_default;
	r->tester->outer.spam = r->tester->inner.spam;
	r->tester->outer.virus = r->tester->inner.virus;
	r->tester->input.envelope.delimiter = (struct str){"", 0};
	return FLOW_NEXT;
}

/* Settings count at once. */
static enum flow run_config_reload(struct run *r, const struct node *n)
{
	(void)r;
	(void)n;
	return FLOW_NEXT;
}

static enum flow run_mailbox_create(struct run *r, const struct node *n)
{
	tester_folder(r->tester, run_string(r, n, SLOT_NAMES), true);
	return FLOW_NEXT;
}

static enum flow run_metadata_set(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;
	struct buf name;

	buf_init(&name, 4096);
	buf_put(&name, run_string(r, n, SLOT_FOLDER));
	buf_putc(&name, '\n');
	buf_put(&name, run_string(r, n, SLOT_NAMES));
	t->metadata =
		arena_push(&t->arena, t->metadata, &t->n_metadata, sizeof *t->metadata);
	t->metadata[t->n_metadata - 1] =
		(struct test_pair){arena_str(&t->arena, buf_str(&name)),
				   arena_str(&t->arena, run_string(r, n, SLOT_VALUE))};
	buf_fini(&name);
	return FLOW_NEXT;
}

/* Our own: members of a list, for extlists. */
static enum flow run_list_set(struct run *r, const struct node *n)
{
	struct tester *t = r->tester;
	struct sieve_strings members = run_strings(r, n, SLOT_VALUE);

	for (size_t i = 0; i < members.n; i++) {
		t->lists = arena_push(&t->arena, t->lists, &t->n_lists, sizeof *t->lists);
		t->lists[t->n_lists - 1] = (struct test_pair){
			arena_str(&t->arena, run_string(r, n, SLOT_NAMES)),
			arena_str(&t->arena, members.list[i])};
	}
	return FLOW_NEXT;
}

/* ---- records ---------------------------------------------------------------------------------------------- */

static const struct tag message_tags[] = {
	{.name = "smtp", .slot = SLOT_MESSAGE, .is = &in_queue},
	{.name = "folder", .slot = SLOT_MESSAGE, .value = VALUE_STRING, .is = &in_folder},
};
/* Ours: the script itself, and not the name of a file that has it. */
static const struct tag compile_tags[] = {{.name = "text", .slot = SLOT_BODY}};
static const struct tag run_tags[] = {{.name = "append_result", .slot = SLOT_COPY}};
static const struct tag index_tags[] = {
	{.name = "index", .slot = SLOT_INDEX, .value = VALUE_NUMBER}};
static const struct tag reload_tags[] = {
	{.name = "extension", .slot = SLOT_ITEM, .value = VALUE_STRING}};
static const struct tag metadata_tags[] = {
	{.name = "mailbox", .slot = SLOT_FOLDER, .value = VALUE_STRING}};

/* clang-format off */
static const struct definition definitions[] = {
	{.name = "test", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}}, .block = true,
	 .check = check_test, .run = run_test_command},
	{.name = "test_fail", .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}}, .run = run_test_fail},
	{.name = "test_set", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}, {.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .run = run_test_set},
	{.name = "test_message", .params = {{.kind = VALUE_NUMBER, .slot = SLOT_LIMIT}}, .tags = message_tags,
	 .n_tags = countof(message_tags), .check = check_message, .run = run_test_message},
	{.name = "test_message", .kind = TEST, .params = {{.kind = VALUE_NUMBER, .slot = SLOT_LIMIT}},
	 .tags = message_tags, .n_tags = countof(message_tags), .check = check_message,
	 .test = select_message},
	{.name = "test_script_compile", .kind = TEST, .params = {{.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .tags = compile_tags, .n_tags = countof(compile_tags), .test = test_compile},
	{.name = "test_script_run", .kind = TEST, .tags = run_tags, .n_tags = countof(run_tags),
	 .test = test_run},
	{.name = "test_multiscript", .kind = TEST, .params = {{.kind = VALUE_LIST, .slot = SLOT_VALUE}},
	 .tags = compile_tags, .n_tags = countof(compile_tags), .test = test_multiscript},
	{.name = "test_binary_save", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}},
	 .run = run_binary_save},
	{.name = "test_binary_load", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}},
	 .run = run_binary_load},
	{.name = "test_result_action", .kind = TEST, .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_KEYS}}, .tags = index_tags, .n_tags = countof(index_tags),
	 .test = test_action},
	{.name = "test_result_printed", .kind = TEST, .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_KEYS}}, .test = test_printed},
	{.name = "test_result_execute", .kind = TEST, .test = test_execute},
	{.name = "test_result_reset", .run = run_result_reset},
	{.name = "test_result_print", .run = run_result_print},
	{.name = "test_error", .kind = TEST, .takes = TAKES_MATCH,
	 .params = {{.kind = VALUE_LIST, .slot = SLOT_KEYS}}, .tags = index_tags, .n_tags = countof(index_tags),
	 .test = test_error},
	{.name = "test_config_set",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}, {.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .run = run_config_set},
	{.name = "test_config_unset", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}},
	 .run = run_config_unset},
	{.name = "test_config_reload", .tags = reload_tags, .n_tags = countof(reload_tags),
	 .run = run_config_reload},
	{.name = "test_mailbox_create", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}},
	 .run = run_mailbox_create},
	{.name = "test_imap_metadata_set",
	 .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}, {.kind = VALUE_STRING, .slot = SLOT_VALUE}},
	 .tags = metadata_tags, .n_tags = countof(metadata_tags), .run = run_metadata_set},
	{.name = "test_list_set", .params = {{.kind = VALUE_STRING, .slot = SLOT_NAMES}, {.kind = VALUE_LIST, .slot = SLOT_VALUE}},
	 .run = run_list_set},
};
/* clang-format on */

const struct extension ext_testsuite = {.name = "vnd.dovecot.testsuite",
					.test = true,
					.definitions = definitions,
					.n_definitions = countof(definitions)};
