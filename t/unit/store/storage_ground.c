/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/storage_ground.h"

#include <string.h>

static const char mountinfo[] =
	"42 27 7:0 / /srv/store rw,relatime - ext4 /dev/loop0 rw,nobarrier\n"
	"this is no line\n"
	"43 27 8:1 / /srv/store/messages rw shared:7 master:1 - xfs /dev/sdb1 rw,noquota\n"
	"44 27 0:40 / /srv/a\\040b/accounts rw - tmpfs tmpfs rw,size=4k\n";

static void takes_lines_of_mountinfo(void **state)
{
	struct str rest = str_of(mountinfo);
	struct mount_line m;

	(void)state;
	assert_true(mount_line_next(&rest, &m));
	assert_int_equal(m.id, 42);
	assert_true(str_eq(m.device, STR("7:0")) && str_eq(m.point, STR("/srv/store")));
	assert_true(str_eq(m.kind, STR("ext4")));
	assert_true(str_eq(m.options, STR("rw,nobarrier")));
	assert_true(mount_line_next(&rest, &m));
	assert_int_equal(m.id, 43);
	assert_true(str_eq(m.kind, STR("xfs")));
	assert_true(mount_line_next(&rest, &m));
	assert_false(mount_line_next(&rest, &m));
}

static const struct {
	const char *point, *dir;
	bool within;
} points[] = {
	/* clang-format off */
	{"/srv/store/messages",          "/srv/store",   true},
	{"/srv/store/messages/20261121", "/srv/store",   true},
	{"/srv/a\\040b/accounts",        "/srv/a b",     true},
	{"/messages",                    "/",            true},
	{"/srv/store",                   "/srv/store",   false},
	{"/srv/store2/messages",         "/srv/store",   false},
	{"/srv/store/volumes/one",       "/srv/store",   false},
	{"/srv/store/disk1",             "/srv/store",   false},
	{"/srv/store/secrets",           "/srv/store",   false},
	{"/srv",                         "/srv/store",   false},
	/* clang-format on */
};

static void knows_a_mount_in_the_middle(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(points); i++) {
		struct mount_line m = {.point = str_of(points[i].point)};

		if (mount_is_within(&m, points[i].dir) != points[i].within)
			fail_msg("%s in %s", points[i].point, points[i].dir);
	}
}

enum verdict { FIT, UNSURE, DOUBTED };

#define ORDERED "rw\nbarrier\ndata=ordered\n"
#define NO_FC   "fc stats:\n0 commits\n0 ineligible\n0 numblks\n"

static const struct {
	const char *kind, *options, *ext4, *fc;
	enum verdict verdict;
	const char *says;
} cases[] = {
	/* clang-format off */
	{"ext4", "rw", ORDERED, NO_FC, FIT, ""},
	{"ext3", "rw", ORDERED, NO_FC, FIT, ""},
	{"ext4", "rw,data=journal", "rw\ndata=journal\n", NO_FC, FIT, ""},
	{"ext4", "rw", ORDERED, "fc stats:\n3 commits\n0 ineligible\n", DOUBTED, "fast_commit"},
	{"ext4", "rw", ORDERED, "fc stats:\n0 commits\n1 ineligible\n", DOUBTED, "fast_commit"},
	{"ext4", "rw", ORDERED, "", UNSURE, "fast_commit"},
	{"ext4", "rw", "", "", UNSURE, "fast_commit"},
	{"ext4", "rw,nobarrier", "", "", DOUBTED, "nobarrier"},
	/* a default that tune2fs -o wrote on the disk */
	{"ext4", "rw", "rw\nnobarrier\ndata=ordered\n", NO_FC, DOUBTED, "nobarrier"},
	{"ext4", "rw", "rw\nbarrier\ndata=writeback\n", NO_FC, DOUBTED, "data=writeback"},
	{"ext4", "rw", "rw\nbarrier\n", NO_FC, DOUBTED, "journal"},
	{"ext2", "rw", "rw\nbarrier\n", NO_FC, DOUBTED, "journal"},
	{"xfs", "rw,inode64", "", "", FIT, ""},
	{"btrfs", "rw,space_cache=v2", "", "", FIT, ""},
	{"btrfs", "rw,nobarrier", "", "", DOUBTED, "nobarrier"},
	{"tmpfs", "rw", "", "", DOUBTED, "memory"},
	{"overlay", "rw", "", "", DOUBTED, "lower layer"},
	{"nfs4", "rw", "", "", DOUBTED, "server"},
	{"ceph", "rw", "", "", DOUBTED, "proved"},
	{"fuse.sshfs", "rw", "", "", DOUBTED, "nobody here knows"},
	{"zfs", "rw", "", "", DOUBTED, "nobody here knows"},
	/* clang-format on */
};

static void judges_kinds_and_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct mount_facts f = {
			.mount = {.kind = str_of(cases[i].kind),
				  .options = str_of(cases[i].options)},
			.ext4_options = str_of(cases[i].ext4),
			.ext4_fc_info = str_of(cases[i].fc),
		};
		struct storage_ground g = {0};

		mount_judge(&f, &g);
		print_message("# %s %s: %s%s\n", g.kind, cases[i].options, g.doubted,
			      g.unsure);
		assert_string_equal(g.kind, cases[i].kind);
		assert_int_equal(g.doubted[0] != '\0', cases[i].verdict == DOUBTED);
		assert_int_equal(g.unsure[0] != '\0', cases[i].verdict == UNSURE);
		assert_non_null(
			strstr(g.doubted[0] ? g.doubted : g.unsure, cases[i].says));
		/* nothing is cut off */
		assert_true(strlen(g.doubted) < sizeof g.doubted - 1);
		assert_true(strlen(g.unsure) < sizeof g.unsure - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_lines_of_mountinfo),
		cmocka_unit_test(knows_a_mount_in_the_middle),
		cmocka_unit_test(judges_kinds_and_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
