/* SPDX-License-Identifier: ISC */
#include "ctl/add_from.h"

#include "auth/scheme.h"
#include "auth/secret.h"
#include "ctl/accounts.h"
#include "ctl/input.h"
#include "ctl/print.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

/* One line on its way to an account. */
struct candidate {
	uint64_t number; /* of the line */
	char name[NAME_OCTETS + 1];
	char password[SCHEME_TEXT_MAX + 1]; /* or its hash */
	struct secret_prepared secret;
	bool refused;
	struct err why;
};

struct adding {
	struct ctl *c;
	struct input in;
	struct candidate *batch; /* ADD_BATCH of them */
	size_t n;
	pthread_mutex_t lock;
	size_t next; /* to be hashed; under the lock */
	uint64_t added, refused;
	json_t *errors;
};

/* ---- lines ------------------------------------------------------------------------------ */

static void keep(struct str s, char *out)
{
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

/* take_line - *ca says what is to be made, or why not */
static void take_line(struct candidate *ca, struct str line, bool hashes)
{
	size_t max = hashes ? SCHEME_TEXT_MAX : PASSWORD_MAX;
	struct str password = line;
	struct str name = str_cut(&password, '\t');

	ca->refused = true;
	if (name.n == line.n)
		err_set(&ca->why, ERR_PERM, "5.5.2", "there is no TAB after the name");
	else if (memchr(line.p, '\0', line.n) != NULL)
		err_set(&ca->why, ERR_PERM, "5.5.2", "the line holds a NUL octet");
	else if (name.n >= sizeof ca->name)
		err_set(&ca->why, ERR_PERM, "5.1.3", "the name is too long");
	else if (password.n > max)
		err_set(&ca->why, ERR_PERM, "5.7.0", "the %s is longer than %zu octets",
			hashes ? "hash" : "password", max);
	else
		ca->refused = false;
	if (!ca->refused) {
		keep(name, ca->name);
		keep(password, ca->password);
	}
}

/* fill - the next batch; *end after the last one */
static int fill(struct adding *ad, bool *end, struct err *e)
{
	struct str line;

	for (ad->n = 0; ad->n < ADD_BATCH;) {
		struct candidate *ca = &ad->batch[ad->n];
		enum input_result r = input_next(&ad->in, &line, e);

		if (r == INPUT_FAILED)
			return -1;
		*end = r == INPUT_END;
		if (*end)
			return 0;
		if (r == INPUT_LINE && line.n == 0)
			continue;
		*ca = (struct candidate){.number = ad->in.number};
		ad->n++;
		if (r == INPUT_LINE) {
			take_line(ca, line, ctl_has(ad->c, OPT_HASHES));
			continue;
		}
		ca->refused = true;
		err_set(&ca->why, ERR_PERM, "5.5.2", "the line is longer than %d octets",
			INPUT_LINE_MAX);
	}
	return 0;
}

/* ---- hashing, on all cores -------------------------------------------------------------- */

/* next_candidate - NULL when all are taken */
static struct candidate *next_candidate(struct adding *ad)
{
	struct candidate *ca = NULL;

	must(pthread_mutex_lock(&ad->lock) == 0);
	while (ad->next < ad->n && ca == NULL) {
		ca = &ad->batch[ad->next++];
		if (ca->refused)
			ca = NULL;
	}
	must(pthread_mutex_unlock(&ad->lock) == 0);
	return ca;
}

static void hash_one(const struct adding *ad, struct candidate *ca)
{
	bool hashes = ctl_has(ad->c, OPT_HASHES);

	/* Of an account whose password is kept elsewhere; make_account() knows. */
	if (ca->password[0] != '\0')
		ca->refused = (hashes ? secret_prepare_hash : secret_prepare)(
				      ad->c->settings, str_of(ca->password), &ca->secret,
				      &ca->why) < 0;
	explicit_bzero(ca->password, sizeof ca->password);
}

static void *hash_some(void *arg)
{
	struct adding *ad = arg;
	struct candidate *ca;

	while ((ca = next_candidate(ad)) != NULL)
		hash_one(ad, ca);
	return NULL;
}

/* hash_batch - this thread works too, and it alone draws: a machine that lends no
 * other thread is slow, not wrong */
static void hash_batch(struct adding *ad)
{
	pthread_t threads[THREADS_MAX];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct candidate *ca;
	size_t n = 0;

	ad->next = 0;
	while (n < THREADS_MAX && (long)n + 1 < cores &&
	       pthread_create(&threads[n], NULL, hash_some, ad) == 0)
		n++;
	while ((ca = next_candidate(ad)) != NULL) {
		hash_one(ad, ca);
		progress_to(&ad->c->progress, ca->number);
	}
	while (n > 0)
		must(pthread_join(threads[--n], NULL) == 0);
}

/* ---- making, in order -------------------------------------------------------------------- */

static int make_account(struct ctl *c, const struct candidate *ca, struct err *e)
{
	struct account a;

	if (accounts_new(c, str_of(ca->name), &a, e) < 0)
		return -1;
	if (ca->secret.hash[0] == '\0' && !(a.flags & ACCOUNT_PWD_ELSEWHERE))
		return err_set(e, ERR_PERM, "5.7.0", "the %s is empty",
			       ctl_has(c, OPT_HASHES) ? "hash" : "password");
	return accounts_create(c, &a, &ca->secret, true, e);
}

static void report(struct adding *ad, struct candidate *ca)
{
	struct ctl *c = ad->c;

	ad->refused++;
	if (ctl_has(c, OPT_JSON))
		json_array_append_new(
			ad->errors,
			json_pack("{s:I, s:o, s:o}", "line", (json_int_t)ca->number,
				  "name", print_json_text(str_of(ca->name)), "error",
				  print_json_text(str_of(ca->why.text))));
	err_add(&ca->why, "line %llu", (unsigned long long)ca->number);
	ctl_complain(c, &ca->why);
}

/* make_batch - goes on after a line that is wrong, and stops where the store is:
 * what is the matter with it would be told of every line that follows */
static int make_batch(struct adding *ad, struct err *e)
{
	bool stopped = false;

	for (size_t i = 0; i < ad->n && !stopped; i++) {
		struct candidate *ca = &ad->batch[i];

		if (!ca->refused)
			ca->refused = make_account(ad->c, ca, &ca->why) < 0;
		stopped = ca->refused && ca->why.class == ERR_TEMP;
		if (stopped)
			*e = ca->why;
		else if (ca->refused)
			report(ad, ca);
		else
			ad->added++;
		secret_prepared_wipe(&ca->secret);
		if (stopped)
			err_add(e, "line %llu and all after it",
				(unsigned long long)ca->number);
	}

	struct err sync;

	if (store_sync_batch(ad->c->store, &sync) == 0)
		return stopped ? -1 : 0;
	*e = sync;
	return -1;
}

static int add_all(struct adding *ad, struct err *e)
{
	bool end = false;

	while (!end) {
		if (fill(ad, &end, e) < 0)
			return -1;
		hash_batch(ad);
		if (make_batch(ad, e) < 0)
			return -1;
		progress_to(&ad->c->progress, ad->in.number);
	}
	return 0;
}

/* count_lines - for the bar; 0 where the input cannot be read twice */
static uint64_t count_lines(int fd)
{
	char piece[4096];
	uint64_t lines = 0;
	ssize_t n;

	for (off_t at = 0; (n = pread(fd, piece, sizeof piece, at)) > 0; at += n)
		for (ssize_t i = 0; i < n; i++)
			lines += piece[i] == '\n';
	explicit_bzero(piece, sizeof piece);
	return lines;
}

static void print_totals(struct adding *ad)
{
	if (ctl_has(ad->c, OPT_JSON)) {
		print_json(json_pack("{s:I, s:I, s:O}", "added", (json_int_t)ad->added,
				     "refused", (json_int_t)ad->refused, "errors",
				     ad->errors),
			   stdout);
		return;
	}
	printf("%llu added, %llu refused\n", (unsigned long long)ad->added,
	       (unsigned long long)ad->refused);
}

int add_from(struct ctl *c, struct err *e)
{
	struct adding ad = {.c = c, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct account probe = {0};

	if (accounts_apply(c, &probe, e) < 0) /* a bad switch is no fault of the lines */
		return -1;
	ad.batch = xalloc(ADD_BATCH * sizeof *ad.batch);
	ad.errors = json_array();
	input_init(&ad.in, c->from);
	progress_begin(&c->progress, STDERR_FILENO, "adding accounts",
		       isatty(STDERR_FILENO) ? count_lines(c->from) : 0);

	int rc = add_all(&ad, e);

	progress_end(&c->progress);
	print_totals(&ad);
	explicit_bzero(ad.batch, ADD_BATCH * sizeof *ad.batch);
	xfree(&ad.batch);
	json_decref(ad.errors);
	input_fini(&ad.in);
	return rc;
}
