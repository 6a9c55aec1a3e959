/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's <linux/landlock.h> ends with ABI 2.  The kernel takes a longer structure for
 * what it is, and a shorter one as well. */
enum {
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NETWORK = 4,
	ABI_DEVICES = 5,
	ABI_SCOPES = 6
};

#define FS_TRUNCATE     (UINT64_C(1) << 14)
#define FS_IOCTL_DEV    (UINT64_C(1) << 15)
#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT  (UINT64_C(1) << 0)
#define SCOPE_SIGNAL    (UINT64_C(1) << 1)

struct ruleset {
	uint64_t files, network, scopes;
};

static const uint64_t of_a_file = LANDLOCK_ACCESS_FS_EXECUTE |
				  LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE;

static uint64_t rights(unsigned may)
{
	uint64_t r = 0;

	if (may & (SANDBOX_READ | SANDBOX_WRITE))
		r |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & SANDBOX_WRITE)
		r |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
		     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER |
		     FS_TRUNCATE;
	if (may & SANDBOX_LIST)
		r |= LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & SANDBOX_RUN)
		r |= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
	return r;
}

static struct ruleset everything(long abi, bool connect)
{
	/* The rights of ABI 1 are the bits up to MAKE_SYM. */
	struct ruleset r = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

	if (abi >= ABI_REFER)
		r.files |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		r.files |= FS_TRUNCATE;
	if (abi >= ABI_NETWORK)
		r.network = NET_BIND_TCP | (connect ? 0 : NET_CONNECT_TCP);
	if (abi >= ABI_DEVICES)
		r.files |= FS_IOCTL_DEV;
	if (abi >= ABI_SCOPES)
		r.scopes = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return r;
}

static size_t size_of(long abi)
{
	return abi >= ABI_SCOPES    ? sizeof(struct ruleset)
	       : abi >= ABI_NETWORK ? 2 * sizeof(uint64_t)
				    : sizeof(uint64_t);
}

static int grant(int rules, const struct sandbox_grant *g, uint64_t known)
{
	struct landlock_path_beneath_attr a = {.allowed_access = rights(g->may) & known};
	struct stat sb;
	int rc = -1;

	a.parent_fd = open(g->path, O_PATH | O_CLOEXEC);
	if (a.parent_fd < 0) /* what is not there, and what nobody here may reach */
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
	if (fstat(a.parent_fd, &sb) == 0) {
		if (!S_ISDIR(sb.st_mode))
			a.allowed_access &= of_a_file;
		rc = (int)syscall(SYS_landlock_add_rule, rules,
				  LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	}
	close(a.parent_fd);
	return rc;
}

static int restrict_to(const struct sandbox_paths *p, long abi, struct err *e)
{
	struct ruleset all = everything(abi, p->connect);
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, size_of(abi), 0);
	int rc = 0;

	if (rules < 0)
		return err_sys(e, "make Landlock rules");
	for (size_t i = 0; rc == 0 && i < p->n; i++)
		if (grant(rules, &p->v[i], all.files) < 0)
			rc = err_sys(e, "let Landlock allow %s", p->v[i].path);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		rc = err_sys(e, "enter Landlock");
	close(rules);
	return rc;
}

int sandbox_paths(const struct sandbox_paths *p, unsigned *abi, struct err *e)
{
	long has = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	*abi = has > 0 ? (unsigned)has : 0;
	if (has <= 0) /* ENOSYS: not built in; EOPNOTSUPP: switched off at boot */
		return 0;
	return restrict_to(p, has, e);
}
