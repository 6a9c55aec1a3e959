/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/dump.h"

#include "auth/secret.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/forwarding.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "store/script.h"
#include "store/storage.h"
#include "t/fault/lib/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dumping {
	struct world *w;
	struct dump *out;
};

static void put(struct dump *d, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void put(struct dump *d, const char *key, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	if (d->n == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 64;

		d->v = xgrow(d->v, d->cap * sizeof *d->v, cap * sizeof *d->v);
		d->cap = cap;
	}
	d->v[d->n++] = (struct dump_line){xstrdup(key), xstrdup(value)};
}

static const char *id_text(const struct world *w, uint64_t id, struct id_text *out)
{
	*out = id_print(id);
	return id_unix_ms(id) <= w->base_ms ? out->c : "new";
}

struct key {
	char s[600];
};

static struct key key_of(const char *kind, const char *name, const char *rest)
{
	struct key k;

	snprintf(k.s, sizeof k.s, "%s %s%s%s", kind, name, rest[0] ? " " : "", rest);
	return k;
}

/* ---- domains, forwardings ------------------------------------------------------------ */

static bool put_domain(const struct domain *d, void *ctx)
{
	struct dumping *x = ctx;

	put(x->out, key_of("domain", d->name.s, "").s, "alias of '%s', delimiters '%s'%s",
	    d->alias_of.s, d->delimiters, d->recoverable ? ", recoverable" : "");
	return true;
}

static bool put_forwarding(const struct forwarding *f, void *ctx)
{
	struct dumping *x = ctx;
	struct buf to;

	buf_init(&to, 400);
	for (size_t i = 0; i < f->n; i++) {
		buf_putc(&to, ' ');
		address_print(&to, &f->targets[i]);
	}
	put(x->out, key_of("forwarding", f->name.s, "").s, "to%s", buf_cstr(&to));
	buf_fini(&to);
	return true;
}

/* ---- accounts ---------------------------------------------------------------------------- */

/* put_kept - what else is kept of a password: verifiers, and itself */
static void put_kept(struct dumping *x, const struct account *a)
{
	struct secret secret;
	struct buf password;
	struct err e;

	if (secret_read(x->w->store, a, &secret, &e) < 0)
		return; /* told already */
	if (secret.has_scram)
		put(x->out, key_of("secret", a->name.s, "scram").s, "yes");
	buf_init_secret(&password, PASSWORD_MAX);
	if (secret.found && secret.sealed[0] != '\0')
		put(x->out, key_of("secret", a->name.s, "password").s, "%s",
		    secret_open_sealed(x->w->store, a, &secret, &password, &e) < 0
			    ? e.text
			    : buf_cstr(&password));
	buf_fini_secret(&password);
	secret_fini(&secret);
}

static void put_secret(struct dumping *x, const struct account *a)
{
	struct place place;
	struct buf text, hash, uid;
	struct err e;
	bool found;

	name_place("secrets", &a->name, NULL, &place);
	buf_init(&text, RECORD_MAX);
	buf_init(&hash, 400);
	buf_init(&uid, 20);
	if (storage_read(store_root(x->w->store), place.path, &text, &found, &e) < 0 ||
	    (found &&
	     record_check(buf_str(&text), "popstore-secret", place.path, &e) < 0)) {
		put(x->out, key_of("secret", a->name.s, "").s, "ERROR %s", e.text);
	} else if (found && record_get(buf_str(&text), "hash", &hash) &&
		   record_get(buf_str(&text), "uid", &uid) &&
		   strcmp(buf_cstr(&uid), id_print(a->uid).c) == 0) {
		put(x->out, key_of("secret", a->name.s, "").s, "%s", buf_cstr(&hash));
		put_kept(x, a);
	}
	buf_fini(&text);
	buf_fini(&hash);
	buf_fini(&uid);
}

/* put_letter - the second letter with a label in one maildrop has "#2" behind it */
static void put_letter(struct dumping *x, const struct account *a,
		       const struct maildrop_entry *en)
{
	char label[64] = "?", numbered[80];
	struct err e = {0};
	struct id_text id;
	bool good = world_read_letter(x->w, en, label, &e);
	unsigned n = 1;

	snprintf(numbered, sizeof numbered, "%s",
		 good ? label : id_text(x->w, en->id, &id));
	while (dump_get(x->out, key_of("mail", a->name.s, numbered).s) != NULL)
		snprintf(numbered, sizeof numbered, "%s#%u", label, ++n);
	put(x->out, key_of("mail", a->name.s, numbered).s, "%s, %" PRIu64 " octets, %s",
	    id_text(x->w, en->id, &id), en->size, good ? "good" : e.text);
	if (en->read)
		put(x->out, key_of("read", a->name.s, numbered).s, "yes");
}

static void put_maildrop(struct dumping *x, const struct account *a)
{
	struct maildrop *m;
	struct err e;

	if (maildrop_open(x->w->store, a, &m, &e) < 0) {
		put(x->out, key_of("maildrop", a->name.s, "").s, "ERROR %s", e.text);
		return;
	}
	must(m != NULL); /* a lease that nobody let go */
	for (size_t i = 0; i < maildrop_count(m); i++)
		put_letter(x, a, maildrop_entry(m, i));
	maildrop_close(&m);
}

struct owner {
	struct dumping *x;
	const struct account *a;
};

static void put_script(const struct script *script, void *ctx)
{
	struct owner *o = ctx;
	struct buf text;
	struct err e = {0};
	bool found;

	buf_init(&text, SCRIPT_TEXT_MAX);
	if (script_get(o->x->w->store, o->a, str_of(script->name), &text, &found, &e) < 0)
		found = false;
	put(o->x->out, key_of("script", o->a->name.s, script->name).s, "%s%s",
	    found ? buf_cstr(&text) : e.text, script->active ? ", active" : "");
	buf_fini(&text);
}

static void put_active(struct dumping *x, const struct account *a)
{
	struct script script;
	struct buf text;
	struct err e = {0};
	bool found;

	buf_init(&text, SCRIPT_TEXT_MAX);
	if (script_active(x->w->store, a, &script, &text, &found, &e) < 0)
		put(x->out, key_of("active", a->name.s, "").s, "ERROR %s", e.text);
	else if (found)
		put(x->out, key_of("active", a->name.s, "").s, "%s", buf_cstr(&text));
	buf_fini(&text);
}

static void put_bad_script(const struct err *why, void *ctx)
{
	struct owner *o = ctx;

	put(o->x->out, key_of("script", o->a->name.s, "").s, "ERROR %s", why->text);
}

static void put_scripts(struct dumping *x, const struct account *a)
{
	struct owner o = {x, a};
	struct err e;

	if (script_each(x->w->store, a, put_script, put_bad_script, &o, &e) < 0)
		put_bad_script(&e, &o);
}

static int put_folder(const struct name *name, void *ctx, struct err *e UNUSED)
{
	struct dumping *x = ctx;
	struct account folder;
	struct err why;
	bool found;

	if (account_find(x->w->store, name, &folder, &found, &why) < 0)
		put(x->out, key_of("maildrop", name->s, "").s, "ERROR %s", why.text);
	else if (found)
		put_maildrop(x, &folder);
	return 0;
}

static bool put_account(const struct account *a, void *ctx)
{
	struct dumping *x = ctx;
	struct id_text id;

	put(x->out, key_of("account", a->name.s, "").s,
	    "%s, flags %u, quota %" PRIu64 " %" PRIu64 ", of '%s' in '%s'",
	    id_text(x->w, a->uid, &id), a->flags, a->quota, a->overdraft, a->owner,
	    a->group);
	put_secret(x, a);
	put_scripts(x, a);
	put_active(x, a);
	put_maildrop(x, a);
	world_ok(folder_each(x->w->store, &a->name, put_folder, x, &e_));
	return true;
}

static bool put_bad(struct dumping *x, const char *kind, const struct name *n,
		    const struct err *why)
{
	put(x->out, key_of(kind, n->s, "").s, "ERROR %s", why->text);
	return true;
}

static bool put_bad_domain(const struct name *n, const struct err *why, void *ctx)
{
	return put_bad(ctx, "domain", n, why);
}

static bool put_bad_forwarding(const struct name *n, const struct err *why, void *ctx)
{
	return put_bad(ctx, "forwarding", n, why);
}

static bool put_bad_account(const struct name *n, const struct err *why, void *ctx)
{
	return put_bad(ctx, "account", n, why);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct dump_line *)a)->key,
		      ((const struct dump_line *)b)->key);
}

void dump_of(struct world *w, struct dump *out)
{
	struct dumping x = {w, out};

	*out = (struct dump){0};

	world_ok(domain_walk(w->store, put_domain, put_bad_domain, &x, &e_));
	world_ok(forwarding_walk(w->store, STR("*"), put_forwarding, put_bad_forwarding,
				 &x, &e_));
	world_ok(account_walk(w->store, STR("*"), put_account, put_bad_account, &x, &e_));
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_key);
}

void dump_free(struct dump *d)
{
	for (size_t i = 0; i < d->n; i++) {
		xfree(&d->v[i].key);
		xfree(&d->v[i].value);
	}
	xfree(&d->v);
	*d = (struct dump){0};
}

const char *dump_get(const struct dump *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].key, key) == 0)
			return d->v[i].value;
	return NULL;
}
