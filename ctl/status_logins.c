/* SPDX-License-Identifier: ISC */
/* status_logins - what authd wrote of logins (authd/report.h) */
#include "ctl/status.h"

#include "store/record.h"
#include "store/storage.h"
#include "store/store.h"

enum { WORST_MAX = 512 };

const struct column status_login_columns[STATUS_LOGIN_COLUMNS] = {
	/* clang-format off */
	{"refused_minute", "REFUSED/MIN",  CELL_COUNT},
	{"refused_hour",   "REFUSED/HOUR", CELL_COUNT},
	{"entries",        "SLOWED",       CELL_COUNT},
	{"cache_hits",     "REMEMBERED",   CELL_COUNT},
	{"cache_misses",   NULL,           CELL_COUNT},
	{"worst",          "WORST",        CELL_TEXT},
	/* clang-format on */
};

static void add_number(struct status *s, struct str record, const char *key)
{
	uint64_t u = 0;

	record_get_u64(record, key, &u);
	table_number(s->t, u);
}

/* add_worst - "192.0.2.0/24 (12), 198.51.100.0/24 (7)" */
static void add_worst(struct status *s, struct str record)
{
	struct str rest = record, key, value;
	struct buf text;

	buf_init(&text, WORST_MAX);
	while (record_next(&rest, &key, &value)) {
		if (!str_eq(key, STR("worst")))
			continue;

		struct str network = str_word(&value);

		buf_printf(&text, "%s" STR_FMT " (" STR_FMT ")", text.n ? ", " : "",
			   STR_ARG(network), STR_ARG(value));
	}
	table_text(s->t, buf_str(&text));
	buf_fini(&text);
}

int status_logins(struct status *s, struct err *e)
{
	struct buf text;
	struct err why;
	bool found;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = storage_read(store_root(s->c->store), "authd/logins", &text, &found, e);
	/* It is not durable, so that a power cut may have left anything. */
	if (rc == 0 && found &&
	    record_check(buf_str(&text), "popstore-authd", "authd/logins", &why) == 0) {
		add_number(s, buf_str(&text), "refused-minute");
		add_number(s, buf_str(&text), "refused-hour");
		add_number(s, buf_str(&text), "entries");
		add_number(s, buf_str(&text), "cache-hits");
		add_number(s, buf_str(&text), "cache-misses");
		add_worst(s, buf_str(&text));
	}
	buf_fini(&text);
	return rc;
}
