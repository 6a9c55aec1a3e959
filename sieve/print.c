/* SPDX-License-Identifier: ISC */
#include "sieve/sieve.h"

static void put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		if (s.p[i] == '\r')
			buf_put(out, STR("\\r"));
		else if (s.p[i] == '\n')
			buf_put(out, STR("\\n"));
		else
			buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

static void put_text(struct buf *out, const char *tag, struct str s)
{
	if (s.n == 0)
		return;
	buf_printf(out, " :%s ", tag);
	put_quoted(out, s);
}

static void put_list(struct buf *out, const char *tag, struct sieve_strings s)
{
	buf_printf(out, " :%s [", tag);
	for (size_t i = 0; i < s.n; i++) {
		if (i > 0)
			buf_put(out, STR(", "));
		put_quoted(out, s.list[i]);
	}
	buf_putc(out, ']');
}

static void put_filing(struct buf *out, const struct sieve_filing *f)
{
	if (f->has_flags)
		put_list(out, "flags", f->flags);
	if (f->create)
		buf_put(out, STR(" :create"));
	put_text(out, "specialuse", f->special_use);
}

static void put_redirect(struct buf *out, const struct sieve_redirect *x)
{
	put_text(out, "notify", x->notify);
	put_text(out, "ret", x->ret);
	if (x->by_mode != '\0')
		buf_printf(out, " :bytimerelative %lld :bymode \"%s\"%s",
			   (long long)x->by_s, x->by_mode == 'R' ? "return" : "notify",
			   x->by_trace ? " :bytrace" : "");
	if (x->list.n > 0)
		put_text(out, "list", x->list);
	else {
		buf_putc(out, ' ');
		put_quoted(out, x->address);
	}
}

static void put_fcc(struct buf *out, const struct sieve_filing *f)
{
	if (f->folder.n == 0)
		return;
	put_text(out, "fcc", f->folder);
	put_filing(out, f);
}

static void put_vacation(struct buf *out, const struct sieve_action *a)
{
	const struct sieve_vacation *v = &a->vacation;

	buf_printf(out, " :seconds %u", (unsigned)v->seconds);
	put_text(out, "subject", v->subject);
	put_text(out, "from", v->from);
	if (v->mime)
		buf_put(out, STR(" :mime"));
	put_fcc(out, &a->filing);
	buf_putc(out, ' ');
	put_quoted(out, v->reason);
	if (v->withheld != NULL)
		buf_printf(out, " (not sent: %s)", v->withheld);
}

static void put_notify(struct buf *out, const struct sieve_action *a)
{
	buf_printf(out, " :importance \"%u\"", a->notify.importance);
	put_text(out, "from", a->notify.from);
	put_text(out, "message", a->notify.message);
	if (a->notify.options.n > 0)
		put_list(out, "options", a->notify.options);
	put_fcc(out, &a->filing);
	buf_putc(out, ' ');
	put_quoted(out, a->notify.method);
}

static void put_action(struct buf *out, const struct sieve_action *a)
{
	buf_printf(out, "%s%s", a->implicit ? "implicit " : "",
		   sieve_action_name(a->kind));
	if (a->copy)
		buf_put(out, STR(" :copy"));
	switch (a->kind) {
	case SIEVE_FILEINTO:
		put_filing(out, &a->filing);
		buf_putc(out, ' ');
		put_quoted(out, a->filing.folder);
		break;
	case SIEVE_KEEP:
		put_filing(out, &a->filing);
		break;
	case SIEVE_REDIRECT:
		put_redirect(out, &a->redirect);
		break;
	case SIEVE_REJECT:
	case SIEVE_EREJECT:
		buf_putc(out, ' ');
		put_quoted(out, a->reason);
		break;
	case SIEVE_VACATION:
		put_vacation(out, a);
		break;
	case SIEVE_NOTIFY:
		put_notify(out, a);
		break;
	case SIEVE_DISCARD:
		break;
	}
	buf_putc(out, '\n');
}

static void put_edit(struct buf *out, const struct sieve_edit *e)
{
	buf_put(out, e->kind == SIEVE_DELETE     ? STR("deleteheader ")
		     : e->kind == SIEVE_ADD_LAST ? STR("addheader :last ")
						 : STR("addheader "));
	put_quoted(out, e->name);
	if (e->kind != SIEVE_DELETE) {
		buf_putc(out, ' ');
		put_quoted(out, e->value);
	}
	buf_putc(out, '\n');
}

void sieve_print(const struct sieve_result *r, struct buf *out)
{
	for (size_t i = 0; i < r->n_edits; i++)
		put_edit(out, &r->edits[i]);
	for (size_t i = 0; i < r->n; i++)
		put_action(out, &r->actions[i]);
}
