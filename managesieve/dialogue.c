/* SPDX-License-Identifier: ISC */
#include "managesieve/dialogue.h"

#include "sieve/sieve.h"

#include <string.h>

void dialogue_init(struct dialogue *d, size_t longest)
{
	*d = (struct dialogue){0};
	command_init(&d->command, longest);
	buf_init(&d->out, DIALOGUE_OUT_MAX);
}

void dialogue_fini(struct dialogue *d)
{
	command_fini(&d->command);
	buf_fini(&d->out);
}

void dialogue_written(struct dialogue *d)
{
	if (d->out.cap <= DIALOGUE_KEEP) {
		buf_clear(&d->out);
		return;
	}
	buf_fini(&d->out);
	buf_init(&d->out, DIALOGUE_OUT_MAX);
}

/* ---- responses ------------------------------------------------------------------------- */

static bool may_be_quoted(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return s.n <= DIALOGUE_QUOTED_MAX / 2;
}

void dialogue_string(struct buf *out, struct str s)
{
	if (!may_be_quoted(s)) {
		buf_printf(out, "{%zu}\r\n", s.n);
		buf_put(out, s);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

static void end(struct dialogue *d, struct str text)
{
	if (text.n > 0) {
		buf_putc(&d->out, ' ');
		dialogue_string(&d->out, text);
	}
	buf_put(&d->out, STR("\r\n"));
}

static void respond(struct dialogue *d, const char *word, const char *code,
		    struct str text)
{
	buf_put(&d->out, str_of(word));
	if (code[0] != '\0')
		buf_printf(&d->out, " (%s)", code);
	end(d, text);
}

void dialogue_ok(struct dialogue *d, const char *code, struct str text)
{
	respond(d, "OK", code, text);
}

void dialogue_no(struct dialogue *d, const char *code, struct str text)
{
	respond(d, "NO", code, text);
}

void dialogue_bye(struct dialogue *d, const char *code, struct str text)
{
	respond(d, "BYE", code, text);
	d->ended = true;
}

void dialogue_ok_with(struct dialogue *d, const char *code, struct str argument,
		      struct str text)
{
	buf_printf(&d->out, "OK (%s ", code);
	dialogue_string(&d->out, argument);
	buf_putc(&d->out, ')');
	end(d, text);
}

void dialogue_refuse(struct dialogue *d, const char *why)
{
	if (++d->bad < DIALOGUE_BAD_MAX)
		dialogue_no(d, "", str_of(why));
	else
		dialogue_bye(d, "", STR("too many errors, goodbye"));
}

/* ---- commands --------------------------------------------------------------------------- */

size_t dialogue_feed(struct dialogue *d, struct str in, bool *whole, bool *too_long)
{
	enum command_result result;
	size_t used = command_feed(&d->command, in, &result);

	*whole = result == COMMAND_WHOLE;
	*too_long = result == COMMAND_TOO_LONG;
	switch (result) {
	case COMMAND_MORE:
	case COMMAND_WHOLE:
	case COMMAND_TOO_LONG:
		break;
	case COMMAND_BAD:
		dialogue_refuse(d, command_why(&d->command));
		break;
	case COMMAND_HOPELESS:
		dialogue_bye(d, "", STR("a NUL, or much too long a string, goodbye"));
		break;
	}
	return used;
}

/* ---- what holds in both states ------------------------------------------------------------ */

static void capability(struct dialogue *d, const char *name, struct str value)
{
	buf_printf(&d->out, "\"%s\" ", name);
	dialogue_string(&d->out, value);
	buf_put(&d->out, STR("\r\n"));
}

static bool has_word(struct str words, struct str word)
{
	while (words.n > 0)
		if (str_eq(str_word(&words), word))
			return true;
	return false;
}

/* language - what scripts may ask for here */
static void language(struct dialogue *d)
{
	const struct sieve_site *site = &sieve_site_delivery;
	struct buf extensions, number;

	buf_init(&extensions, 8192);
	buf_init(&number, 24);
	sieve_extensions(site, &extensions);
	capability(d, "SIEVE", buf_str(&extensions));
	if (has_word(buf_str(&extensions), STR("enotify")))
		capability(d, "NOTIFY", STR("mailto"));
	if (!site->no_redirect) {
		buf_printf(&number, "%u", (unsigned)site->limits.redirects);
		capability(d, "MAXREDIRECTS", buf_str(&number));
	}
	buf_fini(&number);
	buf_fini(&extensions);
}

void dialogue_capabilities(struct dialogue *d, const struct capa *capa, struct str owner)
{
	/* Strangers learn no version, as in POP3; those who have logged in may. */
	capability(d, "IMPLEMENTATION",
		   owner.n > 0 ? STR("popstore " POPSTORE_VERSION) : STR("popstore"));
	capability(d, "SASL", str_of(capa->mechanisms));
	language(d);
	if (capa->stls && owner.n == 0)
		buf_put(&d->out, STR("\"STARTTLS\"\r\n"));
	if (owner.n > 0)
		capability(d, "OWNER", owner);
	buf_put(&d->out, STR("\"UNAUTHENTICATE\"\r\n"));
	capability(d, "VERSION", STR("1.0"));
	dialogue_ok(d, "", STR(""));
}

void dialogue_noop(struct dialogue *d)
{
	if (d->command.n > 1)
		dialogue_ok_with(d, "TAG", command_text(&d->command, 1), STR("done"));
	else
		dialogue_ok(d, "", STR("done"));
}
