/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/harm.h"

#include "lib/str.h"
#include "store/message.h"
#include "t/fault/lib/memory.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *prefix, *suffix;
	enum harm_kind kind;
} kinds[] = {
	/* clang-format off */
	{"writers/",     ".lease",    HARM_NOTHING},
	{"",             ".lock",     HARM_NOTHING},
	{"",             ".lease",    HARM_NOTHING},
	{"accounts/",    "/session",  HARM_NOTHING},
	{"popstore",     "",          HARM_MARK},
	{"volumes/",     "",          HARM_NUMBER},
	{"volume",       "",          HARM_MARK},
	{"domains/",     "",          HARM_DOMAIN},
	{"forwardings/", "",          HARM_FORWARDING},
	{"secrets/",     "",          HARM_SECRET},
	{"accounts/",    "/profile",  HARM_PROFILE},
	{"accounts/",    "/maildrop", HARM_MAILDROP},
	{"writers/",     "",          HARM_WRITER},
	{"messages/",    "",          HARM_MESSAGE},
	/* clang-format on */
};

const char *harm_kind_name(enum harm_kind kind)
{
	static const char *const names[HARM_KINDS] = {
		"mark",    "volume number", "domain", "forwarding", "secret",
		"profile", "maildrop",      "writer", "message",    "lock"};

	return names[kind];
}

const char *harm_way_name(enum harm_way way)
{
	static const char *const names[HARM_WAYS] = {"flip", "zero", "truncate", "swap",
						     "remove"};

	return names[way];
}

static bool ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

static enum harm_kind kind_of(const char *path)
{
	for (size_t i = 0; i < countof(kinds); i++)
		if (strncmp(path, kinds[i].prefix, strlen(kinds[i].prefix)) == 0 &&
		    ends(path, kinds[i].suffix))
			return kinds[i].kind;
	printf("%s: a kind of file that this rig does not know\n", path);
	must(false);
	return HARM_NOTHING;
}

/* name_it - "accounts/ab/cd/alice@example.org/maildrop" is alice's */
static void name_it(struct harm_file *f)
{
	struct str rest = str_of(f->path), part = rest;

	while (rest.n > 0) {
		part = str_cut(&rest, '/');
		if (memchr(part.p, '@', part.n) != NULL)
			break;
	}
	snprintf(f->whose, sizeof f->whose, STR_FMT, STR_ARG(part));
}

static void add(struct harm_list *l, const char *disk, const char *path,
		struct str octets)
{
	struct message_info info;
	struct harm_file *f;
	struct err ignored;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;

		l->v = xgrow(l->v, l->cap * sizeof *l->v, cap * sizeof *l->v);
		l->cap = cap;
	}
	f = &l->v[l->n++];
	*f = (struct harm_file){
		.kind = kind_of(path), .disk = disk, .size = octets.n, .body = octets.n};
	snprintf(f->path, sizeof f->path, "%s", path);
	name_it(f);
	if (f->kind == HARM_MESSAGE && message_head_parse(octets, &info, &ignored) == 0)
		f->body = info.body;
}

static void walk(struct harm_list *l, const char *disk, int dir, const char *path)
{
	const struct disk *d = memory_disk(disk);

	for (size_t i = 0; i < disk_entries(d, dir); i++) {
		const char *name = disk_entry(d, dir, i);
		int node = disk_in(d, dir, name);
		char below[160];

		snprintf(below, sizeof below, "%s%s%s", path, path[0] ? "/" : "", name);
		if (disk_is_dir(d, node))
			walk(l, disk, node, below);
		else
			add(l, disk, below, disk_octets(d, node));
	}
}

void harm_list(const char *const *disks, size_t n, struct harm_list *out)
{
	*out = (struct harm_list){0};
	for (size_t i = 0; i < n; i++)
		walk(out, disks[i], DISK_ROOT, "");
}

void harm_list_free(struct harm_list *l)
{
	xfree(&l->v);
	*l = (struct harm_list){0};
}

/* ---- doing it ---------------------------------------------------------------------------- */

static bool write_over(struct disk *d, int node, size_t at, const char *octets, size_t n)
{
	struct str now = disk_octets(d, node);

	if (memcmp(now.p + at, octets, n) == 0)
		return false;
	disk_write(d, node, at, (struct str){octets, n});
	return true;
}

static void replace(struct disk *d, int node, const struct buf *octets)
{
	disk_cut(d, node, 0);
	if (octets->n > 0)
		disk_write(d, node, 0, buf_str(octets));
}

static bool swap(const struct harm *h, struct disk *d, int node)
{
	struct disk *to = memory_disk(h->other->disk);
	int other = disk_find(to, h->other->path);
	struct buf a, b;
	bool differ;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_put(&a, disk_octets(d, node));
	buf_put(&b, disk_octets(to, other));
	differ = !str_eq(buf_str(&a), buf_str(&b));
	replace(d, node, &b);
	replace(to, other, &a);
	disk_sync(to, DISK_NOBODY);
	buf_fini(&a);
	buf_fini(&b);
	return differ;
}

static bool change(const struct harm *h, struct disk *d, int node)
{
	static const char zeros[4096];
	const char *leaf;
	char octet;
	int dir;

	switch (h->way) {
	case HARM_FLIP:
		octet = (char)(disk_octets(d, node).p[h->at] ^ 1 << h->bit);
		return write_over(d, node, h->at, &octet, 1);
	case HARM_ZERO:
		must(h->n <= sizeof zeros);
		return write_over(d, node, h->at, zeros, h->n);
	case HARM_TRUNCATE:
		disk_cut(d, node, h->at);
		return h->at < h->file->size;
	case HARM_SWAP:
		return swap(h, d, node);
	case HARM_REMOVE:
		dir = disk_find_parent(d, h->file->path, &leaf);
		disk_unlink(d, dir, leaf);
		return true;
	case HARM_WAYS:
		break;
	}
	return false;
}

bool harm_do(const struct harm *h)
{
	struct disk *d = memory_disk(h->file->disk);
	int node = disk_find(d, h->file->path);
	bool changed;

	must(node != DISK_NOBODY);
	changed = change(h, d, node);
	disk_sync(d, DISK_NOBODY);
	return changed;
}
