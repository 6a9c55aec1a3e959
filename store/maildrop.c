/* SPDX-License-Identifier: ISC */
#include "store/maildrop.h"

#include "lib/conn.h"
#include "store/maildrop_int.h"
#include "store/id.h"
#include "store/idmap.h"
#include "store/record.h"
#include "store/store_int.h"

#include <errno.h>
#include <string.h>

enum {
	COMPACT_OCTETS = 8192, /* files below this are not worth rewriting */
};

struct maildrop {
	struct store *s;
	struct account a;
	struct storage_lease *lease; /* NULL: only looking */
	struct buf text;             /* the file as it was at opening */
	struct maildrop_entry *entries;
	size_t n, cap;
	uint64_t *tombstones; /* ids of removed messages that the file still mentions */
	size_t n_tombstones, cap_tombstones;
	struct idmap index; /* id -> entry, of the first `indexed`: most never need it */
	size_t indexed;
	struct buf trace; /* what maildrop_trace() gave last */
	bool rebuilt;     /* lines were lost to damage once, see MAILDROP_REBUILT */
	bool torn;        /* the file ended in a piece of a line */
	bool dropped;     /* lines were overwritten in place: the totals are too high */
};

/* ---- the index of ids ------------------------------------------------------------- */

static struct maildrop_entry *find_entry(struct maildrop *m, uint64_t id)
{
	uint64_t at;

	for (; m->indexed < m->n; m->indexed++)
		idmap_put(&m->index, m->entries[m->indexed].id, m->indexed);
	return idmap_get(&m->index, id, &at) ? &m->entries[at] : NULL;
}

/* ---- reading the file ---------------------------------------------------------------- */

static void add_entry(struct maildrop *m, const struct maildrop_line *l, uint64_t line_at)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 16;

		m->entries = xgrow(m->entries, m->cap * sizeof *m->entries,
				   cap * sizeof *m->entries);
		m->cap = cap;
	}
	m->entries[m->n] = (struct maildrop_entry){
		.id = l->id,
		.size = l->size,
		.stored = l->stored,
		.header_end = l->header_end,
		.volume = l->volume,
		.slot = l->slot,
		.line_at = line_at + l->event_at,
		.trace_n = (uint32_t)l->trace.n,
		.trace_at = l->trace.n ? (uint64_t)(l->trace.p - m->text.p) : 0,
		.removed = l->event == MAILDROP_DROPPED,
	};
	m->n++;
}

static void add_tombstone(struct maildrop *m, uint64_t id)
{
	if (m->n_tombstones == m->cap_tombstones) {
		size_t cap = m->cap_tombstones ? m->cap_tombstones * 2 : 16;

		m->tombstones = xgrow(m->tombstones, m->cap_tombstones * sizeof(uint64_t),
				      cap * sizeof(uint64_t));
		m->cap_tombstones = cap;
	}
	m->tombstones[m->n_tombstones++] = id;
}

/* apply - one line; NULL when it fits what came before, or why it does not */
static const char *apply(struct maildrop *m, const struct maildrop_line *l,
			 uint64_t line_at, const struct maildrop_line *before)
{
	struct maildrop_entry *en = NULL;
	uint64_t count = before->count, octets = before->octets;

	if (l->number != before->number + 1)
		return "a line is missing";
	if (l->event == MAILDROP_READ || l->event == MAILDROP_REMOVED)
		en = find_entry(m, l->id);
	if (l->event == MAILDROP_ADDED || l->event == MAILDROP_DROPPED) {
		add_entry(m, l, line_at);
		count++;
		octets += l->size;
	} else if (l->event == MAILDROP_REMOVED && (en == NULL || en->removed)) {
		/* What compaction keeps of a removed message: it counts no more. */
		add_tombstone(m, l->id);
	} else if (l->event == MAILDROP_REMOVED) {
		en->removed = true;
		add_tombstone(m, l->id);
		count--;
		octets -= en->size;
	} else if (l->event == MAILDROP_REBUILT) {
		m->rebuilt = true;
	} else if (en != NULL) {
		en->read = true;
	}
	if (l->count != count || l->octets != octets)
		return "the totals do not add up";
	return NULL;
}

/* squeeze - drops what was removed; order stays */
static void squeeze(struct maildrop *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (!m->entries[i].removed)
			m->entries[kept++] = m->entries[i];
		else if (m->text.p[m->entries[i].line_at] == MAILDROP_DROPPED) {
			add_tombstone(m, m->entries[i].id);
			m->dropped = true;
		}
	}
	m->n = kept;
	idmap_fini(&m->index);
	m->indexed = 0;
}

static int parse(struct maildrop *m, struct err *e)
{
	struct str rest = buf_str(&m->text);
	struct maildrop_line before = {0}, line;

	/* A torn line at the end was never finished, so nobody was promised it. */
	const char *nl = rest.n ? memrchr(rest.p, '\n', rest.n) : NULL;

	rest.n = nl ? (size_t)(nl - rest.p) + 1 : 0;
	m->torn = rest.n < m->text.n;
	if (maildrop_lf_is_damaged((struct str){rest.p + rest.n, m->text.n - rest.n},
				   &m->a))
		return maildrop_damaged(e, &m->a, before.number,
					"its last line does not end");
	while (rest.n > 0) {
		uint64_t at = (uint64_t)(rest.p - m->text.p);
		bool first = at == 0;
		const char *why;

		if (!maildrop_line_parse(str_cut(&rest, '\n'), m->a.uid, &line))
			return maildrop_damaged(e, &m->a, before.number,
						"a line is not well formed");
		if (first != (line.event == MAILDROP_HEADER))
			return maildrop_damaged(e, &m->a, before.number,
						"its header is not where it belongs");
		why = first ? NULL : apply(m, &line, at, &before);
		if (why != NULL)
			return maildrop_damaged(e, &m->a, before.number, why);
		before = line;
	}
	squeeze(m);
	return 0;
}

static int read_whole(struct maildrop *m, struct storage_file *f, struct err *e)
{
	uint64_t size;
	size_t got;

	if (storage_file_size(f, &size, e) < 0)
		return -1;
	if (size > MAILDROP_TEXT_MAX)
		return maildrop_damaged(e, &m->a, 0, "it is too long");

	char *to = buf_reserve(&m->text, size);

	must(to != NULL);
	if (storage_file_read(f, 0, to, size, &got, e) < 0)
		return -1;
	buf_used(&m->text, got);
	return parse(m, e);
}

static struct maildrop *new_view(struct store *s, const struct account *a)
{
	struct maildrop *m = xalloc(sizeof *m);

	m->s = s;
	m->a = *a;
	buf_init(&m->text, MAILDROP_TEXT_MAX);
	buf_init(&m->trace, MESSAGE_TRACE_MAX);
	return m;
}

int maildrop_look(struct store *s, const struct account *a, struct maildrop **out,
		  struct err *e)
{
	struct maildrop *m = new_view(s, a);
	struct storage_file *f;

	*out = NULL;
	if (maildrop_file_lock(s, a, STORAGE_READ, &f, e) < 0 ||
	    (f != NULL && read_whole(m, f, e) < 0)) {
		storage_file_close(&f);
		maildrop_close(&m);
		return -1;
	}
	storage_file_close(&f);
	*out = m;
	return 0;
}

int maildrop_lease(struct store *s, const struct account *a, struct storage_lease **out,
		   struct err *e)
{
	struct place place;

	name_place("accounts", &a->name, "session", &place);
	if (storage_lease_take(s->root, place.path, out, e) == 0)
		return 0;
	if (e->sys == ENOENT)
		return err_set(e, ERR_PERM, "5.1.1", "account %s was deleted", a->name.s);
	return -1;
}

int maildrop_open(struct store *s, const struct account *a, struct maildrop **out,
		  struct err *e)
{
	struct storage_lease *lease;

	*out = NULL;
	if (maildrop_lease(s, a, &lease, e) < 0)
		return -1;
	if (lease == NULL)
		return 0;
	if (maildrop_look(s, a, out, e) < 0) {
		storage_lease_drop(&lease);
		return -1;
	}
	(*out)->lease = lease;
	return 0;
}

void maildrop_close(struct maildrop **m)
{
	if (*m == NULL)
		return;
	storage_lease_drop(&(*m)->lease);
	buf_fini(&(*m)->text);
	buf_fini(&(*m)->trace);
	xfree(&(*m)->entries);
	xfree(&(*m)->tombstones);
	idmap_fini(&(*m)->index);
	xfree(m);
}

size_t maildrop_count(const struct maildrop *m)
{
	return m->n;
}

struct maildrop_entry *maildrop_entry(struct maildrop *m, size_t i)
{
	must(i < m->n);
	return &m->entries[i];
}

static struct str encoded_trace(const struct maildrop *m, const struct maildrop_entry *en)
{
	return (struct str){buf_cstr(&m->text) + en->trace_at, en->trace_n};
}

struct str maildrop_trace(struct maildrop *m, const struct maildrop_entry *en)
{
	buf_clear(&m->trace);
	record_decode(encoded_trace(m, en), &m->trace);
	return buf_str(&m->trace);
}

uint64_t maildrop_last_open_ms(const struct maildrop *m)
{
	return m->lease ? storage_lease_time_ms(m->lease) : 0;
}

int maildrop_touch(struct maildrop *m, struct err *e)
{
	must(m->lease != NULL);
	return storage_lease_set_time(m->lease, clock_unix_ms(), e);
}

/* ---- UPDATE ----------------------------------------------------------------------------- */

static void put_event(struct buf *text, const struct maildrop *m,
		      struct maildrop_line *last, enum maildrop_event event,
		      const struct maildrop_entry *en)
{
	last->number++;
	last->event = event;
	last->id = en->id;
	if (event == MAILDROP_REMOVED) {
		last->count--;
		last->octets -= en->size;
	}
	maildrop_line_print(last, m->a.uid, text);
}

static size_t put_events(const struct maildrop *m, struct maildrop_line *last,
			 struct buf *text)
{
	size_t removed = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct maildrop_entry *en = &m->entries[i];

		if (en->removed) {
			put_event(text, m, last, MAILDROP_REMOVED, en);
			removed++;
		} else if (en->seen && !en->read) {
			put_event(text, m, last, MAILDROP_READ, en);
		}
	}
	return removed;
}

/* drop_in_place - removal for a full disk: an octet of each line, no new space */
static int drop_in_place(struct maildrop *m, struct storage_file *f, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].removed &&
		    storage_file_put_octet(f, m->entries[i].line_at, MAILDROP_DROPPED,
					   e) < 0)
			return -1;
	m->dropped = true;
	return 0;
}

static bool is_full(const struct err *e)
{
	return e->sys == ENOSPC || e->sys == EDQUOT;
}

/* sync_removal - if it fails the client is told that nothing was removed, and what it
 * sees next should agree; the disk may have either */
static int sync_removal(struct storage_file *f, uint64_t before, struct err *e)
{
	struct err cut;

	if (storage_file_sync(f, e) == 0)
		return 0;
	if (storage_file_cut(f, before, &cut) < 0)
		err_add(e, "%s", cut.text);
	return -1;
}

/* write_events - *removed tells how many are gone now, durably */
static int write_events(struct maildrop *m, struct storage_file *f, size_t *removed,
			struct err *e)
{
	struct maildrop_tail tail;
	struct buf text;
	int rc = -1;

	*removed = 0;
	buf_init(&text, MAILDROP_TEXT_MAX);
	if (maildrop_file_prepare(m->s, f, &m->a, &tail, &text, e) < 0)
		goto out;

	size_t n = put_events(m, &tail.last, &text);

	must(!buf_over(&text));
	if (text.n == 0) {
		rc = 0;
		goto out;
	}
	rc = storage_file_append(f, tail.end, buf_str(&text), e);
	if (rc < 0 && n > 0 && is_full(e))
		rc = drop_in_place(m, f, e);
	else if (rc < 0 && n == 0)
		rc = is_full(e) ? 0 : rc; /* a read mark is not worth failing for */
	if (rc == 0 && n > 0)
		rc = sync_removal(f, tail.end, e);
	if (rc == 0)
		*removed = n;
out:
	buf_fini(&text);
	return rc;
}

static void release_removed(struct maildrop *m, struct err *e)
{
	struct err one;

	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].removed &&
		    message_release(m->s, m->entries[i].volume, m->entries[i].id,
				    m->a.uid, &one) < 0)
			*e = one;
}

/* ---- compaction --------------------------------------------------------------------------- */

/* may_forget_any - not while a volume is away whose slots nobody could let go */
static bool may_forget_any(const struct maildrop *m)
{
	struct err e;
	bool whole;

	return store_is_whole(m->s, &whole, &e) == 0 && whole;
}

/* may_forget - recovery will not ask for it any more, and its slot is let go: so a slot
 * that holds and is not mentioned is never one that was removed */
static bool may_forget(const struct maildrop *m, uint64_t id)
{
	struct err e;

	return id_unix_ms(id) < writer_checkpoint_of(m->s->root, id_writer(id)) &&
	       message_release_anywhere(m->s, id, m->a.uid, &e) == 0;
}

/* put_tombstones - *forgot tells that some were left out */
static void put_tombstones(const struct maildrop *m, struct maildrop_line *last,
			   struct buf *text, bool *forgot)
{
	bool any = m->n_tombstones > 0 && may_forget_any(m);

	for (size_t i = 0; i < m->n_tombstones; i++) {
		if (any && may_forget(m, m->tombstones[i])) {
			*forgot = true;
			continue;
		}
		last->number++;
		last->event = MAILDROP_REMOVED;
		last->id = m->tombstones[i];
		maildrop_line_print(last, m->a.uid, text);
	}
}

static void put_compact(const struct maildrop *m, struct buf *text, bool *forgot)
{
	struct maildrop_line last = {.event = MAILDROP_HEADER};

	maildrop_line_print(&last, m->a.uid, text);
	if (m->rebuilt)
		maildrop_line_mark(&last, m->a.uid, text);
	for (size_t i = 0; i < m->n; i++) {
		const struct maildrop_entry *en = &m->entries[i];

		last = (struct maildrop_line){
			.number = last.number + 1,
			.event = MAILDROP_ADDED,
			.id = en->id,
			.volume = en->volume,
			.slot = en->slot,
			.size = en->size,
			.stored = en->stored,
			.header_end = en->header_end,
			.trace = encoded_trace(m, en),
			.count = last.count + 1,
			.octets = last.octets + en->size,
		};
		maildrop_line_print(&last, m->a.uid, text);
		if (en->read)
			put_event(text, m, &last, MAILDROP_READ, en);
	}
	put_tombstones(m, &last, text, forgot);
}

/* compact - rewrites the file when most of it is history; the caller holds its lock */
static int compact(struct maildrop *m, struct storage_file *f, struct err *e)
{
	struct place place = maildrop_place(&m->a);
	struct maildrop *now;
	struct buf text;
	uint64_t size;
	bool forgot = false;
	int rc;

	if (storage_file_size(f, &size, e) < 0)
		return -1;
	if (size < COMPACT_OCTETS && !m->dropped)
		return 0;
	now = new_view(m->s, &m->a);
	buf_init(&text, MAILDROP_TEXT_MAX);
	rc = read_whole(now, f, e);
	if (rc == 0)
		put_compact(now, &text, &forgot);
	/* A release that a power cut undoes would be a message that nobody removed. */
	if (rc == 0 && forgot)
		rc = store_sync_volumes(m->s, e);
	if (rc == 0 && (text.n < size / 2 || m->dropped))
		rc = storage_put(m->s->root, place.path, buf_str(&text), STORAGE_DURABLE,
				 NULL, e);
	buf_fini(&text);
	maildrop_close(&now);
	return rc;
}

static int update(struct maildrop *m, struct err *e)
{
	struct storage_file *f;
	struct err tidy;
	size_t removed;
	int rc;

	if (maildrop_file_lock(m->s, &m->a, STORAGE_WRITE, &f, e) < 0)
		return -1;
	if (f == NULL)
		return err_set(e, ERR_PERM, "5.1.1", "account %s was deleted",
			       m->a.name.s);
	rc = write_events(m, f, &removed, e);
	if (rc == 0) {
		*e = (struct err){0};
		/* Releasing comes before forgetting, so that a tombstone that compaction
		 * drops is one whose slot was let go. */
		if (removed > 0)
			release_removed(m, e);
		if ((removed > 0 || m->dropped) && compact(m, f, &tidy) < 0)
			*e = tidy;
	}
	storage_file_close(&f);
	return rc;
}

static bool removes_any(const struct maildrop *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].removed)
			return true;
	return false;
}

int maildrop_commit(struct maildrop *m, struct err *e)
{
	must(m->lease != NULL);
	*e = (struct err){0};
	if (m->n == 0 && !m->dropped)
		return 0;

	int rc = update(m, e);

	/* On a disk that takes no writes: a read mark is not worth failing for. */
	return rc < 0 && !removes_any(m) ? 0 : rc;
}

/* ---- for the rest of the store --------------------------------------------------------------- */

int maildrop_state_of(struct store *s, const struct account *a, uint64_t id,
		      enum maildrop_state *out, struct err *e)
{
	struct maildrop *m;

	*out = MAILDROP_NEVER_HAD;
	if (maildrop_look(s, a, &m, e) < 0)
		return -1;
	if (m->rebuilt)
		*out = MAILDROP_MAY_HAVE_HAD;
	for (size_t i = 0; i < m->n_tombstones; i++)
		if (m->tombstones[i] == id)
			*out = MAILDROP_HAD;
	if (find_entry(m, id) != NULL)
		*out = MAILDROP_HAS;
	maildrop_close(&m);
	return 0;
}

bool maildrop_is_torn(const struct maildrop *m)
{
	return m->torn;
}

int maildrop_in_use(const struct account *a, struct err *e)
{
	return err_set(e, ERR_TEMP, "4.2.1",
		       "a POP3 session has the maildrop of %s; try again when it has "
		       "ended",
		       a->name.s);
}

int maildrop_forget(struct store *s, const struct account *a, uint64_t id, struct err *e)
{
	struct maildrop_entry *en;
	struct maildrop *m;
	int rc = 0;

	if (maildrop_open(s, a, &m, e) < 0)
		return -1;
	if (m == NULL)
		return maildrop_in_use(a, e);
	en = find_entry(m, id);
	if (en != NULL) {
		en->removed = true;
		rc = maildrop_commit(m, e);
	}
	maildrop_close(&m);
	return rc;
}

int maildrop_release_all(struct store *s, const struct account *a, struct err *e)
{
	struct place place = maildrop_place(a);
	struct maildrop *m = new_view(s, a);
	struct storage_file *f;
	int rc = maildrop_file_lock(s, a, STORAGE_APPEND, &f, e);

	if (rc == 0 && f != NULL) {
		rc = read_whole(m, f, e);
		for (size_t i = 0; rc == 0 && i < m->n; i++)
			rc = message_release(s, m->entries[i].volume, m->entries[i].id,
					     a->uid, e);
		if (rc == 0)
			rc = storage_remove(s->root, place.path, 0, e);
	}
	storage_file_close(&f);
	maildrop_close(&m);
	return rc;
}
