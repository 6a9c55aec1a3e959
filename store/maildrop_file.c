/* SPDX-License-Identifier: ISC */
#include "store/maildrop_int.h"

#include "store/folder.h"
#include "store/id.h"
#include "store/store_int.h"
#include "store/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct place maildrop_place(const struct account *a)
{
	struct place p;

	name_place("accounts", &a->name, "maildrop", &p);
	return p;
}

int maildrop_damaged(struct err *e, const struct account *a, uint64_t line,
		     const char *why)
{
	return err_set(e, ERR_TEMP, "4.3.0",
		       "maildrop of %s is damaged behind line %" PRIu64
		       ": %s; mend it with `popstore check --repair`",
		       a->name.s, line, why);
}

int maildrop_file_lock(struct store *s, const struct account *a, enum storage_mode mode,
		       struct storage_file **out, struct err *e)
{
	struct place place = maildrop_place(a);

	return storage_file_open_locked(s->root, place.path, mode, out, e);
}

int maildrop_file_read(struct storage_file *f, const struct account *a, struct buf *text,
		       struct err *e)
{
	uint64_t size;
	size_t got;

	if (storage_file_size(f, &size, e) < 0)
		return -1;

	char *to = size <= MAILDROP_TEXT_MAX ? buf_reserve(text, size) : NULL;

	if (to == NULL)
		return maildrop_damaged(e, a, 0, "it is too long");
	if (storage_file_read(f, 0, to, size, &got, e) < 0)
		return -1;
	buf_used(text, got);
	return 0;
}

/* ---- the tail ------------------------------------------------------------------ */

bool maildrop_lf_is_damaged(struct str rest, const struct account *a)
{
	struct maildrop_line line;

	if (rest.n == 0)
		return false;
	rest.n--;
	return maildrop_line_parse(rest, a->uid, &line);
}

/* read_tail - the last octets that are not 0; a disk that has made a file longer and then
 * lost what was written there leaves zeros, however many (doc/STORE.md, F3) */
static int read_tail(struct storage_file *f, uint64_t size, char *tail, size_t room,
		     uint64_t *from, size_t *got, struct err *e)
{
	for (uint64_t end = size;;) {
		size_t n;

		*from = end > room ? end - room : 0;
		if (storage_file_read(f, *from, tail, (size_t)(end - *from), got, e) < 0)
			return -1;
		for (n = *got; n > 0 && tail[n - 1] == '\0'; n--)
			;
		if (n == *got || *from == 0) {
			*got = n;
			return 0;
		}
		end = *from + n;
	}
}

int maildrop_file_tail(struct storage_file *f, const struct account *a,
		       struct maildrop_tail *out, struct err *e)
{
	char *tail = out->text;
	uint64_t from;
	size_t got;

	out->last = (struct maildrop_line){0};
	out->end = 0;
	if (storage_file_size(f, &out->size, e) < 0 ||
	    read_tail(f, out->size, tail, sizeof out->text, &from, &got, e) < 0)
		return -1;

	out->from = from;

	const char *nl = got ? memrchr(tail, '\n', got) : NULL;
	const char *rest = nl ? nl + 1 : tail;

	if (maildrop_lf_is_damaged((struct str){rest, (size_t)(tail + got - rest)}, a))
		return maildrop_damaged(e, a, 0, "its last line does not end");
	if (nl == NULL)
		return from == 0 ? 0 : maildrop_damaged(e, a, 0, "its end has no line");
	out->end = from + (uint64_t)(nl - tail) + 1;

	const char *start = memrchr(tail, '\n', (size_t)(nl - tail));

	if (start == NULL && from > 0)
		return maildrop_damaged(e, a, 0, "its last line is too long");
	start = start ? start + 1 : tail;
	if (!maildrop_line_parse((struct str){start, (size_t)(nl - start)}, a->uid,
				 &out->last))
		return maildrop_damaged(e, a, 0, "its last line is not well formed");
	out->last.trace = (struct str){"", 0};
	return 0;
}

static void put_header(const struct account *a, struct buf *text)
{
	struct maildrop_line header = {.event = MAILDROP_HEADER};

	maildrop_line_print(&header, a->uid, text);
}

/* same_incarnation - the account is still the one the caller found */
static int same_incarnation(struct store *s, const struct account *a, struct err *e)
{
	struct account now;
	bool found;

	if (account_find(s, &a->name, &now, &found, e) < 0)
		return -1;
	if (!found || now.uid != a->uid)
		return err_set(e, ERR_PERM, "5.1.1", "account %s was deleted", a->name.s);
	return 0;
}

int maildrop_file_prepare(struct store *s, struct storage_file *f,
			  const struct account *a, struct maildrop_tail *out,
			  struct buf *text, struct err *e)
{
	if (maildrop_file_tail(f, a, out, e) < 0) {
		struct err other;

		/* Lines of another incarnation look damaged, since the uid is in every
		 * checksum: tell the one from the other. */
		if (same_incarnation(s, a, &other) < 0)
			*e = other;
		return -1;
	}
	if (out->size > out->end && storage_file_cut(f, out->end, e) < 0)
		return -1;
	if (out->end > 0)
		return 0;
	put_header(a, text);
	return same_incarnation(s, a, e);
}

/* ---- one line from the delivery side ---------------------------------------------- */

/* judge_quota - which holds for an account and its folders together.  Who delivers to another
 * of them at the same time may not be seen: the quota may be passed by that one message.  What
 * is too large only because there are several copies is not larger than the mailbox. */
static int judge_quota(struct store *s, const struct account *a, uint64_t used,
		       const struct maildrop_add *add, int *verdict, struct err *e)
{
	uint64_t beside = 0;

	if (a->quota != QUOTA_NONE && folder_octets_beside(s, a, &beside, e) < 0)
		return -1;
	*verdict = (int)verdict_quota(a, used + beside, add->size + add->more);
	if (*verdict == VERDICT_TOO_LARGE &&
	    verdict_quota(a, 0, add->size) != VERDICT_TOO_LARGE)
		*verdict = VERDICT_OVER_QUOTA;
	return 0;
}

/* is_wanted - neither a retry nor more than the quota allows; or *answer says which */
static int is_wanted(struct store *s, struct storage_file *f, const struct account *a,
		     const struct maildrop_tail *tail, const struct maildrop_add *add,
		     struct maildrop_answer *answer, bool *wanted, struct err *e)
{
	if (retry_key_is_set(add->key) && add->since_ms > 0 &&
	    maildrop_find_key(f, a, tail, add->key, add->since_ms, &answer->first, e) < 0)
		return -1;
	if (add->check_quota && answer->first == 0 &&
	    judge_quota(s, a, tail->last.octets, add, &answer->verdict, e) < 0)
		return -1;
	*wanted = answer->first == 0 && answer->verdict == VERDICT_OK;
	return 0;
}

static int append_line(struct store *s, struct storage_file *f, const struct account *a,
		       const struct maildrop_add *add, struct maildrop_answer *answer,
		       struct err *e)
{
	struct maildrop_tail tail NOT_ZEROED;
	struct buf text;
	bool wanted;
	int rc = -1;

	buf_init(&text, 2 * MAILDROP_LINE_MAX);
	if (maildrop_file_prepare(s, f, a, &tail, &text, e) < 0 ||
	    is_wanted(s, f, a, &tail, add, answer, &wanted, e) < 0)
		goto out;
	if (!wanted) {
		rc = 0;
		goto out;
	}

	struct maildrop_line line = {
		.number = tail.last.number + 1,
		.event = MAILDROP_ADDED,
		.id = add->id,
		.volume = add->volume,
		.slot = add->slot,
		.size = add->size,
		.stored = add->stored,
		.header_end = add->header_end,
		.trace = add->trace,
		.key = add->key,
		.count = tail.last.count + 1,
		.octets = tail.last.octets + add->size,
	};

	maildrop_line_print(&line, a->uid, &text);
	must(!buf_over(&text));
	rc = storage_file_append(f, tail.end, buf_str(&text), e);
out:
	buf_fini(&text);
	return rc;
}

int maildrop_append(struct store *s, const struct account *a,
		    const struct maildrop_add *add, struct maildrop_answer *answer,
		    struct err *e)
{
	struct storage_file *f;

	*answer = (struct maildrop_answer){0};
	if (maildrop_file_lock(s, a, STORAGE_APPEND, &f, e) < 0)
		return err_add(e, "deliver to %s", a->name.s);
	if (f == NULL)
		return err_set(e, ERR_PERM, "5.1.1", "account %s was deleted", a->name.s);

	int rc = append_line(s, f, a, add, answer, e);

	storage_file_close(&f);
	return rc < 0 ? err_add(e, "deliver to %s", a->name.s) : 0;
}

int maildrop_append_slot(struct store *s, const struct account *a, unsigned volume,
			 const struct message_info *mi, const struct message_slot *slot,
			 uint64_t *first, struct err *e)
{
	uint64_t window_ms = s->set->lmtp.retry_window_s * 1000;
	struct maildrop_add add = {
		.id = mi->id,
		.volume = volume,
		.slot = slot->offset,
		.size = mi->size + message_trace_octets(slot->trace),
		.stored = mi->stored,
		.header_end = mi->header_end,
		.trace = slot->trace,
		.key = mi->key,
		.since_ms = window_ms > 0 ? id_unix_ms(mi->id) - window_ms : 0,
	};
	struct maildrop_answer answer;

	if (maildrop_append(s, a, &add, &answer, e) < 0)
		return -1;
	*first = answer.first;
	return 0;
}

int maildrop_tail_of(struct store *s, const struct account *a, struct maildrop_tail *out,
		     struct err *e)
{
	struct place place = maildrop_place(a);
	struct storage_file *f;
	bool found;

	out->last = (struct maildrop_line){0};
	out->end = out->size = out->from = 0;
	if (storage_file_open(s->root, place.path, STORAGE_READ, &f, &found, e) < 0)
		return -1;
	if (!found)
		return 0;

	int rc = maildrop_file_tail(f, a, out, e);

	storage_file_close(&f);
	return rc;
}

int maildrop_totals(struct store *s, const struct account *a, uint64_t *messages,
		    uint64_t *octets, struct err *e)
{
	struct maildrop_tail tail;
	int rc = maildrop_tail_of(s, a, &tail, e);

	*messages = tail.last.count;
	*octets = tail.last.octets;
	return rc;
}
