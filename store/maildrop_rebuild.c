/* SPDX-License-Identifier: ISC */
/*
 * maildrop_rebuild - a damaged maildrop, made again from what is still whole
 *
 * Lines that pass their checksum are kept; an added line only if its message is
 * there and, where lines are damaged, still holds the account's slot, since the line
 * that removed it may be among these.  What is missing now comes back from the message files:
 * `popstore check --repair` appends every slot that no maildrop mentions.  A mark stays
 * in the file: that such a maildrop knows nothing of a message does not prove that
 * nobody was promised it.
 */
#include "store/maildrop_int.h"

#include "store/idmap.h"
#include "store/store_int.h"

struct rebuild {
	struct store *s;
	const struct account *a;
	struct buf text;           /* the new file */
	struct maildrop_line last; /* its last line */
	struct idmap live;         /* id -> size */
	uint64_t lost;             /* lines of the old file that were not whole */
	bool whole;                /* none is, nor missing */
};

/* is_held - whose recipient line was lost may be one of those whom a filler stands for */
static bool is_held(const struct rebuild *r, const struct message_info *mi)
{
	const struct message_slot *slot = message_slot_of(mi, r->a->uid);

	if (slot == NULL)
		slot = message_slot_of(mi, 0);
	return slot != NULL && slot->state == '+';
}

/* holds_slot - a damaged message is there and counts as held: that is its own trouble,
 * not the maildrop's */
static bool holds_slot(struct rebuild *r, const struct maildrop_line *l)
{
	struct message *m;
	struct err e;
	bool holds = true;

	if (message_open(r->s, l->volume, l->id, &m, &e) == 0 &&
	    (m == NULL || message_slots(m, &e) == 0))
		holds = m != NULL && (r->whole || is_held(r, message_info(m)));
	message_close(&m);
	return holds;
}

static void put(struct rebuild *r, const struct maildrop_line *l)
{
	struct maildrop_line line = *l;

	line.number = r->last.number + 1;
	line.count = r->last.count;
	line.octets = r->last.octets;
	if (line.event == MAILDROP_ADDED) {
		line.count++;
		line.octets += line.size;
	} else if (line.event == MAILDROP_REMOVED) {
		uint64_t size;

		if (idmap_get(&r->live, line.id, &size) && size != UINT64_MAX) {
			line.count--;
			line.octets -= size;
		}
		idmap_put(&r->live, line.id, UINT64_MAX);
	}
	maildrop_line_print(&line, r->a->uid, &r->text);
	r->last = line;
}

static void keep(struct rebuild *r, struct maildrop_line *l)
{
	uint64_t size;
	bool known = idmap_get(&r->live, l->id, &size);

	if (l->event == MAILDROP_HEADER || l->event == MAILDROP_REBUILT ||
	    (l->event == MAILDROP_READ && !known))
		return;
	if (l->event == MAILDROP_DROPPED)
		l->event = MAILDROP_REMOVED;
	if (l->event == MAILDROP_ADDED) {
		if (known || !holds_slot(r, l))
			return;
		idmap_put(&r->live, l->id, l->size);
	}
	put(r, l);
}

static void read_lines(struct rebuild *r, struct str text)
{
	while (text.n > 0) {
		struct maildrop_line line;

		if (maildrop_line_parse(str_cut(&text, '\n'), r->a->uid, &line))
			keep(r, &line);
		else
			r->lost++;
	}
}

static int rebuild(struct rebuild *r, struct storage_file *f, struct err *e)
{
	struct place place = maildrop_place(r->a);
	struct maildrop_line header = {.event = MAILDROP_HEADER};
	struct buf old;
	int rc = -1;

	buf_init(&old, MAILDROP_TEXT_MAX);
	if (maildrop_file_read(f, r->a, &old, e) < 0)
		goto out;
	maildrop_line_print(&header, r->a->uid, &r->text);
	r->last = header;
	maildrop_line_mark(&r->last, r->a->uid, &r->text);
	read_lines(r, buf_str(&old));
	if (buf_over(&r->text)) {
		maildrop_damaged(e, r->a, 0, "it would be too long");
		goto out;
	}
	rc = storage_put(r->s->root, place.path, buf_str(&r->text), STORAGE_DURABLE, NULL,
			 e);
out:
	buf_fini(&old);
	return rc;
}

static int rebuild_locked(struct rebuild *r, struct err *e)
{
	struct storage_file *f;
	int rc = maildrop_file_lock(r->s, r->a, STORAGE_WRITE, &f, e);

	if (rc == 0 && f != NULL)
		rc = rebuild(r, f, e);
	storage_file_close(&f);
	return rc;
}

/* is_whole - what is appended from now on does not change that */
static bool is_whole(struct rebuild *r)
{
	struct maildrop *m;
	struct err e;

	if (maildrop_look(r->s, r->a, &m, &e) < 0)
		return false;

	bool whole = !maildrop_is_torn(m);

	maildrop_close(&m);
	return whole;
}

int maildrop_rebuild(struct store *s, const struct account *a, uint64_t *lost,
		     struct err *e)
{
	struct rebuild r = {.s = s, .a = a};
	struct storage_lease *lease;
	int rc;

	*lost = 0;
	if (maildrop_lease(s, a, &lease, e) < 0)
		return -1;
	if (lease == NULL)
		return maildrop_in_use(a, e);
	r.whole = is_whole(&r);
	buf_init(&r.text, MAILDROP_TEXT_MAX);
	rc = rebuild_locked(&r, e);
	buf_fini(&r.text);
	idmap_fini(&r.live);
	storage_lease_drop(&lease);
	*lost = r.lost;
	return rc;
}

int maildrop_begin_rebuilt(struct store *s, const struct account *a, struct err *e)
{
	struct place place = maildrop_place(a);
	struct maildrop_line last = {.event = MAILDROP_HEADER};
	struct buf text;
	bool existed;
	int rc;

	buf_init(&text, 2 * MAILDROP_LINE_MAX);
	maildrop_line_print(&last, a->uid, &text);
	maildrop_line_mark(&last, a->uid, &text);
	rc = storage_put(s->root, place.path, buf_str(&text),
			 STORAGE_DURABLE | STORAGE_EXCLUSIVE, &existed, e);
	buf_fini(&text);
	return rc;
}
