/* SPDX-License-Identifier: ISC */
/*
 * The first two octets choose pieces and policy, the rest is what a client sends, first a
 * stranger and then one who has logged in.  The same octets in pieces and whole must be
 * answered alike.
 */
#include "lib/buf.h"
#include "managesieve/login.h"
#include "managesieve/managesieve.h"

enum { SCRIPT_OCTETS = 300 };

/* What is left of the input, and what was said. */
struct run {
	struct str in;
	size_t piece;
	struct buf *said;
};

static void keep(struct run *r, struct str out)
{
	must(out.n < 100000);
	buf_put(r->said, out);
}

static struct str next_piece(const struct run *r)
{
	return (struct str){r->in.p, r->in.n < r->piece ? r->in.n : r->piece};
}

static void used(struct run *r, size_t n)
{
	must(n > 0 && n <= r->in.n);
	r->in = (struct str){r->in.p + n, r->in.n - n};
}

/* ---- before login ---------------------------------------------------------------------- */

/* answer - by what the first octet of the proof says */
static void answer(struct login *l)
{
	struct login_question q = sieve_login_question(l);
	char choice = q.proof.n > 0 ? q.proof.p[0] : 'c';

	must(q.kind == LOGIN_SASL || q.kind == LOGIN_SASL_STEP);
	must(q.kind != LOGIN_SASL || q.mechanism.n > 0);
	must(q.kind == LOGIN_SASL_STEP ? sieve_login_exchanging(l) : true);
	if (choice == 'y')
		sieve_login_accepted(l, STR(""));
	else if (choice == 't')
		sieve_login_try_again(l);
	else if (choice == 'e')
		sieve_login_expired(l);
	else if (choice == 'c')
		sieve_login_challenge(l, q.proof);
	else
		sieve_login_refused(l);
}

/* login - true: somebody is in */
static bool login(struct run *r, const struct capa *capa)
{
	struct login *l = sieve_login_new(STR("mx.example.org"), STR(""), capa);
	struct capa changed = *capa;
	bool in = false, over = false;

	changed.stls = false;
	changed.tls = true;
	while (!over) {
		switch (sieve_login_want(l)) {
		case LOGIN_WANT_INPUT:
			over = r->in.n == 0;
			if (!over)
				used(r, sieve_login_feed(l, next_piece(r)));
			break;
		case LOGIN_WANT_WRITE:
			keep(r, sieve_login_output(l));
			sieve_login_written(l);
			break;
		case LOGIN_WANT_CHECK:
			answer(l);
			break;
		case LOGIN_WANT_TLS:
			sieve_login_tls_begun(l, &changed);
			break;
		case LOGIN_WANT_HAND_OVER:
			in = over = true;
			break;
		case LOGIN_WANT_PEER:
			must(false);
			break;
		case LOGIN_WANT_CLOSE:
			r->in.n = 0; /* of what is cut off, more or less was read */
			over = true;
			break;
		}
	}
	keep(r, sieve_login_output(l));
	sieve_login_free(&l);
	return in;
}

/* ---- a session --------------------------------------------------------------------------- */

static void perform(struct managesieve *s)
{
	struct managesieve_asked q = managesieve_asked(s);

	must(q.text.n <= SCRIPT_OCTETS && q.name.n <= SCRIPT_OCTETS &&
	     q.to.n <= SCRIPT_OCTETS);
	must(q.octets <= UINT32_MAX);
	if (q.kind == MANAGESIEVE_LIST)
		managesieve_entry(s, STR("a\"\\"), true);
	if (q.kind == MANAGESIEVE_GET)
		managesieve_script(s, q.name);
	if (q.name.n % 2 > 0)
		managesieve_no(s, "NONEXISTENT", q.name);
	else
		managesieve_ok(s, "", q.text);
}

/* session - true: it was left by UNAUTHENTICATE */
static bool session(struct run *r, const struct capa *capa)
{
	struct managesieve *s =
		managesieve_new(capa, STR("a@example.org"), STR(""), SCRIPT_OCTETS);
	bool left = false, over = false;

	while (!over) {
		switch (managesieve_want(s)) {
		case MANAGESIEVE_WANT_INPUT:
			over = r->in.n == 0;
			if (!over)
				used(r, managesieve_feed(s, next_piece(r)));
			break;
		case MANAGESIEVE_WANT_WRITE:
			keep(r, managesieve_output(s));
			managesieve_written(s);
			break;
		case MANAGESIEVE_WANT_DO:
			perform(s);
			break;
		case MANAGESIEVE_WANT_LEAVE:
			left = over = true;
			break;
		case MANAGESIEVE_WANT_CLOSE:
			over = true;
			break;
		}
	}
	keep(r, managesieve_output(s));
	managesieve_free(&s);
	return left;
}

static void run(struct run *r, const struct capa *capa, bool in)
{
	bool again = true;

	while (again && (in || login(r, capa))) {
		again = session(r, capa);
		in = false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;

	struct str in = {(const char *)data + 2, size - 2};
	struct capa capa = {.stls = data[0] & 1,
			    .mechanisms = data[0] & 2 ? "PLAIN X" : ""};
	struct buf whole, pieces;
	struct run first = {in, SIZE_MAX, &whole}, second = {in, data[1] + 1u, &pieces};

	buf_init(&whole, 16 << 20);
	buf_init(&pieces, 16 << 20);
	run(&first, &capa, data[0] & 4);
	run(&second, &capa, data[0] & 4);
	must(first.in.n == second.in.n);
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
