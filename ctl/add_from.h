/* SPDX-License-Identifier: ISC */
/*
 * add_from - accounts by the thousand: popstore add --from FILE
 *
 * Lines go through in batches: the passwords of a batch are hashed on all cores,
 * which is nearly all of the work, then its accounts are made one after the other
 * in the order of the lines, so that what is reported does not depend on the
 * threads, and then one sync makes the batch durable.  A line that cannot be an
 * account is reported with its number, and the others are still made.
 *
 * Limits: ADD_BATCH lines are held at a time, with their passwords, and wiped.
 * Tests:  t/box/test_ctl.py
 */
#ifndef ADD_FROM_H
#define ADD_FROM_H

#include "ctl/ctl.h"

enum { ADD_BATCH = 2000 };

int add_from(struct ctl *c, struct err *e);

#endif
