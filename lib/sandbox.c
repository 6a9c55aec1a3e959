/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- capabilities ---------------------------------------------------------------- */

/* libcap would be a library more for three calls. */
static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &head, data);
}

static int set_capabilities(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capset, &head, data);
}

static bool has_capability(int capability)
{
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	return get_capabilities(data) == 0 &&
	       (data[capability / 32].effective & (1U << capability % 32)) != 0;
}

int sandbox_bound(uint64_t keep, struct err *e)
{
	if (!has_capability(CAP_SETPCAP))
		return 0;
	/* Up to the first that this kernel does not know. */
	for (int c = 0; c < 64; c++) {
		int has = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (has < 0)
			break;
		if (has && !(keep & SANDBOX_CAPABILITY(c)) &&
		    prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return err_sys(e, "drop capability %d", c);
	}
	return 0;
}

static int drop_ambient(uint64_t keep)
{
	for (int c = 0; c < 64; c++) {
		int has = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0);

		if (has < 0)
			break;
		if (has && !(keep & SANDBOX_CAPABILITY(c)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, c, 0, 0) < 0)
			return -1;
	}
	return 0;
}

int sandbox_keep(uint64_t keep, struct err *e)
{
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	if (drop_ambient(keep) < 0 || get_capabilities(data) < 0)
		return err_sys(e, "drop capabilities");
	for (int i = 0; i < 2; i++) {
		uint32_t half = (uint32_t)(keep >> 32 * i);

		data[i].effective &= half;
		data[i].permitted &= half;
		data[i].inheritable &= half;
	}
	return set_capabilities(data) < 0 ? err_sys(e, "drop capabilities") : 0;
}

/* ---- user --------------------------------------------------------------------------- */

static int take_groups(gid_t gid, const char *of, struct err *e)
{
	int rc = of != NULL ? initgroups(of, gid) : setgroups(0, NULL);

	return rc < 0 ? err_sys(e, "set the groups") : 0;
}

/* is_for_good - root again, or any other user: that has to be refused */
static int is_for_good(uid_t uid, gid_t gid, struct err *e)
{
	uid_t u[3];
	gid_t g[3];

	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return err_set(e, ERR_PERM, "5.3.5", "root can be had again");
	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return err_sys(e, "who am I?");
	for (int i = 0; i < 3; i++)
		if (u[i] != uid || g[i] != gid)
			return err_set(e, ERR_PERM, "5.3.5", "user is not %u for good",
				       (unsigned)uid);
	return 0;
}

int sandbox_become(uid_t uid, gid_t gid, const char *groups_of, struct err *e)
{
	pid_t parent = getppid();
	int death = 0;

	/* A change of the user makes the kernel forget it. */
	if (prctl(PR_GET_PDEATHSIG, &death) < 0)
		return err_sys(e, "prctl");
	if (take_groups(gid, groups_of, e) < 0)
		return -1;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_sys(e, "become user %u", (unsigned)uid);
	if (death != 0) {
		prctl(PR_SET_PDEATHSIG, death);
		if (getppid() != parent) /* it was gone before we asked again */
			raise(death);
	}
	return is_for_good(uid, gid, e);
}

/* ---- what others may see ---------------------------------------------------------------- */

int sandbox_hide(struct err *e)
{
	static const struct rlimit none;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(e, "forbid core files");
	return 0;
}

int sandbox_seal(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(e, "set no_new_privs")
							  : 0;
}
