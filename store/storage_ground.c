/* SPDX-License-Identifier: ISC */
#include "store/storage_ground.h"

#include "store/storage_posix.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { PROC_MAX = 16 << 20 }; /* a host of containers has thousands of mounts */

/* ---- texts of the kernel ------------------------------------------------------------- */

/* words - the first n words of a line */
static bool words(struct str line, struct str *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = str_word(&line);
		if (out[i].n == 0)
			return false;
	}
	return true;
}

static bool line_parse(struct str line, struct mount_line *out)
{
	struct str first[6], last[3];
	const char *dash = line.n ? memmem(line.p, line.n, " - ", 3) : NULL;

	if (dash == NULL || !words(line, first, 6))
		return false;
	line = (struct str){dash + 3, line.n - (size_t)(dash + 3 - line.p)};
	if (!words(line, last, 3) || !str_u64(first[0], &out->id))
		return false;
	out->device = first[2];
	out->point = first[4];
	out->kind = last[0];
	out->options = last[2];
	return true;
}

bool mount_line_next(struct str *rest, struct mount_line *out)
{
	while (rest->n > 0)
		if (line_parse(str_cut(rest, '\n'), out))
			return true;
	return false;
}

/* decode - a mount point, in which blanks, newlines and backslashes are written \040 */
static void decode(struct str s, char out[PATH_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < PATH_MAX - 1; i++) {
		unsigned c = (unsigned char)s.p[i];

		if (c == '\\' && i + 3 < s.n) {
			c = (unsigned)(s.p[i + 1] - '0') << 6 |
			    (unsigned)(s.p[i + 2] - '0') << 3 |
			    (unsigned)(s.p[i + 3] - '0');
			i += 3;
		}
		out[n++] = (char)c;
	}
	out[n] = '\0';
}

/* What a checkpoint has to reach, and where files are moved from and to.  Not here:
 * secrets and volumes, whose records are synced one by one. */
static const char *const trees[] = {"accounts",    "damaged",  "domains",
				    "forwardings", "messages", "writers"};

bool mount_is_within(const struct mount_line *m, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	char point[PATH_MAX];

	decode(m->point, point);
	if (strncmp(point, dir, n) != 0 || point[n] != '/')
		return false;

	struct str rest = str_of(point + n + 1), tree = str_cut(&rest, '/');

	for (size_t i = 0; i < countof(trees); i++)
		if (str_eq(tree, str_of(trees[i])))
			return true;
	return false;
}

static bool has(struct str options, char between, const char *option)
{
	while (options.n > 0)
		if (str_eq(str_trim(str_cut(&options, between)), str_of(option)))
			return true;
	return false;
}

/* has_any - one that begins so */
static bool has_any(struct str options, char between, const char *prefix)
{
	while (options.n > 0)
		if (str_starts(str_trim(str_cut(&options, between)), str_of(prefix)))
			return true;
	return false;
}

/* fast_commits - whether there were any, or attempts at one: "3 commits", "1 ineligible" */
static bool fast_commits(struct str info)
{
	while (info.n > 0) {
		struct str line = str_trim(str_cut(&info, '\n')), word = str_word(&line);
		uint64_t n;

		if ((str_eq(line, STR("commits")) || str_eq(line, STR("ineligible"))) &&
		    str_u64(word, &n) && n > 0)
			return true;
	}
	return false;
}

/* ---- what is known of the kinds --------------------------------------------------------- */

static const char barrier[] = "mounted with nobarrier, so that a power cut may take what "
			      "was synced; mount it without";

static void say(char *to, size_t room, const char *why)
{
	snprintf(to, room, "%s", why);
}

/* ext4_has - what was asked for, or by a default that is written on the disk */
static bool ext4_has(const struct mount_facts *f, const char *option)
{
	return has(f->mount.options, ',', option) || has(f->ext4_options, '\n', option);
}

/* The feature fast_commit shows in no list that everybody may read; that it is at work
 * does. */
static const char *of_ext4(const struct mount_facts *f)
{
	if (ext4_has(f, "nobarrier"))
		return barrier;
	if (f->ext4_options.n > 0 && !has_any(f->ext4_options, '\n', "data="))
		return "without a journal, so that nobody knows what a power cut leaves; "
		       "tune2fs -j makes one";
	if (ext4_has(f, "data=writeback"))
		return "mounted with data=writeback, so that a power cut may leave old "
		       "octets in new files; mount it with data=ordered";
	if (fast_commits(f->ext4_fc_info))
		return "with fast_commit, so that a power cut may take what was synced; "
		       "tune2fs -O ^fast_commit ends that";
	return NULL;
}

static const char *of_btrfs(const struct mount_facts *f)
{
	return has(f->mount.options, ',', "nobarrier") ? barrier : NULL;
}

#define MEMORY "which keeps all in memory until the power fails; use a disk"
#define NFS                                                                              \
	"where locks, replaced files and what is synced are as the server pleases; use " \
	"a disk of this machine"

static const struct {
	const char *kind;
	const char *(*of)(const struct mount_facts *f);
	const char *doubt; /* in any case */
} kinds[] = {
	/* clang-format off */
	{"ext4",    of_ext4,  NULL},
	{"ext3",    of_ext4,  NULL},
	{"ext2",    of_ext4,  NULL},
	{"xfs",     NULL,     NULL},
	{"btrfs",   of_btrfs, NULL},
	{"tmpfs",   NULL, MEMORY},
	{"ramfs",   NULL, MEMORY},
	{"overlay", NULL, "where a file of the lower layer becomes another one when it is written; "
			  "use the disk below it, or a volume of the container"},
	{"nfs",     NULL, NFS},
	{"nfs4",    NULL, NFS},
	{"ceph",    NULL, "where it is not proved that one sync makes a file and its name "
			  "durable; use a disk of this machine"},
	/* clang-format on */
};

static const char *doubt_of(const struct mount_facts *f)
{
	for (size_t i = 0; i < countof(kinds); i++)
		if (str_eq(f->mount.kind, str_of(kinds[i].kind)))
			return kinds[i].of ? kinds[i].of(f) : kinds[i].doubt;
	return "of which nobody here knows what a power cut leaves; use ext4, XFS or Btrfs";
}

void mount_judge(const struct mount_facts *f, struct storage_ground *out)
{
	const char *doubt = doubt_of(f);

	snprintf(out->kind, sizeof out->kind, STR_FMT, STR_ARG(f->mount.kind));
	if (doubt != NULL)
		say(out->doubted, sizeof out->doubted, doubt);
	else if (str_starts(f->mount.kind, STR("ext")) &&
		 (f->ext4_options.n == 0 || f->ext4_fc_info.n == 0))
		say(out->unsure, sizeof out->unsure,
		    "and /proc/fs/ext4 does not tell whether it has fast_commit, which "
		    "loses mail at a power cut");
}

/* ---- asking the kernel -------------------------------------------------------------------- */

/* slurp - a file of /proc, nothing where it cannot be read */
static struct str slurp(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	char *to;

	while (fd >= 0 && (to = buf_reserve(out, 4096)) != NULL &&
	       (n = read(fd, to, 4096)) > 0)
		buf_used(out, (size_t)n);
	if (fd >= 0)
		close(fd);
	return buf_str(out);
}

/* mount_id - of an open directory, 0 where the kernel does not say */
static uint64_t mount_id(int dir)
{
	char path[64];
	struct buf text;
	struct str rest;
	uint64_t id = 0;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", dir);
	buf_init(&text, 4096);
	rest = slurp(path, &text);
	while (rest.n > 0) {
		struct str value = str_cut(&rest, '\n'), key = str_cut(&value, ':');

		if (str_eq(key, STR("mnt_id")) && !str_u64(str_trim(value), &id))
			id = 0;
	}
	buf_fini(&text);
	return id;
}

/* read_link - where a link of /proc or /sys points, "" where it cannot be read */
static void read_link(const char *link, char out[PATH_MAX])
{
	ssize_t n = readlink(link, out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
}

/* ext4_file - "/proc/fs/ext4/<the device as ext4 calls it>/<leaf>" */
static struct str ext4_file(struct str device, const char *leaf, struct buf *out)
{
	char link[64], target[PATH_MAX], path[PATH_MAX + 64];

	snprintf(link, sizeof link, "/sys/dev/block/" STR_FMT, STR_ARG(device));
	read_link(link, target);

	const char *slash = strrchr(target, '/');

	if (slash == NULL)
		return STR("");
	snprintf(path, sizeof path, "/proc/fs/ext4/%s/%s", slash + 1, leaf);
	return slurp(path, out);
}

static bool find_mount(struct str all, uint64_t id, struct mount_line *out)
{
	while (mount_line_next(&all, out))
		if (out->id == id)
			return true;
	return false;
}

/* find_within - a file system of its own in the middle of the store */
static void find_within(struct str all, const struct mount_line *own, int dir,
			struct storage_ground *out)
{
	char link[64], path[PATH_MAX], point[PATH_MAX];
	struct mount_line m;

	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	read_link(link, path);
	while (mount_line_next(&all, &m)) {
		if (str_eq(m.device, own->device) || !mount_is_within(&m, path))
			continue;
		decode(m.point, point);
		snprintf(out->broken, sizeof out->broken,
			 "but %s is another file system, which a checkpoint would not "
			 "reach; a disk of its own has to be a volume (store.volumes)",
			 point);
	}
}

static void judge_kernel(struct storage_ground *out)
{
	struct utsname u;
	uint32_t major = 0, minor = 0;

	if (out->doubted[0] != '\0' || uname(&u) < 0)
		return;

	struct str rest = str_of(u.release);
	bool known = str_u32(str_cut(&rest, '.'), &major) &&
		     str_u32(str_cut(&rest, '.'), &minor);

	if (known && (major < 5 || (major == 5 && minor < 8)))
		say(out->doubted, sizeof out->doubted,
		    "and this kernel's syncfs does not tell of errors; use Linux 5.8 or "
		    "later");
}

void posix_ground(struct storage *st, struct storage_ground *out)
{
	struct buf mounts, options, info;
	struct mount_facts f = {0};

	buf_init(&mounts, PROC_MAX);
	buf_init(&options, PROC_MAX);
	buf_init(&info, PROC_MAX);

	struct str all = slurp("/proc/self/mountinfo", &mounts);

	if (find_mount(all, mount_id(posix_dir(st)), &f.mount)) {
		if (str_starts(f.mount.kind, STR("ext"))) {
			f.ext4_options = ext4_file(f.mount.device, "options", &options);
			f.ext4_fc_info = ext4_file(f.mount.device, "fc_info", &info);
		}
		mount_judge(&f, out);
		find_within(all, &f.mount, posix_dir(st), out);
	} else {
		say(out->kind, sizeof out->kind, "a file system");
		say(out->doubted, sizeof out->doubted,
		    "of which /proc/self/mountinfo does not tell what it is; mount /proc");
	}
	judge_kernel(out);
	buf_fini(&mounts);
	buf_fini(&options);
	buf_fini(&info);
}
