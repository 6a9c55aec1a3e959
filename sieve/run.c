/* SPDX-License-Identifier: ISC */
#include "sieve/define_int.h"

#include "mail/charset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum flow run_fail(struct run *r, const char *fmt, ...)
{
	struct sieve_failure *f = &r->result->failure;
	va_list ap;

	if (r->failed)
		return FLOW_FAIL;
	r->failed = true;
	f->script = r->frame->script->name;
	f->line = r->at.line;
	f->column = r->at.column;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return FLOW_FAIL;
}

uint64_t run_left(const struct run *r)
{
	return r->site->limits.steps - r->result->steps;
}

bool run_spend(struct run *r, uint64_t steps)
{
	if (steps > run_left(r)) {
		r->result->steps = r->site->limits.steps;
		run_fail(r, "the script takes too much work");
	} else {
		r->result->steps += steps;
	}
	if (arena_over(r->arena))
		run_fail(r, "the script takes too much memory");
	return !r->failed;
}

/* ---- commands and tests ---------------------------------------------------------------------- */

bool run_test(struct run *r, const struct node *test)
{
	/* Without a definition it stands where it cannot be reached. */
	return test->definition != NULL && run_spend(r, 1) &&
	       test->definition->test(r, test) && !r->failed;
}

static enum flow run_command(struct run *r, const struct node *n)
{
	r->at = n->at;
	if (!run_spend(r, 1))
		return FLOW_FAIL;

	enum flow flow = n->definition->run(r, n);

	return r->failed ? FLOW_FAIL : flow;
}

enum flow run_block(struct run *r, const struct node *block, size_t n)
{
	enum flow flow = FLOW_NEXT;

	for (size_t i = 0; i < n && flow == FLOW_NEXT; i++)
		if (block[i].definition != NULL)
			flow = run_command(r, &block[i]);
	return flow;
}

enum flow run_script(struct run *r, const struct sieve_script *s)
{
	struct frame *f = arena_alloc(r->arena, sizeof *f);
	enum flow flow;

	*f = (struct frame){
		.script = s, .up = r->frame, .depth = r->frame ? r->frame->depth + 1 : 0};
	f->variables = arena_alloc(r->arena, s->n_variables * sizeof *f->variables);
	r->frame = f;
	flow = run_block(r, s->block, s->n_block);
	if (f->up != NULL)
		r->frame = f->up;
	return flow;
}

/* ---- arguments ---------------------------------------------------------------------------------- */

/* global - made when it is new */
static struct str *global(struct run *r, struct str name)
{
	for (size_t i = 0; i < r->n_globals; i++)
		if (str_eq(r->globals[i].name, name))
			return &r->globals[i].value;
	r->globals = arena_push(r->arena, r->globals, &r->n_globals, sizeof *r->globals);
	r->globals[r->n_globals - 1] = (struct global){name, {"", 0}};
	return &r->globals[r->n_globals - 1].value;
}

static struct str piece_value(struct run *r, const struct piece *p)
{
	const struct frame *f = r->frame;
	struct str none = {"", 0};

	switch (p->kind) {
	case PIECE_FIXED:
		return p->fixed;
	case PIECE_MATCH:
		return p->index < f->n_captures ? f->captures[p->index] : none;
	case PIECE_VARIABLE:
		break;
	}
	return *run_variable(r, p->index);
}

struct str run_text(struct run *r, const struct text *t)
{
	struct buf out;

	if (t->n == 0)
		return t->fixed;
	buf_init(&out, r->site->limits.string_octets);
	for (size_t i = 0; i < t->n; i++)
		buf_put(&out, piece_value(r, &t->pieces[i]));
	if (buf_over(&out))
		run_fail(r, "a string becomes too long with its variables");
	run_spend(r, out.n);
	return run_take(r, &out);
}

struct str run_take(struct run *r, struct buf *b)
{
	struct str s = arena_str(r->arena, buf_str(b));

	buf_fini(b);
	return s;
}

struct str run_string(struct run *r, const struct node *n, enum slot slot)
{
	const struct arg *a = node_arg(n, slot);

	return a ? run_text(r, &a->texts.list[0]) : (struct str){"", 0};
}

struct sieve_strings run_strings(struct run *r, const struct node *n, enum slot slot)
{
	const struct arg *a = node_arg(n, slot);
	struct sieve_strings out = {NULL, 0};

	if (a == NULL)
		return out;

	struct str *list = arena_alloc(r->arena, a->texts.n * sizeof *list);

	for (out.n = 0; out.n < a->texts.n; out.n++)
		list[out.n] = run_text(r, &a->texts.list[out.n]);
	out.list = list;
	return out;
}

struct str *run_variable(struct run *r, uint32_t index)
{
	const struct variable *v = &r->frame->script->variables[index];

	return v->global ? global(r, v->name) : &r->frame->variables[index];
}

/* cut - between characters */
static struct str cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	s.n = max;
	while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

struct str run_utf8(struct run *r, struct str s)
{
	struct buf out;

	run_spend(r, s.n / 4);
	if (str_is_utf8(s))
		return s;
	buf_init(&out, 3 * s.n);
	charset_repair(s, &out);
	return run_take(r, &out);
}

struct str run_one_line(struct run *r, struct str s)
{
	struct str copy = arena_str(r->arena, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = ' ';
	return str_trim(copy);
}

void run_set(struct run *r, uint32_t variable, struct str value)
{
	*run_variable(r, variable) = cut(value, r->site->limits.variable_octets);
}

/* ---- actions ---------------------------------------------------------------------------------------- */

struct sieve_action *run_action(struct run *r, enum sieve_action_kind kind)
{
	struct sieve_result *x = r->result;

	if (x->n >= r->site->limits.actions) {
		run_fail(r, "too many actions");
		return NULL;
	}
	x->actions = arena_push(r->arena, x->actions, &x->n, sizeof *x->actions);
	x->actions[x->n - 1] = (struct sieve_action){.kind = kind,
						     .line = r->at.line,
						     .script = r->frame->script->name,
						     .edits = x->n_edits};
	return &x->actions[x->n - 1];
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

static bool is_kept(const struct run *r)
{
	if (!r->cancelled)
		return true;
	for (size_t i = 0; i < r->result->n; i++)
		if (r->result->actions[i].kind == SIEVE_KEEP)
			return true;
	return false;
}

/* drop_keep - the next script decides anew */
static void drop_keep(struct run *r)
{
	struct sieve_result *x = r->result;
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		if (x->actions[i].kind != SIEVE_KEEP)
			x->actions[n++] = x->actions[i];
	x->n = n;
	r->cancelled = false;
}

static void add_implicit_keep(struct run *r)
{
	struct sieve_result *x = r->result;

	x->actions = arena_push(r->arena, x->actions, &x->n, sizeof *x->actions);
	x->actions[x->n - 1] =
		(struct sieve_action){.kind = SIEVE_KEEP,
				      .implicit = true,
				      .edits = x->n_edits,
				      .filing = {.folder = STR("INBOX"),
						 .flags = r->flags,
						 .has_flags = r->has_flags}};
}

/* After a failure nothing of what the script asked for is done. */
static void give_up(struct run *r)
{
	r->result->n = r->result->n_edits = r->result->n_tracks = 0;
	r->flags = (struct sieve_strings){NULL, 0};
	r->has_flags = false;
	r->cancelled = false;
	r->result->failed = true;
}

void run_scripts(struct run *r, const struct sieve_script *const *scripts, size_t n)
{
	for (size_t i = 0; i < n && !r->failed; i++) {
		if (i > 0 && !is_kept(r))
			break;
		if (i > 0)
			drop_keep(r);
		r->frame = NULL;
		r->flags = (struct sieve_strings){NULL, 0};
		r->has_flags = false;
		run_script(r, scripts[i]);
		actions_check(r);
	}
	if (r->failed)
		give_up(r);
	if (!r->cancelled)
		add_implicit_keep(r);
}

void run_begin(struct run *r, const struct sieve_site *site, const struct sieve_input *in)
{
	struct sieve_result *x = xalloc(sizeof *x);

	arena_init(&x->arena, site->limits.memory);
	*r = (struct run){.in = in,
			  .site = site,
			  .message = in->message,
			  .header = &in->message->header,
			  .result = x,
			  .arena = &x->arena};
}

struct sieve_result *sieve_run(const struct sieve_script *const *scripts, size_t n,
			       const struct sieve_input *in)
{
	struct run r;

	must(n > 0);
	run_begin(&r, scripts[0]->site, in);
	run_scripts(&r, scripts, n);
	return r.result;
}

void sieve_result_free(struct sieve_result **r)
{
	if (*r == NULL)
		return;
	arena_fini(&(*r)->arena);
	xfree(r);
}
