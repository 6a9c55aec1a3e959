/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include <string.h>

#define ACCOUNT_SWITCHES \
	(OPT(QUOTA) | OPT(OVERDRAFT) | OPT(FLAGS) | OPT(OWNER) | OPT(GROUP))

static const struct verb verbs[] = {
	/* clang-format off */
	{"init", "", 0, 0, OPT(JSON), NEEDS_SETTINGS, verb_init,
	 "make an empty store where the configuration says"},
	{"domain add", "DOMAIN", 1, 1, OPT(ALIAS) | OPT(DELIMITERS) | OPT(RECOVERABLE) | OPT(JSON), NEEDS_STORE, verb_domain_add,
	 "make a domain, or another name for one"},
	{"domain modify", "DOMAIN", 1, 1, OPT(ALIAS) | OPT(DELIMITERS) | OPT(RECOVERABLE) | OPT(JSON), NEEDS_STORE, verb_domain_modify,
	 "change what a domain says"},
	{"domain delete", "DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_domain_delete,
	 "remove a domain that holds nothing any more"},
	{"domain list", "", 0, 0, OPT(JSON), NEEDS_STORE, verb_domain_list,
	 "list the domains"},
	{"add", "NAME@DOMAIN", 0, 1, ACCOUNT_SWITCHES | OPT(PASSWORD_STDIN) | OPT(HASH_STDIN) | OPT(FROM) | OPT(HASHES) | OPT(JSON), NEEDS_STORE, verb_add,
	 "make an account, or thousands from a file"},
	{"modify", "NAME@DOMAIN|PATTERN...", 1, OPERANDS_ANY, ACCOUNT_SWITCHES | OPT(YES) | OPT(JSON), NEEDS_STORE, verb_modify,
	 "change accounts"},
	{"passwd", "NAME@DOMAIN", 1, 1, OPT(PASSWORD_STDIN) | OPT(HASH_STDIN) | OPT(JSON), NEEDS_STORE, verb_passwd,
	 "set an account's password"},
	{"delete", "NAME@DOMAIN|PATTERN...", 1, OPERANDS_ANY, OPT(YES) | OPT(JSON), NEEDS_STORE, verb_delete,
	 "remove accounts and release their messages"},
	{"show", "NAME@DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_show,
	 "say all about an account or a forwarding"},
	{"list", "[PATTERN]", 0, 1, OPT(FORWARDINGS) | OPT(JSON), NEEDS_STORE, verb_list,
	 "list accounts or forwardings"},
	{"messages", "NAME@DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_messages,
	 "list what an account's maildrop holds"},
	{"forward", "NAME@DOMAIN ADDRESS...", 2, OPERANDS_ANY, OPT(JSON), NEEDS_STORE, verb_forward,
	 "make a name stand for other addresses, or replace them"},
	{"noforward", "NAME@DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_noforward,
	 "remove a forwarding"},
	{"verdict", "ADDRESS", 1, 1, OPT(SIZE) | OPT(JSON), NEEDS_STORE, verb_verdict,
	 "say what the MTA would be told about a recipient"},
	{"check", "", 0, 0, OPT(REPAIR) | OPT(RELEASE_UNOWNED) | OPT(QUICK) | OPT(RESUME) | OPT(JSON), NEEDS_STORE, verb_check,
	 "prove the store sound, or say what is not"},
	{"scrub", "", 0, 0, OPT(RATE) | OPT(RESUME) | OPT(JSON), NEEDS_STORE, verb_scrub,
	 "read every message from the disk, slowly, and name what is damaged"},
	{"recover", "", 0, 0, OPT(RESUME) | OPT(JSON), NEEDS_STORE, verb_recover,
	 "do what a start after a crash does"},
	{"status", "", 0, 0, OPT(PRIVILEGES) | OPT(JSON), NEEDS_STORE, verb_status,
	 "say how the services and the disks are, and what needs attention"},
	{"settings", "", 0, 0, OPT(CHANGED) | OPT(MDOC) | OPT(JSON), NEEDS_NOTHING, verb_settings,
	 "print the configuration in effect"},
	{"sieve put", "NAME@DOMAIN SCRIPT FILE", 3, 3, OPT(JSON), NEEDS_STORE, verb_sieve_put,
	 "keep a Sieve script for an account, if it is sound"},
	{"sieve get", "NAME@DOMAIN SCRIPT", 2, 2, OPT(JSON), NEEDS_STORE, verb_sieve_get,
	 "print a script that an account keeps"},
	{"sieve list", "NAME@DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_sieve_list,
	 "list the scripts of an account"},
	{"sieve activate", "NAME@DOMAIN SCRIPT", 2, 2, OPT(JSON), NEEDS_STORE, verb_sieve_activate,
	 "filter an account's mail by this script"},
	{"sieve deactivate", "NAME@DOMAIN", 1, 1, OPT(JSON), NEEDS_STORE, verb_sieve_deactivate,
	 "filter an account's mail by none of its scripts"},
	{"sieve delete", "NAME@DOMAIN SCRIPT", 2, 2, OPT(JSON), NEEDS_STORE, verb_sieve_delete,
	 "remove a script that is not active"},
	{"sieve rename", "NAME@DOMAIN SCRIPT NEW-NAME", 3, 3, OPT(JSON), NEEDS_STORE, verb_sieve_rename,
	 "give a script another name"},
	{"sieve check", "FILE", 1, 1, OPT(JSON), NEEDS_NOTHING, verb_sieve_check,
	 "say what is wrong with a Sieve script"},
	{"sieve run", "FILE MESSAGE", 2, 2, OPT(SENDER) | OPT(RECIPIENT) | OPT(JSON), NEEDS_NOTHING, verb_sieve_run,
	 "print what a Sieve script would do with a message"},
	{"sieve test", "FILE...", 1, OPERANDS_ANY, OPT(JSON), NEEDS_NOTHING, verb_sieve_test,
	 "run tests of Sieve that are written in Sieve"},
	{"help", "[VERB]", 0, 2, 0, NEEDS_NOTHING, verb_help,
	 "say how the utility or a verb is used"},
	/* clang-format on */
};

const struct verb *verb_find(char *const *words, size_t n, size_t *used)
{
	for (size_t i = 0; n > 0 && i < countof(verbs); i++) {
		const char *second = strchr(verbs[i].name, ' ');
		struct str name = str_of(verbs[i].name);
		struct str first = str_cut(&name, ' ');

		if (!str_eq(first, str_of(words[0])))
			continue;
		*used = second ? 2 : 1;
		if (second == NULL || (n > 1 && str_eq(name, str_of(words[1]))))
			return &verbs[i];
	}
	return NULL;
}

size_t verb_count(void)
{
	return countof(verbs);
}

const struct verb *verb_at(size_t i)
{
	must(i < countof(verbs));
	return &verbs[i];
}
