/* SPDX-License-Identifier: ISC */
#include "store/storage_probe.h"

#include "lib/conn.h"
#include "store/storage_engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A trial fails (-1, *e) where the disk does not let it be done, and is over then; it is
 * refused where it can be done and *holds is false. */
struct trial {
	const char *broken; /* follows "where" */
	int (*run)(struct storage *st, const char *dir, bool *holds, struct err *e);
};

enum { DAY_MS = 24 * 3600 * 1000 };

struct path {
	char s[320];
};

static struct path in(const char *dir, const char *name)
{
	struct path p;

	snprintf(p.s, sizeof p.s, "%s/%s", dir, name);
	return p;
}

/* is - the object's octets, read again from its name */
static int is(struct storage *st, const char *path, struct str text, bool *same,
	      struct err *e)
{
	struct buf got;
	bool found;

	buf_init(&got, 64);

	int rc = storage_read(st, path, &got, &found, e);

	*same = rc == 0 && found && str_eq(buf_str(&got), text);
	buf_fini(&got);
	return rc;
}

static int open_to_append(struct storage *st, const char *path, struct storage_file **f,
			  struct err *e)
{
	bool found;

	return storage_file_open(st, path, STORAGE_APPEND, f, &found, e);
}

/* ---- files and their octets ---------------------------------------------------------- */

/* A new object gets its name whole, and a name that is taken is left alone. */
static int try_new(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	const int how = STORAGE_EXCLUSIVE | STORAGE_DURABLE;
	struct path p = in(dir, "new");
	bool existed, again, same;

	if (storage_put(st, p.s, STR("first"), how, &existed, e) < 0 ||
	    storage_put(st, p.s, STR("second"), how, &again, e) < 0 ||
	    is(st, p.s, STR("first"), &same, e) < 0)
		return -1;
	*holds = !existed && again && same;
	return 0;
}

static int edit(struct storage *st, struct storage_file *f, const char *path, bool *holds,
		struct err *e)
{
	bool appended, changed, shorter;

	if (storage_file_append(f, 0, STR("0123456789"), e) < 0 ||
	    is(st, path, STR("0123456789"), &appended, e) < 0 ||
	    storage_file_put_octet(f, 4, 'x', e) < 0 ||
	    is(st, path, STR("0123x56789"), &changed, e) < 0 ||
	    storage_file_cut(f, 7, e) < 0 || storage_file_sync(f, e) < 0 ||
	    is(st, path, STR("0123x56"), &shorter, e) < 0)
		return -1;
	*holds = appended && changed && shorter;
	return 0;
}

/* Appended, overwritten and cut off: seen at once through another descriptor. */
static int try_edit(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path p = in(dir, "edit");
	struct storage_file *f;

	if (open_to_append(st, p.s, &f, e) < 0)
		return -1;

	int rc = edit(st, f, p.s, holds, e);

	storage_file_close(&f);
	return rc;
}

/* Who waited for the lock of a file that was replaced meanwhile has to find out. */
static int try_replace(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path p = in(dir, "replaced");
	bool same = false, gone_before, gone_after = false;
	struct storage_file *f;

	if (open_to_append(st, p.s, &f, e) < 0)
		return -1;

	int rc = storage_file_lock(f, &gone_before, e);

	if (rc == 0)
		rc = storage_put(st, p.s, STR("new"), STORAGE_DURABLE, NULL, e);
	if (rc == 0)
		rc = storage_file_lock(f, &gone_after, e);
	if (rc == 0)
		rc = is(st, p.s, STR("new"), &same, e);
	storage_file_close(&f);
	*holds = rc == 0 && !gone_before && gone_after && same;
	return rc;
}

/* Moving leaves a name alone that is taken. */
static int try_rename(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path from = in(dir, "from"), to = in(dir, "to"),
		    free_name = in(dir, "free");
	bool taken, existed, kept, moved;

	if (storage_put(st, from.s, STR("from"), 0, NULL, e) < 0 ||
	    storage_put(st, to.s, STR("to"), 0, NULL, e) < 0 ||
	    storage_rename(st, from.s, to.s, &taken, e) < 0 ||
	    storage_rename(st, from.s, free_name.s, &existed, e) < 0 ||
	    is(st, to.s, STR("to"), &kept, e) < 0 ||
	    is(st, free_name.s, STR("from"), &moved, e) < 0)
		return -1;
	*holds = taken && !existed && kept && moved;
	return 0;
}

/* A directory that holds something is not removed. */
static int try_remove_dir(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path inner = in(dir, "inner"), file = in(inner.s, "file");
	bool kept, gone;

	if (storage_put(st, file.s, STR(""), STORAGE_EXCLUSIVE, NULL, e) < 0 ||
	    storage_remove_dir(st, inner.s, e) < 0 ||
	    storage_exists(st, file.s, &kept, e) < 0 ||
	    storage_remove(st, file.s, STORAGE_DURABLE, e) < 0 ||
	    storage_remove_dir(st, inner.s, e) < 0 ||
	    storage_exists(st, inner.s, &gone, e) < 0)
		return -1;
	*holds = kept && !gone;
	return 0;
}

/* ---- names ---------------------------------------------------------------------------- */

/* Pairs that differ in case, in ASCII and beyond, and in the way an accent is written; and
 * the longest name there is. */
static const char *const names[] = {
	"a case",
	"A CASE",
	"a-\xc3\xa9",  /* e with an acute accent: small, ... */
	"a-\xc3\x89",  /* ... capital, ... */
	"a-e\xcc\x81", /* ... and of two parts */
	"n%2en+n=n@n-0123456789012345678901234567890123456789012345678901234567890123456"
	"7890123456789012345678901234567890123456789012345678901234567890123456789012345"
	"6789012345678901234567890123456789012345678901234567890123456789012345678901234"
	"56789012345678901",
};
_Static_assert(countof(names) == 6, "each has a bit below");

/* mark - sets the bit of a name; false for one that was never given */
static bool mark(const char *name, unsigned *seen)
{
	for (size_t i = 0; i < countof(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*seen |= 1u << i;
		return true;
	}
	return false;
}

static int try_names(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path inner = in(dir, "names");
	struct storage_names *list;
	unsigned seen = 0;
	const char *name;
	bool existed;

	*holds = true;
	for (size_t i = 0; i < countof(names); i++) {
		if (storage_put(st, in(inner.s, names[i]).s, STR(""), STORAGE_EXCLUSIVE,
				&existed, e) < 0)
			return -1;
		*holds = *holds && !existed;
	}
	if (storage_list(st, inner.s, &list, e) < 0)
		return -1;
	while ((name = storage_names_next(list)) != NULL)
		*holds = mark(name, &seen) && *holds;
	*holds = *holds && seen == (1u << countof(names)) - 1;
	return storage_names_end(&list, e);
}

/* ---- locks and times -------------------------------------------------------------------- */

/* A lease is one's own among open files, and free again when it is dropped. */
static int try_lease(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct storage_lease *first = NULL, *second = NULL, *third = NULL;
	struct path p = in(dir, "lease");
	int rc = storage_lease_take(st, p.s, &first, e);
	bool mine = first != NULL;

	if (rc == 0)
		rc = storage_lease_take(st, p.s, &second, e);

	bool alone = second == NULL;

	storage_lease_drop(&second);
	storage_lease_drop(&first);
	if (rc == 0)
		rc = storage_lease_take(st, p.s, &third, e);
	*holds = rc == 0 && mine && alone && third != NULL;
	storage_lease_drop(&third);
	return rc;
}

/* The time of the last login is kept as the lease's. */
static int try_time(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path p = in(dir, "time");
	uint64_t then = clock_unix_ms() - DAY_MS, fresh = 0, kept = 0;
	struct storage_lease *l;
	int rc = storage_lease_take(st, p.s, &l, e);

	if (rc == 0 && l != NULL) {
		fresh = storage_lease_time_ms(l);
		rc = storage_lease_set_time(l, then, e);
		storage_lease_drop(&l);
	}
	if (rc == 0)
		rc = storage_lease_take(st, p.s, &l, e);
	if (rc == 0 && l != NULL)
		kept = storage_lease_time_ms(l);
	storage_lease_drop(&l);
	*holds = fresh == 0 && kept / 1000 == then / 1000;
	return rc;
}

/* ---- two processes ------------------------------------------------------------------------ */

enum { CHILD_GOOD = 0, CHILD_SAW = 1, CHILD_FAILED = 2 };

/* child_ended - *holds unless it saw what must not be; -1 where it could not look */
static int child_ended(pid_t pid, bool *holds, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for a process");
	*holds = !(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SAW);
	if (WIFEXITED(status) && WEXITSTATUS(status) != CHILD_FAILED)
		return 0;
	return err_set(e, ERR_TEMP, "4.3.0", "a process that tried it has failed");
}

static int take_in_child(struct storage *st, const char *path)
{
	struct storage_lease *l;
	struct err e;

	if (storage_lease_take(st, path, &l, &e) < 0)
		return CHILD_FAILED;
	return l != NULL ? CHILD_SAW : CHILD_GOOD;
}

/* A lease keeps other processes out, too. */
static int try_lease_of_another(struct storage *st, const char *dir, bool *holds,
				struct err *e)
{
	struct path p = in(dir, "lease-of-two");
	struct storage_lease *l;

	if (storage_lease_take(st, p.s, &l, e) < 0)
		return -1;

	pid_t pid = fork();

	if (pid == 0)
		_exit(take_in_child(st, p.s));

	int rc = pid < 0 ? err_sys(e, "fork") : child_ended(pid, holds, e);

	*holds = *holds && l != NULL;
	storage_lease_drop(&l);
	return rc;
}

/* A message goes from the file to the socket by sendfile(2). */
static int try_sendfile(struct storage *st, const char *dir, bool *holds, struct err *e)
{
	struct path p = in(dir, "new"); /* try_new() made it */
	struct storage_file *f;
	char got[8] = "";
	int end[2], rc = 0;
	bool found;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end) < 0)
		return err_sys(e, "socketpair");
	if (storage_file_open(st, p.s, STORAGE_READ, &f, &found, e) < 0 || !found) {
		rc = -1;
	} else if (storage_file_fd(f) < 0) {
		*holds = true; /* it is read instead */
	} else {
		off_t at = 0;

		*holds = sendfile(end[0], storage_file_fd(f), &at, 5) == 5 &&
			 read(end[1], got, sizeof got) == 5 &&
			 memcmp(got, "first", 5) == 0;
	}
	storage_file_close(&f);
	close(end[0]);
	close(end[1]);
	return rc;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static const struct trial trials[] = {
	/* clang-format off */
	{"a new file does not get its name whole, once and for all (O_TMPFILE, link, fsync)", try_new},
	{"what was written is not what is read (append, overwrite, ftruncate)", try_edit},
	{"a replaced file that is still open looks as if it had its name yet", try_replace},
	{"renaming does not spare a name that is taken (RENAME_NOREPLACE)", try_rename},
	{"a directory does not keep what is in it (rmdir, fsync)", try_remove_dir},
	{"file names are not octets: case or Unicode forms are folded, or 255 are too many", try_names},
	{"a lock does not keep others out (flock)", try_lease},
	{"a lock does not keep other processes out (flock)", try_lease_of_another},
	{"a file does not keep the time that it was given (futimens)", try_time},
	{"files cannot be sent to a socket (sendfile)", try_sendfile},
	/* clang-format on */
};

/* says_no - the operation itself is refused, and not because of the state of this disk or
 * of this machine */
static bool says_no(const struct err *e)
{
	switch (e->sys) {
	case 0:
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EACCES:
	case EMLINK:
	case EBUSY:
	case EINTR:
	case ENOMEM:
	case ENFILE:
	case EMFILE:
	case EAGAIN:
	case ENOLCK:
	case ESTALE:
	case ETIMEDOUT:
		return false;
	default:
		return true;
	}
}

/* run_trials - *broken is what does not hold, NULL if all of it does; -1: cannot tell now */
static int run_trials(struct storage *st, const char *dir, const char **broken,
		      struct err *e)
{
	*broken = NULL;
	if (storage_make_dir(st, dir, e) < 0) {
		/* Somebody who may not write here has nothing to try. */
		if (e->sys == EINVAL || e->sys == EOPNOTSUPP || e->sys == ENOSYS)
			*broken = "a directory cannot be made and synced (mkdir, fsync)";
		return *broken == NULL ? -1 : 0;
	}
	for (size_t i = 0; i < countof(trials); i++) {
		bool holds = false;
		int rc = trials[i].run(st, dir, &holds, e);

		if (rc < 0 && !says_no(e))
			return -1;
		if (rc < 0 || !holds) {
			*broken = trials[i].broken;
			return 0;
		}
	}
	return 0;
}

static void ground_of(struct storage *st, struct storage_ground *out)
{
	*out = (struct storage_ground){.kind = "this storage"};
	if (st->engine->ground != NULL)
		st->engine->ground(st, out);
}

static int judge(struct storage *st, const struct storage_ground *g, const char *broken,
		 bool trusted, struct err *doubt, struct err *e)
{
	if (broken != NULL)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s is on %s, where %s; put it on ext4, XFS or Btrfs",
			       storage_name(st), g->kind, broken);
	if (g->broken[0] != '\0')
		return err_set(e, ERR_PERM, "5.3.5", "%s is on %s, %s", storage_name(st),
			       g->kind, g->broken);
	if (g->doubted[0] != '\0' && !trusted)
		return err_set(e, ERR_PERM, "5.3.5",
			       "%s is on %s, %s; or set store.trust_file_system",
			       storage_name(st), g->kind, g->doubted);
	if (g->doubted[0] != '\0')
		err_set(doubt, ERR_TEMP, "4.3.5", "%s is on %s, %s", storage_name(st),
			g->kind, g->doubted);
	else if (g->unsure[0] != '\0')
		err_set(doubt, ERR_TEMP, "4.3.5", "%s is on %s, %s", storage_name(st),
			g->kind, g->unsure);
	return 0;
}

int storage_probe(struct storage *st, bool trusted, struct err *doubt, struct err *e)
{
	struct storage_ground ground;
	const char *broken;
	struct err ignored;
	uint64_t mine;
	char dir[64];

	*doubt = (struct err){0};
	/* Nobody else's: a process in another container may have our process id. */
	if (getrandom(&mine, sizeof mine, 0) != (ssize_t)sizeof mine)
		return err_sys(e, "getrandom");
	snprintf(dir, sizeof dir, ".new.probe.%016" PRIx64, mine);

	int rc = run_trials(st, dir, &broken, e);

	if (rc < 0) {
		*doubt = *e;
		err_add(doubt, "the file system cannot be tried now");
	}
	/* What is left of it is hidden, and `check --repair` sweeps it. */
	(void)!storage_remove_tree(st, dir, &ignored);
	ground_of(st, &ground);
	return judge(st, &ground, broken, trusted, doubt, e);
}
