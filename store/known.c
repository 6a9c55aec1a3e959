/* SPDX-License-Identifier: ISC */
#include "store/known.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

/* What is kept of a path. */
struct place {
	uint64_t stamp; /* 0: nothing */
	char *path, *text;
	size_t n;
};

struct known {
	pthread_mutex_t lock;
	size_t n;
	struct place places[];
};

struct known *known_new(size_t places)
{
	struct known *k = xalloc(sizeof *k + places * sizeof k->places[0]);

	k->n = places;
	must(pthread_mutex_init(&k->lock, NULL) == 0);
	return k;
}

static void empty(struct place *p)
{
	xfree(&p->path);
	xfree(&p->text);
	*p = (struct place){0};
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

static struct place *place_of(struct known *k, const char *path)
{
	return &k->places[XXH3_64bits(path, strlen(path)) % k->n];
}

static bool recall(struct known *k, const char *path, uint64_t stamp, struct buf *out)
{
	const struct place *p = place_of(k, path);
	bool same;

	must(pthread_mutex_lock(&k->lock) == 0);
	same = p->stamp == stamp && strcmp(p->path, path) == 0;
	if (same)
		buf_put(out, (struct str){p->text, p->n});
	must(pthread_mutex_unlock(&k->lock) == 0);
	return same;
}

static void keep(struct known *k, const char *path, uint64_t stamp, struct str text)
{
	struct place *p = place_of(k, path);

	if (text.n > KNOWN_OCTETS)
		return;
	must(pthread_mutex_lock(&k->lock) == 0);
	empty(p);
	*p = (struct place){stamp, xstrdup(path), xalloc(text.n + 1), text.n};
	memcpy(p->text, text.p, text.n);
	must(pthread_mutex_unlock(&k->lock) == 0);
}

int known_read(struct known *k, struct storage *st, const char *path, struct buf *out,
	       bool *found, struct err *e)
{
	size_t before = out->n;
	uint64_t stamp;

	/* Before it is read: an old stamp of a new text is found out, the other way round it
	 * would not be. */
	if (storage_stamp(st, path, &stamp, found, e) < 0)
		return -1;
	if (!*found || (stamp != 0 && recall(k, path, stamp, out)))
		return 0;
	if (storage_read(st, path, out, found, e) < 0)
		return -1;
	if (*found && stamp != 0)
		keep(k, path, stamp,
		     (struct str){buf_str(out).p + before, out->n - before});
	return 0;
}
