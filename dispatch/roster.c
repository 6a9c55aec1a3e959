/* SPDX-License-Identifier: ISC */
#include "dispatch/roster.h"

#include "lib/conn.h"
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct roster {
	int dir,
		fd; /* fd: for the lock, read only, so that the disk can be made so too */
	uint64_t since_ms; /* Unix time */
	uint64_t
		epoch_ms; /* what clock_ms() was 0 at, in Unix time: fixed, so that the same
	                        state is the same text */
	struct buf last; /* what is in the file */
};

static const char name[] = "services";
/* Begins with a dot and belongs to nobody else: the directory has one popstored. */
static const char fresh[] = ".new.services";

/* make - as a new file that then takes the name: whatever stands there is not written to */
static int make(struct roster *r)
{
	struct stat sb;

	if (unlinkat(r->dir, fresh, 0) < 0 && errno != ENOENT)
		return -1;
	r->fd = openat(r->dir, fresh,
		       O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->fd < 0 || fstat(r->dir, &sb) < 0)
		return -1;
	if (geteuid() == 0 && fchown(r->fd, sb.st_uid, sb.st_gid) < 0)
		return -1;
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return renameat(r->dir, fresh, r->dir, name);
}

int roster_open(const char *root, struct roster **out, struct err *e)
{
	struct roster *r = xalloc(sizeof *r);

	*out = NULL;
	r->since_ms = clock_unix_ms();
	r->epoch_ms = r->since_ms - clock_ms();
	r->fd = -1;
	buf_init(&r->last, RECORD_MAX);
	r->dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir >= 0 && make(r) == 0) {
		*out = r;
		return 0;
	}
	err_sys(e, "make %s/%s", root, name);
	if (r->fd >= 0)
		close(r->fd);
	if (r->dir >= 0)
		close(r->dir);
	buf_fini(&r->last);
	xfree(&r);
	return -1;
}

void roster_close(struct roster **rp)
{
	struct roster *r = *rp;

	if (r == NULL)
		return;
	unlinkat(r->dir, name, 0);
	close(r->fd);
	close(r->dir);
	buf_fini(&r->last);
	xfree(rp);
}

static void put_worker(struct record_writer *w, const struct roster *r,
		       const struct supervisor_worker *x)
{
	char text[160 + SUPERVISOR_TOLD_MAX];

	snprintf(text, sizeof text, "%s %s %ld %llu %u %s", x->service, x->state,
		 (long)x->pid, (unsigned long long)(r->epoch_ms + x->since_ms),
		 x->restarts, x->told);
	record_put(w, "worker", str_of(text));
}

/* write_over - in one write, and then cut to its length */
static int write_over(const struct roster *r, struct str text)
{
	int fd = openat(r->dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), rc = -1;

	if (fd < 0)
		return -1;
	if (pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n)
		rc = ftruncate(fd, (off_t)text.n);
	close(fd);
	return rc;
}

int roster_write(struct roster *r, const struct supervisor *s, struct err *e)
{
	struct supervisor_worker x;
	struct record_writer w;
	int rc = 0;

	record_begin(&w, "popstore-services");
	record_put(&w, "state", str_of(supervisor_state(s)));
	record_put_u64(&w, "pid", (uint64_t)getpid());
	record_put_u64(&w, "since", r->since_ms);
	for (size_t i = 0; supervisor_worker(s, i, &x); i++)
		put_worker(&w, r, &x);

	struct str text = record_finish(&w);

	if (!str_eq(text, buf_str(&r->last))) {
		if (write_over(r, text) < 0)
			rc = err_sys(e, "write %s", name);
		buf_clear(&r->last);
		if (rc == 0)
			buf_put(&r->last, text);
	}
	record_fini(&w);
	return rc;
}
