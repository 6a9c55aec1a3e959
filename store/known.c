/* SPDX-License-Identifier: ISC */
#include "store/known.h"

#include "store/record.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

/* What is kept of a path. */
struct place_kept {
	uint64_t stamp; /* 0: nothing */
	char *path;
	void *value;
};

struct known {
	pthread_mutex_t lock;
	known_parse *parse;
	size_t octets, n;
	struct place_kept places[];
};

struct known *known_new(size_t places, size_t octets, known_parse *parse)
{
	struct known *k = xalloc(sizeof *k + places * sizeof k->places[0]);

	k->parse = parse;
	k->octets = octets;
	k->n = places;
	must(pthread_mutex_init(&k->lock, NULL) == 0);
	return k;
}

static void empty(struct place_kept *p)
{
	xfree(&p->path);
	xfree(&p->value);
	*p = (struct place_kept){0};
}

void known_free(struct known **k)
{
	if (*k == NULL)
		return;
	for (size_t i = 0; i < (*k)->n; i++)
		empty(&(*k)->places[i]);
	pthread_mutex_destroy(&(*k)->lock);
	xfree(k);
}

static struct place_kept *place_of(struct known *k, const char *path)
{
	return &k->places[XXH3_64bits(path, strlen(path)) % k->n];
}

static bool recall(struct known *k, const char *path, uint64_t stamp, void *out)
{
	const struct place_kept *p = place_of(k, path);
	bool same;

	must(pthread_mutex_lock(&k->lock) == 0);
	same = p->stamp == stamp && strcmp(p->path, path) == 0;
	if (same)
		memcpy(out, p->value, k->octets);
	must(pthread_mutex_unlock(&k->lock) == 0);
	return same;
}

static void keep(struct known *k, const char *path, uint64_t stamp, const void *value)
{
	struct place_kept *p = place_of(k, path);

	must(pthread_mutex_lock(&k->lock) == 0);
	if (p->value == NULL)
		p->value = xalloc(k->octets);
	xfree(&p->path);
	p->path = xstrdup(path);
	p->stamp = stamp;
	memcpy(p->value, value, k->octets);
	must(pthread_mutex_unlock(&k->lock) == 0);
}

static int read_now(struct known *k, struct storage *st, const struct name *name,
		    const char *path, void *out, bool *found, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = storage_read(st, path, &text, found, e);
	if (rc == 0 && *found)
		rc = k->parse(buf_str(&text), name, path, out, e);
	buf_fini(&text);
	return rc;
}

int known_find(struct known *k, struct storage *st, const struct name *name,
	       const char *path, void *out, bool *found, struct err *e)
{
	uint64_t stamp;

	/* Before it is read: an old stamp of a new text is found out, the other way round it
	 * would not be. */
	if (storage_stamp(st, path, &stamp, found, e) < 0)
		return -1;
	if (!*found || (stamp != 0 && recall(k, path, stamp, out)))
		return 0;
	if (read_now(k, st, name, path, out, found, e) < 0)
		return -1;
	if (*found && stamp != 0)
		keep(k, path, stamp, out);
	return 0;
}
