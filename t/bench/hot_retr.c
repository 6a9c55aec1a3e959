/* SPDX-License-Identifier: ISC */
/* hot_retr - the same message by POP3, again and again (t/bench/lib/hot.h) */
#include <poll.h>

#include "lib/conn.h"
#include "popd/session.h"
#include "store/account.h"
#include "store/store.h"
#include "t/bench/lib/hot.h"

static void client(int fd)
{
	hot_answer(fd, "+OK", "\r\n");
	for (uint64_t i = 0; i < hot_count; i++) {
		hot_ask(fd, STR("RETR 1\r\n"));
		hot_answer(fd, "+OK", "\r\n.\r\n");
	}
	hot_ask(fd, STR("QUIT\r\n"));
	hot_answer(fd, "+OK", "\r\n");
}

static int server(struct store *s, struct conn *c, struct err *e)
{
	struct handover h = {.account = HOT_USER, .loopback = true};
	struct session *x;
	struct account a;
	struct name name;
	bool found;

	if (name_of(store_settings(s), STR("user0"), STR("example.org"), &name, e) < 0 ||
	    account_find(s, &name, &a, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_PERM, "5.1.1", "there is no " HOT_USER);
	h.uid = a.uid;
	x = session_begin(s, c, &h);
	while (session_step(x))
		poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, -1);
	session_end(&x);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct hot_path path = {client, server};

	return hot_run(argc, argv, &path);
}
