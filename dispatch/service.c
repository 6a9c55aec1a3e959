/* SPDX-License-Identifier: ISC */
#include "dispatch/service.h"

#define AT(member) offsetof(struct settings, member)
#define SECTION(name)                  \
	{                              \
#name, AT(name.listen) \
	}
#define CHANNEL(name) (1u << CHANNEL_##name)

const struct service services[SERVICE_COUNT] = {
	/* clang-format off */
	{.name = "authd", .program = "popstore-authd",
	 .section = {SECTION(auth), {"saslauthd", AT(auth.saslauthd_listen)}},
	 .takes = CHANNEL(AUTH), .signs = true,
	 .stage = STAGE_ASKED},
	{.name = "milter", .program = "popstore-milter",
	 .section = {SECTION(milter)},
	 .stage = STAGE_MTA, .binds_itself = true},
	{.name = "policy", .program = "popstore-policyd",
	 .section = {SECTION(policy), SECTION(socketmap)},
	 .stage = STAGE_MTA},
	{.name = "lmtp", .program = "popstore-lmtpd",
	 .section = {SECTION(lmtp)}, .workers = AT(lmtp.workers),
	 .gives = CHANNEL(SUBMIT),
	 .stage = STAGE_MTA, .recover_after_crash = true},
	{.name = "pop3-login", .program = "popstore-pop3d", .option = "--login",
	 .section = {SECTION(pop3), {"pop3s", AT(pop3.tls_listen)}},
	 .workers = AT(pop3.login_workers), .gives = CHANNEL(SESSION) | CHANNEL(AUTH),
	 .stage = STAGE_READERS},
	{.name = "pop3", .program = "popstore-pop3d",
	 .workers = AT(pop3.workers), .takes = CHANNEL(SESSION), .signs = true,
	 .stage = STAGE_READERS},
	{.name = "sieve-login", .program = "popstore-sieved", .option = "--login",
	 .section = {SECTION(sieve)},
	 .workers = AT(sieve.login_workers), .gives = CHANNEL(SIEVE) | CHANNEL(AUTH),
	 .takes = CHANNEL(SIEVE_BACK), .stage = STAGE_READERS},
	{.name = "sieve", .program = "popstore-sieved",
	 .workers = AT(sieve.workers), .gives = CHANNEL(SIEVE_BACK), .takes = CHANNEL(SIEVE),
	 .signs = true, .stage = STAGE_READERS},
	{.name = "poppassd", .program = "popstore-poppassd",
	 .section = {SECTION(poppassd), {"poppassds", AT(poppassd.tls_listen)}},
	 .gives = CHANNEL(AUTH), .stage = STAGE_READERS},
	/* Ends when the delivery agents have: what they answer may hang on it. */
	{.name = "submit", .program = "popstore-submitd",
	 .takes = CHANNEL(SUBMIT),
	 .stage = STAGE_READERS},
	/* clang-format on */
};

const struct conf_list *service_listen(const struct service *s, size_t i,
				       const struct settings *set)
{
	static const struct conf_list none;

	if (i >= SERVICE_SECTIONS || s->section[i].name == NULL)
		return &none;
	return (const void *)((const char *)set + s->section[i].listen);
}

/* is_needed - by itself, or by one that gives it something to do.  No row gives to one
 * that gives to it, but for what is given back, so this ends. */
static bool is_needed(const struct service *s, const struct settings *set)
{
	for (size_t i = 0; i < SERVICE_SECTIONS; i++)
		if (service_listen(s, i, set)->n > 0)
			return true;
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		if (services[i].gives & s->takes & ~CHANNEL(SIEVE_BACK) &&
		    is_needed(&services[i], set))
			return true;
	return false;
}

unsigned service_workers(const struct service *s, const struct settings *set)
{
	if (!is_needed(s, set))
		return 0;
	if (s->workers == 0)
		return 1;
	return (unsigned)*(const uint64_t *)(const void *)((const char *)set +
							   s->workers);
}
