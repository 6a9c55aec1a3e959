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
	BLOCK = 4096,          /* a disk may write these in any order */
	/* Removed messages that compaction keeps only because a retry may come: 24 KB, which
	 * is within what maildrop_find_key() reads. */
	RETRY_TOMBSTONES = 256,
};

struct tombstone {
	uint64_t id;
	uint64_t line_at; /* an octet of the line that has the message's key */
};

struct maildrop {
	struct store *s;
	struct account a;
	struct storage_lease *lease; /* NULL: only looking */
	struct buf text;             /* the file as it was at opening */
	struct maildrop_entry *entries;
	size_t n, cap;
	struct tombstone *tombstones; /* removed messages that the file still mentions */
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

		m->entries = xresize(m->entries, cap * sizeof *m->entries);
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

static void add_tombstone(struct maildrop *m, uint64_t id, uint64_t line_at)
{
	if (m->n_tombstones == m->cap_tombstones) {
		size_t cap = m->cap_tombstones ? m->cap_tombstones * 2 : 16;

		m->tombstones =
			xgrow(m->tombstones, m->cap_tombstones * sizeof *m->tombstones,
			      cap * sizeof *m->tombstones);
		m->cap_tombstones = cap;
	}
	m->tombstones[m->n_tombstones++] = (struct tombstone){id, line_at};
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
		add_tombstone(m, l->id, line_at);
	} else if (l->event == MAILDROP_REMOVED) {
		en->removed = true;
		add_tombstone(m, l->id, en->line_at);
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
		if (!m->entries[i].removed) {
			if (kept < i)
				m->entries[kept] = m->entries[i];
			kept++;
		} else if (m->text.p[m->entries[i].line_at] == MAILDROP_DROPPED) {
			add_tombstone(m, m->entries[i].id, m->entries[i].line_at);
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
	struct maildrop_line lines[2] = {0}, *line = &lines[0], *before = &lines[1];

	/* A torn line at the end was never finished, so nobody was promised it. */
	const char *nl = rest.n ? memrchr(rest.p, '\n', rest.n) : NULL;

	rest.n = nl ? (size_t)(nl - rest.p) + 1 : 0;
	m->torn = rest.n < m->text.n;
	if (maildrop_lf_is_damaged((struct str){rest.p + rest.n, m->text.n - rest.n},
				   &m->a))
		return maildrop_damaged(e, &m->a, before->number,
					"its last line does not end");
	while (rest.n > 0) {
		uint64_t at = (uint64_t)(rest.p - m->text.p);
		bool first = at == 0;
		const char *why;

		if (!maildrop_line_parse(str_cut(&rest, '\n'), m->a.uid, line))
			return maildrop_damaged(e, &m->a, before->number,
						"a line is not well formed");
		if (first != (line->event == MAILDROP_HEADER))
			return maildrop_damaged(e, &m->a, before->number,
						"its header is not where it belongs");
		why = first ? NULL : apply(m, line, at, before);
		if (why != NULL)
			return maildrop_damaged(e, &m->a, before->number, why);
		before = line;
		line = line == &lines[0] ? &lines[1] : &lines[0];
	}
	squeeze(m);
	return 0;
}

static int read_whole(struct maildrop *m, struct storage_file *f, struct err *e)
{
	return maildrop_file_read(f, &m->a, &m->text, e) < 0 ? -1 : parse(m, e);
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
	last->key = (struct retry_key){0}; /* stands in the added line */
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

static int overwrite_removed(struct maildrop *m, struct storage_file *f, char event,
			     struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].removed &&
		    storage_file_put_octet(f, m->entries[i].line_at, event, e) < 0)
			return -1;
	return 0;
}

/* drop_in_place - removal for a full disk: an octet of each line, no new space.  If it
 * fails nothing is removed, as with lines that are appended. */
static int drop_in_place(struct maildrop *m, struct storage_file *f, struct err *e)
{
	struct err back;

	if (overwrite_removed(m, f, MAILDROP_DROPPED, e) == 0 &&
	    storage_file_sync(f, e) == 0) {
		m->dropped = true;
		return 0;
	}
	if (overwrite_removed(m, f, MAILDROP_ADDED, &back) < 0)
		err_add(e, "%s", back.text);
	return -1;
}

static bool is_full(const struct err *e)
{
	return e->sys == ENOSPC || e->sys == EDQUOT;
}

/* append_in_order - what a power cut leaves of it is a beginning, whatever the order in
 * which a disk writes blocks: each is durable before the next is begun.  A delivery need
 * not pay for that, since recovery mends what it leaves (maildrop_hole.c); it may never
 * look at what a session leaves. */
static int append_in_order(struct storage_file *f, uint64_t at, struct str text,
			   struct err *e)
{
	for (;;) {
		size_t room = BLOCK - at % BLOCK, n = text.n < room ? text.n : room;

		if (storage_file_append(f, at, (struct str){text.p, n}, e) < 0)
			return -1;
		if (n == text.n)
			return 0;
		if (storage_file_sync(f, e) < 0)
			return -1;
		at += n;
		text.p += n;
		text.n -= n;
	}
}

/* append_events - all of it, or nothing that stays */
static int append_events(struct storage_file *f, uint64_t at, struct str text,
			 struct err *e)
{
	struct err cut;
	int rc = append_in_order(f, at, text, e);

	if (rc < 0 && storage_file_cut(f, at, &cut) < 0)
		err_add(e, "%s", cut.text);
	return rc;
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
	rc = append_events(f, tail.end, buf_str(&text), e);
	if (rc == 0 && n > 0)
		rc = sync_removal(f, tail.end, e);
	else if (rc < 0 && is_full(e))
		/* a read mark is not worth failing for */
		rc = n > 0 ? drop_in_place(m, f, e) : 0;
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

/* line_around - the line of the file that has this octet */
static struct maildrop_line line_around(const struct maildrop *m, uint64_t at)
{
	const char *lf = memrchr(m->text.p, '\n', at);
	const char *from = lf ? lf + 1 : m->text.p;
	struct str rest = {from, m->text.n - (size_t)(from - m->text.p)};
	struct maildrop_line line;

	must(maildrop_line_parse(str_cut(&rest, '\n'), m->a.uid, &line));
	return line;
}

void maildrop_added(const struct maildrop *m, const struct maildrop_entry *en,
		    struct str *trace, struct retry_key *key)
{
	*trace = encoded_trace(m, en);
	*key = line_around(m, en->line_at).key;
}

/* is_evidence - its message may be sent once more; the last ones do, since no more of
 * them than that are looked at */
static bool is_evidence(const struct maildrop *m, size_t i, struct retry_key key)
{
	uint64_t window_ms = m->s->set->lmtp.retry_window_s * 1000;

	return retry_key_is_set(key) && i + RETRY_TOMBSTONES >= m->n_tombstones &&
	       id_unix_ms(m->tombstones[i].id) + window_ms > clock_unix_ms();
}

/* put_tombstones - *forgot tells that some were left out */
static void put_tombstones(const struct maildrop *m, struct maildrop_line *last,
			   struct buf *text, bool *forgot)
{
	bool any = m->n_tombstones > 0 && may_forget_any(m);

	for (size_t i = 0; i < m->n_tombstones; i++) {
		const struct tombstone *t = &m->tombstones[i];
		struct retry_key key = line_around(m, t->line_at).key;
		bool evidence = is_evidence(m, i, key);

		if (!evidence && any && may_forget(m, t->id)) {
			*forgot = true;
			continue;
		}
		last->number++;
		last->event = MAILDROP_REMOVED;
		last->id = t->id;
		last->key = evidence ? key : (struct retry_key){0};
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
		struct maildrop_line line = line_around(m, en->line_at);

		line.number = last.number + 1;
		line.count = last.count + 1;
		line.octets = last.octets + line.size;
		maildrop_line_print(&line, m->a.uid, text);
		last = line;
		if (en->read)
			put_event(text, m, &last, MAILDROP_READ, en);
	}
	put_tombstones(m, &last, text, forgot);
}

/* replace - what it forgets is let go for good before: a release that a power cut undoes
 * would be a message that nobody removed */
static int replace(struct maildrop *m, struct str text, bool forgot, struct err *e)
{
	struct place place = maildrop_place(&m->a);

	if (forgot && store_sync_volumes(m->s, e) < 0)
		return -1;
	return storage_put(m->s->root, place.path, text, STORAGE_DURABLE, NULL, e);
}

/* compact - rewrites the file when most of it is history; the caller holds its lock */
static int compact(struct maildrop *m, struct storage_file *f, struct err *e)
{
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
	if (rc == 0 && (text.n < size / 2 || m->dropped))
		rc = replace(m, buf_str(&text), forgot, e);
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

bool maildrop_removes_any(const struct maildrop *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].removed)
			return true;
	return false;
}

/* has_news - anything that the file does not say */
static bool has_news(const struct maildrop *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct maildrop_entry *en = &m->entries[i];

		if (en->removed || (en->seen && !en->read))
			return true;
	}
	return false;
}

int maildrop_commit(struct maildrop *m, struct err *e)
{
	must(m->lease != NULL);
	*e = (struct err){0};
	if (!m->dropped && !has_news(m))
		return 0;

	int rc = update(m, e);

	/* On a disk that takes no writes: a read mark is not worth failing for. */
	return rc < 0 && !maildrop_removes_any(m) ? 0 : rc;
}

/* ---- for the rest of the store --------------------------------------------------------------- */

static enum maildrop_state state_of(struct maildrop *m, uint64_t id)
{
	if (find_entry(m, id) != NULL)
		return MAILDROP_HAS;
	for (size_t i = 0; i < m->n_tombstones; i++)
		if (m->tombstones[i].id == id)
			return MAILDROP_HAD;
	return m->rebuilt ? MAILDROP_MAY_HAVE_HAD : MAILDROP_NEVER_HAD;
}

int maildrop_state_of(struct store *s, const struct account *a, uint64_t id,
		      enum maildrop_state *out, struct err *e)
{
	struct maildrop *m;

	*out = MAILDROP_NEVER_HAD;
	if (maildrop_look(s, a, &m, e) < 0)
		return -1;
	*out = state_of(m, id);
	maildrop_close(&m);
	return 0;
}

int maildrop_renew(struct store *s, const struct account *a, struct err *e)
{
	struct place place = maildrop_place(a);
	struct maildrop *m = new_view(s, a);
	struct storage_file *f;
	int rc = maildrop_file_lock(s, a, STORAGE_WRITE, &f, e);

	if (rc == 0 && f != NULL) {
		rc = read_whole(m, f, e);
		if (rc == 0)
			rc = storage_put(s->root, place.path, buf_str(&m->text),
					 STORAGE_DURABLE, NULL, e);
	}
	storage_file_close(&f);
	maildrop_close(&m);
	return rc;
}

void maildrop_each_state(const struct maildrop *m,
			 void (*each)(uint64_t id, enum maildrop_state state, void *ctx),
			 void *ctx)
{
	for (size_t i = 0; i < m->n_tombstones; i++)
		each(m->tombstones[i].id, MAILDROP_HAD, ctx);
	for (size_t i = 0; i < m->n; i++)
		each(m->entries[i].id, MAILDROP_HAS, ctx);
}

bool maildrop_is_rebuilt(const struct maildrop *m)
{
	return m->rebuilt;
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

/* release_every - also what it only remembers: a release that was not synced is undone by a
 * power cut, and nobody would know any more that its message was removed */
static int release_every(struct maildrop *m, struct err *e)
{
	struct err one;
	int rc = 0;

	for (size_t i = 0; i < m->n; i++)
		if (message_release(m->s, m->entries[i].volume, m->entries[i].id,
				    m->a.uid, &one) < 0 &&
		    rc == 0) {
			*e = one;
			rc = -1;
		}
	for (size_t i = 0; i < m->n_tombstones; i++)
		if (message_release_anywhere(m->s, m->tombstones[i].id, m->a.uid, &one) <
			    0 &&
		    rc == 0) {
			*e = one;
			rc = -1;
		}
	return rc;
}

int maildrop_let_go(struct store *s, struct err *e)
{
	bool whole;

	if (store_is_whole(s, &whole, e) < 0)
		return -1;
	if (!whole)
		return err_set(e, ERR_TEMP, "4.3.5",
			       "a volume of this store is not in the configuration, and "
			       "what it held there cannot be let go");
	return store_sync_volumes(s, e);
}

static int release_all(struct maildrop *m, struct storage_file *f, struct err *e)
{
	struct place place = maildrop_place(&m->a);

	if (read_whole(m, f, e) < 0 || release_every(m, e) < 0)
		return -1;
	if (m->n + m->n_tombstones > 0 && maildrop_let_go(m->s, e) < 0)
		return -1;
	return storage_remove(m->s->root, place.path, STORAGE_DURABLE, e);
}

int maildrop_release_all(struct store *s, const struct account *a, struct err *e)
{
	struct maildrop *m = new_view(s, a);
	struct storage_file *f;
	int rc = maildrop_file_lock(s, a, STORAGE_APPEND, &f, e);

	if (rc == 0 && f != NULL)
		rc = release_all(m, f, e);
	storage_file_close(&f);
	maildrop_close(&m);
	return rc;
}
