/* SPDX-License-Identifier: ISC */
/*
 * popstore-milter - judges recipients for Sendmail and Postfix, through libmilter
 *
 * libmilter owns the socket and the threads of this process, and gives its callbacks
 * no argument of ours: hence the one static pointer.
 *
 *   MAIL FROM   remember the announced size, forget everything else
 *   RCPT TO     ask for the verdict, answer with its code
 *
 * Nothing else is asked of the MTA, so nothing else is sent to us.  SMFIS_ACCEPT
 * is never answered: it would keep the message from the milters after us.
 */
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "milter/envelope.h"
#include "store/role.h"
#include "store/store.h"

#include <libmilter/mfapi.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sysexits.h>

#define PROGRAM "popstore-milter"

static struct store *store;

/* What a connection remembers between MAIL and RCPT. */
struct transaction {
	uint64_t size;
};

/* ---- callbacks ------------------------------------------------------------------------- */

static sfsistat negotiate(SMFICTX *ctx UNUSED, unsigned long offered_actions UNUSED,
			  unsigned long offered_steps, unsigned long unused0 UNUSED,
			  unsigned long unused1 UNUSED, unsigned long *actions,
			  unsigned long *steps, unsigned long *out0, unsigned long *out1)
{
	const unsigned long leave_out = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA |
					SMFIP_NOUNKNOWN | SMFIP_NOHDRS | SMFIP_NOEOH |
					SMFIP_NOBODY;

	*actions = 0;
	*steps = offered_steps & leave_out;
	*out0 = *out1 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **words)
{
	struct transaction *t = smfi_getpriv(ctx);

	if (t == NULL) {
		t = xalloc(sizeof *t);
		smfi_setpriv(ctx, t);
	}
	*t = (struct transaction){.size = envelope_size(words + 1)};
	return SMFIS_CONTINUE;
}

static void log_verdict(SMFICTX *ctx, struct str rcpt, const struct verdict *v)
{
	static char name[] = "i";
	const char *qid = smfi_getsymval(ctx, name);

	if (v->code == VERDICT_TRY_AGAIN)
		log_event(LOG_LV_WARN, "milter.recipient.deferred", kv_s("qid", qid),
			  kv_str("rcpt", rcpt), kv_err(&v->why));
	else
		log_event(LOG_LV_INFO, "milter.recipient.refused", kv_s("qid", qid),
			  kv_str("rcpt", rcpt), kv_s("verdict", v->word),
			  kv_s("dsn", v->dsn));
}

static sfsistat on_rcpt(SMFICTX *ctx, char **words)
{
	static const sfsistat answers[] = {
		[ENVELOPE_CONTINUE] = SMFIS_CONTINUE,
		[ENVELOPE_TEMPFAIL] = SMFIS_TEMPFAIL,
		[ENVELOPE_REJECT] = SMFIS_REJECT,
	};
	const struct transaction *t = smfi_getpriv(ctx);
	struct str rcpt = envelope_address(words[0]);
	struct envelope_reply reply;
	struct verdict v;

	verdict_of(store, rcpt, t ? t->size : 0, &v);
	envelope_reply(&v, &reply);
	if (reply.action != ENVELOPE_CONTINUE) {
		log_verdict(ctx, rcpt, &v);
		/* Where this fails, the MTA makes up a text for the same class. */
		smfi_setreply(ctx, reply.code, reply.dsn, reply.text);
	}
	verdict_fini(&v);
	return answers[reply.action];
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct transaction *t = smfi_getpriv(ctx);

	if (t != NULL)
		*t = (struct transaction){0};
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct transaction *t = smfi_getpriv(ctx);

	smfi_setpriv(ctx, NULL);
	xfree(&t);
	return SMFIS_CONTINUE;
}

/* ---- start ------------------------------------------------------------------------------ */

static int describe(const struct settings *set, char *address, struct err *e)
{
	static char name[] = "popstore";
	struct smfiDesc d = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_negotiate = negotiate,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
	};

	if (smfi_register(d) == MI_FAILURE ||
	    smfi_settimeout((int)set->milter.timeout_s) == MI_FAILURE ||
	    smfi_setconn(address) == MI_FAILURE)
		return err_set(e, ERR_PERM, "5.3.5",
			       "libmilter does not take the settings of milter");
	return 0;
}

/* unix_path - of "unix:/path", "local:/path" or "/path"; NULL for TCP */
static const char *unix_path(const char *address)
{
	struct str a = str_of(address);

	if (str_starts(a, STR("unix:")))
		return address + STR("unix:").n;
	if (str_starts(a, STR("local:")))
		return address + STR("local:").n;
	return address[0] == '/' ? address : NULL;
}

/* listen_on - mode 0666, as all our Unix sockets: the directory protects them */
static int listen_on(const char *address, struct err *e)
{
	const char *path = unix_path(address);

	if (path != NULL && server_make_room(path, e) < 0)
		return -1;
	if (smfi_opensocket(false) == MI_FAILURE)
		return err_set(e, ERR_PERM, "5.3.5", "listen on %s: libmilter cannot",
			       address);
	if (path != NULL && chmod(path, 0666) < 0)
		return err_sys(e, "open socket %s to clients", path);
	return 0;
}

/* ---- running and stopping ----------------------------------------------------------------- */

static pthread_t main_thread;
static atomic_bool failed;

static void *run_libmilter(void *unused UNUSED)
{
	atomic_store(&failed, smfi_main() == MI_FAILURE);
	pthread_kill(main_thread, SIGTERM);
	return NULL;
}

/*
 * serve - until told to stop
 *
 * libmilter looks at its own stop flag every five seconds only, which is long for
 * a restart.  So it runs in a thread, and the main thread waits for the signal;
 * Linux gives a signal to the main thread before any other that waits for it,
 * and if it did not, libmilter would stop by itself a little later.
 */
static int serve(struct err *e)
{
	sigset_t stop;
	pthread_t thread;
	int sig;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	main_thread = pthread_self();
	errno = pthread_create(&thread, NULL, run_libmilter, NULL);
	if (errno != 0)
		return err_sys(e, "start a thread");
	server_notify("READY=1");
	sigwait(&stop, &sig);
	server_notify("STOPPING=1");
	if (atomic_load(&failed))
		return err_set(e, ERR_TEMP, "4.3.0",
			       "libmilter ended; syslog may say why");
	return 0;
}

static int open_all(const struct settings *set, struct err *e)
{
	if (set->milter.listen.n != 1)
		return err_set(
			e, ERR_PERM, "5.3.5",
			"milter.listen needs one address, since libmilter can listen "
			"on one only; %zu are set",
			set->milter.listen.n);
	if (store_open(set, &store, e) < 0 ||
	    describe(set, set->milter.listen.v[0], e) < 0)
		return -1;
	return listen_on(set->milter.listen.v[0], e) < 0
		       ? -1
		       : role_enter(ROLE_MILTER, set, e);
}

/* After serve(), store and settings stay open: threads of libmilter may still be in a
 * callback, and looking something up leaves nothing to be tidied. */
static int run(const char *file, struct err *e)
{
	struct settings *set;

	if (settings_read(file, &set, e) < 0)
		return -1;
	settings_log(set, PROGRAM);
	if (open_all(set, e) == 0)
		return serve(e);
	store_close(&store);
	settings_free(&set);
	return -1;
}

int main(int argc, char **argv)
{
	const char *file;
	struct err e;
	int status;

	if (!program_arguments(PROGRAM, argc, argv, &file, &status))
		return status;
	if (run(file, &e) == 0)
		return EX_OK;
	log_event(LOG_LV_ERROR, "milter.start.failed", kv_err(&e));
	return err_exit_status(&e);
}
