/* SPDX-License-Identifier: ISC */
#include "ctl/status.h"

#include "ctl/print.h"
#include "lib/conn.h"
#include "store/record.h"
#include "store/standing.h"
#include "store/storage.h"
#include "store/store.h"
#include "store/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

enum {
	ATTENTION_MAX = 1 << 20,
	/* popstored recovers every minute, so what waits longer waits for somebody. */
	RECOVERY_MS = 3 * 60 * 1000,
};

void status_attend(struct status *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(&s->attention, "%s\n", text);
}

/* ---- services: what popstored wrote (dispatch/roster.h) ----------------------------- */

static const struct column service_columns[] = {
	/* clang-format off */
	{"service",  "SERVICE",  CELL_TEXT},
	{"state",    "STATE",    CELL_TEXT},
	{"pid",      "PID",      CELL_COUNT},
	{"since",    "SINCE",    CELL_TIME},
	{"restarts", "RESTARTS", CELL_COUNT},
	/* clang-format on */
};

static uint64_t number(struct str *rest)
{
	struct str word = str_cut(rest, ' ');
	uint64_t u = 0;

	return str_u64(word, &u) ? u : 0;
}

/* add_worker - "lmtp ready 1234 1795292012345 0" */
static void add_worker(struct status *s, struct str value)
{
	struct str service = str_cut(&value, ' '), state = str_cut(&value, ' ');

	table_text(s->t, service);
	table_text(s->t, state);
	uint64_t pid = number(&value);

	table_number(s->t, pid);
	table_number(s->t, number(&value));
	table_number(s->t, number(&value));
	status_process(s, service, pid, value);
	if (str_eq(state, STR("down")))
		status_attend(s,
			      "a process of " STR_FMT
			      " has ended, and waits to be started again",
			      STR_ARG(service));
}

static void add_services(struct status *s, struct str record, bool held)
{
	struct str rest = record, key, value;
	struct buf state;
	uint64_t u = 0;

	buf_init(&state, 32);
	if (!record_get(record, "state", &state))
		buf_put(&state, STR("unknown"));
	table_text(s->t, STR("popstored"));
	table_text(s->t, held ? buf_str(&state) : STR("gone"));
	record_get_u64(record, "pid", &u);
	table_number(s->t, u);
	if (held)
		status_process(s, STR("popstored"), u, STR(""));
	record_get_u64(record, "since", &u);
	table_number(s->t, u);
	table_number(s->t, 0);
	buf_fini(&state);
	if (!held)
		status_attend(s, "popstored is gone, and has not ended as it should");
	while (held && record_next(&rest, &key, &value))
		if (str_eq(key, STR("worker")))
			add_worker(s, value);
}

/* read_roster - popstored may be writing it: then it is whole a moment later.  Else a power
 * cut has left it so, and it says nothing */
static int read_roster(struct storage *root, struct buf *text, bool *found, struct err *e)
{
	struct err why;

	for (int tries = 0; tries < 20; tries++) {
		buf_clear(text);
		if (storage_read(root, "services", text, found, e) < 0)
			return -1;
		if (!*found || record_check(buf_str(text), "popstore-services",
					    "services", &why) == 0)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	buf_clear(text);
	return 0;
}

/* is_alive - popstored holds what it wrote.  *found is false if it removed it just now, at
 * its end: then asking has made a new one */
static int is_alive(struct storage *root, bool *alive, bool *found, struct err *e)
{
	struct storage_lease *lease;
	int rc = storage_lease_take(root, "services", &lease, e);

	*alive = rc == 0 && lease == NULL;
	if (lease != NULL && storage_lease_time_ms(lease) == 0) {
		*found = false;
		rc = storage_remove(root, "services", 0, e);
	}
	storage_lease_drop(&lease);
	return rc;
}

static int services(struct status *s, struct err *e)
{
	struct storage *root = store_root(s->c->store);
	bool found, alive = false;
	struct buf text;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = read_roster(root, &text, &found, e);
	if (rc == 0 && found)
		rc = is_alive(root, &alive, &found, e);
	if (rc == 0 && found)
		add_services(s, buf_str(&text), alive);
	buf_fini(&text);
	return rc;
}

/* ---- volumes ------------------------------------------------------------------------- */

static const struct column volume_columns[] = {
	/* clang-format off */
	{"volume",       "VOLUME", CELL_TEXT},
	{"state",        "STATE",  CELL_TEXT},
	{"mail",         "MAIL",   CELL_BOOL},
	{"free",         "FREE",   CELL_SIZE},
	{"free_objects", NULL,     CELL_QUOTA},
	{"since",        NULL,     CELL_TIME},
	{"path",         "PATH",   CELL_TEXT},
	{"why",          NULL,     CELL_TEXT},
	/* clang-format on */
};

static void attend_volume(struct status *s, const struct standing_report *r)
{
	struct buf since;

	if (r->standing != STANDING_STOPPED) {
		status_attend(s, "%s %s", r->path, r->why);
		return;
	}
	buf_init(&since, 64);
	print_time(&since, r->since_ms);
	status_attend(
		s,
		"%s takes no mail since %s: %s. Unmount it, check its disk, mount it, and "
		"restart popstored",
		r->path, buf_cstr(&since), r->why);
	buf_fini(&since);
}

static void attend_trees(struct status *s)
{
	struct err why;

	for (const char *const *tree = store_trees; *tree != NULL; tree++)
		if (store_has_tree(s->c->store, *tree, &why) < 0)
			status_attend(s, "%s", why.text);
}

static int volumes(struct status *s, struct err *e UNUSED)
{
	for (size_t i = 0; i < store_standings(s->c->store); i++) {
		struct standing_report r;

		store_standing(s->c->store, i, &r);
		table_text(s->t, str_of(r.name));
		table_text(s->t, str_of(r.word));
		table_number(s->t, r.mail);
		table_number(s->t, r.space.octets);
		table_number(s->t, r.space.objects);
		table_number(s->t, r.since_ms);
		table_text(s->t, str_of(r.path));
		table_text(s->t, str_of(r.why));
		if (r.standing != STANDING_OK)
			attend_volume(s, &r);
		if (r.aside > 0)
			status_attend(s,
				      "%s/damaged has files that are no whole messages "
				      "(%llu): 'popstore check' says whose they are; "
				      "remove them when you have looked at them",
				      r.path, (unsigned long long)r.aside);
	}
	attend_trees(s);
	return 0;
}

/* ---- writers --------------------------------------------------------------------------- */

static const struct column writer_columns[] = {
	/* clang-format off */
	{"writer",     "WRITER",     CELL_COUNT},
	{"state",      "STATE",      CELL_TEXT},
	{"checkpoint", "CHECKPOINT", CELL_TIME},
	/* clang-format on */
};

static void add_writer(const struct writer_state *w, bool held,
		       const struct err *why UNUSED, void *ctx)
{
	struct status *s = ctx;

	table_number(s->t, w->number);
	table_text(s->t, held ? STR("working") : STR("dead"));
	table_number(s->t, w->checkpoint_ms);
	if (!held && clock_unix_ms() > w->until_ms + RECOVERY_MS)
		status_attend(
			s,
			"writer %u has not ended as it should, and is not recovered: see "
			"`popstore recover`",
			(unsigned)w->number);
}

static int writers(struct status *s, struct err *e)
{
	return writer_each_open(store_root(s->c->store), add_writer, s, e);
}

/* ---- all of it --------------------------------------------------------------------------- */

static const struct section {
	const char *key;
	const struct column *columns;
	size_t n;
	int (*fill)(struct status *s, struct err *e);
	bool asked_for; /* with --privileges */
} sections[] = {
	/* clang-format off */
	{"services", service_columns, countof(service_columns), services, false},
	{"privileges", status_privilege_columns, STATUS_PRIVILEGE_COLUMNS, status_privileges,
	 true},
	{"logins",   status_login_columns, STATUS_LOGIN_COLUMNS, status_logins, false},
	{"volumes",  volume_columns,  countof(volume_columns),  volumes, false},
	{"writers",  writer_columns,  countof(writer_columns),  writers, false},
	{"checks",   status_check_columns, STATUS_CHECK_COLUMNS, status_checks, false},
	/* clang-format on */
};

static int print_section(struct status *s, const struct section *x, struct err *e)
{
	bool json = ctl_has(s->c, OPT_JSON);
	int rc;

	if (x->asked_for && !ctl_has(s->c, OPT_PRIVILEGES))
		return 0;

	s->t = table_new(x->columns, x->n);
	rc = x->fill(s, e);
	if (rc == 0 && json)
		printf("\"%s\": ", x->key);
	if (rc == 0)
		table_print(s->t, TABLE_ROWS, json, stdout);
	if (rc == 0 && (json || table_rows(s->t) > 0))
		puts(json ? "," : "");
	table_free(&s->t);
	return rc;
}

static void print_attention(const struct status *s)
{
	struct str rest = buf_str(&s->attention);
	const char *sep = "";

	if (ctl_has(s->c, OPT_JSON)) {
		fputs("\"attention\": [", stdout);
		for (; rest.n > 0; sep = ", ") {
			json_t *text = print_json_text(str_cut(&rest, '\n'));

			fputs(sep, stdout);
			json_dumpf(text, stdout, JSON_ENCODE_ANY);
			json_decref(text);
		}
		fputs("]}\n", stdout);
		return;
	}
	if (rest.n == 0)
		puts("all is well");
	while (rest.n > 0) {
		fputs("attention: ", stdout);
		print_visible_to(stdout, str_cut(&rest, '\n'));
		putchar('\n');
	}
}

int verb_status(struct ctl *c, struct err *e)
{
	struct status s = {.c = c};
	int rc = 0;

	buf_init(&s.attention, ATTENTION_MAX);
	buf_init(&s.processes, RECORD_MAX);
	if (ctl_has(c, OPT_JSON))
		fputs("{", stdout);
	for (size_t i = 0; rc == 0 && i < countof(sections); i++)
		rc = print_section(&s, &sections[i], e);
	if (rc == 0)
		print_attention(&s);
	if (s.attention.n > 0)
		c->status = EX_UNAVAILABLE;
	buf_fini(&s.attention);
	buf_fini(&s.processes);
	return rc;
}
