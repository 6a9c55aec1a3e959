/* SPDX-License-Identifier: ISC */
/* hot_delivery - messages by LMTP, one recipient each, filtered if it
 * has a script (t/bench/lib/hot.h) */
#include "filter/filter.h"
#include "channel/session.h"
#include "t/bench/lib/hot.h"
#include "t/bench/lib/mail.h"

static void client(int fd)
{
	struct mail mail;
	struct buf text;

	mail_init(&mail, hot_octets);
	buf_init(&text, hot_octets + 8192);
	hot_answer(fd, "220 ", "\r\n");
	hot_ask(fd, STR("LHLO " MAIL_HOST "\r\n"));
	hot_answer(fd, "250-", "\r\n");
	for (uint64_t i = 0; i < hot_count; i++) {
		hot_ask(fd, STR("MAIL FROM:<sender@example.com>\r\n"));
		hot_answer(fd, "250 ", "\r\n");
		hot_ask(fd, STR("RCPT TO:<" HOT_USER ">\r\n"));
		hot_answer(fd, "250 ", "\r\n");
		hot_ask(fd, STR("DATA\r\n"));
		hot_answer(fd, "354 ", "\r\n");
		buf_clear(&text);
		mail_put_header(&mail, i, STR(HOT_USER), &text);
		buf_put(&text, buf_str(&mail.body));
		hot_ask(fd, buf_str(&text));
		hot_answer(fd, "250 ", "\r\n");
	}
	hot_ask(fd, STR("QUIT\r\n"));
	hot_answer(fd, "221 ", "\r\n");
	buf_fini(&text);
	mail_fini(&mail);
}

static int server(struct store *s, struct conn *c, struct err *e)
{
	struct filters *filters;

	if (filters_open(s, &filters, e) < 0)
		return -1;
	channel_session(s, filters, -1, NULL, c);
	filters_close(&filters);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct hot_path path = {client, server};

	return hot_run(argc, argv, &path);
}
