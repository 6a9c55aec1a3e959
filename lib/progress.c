/* SPDX-License-Identifier: ISC */
#include "lib/progress.h"

#include "lib/conn.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { FIRST_MS = 500, EVERY_MS = 100, BAR = 24 };

void progress_begin(struct progress *p, int fd, const char *what, uint64_t total)
{
	*p = (struct progress){.what = what, .total = total, .begin_ms = clock_ms()};
	p->fd = isatty(fd) ? fd : -1;
}

static void put_bar(const struct progress *p, struct buf *out)
{
	uint64_t done = p->done < p->total ? p->done : p->total;
	uint64_t percent =
		done * 100 / p->total; /* files and counts are far below 2^57 */

	buf_put(out, STR("  ["));
	for (unsigned i = 0; i < BAR; i++)
		buf_putc(out, i < percent * BAR / 100 ? '#' : '.');
	buf_printf(out, "] %3u%%  ", (unsigned)percent);
	if (p->counted)
		buf_printf(out, "%llu", (unsigned long long)p->count);
	else
		buf_printf(out, "%llu/%llu", (unsigned long long)p->done,
			   (unsigned long long)p->total);
}

void progress_line(const struct progress *p, uint64_t now_ms, unsigned columns,
		   struct buf *out)
{
	uint64_t seconds = (now_ms - p->begin_ms) / 1000;

	buf_put(out, str_of(p->what));
	if (p->total > 0)
		put_bar(p, out);
	else
		buf_printf(out, "  %llu", (unsigned long long)p->done);
	buf_printf(out, "  %llu:%02u", (unsigned long long)(seconds / 60),
		   (unsigned)(seconds % 60));
	if (out->n > columns)
		buf_cut(out, columns);
}

/* put - a terminal that is gone is no reason to stop the work */
static void put(const struct progress *p, struct str s)
{
	ssize_t ignored = write(p->fd, s.p, s.n);

	(void)ignored;
}

static unsigned columns_of(int fd)
{
	struct winsize w;

	/* One less: a line as wide as the terminal would wrap. */
	return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1u : 79;
}

static void draw(struct progress *p, uint64_t now)
{
	struct buf b, line;

	buf_init(&line, 512);
	progress_line(p, now, columns_of(p->fd), &line);
	buf_init(&b, 600);
	buf_putc(&b, '\r');
	buf_put(&b, buf_str(&line));
	buf_put(&b, STR("\x1b[K"));
	put(p, buf_str(&b));
	buf_fini(&b);
	buf_fini(&line);
	p->shown = true;
	p->drawn_ms = now;
}

void progress_to(struct progress *p, uint64_t done)
{
	p->done = done;
	if (p->fd < 0)
		return;

	uint64_t now = clock_ms();

	if (now >= p->begin_ms + FIRST_MS && now >= p->drawn_ms + EVERY_MS)
		draw(p, now);
}

void progress_part(struct progress *p, const char *what, uint64_t done, uint64_t total,
		   uint64_t count)
{
	p->what = what;
	p->total = total;
	p->count = count;
	p->counted = true;
	progress_to(p, done);
}

void progress_hide(struct progress *p)
{
	if (!p->shown)
		return;
	put(p, STR("\r\x1b[K"));
	p->shown = false;
}

void progress_end(struct progress *p)
{
	if (p->fd >= 0 && p->drawn_ms > 0) {
		draw(p, clock_ms());
		put(p, STR("\n"));
	}
	*p = (struct progress){.fd = -1};
}
