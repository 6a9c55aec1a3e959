/* SPDX-License-Identifier: ISC */
/*
 * status_privileges - what the kernel says that each process may do, beside its role
 *
 * The one thing that the kernel shows to nobody is a Landlock domain: there, the process's
 * own word counts, which popstored took before the first client could speak with it.
 */
#include "ctl/status.h"

#include "lib/sandbox.h"
#include "store/role.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
const struct column status_privilege_columns[STATUS_PRIVILEGE_COLUMNS] = {
	{"service",      "SERVICE",  CELL_TEXT},
	{"pid",          "PID",      CELL_COUNT},
	{"user",         "USER",     CELL_TEXT},
	{"groups",       "GROUPS",   CELL_TEXT},
	{"no_new_privs", "SEALED",   CELL_BOOL},
	{"landlock",     "LANDLOCK", CELL_COUNT},
	{"seccomp",      NULL,       CELL_COUNT},
	{"filters",      "FILTERS",  CELL_COUNT},
	{"capabilities", "CAPABILITIES", CELL_TEXT},
	{"bounding",     "BOUNDING", CELL_TEXT},
	{"ambient",      NULL,       CELL_TEXT},
	{"core_limit",   "CORE",     CELL_TEXT},
	{"hidden",       "HIDDEN",   CELL_TEXT},
	{"files",        "FILES",    CELL_TEXT},
	{"sockets",      "SOCKETS",  CELL_TEXT},
	{"others",       NULL,       CELL_TEXT},
};
/* clang-format on */

enum { PROC_MAX = 16384 };

struct process {
	struct str service;
	unsigned long pid;
	const struct role *role; /* NULL: of a newer popstored */
	struct buf status;       /* /proc/PID/status */
	uint64_t uid, landlock;
	bool told; /* what its Landlock is */
	char core[32];
	const char *hidden; /* "yes", "no", or "" where it cannot be seen */
	bool has_fds;
	unsigned files, sockets, others;
};

void status_process(struct status *s, struct str service, uint64_t pid, struct str told)
{
	if (pid != 0)
		buf_printf(&s->processes, STR_FMT " %" PRIu64 " " STR_FMT "\n",
			   STR_ARG(service), pid, STR_ARG(told));
}

/* ---- what /proc says ------------------------------------------------------------------- */

static void path_of(const struct process *p, const char *name, char path[64])
{
	snprintf(path, 64, "/proc/%lu/%s", p->pid, name);
}

static bool read_proc(const struct process *p, const char *name, struct buf *out)
{
	char path[64];
	ssize_t n = 0;
	int fd;

	path_of(p, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (out->n < PROC_MAX - 1024 &&
	       (n = read(fd, buf_reserve(out, 1024), 1024)) > 0)
		buf_used(out, (size_t)n);
	close(fd);
	return n == 0;
}

/* line_of - what stands behind "KEY:" in such a file */
static struct str line_of(const struct buf *text, struct str key)
{
	struct str rest = buf_str(text);

	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');

		if (!str_starts(line, key))
			continue;
		line = (struct str){line.p + key.n, line.n - key.n};
		return str_trim(line);
	}
	return STR("");
}

static uint64_t number_of(const struct process *p, struct str key)
{
	struct str value = line_of(&p->status, key);
	struct str word = str_cut(&value, '\t');
	uint64_t u = 0;

	return str_u64(word, &u) ? u : 0;
}

static uint64_t set_of(const struct process *p, struct str key)
{
	uint64_t u = 0;

	return str_hex64(line_of(&p->status, key), &u) ? u : UINT64_MAX;
}

static void look_at_limits(struct process *p)
{
	struct str value, word;
	struct buf text;

	buf_init(&text, PROC_MAX);
	snprintf(p->core, sizeof p->core, "%s", "");
	if (read_proc(p, "limits", &text)) {
		value = line_of(&text, STR("Max core file size"));
		word = str_word(&value);
		snprintf(p->core, sizeof p->core, STR_FMT, STR_ARG(word));
	}
	buf_fini(&text);
}

static void count_fd(struct process *p, int dir, const char *name)
{
	char target[32];
	ssize_t n = readlinkat(dir, name, target, sizeof target);
	struct str t = {target, n > 0 ? (size_t)n : 0};

	if (str_starts(t, STR("socket:")))
		p->sockets++;
	else if (str_starts(t, STR("/")))
		p->files++;
	else
		p->others++;
}

static void look_at_fds(struct process *p)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	path_of(p, "fd", path);
	d = opendir(path);
	p->has_fds = d != NULL;
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			count_fd(p, dirfd(d), de->d_name);
	closedir(d);
}

/* look_at_owner - the kernel gives the files of a process that is not to be dumped to root */
static void look_at_owner(struct process *p)
{
	struct stat sb;
	char path[64];

	path_of(p, "status", path);
	p->hidden = p->uid == 0 || stat(path, &sb) < 0 ? ""
		    : sb.st_uid == 0                   ? "yes"
						       : "no";
}

static bool look(struct process *p)
{
	if (!read_proc(p, "status", &p->status))
		return false; /* it has ended */
	p->uid = number_of(p, STR("Uid:"));
	look_at_limits(p);
	look_at_fds(p);
	look_at_owner(p);
	return true;
}

/* take_told - "role=lmtp landlock=6" */
static void take_told(struct process *p, struct str told)
{
	while (told.n > 0) {
		struct str word = str_word(&told), key = str_cut(&word, '=');

		if (str_eq(key, STR("landlock")))
			p->told = str_u64(word, &p->landlock);
	}
}

/* ---- what should be -------------------------------------------------------------------- */

static void missing(struct status *s, const struct process *p, const char *what)
{
	status_attend(s, STR_FMT " (process %lu) %s", STR_ARG(p->service), p->pid, what);
}

static void judge_user(struct status *s, const struct process *p, bool as_root)
{
	struct role_identity who;
	struct err e;

	if (p->role->user == ROLE_STAYS || !as_root)
		return;
	if (role_identity(p->role, s->c->settings, &who, &e) < 0 || p->uid != who.uid)
		missing(s, p, "runs as another user than it should");
	else if (p->uid == 0)
		missing(s, p, "runs as root, since the store belongs to root");
	if (p->role->confined && line_of(&p->status, STR("Groups:")).n > 0)
		missing(s, p, "has supplementary groups");
}

static void judge_confined(struct status *s, const struct process *p, bool as_root)
{
	if (number_of(p, STR("NoNewPrivs:")) != 1)
		missing(s, p, "may gain rights by what it executes (no_new_privs)");
	if (sandbox_has_calls() && number_of(p, STR("Seccomp:")) != 2)
		missing(s, p, "may make any system call (seccomp)");
	if (!p->told || p->landlock == 0)
		missing(s, p, "sees all files that its user may see (Landlock)");
	if (as_root && set_of(p, STR("CapBnd:")) != 0)
		missing(s, p, "could have capabilities again (bounding set)");
}

static void judge(struct status *s, const struct process *p, bool as_root)
{
	/* The capabilities of a program of root's store are those of root. */
	bool free = p->role->capabilities == UINT64_MAX && p->uid == 0;

	judge_user(s, p, as_root);
	if (!free && ((set_of(p, STR("CapEff:")) | set_of(p, STR("CapPrm:"))) &
		      ~p->role->capabilities))
		missing(s, p, "has capabilities that it should not have");
	if (!free && p->role->user != ROLE_STAYS &&
	    (set_of(p, STR("CapEff:")) | set_of(p, STR("CapAmb:"))) != 0)
		missing(s, p, "has capabilities");
	if (p->role->confined)
		judge_confined(s, p, as_root);
	if (strcmp(p->core, "0") != 0)
		missing(s, p, "may leave a core file");
	if (strcmp(p->hidden, "no") == 0)
		missing(s, p, "can be looked into by its user's other processes");
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void put_user(struct status *s, const struct process *p)
{
	const struct passwd *pw = getpwuid((uid_t)p->uid);
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, p->uid);
	table_text(s->t, str_of(pw != NULL ? pw->pw_name : text));
	table_text(s->t, line_of(&p->status, STR("Groups:")));
}

static void put_set(struct status *s, const struct process *p, struct str key)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIx64, set_of(p, key));
	table_text(s->t, str_of(text));
}

static void put_count(struct status *s, const struct process *p, unsigned n)
{
	char text[16];

	snprintf(text, sizeof text, "%u", n);
	table_text(s->t, p->has_fds ? str_of(text) : STR(""));
}

static void put_row(struct status *s, const struct process *p)
{
	table_text(s->t, p->service);
	table_number(s->t, p->pid);
	put_user(s, p);
	table_number(s->t, number_of(p, STR("NoNewPrivs:")));
	table_number(s->t, p->landlock);
	table_number(s->t, number_of(p, STR("Seccomp:")));
	table_number(s->t, number_of(p, STR("Seccomp_filters:")));
	put_set(s, p, STR("CapEff:"));
	put_set(s, p, STR("CapBnd:"));
	put_set(s, p, STR("CapAmb:"));
	table_text(s->t, str_of(p->core));
	table_text(s->t, str_of(p->hidden));
	put_count(s, p, p->files);
	put_count(s, p, p->sockets);
	put_count(s, p, p->others);
}

static void one(struct status *s, struct str line, bool *as_root)
{
	struct process p = {.service = str_word(&line)};
	struct str pid = str_word(&line);
	uint64_t u = 0;

	if (!str_u64(pid, &u))
		return;
	p.pid = (unsigned long)u;
	p.role = role_find(p.service);
	buf_init(&p.status, PROC_MAX);
	take_told(&p, line);
	if (look(&p)) {
		if (p.role != NULL && p.role->user == ROLE_STAYS)
			*as_root = p.uid == 0;
		put_row(s, &p);
		if (p.role != NULL)
			judge(s, &p, *as_root);
		else
			missing(s, &p, "has no role that this program knows");
	}
	buf_fini(&p.status);
}

int status_privileges(struct status *s, struct err *e UNUSED)
{
	struct str rest = buf_str(&s->processes);
	bool as_root = false; /* popstored stands first */

	while (rest.n > 0)
		one(s, str_cut(&rest, '\n'), &as_root);
	return 0;
}
