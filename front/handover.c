/* SPDX-License-Identifier: ISC */
#include "front/handover.h"

#include "lib/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TITLE "popstore-handover 1"

/* ---- the texts and switches in it ------------------------------------------------- */

#define FIELD(name) offsetof(struct handover, name), sizeof(((struct handover *)0)->name)

static const struct {
	const char *key;
	size_t offset, size;
} texts[] = {
	/* clang-format off */
	{"account", FIELD(account)},
	{"peer", FIELD(peer)},
	{"sid", FIELD(sid)},
	{"ticket", FIELD(ticket)},
	{"mechanisms", FIELD(mechanisms)},
	{"server", FIELD(server)},
	{"last-word", FIELD(last_word)},
	/* clang-format on */
};

static const struct {
	const char *key;
	size_t offset;
} switches[] = {
	/* clang-format off */
	{"loopback", offsetof(struct handover, loopback)},
	{"tls", offsetof(struct handover, tls)},
	{"plaintext", offsetof(struct handover, plaintext)},
	/* clang-format on */
};

void handover_last_word(struct handover *h, struct str octets)
{
	struct buf text;

	buf_init(&text, sizeof h->last_word - 1);
	base64_encode(octets, &text);
	snprintf(h->last_word, sizeof h->last_word, "%s", buf_cstr(&text));
	/* No base64 has a line end: it cannot be written. */
	if (buf_over(&text))
		snprintf(h->last_word, sizeof h->last_word, "\n");
	buf_fini(&text);
}

/* ---- writing ---------------------------------------------------------------------- */

static void put_line(struct buf *out, const char *key, struct str value)
{
	buf_put(out, str_of(key));
	buf_putc(out, ' ');
	buf_put(out, value);
	buf_putc(out, '\n');
}

bool handover_write(const struct handover *h, struct buf *out)
{
	buf_put(out, STR(TITLE "\n"));
	for (size_t i = 0; i < countof(texts); i++) {
		struct str text = str_of((const char *)h + texts[i].offset);

		if (str_has_control(text))
			return false;
		if (text.n > 0)
			put_line(out, texts[i].key, text);
	}
	buf_printf(out, "uid %" PRIu64 "\n", h->uid);
	for (size_t i = 0; i < countof(switches); i++)
		if (*(const bool *)((const char *)h + switches[i].offset))
			put_line(out, switches[i].key, STR("yes"));
	buf_put(out, STR("\n"));
	buf_put(out, h->unread);
	return !buf_over(out) && h->unread.n <= HANDOVER_UNREAD;
}

/* ---- reading ---------------------------------------------------------------------- */

static bool read_text(struct handover *h, struct str key, struct str value)
{
	for (size_t i = 0; i < countof(texts); i++) {
		char *at = (char *)h + texts[i].offset;

		if (!str_eq(key, str_of(texts[i].key)))
			continue;
		if (value.n >= texts[i].size || at[0] != '\0')
			return false;
		memcpy(at, value.p, value.n);
		return true;
	}
	return false;
}

static bool read_switch(struct handover *h, struct str key, struct str value)
{
	for (size_t i = 0; i < countof(switches); i++)
		if (str_eq(key, str_of(switches[i].key)) && str_eq(value, STR("yes"))) {
			*(bool *)((char *)h + switches[i].offset) = true;
			return true;
		}
	return false;
}

static bool read_line(struct handover *h, struct str line)
{
	struct str value = line, key = str_word(&value);

	if (value.n == 0 || str_has_control(value))
		return false;
	if (str_eq(key, STR("uid")))
		return str_u64(value, &h->uid);
	return read_text(h, key, value) || read_switch(h, key, value);
}

static bool read_all(struct str note, struct handover *h)
{
	if (!str_eq(str_cut(&note, '\n'), STR(TITLE)))
		return false;
	while (note.n > 0 && note.p[0] != '\n')
		if (!read_line(h, str_cut(&note, '\n')))
			return false;
	if (note.n == 0 || note.n - 1 > HANDOVER_UNREAD)
		return false;
	h->unread = (struct str){note.p + 1, note.n - 1};
	return h->account[0] != '\0' && h->peer[0] != '\0' && h->sid[0] != '\0';
}

int handover_read(struct str note, struct handover *out, struct err *e)
{
	*out = (struct handover){0};
	if (read_all(note, out))
		return 0;
	return err_set(e, ERR_TEMP, "4.3.0", "the note of a connection makes no sense");
}
