/* SPDX-License-Identifier: ISC */
/*
 * message_mend_slots - the recipient lines of a damaged header
 *
 *   | head | rcpt ... | rcpt ... | slot-sum ... | LF | body
 *          ^ slots_at            ^ lines_end()
 */
#include "store/message_mend_int.h"

#include "store/id.h"
#include "store/mend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* A line that stands for what was lost: nobody has this uid. */
static const char filler[] = "rcpt + x@x 0000000000000 ";

static const char no_room[] =
	"its recipients cannot be made again: what maildrops say of it "
	"does not fit its length";

static size_t lines_end(const struct message_repair *r)
{
	return r->header.n - 1 - MESSAGE_SUM_LINE;
}

/* read_sum - as it stands there, with the empty line behind it */
static bool read_sum(const struct message_repair *r, uint64_t *sum)
{
	const char *p = r->header.p + lines_end(r);

	return memcmp(p, "slot-sum ", 9) == 0 &&
	       str_sum64((struct str){p + 9, 16}, sum) &&
	       p[MESSAGE_SUM_LINE - 1] == '\n' && p[MESSAGE_SUM_LINE] == '\n';
}

/* fits_from - the recipients begin there, and are whole */
static bool fits_from(const struct message_repair *r, size_t from)
{
	struct str lines = {r->header.p + from, lines_end(r) - from};
	uint64_t sum;

	return read_sum(r, &sum) && message_slots_sum(lines) == sum;
}

static bool fits(struct str text UNUSED, void *ctx)
{
	const struct message_repair *r = ctx;

	return fits_from(r, r->slots_at);
}

/* settle_states - one that is neither holds: the check of slots lets it go, if it may */
static void settle_states(struct message_repair *r)
{
	char *p = r->header.p + r->slots_at, *end = r->header.p + lines_end(r);

	while (p != NULL && end - p > MESSAGE_STATE_AT) {
		char *state = p + MESSAGE_STATE_AT;

		if (memcmp(p, "rcpt ", 5) == 0 && *state != '-')
			*state = '+';
		p = memchr(p, '\n', (size_t)(end - p));
		p += p != NULL;
	}
}

/* finish - the sum over what is there now, and the count */
static void finish(struct message_repair *r)
{
	struct str lines = {r->header.p + r->slots_at, lines_end(r) - r->slots_at};
	char sum[MESSAGE_SUM_LINE + 2];
	size_t n = 0;

	snprintf(sum, sizeof sum, "slot-sum %016" PRIx64 "\n\n",
		 message_slots_sum(lines));
	memcpy(r->header.p + lines_end(r), sum, MESSAGE_SUM_LINE + 1);
	while (lines.n > 0) {
		str_cut(&lines, '\n');
		n++;
	}
	r->made = r->made || n != r->mi.n_slots;
	r->mi.n_slots = n;
}

/* mend_one - one octet of all from the first line to the end */
static bool mend_one(struct message_repair *r)
{
	settle_states(r);
	if (!mend_octet(r->header.p + r->slots_at, r->header.n - r->slots_at, fits, r))
		return false;
	/* There may be one line more now. */
	settle_states(r);
	finish(r);
	return true;
}

/* ---- claims ------------------------------------------------------------------------- */

static void print_line(const struct message_claim *c, struct buf *out)
{
	struct message_slot slot = {
		.uid = c->uid, .state = '+', .trace = str_of(c->trace)};

	buf_clear(out);
	if (name_read(str_of(c->name), &slot.name))
		message_slot_print(&slot, 0, out);
}

/* A run of octets between claimed lines; what is left, if from is before to. */
struct gap {
	size_t from, to;
};

/* place - the claimed lines, each in its place; the gaps before each of them and behind the
 * last one.  False if they do not fit. */
static bool place(struct message_repair *r, const struct message_claim *v, size_t n,
		  struct gap *gaps)
{
	size_t at = r->slots_at, end = lines_end(r);
	struct buf line;
	bool ok = true;

	buf_init(&line, 4 * NAME_OCTETS + 4 * MESSAGE_TRACE_MAX);
	for (size_t i = 0; ok && i < n; i++) {
		size_t from = (size_t)v[i].slot - MESSAGE_STATE_AT;

		print_line(&v[i], &line);
		ok = v[i].slot >= at + MESSAGE_STATE_AT && from <= end && line.n > 0 &&
		     !buf_over(&line) && line.n <= end - from;
		if (!ok)
			break;
		memcpy(r->header.p + from, line.p, line.n);
		gaps[i] = (struct gap){at, from};
		at = from + line.n;
	}
	buf_fini(&line);
	gaps[n] = (struct gap){at, end};
	return ok;
}

/* fill - false if it can hold no line */
static bool fill(struct message_repair *r, size_t from, size_t to)
{
	size_t n = to - from;
	char *p = r->header.p + from;

	if (n == 0)
		return true;
	if (n < MESSAGE_SLOT_LINE_MIN)
		return false;
	memcpy(p, filler, sizeof filler - 1);
	memset(p + sizeof filler - 1, '=', n - sizeof filler);
	p[n - 1] = '\n';
	r->fillers++;
	return true;
}

/* is_known - the line of an account that is there, and nobody will be sent its trace */
static bool is_known(struct message_repair *r, struct str line)
{
	const struct message_claims *c = r->claims;
	enum message_owner owner = MESSAGE_OWNER_NONE;
	struct message_slot slot;

	if (c->owner != NULL && message_slot_parse(line, line.p, &slot))
		owner = c->owner(&slot.name, slot.uid, c->ctx);
	if (owner == MESSAGE_OWNER_OTHER && slot.state == '+' && slot.trace.n > 0)
		r->doubt = true;
	return owner != MESSAGE_OWNER_NONE;
}

/* fill_gap - but for the lines in it that are known */
static bool fill_gap(struct message_repair *r, struct gap g)
{
	struct str rest = {r->header.p + g.from, g.to - g.from};
	size_t from = g.from, at = g.from;

	while (memchr(rest.p, '\n', rest.n) != NULL) {
		struct str line = str_cut(&rest, '\n');

		if (is_known(r, line)) {
			if (!fill(r, from, at))
				return false;
			from = at + line.n + 1;
		}
		at += line.n + 1;
	}
	return fill(r, from, g.to);
}

static int fill_all(struct message_repair *r, const struct gap *gaps, size_t n,
		    struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!fill_gap(r, gaps[i]))
			return err_set(e, ERR_TEMP, "4.3.0", "%s", no_room);
	if (r->doubt)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "a recipient of it has lost it from his maildrop, and his "
			       "line in it is not proved");
	if (r->fillers > 0 && !r->claims->complete)
		return err_set(
			e, ERR_TEMP, "4.3.0",
			"a recipient of it is lost, and not all maildrops could be "
			"read to tell who it was: mend those first");
	finish(r);
	return 0;
}

/* from_claims - `v` is in the order of slots */
static int from_claims(struct message_repair *r, const struct message_claim *v, size_t n,
		       struct err *e)
{
	struct gap *gaps = xalloc((n + 1) * sizeof *gaps);
	int rc;

	if (!message_claims_agree(r) || !place(r, v, n, gaps))
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s", no_room);
	else if (mend_one(r))
		rc = 0;
	else
		rc = fill_all(r, gaps, n + 1, e);
	xfree(&gaps);
	return rc;
}

/* ---- where they begin ------------------------------------------------------------------- */

/* begin - The head's end is lost.  If the slot-sum does not tell where it was, nor the number
 * of recipients, the head is made as short as can be, so that what may have been a recipient
 * becomes a filler, and nothing else. */
static void begin(struct message_repair *r, const struct message_claim *v, size_t n)
{
	size_t rcpt = message_mend_find(buf_str(&r->header), MESSAGE_NUMBERS, "\nrcpt ");
	size_t first = n > 0 ? (size_t)v[0].slot - MESSAGE_STATE_AT : 0;
	size_t least = MESSAGE_NUMBERS + sizeof "env-id \nfrom \n" - 1 + MESSAGE_SUM_LINE;

	r->slots_at = least;
	if (rcpt > 0 && rcpt + 1 >= least && rcpt + 1 < lines_end(r) &&
	    fits_from(r, rcpt + 1))
		r->slots_at = rcpt + 1;
	else if (n > 0 && v[0].slot >= least + MESSAGE_STATE_AT && first < lines_end(r) &&
		 (n == r->mi.n_slots || first - least < MESSAGE_SLOT_LINE_MIN))
		r->slots_at = first;
}

int message_mend_slots(struct message_repair *r, struct err *e)
{
	const struct message_claim *v = r->claims->v;
	int rc = 0;

	if (r->header.n < r->slots_at + MESSAGE_SLOT_LINE_MIN + MESSAGE_SUM_LINE + 1)
		rc = err_set(e, ERR_TEMP, "4.3.0", "its head is longer than it says");
	if (rc == 0 && r->slots_at == 0)
		begin(r, v, r->claims->n);
	if (rc == 0 && !mend_one(r))
		rc = from_claims(r, v, r->claims->n, e);
	return rc;
}
