/* SPDX-License-Identifier: ISC */
#include "dispatch/sockets.h"

#include "lib/server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add(struct sockets *s, const char *section, const char *address, int fd)
{
	s->v[s->n++] = (struct listening){.section = section,
					  .address = address ? xstrdup(address) : NULL,
					  .fd = fd};
}

static void drop(struct sockets *s, size_t i)
{
	close(s->v[i].fd);
	xfree(&s->v[i].address);
	s->v[i] = s->v[--s->n];
}

static void take_inherited(struct sockets *s, const char *section)
{
	int fds[SOCKETS_OF_SERVICE];
	size_t n = server_inherited(section, fds, countof(fds));

	for (size_t i = 0; i < n && i < countof(fds) && s->n < SOCKETS_MAX; i++)
		add(s, section, NULL, fds[i]);
}

void sockets_init(struct sockets *s)
{
	*s = (struct sockets){0};
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		for (size_t k = 0; k < SERVICE_SECTIONS; k++)
			if (services[i].section[k].name != NULL &&
			    !services[i].binds_itself)
				take_inherited(s, services[i].section[k].name);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void sockets_fini(struct sockets *s)
{
	while (s->n > 0)
		drop(s, s->n - 1);
}

static bool is_inherited(const struct sockets *s, const char *section)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].address == NULL && strcmp(s->v[i].section, section) == 0)
			return true;
	return false;
}

static bool is_bound(const struct sockets *s, const char *section, const char *address)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].address != NULL && strcmp(s->v[i].section, section) == 0 &&
		    strcmp(s->v[i].address, address) == 0)
			return true;
	return false;
}

static int bind_section(struct sockets *s, const char *section,
			const struct conf_list *addresses, struct err *e)
{
	for (size_t i = 0; i < addresses->n; i++) {
		if (is_bound(s, section, addresses->v[i]))
			continue;
		if (s->n == SOCKETS_MAX)
			return err_set(e, ERR_PERM, "5.3.5",
				       "more than %d addresses to listen on",
				       SOCKETS_MAX);

		int fd = server_bind(addresses->v[i], e);

		if (fd < 0)
			return err_add(e, "%s", section);
		add(s, section, addresses->v[i], fd);
	}
	return 0;
}

static bool is_named(const struct listening *l, const struct settings *set)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		for (size_t k = 0; k < SERVICE_SECTIONS; k++) {
			const struct conf_list *list =
				service_listen(&services[i], k, set);

			if (services[i].section[k].name != l->section)
				continue;
			for (size_t a = 0; a < list->n; a++)
				if (strcmp(list->v[a], l->address) == 0)
					return true;
		}
	}
	return false;
}

static int bind_all(struct sockets *s, const struct settings *set, struct err *e)
{
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		size_t n = 0;

		for (size_t k = 0; k < SERVICE_SECTIONS && !services[i].binds_itself;
		     k++) {
			const char *section = services[i].section[k].name;
			const struct conf_list *list =
				service_listen(&services[i], k, set);

			n += list->n;
			if (n > SOCKETS_OF_SERVICE)
				return err_set(e, ERR_PERM, "5.3.5",
					       "%s: more than %d addresses to listen on",
					       section, SOCKETS_OF_SERVICE);
			if (section != NULL && !is_inherited(s, section) &&
			    bind_section(s, section, list, e) < 0)
				return -1;
		}
	}
	return 0;
}

int sockets_configure(struct sockets *s, const struct settings *set, struct err *e)
{
	size_t before = s->n;

	if (bind_all(s, set, e) < 0) {
		while (s->n > before) /* only added at the end */
			drop(s, s->n - 1);
		return -1;
	}
	for (size_t i = s->n; i-- > 0;)
		if (s->v[i].address != NULL && !is_named(&s->v[i], set))
			drop(s, i);
	return 0;
}

static bool is_of(const struct listening *l, const struct service *service)
{
	for (size_t k = 0; k < SERVICE_SECTIONS; k++)
		if (l->section == service->section[k].name)
			return true;
	return false;
}

size_t sockets_of(const struct sockets *s, const struct service *service,
		  const struct listening *out[SOCKETS_OF_SERVICE])
{
	size_t n = 0;

	for (size_t i = 0; i < s->n && n < SOCKETS_OF_SERVICE; i++)
		if (is_of(&s->v[i], service))
			out[n++] = &s->v[i];
	return n;
}
