/* SPDX-License-Identifier: ISC */
#include "authd/mux.h"

enum { USER, PASSWORD, SERVICE, REALM, STRINGS };

struct mux {
	enum mux_want want;
	struct buf string[STRINGS];
	size_t at;       /* which of them comes now */
	unsigned digits; /* octets of its count that are here, 0 to 2 */
	size_t left;     /* the count, and then what of it is still to come */
	struct buf out;
	const char *broken;
};

struct mux *mux_new(void)
{
	struct mux *m = xalloc(sizeof *m);

	/* The user has room for an @ and the realm. */
	for (size_t i = 0; i < STRINGS; i++)
		buf_init_secret(&m->string[i], 2 * MUX_STRING_MAX + 1);
	buf_init(&m->out, 16);
	return m;
}

void mux_free(struct mux **m)
{
	if (*m == NULL)
		return;
	for (size_t i = 0; i < STRINGS; i++)
		buf_fini_secret(&(*m)->string[i]);
	buf_fini(&(*m)->out);
	xfree(m);
}

enum mux_want mux_want(const struct mux *m)
{
	return m->want;
}

struct str mux_output(const struct mux *m)
{
	return buf_str(&m->out);
}

const char *mux_broken(const struct mux *m)
{
	return m->broken;
}

struct str mux_user(const struct mux *m)
{
	return buf_str(&m->string[USER]);
}

struct str mux_password(const struct mux *m)
{
	return buf_str(&m->string[PASSWORD]);
}

struct str mux_service(const struct mux *m)
{
	return buf_str(&m->string[SERVICE]);
}

/* ---- the question ------------------------------------------------------------------- */

static void break_off(struct mux *m, const char *why)
{
	m->broken = why;
	m->want = MUX_WANT_CLOSE;
}

static void end_question(struct mux *m)
{
	struct buf *user = &m->string[USER];

	if (str_has_control(mux_service(m))) {
		break_off(m, "the service has a control octet");
		return;
	}
	if (m->string[REALM].n > 0) {
		buf_putc(user, '@');
		buf_put(user, buf_str(&m->string[REALM]));
	}
	must(!buf_over(user));
	m->want = MUX_WANT_CHECK;
}

static void end_string(struct mux *m)
{
	m->digits = 0;
	if (++m->at == STRINGS)
		end_question(m);
}

static void take_digit(struct mux *m, char c)
{
	m->left = m->digits == 0 ? (size_t)(unsigned char)c << 8
				 : m->left | (unsigned char)c;
	if (++m->digits < 2)
		return;
	if (m->left > MUX_STRING_MAX)
		break_off(m, "a string is too long");
	else if (m->left == 0)
		end_string(m);
}

static size_t take_text(struct mux *m, struct str in)
{
	size_t n = in.n < m->left ? in.n : m->left;

	buf_put(&m->string[m->at], (struct str){in.p, n});
	m->left -= n;
	if (m->left == 0)
		end_string(m);
	return n;
}

size_t mux_feed(struct mux *m, struct str in)
{
	size_t used = 0;

	while (used < in.n && m->want == MUX_WANT_INPUT) {
		if (m->digits < 2)
			take_digit(m, in.p[used++]);
		else
			used += take_text(m, (struct str){in.p + used, in.n - used});
	}
	return used;
}

/* ---- the answer --------------------------------------------------------------------- */

void mux_answer(struct mux *m, bool ok)
{
	must(m->want == MUX_WANT_CHECK);
	buf_putc(&m->out, 0);
	buf_putc(&m->out, 2);
	buf_put(&m->out, ok ? STR("OK") : STR("NO"));
	m->want = MUX_WANT_CLOSE;
}

void mux_later(struct mux *m)
{
	must(m->want == MUX_WANT_CHECK);
	m->want = MUX_WANT_CLOSE;
}
