/* SPDX-License-Identifier: ISC */
/*
 * roles - code of a stranger in the place of a service: what does it get?
 *
 *   roles CONF ROLE DIR       prints a line for each attack: its name and what came of it,
 *                             "done", an errno or a signal
 *
 * ROLE is a name of store/role.h, or "none": the control, which gives nothing up.  DIR is a
 * directory that the attacker's user may write to, and nobody granted to him.  What the
 * services do, role_enter(), is done by a child for each attack; what stands ready for it
 * (sockets, a sibling) is made before.  popstore itself has no door for this.
 */
#include "lib/settings.h"
#include "store/role.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	const char *root, *dir;
	struct sockaddr_in tcp;
	struct sockaddr_un path, abstract;
	socklen_t abstract_n;
	int tcp_socket, unix_socket, dgram_socket, free_socket;
	pid_t sibling;
} ready;

static const char *below(const char *where, const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", where, name);
	return path;
}

static int try_open(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC, 0600);
}

/* ---- the attacks: -1 with errno, or they succeeded ------------------------------------- */

static int read_secret(void)
{
	return try_open(below(ready.root, "secrets/probe"), O_RDONLY);
}

static int write_secret(void)
{
	return try_open(below(ready.root, "secrets/new"), O_WRONLY | O_CREAT);
}

static int read_message(void)
{
	return try_open(below(ready.root, "messages/probe"), O_RDONLY);
}

static int read_account(void)
{
	return try_open(below(ready.root, "accounts/probe"), O_RDONLY);
}

static int write_account(void)
{
	return try_open(below(ready.root, "accounts/probe"), O_WRONLY);
}

static int write_domain(void)
{
	return try_open(below(ready.root, "domains/probe"), O_WRONLY);
}

static int list_root(void)
{
	return try_open(ready.root, O_RDONLY | O_DIRECTORY);
}

static int write_mark(void)
{
	return try_open(below(ready.root, "popstore"), O_WRONLY);
}

static int read_passwd(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static int read_own_memory(void)
{
	return try_open("/proc/self/mem", O_RDWR);
}

static int write_elsewhere(void)
{
	return try_open(below(ready.dir, "written"), O_WRONLY | O_CREAT);
}

static int write_tmp(void)
{
	return try_open("/tmp", O_TMPFILE | O_RDWR);
}

static int execute(void)
{
	char name[] = "true";
	char *argv[] = {name, NULL};

	return execv("/bin/true", argv); /* its status is 0, as of what is done */
}

static int start_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int run_new_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int new_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int new_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int connect_tcp(void)
{
	return connect(ready.tcp_socket, (struct sockaddr *)&ready.tcp, sizeof ready.tcp);
}

static int bind_tcp(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return bind(ready.free_socket, (struct sockaddr *)&any, sizeof any);
}

static int connect_unix(void)
{
	return connect(ready.unix_socket, (struct sockaddr *)&ready.path,
		       sizeof ready.path);
}

static int send_abstract(void)
{
	return (int)sendto(ready.dgram_socket, "x", 1, 0,
			   (struct sockaddr *)&ready.abstract, ready.abstract_n);
}

static int trace_sibling(void)
{
	return (int)ptrace(PTRACE_ATTACH, ready.sibling, NULL, NULL);
}

static int read_sibling(void)
{
	char octet;
	struct iovec to = {&octet, 1}, from = {(void *)(uintptr_t)&ready, 1};

	return (int)syscall(SYS_process_vm_readv, ready.sibling, &to, 1, &from, 1, 0);
}

static int signal_sibling(void)
{
	return kill(ready.sibling, SIGUSR1);
}

static int own_signals(void)
{
	return fcntl(ready.tcp_socket, F_SETOWN, ready.sibling);
}

static int mount_something(void)
{
	if (mount("none", ready.dir, "tmpfs", 0, NULL) < 0)
		return -1;
	return umount2(ready.dir, MNT_DETACH);
}

static int load_bpf(void)
{
	char attr[128] = {0};

	*(uint32_t *)(void *)attr = 2;       /* BPF_MAP_TYPE_ARRAY */
	*(uint32_t *)(void *)(attr + 4) = 4; /* key, value, entries */
	*(uint32_t *)(void *)(attr + 8) = 4;
	*(uint32_t *)(void *)(attr + 12) = 1;
	return (int)syscall(SYS_bpf, 0, attr, sizeof attr);
}

static int use_keys(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 1, 0,
			    0); /* the session's, made if need be */
}

static int use_io_uring(void)
{
	char params[120] = {0};

	return (int)syscall(SYS_io_uring_setup, 4, params);
}

static int new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int become_root(void)
{
	return (int)syscall(SYS_setresuid, 0, 0, 0);
}

static int become_another(void)
{
	return (int)syscall(SYS_setresuid, 12345, 12345, 12345);
}

static int leave_core(void)
{
	struct rlimit l = {.rlim_cur = 4096, .rlim_max = 4096};

	return setrlimit(RLIMIT_CORE, &l);
}

static const struct attack {
	const char *name;
	int (*run)(void);
} attacks[] = {
	/* clang-format off */
	{"read-secret", read_secret}, {"write-secret", write_secret},
	{"read-message", read_message}, {"read-account", read_account},
	{"write-account", write_account}, {"write-domain", write_domain},
	{"list-root", list_root}, {"write-mark", write_mark}, {"read-passwd", read_passwd},
	{"read-own-memory", read_own_memory}, {"write-elsewhere", write_elsewhere},
	{"write-tmp", write_tmp}, {"execute", execute}, {"start-process", start_process},
	{"run-new-code", run_new_code}, {"new-socket", new_socket},
	{"new-packet-socket", new_packet_socket}, {"connect-tcp", connect_tcp},
	{"bind-tcp", bind_tcp}, {"connect-unix", connect_unix},
	{"send-abstract", send_abstract}, {"trace-sibling", trace_sibling},
	{"read-sibling", read_sibling}, {"signal-sibling", signal_sibling},
	{"own-signals", own_signals}, {"mount", mount_something}, {"bpf", load_bpf},
	{"keys", use_keys}, {"io-uring", use_io_uring}, {"namespace", new_namespace},
	{"become-root", become_root}, {"become-another", become_another},
	{"leave-core", leave_core},
	/* clang-format on */
};

/* ---- the stage -------------------------------------------------------------------------- */

enum { ENTERING_FAILED = 255 };

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(2);
}

static pid_t start_sibling(void)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0) {
		signal(SIGUSR1, SIG_IGN);
		for (;;)
			pause();
	}
	return pid;
}

static void prepare(void)
{
	socklen_t n = sizeof ready.tcp;
	int tcp = socket(AF_INET, SOCK_STREAM, 0), path = socket(AF_UNIX, SOCK_STREAM, 0);
	int abstract = socket(AF_UNIX, SOCK_DGRAM, 0);

	ready.tcp = (struct sockaddr_in){.sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	need(bind(tcp, (struct sockaddr *)&ready.tcp, n) == 0 && listen(tcp, 99) == 0 &&
		     getsockname(tcp, (struct sockaddr *)&ready.tcp, &n) == 0,
	     "TCP socket");
	ready.path.sun_family = AF_UNIX;
	snprintf(ready.path.sun_path, sizeof ready.path.sun_path, "%s/socket", ready.dir);
	unlink(ready.path.sun_path);
	need(bind(path, (struct sockaddr *)&ready.path, sizeof ready.path) == 0 &&
		     listen(path, 99) == 0 && chmod(ready.path.sun_path, 0666) == 0,
	     "Unix socket");
	ready.abstract.sun_family = AF_UNIX;
	ready.abstract_n = sizeof ready.abstract;
	need(bind(abstract, (struct sockaddr *)&ready.abstract,
		  sizeof ready.abstract.sun_family) == 0 &&
		     getsockname(abstract, (struct sockaddr *)&ready.abstract,
				 &ready.abstract_n) == 0,
	     "abstract socket");
	ready.tcp_socket = socket(AF_INET, SOCK_STREAM, 0);
	ready.free_socket = socket(AF_INET, SOCK_STREAM, 0);
	ready.unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
	ready.dgram_socket = socket(AF_UNIX, SOCK_DGRAM, 0);
	ready.sibling = start_sibling();
}

/* child - never returns; its status is the errno */
static void child(const struct attack *a, int role, const struct settings *set)
{
	struct err e = {0};

	if (role >= 0 && role_enter((enum role_id)role, set, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(ENTERING_FAILED);
	}
	_exit(a->run() < 0 ? errno : 0);
}

static void report(const struct attack *a, int status)
{
	if (WIFSIGNALED(status))
		printf("%s SIG%s\n", a->name, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == ENTERING_FAILED)
		printf("%s no-role\n", a->name);
	else if (WEXITSTATUS(status) == 0)
		printf("%s done\n", a->name);
	else
		printf("%s %s\n", a->name, strerrorname_np(WEXITSTATUS(status)));
}

int main(int argc, char **argv)
{
	struct settings *set;
	struct err e = {0};
	int role = -1;

	need(argc == 4, "usage: roles CONF ROLE DIR");
	need(settings_read(argv[1], &set, &e) == 0, e.text);
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(roles[i].name, argv[2]) == 0)
			role = i;
	need(role >= 0 || strcmp(argv[2], "none") == 0, "unknown role");
	ready.root = set->store.root;
	ready.dir = argv[3];
	prepare();
	for (size_t i = 0; i < countof(attacks); i++) {
		int status;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			child(&attacks[i], role, set);
		need(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
		report(&attacks[i], status);
	}
	kill(ready.sibling, SIGKILL);
	settings_free(&set);
	return 0;
}
