/* SPDX-License-Identifier: ISC */
#include "sieve/parser_int.h"

#include "sieve/lexer_int.h"

struct parser {
	struct lexer lexer;
	struct token now;
	struct arena *arena;
	struct sieve_errors *errors;
	const struct sieve_limits *limits;
	uint32_t depth;
};

static void advance(struct parser *p)
{
	lexer_next(&p->lexer, &p->now);
}

static bool at_mark(const struct parser *p, char mark)
{
	return p->now.kind == TOKEN_MARK && p->now.mark == mark;
}

static bool accept(struct parser *p, char mark)
{
	if (!at_mark(p, mark))
		return false;
	advance(p);
	return true;
}

/* complain - but not where the lexer has done it, and once at a place */
static bool complain(struct parser *p, const char *text)
{
	const struct sieve_errors *e = p->errors;
	const struct sieve_error *last = e->n > 0 ? &e->list[e->n - 1] : NULL;

	if (p->now.kind != TOKEN_BAD && (last == NULL || last->line != p->now.at.line ||
					 last->column != p->now.at.column))
		errors_add(p->errors, p->now.at, "%s", text);
	return false;
}

static bool enter(struct parser *p)
{
	if (++p->depth <= p->limits->nesting)
		return true;
	return complain(p, "blocks and tests are nested too deep");
}

/* ---- arguments -------------------------------------------------------------------------- */

static void add_string(struct parser *p, struct texts *list)
{
	list->list = arena_push(p->arena, list->list, &list->n, sizeof *list->list);
	list->list[list->n - 1] = (struct text){.fixed = p->now.text, .at = p->now.at};
	advance(p);
}

static bool take_list(struct parser *p, struct arg *a)
{
	a->kind = VALUE_LIST;
	advance(p);
	do {
		if (p->now.kind != TOKEN_STRING)
			return complain(p, "a string is expected in the list");
		if (a->texts.n >= p->limits->list_entries)
			return complain(p, "the list has too many entries");
		add_string(p, &a->texts);
	} while (accept(p, ','));
	return accept(p, ']') || complain(p, "',' or ']' is expected in the list");
}

static bool at_argument(const struct parser *p)
{
	return p->now.kind == TOKEN_STRING || p->now.kind == TOKEN_NUMBER ||
	       p->now.kind == TOKEN_TAG || at_mark(p, '[');
}

static bool take_argument(struct parser *p, struct arg *a)
{
	*a = (struct arg){.at = p->now.at};
	if (at_mark(p, '['))
		return take_list(p, a);
	if (p->now.kind == TOKEN_STRING) {
		a->kind = VALUE_STRING;
		add_string(p, &a->texts);
		return true;
	}
	if (p->now.kind == TOKEN_NUMBER) {
		a->kind = VALUE_NUMBER;
		a->number = p->now.number;
	} else {
		a->tag = p->now.text;
	}
	advance(p);
	return true;
}

/* ---- tests and commands ----------------------------------------------------------------- */

static bool take_test(struct parser *p, struct node *parent);

static bool take_test_list(struct parser *p, struct node *n)
{
	n->list = true;
	advance(p);
	do {
		if (n->n_tests >= p->limits->list_entries)
			return complain(p, "the list has too many tests");
		if (!take_test(p, n))
			return false;
	} while (accept(p, ','));
	return accept(p, ')') ||
	       complain(p, "',' or ')' is expected in the list of tests");
}

/* take_arguments - and the tests behind them */
static bool take_arguments(struct parser *p, struct node *n)
{
	while (at_argument(p)) {
		struct arg a;

		if (!take_argument(p, &a))
			return false;
		n->args = arena_push(p->arena, n->args, &n->n_args, sizeof *n->args);
		n->args[n->n_args - 1] = a;
	}
	if (p->now.kind == TOKEN_IDENTIFIER)
		return take_test(p, n);
	if (at_mark(p, '('))
		return take_test_list(p, n);
	return true;
}

static bool take_test(struct parser *p, struct node *parent)
{
	struct node test = {.name = p->now.text, .at = p->now.at};
	bool ok;

	if (p->now.kind != TOKEN_IDENTIFIER)
		return complain(p, "a test is expected");
	advance(p);
	ok = enter(p) && take_arguments(p, &test);
	p->depth--;
	parent->tests =
		arena_push(p->arena, parent->tests, &parent->n_tests, sizeof test);
	parent->tests[parent->n_tests - 1] = test;
	return ok;
}

static void take_block(struct parser *p, struct node **block, size_t *n);

static bool take_end(struct parser *p, struct node *n)
{
	if (accept(p, ';'))
		return true;
	if (!at_mark(p, '{'))
		return complain(p, "';' or a block is expected");
	if (!enter(p)) {
		p->depth--;
		return false;
	}
	advance(p);
	n->has_block = true;
	take_block(p, &n->block, &n->n_block);
	p->depth--;
	return accept(p, '}') || complain(p, "'}' is missing");
}

/* recover - go on behind the next ";", or behind the "}" of a block that begins here */
static void recover(struct parser *p)
{
	for (size_t depth = 0; p->now.kind != TOKEN_END; advance(p)) {
		if (at_mark(p, '{'))
			depth++;
		if (at_mark(p, '}') && depth == 0)
			return;
		if (at_mark(p, '}'))
			depth--;
		if (depth == 0 && (at_mark(p, ';') || at_mark(p, '}'))) {
			advance(p);
			return;
		}
	}
}

static void take_command(struct parser *p, struct node **block, size_t *n)
{
	struct node command = {.name = p->now.text, .at = p->now.at};
	bool ok = p->now.kind == TOKEN_IDENTIFIER || complain(p, "a command is expected");

	if (ok)
		advance(p);
	ok = ok && take_arguments(p, &command) && take_end(p, &command);
	if (ok) {
		*block = arena_push(p->arena, *block, n, sizeof command);
		(*block)[*n - 1] = command;
	} else {
		recover(p);
	}
}

static void take_block(struct parser *p, struct node **block, size_t *n)
{
	while (p->now.kind != TOKEN_END && !at_mark(p, '}'))
		take_command(p, block, n);
}

void parser_run(struct sieve_script *script, struct str text, struct sieve_errors *errors)
{
	struct parser p = {.arena = &script->arena,
			   .errors = errors,
			   .limits = &script->site->limits};

	lexer_init(&p.lexer, text, p.arena, errors);
	advance(&p);
	take_block(&p, &script->block, &script->n_block);
	while (at_mark(&p, '}')) {
		complain(&p, "'}' without a block");
		advance(&p);
		take_block(&p, &script->block, &script->n_block);
	}
}
