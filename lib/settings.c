/* SPDX-License-Identifier: ISC */
#include "lib/settings.h"

#include "lib/log.h"
#include "lib/network.h"

#include <string.h>
#include <unistd.h>

enum { HOST_MAX = 255, TEXT_MAX = 1024 };

static const char *const over_quota_words[] = {
	[OVER_QUOTA_TEMPFAIL] = "tempfail", [OVER_QUOTA_REJECT] = "reject", NULL};
static const char *const refused_words[] = {
	[REFUSED_REJECT] = "reject", [REFUSED_DISCARD] = "discard", NULL};
static const char *const plaintext_words[] = {[PLAINTEXT_NEVER] = "never",
					      [PLAINTEXT_LOOPBACK] = "loopback",
					      [PLAINTEXT_ALWAYS] = "always",
					      NULL};
static const char *const tls_minimum_words[] = {
	[TLS_MINIMUM_1_2] = "1.2", [TLS_MINIMUM_1_3] = "1.3", NULL};
static const char *const certificate_words[] = {[CERTIFICATE_NONE] = "none",
						[CERTIFICATE_EMAIL] = "email",
						[CERTIFICATE_SUBJECT_CN] = "subject-cn",
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

static const char *option_wrong(struct str s)
{
	struct str value = s;
	struct str name = str_word(&value);

	return name.n > 0 && value.n > 0 && !str_has_control(s)
		       ? NULL
		       : "is not a name, a blank and a value";
}

static const char *user_wrong(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]) || strchr(" :/", s.p[i]) != NULL)
			return "is not the name of a user";
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

/* file_wrong - a path, or none */
static const char *file_wrong(struct str s)
{
	return s.n > 0 && s.p[0] != '/' ? "is not an absolute path" : NULL;
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
#define PATHS(sec, nam, text) \
	ROW(#sec, #nam, CONF_PATHS, sec.nam, struct conf_list, .def = "", .min = 1, .max = TEXT_MAX, .doc = (text))
#define NETWORKS(sec, nam, text) \
	ROW(#sec, #nam, CONF_TEXTS, sec.nam, struct conf_list, .def = "", .min = 1, .max = TEXT_MAX, \
	    .wrong = network_wrong, .doc = (text))
#define ADDRESSES(sec, nam, text) \
	ROW(#sec, #nam, CONF_TEXTS, sec.nam, struct conf_list, .def = "", .min = 1, .max = TEXT_MAX, \
	    .wrong = listen_wrong, .doc = (text))
#define LISTEN(sec, text) ADDRESSES(sec, listen, text)

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
	PATHS(store, volumes,
	      "Directories, each on a disk of its own, that messages are spread over.\n"
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
	BOOL(store, trust_file_system, "no",
	     "Services do not start where it is not known that a file system keeps through a\n"
	     "power cut what was synced, or known that it does not: on ext4 with\n.Cm fast_commit\n"
	     "or\n.Cm nobarrier ,\nin memory, over a network.\n"
	     "With this they do, and log a warning; what then becomes of mail is the\n"
	     "operator's business.\n"
	     "For tests, and for a file system that was tested."),

	LISTEN(lmtp, "Where the delivery agent listens: address:port, [IPv6 address]:port, *:port,\n"
	     "or the path of a Unix-domain socket.\n"
	     "Without any it is not started."),
	NETWORKS(lmtp, proxy_networks,
		 "Addresses and networks of proxies, as 192.0.2.7 or 2001:db8::/32.\n"
		 "A connection from these has to begin with a header of the PROXY protocol,\n"
		 "version 1 or 2, and is the client's that this names; from others the header is\n"
		 "refused."),
	NETWORKS(lmtp, xclient_networks,
		 "Addresses and networks whose clients may say by\n.Li XCLIENT\nwho they speak for."),
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
	TIME(lmtp, retry_window, "1d", 0, 7 * 24 * HOUR,
	     "A message that the MTA sends once more within this time, since it did not get\n"
	     "the reply, is answered as before and not stored again; see\n"
	     ".Xr popstore-lmtpd 8 .\n"
	     "0: it is stored again."),
	BOOL(lmtp, delivered_to, "no",
	     "Each recipient's copy names the account in a Delivered-To field."),

	NUM(CONF_COUNT, sieve, max_scripts, "16", 1, 1000,
	    "Filter scripts of an account."),
	NUM(CONF_OCTETS, sieve, max_script_size, "64K", K, 1 * K * K,
	    "The largest one."),
	NUM(CONF_COUNT, sieve, max_folders, "50", 0, 1000,
	    "Folders of an account.\n"
	    "They are made when a filter first files mail into them; beyond that number, and\n"
	    "with 0, it is kept in the account's own maildrop; see\n"
	    ".Xr popstore-lmtpd 8 ."),
	NUM(CONF_COUNT, sieve, steps_per_minute, "100000000", 0, 1000000000000,
	    "How much work the script of an account may be for each process of the delivery\n"
	    "agent, in steps of 10 to 20 nanoseconds; what comes beyond that is kept\n"
	    "unfiltered.\n"
	    "0: there is no limit but that of each evaluation."),
	PATHS(sieve, before,
	      "Files with scripts of the site, in their order, that every account's mail goes\n"
	      "through first, see\n.Xr popstore-lmtpd 8 ."),
	PATHS(sieve, after,
	      "The same, for what the account's own script keeps."),
	TEXT(sieve, default_script, "", 0, TEXT_MAX, file_wrong,
	     "A file with the script for accounts that have no active one."),
	WORD(sieve, refused, "reject", refused_words,
	     "What becomes of a message that a script refuses and that the MTA has taken: the\n"
	     "delivery agent refuses it (550 5.7.1), and the MTA tells the sender by a message of\n"
	     "its own; or it is discarded, and the log alone says so.\n"
	     "Where the milter filters, the sender has been told before unless somebody else got\n"
	     "the message too; see\n.Xr popstore-milter 8 ."),
	LISTEN(sieve, "Where users manage their scripts by ManageSieve (port 4190); see\n.Ic lmtp ."),
	NETWORKS(sieve, proxy_networks, "Proxies; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, sieve, login_workers, "1", 1, 64,
	    "Processes that ManageSieve clients talk to before they have logged in; see\n"
	    ".Ic pop3 ."),
	NUM(CONF_COUNT, sieve, workers, "1", 1, 64,
	    "Processes for their sessions; see\n.Ic pop3 ."),
	NUM(CONF_COUNT, sieve, max_connections, "200", 1, 10000,
	    "Sessions of each process; one more is told to come back."),
	NUM(CONF_COUNT, sieve, max_login_connections, "200", 1, 10000,
	    "Connections of each login process before login; see\n.Ic pop3 ."),
	NUM(CONF_COUNT, sieve, max_per_address, "10", 1, 10000,
	    "Of these, connections of one address other than this machine's; one more is told\n"
	    "to come back."),
	NUM(CONF_COUNT, sieve, max_per_network, "50", 1, 10000,
	    "Of these, connections of one network; see\n.Ic pop3 ."),
	TIME(sieve, idle_timeout, "30m", 30 * MINUTE, 24 * HOUR,
	     "The longest silence of a client that has logged in; RFC 5804 asks for 30m."),
	TIME(sieve, login_timeout, "1m", 1, HOUR, "The longest time before the login."),

	TEXT(outgoing, srs_domain, "", 0, HOST_MAX, domain_wrong,
	     "What is sent on for somebody gets a sender in this domain (SRS), unless its own is\n"
	     "of this store, so that it passes SPF; a bounce comes back here and goes to the\n"
	     "sender.\n"
	     "It has to be a domain of this store; it may be one without accounts.\n"
	     "Without one senders stay as they are."),
	TEXT(outgoing, srs_secrets, "", 0, TEXT_MAX, file_wrong,
	     "A file of secrets for these addresses, one a line, of 16 octets at least.\n"
	     "The first one signs, all of them verify: a new one is put in front of the others,\n"
	     "and an old one is taken away when\n.Ic srs_lifetime\nhas passed.\n"
	     "A file that takes its place under the same name is seen after a reload."),
	NUM(CONF_COUNT, outgoing, srs_hash, "8", 4, 20,
	    "Characters of the hash in such an address, and the least that one has to have; 4 is\n"
	    "what other programs make if they are not told otherwise."),
	TIME(outgoing, srs_lifetime, "21d", 24 * HOUR, 1000 * 24 * HOUR,
	     "How long such an address is good for."),
	BOOL(outgoing, forward_failed_dmarc, "no",
	     "A message of which the MTA's Authentication-Results field says that DMARC failed\n"
	     "goes on all the same, for forwardings and filters.\n"
	     "If not, a forwarding refuses it, and a filter's redirect keeps it."),
	TEXT(outgoing, authserv_id, "", 0, HOST_MAX, host_wrong,
	     "The name that the MTA gives itself in Authentication-Results fields (RFC 8601);\n"
	     "others are not looked at.\n"
	     "Without one it is\n.Ic hostname ."),

	LISTEN(pop3, "Where the POP3 server listens; see\n.Ic lmtp ."),
	ADDRESSES(pop3, tls_listen, "Where it listens for clients that begin with TLS (port 995); see\n.Ic lmtp ."),
	NETWORKS(pop3, proxy_networks, "Proxies; see\n.Ic lmtp ."),
	NETWORKS(pop3, xclient_networks,
		 "Who may say\n.Li XCLIENT ;\nsee\n.Ic lmtp ."),
	NUM(CONF_COUNT, pop3, login_workers, "2", 1, 64,
	    "Processes that clients talk to before they have logged in, and through which\n"
	    "those with TLS go on talking; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, pop3, workers, "2", 1, 64,
	    "Processes for sessions, which begin with the login; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, pop3, max_connections, "2000", 1, 100000,
	    "Sessions of each process; one more is told to come back."),
	NUM(CONF_COUNT, pop3, max_login_connections, "1000", 1, 10000,
	    "Connections of each login process before login; with one more, the one that came\n"
	    "first is ended."),
	NUM(CONF_COUNT, pop3, max_per_address, "50", 1, 10000,
	    "Of these, connections of one address; one more is told to come back."),
	NUM(CONF_COUNT, pop3, max_per_network, "200", 1, 10000,
	    "Of these, connections of one network: the first 24 bits of an IPv4 address, and\n"
	    "the first 64 of an IPv6 address."),
	BOOL(pop3, count_loopback, "no",
	     "Clients on this machine are held to the limits of one address, too."),
	TIME(pop3, idle_timeout, "10m", 10 * MINUTE, 24 * HOUR,
	     "The longest silence of a client that has logged in; RFC 1939 asks for 10m."),
	TIME(pop3, login_timeout, "1m", 1, HOUR, "The longest time before the login."),
	TIME(pop3, login_delay, "0", 0, 24 * HOUR,
	     "The shortest time between two logins to one account, announced as RFC 2449 says."),
	TEXT(pop3, login_user, "popstore-login", 1, 32, user_wrong,
	     "The user that talks to clients before the login, if\n.Xr popstored 8\n"
	     "was started as root: one who owns nothing.\n"
	     "Where there is no such user it is the owner of the store, and the log says so."),

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
	BOOL(milter, filter, "yes",
	     "The scripts of recipients are asked before the MTA takes a message, so that the\n"
	     "client is told where all of them refuse it; see\n.Xr popstore-milter 8 ."),
	TIME(milter, filter_timeout, "10s", 1, 4 * MINUTE,
	     "The longest time that the scripts of one message may take, with the wait for their\n"
	     "turn; what takes longer lets the message pass.\n"
	     "The MTA has to wait longer than this."),

	LISTEN(poppassd, "Where users change their passwords by the poppassd protocol (port 106); see\n.Ic lmtp .\n"
	       "Without TLS only clients that\n.Ic plaintext_without_tls\nlets send passwords are served."),
	ADDRESSES(poppassd, tls_listen, "The same for clients that begin with TLS."),
	NETWORKS(poppassd, proxy_networks, "Proxies; see\n.Ic lmtp ."),
	NUM(CONF_COUNT, poppassd, max_connections, "100", 1, 10000,
	    "Connections before the right password; with one more, the one that came first is\n"
	    "ended.\n"
	    "As many again may be there after it."),
	NUM(CONF_COUNT, poppassd, max_per_address, "10", 1, 10000,
	    "Of these, connections of one address other than this machine's; one more is told\n"
	    "to come back."),
	NUM(CONF_COUNT, poppassd, max_per_network, "30", 1, 10000,
	    "Of these, connections of one network; see\n.Ic pop3 ."),
	TIME(poppassd, timeout, "2m", 1, HOUR, "The longest time that a connection may last."),

	PATHS(tls, certificate,
	      "Files in PEM form, each a certificate and those that lead to its issuer, in this\n"
	      "order.\n"
	      "A client gets the first whose names fit the name that it asks for, or else the\n"
	      "first.\n"
	      "Without any there is no TLS."),
	PATHS(tls, key,
	      "The private keys of the certificates, in the same order.\n"
	      "They are read at the start, and on a reload, before privileges are given up."),
	PATHS(tls, client_ca,
	      "Files of certificates in PEM form.\n"
	      "With any, clients are asked for a certificate; one that none of these has\n"
	      "signed is refused, and a client without one is welcome all the same."),
	WORD(tls, minimum, "1.2", tls_minimum_words,
	     "The oldest version of TLS that is spoken."),

	ROW("auth", "listen", CONF_PATHS, auth.listen, struct conf_list, .def = "",
	    .min = 1, .max = TEXT_MAX,
	    .doc = "Unix sockets where other programs of this machine ask who a user is, such as the\n"
		   "MTA's SMTP AUTH; who may, is said by the directory that each stands in."),
	PATHS(auth, saslauthd_listen,
	      "The same for programs that know\n.Xr saslauthd 8 ,\n"
	      "which is how the MTA's SMTP AUTH has a password checked."),
	NUM(CONF_COUNT, auth, max_connections, "4000", 1, 100000,
	    "Conversations with\n.Xr popstore-authd 8\nat one time."),
	ROW("auth", "rules", CONF_TEXTS, auth.rules, struct conf_list, .def = "",
	    .min = 1, .max = TEXT_MAX,
	    .doc = "Who may prove himself by what, and to whom; see\n.Xr popstore-authd 8 .\n"
		   "The first rule that fits a connection holds."),
	ROW("auth", "sasl_options", CONF_TEXTS, auth.sasl_options, struct conf_list, .def = "",
	    .min = 3, .max = TEXT_MAX, .wrong = option_wrong,
	    .doc = "Options of Cyrus SASL's plug-ins, as\n.Qq ldapdb_uri ldap://127.0.0.1 ."),
	PATH(auth, sasl_plugin_path, "/usr/lib/" MULTIARCH "/sasl2",
	     "Where Cyrus SASL's plug-ins are; only those that the rules name are loaded."),
	PATH(auth, saslauthd, "/run/saslauthd/mux", "The socket of\n.Xr saslauthd 8 ."),
	TEXT(auth, keytab, "", 0, TEXT_MAX, NULL,
	     "The file with the Kerberos keys of the services, for GSSAPI.\n"
	     "A principal of the default realm is an account of\n.Ic default_domain ,\n"
	     "another one's realm is its domain."),
	WORD(auth, certificate_name, "none", certificate_words,
	     "What in a client's certificate is the name of the account, for EXTERNAL: nothing,\n"
	     "its e-mail address, or the CN of its subject."),
	NUM(CONF_COUNT, auth, cache_entries, "100000", 1, 10000000,
	    "How many passwords that were right are remembered, as a keyed hash in memory."),
	TIME(auth, cache_time, "1h", 0, 24 * HOUR,
	     "How long a password that was right is remembered; 0 not at all.\n"
	     "A change of the password ends it at once."),
	ROW("auth", "trusted_networks", CONF_TEXTS, auth.trusted_networks, struct conf_list,
	    .def = "", .min = 1, .max = 64, .wrong = network_wrong,
	    .doc = "Networks whose failed logins slow down nobody else there: webmail, proxies."),
	TIME(auth, user_delay, "3s", 0, 15,
	     "How long, at most, failed logins to one account make those wait who try to log in\n"
	     "there: from where its owner has not logged in before, from this machine, from\n"
	     "trusted networks, or by way of an MTA.\n"
	     "0: not at all."),
	WORD(auth, plaintext_without_tls, "loopback", plaintext_words,
	     "Who may send a password in clear text over a connection without TLS: nobody,\n"
	     "clients on this machine, or everybody."),
	TEXT(auth, default_domain, "", 0, 190, domain_wrong,
	     "The domain of a login name without one.\n"
	     "Without this setting such a name is unknown."),
	NUM(CONF_COUNT, auth, yescrypt_cost, "5", 1, 11,
	    "What a new password's hash costs, as\n.Xr crypt_gensalt 3 counts it: each step doubles the time."),
	NUM(CONF_COUNT, auth, scram_iterations, "4096", 4096, 1000000,
	    "What a guess costs at a verifier of a new password (SCRAM, RFC 5802); a client pays\n"
	    "for as many at each login."),
	NUM(CONF_COUNT, auth, password_min_length, "8", 1, 128,
	    "The characters that a password has at least when a user changes it.\n"
	    "An operator may set any."),
	NUM(CONF_COUNT, auth, password_history, "0", 0, 24,
	    "How many former passwords a user cannot take again.\n"
	    "Their hashes are kept."),
	TIME(auth, password_lifetime, "0", 0, 3650 * 24 * HOUR,
	     "How long a password is good for after it was set; 0 for ever."),
	TEXT(auth, password_dictionary, "", 0, TEXT_MAX, file_wrong,
	     "A file of passwords that a user cannot take, one a line: words, names, lists of\n"
	     "passwords that were stolen elsewhere.\n"
	     "Upper and lower case are the same, and so are digits and punctuation put before a\n"
	     "word or behind it.\n"
	     "One that takes its place under the same name is seen after a reload.\n"
	     "Without one nothing is looked up."),

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

bool settings_allow_clear(const struct settings *set, bool loopback)
{
	switch ((enum settings_plaintext)set->auth.plaintext_without_tls) {
	case PLAINTEXT_ALWAYS:
		return true;
	case PLAINTEXT_LOOPBACK:
		return loopback;
	case PLAINTEXT_NEVER:
		break;
	}
	return false;
}

const char *settings_authserv_id(const struct settings *set)
{
	return set->outgoing.authserv_id[0] != '\0' ? set->outgoing.authserv_id
						    : set->hostname;
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
