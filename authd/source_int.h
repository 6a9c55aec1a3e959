/* SPDX-License-Identifier: ISC */
/* source_int - the kinds of authd/source.h, a file each */
#ifndef SOURCE_INT_H
#define SOURCE_INT_H

#include "authd/source.h"

enum source_result source_auxprop(const struct source *s, const struct source_question *q,
				  struct err *e);
enum source_result source_saslauthd(const struct source *s,
				    const struct source_question *q, struct err *e);
enum source_result source_remote(const struct source *s, const struct source_question *q,
				 struct err *e);
int source_remote_parse(struct str rest, struct source *out, struct err *e);

#endif
