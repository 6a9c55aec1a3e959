/* SPDX-License-Identifier: ISC */
#include "ctl/options.h"

#include "lib/str.h"

#include <string.h>

static const struct row {
	const char *name;
	const char *usage; /* longer than the name: takes a value */
	const char *help;
} rows[OPT_COUNT] = {
	/* clang-format off */
	[OPT_JSON]           = {"--json",           "--json",             "print JSON, for programs"},
	[OPT_HELP]           = {"--help",           "--help",             "say how this verb is used"},
	[OPT_YES]            = {"--yes",            "--yes",              "do not ask"},
	[OPT_PASSWORD_STDIN] = {"--password-stdin", "--password-stdin",   "read the password from the first line of standard input"},
	[OPT_HASH_STDIN]     = {"--hash-stdin",     "--hash-stdin",       "read {SCHEME}hash of another system from the first line of standard input"},
	[OPT_QUOTA]          = {"--quota",          "--quota SIZE",       "octets it may hold, as 100M; none for no limit"},
	[OPT_OVERDRAFT]      = {"--overdraft",      "--overdraft SIZE",   "octets above the quota that one message may reach, as 1M"},
	[OPT_FLAGS]          = {"--flags",          "--flags LIST",       "dismail, disuser, lockpwd, pwd_elsewhere; with 'no' before it takes the flag away"},
	[OPT_OWNER]          = {"--owner",          "--owner TEXT",       "free text, as the owner's full name"},
	[OPT_GROUP]          = {"--group",          "--group NAME",       "management group; '' for none"},
	[OPT_FROM]           = {"--from",           "--from FILE",        "many accounts: name@domain<TAB>password a line; - is standard input"},
	[OPT_HASHES]         = {"--hashes",         "--hashes",           "with --from: each line has {SCHEME}hash in place of the password"},
	[OPT_ALIAS]          = {"--alias",          "--alias DOMAIN",     "the domain is another name for DOMAIN"},
	[OPT_DELIMITERS]     = {"--delimiters",     "--delimiters CHARS", "characters that start a subaddress; none, or default for the configured ones"},
	[OPT_RECOVERABLE]    = {"--recoverable",    "--recoverable YESNO", "yes: keep passwords so that they can be read again, for APOP and CRAM-MD5; no: forget them"},
	[OPT_SIZE]           = {"--size",           "--size SIZE",        "octets of the message in question"},
	[OPT_REPAIR]         = {"--repair",         "--repair",           "mend what can be proved"},
	[OPT_RELEASE_UNOWNED] = {"--release-unowned", "--release-unowned", "with --repair: let go of mail held for accounts that are not there"},
	[OPT_QUICK]          = {"--quick",          "--quick",            "leave out the checksums of message bodies"},
	[OPT_RESUME]         = {"--resume",         "--resume",           "go on where a check or scrub stopped; recover: volumes that stopped take mail again"},
	[OPT_RATE]           = {"--rate",           "--rate SIZE",        "octets a second that it reads at most, 10M by default; none for no limit"},
	[OPT_FORWARDINGS]    = {"--forwardings",    "--forwardings",      "forwardings instead of accounts"},
	[OPT_CHANGED]        = {"-n",               "-n",                 "only what differs from the defaults"},
	[OPT_MDOC]           = {"--mdoc",           "--mdoc",             "all settings for popstore.conf(5), as mdoc(7)"},
	[OPT_PRIVILEGES]     = {"--privileges",     "--privileges",       "what each process may do, and what it should not"},
	[OPT_SENDER]         = {"--sender",         "--sender ADDRESS",   "sender of the envelope; '' for the null sender"},
	[OPT_RECIPIENT]      = {"--recipient",      "--recipient ADDRESS", "recipient of the envelope, the owner of the script"},
	/* clang-format on */
};

const char *option_usage(enum option x)
{
	return rows[x].usage;
}

const char *option_help(enum option x)
{
	return rows[x].help;
}

static bool takes_value(const struct row *r)
{
	return strcmp(r->name, r->usage) != 0;
}

static const struct row *find_row(struct str name)
{
	for (size_t i = 0; i < countof(rows); i++)
		if (str_eq(name, str_of(rows[i].name)))
			return &rows[i];
	return NULL;
}

static int usage_error(struct err *e, const char *what, const char *name)
{
	return err_set(e, ERR_PERM, "5.5.4", "%s %s", name, what);
}

/* take - one switch: words[*at], and the word after it where that is its value */
static int take(char *const *words, size_t n, size_t *at, unsigned allowed,
		struct options *out, struct err *e)
{
	const char *word = words[*at];
	const char *equals = strchr(word, '=');
	struct str name = {word, equals ? (size_t)(equals - word) : strlen(word)};
	const struct row *r = find_row(name);

	if (r == NULL)
		return err_set(e, ERR_PERM, "5.5.4", "there is no switch " STR_FMT,
			       STR_ARG(name));

	enum option x = (enum option)(r - rows);

	if (x != OPT_HELP && !(allowed & 1u << x))
		return usage_error(e, "does not belong to this verb", r->name);
	if (out->value[x] != NULL)
		return usage_error(e, "is given twice", r->name);
	if (!takes_value(r)) {
		if (equals != NULL)
			return usage_error(e, "takes no value", r->name);
		out->value[x] = "";
		return 0;
	}
	if (equals == NULL && *at + 1 == n)
		return usage_error(e, "needs a value", r->name);
	out->value[x] = equals ? equals + 1 : words[++*at];
	return 0;
}

int options_parse(char *const *words, size_t n, unsigned allowed, struct options *out,
		  struct err *e)
{
	bool ended = false;

	*out = (struct options){.operands = xalloc((n + 1) * sizeof(char *))};
	for (size_t i = 0; i < n; i++) {
		if (ended || words[i][0] != '-' || words[i][1] == '\0')
			out->operands[out->n++] = words[i];
		else if (strcmp(words[i], "--") == 0)
			ended = true;
		else if (take(words, n, &i, allowed, out, e) < 0)
			return -1;
	}
	return 0;
}

void options_fini(struct options *o)
{
	xfree(&o->operands);
	*o = (struct options){0};
}
