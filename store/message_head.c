/* SPDX-License-Identifier: ISC */
/*
 * message_head - the header of a message file as text; format in doc/STORE.md
 */
#include "store/message_int.h"

#include "store/id.h"
#include "store/record.h"

#include <string.h>
#include <xxhash.h>

static const char magic[] = "popstore-message 1 ";

enum {
	BODY_DIGITS = 8,
	STATE_AT = MESSAGE_STATE_AT,
	FEW_SLOTS = 4096,
};

/* ---- printing --------------------------------------------------------------- */

static void put_key(struct buf *out, const char *key)
{
	buf_put(out, str_of(key));
	buf_putc(out, ' ');
}

static void put_hex(struct buf *out, const char *key, uint64_t v)
{
	put_key(out, key);
	buf_put_hex64(out, v);
	buf_putc(out, '\n');
}

static void put_number(struct buf *out, const char *key, uint64_t v, size_t width)
{
	put_key(out, key);
	buf_put_u64(out, v, width);
	buf_putc(out, '\n');
}

static void put_text(struct buf *out, const char *key, struct str value)
{
	put_key(out, key);
	buf_put(out, value);
	buf_putc(out, '\n');
}

static void put_encoded(struct buf *out, const char *key, struct str value)
{
	put_key(out, key);
	record_encode(value, true, out);
	buf_putc(out, '\n');
}

void message_slot_print(struct message_slot *slot, size_t base, struct buf *out)
{
	slot->offset = (uint32_t)(out->n - base + STATE_AT);
	buf_put(out, STR("rcpt "));
	buf_putc(out, slot->state);
	buf_putc(out, ' ');
	record_encode(str_of(slot->name.s), true, out);
	buf_putc(out, ' ');
	buf_put(out, (struct str){id_print(slot->uid).c, ID_CHARS});
	buf_putc(out, ' ');
	buf_put(out, slot->trace.n ? slot->trace : STR("-"));
	buf_putc(out, '\n');
}

/* few_slots_sum - the same for a text that fits: repair asks thousands of times */
static uint64_t few_slots_sum(struct str text)
{
	char copy[FEW_SLOTS + 1], *p = copy, *end = copy + text.n;

	memcpy(copy, text.p, text.n);
	if (text.n > 0 && end[-1] != '\n')
		*end++ = '\n';
	while (p != end) {
		char *lf = memchr(p, '\n', (size_t)(end - p));

		if (lf - p > STATE_AT)
			p[STATE_AT] = '+';
		p = lf + 1;
	}
	return XXH3_64bits(copy, (size_t)(end - copy));
}

uint64_t message_slots_sum(struct str text)
{
	XXH3_state_t *state;
	uint64_t sum;

	if (text.n <= FEW_SLOTS)
		return few_slots_sum(text);
	state = XXH3_createState();
	must(state != NULL);
	XXH3_64bits_reset(state);
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		if (line.n > STATE_AT) {
			XXH3_64bits_update(state, line.p, STATE_AT);
			XXH3_64bits_update(state, "+", 1);
			line.p += STATE_AT + 1;
			line.n -= STATE_AT + 1;
		}
		XXH3_64bits_update(state, line.p, line.n);
		XXH3_64bits_update(state, "\n", 1);
	}
	sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return sum;
}

void message_numbers_print(const struct message_info *mi, struct buf *out)
{
	buf_put(out, str_of(magic));
	buf_put_u64(out, mi->body, BODY_DIGITS);
	buf_putc(out, '\n');
	put_text(out, "id", (struct str){id_print(mi->id).c, ID_CHARS});
	put_number(out, "arrived", mi->arrived_ms, 20);
	put_number(out, "stored", mi->stored, 20);
	put_number(out, "size", mi->size, 20);
	put_number(out, "header", mi->header_end, 20);
	put_hex(out, "body-sum", mi->sum);
	put_text(out, "retry-key",
		 (struct str){retry_key_print(mi->key).c, RETRY_KEY_DIGITS});
	put_number(out, "slots", mi->n_slots, 10);
}

void message_head_print(const struct message_info *mi, struct buf *out)
{
	size_t from = out->n;

	message_numbers_print(mi, out);
	put_encoded(out, "env-id", mi->envelope_id);
	put_encoded(out, "from", mi->from);
	if (!buf_over(out))
		put_hex(out, "head-sum", XXH3_64bits(out->p + from, out->n - from));
}

void message_header_print(struct message_info *mi, struct buf *out)
{
	size_t base = out->n;

	/* The head holds the length of the whole header, so print it once for its
	 * own length, then the slots, then the head again with the true number. */
	message_head_print(mi, out);

	size_t slots_at = out->n;

	for (size_t i = 0; i < mi->n_slots; i++)
		message_slot_print(&mi->slots[i], base, out);
	if (buf_over(out))
		return;
	put_hex(out, "slot-sum",
		message_slots_sum((struct str){out->p + slots_at, out->n - slots_at}));
	buf_putc(out, '\n');
	mi->body = out->n - base;

	struct buf head;

	buf_init(&head, MESSAGE_HEAD_MAX);
	message_head_print(mi, &head);
	must(!buf_over(&head) && head.n == slots_at - base);
	if (!buf_over(out))
		memcpy(out->p + base, head.p, head.n);
	buf_fini(&head);
}

/* ---- parsing ------------------------------------------------------------------ */

static int damaged(struct err *e, const char *why)
{
	return err_set(e, ERR_TEMP, "4.3.0", "damaged: %s", why);
}

/* next_value - the value of the next line, which must have this key */
static bool next_value(struct str *rest, const char *key, struct str *value)
{
	if (memchr(rest->p, '\n', rest->n) == NULL)
		return false;
	*value = str_cut(rest, '\n');
	return str_eq(str_cut(value, ' '), str_of(key));
}

static bool next_u64(struct str *rest, const char *key, uint64_t *out)
{
	struct str v;

	return next_value(rest, key, &v) && str_u64(v, out);
}

static bool next_hex(struct str *rest, const char *key, uint64_t *out)
{
	struct str v;

	return next_value(rest, key, &v) && str_sum64(v, out);
}

static bool parse_head(struct str *rest, struct message_info *mi)
{
	struct str id, key;
	uint64_t n;

	if (!next_value(rest, "id", &id) || !id_parse(id, &mi->id) ||
	    !next_u64(rest, "arrived", &mi->arrived_ms) ||
	    !next_u64(rest, "stored", &mi->stored) ||
	    !next_u64(rest, "size", &mi->size) ||
	    !next_u64(rest, "header", &mi->header_end) ||
	    !next_hex(rest, "body-sum", &mi->sum) ||
	    !next_value(rest, "retry-key", &key) || !retry_key_parse(key, &mi->key) ||
	    !next_u64(rest, "slots", &n) ||
	    !next_value(rest, "env-id", &mi->envelope_id) ||
	    !next_value(rest, "from", &mi->from))
		return false;
	mi->n_slots = n;
	return n <= MESSAGE_HEADER_MAX && mi->header_end <= mi->stored;
}

int message_head_parse(struct str text, struct message_info *out, struct err *e)
{
	struct str rest = text, first;
	uint64_t sum;

	*out = (struct message_info){0};
	if (!str_starts(text, str_of(magic)) || memchr(text.p, '\n', text.n) == NULL)
		return damaged(e, "it does not begin like a message file");
	first = str_cut(&rest, '\n');
	first.p += sizeof magic - 1;
	first.n -= sizeof magic - 1;
	if (first.n != BODY_DIGITS || !str_u64(first, &out->body) ||
	    out->body > MESSAGE_HEADER_MAX || !parse_head(&rest, out))
		return damaged(e, "its head is not well formed");

	size_t covered = (size_t)(rest.p - text.p);

	if (!next_hex(&rest, "head-sum", &sum) || sum != XXH3_64bits(text.p, covered))
		return damaged(e, "its head fails the checksum");
	if ((size_t)(rest.p - text.p) > out->body)
		return damaged(e, "its head is longer than it says");
	return 0;
}

bool message_slot_parse(struct str line, const char *base, struct message_slot *slot)
{
	struct str word = str_word(&line), name, uid;

	if (!str_eq(word, STR("rcpt")))
		return false;
	word = str_word(&line);
	if (word.n != 1 || (word.p[0] != '+' && word.p[0] != '-'))
		return false;
	slot->state = word.p[0];
	slot->offset = (uint32_t)(word.p - base);
	name = str_word(&line);
	uid = str_word(&line);
	if (!id_parse(uid, &slot->uid) || line.n == 0 || !record_is_encoded(line))
		return false;
	slot->trace = str_eq(line, STR("-")) ? (struct str){"", 0} : line;

	struct buf b;

	buf_init(&b, NAME_OCTETS);
	record_decode(name, &b);

	bool ok = !buf_over(&b) && name_read(buf_str(&b), &slot->name);

	buf_fini(&b);
	return ok;
}

/* skip_head - the text behind the head-sum line; message_head_parse() liked it */
static struct str skip_head(struct str text)
{
	for (struct str line; text.n > 0;) {
		line = str_cut(&text, '\n');
		if (str_starts(line, STR("head-sum ")))
			break;
	}
	return text;
}

int message_slots_parse(struct str text, struct message_info *mi, struct err *e)
{
	struct str rest = skip_head(text), slots = rest;
	uint64_t sum;

	/* The smallest line keeps a lying count from costing memory. */
	if (mi->n_slots > rest.n / 20)
		return damaged(e, "it names more recipients than it has lines");
	mi->slots = xalloc(mi->n_slots * sizeof *mi->slots);
	for (size_t i = 0; i < mi->n_slots; i++)
		if (!message_slot_parse(str_cut(&rest, '\n'), text.p, &mi->slots[i]))
			return damaged(e, "a recipient line is not well formed");
	slots.n = (size_t)(rest.p - slots.p);
	if (!next_hex(&rest, "slot-sum", &sum) || sum != message_slots_sum(slots))
		return damaged(e, "its recipients fail the checksum");
	if (!str_eq(rest, STR("\n")))
		return damaged(e, "its header does not end where it says");
	return 0;
}

void message_info_fini(struct message_info *mi)
{
	xfree(&mi->slots);
}

uint64_t message_trace_octets(struct str encoded)
{
	struct buf b;

	buf_init(&b, MESSAGE_TRACE_MAX);
	record_decode(encoded, &b);

	uint64_t n = b.n;

	buf_fini(&b);
	return n;
}
