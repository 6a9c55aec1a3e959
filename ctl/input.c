/* SPDX-License-Identifier: ISC */
#include "ctl/input.h"

#include <string.h>
#include <unistd.h>

enum { PIECE = 65536 };

void input_init(struct input *in, int fd)
{
	*in = (struct input){.fd = fd};
	buf_init_secret(&in->text, PIECE);
}

void input_fini(struct input *in)
{
	buf_fini_secret(&in->text);
}

/* more - drops what was given out and reads on */
static int more(struct input *in, struct err *e)
{
	buf_drop(&in->text, in->used);
	in->used = 0;

	size_t room = PIECE - in->text.n;
	char *to = buf_reserve(&in->text, room);

	must(to != NULL && room > 0);

	ssize_t n = read(in->fd, to, room);

	if (n < 0)
		return err_sys(e, "read the input");
	buf_used(&in->text, (size_t)n);
	in->ended = n == 0;
	return 0;
}

static struct str unread(const struct input *in)
{
	return (struct str){buf_cstr(&in->text) + in->used, in->text.n - in->used};
}

enum input_result input_next(struct input *in, struct str *line, struct err *e)
{
	bool too_long = false;
	struct str rest = unread(in);
	const char *lf = memchr(rest.p, '\n', rest.n);

	while (lf == NULL && !in->ended) {
		if (rest.n > INPUT_LINE_MAX + 1) { /* one more for a CR */
			too_long = true;
			in->used += rest.n;
		}
		if (more(in, e) < 0)
			return INPUT_FAILED;
		rest = unread(in);
		lf = memchr(rest.p, '\n', rest.n);
	}
	if (rest.n == 0 && !too_long)
		return INPUT_END;

	size_t n = lf ? (size_t)(lf - rest.p) : rest.n;

	in->number++;
	in->used += n + (lf != NULL);
	if (n > 0 && rest.p[n - 1] == '\r')
		n--;
	*line = (struct str){rest.p, n};
	return too_long || n > INPUT_LINE_MAX ? INPUT_TOO_LONG : INPUT_LINE;
}
