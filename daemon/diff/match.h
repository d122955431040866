/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/frame.h"

#include <stddef.h>
#include <stdint.h>

/* A function as a profile has it. Texts are borrowed. */
struct match_function {
	const char *name; /* the qualified name */
	const char *file; /* "": not known */
	const char *module;
	enum plop_frame_kind kind;
};

/*
 * Which functions of two sides are the same one. Lines do not count, as they differ with each
 * change of a file: functions of one name in one file, such as "<lambda>", are one.
 *
 * First those match whose kind, name, file and module are equal. Of those of Python that nothing
 * on the other side matches, those match whose kind, name and identity_of() the file are equal; of
 * other kinds, whose kind, name and module are. Then those of Python whose files' paths differ in
 * one folder alone (/srv/blue/views.py, /srv/green/views.py), if there is one such on each side.
 * What is still on one side alone then is taken in by
 * the function that matches it so and is on both sides, if that is one: in a window in which a new
 * version was pushed both ran.
 *
 * Gives each function the number of what it is, from 0 on, in numbers[]; those of one number are
 * the same. Returns how many numbers there are, or -ENOMEM, and -E2BIG for more than MATCH_MOST.
 * Pure.
 */
#define MATCH_MOST (1 << 24)
int match_functions(const struct match_function *base, uint32_t nbase,
		    const struct match_function *new, uint32_t nnew, uint32_t *base_numbers,
		    uint32_t *new_numbers);
/*
 * The same of one set: those of Python whose kind, name and identity_of() the file are equal are
 * one, and of other kinds those whose kind, name and module are.
 */
int match_alike(const struct match_function *functions, uint32_t n, uint32_t *numbers);
