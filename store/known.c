/* SPDX-License-Identifier: ISC */
#include "store/known.h"

#include "store/record.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

/* What is kept of a name. */
struct place_kept {
	uint64_t stamp; /* 0: nothing */
	char *name;
	void *rest; /* of the value, behind its name */
};

struct known {
	pthread_mutex_t lock;
	known_parse *parse;
	size_t rest, n;
	struct place_kept places[];
};

struct known *known_new(size_t places, size_t octets, known_parse *parse)
{
	struct known *k = xalloc(sizeof *k + places * sizeof k->places[0]);

	k->parse = parse;
	must(octets > sizeof(struct name));
	k->rest = octets - sizeof(struct name);
	k->n = places;
	must(pthread_mutex_init(&k->lock, NULL) == 0);
	return k;
}

static void empty(struct place_kept *p)
{
	xfree(&p->name);
	xfree(&p->rest);
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

static struct place_kept *place_of(struct known *k, const struct name *name)
{
	return &k->places[XXH3_64bits(name->s, strlen(name->s)) % k->n];
}

static bool recall(struct known *k, const struct name *name, uint64_t stamp, void *out)
{
	const struct place_kept *p = place_of(k, name);
	bool same;

	must(pthread_mutex_lock(&k->lock) == 0);
	same = p->stamp == stamp && strcmp(p->name, name->s) == 0;
	if (same) {
		*(struct name *)out = *name;
		memcpy((struct name *)out + 1, p->rest, k->rest);
	}
	must(pthread_mutex_unlock(&k->lock) == 0);
	return same;
}

static void keep(struct known *k, const struct name *name, uint64_t stamp,
		 const void *value)
{
	struct place_kept *p = place_of(k, name);

	must(pthread_mutex_lock(&k->lock) == 0);
	if (p->rest == NULL)
		p->rest = xalloc(k->rest);
	xfree(&p->name);
	p->name = xstrdup(name->s);
	p->stamp = stamp;
	memcpy(p->rest, (const struct name *)value + 1, k->rest);
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
	if (!*found || (stamp != 0 && recall(k, name, stamp, out)))
		return 0;
	if (read_now(k, st, name, path, out, found, e) < 0)
		return -1;
	if (*found && stamp != 0)
		keep(k, name, stamp, out);
	return 0;
}
