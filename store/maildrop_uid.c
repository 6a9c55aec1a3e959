/* SPDX-License-Identifier: ISC */
#include "store/maildrop_int.h"

#include "store/id.h"
#include "store/mend.h"
#include "store/store_int.h"

#include <string.h>

/* The line without its LF: header, uid, space, sum. */
enum {
	UID_AT = sizeof "popstore-maildrop 1 " - 1,
	HEADER_LINE = UID_AT + ID_CHARS + 1 + 16
};

/* says - the sum is seeded with the uid, so the line proves what it says */
static bool says(struct str line, void *uid)
{
	struct maildrop_line l;

	return id_parse((struct str){line.p + UID_AT, ID_CHARS}, uid) &&
	       maildrop_line_parse(line, *(uint64_t *)uid, &l) &&
	       l.event == MAILDROP_HEADER;
}

/* by_header - its length is known, so that its LF may be damaged, too */
static uint64_t by_header(struct str text)
{
	char line[HEADER_LINE];
	uint64_t uid;

	if (text.n < sizeof line)
		return 0;
	memcpy(line, text.p, sizeof line);
	return mend_octet(line, sizeof line, says, &uid) ? uid : 0;
}

static bool has_line_of(struct str text, uint64_t uid)
{
	struct maildrop_line l;

	while (text.n > 0)
		if (maildrop_line_parse(str_cut(&text, '\n'), uid, &l))
			return true;
	return false;
}

int maildrop_uid(struct store *s, const struct name *name, uint64_t hint, uint64_t *uid,
		 bool *mail, struct err *e)
{
	struct account a = {.name = *name};
	struct storage_file *f;
	struct buf text;
	int rc;

	*uid = 0;
	*mail = false;
	buf_init(&text, MAILDROP_TEXT_MAX);
	rc = maildrop_file_lock(s, &a, STORAGE_READ, &f, e);
	if (rc == 0 && f != NULL)
		rc = maildrop_file_read(f, &a, &text, e);
	if (rc == 0 && !str_is_blank(buf_str(&text))) {
		*mail = true;
		*uid = by_header(buf_str(&text));
		if (*uid == 0 && hint != 0 && has_line_of(buf_str(&text), hint))
			*uid = hint;
	}
	storage_file_close(&f);
	buf_fini(&text);
	return rc;
}
