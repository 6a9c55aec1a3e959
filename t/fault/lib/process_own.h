/* SPDX-License-Identifier: ISC */
/*
 * process_own - a program alone on its machine: no second process, no chance
 *
 * For rigs on disks in memory.  Include it once, in the program that wants it: what stands here
 * takes the place of the C library's.
 */
#ifndef FAULT_PROCESS_OWN_H
#define FAULT_PROCESS_OWN_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* There is no second process on disks in memory; what wants one is told so. */
pid_t fork(void)
{
	errno = EAGAIN;
	return -1;
}

/* Always the same, and never the same twice in a run: disk.h keeps every name that it has
 * seen. */
static uint64_t last_random;

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
	(void)flags;
	last_random++;
	memset(to, 0, n);
	memcpy(to, &last_random, n < sizeof last_random ? n : sizeof last_random);
	return (ssize_t)n;
}

#endif
