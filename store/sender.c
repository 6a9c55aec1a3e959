/* SPDX-License-Identifier: ISC */
#include "store/sender.h"

#include "lib/conn.h"
#include "store/domain.h"
#include "store/store_int.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

static int read_secrets(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *to = buf_reserve(out, SRS_FILE_MAX);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	n = read(fd, to, SRS_FILE_MAX);
	if (n < 0)
		err_sys(e, "read %s", path);
	close(fd);
	if (n < 0)
		return -1;
	buf_used(out, (size_t)n);
	return n < SRS_FILE_MAX ? 0
				: err_set(e, ERR_PERM, "5.3.5", "%s is too large", path);
}

static int load(struct store *s, struct err *e)
{
	struct srs_rules rules = {
		.domain = s->set->outgoing.srs_domain,
		.hash = (unsigned)s->set->outgoing.srs_hash,
		.days = (unsigned)(s->set->outgoing.srs_lifetime_s / (24 * 3600)),
	};
	const char *path = s->set->outgoing.srs_secrets;
	struct buf text;
	int rc;

	if (path[0] == '\0')
		return err_set(e, ERR_PERM, "5.3.5",
			       "outgoing.srs_domain is set, outgoing.srs_secrets is not");
	buf_init_secret(&text, SRS_FILE_MAX);
	rc = read_secrets(path, &text, e);
	if (rc == 0) {
		s->srs = srs_new(&rules, buf_str(&text), e);
		rc = s->srs != NULL ? 0 : err_add(e, "%s", path);
	}
	buf_fini_secret(&text);
	return rc;
}

static bool is_wanted(const struct store *s)
{
	return s->set->outgoing.srs_domain[0] != '\0';
}

/* get - *srs is NULL where the settings have none */
static int get(struct store *s, const struct srs **srs, struct err *e)
{
	int rc = 0;

	*srs = NULL;
	if (!is_wanted(s))
		return 0;
	pthread_mutex_lock(&s->mutex);
	if (s->srs == NULL)
		rc = load(s, e);
	*srs = s->srs;
	pthread_mutex_unlock(&s->mutex);
	return rc < 0 ? err_add(e, "SRS") : 0;
}

static int is_ours(struct store *s, const char *domain, bool *ours, struct err *e)
{
	struct domain d;

	return domain_resolve(s, str_of(domain), &d, ours, e);
}

int sender_begin(struct store *s, struct err *e)
{
	const char *domain = s->set->outgoing.srs_domain;
	const struct srs *srs;
	bool ours;

	if (!is_wanted(s))
		return 0;
	if (get(s, &srs, e) < 0 || is_ours(s, domain, &ours, e) < 0)
		return -1;
	return ours ? 0
		    : err_set(e, ERR_PERM, "5.3.5",
			      "outgoing.srs_domain: %s is no domain of this store, and "
			      "bounces would get lost; make it by 'popstore domain add'",
			      domain);
}

int sender_forward(struct store *s, struct str sender, struct buf *out, struct err *e)
{
	const struct srs *srs;
	struct address from, to;
	bool ours;

	if (get(s, &srs, e) < 0)
		return -1;
	if (srs == NULL || address_parse(sender, true, &from) != ADDRESS_OK) {
		buf_put(out, sender);
		return 0;
	}
	if (is_ours(s, from.domain, &ours, e) < 0)
		return -1;
	/* One that gets too long goes as it is: better without SPF than not at all. */
	if (!ours && srs_forward(srs, &from, (int64_t)(clock_unix_ms() / 1000), &to))
		address_print(out, &to);
	else
		buf_put(out, sender);
	return 0;
}

int sender_reverse(struct store *s, const struct address *a, struct address *home,
		   enum srs_result *result, struct err *e)
{
	const struct srs *srs;

	*result = SRS_NONE;
	if (!is_wanted(s) || strcasecmp(a->domain, s->set->outgoing.srs_domain) != 0)
		return 0;
	if (get(s, &srs, e) < 0)
		return -1;
	*result = srs_reverse(srs, a, (int64_t)(clock_unix_ms() / 1000), home);
	return 0;
}
