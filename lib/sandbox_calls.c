/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

bool sandbox_has_calls(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#else
	return true;
#endif
}

enum { ALWAYS = 0 };

struct call {
	unsigned group;
	int number;
};

#define CALL(group, name)             \
	{                             \
		group, SCMP_SYS(name) \
	}

/* clang-format off */
static const struct call calls[] = {
	/* memory */
	CALL(ALWAYS, brk), CALL(ALWAYS, munmap), CALL(ALWAYS, mremap), CALL(ALWAYS, madvise),
	/* threads and signals */
	CALL(ALWAYS, futex), CALL(ALWAYS, set_robust_list), CALL(ALWAYS, get_robust_list),
	CALL(ALWAYS, rseq), CALL(ALWAYS, gettid), CALL(ALWAYS, sched_yield),
	CALL(ALWAYS, sched_getaffinity), CALL(ALWAYS, membarrier),
	CALL(ALWAYS, rt_sigaction), CALL(ALWAYS, rt_sigprocmask), CALL(ALWAYS, rt_sigreturn),
	CALL(ALWAYS, rt_sigtimedwait), CALL(ALWAYS, sigaltstack), CALL(ALWAYS, signalfd4),
	CALL(ALWAYS, exit), CALL(ALWAYS, exit_group), CALL(ALWAYS, restart_syscall),
	/* who and when */
	CALL(ALWAYS, getpid), CALL(ALWAYS, getppid), CALL(ALWAYS, getuid),
	CALL(ALWAYS, geteuid), CALL(ALWAYS, getgid), CALL(ALWAYS, getegid),
	CALL(ALWAYS, uname), CALL(ALWAYS, getrusage), CALL(ALWAYS, sysinfo),
	CALL(ALWAYS, clock_gettime), CALL(ALWAYS, clock_getres), CALL(ALWAYS, gettimeofday),
	CALL(ALWAYS, time), CALL(ALWAYS, clock_nanosleep), CALL(ALWAYS, nanosleep),
	CALL(ALWAYS, getrandom),
	/* what is open */
	CALL(ALWAYS, read), CALL(ALWAYS, write), CALL(ALWAYS, readv), CALL(ALWAYS, writev),
	CALL(ALWAYS, pread64), CALL(ALWAYS, pwrite64), CALL(ALWAYS, close),
	CALL(ALWAYS, fstat), CALL(ALWAYS, lseek), CALL(ALWAYS, dup), CALL(ALWAYS, dup2),
	CALL(ALWAYS, dup3), CALL(ALWAYS, poll), CALL(ALWAYS, ppoll), CALL(ALWAYS, select),
	CALL(ALWAYS, pselect6), CALL(ALWAYS, epoll_create1), CALL(ALWAYS, epoll_ctl),
	CALL(ALWAYS, epoll_wait), CALL(ALWAYS, epoll_pwait), CALL(ALWAYS, eventfd2),
	CALL(ALWAYS, pipe2),

	CALL(SANDBOX_CALLS_SERVE, accept4), CALL(SANDBOX_CALLS_SERVE, accept),
	CALL(SANDBOX_CALLS_SERVE, recvfrom), CALL(SANDBOX_CALLS_SERVE, recvmsg),
	CALL(SANDBOX_CALLS_SERVE, sendmsg), CALL(SANDBOX_CALLS_SERVE, shutdown),
	CALL(SANDBOX_CALLS_SERVE, getsockopt), CALL(SANDBOX_CALLS_SERVE, setsockopt),
	CALL(SANDBOX_CALLS_SERVE, getsockname), CALL(SANDBOX_CALLS_SERVE, getpeername),
	CALL(SANDBOX_CALLS_SERVE, sendfile),

	CALL(SANDBOX_CALLS_READ, openat), CALL(SANDBOX_CALLS_READ, open),
	CALL(SANDBOX_CALLS_READ, newfstatat), CALL(SANDBOX_CALLS_READ, stat),
	CALL(SANDBOX_CALLS_READ, lstat), CALL(SANDBOX_CALLS_READ, statx),
	CALL(SANDBOX_CALLS_READ, faccessat), CALL(SANDBOX_CALLS_READ, faccessat2),
	CALL(SANDBOX_CALLS_READ, access), CALL(SANDBOX_CALLS_READ, readlink),
	CALL(SANDBOX_CALLS_READ, readlinkat), CALL(SANDBOX_CALLS_READ, getdents64),
	CALL(SANDBOX_CALLS_READ, getcwd), CALL(SANDBOX_CALLS_READ, statfs),
	CALL(SANDBOX_CALLS_READ, fstatfs), CALL(SANDBOX_CALLS_READ, fadvise64),
	CALL(SANDBOX_CALLS_READ, flock),

	CALL(SANDBOX_CALLS_WRITE, mkdirat), CALL(SANDBOX_CALLS_WRITE, unlinkat),
	CALL(SANDBOX_CALLS_WRITE, linkat), CALL(SANDBOX_CALLS_WRITE, renameat),
	CALL(SANDBOX_CALLS_WRITE, renameat2), CALL(SANDBOX_CALLS_WRITE, ftruncate),
	CALL(SANDBOX_CALLS_WRITE, fallocate), CALL(SANDBOX_CALLS_WRITE, utimensat),
	CALL(SANDBOX_CALLS_WRITE, fsync), CALL(SANDBOX_CALLS_WRITE, fdatasync),
	CALL(SANDBOX_CALLS_WRITE, syncfs),

	CALL(SANDBOX_CALLS_CONNECT, connect), CALL(SANDBOX_CALLS_CONNECT, bind),
	CALL(SANDBOX_CALLS_CONNECT, sendmmsg), CALL(SANDBOX_CALLS_CONNECT, recvmmsg),
	CALL(SANDBOX_CALLS_CONNECT, ioctl), /* FIONREAD of resolvers */
	CALL(SANDBOX_CALLS_CONNECT, umask),
};

/* What nobody here has a reason to do. */
static const int outrageous[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(move_mount),
	SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
	SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
	SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
	SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(lookup_dcookie),
	SCMP_SYS(fanotify_init), SCMP_SYS(move_pages), SCMP_SYS(migrate_pages),
};
/* clang-format on */

/* ---- rules that look at arguments ------------------------------------------------------- */

/* rule - allows `number` where one argument fits; the first failure stays */
static void rule(scmp_filter_ctx f, int *rc, int number, struct scmp_arg_cmp cmp)
{
	if (*rc == 0)
		*rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 1, &cmp);
}

static struct scmp_arg_cmp equal(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){
		.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

/* masked - of these bits, exactly those of `value` are set */
static struct scmp_arg_cmp masked(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

static void rule_any(scmp_filter_ctx f, int *rc, int number)
{
	if (*rc == 0)
		*rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0);
}

static void memory(scmp_filter_ctx f, int *rc, unsigned groups)
{
	static const int makes[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

	for (size_t i = 0; i < countof(makes); i++) {
		if (groups & SANDBOX_CALLS_LOAD)
			rule_any(f, rc, makes[i]);
		else /* nothing new can be executed */
			rule(f, rc, makes[i], masked(2, PROT_EXEC, 0));
	}
}

static void threads(scmp_filter_ctx f, int *rc)
{
	/* Only threads; of clone3() a filter cannot see which, and the C library does
	 * without where it is not there. */
	rule(f, rc, SCMP_SYS(clone), masked(0, CLONE_THREAD, CLONE_THREAD));
	if (*rc == 0)
		*rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* abort(3), and a thread that wakes the first one */
	rule(f, rc, SCMP_SYS(tgkill), equal(0, (uint64_t)getpid()));
	/* Limits are looked at, and not changed. */
	rule(f, rc, SCMP_SYS(prlimit64), equal(2, 0));
}

static void descriptors(scmp_filter_ctx f, int *rc, unsigned groups)
{
	/* Not F_SETOWN, by which the kernel signals others. */
	static const int commands[] = {F_GETFD, F_SETFD,         F_GETFL,
				       F_SETFL, F_DUPFD_CLOEXEC, F_DUPFD};

	/* Libraries lock their files so: Kerberos its keys, Berkeley DB sasldb. */
	static const int locks[] = {F_GETLK,     F_SETLK,     F_SETLKW,
				    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};

	for (size_t i = 0; i < countof(commands); i++)
		rule(f, rc, SCMP_SYS(fcntl), equal(1, (uint64_t)commands[i]));
	for (size_t i = 0; groups & SANDBOX_CALLS_LOAD && i < countof(locks); i++)
		rule(f, rc, SCMP_SYS(fcntl), equal(1, (uint64_t)locks[i]));
}

static void sockets(scmp_filter_ctx f, int *rc, unsigned groups)
{
	if (groups & SANDBOX_CALLS_PAIR)
		rule(f, rc, SCMP_SYS(socketpair), equal(0, AF_UNIX));
	if (groups & (SANDBOX_CALLS_DATAGRAM | SANDBOX_CALLS_CONNECT))
		rule_any(f, rc, SCMP_SYS(sendto));
	else if (groups & SANDBOX_CALLS_SERVE)
		rule(f, rc, SCMP_SYS(sendto), equal(4, 0));
	if (groups & SANDBOX_CALLS_CONNECT) {
		static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

		for (size_t i = 0; i < countof(families); i++)
			rule(f, rc, SCMP_SYS(socket), equal(0, (uint64_t)families[i]));
	}
}

/* ---- filters ------------------------------------------------------------------------------- */

static void refuse_outrageous(scmp_filter_ctx f, int *rc, uint32_t how)
{
	for (size_t i = 0; *rc == 0 && i < countof(outrageous); i++)
		*rc = seccomp_rule_add(f, how, outrageous[i], 0);
}

/* load - libseccomp says no with -errno */
static int load(scmp_filter_ctx f, int rc, struct err *e)
{
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc == 0)
		return 0;
	errno = -rc;
	return err_sys(e, "filter system calls");
}

int sandbox_calls(unsigned groups, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	must(f != NULL && sandbox_has_calls());
	/* All threads: there is one, and no other may be left out by mistake. */
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0) /* the kernel's word in case of failure, not the library's */
		rc = seccomp_attr_set(f, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < countof(calls); i++)
		if (calls[i].group == ALWAYS || (groups & calls[i].group))
			rule_any(f, &rc, calls[i].number);
	memory(f, &rc, groups);
	threads(f, &rc);
	descriptors(f, &rc, groups);
	sockets(f, &rc, groups);
	refuse_outrageous(f, &rc, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0);
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0);
	return load(f, rc, e);
}

int sandbox_calls_of_descendants(bool *done, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	must(f != NULL && sandbox_has_calls());
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0);
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_API_SYSRAWRC, 1);
	/* The MTA's program may be a 32-bit one, and is not ours to forbid. */
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	refuse_outrageous(f, &rc, SCMP_ACT_ERRNO(EPERM));
	rc = load(f, rc, e);
	*done = rc == 0;
	return rc < 0 && (e->sys == EACCES || e->sys == EPERM) ? 0 : rc;
}
