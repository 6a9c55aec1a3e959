/* SPDX-License-Identifier: ISC */
/*
 * source_remote - a login to another server, by POP3 or IMAP (libcurl)
 *
 * Nothing is done there but a NOOP.  libcurl's user name and password are options of their
 * own, not parts of the URL, so that no octet of theirs means anything; one with a control
 * octet is not asked about, since the protocols have no way to say it.
 */
#include "authd/source_int.h"

#include "lib/buf.h"
#include "lib/network.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { REMOTE_NAME_MAX = 320, REMOTE_PASSWORD_MAX = 512 };

/* ---- the URL ------------------------------------------------------------------------ */

static int parse_option(struct str option, struct source *out, struct err *e)
{
	if (str_eq(option, STR("user=local")))
		out->local_part = true;
	else if (str_eq(option, STR("tls=no")) &&
		 !str_ends(str_of(out->kind->word), STR("s://")))
		out->clear_text = true;
	else if (str_starts(option, STR("ca=/")))
		snprintf(out->ca, sizeof out->ca, STR_FMT, (int)option.n - 3,
			 option.p + 3);
	else
		return err_set(e, ERR_PERM, "5.3.5", "\"" STR_FMT "\" is no option",
			       STR_ARG(option));
	return 0;
}

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("-.[]:", c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* is_here - nobody listens between this machine and itself */
static bool is_here(struct str host)
{
	struct network_address address;
	struct network here;

	if (host.n > 0 && host.p[0] == '[') {
		host = (struct str){host.p + 1, host.n - 1};
		host = str_cut(&host, ']');
	} else {
		host = str_cut(&host, ':');
	}
	if (!network_parse_address(host, &address))
		return false;
	return (network_parse(STR("127.0.0.0/8"), &here) &&
		network_has(&here, &address)) ||
	       (network_parse(STR("::1"), &here) && network_has(&here, &address));
}

int source_remote_parse(struct str rest, struct source *out, struct err *e)
{
	struct str options = rest;
	struct str host = str_cut(&options, '?');

	if (!is_host(host))
		return err_set(e, ERR_PERM, "5.3.5", "\"" STR_FMT "\" is no host",
			       STR_ARG(host));
	snprintf(out->name, sizeof out->name, "%s" STR_FMT "/", out->kind->word,
		 STR_ARG(host));
	out->clear_text =
		is_here(host) && !str_ends(str_of(out->kind->word), STR("s://"));
	while (options.n > 0)
		if (parse_option(str_cut(&options, '&'), out, e) < 0)
			return -1;
	return 0;
}

/* ---- asking ------------------------------------------------------------------------- */

enum { SAID_MAX = 4096 };

static size_t ignore(char *data UNUSED, size_t size, size_t n, void *ctx UNUSED)
{
	return size * n;
}

static size_t hear(char *data, size_t size, size_t n, void *ctx)
{
	struct buf *said = ctx;

	buf_clear(said); /* the last line is the one that counts */
	buf_put(said, (struct str){data, size * n});
	return size * n;
}

/* is_temporary - a refusal that says nothing of the password (RFC 3206, 2449, 5530) */
static bool is_temporary(struct str said)
{
	static const struct str codes[] = {
		STR_INIT("*[SYS/*"), STR_INIT("*[IN-USE]*"), STR_INIT("*[LOGIN-DELAY]*"),
		STR_INIT("*[UNAVAILABLE]*"), STR_INIT("*[LIMIT]*")};

	for (size_t i = 0; i < countof(codes); i++)
		if (str_glob(codes[i], said))
			return true;
	return false;
}

/* set_up - an option that this libcurl does not know must not be passed over in silence */
static bool set_up(CURL *c, const struct source *s, const char *user,
		   const char *password)
{
	long use_tls = s->clear_text ? CURLUSESSL_TRY : CURLUSESSL_ALL;
	bool imap = str_starts(str_of(s->name), STR("imap"));

	return curl_easy_setopt(c, CURLOPT_URL, s->name) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "pop3,pop3s,imap,imaps") ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERNAME, user) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PASSWORD, password) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "NOOP") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOBODY, imap ? 0L : 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USE_SSL, use_tls) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, s->clear_text ? 0L : 1L) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, s->clear_text ? 0L : 2L) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)SOURCE_CONNECT_S) ==
		       CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)SOURCE_WAIT_S) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       (s->ca[0] == '\0' ||
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca) == CURLE_OK) &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, hear) == CURLE_OK;
}

static enum source_result login(const struct source *s, const char *user,
				const char *password, struct err *e)
{
	char why[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	CURLcode rc = CURLE_FAILED_INIT;
	struct buf said;

	must(c != NULL);
	buf_init(&said, SAID_MAX);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &said);
	if (set_up(c, s, user, password))
		rc = curl_easy_perform(c);
	curl_easy_cleanup(c);

	bool temporary = is_temporary(buf_str(&said));

	buf_fini(&said);
	if (rc == CURLE_OK)
		return SOURCE_YES;
	if (rc == CURLE_LOGIN_DENIED && !temporary)
		return SOURCE_NO;
	err_set(e, ERR_TEMP, "4.3.0", "%s", why[0] ? why : curl_easy_strerror(rc));
	return SOURCE_FAILED;
}

enum source_result source_remote(const struct source *s, const struct source_question *q,
				 struct err *e)
{
	struct str rest = q->user;
	struct str user = s->local_part ? str_cut(&rest, '@') : q->user;
	enum source_result r = SOURCE_NO;
	struct buf name, password;

	if (str_has_control(user) || str_has_control(q->password) || user.n == 0)
		return SOURCE_NO;
	buf_init(&name, REMOTE_NAME_MAX);
	buf_init_secret(&password, REMOTE_PASSWORD_MAX);
	buf_put(&name, user);
	buf_put(&password, q->password);
	if (!buf_over(&name) && !buf_over(&password) && password.n > 0)
		r = login(s, buf_cstr(&name), buf_cstr(&password), e);
	buf_fini_secret(&password);
	buf_fini(&name);
	return r;
}
