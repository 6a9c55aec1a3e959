/* SPDX-License-Identifier: ISC */
#include "store/delivery.h"

#include "lib/conn.h"
#include "store/idmap.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/record.h"
#include "store/standing.h"
#include "store/store_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum {
	/* A message up to this size is written by one system call at its end; a larger
	 * one goes to the disk as it comes. */
	HELD_OCTETS = 65536,
	HELD_AT_ONCE = 16384,
	COPIED_AT_ONCE = 16384,
	SLOT_OCTETS = 3 * NAME_OCTETS + 64, /* of its line, at most, without the trace */
	TRACE_ENCODED_MAX = 3 * MESSAGE_TRACE_MAX,
};

struct recipient {
	struct account account;
	struct buf trace; /* percent-encoded */
	uint64_t trace_n; /* octets of the trace itself */
	uint64_t first;   /* a retry: the id of the first copy */
	bool left_out;    /* it is not to get it */
	size_t of;        /* a folder: of the account in this place; else its own place */
	size_t copies;    /* that are still to come, of an account and its folders */
	enum verdict_code refused; /* by the quota, of an account and its folders */
	enum verdict_code result;
	struct err why;
};

struct delivery {
	struct store *s;
	struct buf sender, envelope_id;
	struct recipient *rcpt;
	size_t n, cap;
	size_t named;        /* of them, the first; the rest are folders */
	size_t left_out;     /* of them */
	struct idmap by_uid; /* who is a recipient, and which */

	struct writer *writer;
	struct volume *volume;
	struct storage_draft *draft; /* NULL before open */
	struct message_info info;
	struct message_slot *slots;
	struct buf held; /* header and the first octets, until it is flushed */
	bool flushed;
	bool grown;  /* there are more slots than the header has room for */
	size_t more; /* octets that they take at most */
	XXH3_state_t *sum;
	uint64_t stored;
	uint64_t retry_since_ms;
	bool running; /* counted by the writer */
};

struct delivery *delivery_begin(struct store *s, struct str sender,
				struct str envelope_id)
{
	struct delivery *d = xalloc(sizeof *d);

	d->s = s;
	buf_init(&d->sender, 1024);
	buf_init(&d->envelope_id, 256);
	buf_put(&d->sender, sender);
	buf_put(&d->envelope_id, envelope_id);
	buf_init(&d->held, MESSAGE_HEADER_MAX + HELD_OCTETS);
	return d;
}

/* add - NULL: it is there already, in this place */
static struct recipient *add(struct delivery *d, const struct account *a, size_t *place)
{
	struct recipient *r;
	uint64_t before;

	if (idmap_get(&d->by_uid, a->uid, &before)) {
		*place = (size_t)before;
		return NULL;
	}
	*place = d->n;
	idmap_put(&d->by_uid, a->uid, d->n);
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 4;

		d->rcpt = xgrow(d->rcpt, d->cap * sizeof *d->rcpt, cap * sizeof *d->rcpt);
		d->cap = cap;
	}
	r = &d->rcpt[d->n++];
	r->account = *a;
	r->result = VERDICT_TRY_AGAIN;
	r->of = *place;
	r->copies = 1;
	r->refused = VERDICT_OK;
	buf_init(&r->trace, TRACE_ENCODED_MAX);
	return r;
}

size_t delivery_rcpt(struct delivery *d, const struct account *a, struct str trace)
{
	size_t place;

	must(d->draft == NULL && trace.n <= MESSAGE_TRACE_MAX);

	struct recipient *r = add(d, a, &place);

	if (r != NULL) {
		r->trace_n = trace.n;
		record_encode(trace, true, &r->trace);
		d->named = d->n;
	}
	return place;
}

size_t delivery_recipients(const struct delivery *d)
{
	return d->named;
}

void delivery_set_retry_key(struct delivery *d, struct retry_key key, uint64_t since_ms)
{
	d->info.key = key;
	d->retry_since_ms = since_ms;
}

uint64_t delivery_id(const struct delivery *d)
{
	return d->info.id;
}

/* ---- the file ------------------------------------------------------------------- */

static void make_slots(struct delivery *d)
{
	xfree(&d->slots);
	d->slots = xalloc(d->n * sizeof *d->slots);
	for (size_t i = 0; i < d->n; i++)
		d->slots[i] = (struct message_slot){
			.name = d->rcpt[i].account.name,
			.uid = d->rcpt[i].account.uid,
			.state = d->rcpt[i].left_out ? '-' : '+',
			.trace = buf_str(&d->rcpt[i].trace),
		};
	d->info.n_slots = d->n;
	d->info.slots = d->slots;
}

static void describe(struct delivery *d)
{
	make_slots(d);
	d->info.arrived_ms = clock_unix_ms();
	d->info.from = buf_str(&d->sender);
	d->info.envelope_id = buf_str(&d->envelope_id);
}

/* is_ours - a shortage of this process, which no other volume would end */
static bool is_ours(const struct err *e)
{
	return e->sys == EMFILE || e->sys == ENFILE || e->sys == ENOMEM;
}

/* begin_draft - on the volume whose turn it is, or the next that takes it: a disk that
 * died or filled up a moment ago is no reason to refuse mail while others have room */
static int begin_draft(struct delivery *d, struct err *e)
{
	struct message_path path = message_path(d->info.id);
	struct err none;

	for (size_t tries = 0; tries < d->s->n_volumes; tries++) {
		struct volume *v = store_pick_volume(d->s, tries ? &none : e);

		if (v == NULL || (tries > 0 && v == d->volume))
			return -1;
		d->volume = v;
		if (storage_draft_begin(v->storage, path.s, &d->draft, e) == 0)
			return 0;
		if (is_ours(e))
			return -1;
		store_volume_refused(d->s, v);
	}
	return -1;
}

int delivery_open(struct delivery *d, struct err *e)
{
	must(d->draft == NULL);
	/* Before an id is taken: where nothing takes mail, the clock of ids stands still. */
	if (store_takes_mail(d->s, e) < 0 || store_writer(d->s, &d->writer, e) < 0 ||
	    writer_id(d->writer, true, &d->info.id, e) < 0)
		return -1;
	d->running = true;
	if (begin_draft(d, e) < 0)
		return -1;
	describe(d);
	message_header_print(&d->info, &d->held);
	if (buf_over(&d->held) || d->held.n > MESSAGE_HEADER_MAX)
		return err_set(e, ERR_PERM, "5.5.3",
			       "too many recipients for one message");
	/* Most messages fit: growing would copy them several times. */
	buf_reserve(&d->held, HELD_AT_ONCE);
	d->sum = XXH3_createState();
	must(d->sum != NULL);
	XXH3_64bits_reset(d->sum);
	return 0;
}

static int flush(struct delivery *d, struct err *e)
{
	if (d->flushed)
		return 0;
	if (storage_draft_write(d->draft, buf_str(&d->held), e) < 0)
		return -1;
	d->flushed = true;
	buf_fini(&d->held);
	return 0;
}

int delivery_write(struct delivery *d, struct str stored, struct err *e)
{
	must(d->draft != NULL);
	XXH3_64bits_update(d->sum, stored.p, stored.n);
	d->stored += stored.n;
	if (!d->flushed && d->held.n + stored.n <= d->info.body + HELD_OCTETS) {
		buf_put(&d->held, stored);
		return 0;
	}
	if (flush(d, e) < 0)
		return -1;
	return storage_draft_write(d->draft, stored, e);
}

/* print_again - the head, now that everything in it is known; the slots stay, unless somebody
 * was left out since */
static void print_again(struct delivery *d, struct buf *out)
{
	if (d->left_out > 0)
		message_header_print(&d->info, out);
	else
		message_head_print(&d->info, out);
	must(!buf_over(out));
}

/* ---- more slots than there is room for --------------------------------------------- */

/* print_header - all of it anew; what is behind it moves */
static int print_header(struct delivery *d, struct buf *out, struct err *e)
{
	make_slots(d);
	buf_init(out, MESSAGE_HEADER_MAX + HELD_OCTETS);
	message_header_print(&d->info, out);
	if (!buf_over(out) && out->n <= MESSAGE_HEADER_MAX)
		return 0;
	return err_set(e, ERR_PERM, "5.5.3", "too many recipients for one message");
}

/* copy_body - from the draft to another one */
static int copy_body(struct delivery *d, uint64_t body, struct storage_draft *to,
		     struct err *e)
{
	char piece[COPIED_AT_ONCE];

	for (uint64_t at = 0; at < d->stored;) {
		uint64_t rest = d->stored - at;
		size_t got, n = rest < sizeof piece ? (size_t)rest : sizeof piece;

		if (storage_draft_read(d->draft, body + at, piece, n, &got, e) < 0)
			return -1;
		if (got == 0)
			return err_set(e, ERR_TEMP, "4.3.0",
				       "a message that is coming in was cut");
		if (storage_draft_write(to, (struct str){piece, got}, e) < 0)
			return -1;
		at += got;
	}
	return 0;
}

/* draft_again - what was written has no name yet, so that there is one file in the end */
static int draft_again(struct delivery *d, uint64_t old_body, struct str header,
		       struct err *e)
{
	struct message_path path = message_path(d->info.id);
	struct storage_draft *to;

	if (storage_draft_begin(d->volume->storage, path.s, &to, e) < 0)
		return -1;
	if (storage_draft_write(to, header, e) < 0 || copy_body(d, old_body, to, e) < 0) {
		storage_draft_end(&to);
		return -1;
	}
	storage_draft_end(&d->draft);
	d->draft = to;
	return 0;
}

/* make_room - a header with a slot for every folder before the same octets */
static int make_room(struct delivery *d, struct err *e)
{
	uint64_t old_body = d->info.body;
	struct buf all;
	int rc = print_header(d, &all, e);

	if (rc == 0 && d->flushed) {
		rc = draft_again(d, old_body, buf_str(&all), e);
	} else if (rc == 0) {
		buf_put(&all, (struct str){d->held.p + old_body, (size_t)d->stored});
		must(!buf_over(&all));
		buf_fini(&d->held);
		d->held = all;
		return 0;
	}
	if (rc < 0)
		d->info.body = old_body; /* as the draft still has it */
	buf_fini(&all);
	return rc;
}

static int finish(struct delivery *d, const struct delivery_totals *t, struct err *e)
{
	struct buf head;
	int rc;

	if (d->grown && make_room(d, e) < 0)
		return -1;
	d->info.stored = d->stored;
	d->info.size = t->size;
	d->info.header_end = t->header_end;
	d->info.sum = XXH3_64bits_digest(d->sum);
	buf_init(&head, MESSAGE_HEADER_MAX);
	print_again(d, &head);
	if (d->flushed) {
		rc = storage_draft_rewrite(d->draft, 0, buf_str(&head), e);
	} else {
		memcpy(d->held.p, head.p, head.n);
		rc = flush(d, e);
	}
	buf_fini(&head);
	return rc;
}

/* ---- giving it to the recipients --------------------------------------------------- */

static int hand_over(struct delivery *d, size_t i, struct maildrop_answer *answer,
		     struct err *e)
{
	struct recipient *r = &d->rcpt[i];
	struct maildrop_add add = {
		.id = d->info.id,
		.volume = d->volume->number,
		.slot = d->slots[i].offset,
		.size = d->info.size + r->trace_n,
		.stored = d->info.stored,
		.header_end = d->info.header_end,
		.trace = buf_str(&r->trace),
		.key = d->info.key,
		.since_ms = d->retry_since_ms,
		.check_quota = true,
		.more = (d->rcpt[r->of].copies - 1) * (d->info.size + r->trace_n),
	};

	return maildrop_append(d->s, &r->account, &add, answer, e);
}

/* has_line - neither refused nor a retry, so that the slot stays */
static bool has_line(const struct recipient *r)
{
	return !r->left_out && r->result == VERDICT_OK && r->first == 0;
}

/* put_off - also for a folder that was deleted just now: the next attempt makes it again */
static void put_off(struct recipient *r)
{
	r->result = VERDICT_TRY_AGAIN;
	if (r->why.class == ERR_PERM) {
		r->why.class = ERR_TEMP;
		snprintf(r->why.dsn, sizeof r->why.dsn, "4.3.0");
	}
}

/* fail_all - so that the others, the account's own above all, are not given it any more: who has
 * it there is not given the rest at the next attempt */
static void fail_all(struct recipient *whose, const struct recipient *r)
{
	whose->refused = r->result;
	if (whose != r)
		whose->why = r->why;
}

/* give - of the account and its folders all get it, or from the first one on that fails none:
 * the quota was asked for all of them */
static void give(struct delivery *d, size_t i)
{
	struct recipient *r = &d->rcpt[i], *whose = &d->rcpt[r->of];
	struct maildrop_answer answer = {0};

	if (whose->refused != VERDICT_OK) {
		r->result = whose->refused;
		r->why = whose->why;
	} else if (hand_over(d, i, &answer, &r->why) == 0) {
		r->result = whose->refused = (enum verdict_code)answer.verdict;
	} else {
		if (r->why.class == ERR_PERM && r->of == i)
			r->result = VERDICT_NO_USER;
		else
			put_off(r);
		fail_all(whose, r);
	}
	r->first = answer.first;
	whose->copies--;
}

static void deliver_one(struct delivery *d, size_t i)
{
	struct recipient *r = &d->rcpt[i];
	struct err leak;

	if (r->left_out)
		return;
	give(d, i);
	if (has_line(r))
		return;
	/* If this fails the slot holds on, and `popstore check --repair` takes it for a
	 * lost line: a message that was refused may arrive after all, but no retry. */
	if (message_release(d->s, d->volume->number, d->info.id, r->account.uid, &leak) <
		    0 &&
	    r->result == VERDICT_TRY_AGAIN)
		err_add(&r->why, "%s", leak.text);
}

/* settle_releases - one that a power cut undoes looks like a lost line once the
 * checkpoint has passed, and what was refused would arrive.  Where the sync fails the
 * volume takes nothing more, and says so itself. */
static void settle_releases(struct delivery *d)
{
	struct storage_file *f = NULL;
	struct message_path path;
	struct err ignored;
	size_t released = 0;
	bool found = false;

	for (size_t i = 0; i < d->n; i++)
		released += !has_line(&d->rcpt[i]);
	if (released == d->left_out)
		return; /* those are durable already */
	path = message_path(d->info.id);
	if (released == d->n)
		(void)!storage_remove(d->volume->storage, path.s, STORAGE_DURABLE,
				      &ignored);
	else if (storage_file_open(d->volume->storage, path.s, STORAGE_WRITE, &f, &found,
				   &ignored) == 0 &&
		 found)
		(void)!storage_file_sync(f, &ignored);
	storage_file_close(&f);
}

/* ---- before the commit ---------------------------------------------------------------- */

int delivery_text(struct delivery *d, size_t max, struct buf *room, struct str *out,
		  struct err *e)
{
	size_t want = d->stored < max ? (size_t)d->stored : max, got = 0;
	char *to;

	must(d->draft != NULL);
	if (!d->flushed) {
		*out = (struct str){d->held.p + d->info.body, want};
		return 0;
	}
	to = buf_reserve(room, want);
	must(to != NULL);
	if (storage_draft_read(d->draft, d->info.body, to, want, &got, e) < 0)
		return -1;
	buf_used(room, got);
	*out = buf_str(room);
	return 0;
}

int delivery_find_first(struct delivery *d, size_t i, uint64_t *first, struct err *e)
{
	must(i < d->named);
	*first = 0;
	if (!retry_key_is_set(d->info.key) || d->retry_since_ms == 0)
		return 0;
	return maildrop_find_first(d->s, &d->rcpt[i].account, d->info.key,
				   d->retry_since_ms, first, e);
}

void delivery_leave_out(struct delivery *d, size_t i, enum verdict_code result,
			const struct err *why)
{
	must(i < d->named && d->draft != NULL && !d->rcpt[i].left_out);
	d->rcpt[i].left_out = true;
	d->rcpt[i].copies--;
	d->rcpt[i].result = result;
	if (why != NULL)
		d->rcpt[i].why = *why;
	d->slots[i].state = '-';
	d->left_out++;
}

bool delivery_file_into(struct delivery *d, size_t i, const struct account *folder)
{
	struct recipient *r;
	size_t place, more;

	must(i < d->named && d->draft != NULL);
	more = d->more + SLOT_OCTETS + d->rcpt[i].trace.n;
	if (d->info.body + more > MESSAGE_HEADER_MAX)
		return false;
	r = add(d, folder, &place);
	if (r == NULL)
		return true;
	d->more = more;
	r->of = i;
	d->rcpt[i].copies++;
	r->trace_n = d->rcpt[i].trace_n;
	buf_put(&r->trace, buf_str(&d->rcpt[i].trace));
	d->rcpt[i].account.folders = true;
	d->grown = true;
	return true;
}

bool delivery_is_left_out(const struct delivery *d, size_t i)
{
	must(i < d->n);
	return d->rcpt[i].left_out;
}

/* ---- the commit ------------------------------------------------------------------------ */

int delivery_commit(struct delivery *d, const struct delivery_totals *t, struct err *e)
{
	must(d->draft != NULL && d->n > 0);
	if (d->left_out == d->n)
		return 0; /* there is nothing to keep, and nothing to wait for */
	if (finish(d, t, e) < 0 || storage_draft_commit(d->draft, e) < 0)
		return -1;
	/* Folders first: a retry that finds it in the account's own maildrop may take the
	 * rest for done. */
	for (size_t i = d->named; i < d->n; i++)
		deliver_one(d, i);
	for (size_t i = 0; i < d->named; i++)
		deliver_one(d, i);
	settle_releases(d);
	writer_done(d->writer, d->info.id);
	d->running = false;
	return 0;
}

enum verdict_code delivery_result(const struct delivery *d, size_t i, struct err *why)
{
	must(i < d->named);
	*why = d->rcpt[i].why;
	if (d->rcpt[i].result != VERDICT_OK)
		return d->rcpt[i].result;
	for (size_t k = d->named; k < d->n; k++)
		if (d->rcpt[k].of == i && d->rcpt[k].result != VERDICT_OK) {
			*why = d->rcpt[k].why;
			return d->rcpt[k].result;
		}
	return VERDICT_OK;
}

uint64_t delivery_first_id(const struct delivery *d, size_t i)
{
	uint64_t first;

	must(i < d->named);
	first = d->rcpt[i].first;
	if (!d->rcpt[i].left_out && first == 0)
		return 0;
	for (size_t k = d->named; k < d->n; k++) {
		if (d->rcpt[k].of != i)
			continue;
		if (d->rcpt[k].first == 0)
			return 0;
		first = d->rcpt[k].first;
	}
	return first;
}

int delivery_read(struct delivery *d, uint64_t offset, char *to, size_t n, size_t *got,
		  struct err *e)
{
	must(d->draft != NULL);
	if (flush(d, e) < 0)
		return -1;
	return storage_draft_read(d->draft, d->info.body + offset, to, n, got, e);
}

void delivery_end(struct delivery **dp)
{
	struct delivery *d = *dp;

	if (d == NULL)
		return;
	if (d->running)
		writer_done(d->writer, d->info.id);
	storage_draft_end(&d->draft);
	for (size_t i = 0; i < d->n; i++)
		buf_fini(&d->rcpt[i].trace);
	xfree(&d->rcpt);
	idmap_fini(&d->by_uid);
	xfree(&d->slots);
	buf_fini(&d->sender);
	buf_fini(&d->envelope_id);
	buf_fini(&d->held);
	XXH3_freeState(d->sum);
	xfree(dp);
}
