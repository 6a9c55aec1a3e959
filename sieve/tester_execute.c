/* SPDX-License-Identifier: ISC */
#include "sieve/tester_int.h"

/* put_message - into a folder, or into the queue */
static void put_message(struct tester *t, struct test_folder *f, struct str text)
{
	f->messages = arena_push(&t->arena, f->messages, &f->n, sizeof *f->messages);
	f->messages[f->n - 1] = arena_str(&t->arena, text);
}

static bool file(struct tester *t, const struct sieve_filing *to, struct str text)
{
	struct test_folder *f = tester_folder(t, to->folder, to->create);

	if (f == NULL)
		f = tester_folder(t, STR("INBOX"), true);
	put_message(t, f, text);
	return str_eq(f->name, to->folder);
}

/* send - a message of our own, as it would be mailed */
static void send(struct tester *t, struct str to, struct str subject, struct str body,
		 bool has_header, const struct sieve_filing *fcc)
{
	struct buf out;

	buf_init(&out, 16 << 20);
	buf_printf(&out,
		   "To: " STR_FMT "\r\nSubject: " STR_FMT
		   "\r\nAuto-Submitted: auto-replied\r\n",
		   STR_ARG(to), STR_ARG(subject));
	if (!has_header)
		buf_put(&out, STR("\r\n"));
	buf_put(&out, body);
	put_message(t, tester_folder(t, STR(""), true), buf_str(&out));
	if (fcc->folder.n > 0)
		file(t, fcc, buf_str(&out));
	buf_fini(&out);
}

static void remember(struct tester *t, struct str key)
{
	t->remembered = arena_push(&t->arena, t->remembered, &t->n_remembered,
				   sizeof *t->remembered);
	t->remembered[t->n_remembered - 1] = arena_str(&t->arena, key);
}

/* answer - unless the same sender has had that answer */
static void answer(struct tester *t, const struct sieve_action *a)
{
	const struct sieve_vacation *v = &a->vacation;
	struct buf key;

	if (v->withheld != NULL)
		return;
	buf_init(&key, 4096);
	buf_printf(&key, "vacation " STR_FMT " " STR_FMT, STR_ARG(v->handle),
		   STR_ARG(v->to));
	if (!t->sieve_host.seen(t, buf_str(&key))) {
		if (v->seconds > 0)
			remember(t, buf_str(&key));
		send(t, v->to, v->subject, v->reason, v->mime, &a->filing);
	}
	buf_fini(&key);
}

static bool perform(struct tester *t, const struct sieve_action *a, struct str text)
{
	const struct sieve_notify *n = &a->notify;

	switch (a->kind) {
	case SIEVE_KEEP:
	case SIEVE_FILEINTO:
		return file(t, &a->filing, text);
	case SIEVE_REDIRECT:
		put_message(t, tester_folder(t, STR(""), true), text);
		break;
	case SIEVE_REJECT:
	case SIEVE_EREJECT:
		send(t, t->input.envelope.from, STR("refused"), a->reason, false,
		     &(struct sieve_filing){.folder = {"", 0}});
		break;
	case SIEVE_VACATION:
		answer(t, a);
		break;
	case SIEVE_NOTIFY:
		for (size_t i = 0; i < n->to.n; i++)
			send(t, n->to.list[i], n->subject, n->body, false, &a->filing);
		break;
	case SIEVE_DISCARD:
		break;
	}
	return true;
}

static bool execute(struct tester *t, const struct sieve_result *x)
{
	bool ok = true;

	for (size_t i = 0; i < x->n; i++) {
		struct buf text;

		buf_init(&text, 64 << 20);
		sieve_edited(t->input.message, x, x->actions[i].edits, &text);
		ok = perform(t, &x->actions[i], buf_str(&text)) && ok;
		buf_fini(&text);
	}
	for (size_t i = 0; i < x->n_tracks; i++)
		remember(t, x->tracks[i].key);
	return ok;
}

bool tester_execute(struct tester *t)
{
	bool ok = true;

	for (size_t i = 0; i < t->n_results; i++)
		ok = execute(t, t->results[i]) && ok;
	return ok;
}
