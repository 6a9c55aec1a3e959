/* SPDX-License-Identifier: ISC */
/*
 * Headers of message files: damaged ones are refused, never believed or overrun; and
 * a header made from the input comes back as it was, whatever states its slots take.
 */
#include "store/message.h"

#include "store/record.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS = 4, SEED = 4 };

static void read_any(struct str text)
{
	struct message_info mi;
	struct err e;

	if (message_head_parse(text, &mi, &e) == 0 && mi.body <= text.n)
		(void)message_slots_parse((struct str){text.p, mi.body}, &mi, &e);
	message_info_fini(&mi);
}

static void round_trip(const uint8_t *seed, struct str text)
{
	struct message_slot slots[SLOTS];
	struct message_info mi = {.id = 1000 + seed[0], .n_slots = seed[1] % (SLOTS + 1)},
			    back;
	struct buf trace, from, header;
	struct err e;

	buf_init(&trace, 3 * MESSAGE_TRACE_MAX);
	buf_init(&from, 512);
	buf_init(&header, MESSAGE_HEADER_MAX);
	record_encode(text.n > 200 ? (struct str){text.p, 200} : text, true, &trace);
	if (text.n > 0) /* traces are whole lines */
		record_encode(STR("\r\n"), true, &trace);
	buf_put(&from, text.n > 200 ? (struct str){text.p, 200} : text);
	for (size_t i = 0; i < mi.n_slots; i++) {
		slots[i] = (struct message_slot){
			.uid = i + 7, .state = '+', .trace = buf_str(&trace)};
		snprintf(slots[i].name.s, sizeof slots[i].name.s, "u%zu@example.org", i);
	}
	mi.slots = slots;
	mi.from = buf_str(&from);
	mi.envelope_id = STR("s 1%");
	mi.stored = mi.header_end = seed[2];
	mi.key = (struct retry_key){seed[0], seed[3]};
	message_header_print(&mi, &header);
	must(header.n == mi.body);
	for (size_t i = 0; i < mi.n_slots; i++)
		header.p[slots[i].offset] = seed[3] >> i & 1 ? '-' : '+';
	must(message_head_parse(buf_str(&header), &back, &e) == 0);
	must(message_slots_parse(buf_str(&header), &back, &e) == 0);
	must(retry_key_eq(back.key, mi.key));
	must(back.id == mi.id && back.stored == mi.stored && back.n_slots == mi.n_slots);
	for (size_t i = 0; i < mi.n_slots; i++) {
		must(back.slots[i].uid == i + 7);
		must(back.slots[i].offset == slots[i].offset);
		must(back.slots[i].state == (seed[3] >> i & 1 ? '-' : '+'));
		must(str_eq(back.slots[i].trace, buf_str(&trace)));
	}
	message_info_fini(&back);
	buf_fini(&trace);
	buf_fini(&from);
	buf_fini(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_any((struct str){(const char *)data, size});
	if (size >= SEED)
		round_trip(data, (struct str){(const char *)data + SEED, size - SEED});
	return 0;
}
