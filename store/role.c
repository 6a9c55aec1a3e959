/* SPDX-License-Identifier: ISC */
#include "store/role.h"

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/server.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the table -------------------------------------------------------------------------- */

enum {
	SERVES = SANDBOX_CALLS_SERVE,
	READS = SERVES | SANDBOX_CALLS_READ,
	WRITES = READS | SANDBOX_CALLS_WRITE,
	NAMED_MAX = 100, /* files that settings name */
};

#define CAP(name) SANDBOX_CAPABILITY(CAP_##name)

/* clang-format off */
#define R SANDBOX_READ
#define W SANDBOX_WRITE
#define L SANDBOX_LIST

/* What tells a name from another: every role that judges recipients.  standing.h looks at
 * `stopped`, and tries the disk in `try`. */
#define NAMES {"domains", R}, {"forwardings", R}, {"accounts", R}, {"stopped", R}, {"try", W}
/* Who writes may learn of a failed sync, opens the root anew and says so; which names are
 * in the root, and in secrets, it may learn: they are those in accounts. */
#define MAIL  {".", L}, {"domains", R}, {"forwardings", R}, {"accounts", W}, \
	      {"messages", W}, {"writers", W}, {"volumes", R}, {"stopped", W}, {"try", W}
#define VOLUME {".", L}, {"messages", W}, {"try", W}

const struct role roles[ROLE_COUNT] = {
	[ROLE_DISPATCHER] = {
		.name = "popstored", .user = ROLE_STAYS,
		/* Binds, makes <root>/services for its owner, signals its children; what they
		 * need to become somebody else is theirs through the bounding set. */
		.capabilities = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(KILL) |
				CAP(SETGID) | CAP(SETUID) | CAP(SETPCAP) |
				CAP(NET_BIND_SERVICE),
	},
	[ROLE_LMTP] = {
		.name = "lmtp", .user = ROLE_OWNER, .confined = true,
		.calls = WRITES | SANDBOX_CALLS_PAIR,
		/* It makes folders. */
		.root = {MAIL, {"names.lock", W}}, .volume = {VOLUME},
	},
	[ROLE_POP3] = {
		.name = "pop3", .user = ROLE_OWNER, .confined = true,
		.calls = WRITES,
		.root = {MAIL}, .volume = {VOLUME},
	},
	[ROLE_POP3_LOGIN] = {
		.name = "pop3-login", .user = ROLE_LOGIN_USER, .confined = true,
		.calls = SERVES | SANDBOX_CALLS_PAIR,
	},
	[ROLE_SIEVE] = {
		/* Scripts are below accounts; what else changes there waits for the same lock. */
		.name = "sieve", .user = ROLE_OWNER, .confined = true,
		.calls = WRITES,
		.root = {{".", L}, {"domains", R}, {"forwardings", R}, {"accounts", W},
			 {"names.lock", W}, {"volumes", R}, {"stopped", W}, {"try", W}},
		.volume = {{"try", W}},
	},
	[ROLE_SIEVE_LOGIN] = {
		.name = "sieve-login", .user = ROLE_LOGIN_USER, .confined = true,
		.calls = SERVES | SANDBOX_CALLS_PAIR,
	},
	[ROLE_POPPASSD] = {
		.name = "poppassd", .user = ROLE_LOGIN_USER, .confined = true,
		.calls = SERVES | SANDBOX_CALLS_PAIR,
	},
	[ROLE_AUTHD] = {
		.name = "authd", .user = ROLE_OWNER, .confined = true, .connects = true,
		.calls = WRITES | SANDBOX_CALLS_PAIR | SANDBOX_CALLS_CONNECT |
			 SANDBOX_CALLS_LOAD,
		.root = {{".", L}, {"domains", R}, {"forwardings", R}, {"accounts", R},
			 {"secrets", W}, {"names.lock", W}, {"stopped", W}, {"try", W},
			 {"authd", W}},
	},
	[ROLE_POLICY] = {
		.name = "policy", .user = ROLE_OWNER, .confined = true,
		.calls = WRITES, .root = {NAMES}, .volume = {{"try", W}},
	},
	[ROLE_MILTER] = {
		.name = "milter", .user = ROLE_OWNER, .confined = true,
		.calls = WRITES, .root = {NAMES}, .volume = {{"try", W}},
	},
	[ROLE_SUBMIT] = {
		/* What a set-user-id program may have; where the store is root's, root's. */
		.name = "submit", .user = ROLE_OWNER, .capabilities = UINT64_MAX,
	},
};

/* The C library counts processors when threads ask for memory at once. */
static const char processors[] = "/sys/devices/system/cpu/online";
/* ... and looks here before it gives back what a thread had of it. */
static const char overcommit[] = "/proc/sys/vm/overcommit_memory";

/* Of a process that makes connections: how names and certificates are found.  /etc as a
 * whole, since what is in it is replaced while we run (resolv.conf). */
static const struct sandbox_grant to_connect[] = {
	{"/etc", R}, {"/usr/lib", R}, {"/lib", R}, {"/lib64", R}, {"/usr/local/lib", R},
	{"/usr/share/ca-certificates", R}, {"/usr/local/share/ca-certificates", R},
	{"/usr/share/zoneinfo", R}, {"/run/systemd/resolve", R}, {"/run/resolvconf", R},
	{"/dev/urandom", R}, {"/dev/null", R},
};
/* clang-format on */

const struct role *role_find(struct str name)
{
	for (size_t i = 0; i < countof(roles); i++)
		if (str_eq(name, str_of(roles[i].name)))
			return &roles[i];
	return NULL;
}

/* ---- user -------------------------------------------------------------------------------- */

static void name_of(uid_t uid, struct role_identity *out)
{
	const struct passwd *pw = getpwuid(uid);

	snprintf(out->name, sizeof out->name, "%s", pw != NULL ? pw->pw_name : "");
}

int role_identity(const struct role *r, const struct settings *set,
		  struct role_identity *out, struct err *e)
{
	const struct passwd *pw;
	struct stat sb;

	*out = (struct role_identity){.uid = geteuid(), .gid = getegid()};
	if (r->user == ROLE_LOGIN_USER) {
		pw = getpwnam(set->pop3.login_user);
		if (pw != NULL && pw->pw_uid != 0) {
			out->uid = pw->pw_uid;
			out->gid = pw->pw_gid;
		}
	}
	if (r->user == ROLE_OWNER || (r->user == ROLE_LOGIN_USER && out->uid == 0)) {
		if (stat(set->store.root, &sb) < 0)
			return err_sys(e, "whose is %s?", set->store.root);
		out->uid = sb.st_uid;
		out->gid = sb.st_gid;
	}
	name_of(out->uid, out);
	return 0;
}

/* ---- which files ---------------------------------------------------------------------------- */

struct entering {
	const struct role *role;
	const struct settings *set;
	struct sandbox_grant *paths;
	char **texts; /* of paths */
	size_t n, room;
	struct buf missing;
	unsigned landlock;
	bool filtered;
};

static void grant(struct entering *x, const char *path, unsigned may)
{
	must(x->n < x->room);
	x->texts[x->n] = xstrdup(path);
	x->paths[x->n] = (struct sandbox_grant){x->texts[x->n], may};
	x->n++;
}

/* make - what the store makes when it needs it the first time, and could not make then,
 * since nothing may be made beside it.  Where that fails, so would the store. */
static void make(const char *dir, const char *path)
{
	int fd;

	if (mkdir(path, 0700) < 0)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static bool is_made_late(const char *entry)
{
	static const char *const late[] = {"messages", "stopped", "try", "authd"};

	for (size_t i = 0; i < countof(late); i++)
		if (strcmp(entry, late[i]) == 0)
			return true;
	return false;
}

static void grant_below(struct entering *x, const char *dir,
			const struct role_grant entries[ROLE_GRANTS])
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ROLE_GRANTS && entries[i].entry != NULL; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, entries[i].entry);
		if ((entries[i].may & SANDBOX_WRITE) && is_made_late(entries[i].entry))
			make(dir, path);
		grant(x, path, entries[i].may);
	}
}

/* grant_named - the absolute paths that stand in a setting, as in "?ca=/etc/ca.pem" and
 * "sasldb_path /etc/sasldb2" */
static void grant_named(struct entering *x, const char *text)
{
	char path[PATH_MAX];

	for (const char *p = text; (p = strchr(p, '/')) != NULL; p++) {
		if (p == text || (p[-1] != '=' && p[-1] != ' ') || x->n == x->room)
			continue;
		snprintf(path, sizeof path, "%.*s", (int)strcspn(p, " ,&\""), p);
		grant(x, path, SANDBOX_READ);
	}
}

/* grant_file - "/etc/krb5.keytab", or as Kerberos writes it, "FILE:/etc/krb5.keytab" */
static void grant_file(struct entering *x, const char *name)
{
	if (name != NULL && strncmp(name, "FILE:", 5) == 0)
		name += 5;
	if (name != NULL && name[0] == '/')
		grant(x, name, SANDBOX_READ);
}

static void grant_sources(struct entering *x)
{
	const struct conf_list *lists[] = {&x->set->auth.rules,
					   &x->set->auth.sasl_options};

	grant_file(x, x->set->auth.keytab);
	grant_file(x, x->set->auth.password_dictionary);
	grant_file(x, getenv("KRB5_CONFIG"));

	for (size_t i = 0; i < countof(to_connect); i++)
		grant(x, to_connect[i].path, to_connect[i].may);
	grant(x, x->set->auth.sasl_plugin_path, SANDBOX_READ);
	for (size_t l = 0; l < countof(lists); l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			grant_named(x, lists[l]->v[i]);
}

static void collect(struct entering *x)
{
	const struct settings *set = x->set;

	x->room = ROLE_GRANTS * (1 + set->store.volumes.n) + countof(to_connect) + 6 +
		  NAMED_MAX;
	x->paths = xalloc(x->room * sizeof *x->paths);
	x->texts = xalloc(x->room * sizeof *x->texts);
	grant(x, processors, SANDBOX_READ);
	grant(x, overcommit, SANDBOX_READ);
	if (!sandbox_has_calls()) /* a sanitizer's build, which looks for leaks there */
		grant(x, "/proc", SANDBOX_READ);
	grant_below(x, set->store.root, x->role->root);
	for (size_t i = 0; i < set->store.volumes.n; i++)
		grant_below(x, set->store.volumes.v[i], x->role->volume);
	if (x->role->connects)
		grant_sources(x);
}

/* ---- giving up -------------------------------------------------------------------------------- */

static void miss(struct entering *x, const char *what)
{
	buf_printf(&x->missing, "%s%s", x->missing.n > 0 ? "; " : "", what);
}

/* become - a store that is root's leaves nothing to give up but the capabilities */
static int become(struct entering *x, struct err *e)
{
	struct role_identity who;

	if (geteuid() != 0 || x->role->user == ROLE_STAYS)
		return 0;
	if (role_identity(x->role, x->set, &who, e) < 0)
		return -1;
	if (who.uid == 0) {
		miss(x, "the store belongs to root, and so does this process");
		return 0;
	}
	if (x->role->user == ROLE_LOGIN_USER && strcmp(who.name, x->set->pop3.login_user))
		miss(x, "there is no user for the login: see pop3.login_user");
	return sandbox_become(who.uid, who.gid,
			      x->role->confined || who.name[0] == '\0' ? NULL : who.name,
			      e);
}

static int confine_paths(struct entering *x, struct err *e)
{
	struct sandbox_paths p = {.connect = x->role->connects};
	int rc;

	collect(x);
	p.v = x->paths;
	p.n = x->n;
	rc = sandbox_paths(&p, &x->landlock, e);
	if (rc == 0 && x->landlock == 0)
		miss(x, "this kernel has no Landlock, or it is switched off");
	return rc;
}

static int confine(struct entering *x, struct err *e)
{
	unsigned calls = x->role->calls;

	if (sandbox_seal(e) < 0 || confine_paths(x, e) < 0)
		return -1;
	if (!sandbox_has_calls()) {
		miss(x, "system calls are not filtered in this build");
		return 0;
	}
	if (x->set->log.to == LOG_TO_SYSLOG)
		calls |= SANDBOX_CALLS_DATAGRAM;
	x->filtered = true;
	return sandbox_calls(calls, e);
}

static int give_up(struct entering *x, struct err *e)
{
	/* With the right to do so, which goes in the next step. */
	if (x->role->user == ROLE_STAYS && sandbox_has_calls() &&
	    sandbox_calls_of_descendants(&x->filtered, e) < 0)
		return -1;
	if (sandbox_bound(x->role->capabilities, e) < 0 || become(x, e) < 0 ||
	    sandbox_keep(x->role->capabilities, e) < 0 || sandbox_hide(e) < 0)
		return -1;
	return x->role->confined ? confine(x, e) : 0;
}

/* tell - popstored, which keeps it for `popstore status --privileges`: from outside nobody
 * can see whether a process is in a Landlock domain */
static void tell(const struct entering *x)
{
	char text[ROLE_STATUS_MAX + 8];

	log_event(LOG_LV_DEBUG, "role.entered", kv_s("role", x->role->name),
		  kv_u("landlock", x->landlock), kv_u("filtered", x->filtered));
	if (x->missing.n > 0)
		log_event(LOG_LV_WARN, "role.incomplete", kv_s("role", x->role->name),
			  kv_str("missing", buf_str(&x->missing)));
	if (x->role->user == ROLE_STAYS)
		return; /* there, the one who listens is somebody else */
	snprintf(text, sizeof text, "STATUS=role=%s landlock=%u", x->role->name,
		 x->landlock);
	server_notify(text);
}

int role_enter(enum role_id id, const struct settings *set, struct err *e)
{
	struct entering x = {.role = &roles[id], .set = set};
	int rc;

	tzset(); /* the log's time of day comes from a file */
	if (x.role->confined)
		server_notify_hold();
	buf_init(&x.missing, 512);
	rc = give_up(&x, e);
	if (rc == 0)
		tell(&x);
	else
		err_add(e, "give up rights (role %s)", x.role->name);
	for (size_t i = 0; i < x.n; i++)
		xfree(&x.texts[i]);
	xfree(&x.texts);
	xfree(&x.paths);
	buf_fini(&x.missing);
	return rc;
}
