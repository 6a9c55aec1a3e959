/* SPDX-License-Identifier: ISC */
#include "store/message_whole.h"

#include "store/store_int.h"

#include <string.h>
#include <xxhash.h>

struct message_whole {
	struct message_info info;
	char text[]; /* the front, and then the file */
};

static const char *body_of(const struct message_whole *w)
{
	return w->text + MESSAGE_WHOLE_FRONT + w->info.body;
}

/* is_whole - by its own word, and to the last octet: so it does not matter that nobody asked
 * how long the file is */
static bool is_whole(struct message_whole *w, uint64_t id, uint64_t stored, size_t got)
{
	struct err ignored;

	return message_head_parse((struct str){w->text + MESSAGE_WHOLE_FRONT, got},
				  &w->info, &ignored) == 0 &&
	       w->info.id == id && w->info.stored == stored &&
	       w->info.body + stored == got &&
	       XXH3_64bits(body_of(w), stored) == w->info.sum;
}

/* read_file - false: it is not there, or does not fit, or cannot be read */
static bool read_file(struct store *s, unsigned volume, uint64_t id, char *to,
		      size_t room, size_t *got)
{
	struct volume *v = store_volume(s, volume);
	struct message_path path = message_path(id);
	struct err ignored;
	bool found;

	return v != NULL &&
	       storage_fetch(v->storage, path.s, to, room, got, &found, &ignored) == 0 &&
	       found && *got < room;
}

struct message_whole *message_whole_read(struct store *s, unsigned volume, uint64_t id,
					 uint64_t stored)
{
	struct message_whole *w;
	size_t room, got;

	if (stored > MESSAGE_WHOLE_MAX)
		return NULL;
	room = MESSAGE_WHOLE_HEADER + (size_t)stored + 1;
	/* Not xalloc(): zeroing would touch what is read into, or never used. */
	w = xresize(NULL, sizeof *w + MESSAGE_WHOLE_FRONT + room);
	if (!read_file(s, volume, id, w->text + MESSAGE_WHOLE_FRONT, room, &got) ||
	    !is_whole(w, id, stored, got))
		message_whole_free(&w);
	else /* what is put in front may take their place */
		w->info.from = w->info.envelope_id = STR("");
	return w;
}

void message_whole_free(struct message_whole **w)
{
	xfree(w);
}

const struct message_info *message_whole_info(const struct message_whole *w)
{
	return &w->info;
}

struct str message_whole_octets(const struct message_whole *w)
{
	return (struct str){body_of(w), (size_t)w->info.stored};
}

struct str message_whole_behind(struct message_whole *w, struct str before)
{
	size_t body = MESSAGE_WHOLE_FRONT + w->info.body;

	if (before.n > MESSAGE_WHOLE_FRONT)
		return STR("");
	memcpy(w->text + body - before.n, before.p, before.n);
	return (struct str){w->text + body - before.n, before.n + (size_t)w->info.stored};
}
