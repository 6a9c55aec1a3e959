/* SPDX-License-Identifier: ISC */
#include "dispatch/service.h"

#define AT(member) offsetof(struct settings, member)
#define SECTION(name)                  \
	{                              \
#name, AT(name.listen) \
	}

const struct service services[SERVICE_COUNT] = {
	/* clang-format off */
	{.name = "milter", .program = "popstore-milter",
	 .section = {SECTION(milter)},
	 .stage = STAGE_MTA, .binds_itself = true},
	{.name = "policy", .program = "popstore-policyd",
	 .section = {SECTION(policy), SECTION(socketmap)},
	 .stage = STAGE_MTA},
	{.name = "lmtp", .program = "popstore-lmtpd",
	 .section = {SECTION(lmtp)}, .workers = AT(lmtp.workers),
	 .stage = STAGE_MTA, .recover_after_crash = true},
	{.name = "pop3", .program = "popstore-pop3d",
	 .section = {SECTION(pop3)}, .workers = AT(pop3.workers),
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

unsigned service_workers(const struct service *s, const struct settings *set)
{
	size_t addresses = 0;

	for (size_t i = 0; i < SERVICE_SECTIONS; i++)
		addresses += service_listen(s, i, set)->n;
	if (addresses == 0)
		return 0;
	if (s->workers == 0)
		return 1;
	return (unsigned)*(const uint64_t *)(const void *)((const char *)set +
							   s->workers);
}
