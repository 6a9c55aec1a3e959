/* SPDX-License-Identifier: ISC */
#include "popd/dialogue.h"

void dialogue_init(struct dialogue *d)
{
	*d = (struct dialogue){0};
	lines_init(&d->lines, DIALOGUE_LINE_MAX);
	buf_init(&d->out, DIALOGUE_OUT_MAX);
}

void dialogue_fini(struct dialogue *d)
{
	lines_fini(&d->lines);
	buf_fini(&d->out);
}

void dialogue_longest(struct dialogue *d, size_t octets)
{
	if (octets == d->lines.max)
		return;
	lines_fini(&d->lines);
	lines_init(&d->lines, octets);
}

void dialogue_refuse(struct dialogue *d, const char *why)
{
	if (++d->bad < DIALOGUE_BAD_MAX) {
		buf_printf(&d->out, "-ERR %s\r\n", why);
		return;
	}
	buf_printf(&d->out, "-ERR %s; too many errors, goodbye\r\n", why);
	d->ended = true;
}

void dialogue_written(struct dialogue *d)
{
	if (d->out.cap <= DIALOGUE_KEEP) {
		buf_clear(&d->out);
		return;
	}
	buf_fini(&d->out);
	buf_init(&d->out, DIALOGUE_OUT_MAX);
}

size_t dialogue_feed(struct dialogue *d, struct str in, struct str *line, bool *whole)
{
	enum lines_result result;
	size_t used = lines_feed(&d->lines, in, &result);

	*whole = result == LINES_ONE;
	switch (result) {
	case LINES_MORE:
		break;
	case LINES_ONE:
		*line = lines_text(&d->lines);
		break;
	case LINES_TOO_LONG:
		dialogue_refuse(d, d->lines.max == DIALOGUE_LINE_MAX
					   ? DIALOGUE_TOO_LONG
					   : "this line is too long");
		break;
	case LINES_BARE:
		dialogue_refuse(d, "a line ends in CRLF and holds no other CR or LF");
		break;
	case LINES_NUL:
		d->bad = DIALOGUE_BAD_MAX;
		d->ended = true;
		buf_put(&d->out,
			STR("-ERR a NUL is no part of any command, goodbye\r\n"));
		break;
	}
	return used;
}
