/* SPDX-License-Identifier: ISC */
/*
 * message_mend_head - the first part of a damaged header
 */
#include "store/message_mend_int.h"

#include "mail/dotstream.h"
#include "store/id.h"
#include "store/mend.h"
#include "store/record.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

enum {
	PIECE = 65536,
	ARRIVED_MS = 5000, /* so long after the id is made is it written down, at most */
	DAY_MS = 24 * 60 * 60 * 1000,
	/* The last two lines of the head, with nothing in them. */
	TEXTS_MIN = sizeof "env-id \nfrom \n" - 1,
	HEAD_MIN = MESSAGE_NUMBERS + TEXTS_MIN + MESSAGE_SUM_LINE,
	HEADER_MIN = HEAD_MIN + MESSAGE_SLOT_LINE_MIN + MESSAGE_SUM_LINE + 1,
};

/* ---- the body ----------------------------------------------------------------------- */

struct body {
	uint64_t sum;
	bool ends; /* at the end of the file, and nowhere before */
	struct dotstream seen;
};

static int look_at_body(struct message_repair *r, uint64_t offset, struct body *out,
			struct err *e)
{
	XXH3_state_t *state = XXH3_createState();
	char *piece = xalloc(PIECE);
	uint64_t at = offset, seen = 0;
	size_t got = PIECE;
	int rc = 0;

	must(state != NULL);
	XXH3_64bits_reset(state);
	dotstream_init(&out->seen);
	while (rc == 0 && got == PIECE) {
		rc = storage_file_read(r->file, at, piece, PIECE, &got, e);
		if (rc < 0)
			break;
		XXH3_64bits_update(state, piece, got);
		seen += dotstream_feed(&out->seen, (struct str){piece, got});
		at += got;
	}
	out->sum = XXH3_64bits_digest(state);
	out->ends = out->seen.ended && seen == r->size - offset;
	XXH3_freeState(state);
	xfree(&piece);
	return rc;
}

/* is_body - the one that the head is about */
static int is_body(struct message_repair *r, struct err *e)
{
	struct body body;

	if (r->mi.id != r->id)
		return err_set(e, ERR_TEMP, "4.3.0", "it is message %s",
			       id_print(r->mi.id).c);
	if (r->mi.body + r->mi.stored != r->size || r->mi.body > r->header.n)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "it has not the length that its header says");
	if (look_at_body(r, r->mi.body, &body, e) < 0)
		return -1;
	if (body.sum != r->mi.sum)
		return err_set(e, ERR_TEMP, "4.3.0", "its body fails the checksum");
	buf_cut(&r->header, (size_t)r->mi.body);
	return 0;
}

/* ---- one octet ---------------------------------------------------------------------- */

/* ends_in_sum - asked first, since it is quick and nearly always false */
static bool ends_in_sum(struct str head)
{
	const char *line = head.p + head.n - MESSAGE_SUM_LINE;
	uint64_t sum;

	return memcmp(line, "head-sum ", 9) == 0 &&
	       str_sum64((struct str){line + 9, 16}, &sum) &&
	       XXH3_64bits(head.p, head.n - MESSAGE_SUM_LINE) == sum;
}

static bool head_is_whole(struct str text, void *ctx)
{
	struct message_repair *r = ctx;
	struct err ignored;

	return ends_in_sum(text) && message_head_parse(text, &r->mi, &ignored) == 0 &&
	       r->mi.id == r->id && r->mi.body + r->mi.stored == r->size;
}

/* head_end - where the recipients begin, if one octet of the head at most is damaged */
static size_t head_end(struct str text)
{
	size_t sum = message_mend_find(text, 0, "head-sum ");
	size_t rcpt = message_mend_find(text, 0, "\nrcpt ");

	if (sum > 0)
		return sum + MESSAGE_SUM_LINE <= text.n ? sum + MESSAGE_SUM_LINE : 0;
	return rcpt + 1 >= HEAD_MIN ? rcpt + 1 : 0;
}

static bool mend_one(struct message_repair *r)
{
	struct str text = buf_str(&r->header);

	text.n = text.n < MESSAGE_HEAD_MAX ? text.n : MESSAGE_HEAD_MAX;
	r->slots_at = head_end(text);
	return r->slots_at > 0 && mend_octet(r->header.p, r->slots_at, head_is_whole, r);
}

/* slots_begin - behind a head that is whole */
static size_t slots_begin(struct str text)
{
	return message_mend_find(text, MESSAGE_NUMBERS, "\nhead-sum ") + 1 +
	       MESSAGE_SUM_LINE;
}

/* ---- from the rest ------------------------------------------------------------------ */

static struct str number_at(const struct message_repair *r, size_t at, size_t digits)
{
	if (at + digits > r->was.n)
		return (struct str){"", 0};
	return (struct str){r->was.p + at, digits};
}

/* texts_end - of the lines env-id and from, if both are well formed; or 0 */
static size_t texts_end(struct str text)
{
	struct str rest = text, line;

	if (text.n < MESSAGE_NUMBERS)
		return 0;
	rest.p += MESSAGE_NUMBERS;
	rest.n -= MESSAGE_NUMBERS;
	line = str_cut(&rest, '\n');
	if (!str_eq(str_word(&line), STR("env-id")) || !record_is_encoded(line))
		return 0;
	line = str_cut(&rest, '\n');
	if (!str_eq(str_word(&line), STR("from")) || !record_is_encoded(line) ||
	    rest.n == 0 || rest.p < text.p + MESSAGE_NUMBERS + TEXTS_MIN)
		return 0;
	return (size_t)(rest.p - text.p);
}

/* sum_line - where it is: no octet of the head before it can look like it */
static size_t sum_line(const struct message_repair *r)
{
	struct str text = buf_str(&r->was);
	size_t at;

	text.n = text.n < MESSAGE_HEAD_MAX ? text.n : MESSAGE_HEAD_MAX;
	at = message_mend_find(text, MESSAGE_NUMBERS + TEXTS_MIN, "head-sum ");
	return at ? at : texts_end(text);
}

static size_t count_lines(struct str text, size_t from)
{
	size_t n = 0;

	for (size_t at = from - 1; (at = message_mend_find(text, at, "\nrcpt ")) > 0;
	     at++)
		n++;
	return n;
}

/* is_sum - the head with these numbers, and the texts that are in the file */
static bool is_sum(const struct message_repair *r, size_t sum_at, uint64_t sum)
{
	struct buf head;
	bool is;

	buf_init(&head, MESSAGE_HEAD_MAX);
	message_numbers_print(&r->mi, &head);
	buf_put(&head,
		(struct str){r->was.p + MESSAGE_NUMBERS, sum_at - MESSAGE_NUMBERS});
	is = !buf_over(&head) && XXH3_64bits(head.p, head.n) == sum;
	buf_fini(&head);
	return is;
}

static struct retry_key claimed_key(const struct message_repair *r)
{
	return r->claims->n > 0 ? r->claims->v[0].key : (struct retry_key){0, 0};
}

/* try_times - as it is there, or soon after the id was made */
static bool try_times(struct message_repair *r, size_t sum_at, uint64_t sum)
{
	const uint64_t there = r->mi.arrived_ms, made = id_unix_ms(r->id);

	if (is_sum(r, sum_at, sum))
		return true;
	for (uint64_t after = 0; after < ARRIVED_MS; after++) {
		r->mi.arrived_ms = made + after;
		if (is_sum(r, sum_at, sum))
			return true;
	}
	r->mi.arrived_ms = there;
	return false;
}

/* try_numbers - those that the body does not tell, as the head has them or as they may have
 * been, until the sum fits */
static bool try_numbers(struct message_repair *r, size_t sum_at, uint64_t sum)
{
	const struct message_info best = r->mi;
	const struct retry_key keys[] = {best.key, claimed_key(r), {0, 0}};
	const size_t slots[] = {best.n_slots, count_lines(buf_str(&r->header),
							  sum_at + MESSAGE_SUM_LINE)};

	for (size_t i = 0; i < countof(keys) * countof(slots); i++) {
		r->mi.n_slots = slots[i % 2];
		r->mi.key = keys[i / 2];
		if ((i < 2 || !retry_key_eq(keys[i / 2], keys[i / 2 - 1])) &&
		    (i % 2 == 0 || slots[0] != slots[1]) && try_times(r, sum_at, sum))
			return true;
	}
	r->mi = best;
	return false;
}

/* proved_by_head - the sum of the head is still there, and fits */
static bool proved_by_head(struct message_repair *r)
{
	size_t sum_at = sum_line(r);
	uint64_t sum;

	return sum_at > 0 && sum_at + MESSAGE_SUM_LINE <= r->header.n &&
	       str_sum64(number_at(r, sum_at + 9, 16), &sum) &&
	       try_numbers(r, sum_at, sum);
}

/* is_this - the id is still there; or the key, which says more than an id */
static bool is_this(const struct message_repair *r)
{
	struct retry_key key;
	uint64_t id;

	if (id_parse(number_at(r, MESSAGE_AT_ID, ID_CHARS), &id) && id == r->id)
		return true;
	return retry_key_parse(number_at(r, MESSAGE_AT_KEY, RETRY_KEY_DIGITS), &key) &&
	       retry_key_is_set(key) && retry_key_eq(key, claimed_key(r));
}

/* proved_by_body - the sum of the body is still there, and it fits the body, and this is
 * where it belongs.  What else the head says is for people. */
static bool proved_by_body(struct message_repair *r)
{
	uint64_t sum;

	if (!str_sum64(number_at(r, MESSAGE_AT_SUM, 16), &sum) || sum != r->mi.sum ||
	    !is_this(r) || !message_claims_agree(r))
		return false;
	if (r->claims->n > 0)
		r->mi.key = claimed_key(r);
	return true;
}

/* describe - what the body and the place say, and what is left of the head */
static void describe(struct message_repair *r, uint64_t offset, const struct body *body)
{
	uint64_t at = id_unix_ms(r->id);

	r->mi = (struct message_info){
		.id = r->id,
		.body = offset,
		.stored = r->size - offset,
		.size = body->seen.size,
		.header_end = body->seen.header_end,
		.sum = body->sum,
	};
	if (!str_u64(number_at(r, MESSAGE_AT_ARRIVED, 20), &r->mi.arrived_ms) ||
	    r->mi.arrived_ms + DAY_MS < at || r->mi.arrived_ms > at + DAY_MS)
		r->mi.arrived_ms = at;
	if (!retry_key_parse(number_at(r, MESSAGE_AT_KEY, RETRY_KEY_DIGITS), &r->mi.key))
		r->mi.key = claimed_key(r);
	uint64_t n;

	if (str_u64(number_at(r, MESSAGE_AT_SLOTS, 10), &n) && n <= MESSAGE_HEADER_MAX)
		r->mi.n_slots = n;
}

/* try_offset - *proved if the body begins there */
static int try_offset(struct message_repair *r, uint64_t offset, bool *proved,
		      struct err *e)
{
	struct body body;
	size_t sum_at;

	if (*proved || offset < HEADER_MIN || offset > r->was.n || offset >= r->size)
		return 0;
	if (look_at_body(r, offset, &body, e) < 0)
		return -1;
	if (!body.ends)
		return 0;
	buf_clear(&r->header);
	buf_put(&r->header, (struct str){r->was.p, offset});
	describe(r, offset, &body);
	*proved = proved_by_head(r) || proved_by_body(r);
	if (!*proved)
		return 0;
	sum_at = sum_line(r);
	r->slots_at = sum_at + MESSAGE_SUM_LINE <= offset && sum_at > 0
			      ? sum_at + MESSAGE_SUM_LINE
			      : 0;
	r->made = true;
	return 0;
}

/* from_the_rest - with each offset of the body that something gives */
static int from_the_rest(struct message_repair *r, struct err *e)
{
	size_t slot_sum = message_mend_find(buf_str(&r->was), 0, "\nslot-sum ");
	uint64_t offset[4] = {0}, n;
	bool proved = false;

	if (str_u64(number_at(r, MESSAGE_AT_BODY, 8), &n))
		offset[0] = n;
	if (str_u64(number_at(r, MESSAGE_AT_STORED, 20), &n) && n < r->size)
		offset[1] = r->size - n;
	if (r->claims->n > 0 && r->claims->v[0].stored < r->size)
		offset[2] = r->size - r->claims->v[0].stored;
	if (slot_sum > 0)
		offset[3] = slot_sum + 1 + MESSAGE_SUM_LINE + 1;
	for (size_t i = 0; i < countof(offset); i++) {
		bool tried = false;

		for (size_t k = 0; k < i; k++)
			tried = tried || offset[k] == offset[i];
		if (!tried && try_offset(r, offset[i], &proved, e) < 0)
			return -1;
	}
	return proved ? 0
		      : err_set(e, ERR_TEMP, "4.3.0",
				"too much of its head is lost to prove that its body is "
				"whole");
}

/* is_ours - each number where this program puts it, so that it can be printed again */
static bool is_ours(const struct message_repair *r)
{
	struct buf head;
	bool is;

	buf_init(&head, MESSAGE_HEAD_MAX);
	message_numbers_print(&r->mi, &head);
	is = r->slots_at >= HEAD_MIN && head.n <= r->header.n &&
	     memcmp(head.p, r->header.p, head.n) == 0;
	buf_fini(&head);
	return is;
}

int message_mend_head(struct message_repair *r, struct err *e)
{
	struct err why;

	if (message_head_parse(buf_str(&r->header), &r->mi, &why) < 0 && !mend_one(r))
		return from_the_rest(r, e);
	r->slots_at = slots_begin(buf_str(&r->header));
	if (!is_ours(r))
		return err_set(e, ERR_TEMP, "4.3.0",
			       "its head is not written as this program does it");
	return is_body(r, e);
}

/* ---- printing ----------------------------------------------------------------------- */

/* put_texts - the last lines of the head, n octets of them; an octet that was lost is a `?` */
static void put_texts(const struct message_repair *r, size_t n, struct buf *out)
{
	static const char env_id[] = "env-id ", from[] = "\nfrom ";
	size_t begin = out->n, at;
	char *p;

	buf_put(out, (struct str){r->header.p + begin, n});
	must(!buf_over(out));
	p = out->p + begin;
	at = message_mend_find((struct str){p, n}, sizeof env_id - 1, from);
	if (at == 0 || at > n - sizeof from)
		at = n - sizeof from;
	for (size_t i = 0; i < n; i++)
		if (!record_is_encoded((struct str){p + i, 1}))
			p[i] = '?';
	memcpy(p, env_id, sizeof env_id - 1);
	memcpy(p + at, from, sizeof from - 1);
	p[n - 1] = '\n';
}

void message_mend_print(struct message_repair *r)
{
	struct buf head;

	buf_init(&head, r->slots_at);
	message_numbers_print(&r->mi, &head);
	must(r->slots_at >= HEAD_MIN);
	put_texts(r, r->slots_at - MESSAGE_SUM_LINE - MESSAGE_NUMBERS, &head);
	buf_printf(&head, "head-sum %016" PRIx64 "\n", XXH3_64bits(head.p, head.n));
	must(!buf_over(&head) && head.n == r->slots_at);
	memcpy(r->header.p, head.p, head.n);
	buf_fini(&head);
}
