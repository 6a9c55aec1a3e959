/* SPDX-License-Identifier: ISC */
/*
 * sieve_speed WHAT N - compiles a script of 30 rules, or evaluates it on a message of 50 KB, N times
 *
 *   compile   the script alone
 *   message   the message is made, and that is all
 *   run       the script on one message: what a further recipient costs
 *   all       a message made and the script evaluated: what the first recipient costs
 *
 * Only the last rule is true.  Prints nanoseconds for each time; t/bench/sieve counts
 * instructions as well.
 */
#include "sieve/sieve.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- what is filtered ------------------------------------------------------------------- */

static void put_header(struct buf *out)
{
	buf_put(out,
		STR("Return-Path: <bounces+4711=user=example.org@news.example.net>\r\n"));
	for (int i = 0; i < 4; i++)
		buf_printf(
			out,
			"Received: from relay%d.example.net (relay%d.example.net [192.0.2.%d])\r\n"
			"\tby mx.example.org (Postfix) with ESMTPS id 4bXyz1234%d\r\n"
			"\tfor <user@example.org>; Sat, 21 Nov 2026 20:13:4%d +0000 (UTC)\r\n",
			i, i, i, i, i);
	buf_put(out,
		STR("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net;\r\n"
		    "\ts=s1; h=from:to:subject:date; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n"
		    "\tb=Xh4Ujb2wv5x54gXtulCiy4C0e+plRm6pZ4owF+kICpYzs/8WkTVIDBrzhJP0DAYCpnL62T0G\r\n"
		    "From: \"News of the Week\" <news@example.net>\r\n"
		    "To: \"User, A.\" <user@example.org>\r\n"
		    "Cc: friends@example.com, others@example.com\r\n"
		    "Reply-To: editors@example.net\r\n"
		    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= the weekly letter, number 4711\r\n"
		    "Date: Sat, 21 Nov 2026 20:13:43 +0000\r\n"
		    "Message-ID: <20261121201343.4711@news.example.net>\r\n"
		    "List-Id: News of the Week <weekly.example.net>\r\n"
		    "List-Unsubscribe: <mailto:leave@example.net>, <https://example.net/leave?u=4711>\r\n"
		    "Precedence: list\r\n"
		    "X-Mailer: Letters 7.1\r\n"
		    "X-Priority: 3\r\n"
		    "X-Spam-Score: 1.2\r\n"
		    "MIME-Version: 1.0\r\n"
		    "Content-Type: multipart/mixed; boundary=\"=_boundary_4711\"\r\n\r\n"));
}

static void put_body(struct buf *out)
{
	buf_put(out,
		STR("--=_boundary_4711\r\nContent-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
	while (out->n < 20000)
		buf_put(out,
			STR("Gr=C3=BC=C3=9Fe an alle, and a line of ordinary text for the reader.\r\n"));
	buf_put(out,
		STR("--=_boundary_4711\r\nContent-Type: application/pdf; name=letter.pdf\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n"));
	while (out->n < 50700)
		buf_put(out,
			STR("JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURl\r\n"));
	buf_put(out, STR("--=_boundary_4711--\r\n"));
}

static void put_script(struct buf *out)
{
	static const char *const tests[] = {
		"header :contains \"subject\" \"number %d of\"",
		"header :matches [\"from\", \"sender\"] \"*list-%d@*\"",
		"header :is \"x-mailer\" \"Mailer %d\"",
		"address :is [\"from\", \"to\", \"cc\"] \"user%d@example.com\"",
		"address :domain :is \"from\" [\"a%d.example.com\", \"b.example.com\"]",
		"exists [\"x-header-%d\", \"x-other\"]",
		"size :over 10%dM",
		"anyof (header :contains \"list-id\" \"group-%d.\", header :is \"precedence\" \"bulk\")",
		"allof (header :contains \"to\" \"user\", not header :contains \"subject\" [\"letter\", \"%d\"])",
		"address :localpart :matches [\"to\", \"cc\"] [\"root-%d*\", \"postmaster*\"]",
	};

	buf_put(out, STR("require \"fileinto\";\r\n"));
	for (int i = 0; i < 29; i++) {
		struct buf test;

		buf_init(&test, 200);
		buf_put(&test, str_of(tests[i % countof(tests)]));
		for (size_t k = 0; k < test.n; k++)
			if (test.p[k] == '%' && k + 1 < test.n && test.p[k + 1] == 'd') {
				test.p[k] = (char)('0' + i / 10);
				test.p[k + 1] = (char)('0' + i % 10);
			}
		buf_printf(out, "%s " STR_FMT " {\r\n\tfileinto \"Folder%d\";\r\n}\r\n",
			   i > 0 ? "elsif" : "if", STR_ARG(buf_str(&test)), i);
		buf_fini(&test);
	}
	buf_put(out, STR("elsif header :contains \"list-id\" \"weekly.example.net\" {\r\n"
			 "\tfileinto \"Weekly\";\r\n}\r\n"));
}

/* ---- the work ---------------------------------------------------------------------------------- */

struct work {
	struct str text, octets;
	struct sieve_script *script;
	struct sieve_message *message;
};

static void compile(struct work *w)
{
	struct sieve_errors e = {0};
	struct sieve_script *s = sieve_compile(w->text, "s30", &sieve_site_default, &e);

	must(s != NULL);
	sieve_script_free(&s);
}

static void make_message(struct work *w)
{
	struct sieve_message *m = sieve_message_new(w->octets, false, w->octets.n);

	sieve_message_free(&m);
}

static void evaluate(const struct work *w, struct sieve_message *m)
{
	const struct sieve_host host = {.now = 1795292023};
	const struct sieve_script *s = w->script;
	struct sieve_input in = {.message = m, .host = &host};
	struct sieve_result *r;

	in.envelope.from = STR("bounces@news.example.net");
	in.envelope.to = STR("user@example.org");
	r = sieve_run(&s, 1, &in);
	must(r->n == 1 && str_eq(r->actions[0].filing.folder, STR("Weekly")));
	sieve_result_free(&r);
}

static void run(struct work *w)
{
	evaluate(w, w->message);
}

static void all(struct work *w)
{
	struct sieve_message *m = sieve_message_new(w->octets, false, w->octets.n);

	evaluate(w, m);
	sieve_message_free(&m);
}

static const struct {
	const char *name;
	void (*once)(struct work *w);
} works[] = {{"compile", compile}, {"message", make_message}, {"run", run}, {"all", all}};

static void measure(struct work *w, void (*once)(struct work *), uint32_t n)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint32_t i = 0; i < n; i++)
		once(w);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n",
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
		       n);
}

int main(int argc, char **argv)
{
	struct sieve_errors e = {0};
	struct buf script, message;
	struct work w;
	uint32_t n;

	if (argc != 3 || !str_u32(str_of(argv[2]), &n) || n == 0) {
		fprintf(stderr, "usage: sieve_speed compile|message|run|all N\n");
		return 64;
	}
	buf_init(&script, 1 << 20);
	buf_init(&message, 1 << 20);
	put_script(&script);
	put_header(&message);
	put_body(&message);
	w = (struct work){.text = buf_str(&script), .octets = buf_str(&message)};
	w.script = sieve_compile(w.text, "s30", &sieve_site_default, &e);
	must(w.script != NULL);
	w.message = sieve_message_new(w.octets, false, w.octets.n);
	for (size_t i = 0; i < countof(works); i++)
		if (strcmp(argv[1], works[i].name) == 0)
			measure(&w, works[i].once, n);
	sieve_message_free(&w.message);
	sieve_script_free(&w.script);
	buf_fini(&message);
	buf_fini(&script);
	return 0;
}
