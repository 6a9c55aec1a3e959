/* SPDX-License-Identifier: ISC */
/*
 * settings - popstore.conf(5), read once into a struct that is passed down
 *
 * One table row per setting (lib/settings.c) holds default, bounds, unit and
 * the sentence of the manual; the parser (libconfuse behind lib/conf.h), the
 * manual page and `popstore settings` all come from it.  Every program reads the
 * whole file, so a misspelt word is an error everywhere, with file and line.
 *
 * A setting must earn its place: a good default beats a knob.
 *
 * Owns:  every string and list in the struct; settings_free() ends them.
 * Tests: t/unit/lib/settings.c
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "lib/conf.h"
#include "lib/err.h"

#define SETTINGS_FILE "/etc/popstore/popstore.conf"

enum settings_plaintext { PLAINTEXT_NEVER, PLAINTEXT_LOOPBACK, PLAINTEXT_ALWAYS };
enum settings_over_quota { OVER_QUOTA_TEMPFAIL, OVER_QUOTA_REJECT };
enum settings_log_to { LOG_TO_STDERR, LOG_TO_SYSLOG };

struct settings {
	char *hostname; /* in greetings and Received; default: gethostname(2) */
	char *sendmail; /* program for outgoing mail, sendmail(1) interface */
	struct {
		char *root;
		struct conf_list volumes; /* none: the root is the only volume */
		char *name_charset; /* octets allowed in local parts besides a-z 0-9 */
		bool utf8_names;    /* and well-formed UTF-8 */
		char *delimiters;   /* of subaddresses, where a domain sets none */
		uint64_t checkpoint_s;
		int over_quota; /* enum settings_over_quota */
	} store;
	struct {
		struct conf_list listen;
		uint64_t workers, max_connections;
		uint64_t idle_timeout_s, data_timeout_s;
		uint64_t max_message;    /* octets */
		uint64_t max_recipients; /* a transaction */
		uint64_t max_received;   /* Received fields before it is a loop */
		bool delivered_to;       /* add Delivered-To for each recipient */
	} lmtp;
	struct {
		struct conf_list listen;
		uint64_t workers, max_connections;
		uint64_t idle_timeout_s, login_timeout_s;
		uint64_t login_delay_s; /* RFC 2449 s6.5; 0 = none */
	} pop3;
	struct {
		struct conf_list listen;
		uint64_t max_connections;
	} policy, socketmap;
	struct {
		struct conf_list listen; /* libmilter form: inet:port@host, unix:path */
		uint64_t timeout_s;
	} milter;
	struct {
		int plaintext_without_tls; /* enum settings_plaintext */
		char *default_domain;      /* for logins without one; "" = none */
		uint64_t yescrypt_cost;    /* 1 to 11, as crypt_gensalt(3) counts it */
	} auth;
	struct {
		int to;    /* enum settings_log_to */
		int level; /* enum log_level */
	} log;
};

/* Reads and checks FILE.  The error names file and line. */
int settings_read(const char *file, struct settings **out, struct err *e);
/* The same from memory, for tests; `file` is for the errors. */
int settings_parse(const char *file, struct str text, struct settings **out,
		   struct err *e);
void settings_free(struct settings **set);

/* Opens the log as the file says, under this program name. */
void settings_log(const struct settings *set, const char *program);

/* What is in effect, in the form of the configuration file; with `only_changed`,
 * as postconf -n, what differs from the defaults. */
void settings_print(const struct settings *set, bool only_changed, struct buf *out);
/* The rows, for another form of the same; the base is a struct settings. */
const struct conf_table *settings_table(void);
/* The list for popstore.conf(5), as mdoc. */
void settings_mdoc(struct buf *out);

#endif
