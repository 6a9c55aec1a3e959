/* SPDX-License-Identifier: ISC */
/*
 * counts - what a rig went through, printed, and added to the file that POPSTORE_COUNTS names
 */
#ifndef FAULT_COUNTS_H
#define FAULT_COUNTS_H

#include <stdint.h>

void count(const char *what, uint64_t n);

#endif
