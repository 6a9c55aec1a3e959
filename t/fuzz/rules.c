/* SPDX-License-Identifier: ISC */
/*
 * rules - whatever an operator writes is a list of rules within their bounds, or is refused
 *         with a reason; and who asks gets one of them
 *
 * The input is a rule a line; after an empty line come questions, each a service, a client, an
 * address and a domain.
 */
#include "authd/rules.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(struct str s)
{
	char *text = xalloc(s.n + 1);

	if (s.n > 0)
		memcpy(text, s.p, s.n);
	return text;
}

static void is_whole(const struct rule *r)
{
	must(r->n_sources > 0 && r->n_sources <= RULE_SOURCES);
	must(r->n_clients <= RULE_LIST && r->n_domains <= RULE_LIST);
	must(r->mechanisms != 0 && r->mechanisms < MECHANISM_BIT(MECHANISMS));
	for (size_t i = 0; i < r->n_sources; i++)
		must(r->sources[i].kind != NULL && r->sources[i].text[0] != '\0' &&
		     r->sources[i].name[0] != '\0');
	for (size_t i = 0; i < r->n_clients; i++)
		must(r->clients[i].bits <= 128);
}

static void ask(const struct rules *r, struct str line)
{
	char *service = text_of(str_word(&line)), *client = text_of(str_word(&line));
	char *server = text_of(str_word(&line));
	struct question q = {.service = service, .client = client, .server = server};

	for (int tls = 0; tls < 2; tls++) {
		const struct rule *found;

		q.tls = tls;
		found = rules_find(r, &q, line);
		is_whole(found);
		/* What a user may have was offered before his domain was known. */
		must((found->mechanisms & ~rules_mechanisms(r, &q)) == 0);
		must((found->mechanisms & ~rules_all_mechanisms(r)) == 0);
	}
	xfree(&service);
	xfree(&client);
	xfree(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	static char first[] = "127.0.0.1:1110", second[] = "*:106", third[] = "[::1]:106";
	static char *addresses[] = {first, second, third};
	char *v[RULES_MAX + 1];
	struct settings set = {.pop3.listen = {addresses, countof(addresses)},
			       .auth.rules.v = v};
	struct conf_list *list = &set.auth.rules;
	struct rules *r;
	struct err e = {0};

	while (in.n > 0 && list->n < countof(v)) {
		struct str line = str_cut(&in, '\n');

		if (line.n == 0)
			break;
		v[list->n++] = text_of(line);
	}
	if (rules_new(&set, &r, &e) == 0) {
		while (in.n > 0)
			ask(r, str_cut(&in, '\n'));
		for (size_t i = 0; rules_source(r, i) != NULL; i++)
			must(i < RULES_MAX * RULE_SOURCES);
	} else {
		must(r == NULL && e.class == ERR_PERM && e.text[0] != '\0');
	}
	rules_free(&r);
	while (list->n > 0)
		xfree(&v[--list->n]);
	return 0;
}
