/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "lib/buf.h"

#include <stdio.h>
#include <string.h>

static bool takes(const struct verb *v, unsigned x)
{
	return v->options & 1u << x;
}

void help_verb(const struct verb *v)
{
	int w = 0;

	printf("popstore [-c FILE] %s", v->name);
	if (*v->operands)
		printf(" %s", v->operands);
	printf("%s\n    %s\n", v->options ? " [SWITCHES]" : "", v->help);
	for (unsigned x = 0; x < OPT_COUNT; x++)
		if (takes(v, x) && (int)strlen(option_usage(x)) > w)
			w = (int)strlen(option_usage(x));
	for (unsigned x = 0; x < OPT_COUNT; x++)
		if (takes(v, x))
			printf("      %-*s  %s\n", w, option_usage(x), option_help(x));
}

void help_all(void)
{
	printf("popstore [-c FILE] VERB ...\n\n");
	for (size_t i = 0; i < verb_count(); i++)
		printf("  %-14s %s\n", verb_at(i)->name, verb_at(i)->help);
	printf("\nFILE is " SETTINGS_FILE " unless said otherwise.\n"
	       "'popstore help VERB' says more about a verb, popstore(8) says all.\n");
}

/* help_about - every verb of this name, or that begins with this word */
static bool help_about(struct str words)
{
	bool any = false;

	for (size_t i = 0; i < verb_count(); i++) {
		struct str name = str_of(verb_at(i)->name), rest = name;

		if (!str_eq(name, words) && !str_eq(str_word(&rest), words))
			continue;
		help_verb(verb_at(i));
		any = true;
	}
	return any;
}

int verb_help(struct ctl *c, struct err *e)
{
	struct buf words;
	int rc = 0;

	if (c->options.n == 0) {
		help_all();
		return 0;
	}
	buf_init(&words, 256);
	for (size_t i = 0; i < c->options.n; i++) {
		buf_put(&words, i > 0 ? STR(" ") : STR(""));
		buf_put(&words, ctl_operand(c, i));
	}
	if (!help_about(buf_str(&words)))
		rc = ctl_usage_error(e, "there is no verb '%s'", buf_cstr(&words));
	buf_fini(&words);
	return rc;
}
