/* SPDX-License-Identifier: ISC */
#include "lib/tls.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/conn.h"
#include "t/unit/lib/certificate.h"

/* Far above what any test waits for on purpose. */
enum { LONG_MS = 60000 };

/* ---- the site: certificates and settings --------------------------------------------- */

enum { MAIL, POP3, WILD, OLD, N_CERTIFICATES };

static char dir[] = "/tmp/popstore-tls-XXXXXX";
static struct certificate certificate[N_CERTIFICATES];
static struct certificate ca, stranger_ca, client, stranger;

static int make_site(void **state UNUSED)
{
	const struct certificate_wish wishes[] = {
		/* Each signs in another way. */
		[MAIL] = {.name = "mail",
			  .cn = "mail.example.org",
			  .names = "DNS:mail.example.org,DNS:mx.example.org"},
		[POP3] = {.name = "pop3",
			  .cn = "x",
			  .names = "DNS:pop3.example.org",
			  .digest = EVP_sha384()},
		[WILD] = {.name = "wild", .cn = "x", .names = "DNS:*.example.net"},
		[OLD] = {.name = "old", .cn = "old.example.org", .curve = "ED25519"},
	};

	signal(SIGPIPE, SIG_IGN); /* as server_run() does */
	/* After a failure a peer's thread is left over, which may hang the next test. */
	alarm(300);
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < N_CERTIFICATES; i++)
		certificate_make(&certificate[i], dir, &wishes[i]);
	certificate_make(&ca, dir, &(struct certificate_wish){.name = "ca", .cn = "CA"});
	certificate_make(&stranger_ca, dir,
			 &(struct certificate_wish){.name = "sca", .cn = "Stranger"});
	certificate_make(&client, dir,
			 &(struct certificate_wish){
				 .name = "client",
				 .cn = "Eve, Ltd",
				 .names = "email:eve@example.org,DNS:eve.example.org",
				 .issuer = &ca});
	certificate_make(&stranger, dir,
			 &(struct certificate_wish){.name = "stranger",
						    .cn = "Mallory",
						    .issuer = &stranger_ca});
	return 0;
}

static int remove_site(void **state UNUSED)
{
	for (size_t i = 0; i < N_CERTIFICATES; i++)
		certificate_free(&certificate[i]);
	certificate_free(&client);
	certificate_free(&stranger);
	certificate_free(&ca);
	certificate_free(&stranger_ca);
	return rmdir(dir);
}

/* context_of - what these lines of the section `tls` make; NULL, and the reason in *e */
static struct tls_context *context_of(const char *lines, const char *service,
				      struct err *e)
{
	struct tls_context *ctx;
	struct settings *set;
	struct buf text;

	buf_init(&text, 8192);
	buf_printf(&text, "tls { %s }\n", lines);
	assert_int_equal(settings_parse("x.conf", buf_str(&text), &set, e), 0);
	if (tls_context_new(set, service, &ctx, e) < 0)
		assert_null(ctx);
	settings_free(&set);
	buf_fini(&text);
	return ctx;
}

/* in_dir - the text with the directory for each `D`; the caller's to free */
static char *in_dir(const char *text)
{
	struct buf out;

	buf_init(&out, 4096);
	for (; *text != '\0'; text++)
		if (text[0] == 'D' && text[1] == '/')
			buf_printf(&out, "%s", dir);
		else
			buf_putc(&out, *text);
	return out.p;
}

static struct tls_context *make_context(const char *service, const char *more)
{
	struct buf lines;
	struct tls_context *ctx;
	struct err e = {0};

	buf_init(&lines, 4096);
	buf_printf(&lines, "certificate = {%s, %s, %s, %s} key = {%s, %s, %s, %s} %s",
		   certificate[0].file, certificate[1].file, certificate[2].file,
		   certificate[3].file, certificate[0].key_file, certificate[1].key_file,
		   certificate[2].key_file, certificate[3].key_file, more);
	ctx = context_of(buf_cstr(&lines), service, &e);
	if (ctx == NULL)
		print_message("# %s\n", e.text);
	assert_non_null(ctx);
	buf_fini(&lines);
	return ctx;
}

/* ---- the client: a thread that connects, says something, and reads to the end ---------- */

struct peer {
	/* what it does */
	const char *server_name;
	const char *alpn; /* in wire form */
	const struct certificate *certificate;
	SSL_SESSION *session;
	int newest; /* TLS1_2_VERSION; 0 = what there is */
	bool renegotiates;
	const char *says;

	/* what came of it */
	bool connected, reused, ended; /* ended: by a close_notify */
	int reason;                    /* of OpenSSL, when something failed */
	struct buf heard, exporter;
	unsigned reads;
	X509 *server;
	SSL_SESSION *got;

	int fd;
	SSL *ssl;
	pthread_t thread;
};

static void failed(struct peer *p)
{
	p->reason = ERR_GET_REASON(ERR_peek_error());
}

static void prepare(struct peer *p, SSL_CTX *ctx)
{
	p->ssl = SSL_new(ctx);
	must(p->ssl != NULL && SSL_set_fd(p->ssl, p->fd) == 1);
	if (p->newest != 0) {
		SSL_set_security_level(p->ssl, 0);
		SSL_set_min_proto_version(p->ssl, TLS1_VERSION);
		SSL_set_max_proto_version(p->ssl, p->newest);
	}
	if (p->server_name != NULL) {
		char name[256];

		snprintf(name, sizeof name, "%s", p->server_name);
		SSL_set_tlsext_host_name(p->ssl, name);
	}
	if (p->alpn != NULL)
		SSL_set_alpn_protos(p->ssl, (const unsigned char *)p->alpn,
				    (unsigned)strlen(p->alpn));
	if (p->certificate != NULL) {
		SSL_use_certificate(p->ssl, p->certificate->x);
		SSL_use_PrivateKey(p->ssl, p->certificate->key);
	}
	if (p->session != NULL)
		SSL_set_session(p->ssl, p->session);
}

static void note(struct peer *p)
{
	char *to = buf_reserve(&p->exporter, 32);

	p->connected = true;
	p->reused = SSL_session_reused(p->ssl) == 1;
	p->server = SSL_get1_peer_certificate(p->ssl);
	must(SSL_export_keying_material(p->ssl, (unsigned char *)to, 32,
					"EXPORTER-Channel-Binding", 24,
					(const unsigned char *)"", 0, 1) == 1);
	buf_used(&p->exporter, 32);
}

static void hear(struct peer *p)
{
	char some[32768];
	int n;

	while ((n = SSL_read(p->ssl, some, sizeof some)) > 0) {
		buf_put(&p->heard, (struct str){some, (size_t)n});
		p->reads++;
	}
	p->ended = SSL_get_error(p->ssl, n) == SSL_ERROR_ZERO_RETURN;
	if (!p->ended)
		failed(p);
	p->got = SSL_get1_session(p->ssl);
}

static void converse(struct peer *p)
{
	if (SSL_connect(p->ssl) != 1) {
		failed(p);
		return;
	}
	note(p);
	if (p->says != NULL)
		SSL_write(p->ssl, p->says, (int)strlen(p->says));
	if (p->renegotiates && SSL_renegotiate(p->ssl) == 1 &&
	    SSL_do_handshake(p->ssl) != 1) {
		failed(p);
		return;
	}
	hear(p);
}

static void *run_peer(void *arg)
{
	struct peer *p = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx != NULL);
	prepare(p, ctx);
	ERR_clear_error();
	converse(p);
	SSL_shutdown(p->ssl); /* or OpenSSL takes the session for a bad one */
	SSL_free(p->ssl);
	SSL_CTX_free(ctx);
	close(p->fd);
	return NULL;
}

static void peer_start(struct peer *p, struct conn *c)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(c, fd[0], LONG_MS);
	p->fd = fd[1];
	buf_init(&p->heard, 1 << 22);
	buf_init(&p->exporter, 32);
	assert_int_equal(pthread_create(&p->thread, NULL, run_peer, p), 0);
}

static void peer_end(struct peer *p)
{
	assert_int_equal(pthread_join(p->thread, NULL), 0);
}

static void peer_free(struct peer *p)
{
	buf_fini(&p->heard);
	buf_fini(&p->exporter);
	X509_free(p->server);
	SSL_SESSION_free(p->got);
}

static void starts(struct conn *c, struct tls_context *ctx)
{
	struct err e = {0};

	if (conn_start_tls(c, ctx, &e) < 0)
		print_message("# %s\n", e.text);
	assert_int_equal(e.class, ERR_NONE);
	assert_non_null(conn_tls(c));
}

static void input_is(struct conn *c, const char *want)
{
	struct err e = {0};
	struct str in;

	if (conn_input(c, &in, &e) < 0)
		print_message("# %s\n", e.text);
	assert_int_equal(e.class, ERR_NONE);
	assert_int_equal(in.n, strlen(want));
	assert_memory_equal(in.p, want, in.n);
	conn_consume(c, in.n);
}

static void writes(struct conn *c, const char *text, bool more)
{
	struct err e = {0};

	assert_int_equal(conn_write(c, str_of(text), more, &e), 0);
}

/* meet - a handshake, a word, and the end */
static void meet(struct tls_context *ctx, struct peer *p)
{
	struct conn c;

	p->says = NULL;
	peer_start(p, &c);
	starts(&c, ctx);
	writes(&c, "x", false);
	conn_close(&c);
	peer_end(p);
	assert_true(p->connected);
	assert_true(p->ended);
}

/* parts - no handshake comes about; returns why not, as the server saw it */
static struct err parts(struct tls_context *ctx, struct peer *p)
{
	struct err e = {0};
	struct conn c;

	peer_start(p, &c);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	conn_close(&c);
	peer_end(p);
	return e;
}

/* ---- octets --------------------------------------------------------------------------- */

static void talks(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.says = "USER eve\r\n"};
	struct conn c;

	peer_start(&p, &c);
	assert_null(conn_tls(&c));
	starts(&c, ctx);
	input_is(&c, "USER eve\r\n");
	writes(&c, "+OK\r\n", false);
	assert_string_equal(tls_version(conn_tls(&c)), "TLSv1.3");
	assert_string_equal(tls_cipher(conn_tls(&c)), "TLS_AES_256_GCM_SHA384");
	conn_close(&c);
	peer_end(&p);
	assert_string_equal(buf_cstr(&p.heard), "+OK\r\n");
	assert_true(p.ended);
	peer_free(&p);
	tls_context_free(&ctx);
	assert_null(ctx);
	tls_context_free(&ctx);
}

static void what_came_in_clear_text_is_dropped(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.says = "QUIT\r\n"};
	struct err e = {0};
	struct conn c;
	struct str in;
	int fd[2];

	/* The peer's thread may start its hello only when this has been read. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(&c, fd[0], LONG_MS);
	p.fd = fd[1];
	buf_init(&p.heard, 4096);
	buf_init(&p.exporter, 32);
	assert_int_equal(write(p.fd, "STLS\r\nCAPA\r\n", 12), 12);
	assert_int_equal(conn_input(&c, &in, &e), 0);
	assert_int_equal(in.n, 12);
	conn_consume(&c, 6);
	assert_true(conn_has_input(&c));
	assert_int_equal(pthread_create(&p.thread, NULL, run_peer, &p), 0);
	starts(&c, ctx);
	assert_false(conn_has_input(&c));
	input_is(&c, "QUIT\r\n");
	conn_close(&c);
	peer_end(&p);
	peer_free(&p);
	tls_context_free(&ctx);
}

static void pieces_share_a_record(void **state UNUSED)
{
	static char much[40000];
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {0};
	struct err e = {0};
	struct conn c;

	peer_start(&p, &c);
	starts(&c, ctx);
	writes(&c, "+OK ", true);
	writes(&c, "12 octets", true);
	writes(&c, "\r\n", false);
	conn_close(&c);
	peer_end(&p);
	assert_string_equal(buf_cstr(&p.heard), "+OK 12 octets\r\n");
	assert_int_equal(p.reads, 1);
	peer_free(&p);

	p = (struct peer){0};
	memset(much, 'y', sizeof much);
	peer_start(&p, &c);
	starts(&c, ctx);
	writes(&c, "x", true);
	assert_int_equal(conn_write(&c, (struct str){much, sizeof much}, true, &e), 0);
	writes(&c, "z", false);
	conn_close(&c);
	peer_end(&p);
	assert_int_equal(p.heard.n, sizeof much + 2);
	assert_int_equal(p.reads, 3);
	assert_int_equal(p.heard.p[0], 'x');
	assert_int_equal(p.heard.p[sizeof much], 'y');
	assert_int_equal(p.heard.p[sizeof much + 1], 'z');
	peer_free(&p);
	tls_context_free(&ctx);
}

/* What was held back goes out before anybody waits for an answer to it. */
static void a_read_sends_what_was_held(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.says = "x"};
	struct conn c;

	peer_start(&p, &c);
	starts(&c, ctx);
	writes(&c, "held", true);
	input_is(&c, "x");
	conn_close(&c);
	peer_end(&p);
	assert_string_equal(buf_cstr(&p.heard), "held");
	peer_free(&p);
	tls_context_free(&ctx);
}

static int file_of(size_t n)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		putc((int)(i % 251), f);
	fflush(f);
	return dup(fileno(f));
}

static void sends_a_file(void **state UNUSED)
{
	enum { OCTETS = 100000, FROM = 1000 };
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {0};
	struct err e = {0};
	struct conn c;
	int fd = file_of(OCTETS);

	peer_start(&p, &c);
	starts(&c, ctx);
	assert_int_equal(conn_sendfile(&c, fd, FROM, OCTETS - FROM, &e), 0);
	assert_int_equal(conn_sendfile(&c, fd, OCTETS - 10, 11, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	conn_close(&c);
	peer_end(&p);
	assert_int_equal(p.heard.n, OCTETS - FROM + 10);
	for (size_t i = 0; i < OCTETS - FROM; i++)
		assert_int_equal((unsigned char)p.heard.p[i], (i + FROM) % 251);
	close(fd);
	peer_free(&p);
	tls_context_free(&ctx);
}

static void knows_of_octets_that_poll_does_not(void **state UNUSED)
{
	static char much[CONN_INPUT + 100];
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.says = much};
	struct err e = {0};
	struct conn c;
	struct str in;

	memset(much, 'x', sizeof much - 1);
	peer_start(&p, &c);
	starts(&c, ctx);
	assert_false(conn_tls_pending(&c));
	assert_int_equal(conn_input(&c, &in, &e), 0);
	conn_consume(&c, in.n - 1);
	assert_true(conn_tls_pending(&c));
	conn_consume(&c, 1);
	for (size_t n = in.n; n < sizeof much - 1; n += in.n) {
		assert_int_equal(conn_input(&c, &in, &e), 0);
		conn_consume(&c, in.n);
	}
	assert_false(conn_tls_pending(&c));
	conn_close(&c);
	peer_end(&p);
	peer_free(&p);
	tls_context_free(&ctx);
}

/* ---- what the client asks for --------------------------------------------------------- */

static void the_name_asked_for_chooses_the_certificate(void **state UNUSED)
{
	static char long_name[254];
	const struct {
		const char *name;
		int want;
	} rows[] = {
		/* clang-format off */
		{NULL,                    MAIL},
		{"mail.example.org",      MAIL},
		{"mx.example.org",        MAIL},
		{"pop3.example.org",      POP3},
		{"POP3.Example.ORG",      POP3},
		{"a.example.net",         WILD},
		{"a.b.example.net",       MAIL},
		{"example.net",           MAIL},
		{".example.net",          MAIL},
		{".example.org",          MAIL},
		{"old.example.org",       OLD},
		{"pop3.example.org.evil", MAIL},
		{"../../etc\\",            MAIL},
		{"x",                     MAIL}, /* its CN does not count beside names */
		{long_name,               MAIL},
		/* clang-format on */
	};
	struct tls_context *ctx = make_context("pop3", "");

	memset(long_name, 'a', sizeof long_name - 1);
	for (size_t i = 0; i < countof(rows); i++) {
		struct peer p = {.server_name = rows[i].name};

		meet(ctx, &p);
		assert_int_equal(X509_cmp(p.server, certificate[rows[i].want].x), 0);
		peer_free(&p);
	}
	tls_context_free(&ctx);
}

static void a_client_of_another_protocol_is_refused(void **state UNUSED)
{
	static const struct {
		const char *offers;
		bool ok;
	} rows[] = {
		{NULL, true},           {"\4pop3", true}, {"\10http/1.1\4pop3", true},
		{"\10http/1.1", false}, {"\3pop", false}, {"\5pop3s", false},
	};
	struct tls_context *ctx = make_context("pop3", "");

	for (size_t i = 0; i < countof(rows); i++) {
		struct peer p = {.alpn = rows[i].offers};

		if (rows[i].ok) {
			meet(ctx, &p);
		} else {
			parts(ctx, &p);
			assert_int_equal(p.reason,
					 SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
		}
		peer_free(&p);
	}
	tls_context_free(&ctx);
}

/* ---- tickets -------------------------------------------------------------------------- */

/* again - whether the session of a first meeting saves work at a second */
static bool again(struct tls_context *first, const char *first_name,
		  struct tls_context *second, const char *second_name, int version)
{
	struct peer a = {.server_name = first_name, .newest = version};
	struct peer b = {.server_name = second_name, .newest = version};
	bool reused;

	meet(first, &a);
	assert_non_null(a.got);
	assert_true(SSL_SESSION_is_resumable(a.got));
	b.session = a.got;
	meet(second, &b);
	reused = b.reused;
	peer_free(&a);
	peer_free(&b);
	return reused;
}

static void a_ticket_is_good_where_it_was_made(void **state UNUSED)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const char mail[] = "mail.example.org", pop3[] = "pop3.example.org";
	struct tls_context *one = make_context("pop3", "");
	struct tls_context *other = make_context("lmtp", "");

	for (size_t i = 0; i < countof(versions); i++) {
		assert_true(again(one, mail, one, mail, versions[i]));
		assert_true(again(one, pop3, one, pop3, versions[i]));
		assert_false(again(one, mail, other, mail, versions[i]));
		assert_false(again(one, mail, one, pop3, versions[i]));
		assert_false(again(one, pop3, one, mail, versions[i]));
		assert_false(again(one, pop3, one, NULL, versions[i]));
	}
	tls_context_free(&one);
	tls_context_free(&other);
}

/* ---- who the peer is --------------------------------------------------------------------- */

/* binding_of - what both sides make of one connection; false when the server has none */
static bool binding_of(struct tls_context *ctx, const char *name, int version,
		       enum tls_binding which, struct peer *p, struct buf *out)
{
	struct conn c;
	bool there;

	*p = (struct peer){.server_name = name, .newest = version};
	buf_init(out, TLS_BINDING_MAX);
	peer_start(p, &c);
	starts(&c, ctx);
	there = tls_get_binding(conn_tls(&c), which, out);
	assert_false(buf_over(out));
	conn_close(&c);
	peer_end(p);
	assert_true(p->connected);
	return there;
}

static void both_sides_export_the_same(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct buf first, second;
	struct peer p;

	assert_true(binding_of(ctx, NULL, 0, TLS_EXPORTER, &p, &first));
	assert_int_equal(first.n, 32);
	assert_true(str_eq(buf_str(&first), buf_str(&p.exporter)));
	peer_free(&p);
	assert_true(binding_of(ctx, NULL, 0, TLS_EXPORTER, &p, &second));
	assert_false(str_eq(buf_str(&first), buf_str(&second)));
	peer_free(&p);
	buf_fini(&second);
	assert_false(binding_of(ctx, NULL, TLS1_2_VERSION, TLS_EXPORTER, &p, &second));
	assert_int_equal(second.n, 0);
	peer_free(&p);
	buf_fini(&second);
	buf_fini(&first);
	tls_context_free(&ctx);
}

static void is_digest(const struct peer *p, const EVP_MD *digest, const struct buf *got)
{
	unsigned char want[EVP_MAX_MD_SIZE];
	unsigned n;

	assert_int_equal(X509_digest(p->server, digest, want, &n), 1);
	assert_int_equal(got->n, n);
	assert_memory_equal(got->p, want, n);
}

static void the_end_point_is_the_certificate(void **state UNUSED)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_context *ctx = make_context("pop3", "");
	struct buf got;
	struct peer p;

	for (size_t i = 0; i < countof(versions); i++) {
		assert_true(binding_of(ctx, "mail.example.org", versions[i],
				       TLS_SERVER_END_POINT, &p, &got));
		is_digest(&p, EVP_sha256(), &got);
		peer_free(&p);
		buf_fini(&got);
		assert_true(binding_of(ctx, "pop3.example.org", versions[i],
				       TLS_SERVER_END_POINT, &p, &got));
		is_digest(&p, EVP_sha384(), &got);
		peer_free(&p);
		buf_fini(&got);
		assert_false(binding_of(ctx, "old.example.org", versions[i],
					TLS_SERVER_END_POINT, &p, &got));
		assert_int_equal(got.n, 0);
		peer_free(&p);
		buf_fini(&got);
	}
	tls_context_free(&ctx);
}

/* client_of - what the server knows of this one's certificate */
static bool client_of(struct tls_context *ctx, const struct certificate *with,
		      int version, struct buf *subject, struct buf *names)
{
	struct peer p = {.certificate = with, .newest = version};
	struct conn c;
	bool there;

	peer_start(&p, &c);
	starts(&c, ctx);
	there = tls_get_client(conn_tls(&c), subject, names);
	conn_close(&c);
	peer_end(&p);
	assert_true(p.ended);
	peer_free(&p);
	return there;
}

static void knows_the_client_by_its_certificate(void **state UNUSED)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct buf more, subject, names, small, some;
	struct tls_context *ctx;

	buf_init(&more, 512);
	buf_init(&subject, 512);
	buf_init(&names, 512);
	buf_init(&small, 4);
	buf_init(&some, sizeof "email eve@example.org\n");
	buf_printf(&more, "client_ca = %s", ca.file);
	ctx = make_context("pop3", buf_cstr(&more));
	for (size_t i = 0; i < countof(versions); i++) {
		struct peer p = {.certificate = &stranger, .newest = versions[i]};
		struct err e;

		buf_clear(&subject);
		buf_clear(&names);
		assert_false(client_of(ctx, NULL, versions[i], &subject, &names));
		assert_int_equal(subject.n + names.n, 0);
		assert_true(client_of(ctx, &client, versions[i], &subject, &names));
		assert_string_equal(buf_cstr(&subject), "CN=Eve\\, Ltd");
		assert_string_equal(buf_cstr(&names),
				    "email eve@example.org\ndns eve.example.org\n");
		buf_clear(&small);
		assert_false(client_of(ctx, &client, versions[i], &small, &names));
		assert_int_equal(small.n + names.n, 0);
		/* Half of the names may look like the one that there is. */
		buf_clear(&subject);
		assert_false(client_of(ctx, &client, versions[i], &subject, &some));
		assert_int_equal(subject.n + some.n, 0);
		e = parts(ctx, &p);
		assert_non_null(strstr(e.text, "certificate verify failed"));
		assert_int_equal(p.reason, SSL_R_TLSV1_ALERT_UNKNOWN_CA);
		peer_free(&p);
	}
	tls_context_free(&ctx);
	buf_fini(&more);
	buf_fini(&subject);
	buf_fini(&names);
	buf_fini(&small);
	buf_fini(&some);
}

/* Nothing is verified again: what was, is in the ticket. */
static void a_ticket_remembers_the_client(void **state UNUSED)
{
	struct buf more, subject, names;
	struct tls_context *ctx;
	struct peer first = {.certificate = &client}, second = {0};
	struct conn c;

	buf_init(&more, 512);
	buf_init(&subject, 512);
	buf_init(&names, 512);
	buf_printf(&more, "client_ca = %s", ca.file);
	ctx = make_context("pop3", buf_cstr(&more));
	meet(ctx, &first);
	second.session = first.got;
	peer_start(&second, &c);
	starts(&c, ctx);
	assert_true(tls_get_client(conn_tls(&c), &subject, &names));
	assert_string_equal(buf_cstr(&subject), "CN=Eve\\, Ltd");
	conn_close(&c);
	peer_end(&second);
	assert_true(second.reused);
	peer_free(&first);
	peer_free(&second);
	tls_context_free(&ctx);
	buf_fini(&more);
	buf_fini(&subject);
	buf_fini(&names);
}

/* One that was not asked for is not sent. */
static void asks_nobody_without_a_client_ca(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct buf subject, names;

	buf_init(&subject, 512);
	buf_init(&names, 512);
	assert_false(client_of(ctx, &client, 0, &subject, &names));
	assert_int_equal(subject.n + names.n, 0);
	tls_context_free(&ctx);
	buf_fini(&subject);
	buf_fini(&names);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void old_versions_are_refused(void **state UNUSED)
{
	static const struct {
		const char *more;
		int newest;
		bool ok;
	} rows[] = {
		{"", TLS1_VERSION, false},
		{"", TLS1_1_VERSION, false},
		{"", TLS1_2_VERSION, true},
		{"minimum = \"1.3\"", TLS1_2_VERSION, false},
		{"minimum = \"1.3\"", TLS1_3_VERSION, true},
	};

	for (size_t i = 0; i < countof(rows); i++) {
		struct tls_context *ctx = make_context("pop3", rows[i].more);
		struct peer p = {.newest = rows[i].newest};

		if (rows[i].ok) {
			meet(ctx, &p);
		} else {
			parts(ctx, &p);
			assert_int_equal(p.reason, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
		}
		peer_free(&p);
		tls_context_free(&ctx);
	}
}

static void a_second_handshake_is_refused(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.newest = TLS1_2_VERSION, .renegotiates = true, .says = "x"};
	struct err e = {0};
	struct conn c;
	struct str in;

	peer_start(&p, &c);
	starts(&c, ctx);
	input_is(&c, "x");
	assert_int_equal(conn_input(&c, &in, &e), -1);
	conn_close(&c);
	peer_end(&p);
	assert_int_equal(p.reason, SSL_R_NO_RENEGOTIATION);
	peer_free(&p);
	tls_context_free(&ctx);
}

/* wire - a connection whose other end the test itself writes to */
static int wire(struct conn *c)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	conn_open(c, fd[0], LONG_MS);
	return fd[1];
}

/* Whoever asked for TLS gets no octet in clear text from then on. */
static void says_nothing_after_a_failed_handshake(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct err e = {0};
	char heard[64];
	struct conn c;
	struct str in;
	int fd = wire(&c);

	assert_int_equal(write(fd, "CAPA\r\nQUIT\r\n", 12), 12);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_string_equal(e.text, "TLS handshake: wrong version number");
	assert_int_equal(conn_write(&c, STR("-ERR too slow\r\n"), false, &e), -1);
	assert_int_equal(conn_input(&c, &in, &e), -1);
	conn_close(&c);
	assert_true(read(fd, heard, sizeof heard) <= 0);
	close(fd);
	tls_context_free(&ctx);
}

static void hanging_up_in_a_handshake_is_a_hang_up(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct err e = {0};
	struct conn c;
	int fd = wire(&c);

	assert_int_equal(write(fd, "\x16\x03\x01\x02", 4), 4);
	close(fd);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "connection closed");
	conn_close(&c);
	tls_context_free(&ctx);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void silence_ends_a_handshake(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	uint64_t start = clock_ms();
	struct err e = {0};
	struct conn c;
	int fd = wire(&c);

	conn_deadline(&c, 40);
	assert_int_equal(write(fd, "\x16\x03\x01\x02\x00\x01", 6), 6);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_in_range(clock_ms() - start, 40, LONG_MS / 2);
	conn_close(&c);
	close(fd);
	tls_context_free(&ctx);
}

/* A peer that sends octets of one record, one at a time. */
struct dripper {
	int fd;
	pthread_t thread;
	struct str octets;
	char last;
};

static void *drip(void *arg)
{
	struct dripper *d = arg;
	struct timespec pause = {.tv_nsec = 5000000};

	for (size_t i = 0; i < d->octets.n; i++) {
		if (send(d->fd, d->octets.p + i, 1, MSG_NOSIGNAL) != 1)
			break;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* A record of 16 KB, of which the length comes first. */
static char large_record[5 + 16384] = "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03";

static void dripping_ends_a_handshake(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct dripper d = {.octets = {large_record, sizeof large_record}};
	uint64_t start = clock_ms();
	struct err e = {0};
	struct conn c;

	d.fd = wire(&c);
	assert_int_equal(pthread_create(&d.thread, NULL, drip, &d), 0);
	conn_deadline(&c, 100);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_in_range(clock_ms() - start, 100, LONG_MS / 2);
	conn_close(&c);
	pthread_join(d.thread, NULL);
	close(d.fd);
	tls_context_free(&ctx);
}

/* shake - the client's side of a handshake, and a record of its own, kept here */
static void *shake(void *arg)
{
	struct dripper *d = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	static char text[16384];
	char *record;
	long n;

	must(SSL_set_fd(ssl, d->fd) == 1 && SSL_connect(ssl) == 1);
	SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
	must(SSL_write(ssl, text, sizeof text) == sizeof text);
	n = BIO_get_mem_data(SSL_get_wbio(ssl), &record);
	d->octets = (struct str){record, (size_t)n};
	drip(d);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return NULL;
}

static void dripping_a_record_gains_nothing(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct dripper d = {0};
	struct err e = {0};
	uint64_t start;
	struct conn c;
	struct str in;

	d.fd = wire(&c);
	assert_int_equal(pthread_create(&d.thread, NULL, shake, &d), 0);
	starts(&c, ctx);
	start = clock_ms();
	conn_deadline(&c, 100);
	assert_int_equal(conn_input(&c, &in, &e), -1);
	assert_string_equal(e.text, "timeout");
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_in_range(clock_ms() - start, 100, LONG_MS / 2);
	/* It can still be told why. */
	assert_int_equal(conn_write(&c, STR("bye"), false, &e), 0);
	conn_close(&c);
	pthread_join(d.thread, NULL);
	close(d.fd);
	tls_context_free(&ctx);
}

/* shake_and_begin - shakes hands, and sends all of a record but its last octet */
static void *shake_and_begin(void *arg)
{
	struct dripper *d = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	char *record;
	long n;

	must(SSL_set_fd(ssl, d->fd) == 1 && SSL_connect(ssl) == 1);
	SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
	must(SSL_write(ssl, "CAPA\r\n", 6) == 6);
	n = BIO_get_mem_data(SSL_get_wbio(ssl), &record);
	must(send(d->fd, record, (size_t)n - 1, 0) == n - 1);
	d->last = record[n - 1];
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return NULL;
}

static void half_a_record_is_not_waited_for(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct dripper d = {0};
	struct err e = {0};
	struct conn c;
	struct str in;

	d.fd = wire(&c);
	assert_int_equal(pthread_create(&d.thread, NULL, shake_and_begin, &d), 0);
	starts(&c, ctx);
	pthread_join(d.thread, NULL);
	assert_int_equal(conn_input_now(&c, &in, &e), 0);
	assert_int_equal(in.n, 0);
	assert_int_equal(conn_input_now(&c, &in, &e), 0);
	assert_int_equal(in.n, 0);
	assert_int_equal(write(d.fd, &d.last, 1), 1);
	assert_int_equal(conn_input_now(&c, &in, &e), 0);
	assert_true(str_eq(in, STR("CAPA\r\n")));
	conn_close(&c);
	close(d.fd);
	tls_context_free(&ctx);
}

/* deaf - shakes hands, and then neither reads nor writes until it is told to go */
static void *deaf(void *arg)
{
	struct dripper *d = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	must(SSL_set_fd(ssl, d->fd) == 1 && SSL_connect(ssl) == 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return NULL;
}

static void who_does_not_read_is_given_up(void **state UNUSED)
{
	static char much[1 << 20];
	struct tls_context *ctx = make_context("pop3", "");
	struct dripper d = {0};
	struct err e = {0};
	struct conn c;

	d.fd = wire(&c);
	assert_int_equal(pthread_create(&d.thread, NULL, deaf, &d), 0);
	starts(&c, ctx);
	pthread_join(d.thread, NULL);
	c.idle_ms = 20;
	assert_int_equal(conn_write(&c, (struct str){much, sizeof much}, false, &e), -1);
	assert_int_equal(e.class, ERR_PEER);
	assert_int_equal(e.sys, ETIMEDOUT);
	/* Part of a record is out: what came after it would be taken for the rest. */
	assert_int_equal(conn_write(&c, STR("-ERR\r\n"), false, &e), -1);
	conn_close(&c); /* without waiting */
	close(d.fd);
	tls_context_free(&ctx);
}

/* asks_for_keys - each of these has to be answered, and no answer is read */
static void *asks_for_keys(void *arg)
{
	struct dripper *d = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	must(SSL_set_fd(ssl, d->fd) == 1 && SSL_connect(ssl) == 1);
	while (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
	       SSL_do_handshake(ssl) == 1)
		;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return NULL;
}

/* Who polls for input, as the relay does, must not be told again and again of what cannot
 * be read before something is written. */
static void who_does_not_read_new_keys_is_given_up(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct dripper d = {0};
	struct err e = {0};
	struct conn c;
	struct str in;
	int rc = 0;

	d.fd = wire(&c);
	assert_int_equal(pthread_create(&d.thread, NULL, asks_for_keys, &d), 0);
	starts(&c, ctx);
	c.idle_ms = 50;
	for (int i = 0; rc == 0 && i < 100000; i++) {
		struct pollfd p = {.fd = c.fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, LONG_MS), 1);
		rc = conn_input_now(&c, &in, &e);
	}
	conn_close(&c);
	pthread_join(d.thread, NULL);
	close(d.fd);
	tls_context_free(&ctx);
	assert_int_equal(rc, -1);
	assert_int_equal(e.sys, ETIMEDOUT);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void *interrupt(void *arg)
{
	struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
	conn_interrupt(arg);
	return NULL;
}

static void an_interrupted_one_can_still_say_goodbye(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {0};
	struct err e = {0};
	pthread_t thread;
	struct conn c;
	struct str in;

	peer_start(&p, &c);
	starts(&c, ctx);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &c), 0);
	assert_int_equal(conn_input(&c, &in, &e), -1);
	assert_string_equal(e.text, "interrupted");
	writes(&c, "-ERR stopping\r\n", false);
	pthread_join(thread, NULL);
	conn_close(&c);
	peer_end(&p);
	assert_string_equal(buf_cstr(&p.heard), "-ERR stopping\r\n");
	assert_true(p.ended);
	peer_free(&p);
	tls_context_free(&ctx);
}

static void a_busy_one_finishes_first(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct peer p = {.says = "data"};
	struct err e = {0};
	struct conn c;
	struct str in;

	peer_start(&p, &c);
	starts(&c, ctx);
	conn_busy(&c, true);
	conn_interrupt(&c);
	input_is(&c, "data");
	conn_busy(&c, false);
	assert_int_equal(conn_input(&c, &in, &e), -1);
	assert_string_equal(e.text, "interrupted");
	conn_close(&c);
	peer_end(&p);
	peer_free(&p);
	tls_context_free(&ctx);
}

static void *cut(void *arg)
{
	struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
	conn_cut(arg);
	return NULL;
}

static void a_cut_ends_a_handshake(void **state UNUSED)
{
	struct tls_context *ctx = make_context("pop3", "");
	struct err e = {0};
	pthread_t thread;
	struct conn c;
	int fd = wire(&c);

	assert_int_equal(pthread_create(&thread, NULL, cut, &c), 0);
	assert_int_equal(conn_start_tls(&c, ctx, &e), -1);
	assert_string_equal(e.text, "interrupted");
	pthread_join(thread, NULL);
	conn_close(&c);
	close(fd);
	tls_context_free(&ctx);
}

/* ---- files that are not right ---------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void write_locked_key(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, certificate[MAIL].key, EVP_aes_128_cbc(),
					      (const unsigned char *)"secret", 6, NULL,
					      NULL),
			 1);
	fclose(f);
}

/* Each of these says which file, and what to do. */
static void bad_files_are_named(void **state UNUSED)
{
	static const struct {
		const char *lines;
		const char *says[2];
	} rows[] = {
		/* clang-format off */
		{"certificate = D/none key = D/mail.key", {"tls.certificate D/none", "No such file"}},
		{"certificate = D/mail.pem key = D/none", {"tls.key D/none", "No such file"}},
		{"certificate = D/bad key = D/mail.key", {"tls.certificate D/bad", "PEM"}},
		{"certificate = D/mail.pem key = D/bad", {"tls.key D/bad", "PEM"}},
		{"certificate = D/mail.pem key = D/locked", {"tls.key D/locked", "without a passphrase"}},
		{"certificate = D/mail.pem key = D/pop3.key",
		 {"tls.key D/pop3.key does not belong to tls.certificate D/mail.pem", "same order"}},
		{"certificate = D/mail.pem key = D/old.key",
		 {"tls.key D/old.key does not belong to tls.certificate D/mail.pem", "same order"}},
		{"certificate = D/mail.pem", {"tls.certificate has 1 files and tls.key 0", "same order"}},
		{"key = D/mail.key", {"tls.certificate has 0 files and tls.key 1", "same order"}},
		{"certificate = D/mail.pem key = D/mail.key client_ca = D/none",
		 {"tls.client_ca D/none", "No such file"}},
		{"certificate = D/mail.pem key = D/mail.key client_ca = D/bad",
		 {"tls.client_ca D/bad", "PEM"}},
		/* clang-format on */
	};
	char bad[64], locked[64];

	snprintf(bad, sizeof bad, "%s/bad", dir);
	snprintf(locked, sizeof locked, "%s/locked", dir);
	write_file(bad, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	write_locked_key(locked);
	for (size_t i = 0; i < countof(rows); i++) {
		struct err e = {0};
		char *lines = in_dir(rows[i].lines);

		assert_null(context_of(lines, "pop3", &e));
		for (size_t k = 0; k < countof(rows[i].says); k++) {
			char *want = in_dir(rows[i].says[k]);

			if (strstr(e.text, want) == NULL)
				print_message("# %s: %s\n", lines, e.text);
			assert_non_null(strstr(e.text, want));
			free(want);
		}
		free(lines);
	}
	remove(bad);
	remove(locked);
}

static void without_a_certificate_there_is_no_tls(void **state UNUSED)
{
	struct err e = {0};

	assert_null(context_of("", "pop3", &e));
	assert_int_equal(e.class, ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks),
		cmocka_unit_test(what_came_in_clear_text_is_dropped),
		cmocka_unit_test(pieces_share_a_record),
		cmocka_unit_test(a_read_sends_what_was_held),
		cmocka_unit_test(sends_a_file),
		cmocka_unit_test(knows_of_octets_that_poll_does_not),
		cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
		cmocka_unit_test(a_client_of_another_protocol_is_refused),
		cmocka_unit_test(a_ticket_is_good_where_it_was_made),
		cmocka_unit_test(both_sides_export_the_same),
		cmocka_unit_test(the_end_point_is_the_certificate),
		cmocka_unit_test(knows_the_client_by_its_certificate),
		cmocka_unit_test(a_ticket_remembers_the_client),
		cmocka_unit_test(asks_nobody_without_a_client_ca),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(a_second_handshake_is_refused),
		cmocka_unit_test(says_nothing_after_a_failed_handshake),
		cmocka_unit_test(hanging_up_in_a_handshake_is_a_hang_up),
		cmocka_unit_test(silence_ends_a_handshake),
		cmocka_unit_test(dripping_ends_a_handshake),
		cmocka_unit_test(dripping_a_record_gains_nothing),
		cmocka_unit_test(half_a_record_is_not_waited_for),
		cmocka_unit_test(who_does_not_read_is_given_up),
		cmocka_unit_test(who_does_not_read_new_keys_is_given_up),
		cmocka_unit_test(an_interrupted_one_can_still_say_goodbye),
		cmocka_unit_test(a_busy_one_finishes_first),
		cmocka_unit_test(a_cut_ends_a_handshake),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(without_a_certificate_there_is_no_tls),
	};

	return cmocka_run_group_tests(tests, make_site, remove_site);
}
