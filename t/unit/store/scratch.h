/* SPDX-License-Identifier: ISC */
/*
 * scratch - a store for one test, made by a configuration file of its own:
 *           example.org, its alias example.net, no accounts
 *
 * Include it after cmocka.h.
 */
#ifndef STORE_SCRATCH_H
#define STORE_SCRATCH_H

#include "lib/buf.h"
#include "mail/dotstream.h"
#include "store/check.h"
#include "store/delivery.h"
#include "store/domain.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct scratch {
	char dir[64];
	struct settings *set;
	struct store *store;
};

/* What has to work before the test begins, and what it does in passing. */
#define scratch_ok(call)                                    \
	do {                                                \
		struct err e_ = {0};                        \
		if ((call) < 0)                             \
			fail_msg("%s: %s", #call, e_.text); \
	} while (0)

/* ---- files -------------------------------------------------------------------- */

struct scratch_path {
	char s[512];
};

/* A path below the scratch directory; the store's root is "store". */
static inline struct scratch_path scratch_path(const struct scratch *s, const char *below)
{
	struct scratch_path p;

	snprintf(p.s, sizeof p.s, "%s/%s", s->dir, below);
	return p;
}

static inline bool scratch_exists(const struct scratch *s, const char *below)
{
	struct stat st;

	return lstat(scratch_path(s, below).s, &st) == 0;
}

static inline void scratch_write(const struct scratch *s, const char *below,
				 struct str text)
{
	int fd = open(scratch_path(s, below).s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	close(fd);
}

/* Appends the file to `out`. */
static inline void scratch_read(const struct scratch *s, const char *below,
				struct buf *out)
{
	int fd = open(scratch_path(s, below).s, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);

	char *to = buf_reserve(out, (size_t)st.st_size);

	assert_non_null(to);
	assert_int_equal(read(fd, to, (size_t)st.st_size), st.st_size);
	buf_used(out, (size_t)st.st_size);
	close(fd);
}

/* Damages one octet of a file: its lowest bit. */
static inline void scratch_flip(const struct scratch *s, const char *below, size_t at)
{
	int fd = open(scratch_path(s, below).s, O_RDWR | O_CLOEXEC);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

/* "store/<tree>/ab/cd/<name>[/<leaf>]", for the calls above */
static inline struct scratch_path scratch_place(const char *tree, const char *name,
						const char *leaf)
{
	struct scratch_path p;
	struct place place;
	struct name n;

	assert_true(name_read(str_of(name), &n));
	name_place(tree, &n, leaf, &place);
	snprintf(p.s, sizeof p.s, "store/%s", place.path);
	return p;
}

/*
 * scratch_small_disk - a file system of `size` (as "64k") at a directory that is there
 *
 * In a mount namespace of this process's own, so that it is gone with it.  False, with
 * a line that says so, where that needs to be root.
 */
static inline bool scratch_small_disk(const struct scratch *s, const char *below,
				      const char *size)
{
	char options[32];

	snprintf(options, sizeof options, "size=%s", size);
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", scratch_path(s, below).s, "tmpfs", 0, options) == 0)
		return true;
	print_message("# skipped: no small file system without root (%s)\n",
		      strerror(errno));
	return false;
}

/* Takes a file of an account away: its "maildrop", its "profile". */
static inline void scratch_lose(const struct scratch *s, const char *name,
				const char *leaf)
{
	struct scratch_path at = scratch_place("accounts", name, leaf);

	assert_int_equal(unlink(scratch_path(s, at.s).s), 0);
}

/* ---- the store ------------------------------------------------------------------ */

static inline void scratch_domain(struct scratch *s, const char *name,
				  const char *alias_of)
{
	struct domain d = {0};

	scratch_ok(name_domain(str_of(name), &d.name, &e_));
	if (alias_of != NULL)
		scratch_ok(name_domain(str_of(alias_of), &d.alias_of, &e_));
	scratch_ok(domain_add(s->store, &d, &e_));
}

/* Writes the configuration and reads it.  `store` stands in that section, `rest` behind
 * it; %s in `store` is the scratch directory. */
static inline void scratch_configure(struct scratch *s, const char *store,
				     const char *rest)
{
	const char *at;
	struct buf conf;

	buf_init(&conf, 4096);
	/* /tmp is in memory on some machines, and anything at all on others. */
	buf_printf(&conf, "store { root = \"%s/store\" trust_file_system = true ",
		   s->dir);
	while ((at = strstr(store, "%s")) != NULL) {
		buf_put(&conf, (struct str){store, (size_t)(at - store)});
		buf_put(&conf, str_of(s->dir));
		store = at + 2;
	}
	buf_printf(&conf, "%s }\n%s\n", store, rest);
	scratch_write(s, "popstore.conf", buf_str(&conf));
	buf_fini(&conf);
	settings_free(&s->set);
	scratch_ok(settings_read(scratch_path(s, "popstore.conf").s, &s->set, &e_));
}

/* A directory and the settings, no store yet. */
static inline void scratch_settings(struct scratch *s, const char *store,
				    const char *rest)
{
	const char *tmp = getenv("TMPDIR");

	*s = (struct scratch){0};
	snprintf(s->dir, sizeof s->dir, "%s/popstore-unit-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(s->dir));
	scratch_configure(s, store, rest);
}

static inline void scratch_begin_with(struct scratch *s, const char *store,
				      const char *rest)
{
	scratch_settings(s, store, rest);
	scratch_ok(store_init(s->set, &e_));
	scratch_ok(store_open(s->set, &s->store, &e_));
	scratch_domain(s, "example.org", NULL);
	scratch_domain(s, "example.net", "example.org");
}

static inline int scratch_remove(const char *path, const struct stat *st UNUSED,
				 int type UNUSED, struct FTW *where UNUSED)
{
	return remove(path);
}

static inline void scratch_end(struct scratch *s)
{
	store_close(&s->store);
	settings_free(&s->set);
	assert_int_equal(nftw(s->dir, scratch_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* For tests whose state is a scratch store and nothing else. */
static inline int scratch_start(void **state)
{
	*state = xalloc(sizeof(struct scratch));
	scratch_begin_with(*state, "", "");
	return 0;
}

static inline int scratch_stop(void **state)
{
	scratch_end(*state);
	xfree(state);
	return 0;
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_start, scratch_stop)

/*
 * scratch_die - a process opens the store, does something, and dies of kill -9
 *
 * What it wrote stays, its leases end, nothing is tidied up.  The parent must not
 * have the store's leases itself: children inherit those.
 */
static inline void scratch_die(struct scratch *s,
			       void (*something)(struct scratch *s, void *ctx), void *ctx)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		s->store = NULL;
		scratch_ok(store_open(s->set, &s->store, &e_));
		something(s, ctx);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Makes a dead writer's record one of a mount that is gone, which is what a power cut
 * does. */
static inline void scratch_forget_mount(const struct scratch *s)
{
	struct record_writer w;
	struct buf text_of, checkpoint, until;
	char path[64];

	for (unsigned n = 0; n < 8; n++) {
		snprintf(path, sizeof path, "store/writers/%u", n);
		if (!scratch_exists(s, path))
			continue;
		buf_init(&text_of, 4096);
		buf_init(&checkpoint, 32);
		buf_init(&until, 32);
		scratch_read(s, path, &text_of);
		assert_true(record_get(buf_str(&text_of), "checkpoint", &checkpoint));
		assert_true(record_get(buf_str(&text_of), "until", &until));
		if (strstr(buf_cstr(&text_of), "state open") != NULL) {
			record_begin(&w, "popstore-writer");
			record_put(&w, "state", STR("open"));
			record_put(&w, "checkpoint", buf_str(&checkpoint));
			record_put(&w, "until", buf_str(&until));
			record_put(&w, "mount", STR(""));
			scratch_write(s, path, record_finish(&w));
			record_fini(&w);
		}
		buf_fini(&text_of);
		buf_fini(&checkpoint);
		buf_fini(&until);
	}
}

/* ---- names and accounts ----------------------------------------------------------- */

static inline struct name scratch_name(struct scratch *s, const char *name)
{
	struct name n;

	scratch_ok(name_parse(s->set, str_of(name), &n, &e_));
	return n;
}

static inline struct account scratch_account(struct scratch *s, const char *name)
{
	struct name n = scratch_name(s, name);
	struct account a;

	scratch_ok(account_template(s->store, &n, &a, &e_));
	scratch_ok(account_create(s->store, &a, true, &e_));
	return a;
}

/* ---- mail --------------------------------------------------------------------------- */

/* Delivers `text` (stored form, with its end) to n accounts, and returns its id.  The
 * delivery is left for delivery_result() where `out` is not NULL. */
static inline uint64_t scratch_deliver_to(struct scratch *s, const struct account *a,
					  size_t n, const char *text,
					  struct delivery **out)
{
	struct delivery *d =
		delivery_begin(s->store, STR("sender@example.com"), STR("unit"));
	struct delivery_totals totals;
	struct dotstream ds;
	uint64_t id;

	dotstream_init(&ds);
	assert_int_equal(dotstream_feed(&ds, str_of(text)), strlen(text));
	assert_true(ds.ended);
	totals = (struct delivery_totals){ds.size, ds.header_end};
	for (size_t i = 0; i < n; i++)
		delivery_rcpt(d, &a[i], STR(""));
	scratch_ok(delivery_open(d, &e_));
	scratch_ok(delivery_write(d, str_of(text), &e_));
	scratch_ok(delivery_commit(d, &totals, &e_));
	id = delivery_id(d);
	if (out != NULL)
		*out = d;
	else
		delivery_end(&d);
	return id;
}

static inline uint64_t scratch_deliver(struct scratch *s, const struct account *a,
				       const char *text)
{
	struct delivery *d;
	struct err why;
	uint64_t id = scratch_deliver_to(s, a, 1, text, &d);

	assert_int_equal(delivery_result(d, 0, &why), VERDICT_OK);
	delivery_end(&d);
	return id;
}

/* "store/messages/...", for the file calls above */
static inline struct scratch_path scratch_message(uint64_t id)
{
	struct scratch_path p;

	snprintf(p.s, sizeof p.s, "store/%s", message_path(id).s);
	return p;
}

static inline size_t scratch_count(struct scratch *s, const struct account *a)
{
	struct account_usage use;

	scratch_ok(account_usage(s->store, a, &use, &e_));
	return use.messages;
}

/* ---- check -------------------------------------------------------------------- */

static inline void scratch_found(const struct check_finding *f, void *ctx)
{
	struct check_finding *last = ctx;

	*last = *f;
}

/* *last: the last finding, or zeros */
static inline struct check_result scratch_check(struct scratch *s, bool repair,
						struct check_finding *last)
{
	struct check_options o = {
		.repair = repair, .finding = scratch_found, .ctx = last};
	struct check_result r;

	*last = (struct check_finding){0};
	scratch_ok(check_run(s->store, &o, &r, &e_));
	return r;
}

#endif
