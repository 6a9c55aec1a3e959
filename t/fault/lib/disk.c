/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- octets, shared by the copies of a disk until one of them writes ----------------- */

struct bytes {
	size_t refs, n, cap;
	char p[];
};

static struct bytes *bytes_new(size_t cap)
{
	struct bytes *b = xalloc(sizeof *b + cap);

	b->refs = 1;
	b->cap = cap;
	return b;
}

static void bytes_drop(struct bytes **b)
{
	if (*b != NULL && --(*b)->refs == 0)
		xfree(b);
	*b = NULL;
}

/* own - *b may be written afterwards, up to `size` octets */
static void own(struct bytes **b, size_t size)
{
	struct bytes *old = *b, *new;

	if (old != NULL && old->refs == 1 && old->cap >= size)
		return;
	new = bytes_new(size < 64 ? 64 : 2 * size);
	if (old != NULL) {
		new->n = old->n;
		memcpy(new->p, old->p, old->n);
	}
	bytes_drop(b);
	*b = new;
}

/* ---- names: the same pointer for the same text, for ever ------------------------------- */

enum { NAMES_MAX = 1 << 16 };

static char *names[NAMES_MAX];
static size_t n_names;

static const char *intern(const char *name)
{
	size_t at = 5381;

	for (const char *c = name; *c != '\0'; c++)
		at = at * 33 + (unsigned char)*c;
	for (at %= NAMES_MAX; names[at] != NULL; at = (at + 1) % NAMES_MAX)
		if (strcmp(names[at], name) == 0)
			return names[at];
	must(++n_names < NAMES_MAX / 2);
	return names[at] = xstrdup(name);
}

/* ---- a tree --------------------------------------------------------------------------- */

struct entry {
	const char *name;
	int node;
};

struct node {
	bool dir;
	unsigned links;
	uint64_t time_ms;
	struct bytes *data;
	struct entry *entries;
	size_t n, cap;
};

struct tree {
	struct node *v;
	size_t n, cap;
};

static int tree_make(struct tree *t, bool dir)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;

		t->v = xgrow(t->v, t->cap * sizeof *t->v, cap * sizeof *t->v);
		t->cap = cap;
	}
	t->v[t->n].dir = dir;
	return (int)t->n++;
}

static void tree_copy(struct tree *to, const struct tree *from)
{
	to->n = to->cap = from->n;
	to->v = xalloc(from->n * sizeof *to->v);
	for (size_t i = 0; i < from->n; i++) {
		struct node *n = &to->v[i];

		*n = from->v[i];
		if (n->data != NULL)
			n->data->refs++;
		n->cap = n->n;
		n->entries = xalloc(n->n * sizeof *n->entries);
		if (n->n > 0)
			memcpy(n->entries, from->v[i].entries, n->n * sizeof *n->entries);
	}
}

static void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		bytes_drop(&t->v[i].data);
		xfree(&t->v[i].entries);
	}
	xfree(&t->v);
	t->n = 0;
}

static struct entry *tree_entry(const struct tree *t, int dir, const char *name)
{
	const struct node *d = &t->v[dir];

	for (size_t i = 0; i < d->n; i++)
		if (d->entries[i].name == name)
			return &d->entries[i];
	return NULL;
}

static void tree_unlink(struct tree *t, int dir, const char *name)
{
	struct node *d = &t->v[dir];
	struct entry *en = tree_entry(t, dir, name);

	if (en == NULL)
		return;
	t->v[en->node].links--;
	*en = d->entries[--d->n];
}

static void tree_link(struct tree *t, int dir, const char *name, int node)
{
	struct node *d = &t->v[dir];

	tree_unlink(t, dir, name);
	if (d->n == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 4;

		d->entries = xgrow(d->entries, d->cap * sizeof *d->entries,
				   cap * sizeof *d->entries);
		d->cap = cap;
	}
	d->entries[d->n++] = (struct entry){name, node};
	t->v[node].links++;
}

static size_t tree_size(const struct tree *t, int node)
{
	return t->v[node].data ? t->v[node].data->n : 0;
}

static void tree_write(struct tree *t, int node, uint64_t offset, const char *p, size_t n)
{
	struct bytes **b = &t->v[node].data;
	size_t size = tree_size(t, node), end = offset + n;

	own(b, end > size ? end : size);
	if (offset > size)
		memset((*b)->p + size, 0, offset - size);
	memcpy((*b)->p + offset, p, n);
	if (end > size)
		(*b)->n = end;
}

static void tree_cut(struct tree *t, int node, uint64_t size)
{
	if (size < tree_size(t, node)) {
		own(&t->v[node].data, tree_size(t, node));
		t->v[node].data->n = size;
	}
}

/* ---- changes that wait for a sync ---------------------------------------------------------- */

enum kind { LINK, UNLINK, RENAME, OVERWRITE, GROW, CUT };

struct change {
	enum kind kind;
	bool lost; /* a sync of it failed: none covers it any more */
	int node;  /* who is named, or whose octets */
	int dir, to_dir;
	const char *name, *to_name;
	uint64_t offset; /* CUT: the new size */
	struct bytes *data;
};

struct disk {
	struct tree now, durable;
	struct change *v;
	size_t n, cap;
};

struct disk *disk_new(void)
{
	struct disk *d = xalloc(sizeof *d);

	disk_make(d, true);
	return d;
}

struct disk *disk_copy(const struct disk *from)
{
	struct disk *d = xalloc(sizeof *d);

	tree_copy(&d->now, &from->now);
	tree_copy(&d->durable, &from->durable);
	d->n = d->cap = from->n;
	d->v = xalloc(from->n * sizeof *d->v);
	for (size_t i = 0; i < from->n; i++) {
		d->v[i] = from->v[i];
		if (d->v[i].data != NULL)
			d->v[i].data->refs++;
	}
	return d;
}

void disk_free(struct disk **d)
{
	if (*d == NULL)
		return;
	tree_free(&(*d)->now);
	tree_free(&(*d)->durable);
	for (size_t i = 0; i < (*d)->n; i++)
		bytes_drop(&(*d)->v[i].data);
	xfree(&(*d)->v);
	xfree(d);
}

static void apply(struct tree *t, const struct change *c, size_t n)
{
	struct entry *en;

	switch (c->kind) {
	case LINK:
		tree_link(t, c->dir, c->name, c->node);
		break;
	case UNLINK:
		en = tree_entry(t, c->dir, c->name);
		if (en != NULL && en->node == c->node)
			tree_unlink(t, c->dir, c->name);
		break;
	case RENAME:
		en = tree_entry(t, c->dir, c->name);
		if (en != NULL && en->node == c->node)
			tree_unlink(t, c->dir, c->name);
		tree_link(t, c->to_dir, c->to_name, c->node);
		break;
	case OVERWRITE:
	case GROW:
		tree_write(t, c->node, c->offset, c->data->p, n);
		break;
	case CUT:
		tree_cut(t, c->node, c->offset);
		break;
	}
}

static size_t octets_of(const struct change *c)
{
	return c->data ? c->data->n : 0;
}

static void change(struct disk *d, struct change c)
{
	if (d->n == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 64;

		d->v = xgrow(d->v, d->cap * sizeof *d->v, cap * sizeof *d->v);
		d->cap = cap;
	}
	d->v[d->n++] = c;
	apply(&d->now, &c, octets_of(&c));
}

int disk_make(struct disk *d, bool dir)
{
	tree_make(&d->durable, dir);
	return tree_make(&d->now, dir);
}

void disk_link(struct disk *d, int dir, const char *name, int node)
{
	change(d, (struct change){
			  .kind = LINK, .dir = dir, .name = intern(name), .node = node});
}

void disk_unlink(struct disk *d, int dir, const char *name)
{
	change(d, (struct change){.kind = UNLINK,
				  .dir = dir,
				  .name = intern(name),
				  .node = disk_in(d, dir, name)});
}

void disk_rename(struct disk *d, int dir, const char *name, int to_dir,
		 const char *to_name)
{
	change(d, (struct change){.kind = RENAME,
				  .dir = dir,
				  .name = intern(name),
				  .to_dir = to_dir,
				  .to_name = intern(to_name),
				  .node = disk_in(d, dir, name)});
}

void disk_write(struct disk *d, int node, uint64_t offset, struct str bytes)
{
	bool inside = offset + bytes.n <= tree_size(&d->now, node);
	struct bytes *b = bytes_new(bytes.n);

	b->n = bytes.n;
	memcpy(b->p, bytes.p, bytes.n);
	change(d, (struct change){.kind = inside ? OVERWRITE : GROW,
				  .node = node,
				  .offset = offset,
				  .data = b});
}

void disk_cut(struct disk *d, int node, uint64_t size)
{
	change(d, (struct change){.kind = CUT, .node = node, .offset = size});
}

void disk_set_time(struct disk *d, int node, uint64_t ms)
{
	d->now.v[node].time_ms = d->durable.v[node].time_ms = ms;
}

/* ---- looking --------------------------------------------------------------------------------- */

int disk_in(const struct disk *d, int dir, const char *name)
{
	struct entry *en = tree_entry(&d->now, dir, intern(name));

	if (en == NULL)
		errno = ENOENT;
	return en ? en->node : DISK_NOBODY;
}

/* walk - as far as `end` */
static int walk(const struct disk *d, const char *path, const char *end)
{
	int node = DISK_ROOT;

	while (node >= 0 && path < end) {
		char part[NAME_MAX + 1];
		size_t n = strcspn(path, "/");

		must(n < sizeof part);
		memcpy(part, path, n);
		part[n] = '\0';
		path += n + (path[n] == '/');
		if (!d->now.v[node].dir) {
			errno = ENOTDIR;
			return DISK_NOBODY;
		}
		if (n > 0 && strcmp(part, ".") != 0)
			node = disk_in(d, node, part);
	}
	return node;
}

int disk_find(const struct disk *d, const char *path)
{
	return walk(d, path, path + strlen(path));
}

int disk_find_parent(const struct disk *d, const char *path, const char **leaf)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? walk(d, path, slash) : DISK_ROOT;

	*leaf = slash ? slash + 1 : path;
	if (dir >= 0 && !d->now.v[dir].dir) {
		errno = ENOTDIR;
		return DISK_NOBODY;
	}
	return dir;
}

bool disk_is_dir(const struct disk *d, int node)
{
	return d->now.v[node].dir;
}

bool disk_has_name(const struct disk *d, int node)
{
	return d->now.v[node].links > 0;
}

struct str disk_octets(const struct disk *d, int node)
{
	const struct bytes *b = d->now.v[node].data;

	return b ? (struct str){b->p, b->n} : (struct str){"", 0};
}

size_t disk_entries(const struct disk *d, int dir)
{
	return d->now.v[dir].n;
}

const char *disk_entry(const struct disk *d, int dir, size_t i)
{
	return d->now.v[dir].entries[i].name;
}

uint64_t disk_time(const struct disk *d, int node)
{
	return d->now.v[node].time_ms;
}

/* ---- syncs -------------------------------------------------------------------------------------- */

static bool is_name(const struct change *c)
{
	return c->kind == LINK || c->kind == UNLINK || c->kind == RENAME;
}

/* touches - one of the two changes is about a name of the other */
static bool touches(const struct change *a, const struct change *b)
{
	return is_name(a) && is_name(b) &&
	       ((a->dir == b->dir && a->name == b->name) ||
		(a->kind == RENAME && a->to_dir == b->dir && a->to_name == b->name) ||
		(b->kind == RENAME && a->dir == b->to_dir && a->name == b->to_name) ||
		(a->kind == RENAME && b->kind == RENAME && a->to_dir == b->to_dir &&
		 a->to_name == b->to_name));
}

/* mark_way - the names of the directories that lead to one, and no others in them */
static void mark_way(const struct disk *d, int dir, char *covered)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct change *c = &d->v[i];

		if (covered[i] || c->node != dir || c->kind == UNLINK || !is_name(c))
			continue;
		covered[i] = 1;
		mark_way(d, c->kind == RENAME ? c->to_dir : c->dir, covered);
	}
}

static bool covers(const struct disk *d, int node, const struct change *c)
{
	if (d->now.v[node].dir)
		return is_name(c) &&
		       (c->dir == node || (c->kind == RENAME && c->to_dir == node));
	return c->node == node && c->kind != UNLINK;
}

/* coverage - what a sync of this node covers: an octet for each change */
static char *coverage(const struct disk *d, int node)
{
	char *covered = xalloc(d->n + 1);

	if (node == DISK_NOBODY) {
		memset(covered, 1, d->n);
		return covered;
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct change *c = &d->v[i];

		if (!covers(d, node, c))
			continue;
		covered[i] = 1;
		if (c->kind == LINK && !d->now.v[node].dir)
			mark_way(d, c->dir, covered);
	}
	return covered;
}

static void drop(struct disk *d, const char *gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (gone[i])
			bytes_drop(&d->v[i].data);
		else
			d->v[kept++] = d->v[i];
	}
	d->n = kept;
}

void disk_sync(struct disk *d, int node)
{
	char *covered = coverage(d, node);

	for (size_t i = 0; i < d->n; i++) {
		if (!covered[i] || d->v[i].lost) {
			covered[i] = 0;
			continue;
		}
		apply(&d->durable, &d->v[i], octets_of(&d->v[i]));
		/* What was said of these names before is no question any more. */
		for (size_t k = 0; k < i; k++)
			covered[k] |= touches(&d->v[k], &d->v[i]);
	}
	drop(d, covered);
	xfree(&covered);
}

void disk_lose(struct disk *d, int node)
{
	char *covered = coverage(d, node);

	for (size_t i = 0; i < d->n; i++)
		d->v[i].lost |= covered[i];
	xfree(&covered);
}

/* ---- power cuts ------------------------------------------------------------------------------------ */

/* Where a file's growth may end inside one write: after an octet, half-way, before the
 * last one, and after all of it.  The only block of a new file is there or not. */
enum { GROW_POINTS = 4, BLOCK = 4096 };

static bool is_only_block(const struct change *c)
{
	return c->kind == GROW && c->offset == 0 && c->data->n <= BLOCK;
}

static size_t grow_point(size_t n, unsigned point)
{
	const size_t at[GROW_POINTS] = {n < 1 ? n : 1, n / 2, n ? n - 1 : 0, n};

	return at[point];
}

static unsigned points_of(const struct change *c)
{
	if (c->kind == CUT || is_only_block(c))
		return 1;
	return c->kind == GROW ? GROW_POINTS : 0;
}

/* outcome - of one change of a node's size, when `chosen` of all the points of that node's
 * changes came true: the octets of it, or SIZE_MAX for nothing of it */
static size_t outcome(const struct disk *d, size_t i, unsigned chosen)
{
	const struct change *c = &d->v[i];
	unsigned before = 0, mine = points_of(c);

	for (size_t k = 0; k < i; k++)
		if (d->v[k].node == c->node)
			before += points_of(&d->v[k]);
	if (chosen <= before)
		return SIZE_MAX;
	return chosen - before >= mine ? octets_of(c)
				       : grow_point(octets_of(c), chosen - before - 1);
}

static unsigned node_points(const struct disk *d, int node)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].node == node)
			n += points_of(&d->v[i]);
	return n;
}

static bool first_of_node(const struct disk *d, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (d->v[k].node == d->v[i].node && points_of(&d->v[k]) > 0)
			return false;
	return true;
}

/* settle - one change that was chosen, on what is there already */
static void settle(struct tree *t, const struct change *c, size_t n)
{
	size_t size = tree_size(t, c->node);

	/* An octet that a lost change wrote is not there to be overwritten. */
	if (c->kind == OVERWRITE && c->offset >= size)
		return;
	if (c->kind == OVERWRITE && c->offset + n > size)
		n = size - c->offset;
	apply(t, c, n);
}

/* grown - where the octets of a node begin that no sync covered; SIZE_MAX: nowhere */
static size_t grown(const struct disk *d, int node)
{
	size_t from = SIZE_MAX;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].node == node && d->v[i].kind == GROW &&
		    !is_only_block(&d->v[i]) && d->v[i].offset < from)
			from = d->v[i].offset;
	return from;
}

enum { HOLES_MAX = 6 };

/* hole - one of the blocks of what a node has grown by may not have been written */
static void hole(struct tree *t, int node, size_t from, unsigned block)
{
	static const char zeros[BLOCK];
	size_t size = tree_size(t, node), start = from, end;

	if (block > 0)
		start = (from / BLOCK + block) * BLOCK;
	end = (start / BLOCK + 1) * BLOCK;
	if (end > size)
		end = size;
	if (start < end)
		tree_write(t, node, start, zeros, end - start);
}

static void make_holes(const struct disk *d, struct tree *t, disk_pick_fn *pick,
		       void *ctx)
{
	for (size_t node = 0; node < d->now.n; node++) {
		size_t from = grown(d, (int)node);
		unsigned block = from != SIZE_MAX ? pick(1 + HOLES_MAX, ctx) : 0;

		/* Asked the other way round: "all of it" is no hole. */
		if (from != SIZE_MAX && block < HOLES_MAX)
			hole(t, (int)node, from, block);
	}
}

/* settle_all - the changes that are chosen; points: which point of its growth each node
 * came to */
static void settle_all(const struct disk *d, struct tree *t, unsigned *points,
		       disk_pick_fn *pick, void *ctx)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct change *c = &d->v[i];
		size_t n = octets_of(c);

		if (points_of(c) > 0) {
			if (first_of_node(d, i))
				points[c->node] = pick(node_points(d, c->node) + 1, ctx);
			n = outcome(d, i, points[c->node]);
		} else if (pick(2, ctx) == 0) {
			n = SIZE_MAX;
		}
		if (n != SIZE_MAX)
			settle(t, c, n);
	}
}

struct disk *disk_after_cut(const struct disk *d, disk_pick_fn *pick, void *ctx)
{
	struct disk *out = xalloc(sizeof *out);
	unsigned *points = xalloc((d->now.n + 1) * sizeof *points);

	tree_copy(&out->now, &d->durable);
	settle_all(d, &out->now, points, pick, ctx);
	make_holes(d, &out->now, pick, ctx);
	tree_copy(&out->durable, &out->now);
	xfree(&points);
	return out;
}
