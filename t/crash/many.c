/* SPDX-License-Identifier: ISC */
/*
 * many - fills a store with accounts and with messages of the last weeks, in seconds
 *
 *   many CONF MESSAGES ACCOUNTS DAYS DOMAIN
 *
 * What deliveries would have left, without the deliveries: message files in the minutes of
 * their ids, a maildrop line for each, all older than their writer's checkpoint.  Accounts
 * are user0@DOMAIN and so on; message i belongs to account i mod ACCOUNTS.
 * Nothing is synced: `popstore check` finds it sound, a power cut would not.
 */
#include "lib/conn.h"
#include "lib/settings.h"
#include "store/account.h"
#include "store/id.h"
#include "store/maildrop_line.h"
#include "store/message.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { MAILDROP_MAX = 1 << 28, DAY_MS = 24 * 3600 * 1000 };

static const char body[] =
	"From: sender@example.com\r\nSubject: one of many\r\n\r\n"
	"0123456789012345678901234567890123456789012345678901234567\r\n"
	".\r\n";

struct owner {
	struct account a;
	struct buf maildrop;
	struct maildrop_line last;
};

static int made_by_hand(const char *what, const char *path)
{
	fprintf(stderr, "many: %s %s: errno %d\n", what, path, errno);
	return -1;
}

static int write_file(int root, const char *path, struct str bytes)
{
	int fd = openat(root, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
		return made_by_hand("write", path);
	return close(fd);
}

/* make_minute - the directory of a message, if it is not the one of the last message */
static int make_minute(int root, struct message_path path)
{
	static struct message_path last;
	char *slash = strrchr(path.s, '/');

	*slash = '\0';
	if (strcmp(path.s, last.s) == 0)
		return 0;
	last = path;
	for (char *at = path.s; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		if (mkdirat(root, path.s, 0700) < 0 && errno != EEXIST)
			return made_by_hand("mkdir", path.s);
		*at = '/';
	}
	if (mkdirat(root, path.s, 0700) < 0 && errno != EEXIST)
		return made_by_hand("mkdir", path.s);
	return 0;
}

static int make_message(int root, struct owner *o, uint64_t id)
{
	struct message_slot slot = {
		.name = o->a.name, .uid = o->a.uid, .state = '+', .trace = {"", 0}};
	struct message_info mi = {
		.id = id,
		.arrived_ms = id_unix_ms(id),
		.from = STR("sender@example.com"),
		.envelope_id = STR("many.1"),
		.stored = sizeof body - 1,
		.size = sizeof body - 1 - 3,
		.header_end = (uint64_t)(strstr(body, "\r\n\r\n") + 4 - body),
		.sum = XXH3_64bits(body, sizeof body - 1),
		.n_slots = 1,
		.slots = &slot,
	};
	struct message_path path = message_path(id);
	struct buf text;
	int rc;

	buf_init(&text, MESSAGE_HEADER_MAX);
	message_header_print(&mi, &text);
	buf_put(&text, (struct str){body, sizeof body - 1});
	rc = make_minute(root, path);
	if (rc == 0)
		rc = write_file(root, path.s, buf_str(&text));
	buf_fini(&text);

	o->last = (struct maildrop_line){
		.number = o->last.number + 1,
		.event = MAILDROP_ADDED,
		.id = id,
		.slot = slot.offset,
		.size = mi.size,
		.stored = mi.stored,
		.header_end = mi.header_end,
		.count = o->last.count + 1,
		.octets = o->last.octets + mi.size,
	};
	maildrop_line_print(&o->last, o->a.uid, &o->maildrop);
	return rc;
}

static int make_account(struct store *s, struct owner *o, uint64_t i, const char *domain,
			struct err *e)
{
	const struct maildrop_line header = {.event = MAILDROP_HEADER};
	struct name name;
	char local[32];

	snprintf(local, sizeof local, "user%llu", (unsigned long long)i);
	if (name_of(store_settings(s), str_of(local), str_of(domain), &name, e) < 0 ||
	    account_template(s, &name, &o->a, e) < 0 ||
	    account_create(s, &o->a, true, e) < 0)
		return -1;
	buf_init(&o->maildrop, MAILDROP_MAX);
	maildrop_line_print(&header, o->a.uid, &o->maildrop);
	return 0;
}

static int write_maildrop(int root, struct owner *o)
{
	struct place place;
	int rc;

	name_place("accounts", &o->a.name, "maildrop", &place);
	rc = write_file(root, place.path, buf_str(&o->maildrop));
	buf_fini(&o->maildrop);
	return rc;
}

static int fill(struct store *s, const uint64_t n[3], const char *domain, struct err *e)
{
	uint64_t messages = n[0], accounts = n[1], from = clock_unix_ms() - n[2] * DAY_MS;
	struct owner *owners = xalloc(accounts * sizeof *owners);
	int root =
		open(store_settings(s)->store.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < accounts; i++)
		rc = make_account(s, &owners[i], i, domain, e);
	/* This process is writer 0 of a new store; its checkpoint will be its end.  The
	 * last day is left alone. */
	for (uint64_t i = 0; rc == 0 && i < messages; i++)
		rc = make_message(root, &owners[i % accounts],
				  id_make(from + i * (n[2] - 1) * DAY_MS / messages, 0,
					  (uint32_t)(i % ID_SEQUENCE)));
	for (uint64_t i = 0; rc == 0 && i < accounts; i++)
		rc = write_maildrop(root, &owners[i]);
	close(root);
	xfree(&owners);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	struct settings *set;
	struct store *s;
	uint64_t n[3];

	for (int i = 0; i < 3; i++)
		if (argc != 6 || !str_u64(str_of(argv[i + 2]), &n[i]) || n[i] == 0) {
			fprintf(stderr,
				"usage: many CONF MESSAGES ACCOUNTS DAYS DOMAIN\n");
			return 64;
		}
	if (settings_read(argv[1], &set, &e) < 0 || store_open(set, &s, &e) < 0 ||
	    fill(s, n, argv[5], &e) < 0) {
		fprintf(stderr, "many: %s\n", e.text);
		return 75;
	}
	store_close(&s);
	settings_free(&set);
	return 0;
}
