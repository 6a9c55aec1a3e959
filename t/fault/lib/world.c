/* SPDX-License-Identifier: ISC */
#include "t/fault/lib/world.h"

#include "auth/secret.h"
#include "mail/dotstream.h"
#include "store/domain.h"
#include "store/folder.h"
#include "store/forwarding.h"
#include "store/message.h"
#include "store/record.h"
#include "store/storage.h"
#include "t/fault/lib/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_give_up(const char *file, int line, const char *call, const char *why)
{
	printf("%s:%d: %s: %s\n", file, line, call, why);
	fflush(stdout);
	abort();
}

void world_quiet(void)
{
#ifndef __SANITIZE_ADDRESS__
	if (getenv("POPSTORE_KEEP") == NULL)
		must(freopen("/dev/null", "w", stderr) != NULL);
#endif
}

/* ---- settings --------------------------------------------------------------------------- */

static char *place(struct world *w, size_t i)
{
	return xstrdup(w->places[i]);
}

void world_set_volumes(struct world *w, unsigned n)
{
	struct conf_list *v = &w->set->store.volumes;

	for (size_t i = 0; i < v->n; i++)
		xfree(&v->v[i]);
	xfree(&v->v);
	v->n = n;
	v->v = xalloc(n * sizeof *v->v);
	for (size_t i = 0; i < n; i++)
		v->v[i] = place(w, i + 1);
}

void world_init(struct world *w, const char *where, unsigned volumes)
{
	static const char *const leaf[] = {"root", "one", "two"};

	*w = (struct world){0};
	for (size_t i = 0; i < countof(leaf); i++)
		snprintf(w->places[i], sizeof w->places[i], "%s%s", where, leaf[i]);
	/* Memory loses all in a power cut: here that is no news. */
	world_ok(settings_parse(
		"rig", STR("store { delimiters = \"+\" trust_file_system = true }\n"),
		&w->set, &e_));
	/* A place of another engine is no absolute path, as a configuration's has to
	 * be. */
	xfree(&w->set->store.root);
	w->set->store.root = place(w, 0);
	world_set_volumes(w, volumes);
}

void world_fini(struct world *w)
{
	world_close(w);
	settings_free(&w->set);
}

void world_open(struct world *w)
{
	world_ok(store_open(w->set, &w->store, &e_));
}

void world_close(struct world *w)
{
	maildrop_close(&w->session);
	store_close(&w->store);
}

/* ---- names, accounts ----------------------------------------------------------------------- */

struct name world_name(const char *name)
{
	struct name n;

	must(name_read(str_of(name), &n));
	return n;
}

struct account world_account(struct world *w, const char *name)
{
	struct name n = world_name(name);
	struct account a;
	bool found;

	world_ok(account_find(w->store, &n, &a, &found, &e_));
	must(found);
	return a;
}

int world_password(struct world *w, const char *name, const char *hash, bool batch,
		   struct err *e)
{
	struct secret_prepared p = {0};
	struct account a;
	struct name n = world_name(name);
	bool found;

	snprintf(p.hash, sizeof p.hash, "%s", hash);
	if (account_find(w->store, &n, &a, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.1", "there is no account %s", name);
	return secret_put(w->store, &a, &p, batch, e);
}

int world_add(struct world *w, const char *name, bool batch, struct err *e)
{
	struct name n = world_name(name);
	struct account a;

	if (account_template(w->store, &n, &a, e) < 0)
		return -1;
	snprintf(a.owner, sizeof a.owner, "owner of %s", name);
	return account_create(w->store, &a, batch, e);
}

/* ---- letters ----------------------------------------------------------------------------------- */

void world_text(const char *label, struct buf *out)
{
	const char *dot = strrchr(label, '.');
	size_t size = dot ? strtoul(dot + 1, NULL, 10) : 0;

	buf_printf(out, "Subject: %s\r\n\r\n..first\r\n", label);
	for (unsigned line = 0; out->n + 5 < size; line++)
		buf_printf(out, "%s %08u %s\r\n", label, line,
			   "abcdefghijklmnopqrstuvwxyz 0123456789");
	buf_printf(out, ".\r\n");
}

static struct delivery_totals totals_of(struct str text)
{
	struct dotstream ds;

	dotstream_init(&ds);
	must(dotstream_feed(&ds, text) == text.n && ds.ended);
	return (struct delivery_totals){ds.size, ds.header_end};
}

static int file(struct world *w, struct delivery *d, const struct account *first,
		struct err *e)
{
	struct account folder;
	const char *why;

	if (folder_make(w->store, first, str_of(w->folder), &folder, &why, e) < 0)
		return -1;
	must(why == NULL);
	must(delivery_file_into(d, 0, &folder));
	return 0;
}

/* send - in three pieces, as from a wire */
static int send(struct world *w, struct delivery *d, const struct account *first,
		struct str text, struct err *e)
{
	struct delivery_totals totals = totals_of(text);
	size_t piece = text.n / 3 + 1;

	if (delivery_open(d, e) < 0)
		return -1;
	while (text.n > 0) {
		size_t n = text.n < piece ? text.n : piece;

		if (delivery_write(d, (struct str){text.p, n}, e) < 0)
			return -1;
		text.p += n;
		text.n -= n;
	}
	if (w->folder != NULL && file(w, d, first, e) < 0)
		return -1;
	for (size_t i = 0; i < delivery_recipients(d); i++)
		if (w->left_out & 1u << i)
			delivery_leave_out(d, i, VERDICT_OK, NULL);
	return delivery_commit(d, &totals, e);
}

static struct str trace_of(const char *label)
{
	static char header[900];

	if (header[0] == '\0') {
		memset(header, 'x', sizeof header);
		memcpy(header, "X-Trace: ", 9);
		memcpy(header + sizeof header - 2, "\r\n", 2);
	}
	return str_starts(str_of(label), STR(WORLD_LONG_LINE))
		       ? (struct str){header, sizeof header}
		       : STR("");
}

unsigned world_deliver(struct world *w, const char *const *names, const char *label,
		       struct err *e)
{
	struct delivery *d =
		delivery_begin(w->store, STR("sender@example.com"), str_of(label));
	struct account first = {0};
	unsigned told = 0;
	struct buf text;
	size_t n = 0;
	int rc = 0;

	buf_init(&text, 1 << 20);
	world_text(label, &text);
	for (; rc == 0 && names[n] != NULL; n++) {
		struct name name = world_name(names[n]);
		struct account a;
		bool found;

		rc = account_find(w->store, &name, &a, &found, e);
		if (rc == 0 && !found)
			rc = err_set(e, ERR_PERM, "5.1.1", "no account %s", names[n]);
		if (rc == 0)
			delivery_rcpt(d, &a, trace_of(label));
		if (rc == 0 && n == 0)
			first = a;
	}
	if (rc == 0)
		rc = send(w, d, &first, buf_str(&text), e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct err why = {0};

		if (delivery_result(d, i, &why) == VERDICT_OK)
			told |= 1u << i;
		else
			*e = why;
	}
	delivery_end(&d);
	buf_fini(&text);
	return told;
}

unsigned world_deliver_one(struct world *w, const char *name, const char *label,
			   struct err *e)
{
	const char *const names[] = {name, NULL};

	return world_deliver(w, names, label, e);
}

/* read_all - the stored octets, by message_read(): there may be no descriptor */
static int read_all(struct message *m, struct buf *out, struct err *e)
{
	size_t n = message_info(m)->stored, got = 1;

	while (out->n < n && got > 0) {
		char *to = buf_reserve(out, n - out->n);

		must(to != NULL);
		if (message_read(m, out->n, to, n - out->n, &got, e) < 0)
			return -1;
		buf_used(out, got);
	}
	return 0;
}

/* right - the label in its first line has just this text */
static bool right(struct str text, char label[64])
{
	struct str rest = text, line = str_cut(&rest, '\r');
	struct buf whole;
	bool same;

	str_word(&line);
	if (line.n == 0 || line.n > 63)
		return false;
	snprintf(label, 64, STR_FMT, STR_ARG(line));
	buf_init(&whole, 1 << 20);
	world_text(label, &whole);
	same = str_eq(text, buf_str(&whole));
	buf_fini(&whole);
	return same;
}

bool world_read_letter(struct world *w, const struct maildrop_entry *en, char label[64],
		       struct err *e)
{
	struct message *m;
	struct buf text;
	int rc;

	if (message_open(w->store, en->volume, en->id, &m, e) < 0)
		return false;
	if (m == NULL) {
		err_set(e, ERR_TEMP, "4.3.0", "the message file is not there");
		return false;
	}
	buf_init(&text, 1 << 20);
	rc = w->careless ? 0 : message_verify(m, e);
	if (rc == 0)
		rc = read_all(m, &text, e);
	message_close(&m);
	if (rc == 0 && !right(buf_str(&text), label))
		rc = err_set(e, ERR_PERM, "5.6.0", "WRONG OCTETS");
	buf_fini(&text);
	return rc == 0;
}

/* ---- the base -------------------------------------------------------------------------------------- */

static void add_domain(struct world *w, const char *name, const char *alias_of)
{
	struct domain d = {0};

	world_ok(name_domain(str_of(name), &d.name, &e_));
	if (alias_of != NULL)
		world_ok(name_domain(str_of(alias_of), &d.alias_of, &e_));
	world_ok(domain_add(w->store, &d, &e_));
}

static void add_users(struct world *w)
{
	static const char *const users[WORLD_USERS] = {
		"alice@example.org", "bob@example.org", "carol@example.org"};

	for (size_t i = 0; i < countof(users); i++) {
		world_ok(world_add(w, users[i], false, &e_));
		world_ok(world_password(w, users[i], "$y$first", false, &e_));
	}
}

static void add_sales(struct world *w)
{
	struct address target;
	struct forwarding f = {
		.name = world_name("sales@example.org"), .n = 1, .targets = &target};

	must(address_parse(STR("alice@example.org"), true, &target) == ADDRESS_OK);
	world_ok(forwarding_put(w->store, &f, &e_));
}

static void add_mail(struct world *w)
{
	static const char *const both[] = {"alice@example.org", "bob@example.org", NULL};
	struct account alice;
	struct maildrop *m;
	struct err e = {0};

	must(world_deliver(w, both, "letter.300", &e) == 3);
	must(world_deliver_one(w, "alice@example.org", "second.300", &e) == 1);
	must(world_deliver_one(w, "bob@example.org", "large.70000", &e) == 1);
	alice = world_account(w, "alice@example.org");
	world_ok(maildrop_open(w->store, &alice, &m, &e_));
	maildrop_entry(m, 1)->seen = true;
	world_ok(maildrop_commit(m, &e_));
	maildrop_close(&m);
}

void world_base(struct world *w)
{
	struct err e;

	clock_turn(CLOCK_START_MS);
	world_ok(store_init(w->set, &e_));
	world_open(w);
	add_domain(w, "example.org", NULL);
	add_domain(w, "example.net", "example.org");
	add_users(w);
	add_sales(w);
	add_mail(w);
	world_ok(store_checkpoint(w->store, &e_));
	world_ok(storage_sync(store_root(w->store), &e));
	world_close(w);
	w->base_ms = clock_now();
	clock_turn(CLOCK_START_MS + 600 * 1000);
}

/* ---- behind the store's back ------------------------------------------------------------------------- */

struct place world_place(const char *tree, const char *name, const char *leaf)
{
	struct name n = world_name(name);
	struct place p;

	name_place(tree, &n, leaf, &p);
	return p;
}

static struct storage *root_of(struct world *w)
{
	struct storage *st;

	world_ok(storage_open(w->places[0], &st, &e_));
	return st;
}

void world_keep(struct world *w, const char *path, struct buf *out)
{
	struct storage *st = root_of(w);
	bool found;

	buf_init(out, 1 << 20);
	world_ok(storage_read(st, path, out, &found, &e_));
	must(found);
	storage_close(&st);
}

void world_put_back(struct world *w, const char *path, const struct buf *bytes)
{
	struct storage *st = root_of(w);

	world_ok(storage_put(st, path, buf_str(bytes), STORAGE_DURABLE, NULL, &e_));
	storage_close(&st);
}

void world_remove(struct world *w, const char *path)
{
	struct storage *st = root_of(w);

	world_ok(storage_remove(st, path, STORAGE_DURABLE, &e_));
	storage_close(&st);
}

void world_delete_halfway(struct world *w, const char *name)
{
	struct place profile = world_place("accounts", name, "profile");
	struct place deleted = world_place("accounts", name, "deleted");
	struct storage *st = root_of(w);
	bool existed;

	world_ok(storage_rename(st, profile.path, deleted.path, &existed, &e_));
	must(!existed);
	storage_close(&st);
}

void world_remove_account(struct world *w, const char *name)
{
	struct storage *st = root_of(w);

	world_ok(storage_remove_tree(st, world_place("accounts", name, NULL).path, &e_));
	world_ok(storage_sync(st, &e_));
	storage_close(&st);
}

void world_other_boot(struct buf *record)
{
	struct str rest = buf_str(record), key, value;
	struct record_writer out;

	record_begin(&out, "popstore-writer");
	while (record_next(&rest, &key, &value)) {
		char name[16];

		snprintf(name, sizeof name, STR_FMT, STR_ARG(key));
		if (strcmp(name, "mount") != 0)
			record_put(&out, name, value);
	}
	record_put(&out, "mount", STR("another-boot"));
	buf_clear(record);
	buf_put(record, record_finish(&out));
	record_fini(&out);
}
