/* SPDX-License-Identifier: ISC */
#include "sieve/extensions_int.h"

static const struct extension *const table[] = {
	/* the base language */
	&core_control,
	&core_actions,
	&core_tests,
	&core_matching,
	&ext_comparator_octet,
	&ext_comparator_ascii_casemap,
	&ext_fileinto,
	&ext_envelope,
	&ext_encoded_character,
	/* the rest */
	&ext_comparator_numeric,
	&ext_copy,
	&ext_relational,
	&ext_subaddress,
	&ext_variables,
	&ext_imap4flags,
	&ext_reject,
	&ext_ereject,
	&ext_vacation,
	&ext_vacation_seconds,
	&ext_body,
	&ext_regex,
	&ext_date,
	&ext_index,
	&ext_ihave,
	&ext_include,
	&ext_environment,
	&ext_fcc,
	&ext_enotify,
	&ext_mailbox,
	&ext_mboxmetadata,
	&ext_servermetadata,
	&ext_duplicate,
	&ext_editheader,
	&ext_mime,
	&ext_foreverypart,
	&ext_extracttext,
	&ext_spamtest,
	&ext_spamtestplus,
	&ext_virustest,
	&ext_special_use,
	&ext_extlists,
	&ext_comparator_unicode,
	&ext_redirect_dsn,
	&ext_redirect_deliverby,
	&ext_testsuite,
};

size_t registry_count(void)
{
	return countof(table);
}

const struct extension *registry_at(size_t i)
{
	must(i < countof(table));
	return table[i];
}

int registry_index(const struct extension *x)
{
	for (size_t i = 0; i < countof(table); i++)
		if (table[i] == x)
			return (int)i;
	return 63; /* one that is not in the table is never on */
}

bool registry_on(const struct sieve_site *site, const struct extension *x)
{
	if (x->test && !site->testsuite)
		return false;
	for (const char *const *off = site->off; off != NULL && *off != NULL; off++)
		if (x->name != NULL && str_ieq(str_of(*off), str_of(x->name)))
			return false;
	return true;
}

int registry_find(const struct sieve_site *site, struct str name)
{
	for (size_t i = 0; i < countof(table); i++)
		if (table[i]->name != NULL && str_eq(str_of(table[i]->name), name) &&
		    registry_on(site, table[i]))
			return (int)i;
	return -1;
}

void sieve_extensions(const struct sieve_site *site, struct buf *out)
{
	for (size_t i = 0; i < countof(table); i++)
		if (table[i]->name != NULL && registry_on(site, table[i]))
			buf_printf(out, "%s%s", out->n > 0 ? " " : "", table[i]->name);
}
