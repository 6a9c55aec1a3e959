/* SPDX-License-Identifier: ISC */
/*
 * blocking_log - a control: standard error blocks, as it does where nobody sees to it
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

int open(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) =
		(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	if (strcmp(path, "/proc/self/fd/2") == 0)
		flags &= ~O_NONBLOCK;
	return real(path, flags, mode);
}
