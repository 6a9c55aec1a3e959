/* SPDX-License-Identifier: ISC */
#include "ctl/scripts.h"

#include "ctl/print.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------- */

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	for (;;) {
		char *to = buf_reserve(out, 65536);
		ssize_t n;

		if (to == NULL)
			return err_set(e, ERR_PERM, "5.3.4", "%s is too large", path);
		n = read(fd, to, 65536);
		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			return 0;
		buf_used(out, (size_t)n);
	}
}

int scripts_read(const char *path, struct buf *out, struct err *e)
{
	bool standard = strcmp(path, "-") == 0;
	/* A FIFO must not make us wait. */
	int fd = standard ? dup(STDIN_FILENO)
			  : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (!standard && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		rc = err_set(e, ERR_PERM, "5.6.0", "%s is no regular file", path);
	else
		rc = read_all(fd, path, out, e);
	close(fd);
	return rc;
}

/* ---- compiling ------------------------------------------------------------------------------ */

void scripts_complain(struct ctl *c, const char *path, const struct sieve_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		struct err e;

		err_set(&e, ERR_PERM, "5.6.0", "%s:%u:%u: %s", path,
			(unsigned)errors->list[i].line, (unsigned)errors->list[i].column,
			errors->list[i].text);
		c->status = EX_DATAERR;
		ctl_complain(c, &e);
	}
}

struct sieve_script *scripts_compile_for(struct ctl *c, struct str text, const char *path,
					 const struct sieve_site *site)
{
	struct sieve_errors errors = {0};
	struct sieve_script *s = sieve_compile(text, path, site, &errors);

	scripts_complain(c, path, &errors);
	sieve_errors_fini(&errors);
	return s;
}

struct sieve_script *scripts_compile(struct ctl *c, struct str text, const char *path)
{
	return scripts_compile_for(c, text, path, &sieve_site_default);
}

/* ---- including -------------------------------------------------------------------------------- */

void scripts_init(struct scripts *s, struct ctl *c, const char *path)
{
	char *slash;

	*s = (struct scripts){.ctl = c, .directory = xstrdup(path)};
	slash = strrchr(s->directory, '/');
	if (slash != NULL)
		slash[1] = '\0';
	else
		s->directory[0] = '\0';
}

void scripts_fini(struct scripts *s)
{
	for (size_t i = 0; i < s->n; i++) {
		xfree(&s->list[i].path);
		sieve_script_free(&s->list[i].script);
	}
	xfree(&s->list);
	xfree(&s->directory);
}

static struct sieve_script *load(struct scripts *s, const char *path)
{
	struct sieve_script *script = NULL;
	struct buf text;
	struct err e;

	buf_init(&text, SCRIPTS_FILE_MAX);
	if (scripts_read(path, &text, &e) == 0)
		script = scripts_compile(s->ctl, buf_str(&text), path);
	else if (e.sys != ENOENT)
		ctl_complain(s->ctl, &e);
	buf_fini(&text);
	return script;
}

const struct sieve_script *scripts_include(void *ctx, enum sieve_place where,
					   struct str name)
{
	struct scripts *s = ctx;
	struct buf path;

	buf_init(&path, 4096);
	buf_printf(&path, "%s%s" STR_FMT ".sieve", s->directory,
		   where == SIEVE_GLOBAL ? "global/" : "", STR_ARG(name));
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(str_of(s->list[i].path), buf_str(&path))) {
			buf_fini(&path);
			return s->list[i].script;
		}
	s->list = xgrow(s->list, s->n * sizeof *s->list, (s->n + 1) * sizeof *s->list);
	s->list[s->n].path = xstrdup(buf_cstr(&path));
	s->list[s->n].script = load(s, buf_cstr(&path));
	buf_fini(&path);
	return s->list[s->n++].script;
}
