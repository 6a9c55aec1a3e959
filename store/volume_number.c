/* SPDX-License-Identifier: ISC */
#include "store/volume_number.h"

#include "store/record.h"

#include <inttypes.h>
#include <stdio.h>

static const char kind[] = "popstore-volume-number";

struct number_path {
	char s[40];
};

static struct number_path path_of(uint64_t number)
{
	struct number_path p;

	snprintf(p.s, sizeof p.s, "volumes/%" PRIu64, number);
	return p;
}

static int put(struct storage *root, uint64_t number, const char *volume, bool *existed,
	       struct err *e)
{
	int how = STORAGE_DURABLE | (existed ? STORAGE_EXCLUSIVE : 0);
	struct record_writer w;

	record_begin(&w, kind);
	record_put(&w, "made-for", str_of(volume));

	int rc = storage_put(root, path_of(number).s, record_finish(&w), how, existed, e);

	record_fini(&w);
	return rc;
}

int volume_number_take(struct storage *root, const char *volume, uint64_t *number,
		       struct err *e)
{
	bool existed = true;
	int rc = 0;

	for (*number = 1; rc == 0 && existed; *number += existed)
		rc = put(root, *number, volume, &existed, e);
	return rc;
}

int volume_number_keep(struct storage *root, uint64_t number, const char *volume,
		       bool *existed, struct err *e)
{
	return put(root, number, volume, existed, e);
}

int volume_number_renew(struct storage *root, uint64_t number, const char *volume,
			struct err *e)
{
	return put(root, number, volume, NULL, e);
}

int volume_number_check(struct storage *root, uint64_t number, struct err *e)
{
	struct number_path path = path_of(number);
	struct buf text;
	bool found;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = storage_read(root, path.s, &text, &found, e);
	if (rc == 0 && found)
		rc = record_check(buf_str(&text), kind, path.s, e);
	else if (rc == 0)
		rc = err_set(e, ERR_TEMP, "4.3.0", "%s is missing", path.s);
	buf_fini(&text);
	return rc;
}
