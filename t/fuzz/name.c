/* SPDX-License-Identifier: ISC */
/*
 * name - no name leaves its tree, a place gives its name back, and two names have
 *        two places, whatever the configuration allows in them
 */
#include "store/name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that the configuration may allow in a local part. */
static const struct settings *settings(void)
{
	static struct settings *set;
	struct err e;

	if (set == NULL)
		must(settings_parse(
			     "fuzz.conf",
			     STR("store { utf8_names = yes "
				 "name_charset = \"!#$%&'*+-.=?^_`{|}~()[],;:\" }"),
			     &set, &e) == 0);
	return set;
}

static bool is_hex(struct str s)
{
	uint64_t unused;

	return s.n == 2 && str_hex64(s, &unused);
}

/* check_place - exactly "forwardings/ab/cd/<name>/leaf", and the name comes back */
static void check_place(const struct name *n)
{
	struct str rest, component;
	struct place place;
	struct name again;

	must(strlen(n->s) <= NAME_OCTETS);
	name_place("forwardings", n, "leaf", &place);
	rest = str_of(place.path);
	must(str_eq(str_cut(&rest, '/'), STR("forwardings")));
	must(is_hex(str_cut(&rest, '/')) && is_hex(str_cut(&rest, '/')));
	component = str_cut(&rest, '/');
	must(component.n > 0 && component.n <= NAME_MAX && component.p[0] != '.');
	for (size_t i = 0; i < component.n; i++)
		must((unsigned char)component.p[i] > ' ' && component.p[i] != 0x7f);
	must(str_eq(rest, STR("leaf")));
	must(name_from_component(component, &again) && strcmp(again.s, n->s) == 0);
}

static void check_two(const struct name *a, const struct name *b)
{
	struct place at_a, at_b;

	name_place("accounts", a, NULL, &at_a);
	name_place("accounts", b, NULL, &at_b);
	must((strcmp(a->s, b->s) == 0) == (strcmp(at_a.path, at_b.path) == 0));
}

static void check_component(struct str in)
{
	struct place place;
	struct name n;

	if (!name_from_component(in, &n))
		return;
	check_place(&n);
	name_place("accounts", &n, NULL, &place);
	must(str_eq(str_of(strrchr(place.path, '/') + 1), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, first = str_cut(&rest, '\n');
	struct name a, b, parsed;
	struct err e;

	check_component(first);
	if (!name_read(first, &a))
		return 0;
	check_place(&a);
	if (name_read(rest, &b))
		check_two(&a, &b);
	if (name_domain(first, &parsed, &e) == 0)
		check_place(&parsed);
	if (name_parse(settings(), first, &parsed, &e) < 0)
		return 0;
	check_place(&parsed);
	/* What the configuration allows is folded to the same as what is only read. */
	must(strcmp(parsed.s, a.s) == 0);
	must(name_local(&parsed).n <= NAME_LOCAL_MAX &&
	     name_domain_of(&parsed).n <= NAME_DOMAIN_MAX);
	return 0;
}
