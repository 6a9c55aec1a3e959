/* SPDX-License-Identifier: ISC */
/*
 * maildrop_retry - has this account got this message before?
 *
 * The evidence is the key in an added line, or in the tombstone that compaction keeps of a
 * removed one.  It stands near the end, since the first attempt cannot have come before
 * the MTA made its queue file, and lines are in the order of time, nearly: an id is made
 * when a message begins to come in.  So the search goes back to the first added line that
 * is older, or RETRY_SCAN_OCTETS; most of the time what append has read of the end is
 * more than that.  Further back nothing is certain: then it is taken for a new message.
 *
 * A key is compared as text first: few lines are worth parsing.
 */
#include "store/maildrop_int.h"

#include "store/id.h"
#include "store/store_int.h"

#include <string.h>

enum { RETRY_SCAN_OCTETS = 65536 };

/* whole_lines - leaves out the piece of a line that a text from the middle begins with */
static struct str whole_lines(struct str text, bool from_middle)
{
	if (from_middle)
		str_cut(&text, '\n');
	return text;
}

/* line_at - the whole line around p, which is in text */
static bool line_at(struct str text, const char *p, uint64_t uid,
		    struct maildrop_line *out)
{
	const char *lf = memrchr(text.p, '\n', (size_t)(p - text.p));
	const char *from = lf ? lf + 1 : text.p;
	struct str rest = {from, (size_t)(text.p + text.n - from)};

	return maildrop_line_parse(str_cut(&rest, '\n'), uid, out);
}

static bool has_key(const struct maildrop_line *l)
{
	return retry_key_is_set(l->key);
}

/* find - the id that the key came with, or 0 */
static uint64_t find(struct str text, uint64_t uid, struct retry_key key,
		     uint64_t since_ms)
{
	struct retry_text k = retry_key_print(key);
	const char *p = text.p, *end = text.p + text.n;
	struct maildrop_line line;

	while ((p = memmem(p, (size_t)(end - p), k.c, RETRY_KEY_DIGITS)) != NULL) {
		if (line_at(text, p, uid, &line) && retry_key_eq(line.key, key) &&
		    id_unix_ms(line.id) >= since_ms)
			return line.id;
		p++;
	}
	return 0;
}

/* reaches_back - the first added line of the text is older, so that all before it are */
static bool reaches_back(struct str text, uint64_t uid, uint64_t since_ms)
{
	struct maildrop_line line;

	while (text.n > 0)
		if (maildrop_line_parse(str_cut(&text, '\n'), uid, &line) &&
		    line.event == MAILDROP_ADDED)
			return id_unix_ms(line.id) < since_ms;
	return false;
}

/* find_before - in what stands before offset `end`, where a line begins */
static int find_before(struct storage_file *f, const struct account *a, uint64_t end,
		       struct retry_key key, uint64_t since_ms, uint64_t *id,
		       struct err *e)
{
	const uint64_t least = end > RETRY_SCAN_OCTETS ? end - RETRY_SCAN_OCTETS : 0;
	char octets[MAILDROP_TAIL_MAX] NOT_ZEROED;
	bool back = false;

	while (*id == 0 && !back && end > least) {
		uint64_t from = end > sizeof octets ? end - sizeof octets : 0;
		struct str text = {octets, 0};

		if (storage_file_read(f, from, octets, (size_t)(end - from), &text.n, e) <
		    0)
			return -1;
		text = whole_lines(text, from > 0);
		*id = find(text, a->uid, key, since_ms);
		back = text.n == 0 || reaches_back(text, a->uid, since_ms);
		end = from + (uint64_t)(text.p - octets);
	}
	return 0;
}

static struct str tail_text(const struct maildrop_tail *tail)
{
	if (tail->end == 0)
		return (struct str){"", 0};
	return whole_lines((struct str){tail->text, (size_t)(tail->end - tail->from)},
			   tail->from > 0);
}

int maildrop_find_key(struct storage_file *f, const struct account *a,
		      const struct maildrop_tail *tail, struct retry_key key,
		      uint64_t since_ms, uint64_t *id, struct err *e)
{
	struct str text = tail_text(tail);

	*id = find(text, a->uid, key, since_ms);
	if (*id != 0 || tail->from == 0 || reaches_back(text, a->uid, since_ms))
		return 0;
	return find_before(f, a, tail->from + (uint64_t)(text.p - tail->text), key,
			   since_ms, id, e);
}

int maildrop_find_first(struct store *s, const struct account *a, struct retry_key key,
			uint64_t since_ms, uint64_t *id, struct err *e)
{
	struct place place = maildrop_place(a);
	struct maildrop_tail tail;
	struct storage_file *f;
	bool found;
	int rc;

	*id = 0;
	if (storage_file_open(store_root(s), place.path, STORAGE_READ, &f, &found, e) < 0)
		return -1;
	if (!found)
		return 0;
	rc = maildrop_file_tail(f, a, &tail, e);
	if (rc == 0)
		rc = maildrop_find_key(f, a, &tail, key, since_ms, id, e);
	storage_file_close(&f);
	return rc;
}

/* is_like - what the MTA declares and what is stored differ by the fields on top, and by
 * how line ends are counted */
static bool is_like(uint64_t declared, uint64_t stored)
{
	uint64_t differ = declared > stored ? declared - stored : stored - declared;

	return declared == 0 || differ <= 4096 + declared / 8;
}

static bool any_like(struct str text, uint64_t uid, uint64_t size, uint64_t since_ms)
{
	struct maildrop_line line;

	while (text.n > 0)
		if (maildrop_line_parse(str_cut(&text, '\n'), uid, &line) &&
		    line.event == MAILDROP_ADDED && has_key(&line) &&
		    is_like(size, line.size) && id_unix_ms(line.id) >= since_ms)
			return true;
	return false;
}

int maildrop_may_be_retry(struct store *s, const struct account *a, uint64_t size,
			  uint64_t since_ms, bool *may_be, struct err *e)
{
	struct maildrop_tail tail;

	*may_be = false;
	if (maildrop_tail_of(s, a, &tail, e) < 0)
		return -1;
	*may_be = any_like(tail_text(&tail), a->uid, size, since_ms);
	return 0;
}
