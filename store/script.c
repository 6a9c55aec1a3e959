/* SPDX-License-Identifier: ISC */
#include "store/script.h"

#include "lib/conn.h"
#include "lib/hmac.h"
#include "store/account_int.h"
#include "store/id.h"
#include "store/mend.h"
#include "store/record.h"
#include "store/store_int.h"
#include "store/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char kind[] = "popstore-script";

enum {
	HEAD_MAX = 4096, /* of the record before the text */
	FILE_MAX = HEAD_MAX + SCRIPT_TEXT_MAX,
	SUM_DIGITS = 16,
};

/* ---- names and places ------------------------------------------------------------------ */

struct script_id {
	char c[SCRIPT_ID_DIGITS + 1];
};

/* id_of - the first half of SHA-256: nobody finds two names with the same */
static struct script_id id_of(struct str name)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[HMAC_OCTETS];
	struct script_id id = {""};

	sha256_of(name, sum);
	for (size_t i = 0; i < SCRIPT_ID_DIGITS; i++)
		id.c[i] = digits[i % 2 ? sum[i / 2] & 15 : sum[i / 2] >> 4];
	return id;
}

bool script_is_id(struct str s)
{
	enum { HALF = SCRIPT_ID_DIGITS / 2 };
	uint64_t half;

	return s.n == SCRIPT_ID_DIGITS && str_sum64((struct str){s.p, HALF}, &half) &&
	       str_sum64((struct str){s.p + HALF, HALF}, &half);
}

static void directory(const struct name *name, struct place *out)
{
	name_place("accounts", name, "sieve", out);
}

static void place_of(const struct name *name, const char *id, struct place *out)
{
	char leaf[sizeof "sieve/" + SCRIPT_ID_DIGITS];

	snprintf(leaf, sizeof leaf, "sieve/%s", id);
	name_place("accounts", name, leaf, out);
}

int script_check_name(struct str name, struct err *e)
{
	if (name.n == 0 || name.n > SCRIPT_NAME_MAX)
		return err_set(e, ERR_PERM, SCRIPT_BAD_NAME,
			       "a script's name has 1 to %d octets", SCRIPT_NAME_MAX);
	if (!str_is_utf8(name) || str_has_control(name) || str_has_line_end(name))
		return err_set(e, ERR_PERM, SCRIPT_BAD_NAME,
			       "a script's name is UTF-8 without control characters");
	return 0;
}

/* ---- the file: a record, and the text behind it ------------------------------------------ */

struct file {
	uint64_t uid;
	struct script script;
	struct str text; /* borrowed */
};

static void print(const struct file *f, struct buf *out)
{
	struct record_writer w;
	char sum[SUM_DIGITS + 1];

	snprintf(sum, sizeof sum, "%016" PRIx64, XXH3_64bits(f->text.p, f->text.n));
	record_begin(&w, kind);
	record_put(&w, "uid", str_of(id_print(f->uid).c));
	record_put(&w, "name", str_of(f->script.name));
	record_put_u64(&w, "set", f->script.set_ms);
	record_put_u64(&w, "octets", f->text.n);
	record_put(&w, "text-sum", str_of(sum));
	buf_put(out, record_finish(&w));
	record_fini(&w);
	buf_put(out, f->text);
}

/* head_of - up to the end of the line with the record's sum, which no value can hold */
static struct str head_of(struct str all)
{
	static const char sum[] = "\nsum ";
	size_t room = all.n < HEAD_MAX ? all.n : HEAD_MAX;
	const char *p = memmem(all.p, room, sum, sizeof sum - 1);
	size_t n = p ? (size_t)(p - all.p) + sizeof sum - 1 + SUM_DIGITS + 1 : all.n;

	return (struct str){all.p, n < all.n ? n : all.n};
}

static bool take(struct str head, const char *key, char *to, size_t room)
{
	struct buf b;

	buf_init(&b, room - 1);

	bool fits = record_get(head, key, &b) && !buf_over(&b);

	snprintf(to, room, "%s", buf_cstr(&b));
	buf_fini(&b);
	return fits;
}

static bool parse_head(struct str head, struct file *f, uint64_t *sum)
{
	char uid[ID_CHARS + 1], text_sum[SUM_DIGITS + 1];
	struct err e;

	return take(head, "uid", uid, sizeof uid) && id_parse(str_of(uid), &f->uid) &&
	       take(head, "name", f->script.name, sizeof f->script.name) &&
	       script_check_name(str_of(f->script.name), &e) == 0 &&
	       record_get_u64(head, "set", &f->script.set_ms) &&
	       record_get_u64(head, "octets", &f->script.octets) &&
	       take(head, "text-sum", text_sum, sizeof text_sum) &&
	       str_sum64(str_of(text_sum), sum);
}

/* parse - `what` names it in the error */
static int parse(struct str all, const char *what, struct file *f, struct err *e)
{
	struct str head = head_of(all);
	uint64_t sum;

	*f = (struct file){.text = {all.p + head.n, all.n - head.n}};
	if (record_check(head, kind, what, e) < 0)
		return -1;
	if (!parse_head(head, f, &sum))
		return err_set(e, ERR_TEMP, "4.3.0", "%s is not well formed", what);
	if (f->text.n != f->script.octets || XXH3_64bits(f->text.p, f->text.n) != sum)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "%s is damaged: its text is not what its sum says", what);
	return 0;
}

/* parse_own - the same, and it is this account's, and in its place */
static int parse_own(struct str all, const struct account *a, const char *id,
		     struct file *f, struct err *e)
{
	struct place place;

	place_of(&a->name, id, &place);
	if (parse(all, place.path, f, e) < 0)
		return -1;
	if (f->uid != a->uid)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "%s is a script of another account (uid %s)", place.path,
			       id_print(f->uid).c);
	if (strcmp(id_of(str_of(f->script.name)).c, id) != 0)
		return err_set(e, ERR_TEMP, "4.3.0",
			       "%s is not in its place, which is sieve/%s", place.path,
			       id_of(str_of(f->script.name)).c);
	f->script.active = strcmp(a->script, id) == 0;
	return 0;
}

/* read_own - `all` is born for FILE_MAX, and f->text points into it */
static int read_own(struct store *s, const struct account *a, const char *id,
		    struct buf *all, struct file *f, bool *found, struct err *e)
{
	struct place place;

	*f = (struct file){0};
	place_of(&a->name, id, &place);
	if (storage_read(store_root(s), place.path, all, found, e) < 0)
		return -1;
	if (!*found)
		return 0;
	if (buf_over(all))
		return err_set(e, ERR_TEMP, "4.3.0", "%s is too large", place.path);
	return parse_own(buf_str(all), a, id, f, e);
}

static int read_text(struct store *s, const struct account *a, const char *id,
		     struct script *script, struct buf *out, bool *found, struct err *e)
{
	struct buf all;
	struct file f;

	buf_init(&all, FILE_MAX);

	int rc = read_own(s, a, id, &all, &f, found, e);

	if (rc == 0 && *found) {
		buf_put(out, f.text);
		*script = f.script;
	}
	buf_fini(&all);
	return rc;
}

/* ---- looking ------------------------------------------------------------------------------- */

int script_get(struct store *s, const struct account *a, struct str name, struct buf *out,
	       bool *found, struct err *e)
{
	struct script script;

	*found = false;
	if (script_check_name(name, e) < 0)
		return -1;
	return read_text(s, a, id_of(name).c, &script, out, found, e);
}

/* is_superseded - meanwhile another one has become active, or none */
static int is_superseded(struct store *s, struct account *a, bool *superseded,
			 struct err *e)
{
	struct account now;
	bool found;

	if (account_read(s, &a->name, &now, &found, e) < 0)
		return -1;
	*superseded = found && now.uid == a->uid && strcmp(now.script, a->script) != 0;
	if (*superseded)
		*a = now;
	return 0;
}

int script_active(struct store *s, const struct account *a, struct script *script,
		  struct buf *text, bool *found, struct err *e)
{
	struct account now = *a;
	bool there = false, again = true;

	while (again) {
		*found = now.script[0] != '\0';
		if (!*found)
			return 0;
		if (read_text(s, &now, now.script, script, text, &there, e) < 0)
			return -1;
		again = false;
		if (!there && is_superseded(s, &now, &again, e) < 0)
			return -1;
	}
	return there ? 0
		     : err_set(e, ERR_TEMP, "4.3.0",
			       "the active script of %s is lost: sieve/%s", now.name.s,
			       now.script);
}

struct ids {
	struct script_id *v;
	size_t n, cap;
};

/* list - what lies there under the name of a script */
static int list(struct store *s, const struct name *name, struct ids *out, struct err *e)
{
	struct storage_names *names;
	struct place place;
	const char *entry;

	*out = (struct ids){0};
	directory(name, &place);
	if (storage_list(store_root(s), place.path, &names, e) < 0)
		return -1;
	while ((entry = storage_names_next(names)) != NULL) {
		if (!script_is_id(str_of(entry)))
			continue;
		if (out->n == out->cap) {
			size_t cap = out->cap ? 2 * out->cap : 8;

			out->v = xgrow(out->v, out->cap * sizeof *out->v,
				       cap * sizeof *out->v);
			out->cap = cap;
		}
		snprintf(out->v[out->n++].c, sizeof out->v->c, "%s", entry);
	}
	return storage_names_end(&names, e);
}

static int by_name(const void *a, const void *b)
{
	const struct script *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int script_each(struct store *s, const struct account *a,
		void (*each)(const struct script *script, void *ctx),
		void (*bad)(const struct err *why, void *ctx), void *ctx, struct err *e)
{
	struct script *v;
	struct ids ids;
	size_t n = 0;
	int rc = list(s, &a->name, &ids, e);

	v = xalloc((ids.n + 1) * sizeof *v);
	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct err why;
		struct buf text;
		bool found;

		buf_init(&text, SCRIPT_TEXT_MAX);
		if (read_text(s, a, ids.v[i].c, &v[n], &text, &found, &why) < 0)
			bad(&why, ctx);
		else
			n += found;
		buf_fini(&text);
	}
	qsort(v, n, sizeof *v, by_name);
	for (size_t i = 0; i < n && rc == 0; i++)
		each(&v[i], ctx);
	xfree(&v);
	xfree(&ids.v);
	return rc;
}

/* ---- changing ------------------------------------------------------------------------------ */

static int none_of_that_name(struct str name, struct err *e)
{
	return err_set(e, ERR_PERM, SCRIPT_NONE, "there is no script '" STR_FMT "'",
		       STR_ARG(name));
}

/* check_number - one more, if it is one more, is not too many */
static int check_number(struct store *s, const struct account *a, const char *id,
			struct err *e)
{
	uint64_t max = store_settings(s)->sieve.max_scripts;
	struct ids ids;
	bool new = true;

	if (list(s, &a->name, &ids, e) < 0) {
		xfree(&ids.v);
		return -1;
	}
	for (size_t i = 0; i < ids.n; i++)
		new = new &&strcmp(ids.v[i].c, id) != 0;
	xfree(&ids.v);
	if (!new || ids.n < max)
		return 0;
	return err_set(e, ERR_PERM, SCRIPT_TOO_MANY,
		       "%s has %" PRIu64 " scripts, and no more "
		       "may be kept",
		       a->name.s, max);
}

/* write_as - `f`, under this name */
static int write_as(struct store *s, const struct account *a, struct file *f,
		    struct str name, struct err *e)
{
	struct place place;
	struct buf out;

	snprintf(f->script.name, sizeof f->script.name, STR_FMT, STR_ARG(name));
	place_of(&a->name, id_of(name).c, &place);
	buf_init(&out, FILE_MAX);
	print(f, &out);
	must(!buf_over(&out));

	int rc = storage_put(store_root(s), place.path, buf_str(&out), STORAGE_DURABLE,
			     NULL, e);

	buf_fini(&out);
	return rc;
}

static int put(struct store *s, const struct account *a, struct str name, struct str text,
	       struct err *e)
{
	struct file f = {.uid = a->uid, .script.set_ms = clock_unix_ms(), .text = text};
	struct account now;

	if (account_find_same(s, a, &now, e) < 0 ||
	    check_number(s, a, id_of(name).c, e) < 0)
		return -1;
	return write_as(s, a, &f, name, e);
}

/* may_put - but for the number of them, which only who holds the lock knows */
static int may_put(struct store *s, const struct account *a, struct str name,
		   uint64_t octets, struct err *e)
{
	uint64_t max = store_settings(s)->sieve.max_script_size;

	if (script_check_name(name, e) < 0)
		return -1;
	if (account_is_template(a))
		return err_set(e, ERR_PERM, "5.1.1", "%s gets no mail", a->name.s);
	if (octets > max)
		return err_set(e, ERR_PERM, SCRIPT_TOO_LARGE,
			       "a script may have %" PRIu64 " octets", max);
	return 0;
}

int script_fits(struct store *s, const struct account *a, struct str name,
		uint64_t octets, struct err *e)
{
	if (may_put(s, a, name, octets, e) < 0)
		return -1;
	return check_number(s, a, id_of(name).c, e);
}

int script_put(struct store *s, const struct account *a, struct str name, struct str text,
	       struct err *e)
{
	struct storage_file *lock;

	if (may_put(s, a, name, text.n, e) < 0)
		return -1;
	if (tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = put(s, a, name, text, e);

	storage_file_close(&lock);
	return rc;
}

/* activate - "" is none; one that is damaged, or another's, is not made the active one */
static int activate(struct store *s, const struct account *a, struct str name,
		    struct err *e)
{
	struct script_id id = {""};
	struct account now;
	struct file f;
	struct buf all;
	bool found = true;
	int rc = 0;

	if (account_find_same(s, a, &now, e) < 0)
		return -1;
	buf_init(&all, FILE_MAX);
	if (name.n > 0) {
		id = id_of(name);
		rc = read_own(s, a, id.c, &all, &f, &found, e);
	}
	buf_fini(&all);
	if (rc < 0)
		return -1;
	if (!found)
		return none_of_that_name(name, e);
	if (strcmp(now.script, id.c) == 0)
		return 0;
	memcpy(now.script, id.c, sizeof now.script);
	return account_put(s, &now, STORAGE_DURABLE, NULL, e);
}

int script_activate(struct store *s, const struct account *a, struct str name,
		    struct err *e)
{
	struct storage_file *lock;

	if ((name.n > 0 && script_check_name(name, e) < 0) ||
	    tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = activate(s, a, name, e);

	storage_file_close(&lock);
	return rc;
}

static int remove_one(struct store *s, const struct account *a, struct str name,
		      struct err *e)
{
	struct script_id id = id_of(name);
	struct account now;
	struct place place;
	bool found;

	place_of(&a->name, id.c, &place);
	if (account_find_same(s, a, &now, e) < 0 ||
	    storage_exists(store_root(s), place.path, &found, e) < 0)
		return -1;
	if (!found)
		return none_of_that_name(name, e);
	if (strcmp(now.script, id.c) == 0)
		return err_set(e, ERR_PERM, SCRIPT_IS_ACTIVE,
			       "'" STR_FMT "' is the active script of %s", STR_ARG(name),
			       a->name.s);
	return storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
}

int script_delete(struct store *s, const struct account *a, struct str name,
		  struct err *e)
{
	struct storage_file *lock;

	if (script_check_name(name, e) < 0 || tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = remove_one(s, a, name, e);

	storage_file_close(&lock);
	return rc;
}

/* ---- another name ---------------------------------------------------------------------------- */

/* is_half_done - `to` is what a rename of `from` has made that was cut short */
static bool is_half_done(const struct file *from, const struct file *to)
{
	return from->script.set_ms == to->script.set_ms && str_eq(from->text, to->text);
}

/* look_for - whether there is one of the new name, and it is no more than a beginning */
static int look_for(struct store *s, const struct account *a, const struct file *from,
		    struct str to, bool *begun, struct err *e)
{
	struct buf all;
	struct file f;
	int rc;

	buf_init(&all, FILE_MAX);
	rc = read_own(s, a, id_of(to).c, &all, &f, begun, e);
	if (rc == 0 && *begun && !is_half_done(from, &f))
		rc = err_set(e, ERR_PERM, SCRIPT_IS_THERE, "'" STR_FMT "' is there",
			     STR_ARG(to));
	buf_fini(&all);
	return rc;
}

/* move - each step is durable before the next one: the new file, the profile if it names the
 * old one, and then the old file goes.  Up to the last, the active script is there. */
static int move(struct store *s, const struct account *a, const struct file *from,
		struct str to, struct err *e)
{
	struct script_id old = id_of(str_of(from->script.name)), new = id_of(to);
	struct file f = *from;
	struct account now;
	struct place place;
	bool begun;

	if (account_find_same(s, a, &now, e) < 0 ||
	    look_for(s, a, from, to, &begun, e) < 0 ||
	    (!begun && write_as(s, a, &f, to, e) < 0))
		return -1;
	if (strcmp(now.script, old.c) == 0) {
		memcpy(now.script, new.c, sizeof now.script);
		if (account_put(s, &now, STORAGE_DURABLE, NULL, e) < 0)
			return -1;
	}
	place_of(&a->name, old.c, &place);
	return storage_remove(store_root(s), place.path, STORAGE_DURABLE, e);
}

static int rename_one(struct store *s, const struct account *a, struct str from,
		      struct str to, struct err *e)
{
	struct buf all;
	struct file f;
	bool found;
	int rc;

	buf_init(&all, FILE_MAX);
	rc = read_own(s, a, id_of(from).c, &all, &f, &found, e);
	if (rc == 0 && !found)
		rc = none_of_that_name(from, e);
	else if (rc == 0 && str_eq(from, to))
		rc = err_set(e, ERR_PERM, SCRIPT_IS_THERE, "'" STR_FMT "' is there",
			     STR_ARG(to));
	else if (rc == 0)
		rc = move(s, a, &f, to, e);
	buf_fini(&all);
	return rc;
}

int script_rename(struct store *s, const struct account *a, struct str from,
		  struct str to, struct err *e)
{
	struct storage_file *lock;

	if (script_check_name(from, e) < 0 || script_check_name(to, e) < 0 ||
	    tree_lock(store_root(s), &lock, e) < 0)
		return -1;

	int rc = rename_one(s, a, from, to, e);

	storage_file_close(&lock);
	return rc;
}

/* ---- for the rest of the store --------------------------------------------------------------- */

int script_uid(struct store *s, const struct name *name, uint64_t *uid, bool *any,
	       struct err *e)
{
	struct ids ids;
	int rc = list(s, name, &ids, e);

	*uid = 0;
	*any = ids.n > 0;
	for (size_t i = 0; i < ids.n && rc == 0 && *uid == 0; i++) {
		struct place place;
		struct file f;
		struct err bad;
		struct buf all;
		bool found;

		buf_init(&all, FILE_MAX);
		place_of(name, ids.v[i].c, &place);
		rc = storage_read(store_root(s), place.path, &all, &found, e);
		if (rc == 0 && found && parse(buf_str(&all), place.path, &f, &bad) == 0)
			*uid = f.uid;
		buf_fini(&all);
	}
	xfree(&ids.v);
	return rc;
}

/* The last removal brings all of them to the disk: they are names in one directory. */
int script_remove_all(struct store *s, const struct name *name, struct err *e)
{
	struct ids ids;
	int rc = list(s, name, &ids, e);

	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct place place;

		place_of(name, ids.v[i].c, &place);
		rc = storage_remove(store_root(s), place.path,
				    i + 1 == ids.n ? STORAGE_DURABLE : 0, e);
	}
	xfree(&ids.v);
	return rc;
}

/* ---- for check ---------------------------------------------------------------------------------- */

struct mending {
	const struct account *a;
	const char *id;
};

static bool is_whole(struct str text, void *ctx)
{
	const struct mending *m = ctx;
	struct file f;
	struct err e;

	return parse_own(text, m->a, m->id, &f, &e) == 0;
}

/* mend - under the lock, what stands there now */
static bool mend(struct store *s, const struct account *a, const char *id)
{
	struct mending m = {a, id};
	struct storage_file *lock;
	struct place place;
	struct account now;
	struct buf all;
	struct err e;
	bool found, done;

	if (tree_lock(store_root(s), &lock, &e) < 0)
		return false;
	place_of(&a->name, id, &place);
	buf_init(&all, FILE_MAX);
	done = account_find_same(s, a, &now, &e) == 0 &&
	       storage_read(store_root(s), place.path, &all, &found, &e) == 0 && found &&
	       mend_octet(all.p, all.n, is_whole, &m) &&
	       storage_put(store_root(s), place.path, buf_str(&all), STORAGE_DURABLE,
			   NULL, &e) == 0;
	buf_fini(&all);
	storage_file_close(&lock);
	return done;
}

static int check_one(struct store *s, const struct account *a, const char *id,
		     struct err *why)
{
	struct buf all;
	struct file f;
	bool found;

	buf_init(&all, FILE_MAX);

	int rc = read_own(s, a, id, &all, &f, &found, why);

	buf_fini(&all);
	return rc;
}

int script_check_each(struct store *s, const struct account *a, bool repair,
		      void (*each)(const char *path, const struct err *why, bool mended,
				   void *ctx),
		      void *ctx, struct err *e)
{
	struct ids ids;
	int rc = list(s, &a->name, &ids, e);

	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct err why = {0};
		struct place place;
		bool mended = false;

		if (check_one(s, a, ids.v[i].c, &why) < 0 && repair &&
		    record_is_damage(&why))
			mended = mend(s, a, ids.v[i].c);
		place_of(&a->name, ids.v[i].c, &place);
		each(place.path, &why, mended, ctx);
	}
	xfree(&ids.v);
	return rc;
}
