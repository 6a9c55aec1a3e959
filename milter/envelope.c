/* SPDX-License-Identifier: ISC */
#include "milter/envelope.h"

#include "mail/address.h"

#include <stdio.h>

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

uint64_t envelope_size(char *const *words)
{
	static const struct str key = STR_INIT("SIZE=");

	for (; *words != NULL; words++) {
		struct str s = str_of(*words);
		uint64_t size;

		if (!str_istarts(s, key))
			continue;
		s = (struct str){s.p + key.n, s.n - key.n};
		if (str_u64(s, &size))
			return size;
		return all_digits(s) ? UINT64_MAX : 0;
	}
	return 0;
}

struct str envelope_address(const char *word)
{
	struct str all = str_trim(str_of(word)), rest = all, path;

	return address_path(&rest, &path) && rest.n == 0 ? path : all;
}

static void put_text(const char *text, struct envelope_reply *out)
{
	size_t n = 0;

	for (const char *c = text; *c != '\0' && n + 2 < sizeof out->text; c++) {
		out->text[n++] = *c;
		if (*c == '%')
			out->text[n++] = '%';
	}
}

void envelope_reply(const struct verdict *v, struct envelope_reply *out)
{
	*out = (struct envelope_reply){.action = ENVELOPE_CONTINUE};
	if (verdict_accepts(v) || v->code == VERDICT_NOT_OURS)
		return;
	must(v->smtp >= 400 && v->smtp <= 599);
	out->action = v->smtp < 500 ? ENVELOPE_TEMPFAIL : ENVELOPE_REJECT;
	snprintf(out->code, sizeof out->code, "%u", v->smtp % 1000);
	snprintf(out->dsn, sizeof out->dsn, "%s", v->dsn);
	put_text(v->text, out);
}

void envelope_refuse(const char *text, struct envelope_reply *out)
{
	*out = (struct envelope_reply){
		.action = ENVELOPE_REJECT, .code = "550", .dsn = "5.7.1"};
	put_text(text, out);
}
