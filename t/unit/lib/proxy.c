/* SPDX-License-Identifier: ISC */
/* Headers whole, and in pieces of every size. */
#include "lib/proxy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/conn.h"

/* clang-format off */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR      "\xc0\0\x02\x07" "\x0a\0\0\x01" "\x04\xd2" "\x00\x6e"
#define SIX       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
		  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\x04\xd2" "\x00\x6e"
#define TEN       "0123456789"
#define HUNDRED   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND  HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define UNIX      HUNDRED HUNDRED TEN "123456"

/* `told`: the peer, "" when it is good and tells none, NULL when it is bad; without the
 * octets that follow the header there must be more to come. */
static const struct {
	const char *name;
	struct str header;
	const char *told;
} rows[] = {
	{"1 TCP4", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 1234 110\r\n"), "192.0.2.7:1234"},
	{"1 TCP6", STR_INIT("PROXY TCP6 2001:db8::1 2001:db8::2 1234 110\r\n"), "[2001:db8::1]:1234"},
	{"1 the longest", STR_INIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"1 UNKNOWN", STR_INIT("PROXY UNKNOWN\r\n"), ""},
	{"1 UNKNOWN with more", STR_INIT("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), ""},
	{"1 mapped", STR_INIT("PROXY TCP6 ::ffff:192.0.2.7 ::1 1234 110\r\n"), "192.0.2.7:1234"},
	{"1 no family", STR_INIT("PROXY \r\n"), NULL},
	{"1 nothing", STR_INIT("PROXY\r\n"), NULL},
	{"1 family in small letters", STR_INIT("PROXY tcp4 192.0.2.7 10.0.0.1 1234 110\r\n"), NULL},
	{"1 UDP", STR_INIT("PROXY UDP4 192.0.2.7 10.0.0.1 1234 110\r\n"), NULL},
	{"1 another family's address", STR_INIT("PROXY TCP4 2001:db8::1 10.0.0.1 1234 110\r\n"), NULL},
	{"1 and the other way round", STR_INIT("PROXY TCP6 192.0.2.7 10.0.0.1 1234 110\r\n"), NULL},
	{"1 a name", STR_INIT("PROXY TCP4 localhost 10.0.0.1 1234 110\r\n"), NULL},
	{"1 two blanks", STR_INIT("PROXY TCP4  192.0.2.7 10.0.0.1 1234 110\r\n"), NULL},
	{"1 a blank at the end", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 1234 110 \r\n"), NULL},
	{"1 a port too many", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 1234 110 1\r\n"), NULL},
	{"1 a port too few", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 1234\r\n"), NULL},
	{"1 a port too large", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 65536 110\r\n"), NULL},
	{"1 a port with a zero", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 01234 110\r\n"), NULL},
	{"1 a port with a sign", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 +1234 110\r\n"), NULL},
	{"1 bare LF", STR_INIT("PROXY TCP4 192.0.2.7 10.0.0.1 1234 110\n"), NULL},
	{"1 NUL", STR_INIT("PROXY TCP4 192.0.2.7\0 10.0.0.1 1234 110\r\n"), NULL},
	{"1 a CR inside", STR_INIT("PROXY UNKNOWN \r x\r\n"), NULL},
	{"1 too long", STR_INIT("PROXY UNKNOWN " HUNDRED "\r\n"), NULL},

	{"2 TCP4", STR_INIT(SIGNATURE "\x21\x11\0\x0c" FOUR), "192.0.2.7:1234"},
	{"2 TCP4 with extensions", STR_INIT(SIGNATURE "\x21\x11\0\x13" FOUR "\x04\0\x04" "abcd"), "192.0.2.7:1234"},
	{"2 TCP6", STR_INIT(SIGNATURE "\x21\x21\0\x24" SIX), "[2001:db8::1]:1234"},
	{"2 LOCAL", STR_INIT(SIGNATURE "\x20\0\0\0"), ""},
	{"2 LOCAL with addresses", STR_INIT(SIGNATURE "\x20\x11\0\x0c" FOUR), ""},
	{"2 no family", STR_INIT(SIGNATURE "\x21\0\0\0"), ""},
	{"2 UNIX", STR_INIT(SIGNATURE "\x21\x31\0\xd8" UNIX), ""},
	{"2 the longest", STR_INIT(SIGNATURE "\x21\x11\x07\xf0" FOUR THOUSAND THOUSAND TEN TEN), "192.0.2.7:1234"},
	{"2 too long", STR_INIT(SIGNATURE "\x21\x11\x07\xf1"), NULL},
	{"2 far too long", STR_INIT(SIGNATURE "\x21\x11\xff\xff"), NULL},
	{"2 addresses too short", STR_INIT(SIGNATURE "\x21\x11\0\x0b" "\xc0\0\x02\x07" "\x0a\0\0\x01" "\x04\xd2" "\0"), NULL},
	{"2 IPv6 addresses too short", STR_INIT(SIGNATURE "\x21\x21\0\x0c" FOUR), NULL},
	{"2 version 1", STR_INIT(SIGNATURE "\x11\x11\0\x0c" FOUR), NULL},
	{"2 version 3", STR_INIT(SIGNATURE "\x31\x11\0\x0c" FOUR), NULL},
	{"2 another command", STR_INIT(SIGNATURE "\x22\x11\0\x0c" FOUR), NULL},
	{"2 UDP", STR_INIT(SIGNATURE "\x21\x12\0\x0c" FOUR), NULL},
	{"2 another family", STR_INIT(SIGNATURE "\x21\x41\0\x0c" FOUR), NULL},
	{"2 another signature", STR_INIT("\r\n\r\n\0\r\nQUIT\r"), NULL},

	{"POP3", STR_INIT("CAPA\r\n"), NULL},
	{"PASS is not PROXY", STR_INIT("PASS x\r\n"), NULL},
	{"TLS", STR_INIT("\x16\x03\x01\x02\0"), NULL},
	{"an empty line", STR_INIT("\r\nCAPA\r\n"), NULL},
};
/* clang-format on */

/* ends_as - feeds it in pieces; everything behind the header stays */
static void ends_as(size_t i, size_t piece)
{
	static const struct str behind = STR_INIT("\r\nCAPA\r\n");
	char text[4096];
	struct str in = {text, rows[i].header.n + behind.n};
	enum proxy_result r = PROXY_MORE;
	struct proxy p;
	struct conn c = {.fd = -1};
	size_t used = 0;

	memcpy(text, rows[i].header.p, rows[i].header.n);
	memcpy(text + rows[i].header.n, behind.p, behind.n);
	proxy_init(&p);
	while (r == PROXY_MORE && used < in.n) {
		size_t n = in.n - used < piece ? in.n - used : piece;

		used += proxy_feed(&p, (struct str){in.p + used, n}, &r);
		if (used < rows[i].header.n && rows[i].told != NULL)
			assert_int_equal(r, PROXY_MORE);
	}
	if (r != (rows[i].told != NULL ? PROXY_DONE : PROXY_BAD))
		fail_msg("%s: in pieces of %zu", rows[i].name, piece);
	if (r == PROXY_BAD)
		return;
	assert_int_equal(used, rows[i].header.n);
	conn_set_client(&c, &p.client);
	assert_string_equal(c.peer, rows[i].told);
}

static void headers(void **state UNUSED)
{
	static const size_t pieces[] = {1, 2, 3, 5, 16, 17, 107, 4096};

	for (size_t i = 0; i < countof(rows); i++)
		for (size_t k = 0; k < countof(pieces); k++)
			ends_as(i, pieces[k]);
}

/* Plain text that comes from another machine's loopback came over a wire. */
static void loopback_wants_both_ends_here(void **state UNUSED)
{
	static const struct {
		bool here;
		const char *address;
		bool loopback;
	} here[] = {
		{true, "127.0.0.1", true},   {true, "::1", true},
		{true, "192.0.2.7", false},  {true, "2001:db8::1", false},
		{false, "127.0.0.1", false}, {false, "192.0.2.7", false},
	};

	for (size_t i = 0; i < countof(here); i++) {
		struct proxy_client client = {.known = true};
		struct conn c = {.fd = -1, .loopback = here[i].here};

		assert_true(
			network_parse_address(str_of(here[i].address), &client.address));
		conn_set_client(&c, &client);
		assert_int_equal(c.loopback, here[i].loopback);
	}
}

/* ---- with a connection --------------------------------------------------------------- */

static int open_pair(struct conn *c, const char *peer)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(c, fd[0], 60000);
	memcpy(c->peer, peer, strlen(peer) + 1);
	return fd[1];
}

static void a_proxy_has_to_say_it(void **state UNUSED)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 10.0.0.1 1234 110\r\nQUIT\r\n";
	char network[] = "10.0.0.0/8";
	char *v[] = {network};
	struct conf_list list = {v, 1}, none = {0};
	struct err e = {0};
	struct conn c;
	struct str in;
	int fd = open_pair(&c, "10.0.0.9:99");

	assert_int_equal(write(fd, header, sizeof header - 1), sizeof header - 1);
	assert_int_equal(conn_read_proxy(&c, &list, &e), 0);
	assert_string_equal(c.peer, "192.0.2.7:1234");
	assert_false(c.loopback);
	assert_int_equal(c.deadline_ms, 0);
	/* What follows may be TLS's. */
	assert_false(conn_has_input(&c));
	assert_int_equal(conn_input(&c, &in, &e), 0);
	assert_true(str_eq(in, STR("QUIT\r\n")));
	conn_close(&c);
	close(fd);

	fd = open_pair(&c, "10.0.0.9:99");
	assert_int_equal(write(fd, "QUIT\r\n", 6), 6);
	assert_int_equal(conn_read_proxy(&c, &list, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_string_equal(c.peer, "10.0.0.9:99");
	conn_close(&c);
	close(fd);

	/* From elsewhere it is not even waited for. */
	fd = open_pair(&c, "11.0.0.9:99");
	assert_int_equal(conn_read_proxy(&c, &list, &e), 0);
	assert_int_equal(conn_read_proxy(&c, &none, &e), 0);
	assert_string_equal(c.peer, "11.0.0.9:99");
	conn_close(&c);
	close(fd);
}

static void a_proxy_that_hangs_up_is_a_hang_up(void **state UNUSED)
{
	char network[] = "10.0.0.0/8";
	char *v[] = {network};
	struct conf_list list = {v, 1};
	struct err e = {0};
	struct conn c;
	int fd = open_pair(&c, "10.0.0.9:99");

	assert_int_equal(write(fd, "PROXY ", 6), 6);
	close(fd);
	assert_int_equal(conn_read_proxy(&c, &list, &e), -1);
	assert_string_equal(e.text, "connection closed");
	conn_close(&c);
}

/* ---- XCLIENT ---------------------------------------------------------------------------- */

static void xclient(void **state UNUSED)
{
	static const struct {
		const char *args;
		bool ok;
		const char *peer, *helo, *login;
	} lines[] = {
		/* clang-format off */
		{"ADDR=192.0.2.7", true, "192.0.2.7:0", "", ""},
		{"ADDR=192.0.2.7 PORT=1234", true, "192.0.2.7:1234", "", ""},
		{"addr=IPV6:2001:db8::7 port=1234", true, "[2001:db8::7]:1234", "", ""},
		{"NAME=a.example ADDR=192.0.2.7 PROTO=ESMTP HELO=b.example LOGIN=eve+40x DESTADDR=10.0.0.1 DESTPORT=24",
			true, "192.0.2.7:0", "b.example", "eve+40x"},
		{"ADDR=[UNAVAILABLE] HELO=[TEMPUNAVAIL] PORT=[UNAVAILABLE] LOGIN=[UNAVAILABLE]", true, "", "", ""},
		{"SESSION=x TTL=5 FORWARD=abc ADDR=192.0.2.7", true, "192.0.2.7:0", "", ""},
		{"ADDR=192.0.2.7 PORT=4 SESSION=KQ9qwmxht+N/AAAF TTL=5 FORWARD=a==", true, "192.0.2.7:4", "", ""},
		{"SESSION= ADDR=192.0.2.7", false, "", "", ""},
		{"", false, "", "", ""},
		{"ADDR", false, "", "", ""},
		{"ADDR=", false, "", "", ""},
		{"ADDR=2001:db8::7 PORT=1234", true, "[2001:db8::7]:1234", "", ""},
		{"ADDR=::ffff:192.0.2.7", true, "192.0.2.7:0", "", ""},
		{"ADDR=192.0.2.7 DESTNAME=mx.example CLIENT-TRANSPORT=TLS", true, "192.0.2.7:0", "", ""},
		{"ADDR=IPV6:192.0.2.7", false, "", "", ""},
		{"ADDR=192.0.2.7/32", false, "", "", ""},
		{"PORT=65536", false, "", "", ""},
		{"ADDR=192.0.2.7 X", false, "", "", ""},
		{"ADDR=192.0.2.7 =y", false, "", "", ""},
		{"ADDR=2001:db8::x", false, "", "", ""},
		{"ADDR=192.0.2.7  PORT=1", false, "", "", ""},
		{"HELO=a=b", false, "", "", ""},
		{"HELO=a+4", false, "", "", ""},
		{"HELO=a+zz", false, "", "", ""},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(lines); i++) {
		struct conn c = {.fd = -1};
		struct proxy_xclient x;

		if (proxy_xclient(str_of(lines[i].args), &x) != lines[i].ok)
			fail_msg("%s", lines[i].args);
		if (!lines[i].ok)
			continue;
		conn_set_client(&c, &x.client);
		assert_string_equal(c.peer, lines[i].peer);
		assert_true(str_eq(x.helo, str_of(lines[i].helo)));
		assert_true(str_eq(x.login, str_of(lines[i].login)));
	}
}

static void xtext_is_decoded(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 8);
	assert_true(proxy_xtext(STR("eve+40x"), &out));
	assert_string_equal(buf_cstr(&out), "eve@x");
	buf_clear(&out);
	assert_false(proxy_xtext(STR("a+"), &out));
	buf_clear(&out);
	assert_false(proxy_xtext(STR("a b"), &out));
	buf_clear(&out);
	assert_false(proxy_xtext(STR("123456789"), &out));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(loopback_wants_both_ends_here),
		cmocka_unit_test(a_proxy_has_to_say_it),
		cmocka_unit_test(a_proxy_that_hangs_up_is_a_hang_up),
		cmocka_unit_test(xclient),
		cmocka_unit_test(xtext_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
