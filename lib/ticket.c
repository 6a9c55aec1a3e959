/* SPDX-License-Identifier: ISC */
#include "lib/ticket.h"

#include "lib/buf.h"
#include "lib/hmac.h"
#include "lib/openssl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { SUM_OCTETS = HMAC_OCTETS, DIGITS = 16, TICKET_SAYS_MAX = 1024 };

/* ---- the key --------------------------------------------------------------------- */

static int fill_key(int fd, struct err *e)
{
	struct ticket_key key;
	int rc = -1;

	if (getrandom(&key, sizeof key, 0) == sizeof key &&
	    write(fd, &key, sizeof key) == sizeof key &&
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		rc = 0;
	else
		err_sys(e, "make the key of tickets");
	explicit_bzero(&key, sizeof key);
	return rc;
}

int ticket_key_make(int *fd, struct err *e)
{
	*fd = memfd_create("ticket", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return err_sys(e, "make the key of tickets");
	if (fill_key(*fd, e) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return -1;
}

int ticket_key_read(int fd, struct ticket_key *out, struct err *e)
{
	openssl_begin();

	ssize_t n = pread(fd, out, sizeof *out, 0);

	if (n < 0)
		return err_sys(e, "read the key of tickets");
	if (n != sizeof *out)
		return err_set(e, ERR_TEMP, "4.3.5", "the key of tickets is too short");
	return 0;
}

/* ---- a ticket -------------------------------------------------------------------- */

/* sum - each text is told apart from the next by its length, so that no two tickets say the
 * same octets */
static void sum(const struct ticket_key *key, const struct ticket *t, struct str until,
		unsigned char out[SUM_OCTETS])
{
	struct buf b;

	buf_init(&b, TICKET_SAYS_MAX);
	buf_printf(&b,
		   "popstore-ticket 2 %zu " STR_FMT " %" PRIx64 " %zu " STR_FMT
		   " %" PRIx64 " " STR_FMT,
		   t->account.n, STR_ARG(t->account), t->uid, t->sid.n, STR_ARG(t->sid),
		   t->profile, STR_ARG(until));
	must(!buf_over(&b));
	hmac_sha256((struct str){(const char *)key->octets, sizeof key->octets},
		    buf_str(&b), out);
	buf_fini(&b);
}

/* print - "<until>-<profile>-<sum>", all in hex */
static void print(const struct ticket *t, struct str until,
		  const unsigned char octets[SUM_OCTETS], char text[TICKET_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = (size_t)snprintf(text, TICKET_TEXT_MAX, STR_FMT "-%016" PRIx64 "-",
				    STR_ARG(until), t->profile);

	for (size_t i = 0; i < SUM_OCTETS; i++) {
		text[n++] = hex[octets[i] >> 4];
		text[n++] = hex[octets[i] & 15];
	}
	text[n] = '\0';
}

static void sign(const struct ticket_key *key, const struct ticket *t, struct str until,
		 char text[TICKET_TEXT_MAX])
{
	unsigned char octets[SUM_OCTETS];

	sum(key, t, until, octets);
	print(t, until, octets, text);
}

void ticket_sign(const struct ticket_key *key, const struct ticket *t, uint64_t now_ms,
		 char text[TICKET_TEXT_MAX])
{
	char until[DIGITS + 1];

	snprintf(until, sizeof until, "%016" PRIx64, now_ms + TICKET_LIFE_MS);
	sign(key, t, str_of(until), text);
}

bool ticket_is_good(const struct ticket_key *key, struct ticket *t, struct str text,
		    uint64_t now_ms)
{
	struct str until = {text.p, DIGITS}, profile = {text.p + DIGITS + 1, DIGITS};
	char real[TICKET_TEXT_MAX];
	uint64_t until_ms;

	if (text.n != TICKET_TEXT_MAX - 1 || !str_hex64(until, &until_ms) ||
	    !str_hex64(profile, &t->profile))
		return false;
	sign(key, t, until, real);
	/* One from a clock that was set back since is longer than it may be. */
	return CRYPTO_memcmp(real, text.p, text.n) == 0 && now_ms < until_ms &&
	       until_ms - now_ms <= TICKET_LIFE_MS;
}
