/* SPDX-License-Identifier: ISC */
/*
 * popstore-milter - judges recipients for Sendmail and Postfix, through libmilter
 *
 * libmilter owns the socket and the threads of this process, and gives its callbacks
 * no argument of ours: hence the static pointers.
 *
 *   MAIL FROM   remember the announced size, forget everything else
 *   RCPT TO     ask for the verdict, answer with its code
 *   DATA        is there a script that could refuse the message?
 *   text, end   only if so: let the scripts say (milter/transaction.h)
 *
 * Nothing else is asked of the MTA, and without milter.filter nothing after RCPT TO.
 * SMFIS_ACCEPT says that this filter wants no more of this message; in Sendmail as in
 * Postfix it says nothing for the milters after us.  It is never answered to RCPT TO, where
 * it would end the questions for all recipients.
 */
#include "filter/filter.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/server.h"
#include "milter/envelope.h"
#include "milter/transaction.h"
#include "store/role.h"
#include "store/sender.h"
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
static struct filters *filters; /* NULL: nobody's scripts are asked */
static struct transactions *transactions;

/* ---- callbacks ------------------------------------------------------------------------- */

/* qid - of the message, where the MTA has one by now */
static const char *qid(SMFICTX *ctx)
{
	static char name[] = "i";

	return smfi_getsymval(ctx, name);
}

static sfsistat negotiate(SMFICTX *ctx, unsigned long offered_actions UNUSED,
			  unsigned long offered_steps, unsigned long unused0 UNUSED,
			  unsigned long unused1 UNUSED, unsigned long *actions,
			  unsigned long *steps, unsigned long *out0, unsigned long *out1)
{
	const unsigned long never = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOUNKNOWN |
				    SMFIP_NOEOH,
			    text = SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOBODY;
	struct transaction *before = smfi_getpriv(ctx);

	*actions = 0;
	*steps = offered_steps & (never | (filters != NULL ? SMFIP_HDR_LEADSPC : text));
	*out0 = *out1 = 0;
	transaction_free(&before); /* of who negotiates twice */
	smfi_setpriv(ctx, transaction_new(transactions, *steps & SMFIP_HDR_LEADSPC));
	return SMFIS_CONTINUE;
}

/* transaction - of this connection; made anew where the MTA keeps the link for another client
 * (SMFIC_QUIT_NC), and then what was negotiated is not known any more */
static struct transaction *transaction(SMFICTX *ctx)
{
	struct transaction *t = smfi_getpriv(ctx);

	if (t == NULL) {
		t = transaction_new(transactions, false);
		smfi_setpriv(ctx, t);
	}
	return t;
}

static sfsistat on_mail(SMFICTX *ctx, char **words)
{
	transaction_begin(transaction(ctx), envelope_address(words[0]),
			  envelope_size(words + 1));
	return SMFIS_CONTINUE;
}

static void log_verdict(SMFICTX *ctx, struct str rcpt, const struct verdict *v)
{
	if (v->code == VERDICT_TRY_AGAIN)
		log_event(LOG_LV_WARN, "milter.recipient.deferred", kv_s("qid", qid(ctx)),
			  kv_str("rcpt", rcpt), kv_err(&v->why));
	else
		log_event(LOG_LV_INFO, "milter.recipient.refused", kv_s("qid", qid(ctx)),
			  kv_str("rcpt", rcpt), kv_s("verdict", v->word),
			  kv_s("dsn", v->dsn));
}

/* answer - where the text is not taken, the MTA makes one up for the same class */
static sfsistat answer(SMFICTX *ctx, struct envelope_reply *reply)
{
	static const sfsistat answers[] = {
		[ENVELOPE_CONTINUE] = SMFIS_CONTINUE,
		[ENVELOPE_TEMPFAIL] = SMFIS_TEMPFAIL,
		[ENVELOPE_REJECT] = SMFIS_REJECT,
	};

	if (reply->action != ENVELOPE_CONTINUE)
		smfi_setreply(ctx, reply->code, reply->dsn, reply->text);
	return answers[reply->action];
}

static sfsistat on_rcpt(SMFICTX *ctx, char **words)
{
	struct transaction *t = transaction(ctx);
	struct str rcpt = envelope_address(words[0]);
	struct envelope_reply reply;
	struct verdict v;

	verdict_of(store, rcpt, transaction_size(t), &v);
	envelope_reply(&v, &reply);
	if (reply.action != ENVELOPE_CONTINUE)
		log_verdict(ctx, rcpt, &v);
	else
		transaction_recipient(t, rcpt, &v);
	verdict_fini(&v);
	return answer(ctx, &reply);
}

/* ---- the text ---------------------------------------------------------------------------- */

static void log_refused(SMFICTX *ctx, const struct transaction *t,
			const struct transaction_outcome *o)
{
	log_event(LOG_LV_INFO, "milter.message.refused", kv_s("qid", qid(ctx)),
		  kv_str("from", transaction_sender(t)),
		  kv_u("accounts", transaction_accounts(t)),
		  kv_s("account", o->account.s), kv_s("script", o->filter.script),
		  kv_u("line", o->filter.line), kv_s("text", o->filter.text));
}

static void log_unfiltered(SMFICTX *ctx, const struct transaction *t,
			   const struct transaction_outcome *o)
{
	log_event(LOG_LV_WARN, "milter.message.unfiltered", kv_s("qid", qid(ctx)),
		  kv_str("from", transaction_sender(t)),
		  kv_u("accounts", transaction_accounts(t)), kv_err(&o->why));
}

/* finish - what the scripts say, or why they were not asked */
static sfsistat finish(SMFICTX *ctx, struct transaction *t, sfsistat otherwise)
{
	struct transaction_outcome o;
	struct envelope_reply reply;

	switch (transaction_end(t, &o)) {
	case TRANSACTION_TAKEN:
		break;
	case TRANSACTION_UNFILTERED:
		log_unfiltered(ctx, t, &o);
		break;
	case TRANSACTION_REFUSED:
		log_refused(ctx, t, &o);
		envelope_refuse(o.filter.text, &reply);
		transaction_forget(t);
		return answer(ctx, &reply);
	}
	transaction_forget(t);
	return otherwise;
}

/* go_on - with more of the text, or with nothing more of this message */
static sfsistat go_on(SMFICTX *ctx, struct transaction *t)
{
	return transaction_wants_text(t) ? SMFIS_CONTINUE : finish(ctx, t, SMFIS_ACCEPT);
}

static sfsistat on_data(SMFICTX *ctx)
{
	return go_on(ctx, transaction(ctx));
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct transaction *t = transaction(ctx);

	transaction_header(t, str_of(name), str_of(value));
	return go_on(ctx, t);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *octets, size_t n)
{
	struct transaction *t = transaction(ctx);

	transaction_body(t, (struct str){(const char *)octets, n});
	return go_on(ctx, t);
}

static sfsistat on_end(SMFICTX *ctx)
{
	return finish(ctx, transaction(ctx), SMFIS_CONTINUE);
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct transaction *t = smfi_getpriv(ctx);

	if (t != NULL)
		transaction_forget(t);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct transaction *t = smfi_getpriv(ctx);

	smfi_setpriv(ctx, NULL);
	transaction_free(&t);
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
		.xxfi_data = on_data,
		.xxfi_header = on_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
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
	if (store_open(set, &store, e) < 0 || sender_begin(store, e) < 0 ||
	    (set->milter.filter && filters_open(store, &filters, e) < 0))
		return -1;
	transactions = transactions_new(store, filters);
	if (describe(set, set->milter.listen.v[0], e) < 0)
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
	transactions_free(&transactions);
	filters_close(&filters);
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
