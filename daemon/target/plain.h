/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "plop/events.h"

/*
 * Programs that were no Python when they were looked at just after a process had executed them, by
 * the number that the kernel side gives their file (struct plop_record_exec). Most processes of a
 * busy host are of a few such programs and end soon. A number may become another file's: what is
 * said here is only that a look may wait. A program of which one has become Python later, as what
 * loads it by itself, is none of them for an hour; it is known when after exec the interpreter is
 * there, which is when the first look is worth while.
 */
#define PLAIN_PROGRAMS PLOP_PLAIN_PROGRAMS

struct plain_programs {
	struct {
		uint64_t file;
		uint64_t until_ns;
		uint64_t wait_ns; /* never: see plain_wait() */
		bool never;
	} known[PLAIN_PROGRAMS];
};

/* file: 0 is none, and never known. now_ns: of one clock, in all three. */
void plain_add(struct plain_programs *p, uint64_t file, uint64_t now_ns);
/* It has become Python. */
void plain_never(struct plain_programs *p, uint64_t file, uint64_t now_ns);
/* Of one that has become Python: when after exec it is looked at first. 0: no such is known. */
uint64_t plain_wait(const struct plain_programs *p, uint64_t file, uint64_t now_ns);
/* That look found an interpreter that was up, or not: the next comes a bit sooner, or later. */
void plain_looked(struct plain_programs *p, uint64_t file, bool found);
bool plain_has(const struct plain_programs *p, uint64_t file, uint64_t now_ns);
