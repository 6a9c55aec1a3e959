/* SPDX-License-Identifier: ISC */
#include "lib/settings.h"

#include "lib/log.h"

#include <string.h>
#include <unistd.h>

enum { HOST_MAX = 255, TEXT_MAX = 1024 };

static const char *const over_quota_words[] = {
	[OVER_QUOTA_TEMPFAIL] = "tempfail", [OVER_QUOTA_REJECT] = "reject", NULL};
static const char *const plaintext_words[] = {[PLAINTEXT_NEVER] = "never",
					      [PLAINTEXT_LOOPBACK] = "loopback",
					      [PLAINTEXT_ALWAYS] = "always",
					      NULL};
static const char *const log_to_words[] = {
	[LOG_TO_STDERR] = "stderr", [LOG_TO_SYSLOG] = "syslog", NULL};
static const char *const log_level_words[] = {[LOG_LV_ERROR] = "error",
					      [LOG_LV_WARN] = "warn",
					      [LOG_LV_INFO] = "info",
					      [LOG_LV_DEBUG] = "debug",
					      NULL};

/* ---- what a text may be ------------------------------------------------------------ */

static const char *host_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("-.[]:", c) == NULL))
			return "is not a host name";
	}
	return NULL;
}

static const char *listen_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || s.p[i] == ' ')
			return "holds something that is not an address or a path";
	return NULL;
}

/* Nothing that takes an address apart, and nothing outside ASCII (utf8_names). */
static const char *charset_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || strchr(" @/\"\\<>", s.p[i]) != NULL)
			return "may hold printable ASCII without blank @ / \" \\ < >";
	return NULL;
}

static const char *delimiters_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || strchr(" @/\"\\<>.", s.p[i]) != NULL)
			return "may hold punctuation without blank @ / . \" \\ < >";
	return NULL;
}

static const char *domain_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" @/\"\\<>", s.p[i]) != NULL)
			return "is not a domain";
	return NULL;
}

/* Said anew for each call, for a machine may be named while we run. */
static const char *this_host(void)
{
	static _Thread_local char name[HOST_MAX + 1];

	if (gethostname(name, sizeof name - 1) < 0 || name[0] == '\0' ||
	    host_wrong(str_of(name)) != NULL)
		return "localhost";
	return name;
}

/* ---- the table ----------------------------------------------------------------------- */

/* clang-format off */
#define ROW(sec, nam, knd, fld, ctype, ...) \
	{.section = (sec), .name = (nam), .kind = (knd), \
	 .offset = CONF_FIELD(struct settings, fld, ctype), __VA_ARGS__}

#define NUM(kind, sec, nam, d, lo, hi, text) \
	ROW(#sec, #nam, kind, sec.nam, uint64_t, .def = (d), .min = (lo), .max = (hi), .doc = (text))
/* Times end in _s in the struct, and tell their unit in the file. */
#define TIME(sec, nam, d, lo, hi, text) \
	ROW(#sec, #nam, CONF_SECONDS, sec.nam##_s, uint64_t, .def = (d), .min = (lo), .max = (hi), .doc = (text))
#define BOOL(sec, nam, d, text) \
	ROW(#sec, #nam, CONF_BOOL, sec.nam, bool, .def = (d), .doc = (text))
#define WORD(sec, nam, d, list, text) \
	ROW(#sec, #nam, CONF_WORD, sec.nam, int, .def = (d), .words = (list), .doc = (text))
#define TEXT(sec, nam, d, lo, hi, check, text) \
	ROW(#sec, #nam, CONF_TEXT, sec.nam, char *, .def = (d), .min = (lo), .max = (hi), .wrong = (check), .doc = (text))
#define PATH(sec, nam, d, text) \
	ROW(#sec, #nam, CONF_PATH, sec.nam, char *, .def = (d), .min = 1, .max = TEXT_MAX, .doc = (text))
#define LISTEN(sec, text) \
	ROW(#sec, "listen", CONF_TEXTS, sec.listen, struct conf_list, .def = "", .min = 1, .max = TEXT_MAX, \
	    .wrong = listen_wrong, .doc = (text))

enum { K = 1 << 10, MINUTE = 60, HOUR = 3600 };

static const struct conf_item items[] = {
	ROW("", "hostname", CONF_TEXT, hostname, char *, .def = "the name of the machine",
	    .def_now = this_host, .min = 1, .max = HOST_MAX, .wrong = host_wrong,
	    .doc = "The name this machine goes by in greetings and in Received fields."),
	ROW("", "sendmail", CONF_PATH, sendmail, char *, .def = "/usr/sbin/sendmail",
	    .min = 1, .max = TEXT_MAX,
	    .doc = "The program that takes outgoing mail, with the command line of\n"
		   ".Xr sendmail 1 ."),

	PATH(store, root, "/var/lib/popstore",
	     "Where accounts, domains, forwardings and maildrops are kept."),
	ROW("store", "volumes", CONF_PATHS, store.volumes, struct conf_list, .def = "",
	    .min = 1, .max = TEXT_MAX,
	    .doc = "Directories, each on a disk of its own, that messages are spread over.\n"
		   "Without any, messages are kept under the root.\n"
		   "A new one is made by\n.Ic popstore init ;\none that holds messages has to stay in the list."),
	TEXT(store, name_charset, "._-+=~'&", 0, 64, charset_wrong,
	     "The characters that a local part may hold besides letters and digits."),
	BOOL(store, utf8_names, "no",
	     "Local parts may hold UTF-8 (RFC 6531), as it comes, without normalisation."),
	TEXT(store, delimiters, "+", 0, 7, delimiters_wrong,
	     "A name that is no account is cut at the first of these and looked up again:\n"
	     "mail for user+detail goes to user.\n"
	     "A domain may have its own."),
	TIME(store, checkpoint, "5s", 1, HOUR,
	     "How often maildrops are brought to the disk.\n"
	     "A start after a crash looks at the mail of about this time."),
	WORD(store, over_quota, "tempfail", over_quota_words,
	     "What a sender is told while the maildrop is full: to try again (452 4.2.2), or\n"
	     "that the message is refused (552 5.2.2)."),

	LISTEN(lmtp, "Where the delivery agent listens: address:port, [IPv6 address]:port, *:port,\n"
	     "or the path of a Unix-domain socket.\n"
	     "Without any it is not started."),
	NUM(CONF_COUNT, lmtp, workers, "2", 1, 64,
	    "Processes.\n"
	    "A process that fails takes only its own connections with it."),
	NUM(CONF_COUNT, lmtp, max_connections, "200", 1, 10000,
	    "Connections of each process; one more is told to come back (421)."),
	TIME(lmtp, idle_timeout, "5m", 1, HOUR,
	     "The longest silence of a client; RFC 5321 asks for 5m."),
	TIME(lmtp, data_timeout, "30m", 1, 24 * HOUR,
	     "The longest time that one message may take to come in."),
	NUM(CONF_OCTETS, lmtp, max_message, "50M", 64 * K, UINT64_C(2) << 30,
	    "The largest message that is accepted; RFC 5321 asks for 64K at least."),
	NUM(CONF_COUNT, lmtp, max_recipients, "1000", 100, 3000,
	    "Recipients of one transaction; one more is told to come back (452 4.5.3).\n"
	    "A forwarding counts as all that it stands for."),
	NUM(CONF_COUNT, lmtp, max_received, "50", 10, 1000,
	    "A message with more Received fields than this is taken for a mail loop."),
	BOOL(lmtp, delivered_to, "no",
	     "Each recipient's copy names the account in a Delivered-To field."),

	LISTEN(pop3, "Where the POP3 server listens; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, pop3, workers, "2", 1, 64, "Processes; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, pop3, max_connections, "2000", 1, 100000,
	    "Connections of each process; one more is told to come back."),
	TIME(pop3, idle_timeout, "10m", 10 * MINUTE, 24 * HOUR,
	     "The longest silence of a client that has logged in; RFC 1939 asks for 10m."),
	TIME(pop3, login_timeout, "1m", 1, HOUR, "The longest time before the login."),
	TIME(pop3, login_delay, "0", 0, 24 * HOUR,
	     "The shortest time between two logins to one account, announced as RFC 2449 says."),

	LISTEN(policy, "Where Postfix's check_policy_service asks; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, policy, max_connections, "500", 1, 10000,
	    "Connections; each smtpd process of Postfix keeps one."),
	LISTEN(socketmap, "Where Postfix's socketmap tables ask; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, socketmap, max_connections, "500", 1, 10000,
	    "Connections; each process of Postfix that looks up addresses keeps one."),

	LISTEN(milter, "Where the MTA's milter client connects, as libmilter writes it:\n"
	     "inet:port@address, inet6:port@address or unix:path.\n"
	     "Without any it is not started."),
	TIME(milter, timeout, "2h", 10, 24 * HOUR, "The longest silence of the MTA."),

	WORD(auth, plaintext_without_tls, "loopback", plaintext_words,
	     "Who may send a password in clear text over a connection without TLS: nobody,\n"
	     "clients on this machine, or everybody."),
	TEXT(auth, default_domain, "", 0, 190, domain_wrong,
	     "The domain of a login name without one.\n"
	     "Without this setting such a name is unknown."),
	NUM(CONF_COUNT, auth, yescrypt_cost, "5", 1, 11,
	    "What a new password's hash costs, as\n.Xr crypt_gensalt 3 counts it: each step doubles the time."),

	WORD(log, to, "stderr", log_to_words, "Where events are written."),
	WORD(log, level, "info", log_level_words, "The least important events that are written."),
};
/* clang-format on */

static const struct conf_table table = {items, countof(items)};

/* ---- the module ---------------------------------------------------------------------- */

int settings_parse(const char *file, struct str text, struct settings **out,
		   struct err *e)
{
	struct settings *set = xalloc(sizeof *set);

	*out = NULL;
	if (conf_parse(&table, file, text, set, e) < 0) {
		xfree(&set);
		return -1;
	}
	*out = set;
	return 0;
}

int settings_read(const char *file, struct settings **out, struct err *e)
{
	struct settings *set = xalloc(sizeof *set);

	*out = NULL;
	if (conf_read(&table, file, set, e) < 0) {
		xfree(&set);
		return -1;
	}
	*out = set;
	return 0;
}

void settings_free(struct settings **set)
{
	if (*set != NULL)
		conf_free(&table, *set);
	xfree(set);
}

void settings_log(const struct settings *set, const char *program)
{
	log_open(program, set->log.to == LOG_TO_SYSLOG, (enum log_level)set->log.level);
}

void settings_print(const struct settings *set, bool only_changed, struct buf *out)
{
	conf_print(&table, set, only_changed, out);
}

const struct conf_table *settings_table(void)
{
	return &table;
}

void settings_mdoc(struct buf *out)
{
	conf_mdoc(&table, out);
}
