/* SPDX-License-Identifier: ISC */
#include "store/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/account_mend.h"
#include "store/check.h"
#include "store/id.h"
#include "t/unit/store/scratch.h"

static const char alice[] = "alice@example.org";

struct fixture {
	struct scratch s;
	struct account a;
	struct check_finding last;
	char all[2048];
};

static int start(void **state)
{
	struct fixture *x = xalloc(sizeof *x);

	*state = x;
	scratch_begin_with(&x->s, "", "sieve { max_scripts = 3 max_script_size = 2000 }");
	x->a = scratch_account(&x->s, alice);
	return 0;
}

static int stop(void **state)
{
	struct fixture *x = *state;

	scratch_end(&x->s);
	xfree(state);
	return 0;
}

static int put(struct fixture *x, const char *name, const char *text, struct err *e)
{
	return script_put(x->s.store, &x->a, str_of(name), str_of(text), e);
}

static int activate(struct fixture *x, const char *name, struct err *e)
{
	return script_activate(x->s.store, &x->a, str_of(name), e);
}

static int drop(struct fixture *x, const char *name, struct err *e)
{
	return script_delete(x->s.store, &x->a, str_of(name), e);
}

/* now - the account as it stands */
static struct account now(struct fixture *x)
{
	struct account a;
	bool found;

	scratch_ok(account_find(x->s.store, &x->a.name, &a, &found, &e_));
	assert_true(found);
	return a;
}

static void assert_text(struct fixture *x, const char *name, const char *text)
{
	struct buf out;
	bool found;

	buf_init(&out, SCRIPT_TEXT_MAX);
	scratch_ok(script_get(x->s.store, &x->a, str_of(name), &out, &found, &e_));
	assert_int_equal(found, text != NULL);
	assert_string_equal(buf_cstr(&out), text ? text : "");
	buf_fini(&out);
}

/* assert_active - what a delivery would run; NULL: nothing */
static void assert_active(struct fixture *x, const char *name, const char *text)
{
	struct account a = now(x);
	struct script script;
	struct buf out;
	bool found;

	buf_init(&out, SCRIPT_TEXT_MAX);
	scratch_ok(script_active(x->s.store, &a, &script, &out, &found, &e_));
	assert_int_equal(found, name != NULL);
	if (found) {
		assert_string_equal(script.name, name);
		assert_string_equal(buf_cstr(&out), text);
	}
	buf_fini(&out);
}

static void add_name(const struct script *script, void *ctx)
{
	struct fixture *x = ctx;
	size_t n = strlen(x->all);

	snprintf(x->all + n, sizeof x->all - n, "%s%s(%llu) ", script->name,
		 script->active ? "*" : "", (unsigned long long)script->octets);
}

static void add_bad(const struct err *why, void *ctx)
{
	struct fixture *x = ctx;
	size_t n = strlen(x->all);

	snprintf(x->all + n, sizeof x->all - n, "bad: %s ", why->text);
}

static const char *list(struct fixture *x)
{
	struct account a = now(x);

	x->all[0] = '\0';
	scratch_ok(script_each(x->s.store, &a, add_name, add_bad, x, &e_));
	return x->all;
}

/* place - of the one script that there is, "store/accounts/..." */
static struct scratch_path only_file(struct fixture *x)
{
	struct storage_names *names;
	struct scratch_path p;
	struct place dir;
	char leaf[64];
	const char *entry;

	name_place("accounts", &x->a.name, "sieve", &dir);
	scratch_ok(storage_list(store_root(x->s.store), dir.path, &names, &e_));
	entry = storage_names_next(names);
	assert_non_null(entry);
	snprintf(leaf, sizeof leaf, "sieve/%s", entry);
	assert_null(storage_names_next(names));
	scratch_ok(storage_names_end(&names, &e_));
	p = scratch_place("accounts", alice, leaf);
	return p;
}

/* ---- the module ------------------------------------------------------------------------ */

static void is_kept_and_replaced(void **state)
{
	struct fixture *x = *state;

	assert_text(x, "main", NULL);
	scratch_ok(put(x, "main", "keep;\r\n", &e_));
	scratch_ok(put(x, "b", "", &e_));
	assert_text(x, "main", "keep;\r\n");
	assert_text(x, "b", "");
	assert_text(x, "Main", NULL); /* names are not folded */
	scratch_ok(put(x, "main", "discard; # \xc3\xa4", &e_));
	assert_text(x, "main", "discard; # \xc3\xa4");
	assert_string_equal(list(x), "b(0) main(13) ");
	scratch_ok(drop(x, "b", &e_));
	assert_text(x, "b", NULL);
	assert_string_equal(list(x), "main(13) ");
}

static void stands_there_as_the_manual_says(void **state)
{
	struct fixture *x = *state;
	struct buf text;
	char want[512];

	scratch_ok(put(x, "100% mine", "keep;\n", &e_));
	buf_init(&text, 4096);
	scratch_read(&x->s, only_file(x).s, &text);
	snprintf(want, sizeof want, "popstore-script 1\nuid %s\nname 100%%25 mine\nset ",
		 id_print(x->a.uid).c);
	assert_true(str_starts(buf_str(&text), str_of(want)));
	assert_true(str_ends(buf_str(&text), STR("\nkeep;\n")));
	assert_non_null(strstr(buf_cstr(&text), "\noctets 6\ntext-sum "));
	buf_fini(&text);
	/* The place is a digest of the name, whatever is in it. */
	assert_null(strstr(only_file(x).s, "mine"));
}

static void names_are_no_paths(void **state)
{
	struct fixture *x = *state;
	static const char *const fine[] = {"../../../etc/passwd", "/", "."};
	static const char *const wrong[] = {"",         "a\nb",         "a\x7f",
					    "\xc2\x85", "\xe2\x80\xa8", "\xff"};
	struct buf longest;

	for (size_t i = 0; i < countof(fine); i++) {
		scratch_ok(put(x, fine[i], "keep;", &e_));
		assert_text(x, fine[i], "keep;");
		assert_true(scratch_exists(&x->s, only_file(x).s));
		scratch_ok(drop(x, fine[i], &e_));
	}
	for (size_t i = 0; i < countof(wrong); i++) {
		struct err e;

		assert_int_equal(put(x, wrong[i], "keep;", &e), -1);
		assert_int_equal(e.class, ERR_PERM);
	}
	buf_init(&longest, SCRIPT_NAME_MAX + 1);
	while (longest.n < SCRIPT_NAME_MAX)
		buf_putc(&longest, '%'); /* each is three octets in the record */
	scratch_ok(put(x, buf_cstr(&longest), "keep;", &e_));
	assert_text(x, buf_cstr(&longest), "keep;");
	buf_putc(&longest, '%');
	struct err e;
	assert_int_equal(put(x, buf_cstr(&longest), "keep;", &e), -1);
	buf_fini(&longest);
}

static void quotas(void **state)
{
	struct fixture *x = *state;
	char large[2002];
	struct err e;

	memset(large, '#', 2001);
	large[2001] = '\0';
	assert_int_equal(put(x, "large", large, &e), -1);
	assert_string_equal(e.dsn, "5.3.4");
	large[2000] = '\0';
	scratch_ok(put(x, "large", large, &e_));
	scratch_ok(put(x, "b", "keep;", &e_));
	scratch_ok(put(x, "c", "keep;", &e_));
	assert_int_equal(put(x, "d", "keep;", &e), -1);
	assert_string_equal(e.dsn, "5.2.2");
	/* One that is there may change. */
	scratch_ok(put(x, "c", "stop;", &e_));
	assert_text(x, "c", "stop;");
	assert_text(x, "d", NULL);
}

static void one_is_active(void **state)
{
	struct fixture *x = *state;
	struct err e;

	assert_active(x, NULL, NULL);
	assert_int_equal(activate(x, "main", &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	scratch_ok(put(x, "main", "keep;", &e_));
	scratch_ok(put(x, "other", "stop;", &e_));
	assert_active(x, NULL, NULL);
	scratch_ok(activate(x, "main", &e_));
	assert_active(x, "main", "keep;");
	assert_string_equal(list(x), "main*(5) other(5) ");
	scratch_ok(put(x, "main", "discard;", &e_));
	assert_active(x, "main", "discard;");
	assert_int_equal(drop(x, "main", &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_active(x, "main", "discard;");
	scratch_ok(activate(x, "other", &e_));
	assert_active(x, "other", "stop;");
	scratch_ok(drop(x, "main", &e_));
	scratch_ok(activate(x, "", &e_));
	assert_active(x, NULL, NULL);
	scratch_ok(drop(x, "other", &e_));
}

/* `modify` reads an account, and writes it later. */
static void an_update_leaves_the_active_one(void **state)
{
	struct fixture *x = *state;
	struct account before = now(x);

	scratch_ok(put(x, "main", "keep;", &e_));
	scratch_ok(activate(x, "main", &e_));
	before.quota = 1000;
	scratch_ok(account_update(x->s.store, &before, &e_));
	assert_int_equal(now(x).quota, 1000);
	assert_active(x, "main", "keep;");
	before = now(x);
	scratch_ok(activate(x, "", &e_));
	scratch_ok(account_update(x->s.store, &before, &e_));
	assert_active(x, NULL, NULL);
}

static void goes_with_its_account(void **state)
{
	struct fixture *x = *state;
	struct account old = x->a;
	struct err e;

	scratch_ok(put(x, "main", "keep;", &e_));
	scratch_ok(activate(x, "main", &e_));
	scratch_ok(account_delete(x->s.store, &x->a.name, &e_));
	assert_false(scratch_exists(&x->s, scratch_place("accounts", alice, NULL).s));
	x->a = scratch_account(&x->s, alice);
	assert_active(x, NULL, NULL);
	assert_string_equal(list(x), "");
	/* Who still has the old one in hand changes nothing of the new one. */
	assert_int_equal(script_put(x->s.store, &old, STR("main"), STR("keep;"), &e), -1);
	assert_string_equal(e.dsn, "5.1.1");
	assert_int_equal(script_activate(x->s.store, &old, STR(""), &e), -1);
}

static void the_template_has_none(void **state)
{
	struct fixture *x = *state;
	struct name n = scratch_name(&x->s, "default@example.org");
	struct account a;
	struct err e;
	bool found;

	scratch_ok(account_find(x->s.store, &n, &a, &found, &e_));
	assert_true(found);
	assert_int_equal(script_put(x->s.store, &a, STR("main"), STR("keep;"), &e), -1);
	assert_int_equal(e.class, ERR_PERM);
}

static void damage_is_never_run(void **state)
{
	struct fixture *x = *state;
	struct script script;
	struct account a;
	struct buf out;
	struct err e;
	bool found;

	scratch_ok(put(x, "main", "keep; # a text", &e_));
	scratch_ok(activate(x, "main", &e_));
	a = now(x);

	struct scratch_path at = only_file(x);
	struct stat sb;

	assert_int_equal(stat(scratch_path(&x->s, at.s).s, &sb), 0);
	for (size_t i = 0; i < (size_t)sb.st_size; i++) {
		scratch_flip(&x->s, at.s, i);
		buf_init(&out, SCRIPT_TEXT_MAX);
		if (script_active(x->s.store, &a, &script, &out, &found, &e) == 0)
			fail_msg("octet %zu is not looked at", i);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(out.n, 0);
		buf_fini(&out);
		scratch_flip(&x->s, at.s, i);
	}
	assert_active(x, "main", "keep; # a text");
	assert_int_equal(unlink(scratch_path(&x->s, at.s).s), 0);
	buf_init(&out, SCRIPT_TEXT_MAX);
	assert_int_equal(script_active(x->s.store, &a, &script, &out, &found, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_fini(&out);
}

/* ---- check -------------------------------------------------------------------------------- */

static struct check_result run(struct fixture *x, bool repair)
{
	return scratch_check(&x->s, repair, &x->last);
}

static void sound(struct fixture *x)
{
	if (run(x, false).findings > 0)
		fail_msg("%s %s", x->last.invariant, x->last.what);
}

static int change_name(struct fixture *x, const char *from, const char *to, struct err *e)
{
	return script_rename(x->s.store, &x->a, str_of(from), str_of(to), e);
}

static void has_another_name(void **state)
{
	struct fixture *x = *state;
	struct err e;

	scratch_ok(put(x, "a", "keep;", &e_));
	scratch_ok(put(x, "b", "stop;", &e_));
	scratch_ok(put(x, "c", "discard;", &e_)); /* as many as there may be */
	scratch_ok(activate(x, "a", &e_));
	scratch_ok(change_name(x, "b", "../d", &e_));
	assert_string_equal(list(x), "../d(5) a*(5) c(8) ");
	assert_active(x, "a", "keep;");
	scratch_ok(change_name(x, "a", "e", &e_));
	assert_string_equal(list(x), "../d(5) c(8) e*(5) ");
	assert_active(x, "e", "keep;");

	assert_int_equal(change_name(x, "e", "c", &e), -1);
	assert_string_equal(e.dsn, SCRIPT_IS_THERE);
	assert_int_equal(change_name(x, "e", "e", &e), -1);
	assert_string_equal(e.dsn, SCRIPT_IS_THERE);
	assert_int_equal(change_name(x, "a", "f", &e), -1);
	assert_string_equal(e.dsn, SCRIPT_NONE);
	assert_int_equal(change_name(x, "e", "", &e), -1);
	assert_string_equal(e.dsn, SCRIPT_BAD_NAME);
	assert_int_equal(change_name(x, "", "f", &e), -1);
	assert_string_equal(e.dsn, SCRIPT_BAD_NAME);
	assert_string_equal(list(x), "../d(5) c(8) e*(5) ");
	sound(x);
}

/* Whoever has read the profile before finds the script under its new name. */
static void is_found_though_it_moved(void **state)
{
	struct fixture *x = *state;
	struct account old;
	struct script script;
	struct buf text;
	bool found;

	scratch_ok(put(x, "a", "keep;", &e_));
	scratch_ok(activate(x, "a", &e_));
	old = now(x);
	scratch_ok(change_name(x, "a", "b", &e_));
	buf_init(&text, SCRIPT_TEXT_MAX);
	scratch_ok(script_active(x->s.store, &old, &script, &text, &found, &e_));
	assert_true(found);
	assert_string_equal(script.name, "b");
	assert_string_equal(buf_cstr(&text), "keep;");
	scratch_ok(activate(x, "", &e_));
	scratch_ok(drop(x, "b", &e_));
	scratch_ok(script_active(x->s.store, &old, &script, &text, &found, &e_));
	assert_false(found);
	buf_fini(&text);
}

/* What a power cut leaves after the first step: the old name's file comes back. */
static void a_rename_is_ended(void **state)
{
	struct fixture *x = *state;
	struct place old;
	struct buf all;
	bool found;

	scratch_ok(put(x, "a", "keep;", &e_));
	buf_init(&all, 8192);
	snprintf(old.path, sizeof old.path, "%s", only_file(x).s + strlen("store/"));
	scratch_ok(storage_read(store_root(x->s.store), old.path, &all, &found, &e_));
	scratch_ok(change_name(x, "a", "b", &e_));
	scratch_ok(storage_put(store_root(x->s.store), old.path, buf_str(&all),
			       STORAGE_DURABLE, NULL, &e_));
	assert_string_equal(list(x), "a(5) b(5) ");
	sound(x);
	scratch_ok(change_name(x, "a", "b", &e_));
	assert_string_equal(list(x), "b(5) ");
	buf_fini(&all);
}

static void fits_or_not(void **state)
{
	struct fixture *x = *state;
	struct err e;

	scratch_ok(script_fits(x->s.store, &x->a, STR("a"), 2000, &e_));
	assert_int_equal(script_fits(x->s.store, &x->a, STR("a"), 2001, &e), -1);
	assert_string_equal(e.dsn, SCRIPT_TOO_LARGE);
	assert_int_equal(script_fits(x->s.store, &x->a, STR("a\n"), 1, &e), -1);
	assert_string_equal(e.dsn, SCRIPT_BAD_NAME);
	scratch_ok(put(x, "a", "keep;", &e_));
	scratch_ok(put(x, "b", "keep;", &e_));
	scratch_ok(put(x, "c", "keep;", &e_));
	scratch_ok(script_fits(x->s.store, &x->a, STR("c"), 2000, &e_));
	assert_int_equal(script_fits(x->s.store, &x->a, STR("d"), 1, &e), -1);
	assert_string_equal(e.dsn, SCRIPT_TOO_MANY);
}

static void main_is_active(struct fixture *x)
{
	scratch_ok(put(x, "main", "keep; # a text", &e_));
	scratch_ok(activate(x, "main", &e_));
	sound(x);
}

static void check_mends_one_octet(void **state)
{
	struct fixture *x = *state;
	struct scratch_path at;
	struct buf text;
	struct check_result r;

	main_is_active(x);
	at = only_file(x);
	buf_init(&text, 4096);
	scratch_read(&x->s, at.s, &text);
	scratch_flip(&x->s, at.s, text.n - 3);
	r = run(x, false);
	assert_int_equal(r.findings, 1);
	assert_string_equal(x->last.invariant, "I19");
	r = run(x, true);
	assert_int_equal(r.repaired, 1);
	sound(x);
	assert_active(x, "main", "keep; # a text");
	/* Two octets are nobody's to guess: named, and left as they are. */
	scratch_flip(&x->s, at.s, text.n - 3);
	scratch_flip(&x->s, at.s, text.n - 5);
	r = run(x, true);
	assert_int_equal(r.findings, 1);
	assert_int_equal(r.repaired, 0);
	assert_true(scratch_exists(&x->s, at.s));
	scratch_ok(put(x, "main", "stop;", &e_));
	sound(x);
	assert_active(x, "main", "stop;");
	buf_fini(&text);
}

static void check_names_what_is_lost(void **state)
{
	struct fixture *x = *state;
	struct check_result r;

	main_is_active(x);
	assert_int_equal(unlink(scratch_path(&x->s, only_file(x).s).s), 0);
	r = run(x, true);
	assert_int_equal(r.findings, 1);
	assert_int_equal(r.repaired, 0);
	assert_string_equal(x->last.invariant, "I19");
	scratch_ok(activate(x, "", &e_));
	sound(x);
}

static void check_names_what_is_anothers(void **state)
{
	struct fixture *x = *state;
	struct account bob = scratch_account(&x->s, "bob@example.org");
	struct scratch_path mine, his;
	struct check_result r;
	struct buf text;

	main_is_active(x);
	mine = only_file(x);
	scratch_ok(script_put(x->s.store, &bob, STR("other"), STR("stop;"), &e_));
	his = scratch_place("accounts", "bob@example.org", strstr(mine.s, "sieve/"));
	buf_init(&text, 4096);
	scratch_read(&x->s, mine.s, &text);
	scratch_write(&x->s, his.s, buf_str(&text));
	r = run(x, true);
	assert_int_equal(r.findings, 1);
	assert_int_equal(r.repaired, 0);
	assert_true(scratch_exists(&x->s, his.s));
	assert_int_equal(unlink(scratch_path(&x->s, his.s).s), 0);
	sound(x);
	buf_fini(&text);
}

/* What lies there and is no script of ours is let alone. */
static void check_leaves_other_files(void **state)
{
	struct fixture *x = *state;
	struct scratch_path other;

	main_is_active(x);
	other = scratch_place("accounts", alice, "sieve/README");
	scratch_write(&x->s, other.s, STR("mine\n"));
	assert_int_equal(run(x, true).findings, 0);
	assert_true(scratch_exists(&x->s, other.s));
}

/* An account that never had mail is known by its scripts. */
static void a_lost_profile_is_made_again(void **state)
{
	struct fixture *x = *state;
	struct check_result r;

	main_is_active(x);
	scratch_lose(&x->s, alice, "profile");
	r = run(x, false);
	assert_int_equal(r.findings, 1);
	assert_string_equal(x->last.invariant, "I2");
	r = run(x, true);
	assert_int_equal(r.repaired, 1);
	sound(x);
	assert_int_equal(now(x).uid, x->a.uid);
	/* Which one was active nobody knows, so that nothing is discarded by a guess. */
	assert_active(x, NULL, NULL);
	assert_text(x, "main", "keep; # a text");
}

/* A profile with more than one octet changed, and its script line whole. */
static void a_damaged_profile_keeps_its_script(void **state)
{
	struct fixture *x = *state;
	struct scratch_path at = scratch_place("accounts", alice, "profile");
	struct check_result r;
	struct buf text;
	const char *owner;

	main_is_active(x);
	buf_init(&text, 4096);
	scratch_read(&x->s, at.s, &text);
	owner = strstr(buf_cstr(&text), "owner");
	assert_non_null(owner);
	scratch_flip(&x->s, at.s, (size_t)(owner - text.p));
	scratch_flip(&x->s, at.s, (size_t)(owner - text.p) + 1);
	r = run(x, true);
	assert_true(r.findings > 0 && r.repaired == r.findings);
	sound(x);
	assert_active(x, "main", "keep; # a text");
	buf_fini(&text);
}

/* A deletion that a crash stopped is ended, scripts or not. */
static void a_deletion_is_ended(void **state)
{
	struct fixture *x = *state;
	enum account_standing standing;

	main_is_active(x);
	assert_int_equal(
		rename(scratch_path(&x->s, scratch_place("accounts", alice, "profile").s)
			       .s,
		       scratch_path(&x->s, scratch_place("accounts", alice, "deleted").s)
			       .s),
		0);
	scratch_ok(account_standing(x->s.store, &x->a.name, &standing, &e_));
	assert_int_equal(standing, ACCOUNT_DELETED);
	assert_int_equal(run(x, true).repaired, 1);
	assert_false(scratch_exists(&x->s, scratch_place("accounts", alice, NULL).s));
	sound(x);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(is_kept_and_replaced),
		T(stands_there_as_the_manual_says),
		T(names_are_no_paths),
		T(quotas),
		T(one_is_active),
		T(has_another_name),
		T(is_found_though_it_moved),
		T(a_rename_is_ended),
		T(fits_or_not),
		T(an_update_leaves_the_active_one),
		T(goes_with_its_account),
		T(the_template_has_none),
		T(damage_is_never_run),
		T(check_mends_one_octet),
		T(check_names_what_is_lost),
		T(check_names_what_is_anothers),
		T(check_leaves_other_files),
		T(a_lost_profile_is_made_again),
		T(a_damaged_profile_keeps_its_script),
		T(a_deletion_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
