/* SPDX-License-Identifier: ISC */
/*
 * budget - how much work the filters of each account have made lately
 *
 * A leaky bucket for each account: an evaluation's steps fill it, and it empties at so many
 * steps a minute.  Who has filled it has to wait.  A single evaluation has a limit of its own
 * (doc/SIEVE.md), so that a bucket is never more than that over its rim.
 *
 *   budget_left()    before an evaluation
 *   budget_spend()   after it, with what it took
 *
 * Knows no clock: the caller says what time it is, in milliseconds that never go back.
 *
 * Limits:  BUDGET_ACCOUNTS buckets.  Those that are empty are no longer kept; where all places
 *          for a name are taken, the one that holds least gives way, so that who makes the
 *          most work is never forgotten for others.
 *          It is an account's name by its hash, with a key of the process.
 * Threads: any.
 * Tests:   t/unit/filter/budget.c
 */
#ifndef BUDGET_H
#define BUDGET_H

#include "lib/str.h"

enum { BUDGET_ACCOUNTS = 4096 };

struct budget;

/* 0 steps a minute: there is no limit, and nothing is kept. */
struct budget *budget_new(uint64_t steps_a_minute);
void budget_free(struct budget **b);

/* False: this account has used up what there is for a minute. */
bool budget_left(struct budget *b, struct str account, uint64_t now_ms);
void budget_spend(struct budget *b, struct str account, uint64_t steps, uint64_t now_ms);

#endif
