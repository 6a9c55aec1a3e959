/* SPDX-License-Identifier: ISC */
#include "lib/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void set_dsn(struct err *e, const char *dsn)
{
	snprintf(e->dsn, sizeof e->dsn, "%s", dsn);
}

int err_set(struct err *e, enum err_class class, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	e->class = class;
	e->sys = 0;
	set_dsn(e, dsn);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	e->class = ERR_TEMP;
	e->sys = sys;
	set_dsn(e, sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? "4.3.1" : "4.3.0");
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);

	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof e->text - n, ": %s", strerrordesc_np(sys));
	return -1;
}

int err_add(struct err *e, const char *fmt, ...)
{
	char text[sizeof e->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);

	size_t n = strlen(text);

	snprintf(text + n, sizeof text - n, ": %s", e->text);
	memcpy(e->text, text, sizeof text);
	return -1;
}

int err_exit_status(const struct err *e)
{
	if (e->class == ERR_NONE)
		return EX_OK;
	if (e->class == ERR_TEMP)
		return e->sys == EACCES || e->sys == EPERM ? EX_NOPERM : EX_TEMPFAIL;
	if (strcmp(e->dsn, "5.1.1") == 0)
		return EX_NOUSER;
	if (strcmp(e->dsn, "5.1.2") == 0)
		return EX_NOHOST;
	if (strcmp(e->dsn, "5.3.5") == 0)
		return EX_CONFIG;
	if (strcmp(e->dsn, "5.5.4") == 0)
		return EX_USAGE;
	return EX_DATAERR;
}
