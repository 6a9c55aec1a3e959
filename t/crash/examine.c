/* SPDX-License-Identifier: ISC */
/*
 * examine - recovers, checks and prints thousands of stores, in one process
 *
 *   examine popstore.conf FOLDER     the store and its volumes lie in FOLDER
 *
 * Reads commands, a line each, and answers those of `look` only:
 *
 *   clear              empties FOLDER
 *   blob ID N          N octets follow, which later files have
 *   dir PATH           makes a directory in FOLDER
 *   file PATH ID       makes a file of that blob
 *   forget             the blobs
 *   look [recover] [repair]
 *
 * `look` opens the store, recovers it, and prints what is in it, as far as anybody was
 * promised it:
 *
 *   domain NAME ALIAS-OF         account NAME UID FLAGS QUOTA OVERDRAFT
 *   secret NAME UID HASH         message NAME ID SIZE STORED SUM
 *   forwarding NAME TO...        trouble TEXT: what could not be read
 *   recovered WRITERS MESSAGES ADDED REMOVED DAMAGED FAILED
 *   finding INVARIANT TEXT       of a check before the repair
 *   left INVARIANT TEXT          of a check after it
 *   changed                      the repair changed what is printed above
 *   end
 *
 * For t/crash/states.py, which builds the folders and judges what is printed.
 */
#include "auth/secret.h"
#include "store/account.h"
#include "store/check.h"
#include "store/domain.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

#include "mail/address.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 16 << 20, LINE_MAX_OCTETS = 4096, BLOBS_MAX = 1 << 20 };

struct blob {
	char *p;
	size_t n;
};

static struct blob *blobs; /* by their id */
static size_t n_blobs;

static void die(const char *what)
{
	fprintf(stderr, "examine: %s: %s\n", what, strerror(errno));
	exit(70);
}

/* ---- building a folder ---------------------------------------------------------- */

static int remove_below(const char *path, const struct stat *st UNUSED, int type UNUSED,
			struct FTW *where)
{
	return where->level == 0 ? 0 : remove(path);
}

static void take_blob(const char *id, const char *octets)
{
	size_t at = strtoul(id, NULL, 10), n = strtoul(octets, NULL, 10);

	must(at < BLOBS_MAX);
	if (at >= n_blobs) {
		size_t room = at * 2 + 64;

		blobs = xgrow(blobs, n_blobs * sizeof *blobs, room * sizeof *blobs);
		n_blobs = room;
	}
	xfree(&blobs[at].p);
	blobs[at] = (struct blob){xalloc(n + 1), n};
	if (fread(blobs[at].p, 1, n, stdin) != n)
		die("a blob is cut short");
}

static void forget_blobs(void)
{
	for (size_t i = 0; i < n_blobs; i++)
		xfree(&blobs[i].p);
	xfree(&blobs);
	n_blobs = 0;
}

static void make_file(const char *path, const char *id)
{
	const struct blob *b = &blobs[strtoul(id, NULL, 10)];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, b->p, b->n) != (ssize_t)b->n || close(fd) < 0)
		die(path);
}

/* ---- what is in the store --------------------------------------------------------- */

struct look {
	struct store *s;
	struct buf *out;
	const char *finding; /* the word for one */
	size_t findings;
};

static void trouble(struct look *l, const char *what, const struct err *e)
{
	buf_printf(l->out, "trouble %s %s\n", what, e->text);
}

static bool see_domain(const struct domain *d, void *ctx)
{
	struct look *l = ctx;

	buf_printf(l->out, "domain %s %s\n", d->name.s,
		   d->alias_of.s[0] ? d->alias_of.s : "-");
	return true;
}

static bool see_forwarding(const struct forwarding *f, void *ctx)
{
	struct look *l = ctx;

	buf_printf(l->out, "forwarding %s", f->name.s);
	for (size_t i = 0; i < f->n; i++) {
		buf_putc(l->out, ' ');
		address_print(l->out, &f->targets[i]);
	}
	buf_putc(l->out, '\n');
	return true;
}

static void see_secret(struct look *l, const struct account *a)
{
	struct place place;
	struct buf text, uid, hash;
	struct err e;
	bool found;

	name_place("secrets", &a->name, NULL, &place);
	buf_init(&text, RECORD_MAX);
	buf_init(&uid, 64);
	buf_init(&hash, SECRET_HASH_MAX);
	if (storage_read(store_root(l->s), place.path, &text, &found, &e) < 0 ||
	    (found &&
	     record_check(buf_str(&text), "popstore-secret", place.path, &e) < 0)) {
		trouble(l, a->name.s, &e);
	} else if (found) {
		record_get(buf_str(&text), "uid", &uid);
		record_get(buf_str(&text), "hash", &hash);
		buf_printf(l->out, "secret %s %s %s\n", a->name.s, buf_cstr(&uid),
			   buf_cstr(&hash));
	}
	buf_fini(&text);
	buf_fini(&uid);
	buf_fini(&hash);
}

static void see_message(struct look *l, const struct account *a,
			const struct maildrop_entry *en)
{
	struct message *m;
	struct err e;

	if (message_open(l->s, en->volume, en->id, &m, &e) < 0 ||
	    (m != NULL && message_verify(m, &e) < 0))
		trouble(l, id_print(en->id).c, &e);
	else if (m == NULL)
		buf_printf(l->out, "trouble %s %s has it, and there is no file\n",
			   id_print(en->id).c, a->name.s);
	else
		buf_printf(l->out,
			   "message %s %s %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n",
			   a->name.s, id_print(en->id).c, en->size, en->stored,
			   message_info(m)->sum);
	message_close(&m);
}

static bool see_account(const struct account *a, void *ctx)
{
	struct look *l = ctx;
	struct maildrop *m;
	struct err e;

	if (account_is_template(a)) /* a domain may lack it, see store/domain.h */
		return true;
	buf_printf(l->out, "account %s %s %u %" PRIu64 " %" PRIu64 "\n", a->name.s,
		   id_print(a->uid).c, a->flags, a->quota, a->overdraft);
	see_secret(l, a);
	if (maildrop_look(l->s, a, &m, &e) < 0) {
		trouble(l, a->name.s, &e);
		return true;
	}
	for (size_t i = 0; i < maildrop_count(m); i++)
		see_message(l, a, maildrop_entry(m, i));
	maildrop_close(&m);
	return true;
}

static bool bad_account(const struct name *n, const struct err *why, void *ctx)
{
	trouble(ctx, n->s, why);
	return true;
}

static void see_all(struct look *l)
{
	struct err e;

	if (domain_each(l->s, see_domain, l, &e) < 0)
		trouble(l, "domains", &e);
	if (account_walk(l->s, STR("*"), see_account, bad_account, l, &e) < 0)
		trouble(l, "accounts", &e);
	if (forwarding_each(l->s, STR("*"), see_forwarding, l, &e) < 0)
		trouble(l, "forwardings", &e);
}

/* ---- recovery and check ------------------------------------------------------------- */

static void recover(struct look *l)
{
	struct store_recovery r;
	struct err e;

	if (store_recover(l->s, &r, &e) < 0) {
		trouble(l, "recover", &e);
		return;
	}
	buf_printf(l->out,
		   "recovered %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		   " %" PRIu64 "\n",
		   r.writers, r.messages, r.added, r.removed, r.damaged, r.failed);
	if (r.failed > 0)
		trouble(l, "recovery", &r.why);
}

static void see_finding(const struct check_finding *f, void *ctx)
{
	struct look *l = ctx;

	l->findings++;
	buf_printf(l->out, "%s %s %s\n", l->finding, f->invariant, f->what);
}

static void check(struct look *l, bool repair, bool tell)
{
	struct check_options o = {
		.repair = repair, .finding = tell ? see_finding : NULL, .ctx = l};
	struct check_result r;
	struct err e;

	if (check_run(l->s, &o, &r, &e) < 0)
		trouble(l, "check", &e);
}

/* repair - what it mends must not change what anybody was promised */
static void repair(struct look *l)
{
	struct buf before, after, *out = l->out;

	buf_init(&before, TEXT_MAX);
	buf_init(&after, TEXT_MAX);
	l->out = &before;
	see_all(l);
	l->out = out;
	check(l, true, false);
	l->out = &after;
	see_all(l);
	l->out = out;
	if (!str_eq(buf_str(&before), buf_str(&after)))
		buf_printf(out, "changed\n%s", buf_cstr(&after));
	l->finding = "left";
	check(l, false, true);
	buf_fini(&before);
	buf_fini(&after);
}

static void look_at(const struct settings *set, const char *how)
{
	struct buf out;
	struct look l = {.out = &out, .finding = "finding"};
	struct err e;

	buf_init(&out, TEXT_MAX);
	if (store_open(set, &l.s, &e) < 0) {
		trouble(&l, "open", &e);
	} else {
		if (strstr(how, "recover") != NULL)
			recover(&l);
		see_all(&l);
		check(&l, false, true);
		if (strstr(how, "repair") != NULL && l.findings > 0)
			repair(&l);
		store_close(&l.s);
	}
	must(!buf_over(&out));
	fputs(buf_cstr(&out), stdout);
	puts("end");
	fflush(stdout);
	buf_fini(&out);
}

/* ---- commands -------------------------------------------------------------------------- */

static void obey(const struct settings *set, char *line)
{
	char *rest = line, *verb = strsep(&rest, " "), *first, *second;

	if (strcmp(verb, "look") == 0) {
		look_at(set, rest ? rest : "");
		return;
	}
	first = strsep(&rest, " ");
	second = strsep(&rest, " ");
	if (strcmp(verb, "clear") == 0) {
		if (nftw(".", remove_below, 8, FTW_DEPTH | FTW_PHYS) < 0)
			die("clear");
	} else if (strcmp(verb, "forget") == 0) {
		forget_blobs();
	} else if (strcmp(verb, "dir") == 0 && first != NULL) {
		if (mkdir(first, 0700) < 0)
			die(first);
	} else if (strcmp(verb, "blob") == 0 && second != NULL) {
		take_blob(first, second);
	} else if (strcmp(verb, "file") == 0 && second != NULL) {
		make_file(first, second);
	} else {
		errno = EINVAL;
		die(verb);
	}
}

int main(int argc, char **argv)
{
	char line[LINE_MAX_OCTETS];
	struct settings *set;
	struct err e;

	if (argc != 3) {
		fputs("usage: examine popstore.conf FOLDER\n", stderr);
		return 64;
	}
	if (settings_read(argv[1], &set, &e) < 0) {
		fprintf(stderr, "examine: %s\n", e.text);
		return 78;
	}
	if (chdir(argv[2]) < 0)
		die(argv[2]);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		obey(set, line);
	}
	forget_blobs();
	settings_free(&set);
	return 0;
}
