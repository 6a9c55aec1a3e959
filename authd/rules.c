/* SPDX-License-Identifier: ISC */
#include "authd/rules.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct rules {
	struct rule *v;
	size_t n;
};

/* ---- parsing ------------------------------------------------------------------------ */

static int wrong(struct err *e, const char *what, struct str value)
{
	return err_set(e, ERR_PERM, "5.3.5", "\"" STR_FMT "\" is no %s", STR_ARG(value),
		       what);
}

static int copy(char *to, size_t size, struct str value, const char *what, struct err *e)
{
	if (value.n >= size)
		return wrong(e, what, value);
	snprintf(to, size, STR_FMT, STR_ARG(value));
	return 0;
}

static int yes_or_no(struct str value, bool *out, struct err *e)
{
	*out = str_eq(value, STR("yes"));
	return *out || str_eq(value, STR("no")) ? 0 : wrong(e, "yes or no", value);
}

static int parse_service(struct rule *r, struct str value, struct err *e)
{
	/* Those that ask; a rule for another one would never hold. */
	static const char *const services[] = {"pop3", "sieve", "poppassd", "smtp"};

	for (size_t i = 0; i < countof(services); i++)
		if (str_eq(value, str_of(services[i]))) {
			r->service = services[i];
			return 0;
		}
	return wrong(e, "service", value);
}

/* ipv6_of - "[0:0::1]" as a socket names itself; false: it is no such thing */
static bool ipv6_of(struct str host, char out[INET6_ADDRSTRLEN])
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (host.n < 2 || host.p[0] != '[' || host.n - 2 >= sizeof text)
		return false;
	snprintf(text, sizeof text, STR_FMT, (int)host.n - 2, host.p + 1);
	return inet_pton(AF_INET6, text, &a) == 1 &&
	       inet_ntop(AF_INET6, &a, out, INET6_ADDRSTRLEN) != NULL;
}

/* address_of - as it is configured (lib/server.h), to what server_address() makes of it */
static int address_of(struct str value, char out[RULE_ADDRESS], struct err *e)
{
	const char *colon = memrchr(value.p, ':', value.n);
	struct str host = {value.p, colon != NULL ? (size_t)(colon - value.p) : 0};
	struct str port = {value.p + host.n, value.n - host.n};
	char ipv6[INET6_ADDRSTRLEN] = "::";

	if (!str_eq(host, STR("*")) && !ipv6_of(host, ipv6))
		return copy(out, RULE_ADDRESS, value, "address", e);
	if (port.n > 6)
		return wrong(e, "address", value);
	snprintf(out, RULE_ADDRESS, "[%s]" STR_FMT, ipv6, STR_ARG(port));
	return 0;
}

static int parse_listen(struct rule *r, struct str value, struct err *e)
{
	struct str port = value, host = str_cut(&port, ':');

	if (address_of(value, r->listen, e) < 0)
		return -1;
	if (str_eq(host, STR("*")))
		snprintf(r->or_listen, sizeof r->or_listen, "0.0.0.0:" STR_FMT,
			 STR_ARG(port));
	return 0;
}

static int parse_client(struct rule *r, struct str value, struct err *e)
{
	return network_parse_list(value, r->clients, RULE_LIST, &r->n_clients, e);
}

static int parse_domain(struct rule *r, struct str value, struct err *e)
{
	while (value.n > 0) {
		struct str one = str_cut(&value, ',');

		if (r->n_domains == RULE_LIST)
			return err_set(e, ERR_PERM, "5.3.5", "more than %d domains",
				       RULE_LIST);
		if (name_domain(one, &r->domains[r->n_domains++], e) < 0)
			return -1;
	}
	return 0;
}

static int parse_tls(struct rule *r, struct str value, struct err *e)
{
	r->tls_asked = true;
	return yes_or_no(value, &r->tls, e);
}

static int parse_sources(struct rule *r, struct str value, struct err *e)
{
	while (value.n > 0) {
		struct str one = str_cut(&value, ',');

		if (r->n_sources == RULE_SOURCES)
			return err_set(e, ERR_PERM, "5.3.5", "more than %d sources",
				       RULE_SOURCES);
		if (source_parse(one, &r->sources[r->n_sources++], e) < 0)
			return -1;
	}
	return 0;
}

static int parse_mechanisms(struct rule *r, struct str value, struct err *e)
{
	while (value.n > 0) {
		struct str one = str_cut(&value, ',');
		unsigned m = mechanism_find(one);

		if (m == MECHANISMS)
			return wrong(e, "mechanism", one);
		r->mechanisms |= MECHANISM_BIT(m);
	}
	return 0;
}

static int parse_transition(struct rule *r, struct str value, struct err *e)
{
	return yes_or_no(value, &r->transition, e);
}

static const struct {
	struct str word;
	int (*parse)(struct rule *r, struct str value, struct err *e);
} words[] = {
	/* clang-format off */
	{STR_INIT("service"),    parse_service},
	{STR_INIT("listen"),     parse_listen},
	{STR_INIT("client"),     parse_client},
	{STR_INIT("domain"),     parse_domain},
	{STR_INIT("tls"),        parse_tls},
	{STR_INIT("sources"),    parse_sources},
	{STR_INIT("mechanisms"), parse_mechanisms},
	{STR_INIT("transition"), parse_transition},
	/* clang-format on */
};

static int parse_word(struct rule *r, unsigned *seen, struct str word, struct str value,
		      struct err *e)
{
	for (unsigned i = 0; i < countof(words); i++) {
		if (!str_eq(word, words[i].word))
			continue;
		if (*seen & 1U << i)
			return err_set(e, ERR_PERM, "5.3.5", "it says " STR_FMT " twice",
				       STR_ARG(word));
		if (value.n == 0)
			return err_set(e, ERR_PERM, "5.3.5", "nothing follows " STR_FMT,
				       STR_ARG(word));
		*seen |= 1U << i;
		return words[i].parse(r, value, e);
	}
	return wrong(e, "word of a rule", word);
}

/* next - the next word, whatever blanks there are between them */
static struct str next(struct str *rest)
{
	*rest = str_trim(*rest);
	return str_word(rest);
}

static void put_secret_first(struct rule *r)
{
	struct err ignored;
	size_t at = 0;

	while (at < r->n_sources && !source_is_secret(&r->sources[at]))
		at++;
	if (at == r->n_sources)
		r->n_sources++;
	memmove(&r->sources[1], &r->sources[0], at * sizeof r->sources[0]);
	must(source_parse(STR("secret"), &r->sources[0], &ignored) == 0);
}

static void set_defaults(struct rule *r)
{
	if (r->mechanisms == 0)
		r->mechanisms = mechanism_defaults();
	if (r->n_sources == 0 || r->transition)
		put_secret_first(r);
}

static bool has_address(const struct conf_list *list, const char *address)
{
	char one[RULE_ADDRESS];
	struct err ignored;

	for (size_t i = 0; i < list->n; i++)
		if (address_of(str_of(list->v[i]), one, &ignored) == 0 &&
		    strcmp(one, address) == 0)
			return true;
	return false;
}

/* check_listen - a rule for an address where nobody listens would never hold, and say so to
 * nobody.  Where an MTA listens is not known here. */
static int check_listen(const struct rule *r, const struct settings *set, struct err *e)
{
	const struct {
		const char *service;
		const struct conf_list *addresses;
	} all[] = {
		{"pop3", &set->pop3.listen},
		{"pop3", &set->pop3.tls_listen},
		{"sieve", &set->sieve.listen},
		{"poppassd", &set->poppassd.listen},
		{"poppassd", &set->poppassd.tls_listen},
	};

	if (r->listen[0] == '\0' ||
	    (r->service != NULL && strcmp(r->service, "smtp") == 0))
		return 0;
	for (size_t i = 0; i < countof(all); i++)
		if ((r->service == NULL || strcmp(r->service, all[i].service) == 0) &&
		    has_address(all[i].addresses, r->listen))
			return 0;
	return wrong(e,
		     r->service != NULL ? "address where this service listens"
					: "address where pop3, sieve or poppassd listens",
		     str_of(r->listen));
}

static int parse_rule(struct rule *r, struct str text, const struct settings *set,
		      struct err *e)
{
	unsigned seen = 0;

	while (str_trim(text).n > 0) {
		struct str word = next(&text);
		struct str value = next(&text);

		if (parse_word(r, &seen, word, value, e) < 0)
			return -1;
	}
	set_defaults(r);
	return check_listen(r, set, e);
}

int rules_new(const struct settings *set, struct rules **out, struct err *e)
{
	const struct conf_list *list = &set->auth.rules;
	struct rules *r = xalloc(sizeof *r);

	*out = NULL;
	if (list->n > RULES_MAX) {
		xfree(&r);
		return err_set(e, ERR_PERM, "5.3.5", "auth.rules: more than %d rules",
			       RULES_MAX);
	}
	r->v = xalloc((list->n + 1) * sizeof *r->v);
	for (r->n = 0; r->n < list->n; r->n++)
		if (parse_rule(&r->v[r->n], str_of(list->v[r->n]), set, e) < 0) {
			err_add(e, "auth.rules, rule %zu \"%.80s\"", r->n + 1,
				list->v[r->n]);
			rules_free(&r);
			return -1;
		}
	*out = r;
	return 0;
}

void rules_free(struct rules **r)
{
	if (*r != NULL)
		xfree(&(*r)->v);
	xfree(r);
}

/* ---- asking ------------------------------------------------------------------------- */

static struct rule defaults;
static pthread_once_t defaults_once = PTHREAD_ONCE_INIT;

static void make_defaults(void)
{
	set_defaults(&defaults);
}

const struct rule *rules_default(void)
{
	must(pthread_once(&defaults_once, make_defaults) == 0);
	return &defaults;
}

bool rule_asks_secret(const struct rule *r)
{
	for (size_t i = 0; i < r->n_sources; i++)
		if (source_is_secret(&r->sources[i]))
			return true;
	return false;
}

static bool has_domain(const struct rule *r, struct str domain)
{
	for (size_t i = 0; i < r->n_domains; i++)
		if (str_eq(domain, str_of(r->domains[i].s)))
			return true;
	return r->n_domains == 0;
}

static bool has_client(const struct rule *r, const char *client)
{
	struct network_address address;

	if (r->n_clients == 0)
		return true;
	return network_parse_address(str_of(client), &address) &&
	       network_any_has(r->clients, r->n_clients, &address);
}

static bool has_server(const struct rule *r, const char *server)
{
	return r->listen[0] == '\0' || strcmp(r->listen, server) == 0 ||
	       (r->or_listen[0] != '\0' && strcmp(r->or_listen, server) == 0);
}

/* fits - all but the domain */
static bool fits(const struct rule *r, const struct question *q)
{
	return (r->service == NULL || strcmp(r->service, q->service) == 0) &&
	       has_server(r, q->server) && (!r->tls_asked || r->tls == q->tls) &&
	       has_client(r, q->client);
}

const struct rule *rules_find(const struct rules *r, const struct question *q,
			      struct str domain)
{
	for (size_t i = 0; i < r->n; i++)
		if (fits(&r->v[i], q) && has_domain(&r->v[i], domain))
			return &r->v[i];
	return rules_default();
}

unsigned rules_mechanisms(const struct rules *r, const struct question *q)
{
	unsigned set = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!fits(&r->v[i], q))
			continue;
		set |= r->v[i].mechanisms;
		if (r->v[i].n_domains == 0)
			return set;
	}
	return set | rules_default()->mechanisms;
}

bool rules_ask_client(const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].n_clients > 0)
			return true;
	return false;
}

unsigned rules_all_mechanisms(const struct rules *r)
{
	unsigned set = rules_default()->mechanisms;

	for (size_t i = 0; i < r->n; i++)
		set |= r->v[i].mechanisms;
	return set;
}

const struct source *rules_source(const struct rules *r, size_t i)
{
	for (size_t k = 0; k < r->n; k++) {
		if (i < r->v[k].n_sources)
			return &r->v[k].sources[i];
		i -= r->v[k].n_sources;
	}
	return NULL;
}
