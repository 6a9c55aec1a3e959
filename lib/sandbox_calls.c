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

#define CALL(name) SCMP_SYS(name)

/* clang-format off */
static const int always[] = {
	/* memory */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
	/* threads and signals */
	CALL(futex), CALL(set_robust_list), CALL(get_robust_list), CALL(rseq),
	CALL(gettid), CALL(sched_yield), CALL(sched_getaffinity), CALL(membarrier),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
	CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(signalfd4), CALL(exit),
	CALL(exit_group), CALL(restart_syscall),
	/* who and when */
	CALL(getpid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid),
	CALL(getegid), CALL(uname), CALL(getrusage), CALL(sysinfo), CALL(clock_gettime),
	CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(clock_nanosleep),
	CALL(nanosleep), CALL(getrandom),
	/* what is open */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64),
	CALL(close), CALL(fstat), CALL(lseek), CALL(dup), CALL(dup2), CALL(dup3),
	CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6), CALL(epoll_create1),
	CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(eventfd2), CALL(pipe2),
	CALL(timerfd_settime),
};

static const int serve[] = {
	CALL(accept4), CALL(accept), CALL(recvfrom), CALL(recvmsg), CALL(sendmsg),
	CALL(shutdown), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	CALL(getpeername), CALL(sendfile),
};

static const int read_files[] = {
	CALL(openat), CALL(open), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx),
	CALL(faccessat), CALL(faccessat2), CALL(access), CALL(readlink), CALL(readlinkat),
	CALL(getdents64), CALL(getcwd), CALL(statfs), CALL(fstatfs), CALL(fadvise64),
	CALL(flock),
};

static const int write_files[] = {
	CALL(mkdirat), CALL(unlinkat), CALL(linkat), CALL(renameat), CALL(renameat2),
	CALL(ftruncate), CALL(fallocate), CALL(utimensat), CALL(fsync), CALL(fdatasync),
	CALL(syncfs),
};

static const int reach_out[] = {
	CALL(connect), CALL(bind), CALL(sendmmsg), CALL(recvmmsg), CALL(umask),
	CALL(ioctl), /* FIONREAD of resolvers */
};

/* What nobody here has a reason to do. */
static const int outrageous[] = {
	CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp),
	CALL(pidfd_getfd), CALL(process_madvise), CALL(mount), CALL(umount2),
	CALL(pivot_root), CALL(move_mount), CALL(open_tree), CALL(fsopen), CALL(fsconfig),
	CALL(fsmount), CALL(fspick), CALL(mount_setattr), CALL(unshare), CALL(setns),
	CALL(bpf), CALL(perf_event_open), CALL(userfaultfd), CALL(io_uring_setup),
	CALL(io_uring_enter), CALL(io_uring_register), CALL(init_module),
	CALL(finit_module), CALL(delete_module), CALL(kexec_load), CALL(kexec_file_load),
	CALL(reboot), CALL(swapon), CALL(swapoff), CALL(acct), CALL(quotactl), CALL(iopl),
	CALL(ioperm), CALL(open_by_handle_at), CALL(settimeofday), CALL(clock_settime),
	CALL(adjtimex), CALL(clock_adjtime), CALL(sethostname), CALL(setdomainname),
	CALL(syslog), CALL(vhangup), CALL(lookup_dcookie), CALL(fanotify_init),
	CALL(move_pages), CALL(migrate_pages),
};

/* What may be done without a look at the arguments. */
static const struct group {
	unsigned bit; /* SANDBOX_CALLS_..., 0: every role */
	const int *calls;
	size_t n;
} groups_of_calls[] = {
	{0,                     always,      countof(always)},
	{SANDBOX_CALLS_SERVE,   serve,       countof(serve)},
	{SANDBOX_CALLS_READ,    read_files,  countof(read_files)},
	{SANDBOX_CALLS_WRITE,   write_files, countof(write_files)},
	{SANDBOX_CALLS_CONNECT, reach_out,   countof(reach_out)},
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

static void allow(scmp_filter_ctx f, int *rc, unsigned groups)
{
	for (size_t i = 0; i < countof(groups_of_calls); i++) {
		const struct group *g = &groups_of_calls[i];

		for (size_t k = 0; (g->bit & ~groups) == 0 && k < g->n; k++)
			rule_any(f, rc, g->calls[k]);
	}
}

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
	allow(f, &rc, groups);
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
