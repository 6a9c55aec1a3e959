/* SPDX-License-Identifier: ISC */
/*
 * maildrop_hole - a maildrop of which a later block reached the disk and an earlier one not
 *
 * Lines of deliveries are not synced, and a disk writes blocks in any order.  After a
 * power cut there can be a run of NULs where the blocks between are missing, with lines
 * behind it.  Whatever is behind it was never synced either, so all of it can be made
 * again from the message files, and recovery cuts it off.  Sessions sync at each end
 * of a block, see append_in_order(): they leave no hole that recovery would not look at.
 *
 * A hole is told from other damage by its shape (it ends where a block ends, and begins
 * where a line or a block does), and by what is behind it: a line of a message older
 * than its writer's checkpoint was durable, so what is missing before it was too.  Nor is
 * it cut off where a line behind it came after the power cut, as when services ran before
 * anybody could recover: that message's own writer will not bring it back.
 */
#include "store/maildrop_int.h"

#include "store/id.h"
#include "store/store_int.h"

#include <string.h>

enum { SECTOR = 512 }; /* no block is smaller */

/* is_hole - `line` begins at the offset `at` of the file; `last` when nothing follows */
static bool is_hole(struct str line, uint64_t at, bool last)
{
	const char *nul = line.n ? memchr(line.p, '\0', line.n) : NULL;

	if (nul == NULL)
		return false;

	size_t from = (size_t)(nul - line.p), to = from;

	while (to < line.n && line.p[to] == '\0')
		to++;
	return (from == 0 || (at + from) % SECTOR == 0) &&
	       ((at + to) % SECTOR == 0 || (last && to == line.n));
}

/* Who recovers, for whom. */
struct cutter {
	struct store *s;
	const struct account *a;
	uint32_t writer;
};

/* stays - its message would not be brought back */
static bool stays(const struct cutter *c, const struct maildrop_line *l)
{
	uint32_t writer = id_writer(l->id);

	return l->event == MAILDROP_ADDED &&
	       (id_unix_ms(l->id) < writer_checkpoint_of(c->s->root, writer) ||
		(writer != c->writer && writer_is_of_now(c->s->root, writer)));
}

static bool any_stays(const struct cutter *c, struct str rest)
{
	while (rest.n > 0) {
		struct maildrop_line line;

		if (maildrop_line_parse(str_cut(&rest, '\n'), c->a->uid, &line) &&
		    stays(c, &line))
			return true;
	}
	return false;
}

/* find_hole - where the line begins that has it */
static bool find_hole(const struct cutter *c, struct str text, uint64_t *at)
{
	struct str rest = text;

	while (rest.n > 0) {
		struct maildrop_line line;
		uint64_t begins = text.n - rest.n;
		struct str one = str_cut(&rest, '\n');

		if (maildrop_line_parse(one, c->a->uid, &line))
			continue;
		*at = begins;
		return is_hole(one, begins, rest.n == 0) && !any_stays(c, rest);
	}
	return false;
}

int maildrop_cut_hole(struct store *s, const struct account *a, uint32_t writer,
		      bool *cut, struct err *e)
{
	const struct cutter c = {s, a, writer};
	struct storage_file *f;
	struct buf text;
	uint64_t at;
	int rc;

	*cut = false;
	if (maildrop_file_lock(s, a, STORAGE_WRITE, &f, e) < 0)
		return -1;
	if (f == NULL)
		return 0;
	buf_init(&text, MAILDROP_TEXT_MAX);
	rc = maildrop_file_read(f, a, &text, e);
	if (rc == 0 && find_hole(&c, buf_str(&text), &at)) {
		/* Synced, or another power cut could put the old lines behind new ones. */
		if (storage_file_cut(f, at, e) < 0 || storage_file_sync(f, e) < 0)
			rc = -1;
		*cut = rc == 0;
	}
	buf_fini(&text);
	storage_file_close(&f);
	return rc;
}
