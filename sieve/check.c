/* SPDX-License-Identifier: ISC */
#include "sieve/define_int.h"

#include <stdarg.h>
#include <stdio.h>

bool checker_error(struct checker *c, struct place at, const char *fmt, ...)
{
	char text[SIEVE_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	errors_add(c->errors, at, "%s", text);
	return false;
}

bool checker_has(const struct checker *c, const struct extension *x)
{
	return x->always || (c->enabled & UINT64_C(1) << registry_index(x)) != 0;
}

bool checker_enable(struct checker *c, struct str name)
{
	int i = registry_find(c->site, name);

	if (i < 0)
		return false;
	for (const struct extension *x = registry_at((size_t)i); x != NULL;
	     x = x->implies)
		c->enabled |= UINT64_C(1) << registry_index(x);
	c->script->uses |= c->enabled;
	return true;
}

bool checker_require(struct checker *c, struct str name, struct place at)
{
	if (!checker_enable(c, name))
		return false;
	c->required[registry_find(c->site, name)] = at;
	return true;
}

const struct str *checker_fixed(const struct node *n, enum slot slot)
{
	const struct arg *a = node_arg(n, slot);

	return a != NULL && a->texts.n == 1 && a->texts.list[0].n == 0
		       ? &a->texts.list[0].fixed
		       : NULL;
}

enum truth checker_truth(struct checker *c, const struct node *test)
{
	const struct definition *d = test->definition;

	return d == NULL || d->truth == NULL ? TRUTH_UNKNOWN : d->truth(c, test);
}

/* ---- finding records ------------------------------------------------------------------------ */

/* find_definition - and its extension; NULL: there is none that the site has on */
static const struct definition *find_definition(const struct checker *c,
						const struct node *n,
						enum definition_kind kind,
						const struct extension **x)
{
	for (size_t i = 0; i < registry_count(); i++) {
		*x = registry_at(i);
		if (!registry_on(c->site, *x))
			continue;
		for (size_t k = 0; k < (*x)->n_definitions; k++) {
			const struct definition *d = &(*x)->definitions[k];

			if (d->kind == kind && str_ieq(str_of(d->name), n->name))
				return d;
		}
	}
	return NULL;
}

static const struct definition *definition_of(struct checker *c, const struct node *n,
					      enum definition_kind kind)
{
	const char *what = kind == COMMAND ? "command" : "test";
	const struct extension *x;
	const struct definition *d = find_definition(c, n, kind, &x);

	if (d == NULL)
		checker_error(c, n->at, "there is no %s '" STR_FMT "'", what,
			      STR_ARG(n->name));
	else if (!checker_has(c, x))
		checker_error(c, n->at, "'%s' needs: require \"%s\"", d->name, x->name);
	else {
		c->used |= UINT64_C(1) << registry_index(x);
		return d;
	}
	return NULL;
}

static const struct tag *own_tag(const struct definition *d, struct str name)
{
	for (size_t i = 0; i < d->n_tags; i++)
		if (str_ieq(str_of(d->tags[i].name), name))
			return &d->tags[i];
	return NULL;
}

/* find_tag - one whose extension is on before one whose is not */
static const struct tag *find_tag(const struct checker *c, const struct definition *d,
				  struct str name, const struct extension **x)
{
	const struct tag *found = own_tag(d, name);

	*x = NULL;
	if (found != NULL)
		return found;
	for (size_t i = 0; i < registry_count(); i++) {
		const struct extension *it = registry_at(i);

		if (!registry_on(c->site, it))
			continue;
		for (size_t k = 0; k < it->n_tags; k++) {
			if ((it->tags[k].on & d->takes) == 0 ||
			    !str_ieq(str_of(it->tags[k].name), name))
				continue;
			found = &it->tags[k];
			*x = it;
			if (checker_has(c, it))
				return found;
		}
	}
	return found;
}

static const struct tag *tag_of(struct checker *c, const struct definition *d,
				const struct arg *a)
{
	const struct extension *x;
	const struct tag *t = find_tag(c, d, a->tag, &x);

	if (t == NULL)
		checker_error(c, a->at, "'%s' takes no ':" STR_FMT "'", d->name,
			      STR_ARG(a->tag));
	else if (x != NULL && !checker_has(c, x))
		checker_error(c, a->at, "':%s' needs: require \"%s\"", t->name, x->name);
	else
		return t;
	return NULL;
}

/* ---- arguments --------------------------------------------------------------------------------- */

static bool fits(enum value_kind given, enum value_kind wanted)
{
	return given == wanted || (given == VALUE_STRING && wanted == VALUE_LIST);
}

static const char *kind_name(enum value_kind kind)
{
	return kind == VALUE_NUMBER ? "a number"
	       : kind == VALUE_LIST ? "a list of strings"
				    : "a string";
}

/* bind_strings - with encoded characters decoded, and variables found where they may be */
static bool bind_strings(struct checker *c, struct arg *a, bool fixed)
{
	bool ok = true;

	for (size_t i = 0; i < a->texts.n; i++)
		ok = text_compile(c, &a->texts.list[i], fixed) && ok;
	return ok;
}

/* bind_tag - with the value that follows it; *i goes to the last argument of it */
static bool bind_tag(struct checker *c, struct node *n, const struct tag *t, size_t *i)
{
	struct arg *a = &n->args[*i];

	if (node_has(n, t->slot))
		return checker_error(c, a->at,
				     "':%s' comes too late: it or one that excludes it "
				     "was given",
				     t->name);
	if (t->value != VALUE_NONE) {
		struct arg *value = *i + 1 < n->n_args ? &n->args[*i + 1] : NULL;

		if (value == NULL || value->tag.n > 0 || !fits(value->kind, t->value))
			return checker_error(c, a->at, "%s has to follow ':%s'",
					     kind_name(t->value), t->name);
		a->kind = value->kind;
		a->number = value->number;
		a->texts = value->texts;
		++*i;
	}
	a->slot = t->slot;
	a->is = t->is;
	return bind_strings(c, a, t->fixed) && (t->check == NULL || t->check(c, n, a));
}

static size_t count_params(const struct definition *d)
{
	size_t n = 0;

	while (n < countof(d->params) && d->params[n].kind != VALUE_NONE)
		n++;
	return n;
}

/* bind_positions - `place` has the arguments that stand at positions */
static bool bind_positions(struct checker *c, struct node *n, const struct definition *d,
			   struct arg **place, size_t given)
{
	size_t wanted = count_params(d);
	const struct param *p = d->params;
	bool ok = true;

	if (given + 1 == wanted && (p->optional || p[wanted - 1].optional)) {
		p += p->optional;
		wanted--;
	}
	for (size_t i = 0; i < given && i < wanted; i++) {
		if (!fits(place[i]->kind, p[i].kind)) {
			ok = checker_error(c, place[i]->at, "'%s' takes %s here", d->name,
					   kind_name(p[i].kind));
			continue;
		}
		place[i]->slot = p[i].slot;
		ok = bind_strings(c, place[i], p[i].fixed) && ok;
	}
	if (given > wanted)
		return checker_error(c, place[wanted]->at,
				     "'%s' takes no more than %zu "
				     "arguments",
				     d->name, wanted);
	if (given < wanted)
		return checker_error(c, n->at, "'%s' lacks %s", d->name,
				     kind_name(p[given].kind));
	return ok;
}

static bool bind(struct checker *c, struct node *n, const struct definition *d)
{
	struct arg *place[countof(d->params) + 1];
	size_t given = 0;
	bool ok = true;

	for (size_t i = 0; i < n->n_args; i++) {
		struct arg *a = &n->args[i];

		if (a->tag.n == 0) {
			if (given < countof(place))
				place[given++] = a;
			continue;
		}

		const struct tag *t = tag_of(c, d, a);

		ok = t != NULL && bind_tag(c, n, t, &i) && ok;
	}
	/* What a tag that is not known would have taken cannot be told from a position. */
	return ok && bind_positions(c, n, d, place, given);
}

/* ---- tests and blocks ------------------------------------------------------------------------------ */

static bool check_node(struct checker *c, struct node *n, enum definition_kind kind);

static bool check_tests(struct checker *c, struct node *n, const struct definition *d)
{
	bool ok = true;

	if (d->tests == TESTS_NONE && n->n_tests > 0)
		return checker_error(c, n->tests[0].at, "'%s' takes no test", d->name);
	if (d->tests == TESTS_ONE && (n->n_tests != 1 || n->list))
		return checker_error(c, n->at, "'%s' takes one test", d->name);
	if (d->tests == TESTS_LIST && !n->list)
		return checker_error(
			c, n->at, "'%s' takes a list of tests in parentheses", d->name);
	for (size_t i = 0; i < n->n_tests; i++) {
		ok = check_node(c, &n->tests[i], TEST) && ok;
		if (d->stops != TRUTH_UNKNOWN &&
		    checker_truth(c, &n->tests[i]) == d->stops)
			break;
	}
	return ok;
}

static void check_block(struct checker *c, struct node *block, size_t n)
{
	const struct node *last = c->last;
	enum truth chain =
		c->chain; /* an "if" in the block is none before an "else" after it */
	bool stopped = false;

	c->last = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!stopped && i > 0 && str_ieq(block[i - 1].name, STR("stop"))) {
			errors_add(&c->script->warnings, block[i].at,
				   "this is never reached: 'stop' stands before it");
			stopped = true;
		}
		check_node(c, &block[i], COMMAND);
		c->last = &block[i];
	}
	c->last = last;
	c->chain = chain;
}

static void check_inside(struct checker *c, struct node *n)
{
	must(c->n_up < countof(c->up));
	c->up[c->n_up++] = n;
	check_block(c, n->block, n->n_block);
	c->n_up--;
}

static bool check_end(struct checker *c, const struct node *n, const struct definition *d)
{
	if (d->block && !n->has_block)
		return checker_error(c, n->at, "'%s' takes a block", d->name);
	if (!d->block && n->has_block)
		return checker_error(c, n->at, "'%s' takes no block: ';' is missing",
				     d->name);
	return true;
}

static bool check_node(struct checker *c, struct node *n, enum definition_kind kind)
{
	const struct definition *d = definition_of(c, n, kind);
	bool ok;

	if (d == NULL)
		return false;
	if (d->reaches != NULL && !d->reaches(c, n)) {
		n->n_block = 0;
		return true;
	}
	ok = bind(c, n, d);
	ok = check_tests(c, n, d) && ok;
	ok = check_end(c, n, d) && ok;
	if (ok && (d->takes & TAKES_MATCH) && node_has(n, SLOT_KEYS))
		ok = match_prepare(c, n);
	if (ok && d->check != NULL)
		ok = d->check(c, n);
	if (ok)
		n->definition = d;
	if (n->has_block && d->block)
		check_inside(c, n);
	return ok;
}

/* is_idle - an extension that is there for its commands and tests, of which there are none */
static bool is_idle(const struct checker *c, size_t i)
{
	const struct extension *x = registry_at(i);

	return c->required[i].line > 0 && x->n_definitions > 0 && x->n_tags == 0 &&
	       x->implies == NULL && (c->used & UINT64_C(1) << i) == 0;
}

static void warn_of_idle(struct checker *c)
{
	for (size_t i = 0; i < registry_count(); i++)
		if (is_idle(c, i))
			errors_add(&c->script->warnings, c->required[i],
				   "\"%s\" is required, and not used",
				   registry_at(i)->name);
}

void checker_run(struct sieve_script *script, struct sieve_errors *errors)
{
	struct checker c = {.script = script, .site = script->site, .errors = errors};

	must(registry_count() <= countof(c.required) &&
	     script->site->limits.nesting < countof(c.up));
	check_block(&c, script->block, script->n_block);
	warn_of_idle(&c);
}

/* ---- arguments of a node ----------------------------------------------------------------------------- */

const struct arg *node_arg(const struct node *n, enum slot slot)
{
	for (size_t i = 0; i < n->n_args; i++)
		if (n->args[i].slot == slot)
			return &n->args[i];
	return NULL;
}

bool node_has(const struct node *n, enum slot slot)
{
	return node_arg(n, slot) != NULL;
}
