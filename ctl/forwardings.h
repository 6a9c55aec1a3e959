/* SPDX-License-Identifier: ISC */
/*
 * forwardings - how the verbs show them: name and targets
 */
#ifndef FORWARDINGS_H
#define FORWARDINGS_H

#include "ctl/table.h"
#include "store/forwarding.h"

struct ctl;

extern const struct column forwardings_columns[2];

/* One row for such a table. */
void forwardings_row(struct table *t, const struct forwarding *f);
/* It alone, as `show` does. */
void forwardings_show(const struct ctl *c, const struct forwarding *f);
/* Its targets as a cell of some other table. */
void forwardings_cell(struct table *t, const struct forwarding *f);

#endif
