/* SPDX-License-Identifier: ISC */
#include "store/check_int.h"

#include "store/domain.h"
#include "store/id.h"
#include "store/maildrop.h"
#include "store/message.h"
#include "store/store_int.h"

#include <inttypes.h>

/* still_there - the session that removed it may have ended since we looked */
static bool still_there(struct check *c, const struct account *a, uint64_t id)
{
	enum maildrop_state state;
	struct err e;

	return maildrop_state_of(c->s, a, id, &state, &e) == 0 && state == MAILDROP_HAS;
}

static void missing(struct check *c, const struct account *a,
		    const struct maildrop_entry *en)
{
	struct err why = {0};
	bool forgotten;

	if (!still_there(c, a, en->id))
		return;
	forgotten = c->o->repair && maildrop_forget(c->s, a, en->id, &why) == 0;
	check_report(c, "I6", forgotten,
		     "%s: message %s is gone (volume %u); it cannot be brought back%s%s",
		     a->name.s, id_print(en->id).c, en->volume, c->o->repair ? ", " : "",
		     forgotten ? "the maildrop forgets it" : why.text);
}

static int not_held(struct check *c, const struct account *a,
		    const struct maildrop_entry *en, bool has_slot, struct err *e)
{
	bool repair = c->o->repair && has_slot;

	if (!still_there(c, a, en->id))
		return 0;
	if (repair && message_hold(c->s, en->volume, en->id, a->uid, e) < 0)
		return -1;
	check_report(c, "I6", repair, "%s: message %s does not hold a slot for it",
		     a->name.s, id_print(en->id).c);
	return 0;
}

static int check_entry(struct check *c, const struct account *a,
		       const struct maildrop_entry *en, struct err *e)
{
	const struct message_slot *slot;
	struct message *m;
	int rc = 0;

	if (store_volume(c->s, en->volume) == NULL) {
		check_report(c, "I6", false,
			     "%s: message %s is on volume %u, which is not in the "
			     "configuration",
			     a->name.s, id_print(en->id).c, en->volume);
		return 0;
	}
	/* A damaged message is reported once, among the messages. */
	if (message_open(c->s, en->volume, en->id, &m, e) < 0 ||
	    (m != NULL && message_slots(m, e) < 0)) {
		message_close(&m);
		return 0;
	}
	if (m == NULL) {
		missing(c, a, en);
		return 0;
	}

	const struct message_info *mi = message_info(m);

	slot = message_slot_of(mi, a->uid);
	if (slot == NULL || slot->state != '+')
		rc = not_held(c, a, en, slot != NULL, e);
	else if (en->stored != mi->stored || en->header_end != mi->header_end ||
		 en->slot != slot->offset ||
		 en->size != mi->size + message_trace_octets(slot->trace))
		check_report(c, "I6", false,
			     "%s: the maildrop and message %s differ about its size",
			     a->name.s, id_print(en->id).c);
	else
		check_saw(c, a->uid, en->id);
	message_close(&m);
	return rc;
}

/* mend_maildrop - false when it stays as it is */
static bool mend_maildrop(struct check *c, const struct account *a, const char *what)
{
	struct err why = {0};
	uint64_t lost;
	bool mended = c->o->repair && maildrop_rebuild(c->s, a, &lost, &why) == 0;

	if (c->o->repair && !mended)
		check_report(c, "I5", false, "%s; %s", what, why.text);
	else
		check_report(c, "I5", mended, "%s", what);
	return mended;
}

/* look_whole - a torn end is a finding too: the next writer would cut it off, but nothing
 * says that it was not a line that somebody was promised */
static int look_whole(struct check *c, const struct account *a, struct maildrop **m,
		      struct err *e)
{
	if (maildrop_look(c->s, a, m, e) < 0)
		return -1;
	if (!maildrop_is_torn(*m))
		return 0;
	maildrop_close(m);
	return err_set(e, ERR_TEMP, "4.3.0", "maildrop of %s ends in a piece of a line",
		       a->name.s);
}

int check_account(struct check *c, const struct account *a, struct err *e)
{
	struct maildrop *m;
	struct domain d;
	struct err why;
	bool found;
	int rc = 0;

	if (domain_find(c->s, name_domain_of(&a->name), &d, &found, e) == 0 &&
	    (!found || d.alias_of.s[0] != '\0'))
		check_report(c, "I4", false, "account %s is in no domain of this store",
			     a->name.s);
	if (look_whole(c, a, &m, &why) < 0) {
		if (!mend_maildrop(c, a, why.text))
			return 0;
		if (maildrop_look(c->s, a, &m, e) < 0)
			return -1;
	}
	for (size_t i = 0; rc == 0 && i < maildrop_count(m); i++)
		rc = check_entry(c, a, maildrop_entry(m, i), e);
	maildrop_close(&m);
	return rc;
}
