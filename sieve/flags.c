/* SPDX-License-Identifier: ISC */
#include "sieve/flags_int.h"

#include <string.h>

/* is_flag - an atom, after a backslash where it is a system flag (RFC 3501 section 9) */
static bool is_flag(struct str s)
{
	static const char *const system_flags[] = {"\\answered", "\\flagged", "\\deleted",
						   "\\seen", "\\draft"};

	if (s.n == 0 || s.n > FLAG_OCTETS)
		return false;
	if (s.p[0] == '\\') {
		for (size_t i = 0; i < countof(system_flags); i++)
			if (str_ieq(s, str_of(system_flags[i])))
				return true;
		return false;
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", s.p[i]) != NULL)
			return false;
	return true;
}

bool flags_have(struct sieve_strings flags, struct str flag)
{
	for (size_t i = 0; i < flags.n; i++)
		if (str_ieq(flags.list[i], flag))
			return true;
	return false;
}

static void add(struct run *r, struct sieve_strings *flags, struct str *list,
		struct str flag)
{
	if (flags->n < FLAGS_MAX && is_flag(flag) && !flags_have(*flags, flag))
		list[flags->n++] = flag;
	run_spend(r, 1 + flags->n);
}

struct sieve_strings flags_split(struct run *r, struct sieve_strings texts)
{
	struct str *list = arena_alloc(r->arena, FLAGS_MAX * sizeof *list);
	struct sieve_strings flags = {list, 0};

	for (size_t i = 0; i < texts.n; i++)
		for (struct str rest = texts.list[i]; rest.n > 0 && !r->failed;)
			add(r, &flags, list, str_word(&rest));
	return flags;
}

struct sieve_strings flags_with(struct run *r, struct sieve_strings a,
				struct sieve_strings b)
{
	struct str *list = arena_alloc(r->arena, FLAGS_MAX * sizeof *list);
	struct sieve_strings flags = {list, 0};

	for (size_t i = 0; i < a.n; i++)
		add(r, &flags, list, a.list[i]);
	for (size_t i = 0; i < b.n; i++)
		add(r, &flags, list, b.list[i]);
	return flags;
}

struct sieve_strings flags_without(struct run *r, struct sieve_strings a,
				   struct sieve_strings b)
{
	struct str *list = arena_alloc(r->arena, FLAGS_MAX * sizeof *list);
	struct sieve_strings flags = {list, 0};

	for (size_t i = 0; i < a.n; i++)
		if (!flags_have(b, a.list[i]))
			add(r, &flags, list, a.list[i]);
	return flags;
}

struct str flags_join(struct run *r, struct sieve_strings flags)
{
	struct buf out;

	buf_init(&out, FLAGS_MAX * (FLAG_OCTETS + 1));
	for (size_t i = 0; i < flags.n; i++) {
		if (i > 0)
			buf_putc(&out, ' ');
		buf_put(&out, flags.list[i]);
	}
	return run_take(r, &out);
}

void flags_take(struct run *r, const struct node *n, struct sieve_filing *f)
{
	if (node_has(n, SLOT_FLAGS)) {
		f->flags = flags_split(r, run_strings(r, n, SLOT_FLAGS));
		f->has_flags = true;
	} else {
		f->flags = r->flags;
		f->has_flags = r->has_flags;
	}
}
