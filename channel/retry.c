/* SPDX-License-Identifier: ISC */
#include "channel/retry.h"

#include "lib/buf.h"
#include "lib/openssl.h"
#include "mail/received.h"

#include <openssl/evp.h>

/* A key of Poly1305 is as long as what SHA-256 makes. */
enum { KEY_OCTETS = 32, SUM_OCTETS = 16 };

/* BEGINNING collects the first octets; after them it is clear whether there will be a
 * key. */
enum state { BEGINNING, SUMMING, NO_KEY };

struct retry {
	enum state state;
	struct retry_says says;
	struct buf first;
	uint64_t queued_ms;
	uint64_t secret;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	EVP_MAC *poly1305;
	EVP_MAC_CTX *sum;
};

struct retry *retry_new(uint64_t secret)
{
	struct retry *r = xalloc(sizeof *r);

	openssl_begin();
	r->state = NO_KEY;
	r->secret = secret;
	r->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	r->digest = EVP_MD_CTX_new();
	r->poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	must(r->sha256 != NULL && r->digest != NULL && r->poly1305 != NULL);
	r->sum = EVP_MAC_CTX_new(r->poly1305);
	must(r->sum != NULL);
	buf_init(&r->first, RETRY_FIRST_OCTETS);
	return r;
}

void retry_free(struct retry **r)
{
	if (*r == NULL)
		return;
	EVP_MD_free((*r)->sha256);
	EVP_MD_CTX_free((*r)->digest);
	EVP_MAC_CTX_free((*r)->sum);
	EVP_MAC_free((*r)->poly1305);
	buf_fini(&(*r)->first);
	xfree(r);
}

void retry_begin(struct retry *r, const struct retry_says *says)
{
	buf_clear(&r->first);
	r->says = *says;
	r->state = BEGINNING;
}

static void add(struct retry *r, struct str s)
{
	must(EVP_MAC_update(r->sum, (const unsigned char *)s.p, s.n) == 1);
}

/* begin_sum - by a key that no other queue file has */
static void begin_sum(struct retry *r, struct str id)
{
	unsigned char key[KEY_OCTETS];
	struct buf text;

	/* Neither sender nor id can hold a LF. */
	buf_init(&text, RETRY_FIRST_OCTETS + 4096);
	buf_put(&text, STR("popstore retry\n"));
	buf_put_hex64(&text, r->secret);
	buf_putc(&text, '\n');
	buf_put(&text, r->says.sender);
	buf_putc(&text, '\n');
	buf_put(&text, id);
	must(!buf_over(&text));
	must(EVP_DigestInit_ex2(r->digest, r->sha256, NULL) == 1 &&
	     EVP_DigestUpdate(r->digest, text.p, text.n) == 1 &&
	     EVP_DigestFinal_ex(r->digest, key, NULL) == 1);
	must(EVP_MAC_init(r->sum, key, sizeof key, NULL) == 1);
	buf_fini(&text);
}

/* is_own - the line was written by the MTA that speaks to us */
static bool is_own(const struct retry_says *says, const struct received *line)
{
	return str_ieq(line->by, says->peer_name) || str_eq(line->id, says->ident);
}

/* decide - there is a key, or there is none */
static void decide(struct retry *r)
{
	struct received line;

	r->state = NO_KEY;
	if (!received_first(buf_str(&r->first), &line) || !is_own(&r->says, &line))
		return;
	r->state = SUMMING;
	r->queued_ms = line.unix_ms;
	begin_sum(r, line.id);
	add(r, buf_str(&r->first));
}

void retry_feed(struct retry *r, struct str stored)
{
	struct str first = stored;

	if (r->state == BEGINNING) {
		if (first.n > RETRY_FIRST_OCTETS - r->first.n)
			first.n = RETRY_FIRST_OCTETS - r->first.n;
		buf_put(&r->first, first);
		stored = (struct str){stored.p + first.n, stored.n - first.n};
		if (stored.n > 0)
			decide(r);
	}
	if (r->state == SUMMING)
		add(r, stored);
}

static uint64_t number(const unsigned char *p)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | p[i];
	return n;
}

bool retry_key(struct retry *r, struct retry_key *key, uint64_t *queued_ms)
{
	unsigned char sum[SUM_OCTETS];
	size_t n;

	if (r->state == BEGINNING)
		decide(r);
	if (r->state != SUMMING)
		return false;
	r->state = NO_KEY;
	must(EVP_MAC_final(r->sum, sum, &n, sizeof sum) == 1 && n == sizeof sum);
	*key = (struct retry_key){number(sum), number(sum + 8)};
	*queued_ms = r->queued_ms;
	return true;
}
