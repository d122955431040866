/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/sums.h"
#include "store/head.h"
#include "store/lexicon.h"
#include "store/reader.h"

/*
 * What functions of one name had over weeks is asked often, and of all stacks of a roll-up it is
 * two numbers. So a roll-up of six hours has sums beside its counts, a row of "sums": of each
 * program that ran, how many samples each name had innermost, and how many anywhere, counted once
 * however often it is in a stack. A program is what processes have in common that differ in pid,
 * times, Python and command line alone: by what is left selectors choose, and users see.
 *
 * Names and programs are texts and processes of a dictionary (dictionary.h) that up to
 * DICTIONARY_WINDOWS such rows share, and that has nothing else. A row of dictionary 0 has no
 * sums: there would be too many.
 */
struct named {
	sqlite3_stmt *row;
	int64_t seed;
	struct lexicon lexicon;
	bool *is_name; /* by text; owned */
};

void named_done(struct named *n);
/*
 * Adds what a roll-up has for that name to to, as SUMS_NAMED. 1: it is added; 0: it has no sums;
 * -EBADMSG: the file contradicts itself; -ENOMEM. selectors: selectors_are_of_programs().
 */
int named_add(struct named *n, const struct store_reader *reader, const struct selectors *s,
	      const char *name, const struct head *h, struct sums *to);
