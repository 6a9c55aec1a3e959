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
enum settings_refused { REFUSED_REJECT, REFUSED_DISCARD };
enum settings_tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };
enum settings_certificate_name {
	CERTIFICATE_NONE,
	CERTIFICATE_EMAIL,
	CERTIFICATE_SUBJECT_CN
};
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
		bool trust_file_system;
	} store;
	struct {
		struct conf_list listen;
		struct conf_list proxy_networks, xclient_networks;
		uint64_t workers, max_connections;
		uint64_t idle_timeout_s, data_timeout_s;
		uint64_t max_message;    /* octets */
		uint64_t max_recipients; /* a transaction */
		uint64_t max_received;   /* Received fields before it is a loop */
		uint64_t
			retry_window_s; /* how long a retry is known for one; 0 = never */
		bool delivered_to;      /* add Delivered-To for each recipient */
	} lmtp;
	struct {
		struct conf_list listen, tls_listen;
		struct conf_list proxy_networks, xclient_networks;
		uint64_t login_workers, workers;
		uint64_t max_connections; /* of each of `workers` */
		/* of each of `login_workers`, before login */
		uint64_t max_login_connections, max_per_address, max_per_network;
		bool count_loopback;
		uint64_t idle_timeout_s, login_timeout_s;
		uint64_t login_delay_s; /* RFC 2449 s6.5; 0 = none */
		char *login_user;
	} pop3;
	struct {
		uint64_t max_scripts, max_script_size; /* of an account */
		uint64_t max_folders;                  /* the same */
		struct conf_list before, after;        /* files of the site */
		char *default_script;                  /* "" = none */
		int refused;                           /* enum settings_refused */
		uint64_t steps_per_minute; /* of its evaluations; 0 = no limit */
		/* ManageSieve, as in pop3: */
		struct conf_list listen, proxy_networks;
		uint64_t login_workers, workers;
		uint64_t max_connections;
		uint64_t max_login_connections, max_per_address, max_per_network;
		uint64_t idle_timeout_s, login_timeout_s;
	} sieve;
	struct {
		char *srs_domain;  /* "" = senders stay as they are */
		char *srs_secrets; /* a file; "" = none */
		uint64_t srs_hash; /* characters */
		uint64_t srs_lifetime_s;
		bool forward_failed_dmarc;
		char *authserv_id; /* "" = hostname */
	} outgoing;
	struct {
		struct conf_list listen;
		uint64_t max_connections;
	} policy, socketmap;
	struct {
		struct conf_list listen; /* libmilter form: inet:port@host, unix:path */
		uint64_t timeout_s;
		bool filter; /* scripts are asked before the message is taken */
		uint64_t filter_timeout_s;
	} milter;
	struct {
		struct conf_list listen, tls_listen, proxy_networks;
		uint64_t max_connections, max_per_address, max_per_network;
		uint64_t timeout_s;
	} poppassd;
	struct {
		struct conf_list certificate, key; /* pairs; the first is the default */
		struct conf_list client_ca;        /* none: no certificate is asked for */
		int minimum;                       /* enum settings_tls_minimum */
	} tls;
	struct {
		struct conf_list listen;           /* Unix sockets, for other programs */
		struct conf_list saslauthd_listen; /* the same, in saslauthd's protocol */
		uint64_t max_connections;
		struct conf_list rules;        /* authd/rules.h */
		struct conf_list sasl_options; /* "name value", of Cyrus SASL */
		char *sasl_plugin_path;
		char *saslauthd;      /* socket of saslauthd(8) */
		char *keytab;         /* of Kerberos; "" = none */
		int certificate_name; /* enum settings_certificate_name */
		uint64_t cache_entries, cache_time_s;
		struct conf_list trusted_networks;
		uint64_t user_delay_s;
		int plaintext_without_tls; /* enum settings_plaintext */
		char *default_domain;      /* for logins without one; "" = none */
		uint64_t yescrypt_cost;    /* 1 to 11, as crypt_gensalt(3) counts it */
		uint64_t scram_iterations;
		uint64_t password_min_length; /* characters */
		uint64_t password_history;    /* old ones that are refused */
		uint64_t password_lifetime_s; /* 0: they last */
		char *password_dictionary;    /* "" = none */
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

/* Whether a password may come in clear text over a connection without TLS. */
bool settings_allow_clear(const struct settings *set, bool loopback);

/* What the MTA calls itself in Authentication-Results. */
const char *settings_authserv_id(const struct settings *set);

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
