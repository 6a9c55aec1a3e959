/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "ctl/print.h"

static json_t *json_texts(const struct conf_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, print_json_text(str_of(list->v[i])));
	return array;
}

static json_t *json_value(const struct conf_item *it, const struct settings *set)
{
	const void *at = (const char *)set + it->offset;

	switch (it->kind) {
	case CONF_COUNT:
	case CONF_OCTETS:
	case CONF_SECONDS:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case CONF_BOOL:
		return json_boolean(*(const bool *)at);
	case CONF_WORD:
		return json_string(it->words[*(const int *)at]);
	case CONF_TEXTS:
	case CONF_PATHS:
		return json_texts(at);
	case CONF_TEXT:
	case CONF_PATH:
		break;
	}
	return print_json_text(str_of(*(char *const *)at));
}

/* json_settings - a section is an object; numbers are octets, seconds and counts */
static json_t *json_settings(const struct settings *set, bool only_changed)
{
	const struct conf_table *t = settings_table();
	json_t *all = json_object();

	for (size_t i = 0; i < t->n; i++) {
		const struct conf_item *it = &t->items[i];
		json_t *section = all;

		if (only_changed && conf_is_default(it, set))
			continue;
		if (*it->section != '\0' && json_object_get(all, it->section) == NULL)
			json_object_set_new(all, it->section, json_object());
		if (*it->section != '\0')
			section = json_object_get(all, it->section);
		json_object_set_new(section, it->name, json_value(it, set));
	}
	return all;
}

int verb_settings(struct ctl *c, struct err *e)
{
	bool only_changed = ctl_has(c, OPT_CHANGED);
	struct buf b;

	if (!ctl_has(c, OPT_MDOC) && ctl_read_settings(c, e) < 0)
		return -1;
	if (ctl_has(c, OPT_JSON) && !ctl_has(c, OPT_MDOC)) {
		print_json(json_settings(c->settings, only_changed), stdout);
		return 0;
	}
	buf_init(&b, 1 << 20);
	if (ctl_has(c, OPT_MDOC))
		settings_mdoc(&b);
	else
		settings_print(c->settings, only_changed, &b);
	fwrite(buf_cstr(&b), 1, b.n, stdout);
	buf_fini(&b);
	return 0;
}
