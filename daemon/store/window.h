/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/counts.h"
#include "store/lexicon.h"
#include "store/older.h"
#include "store/reader.h"

/*
 * Reads windows one by one, of every version: what of the file stays open between them, and what
 * their numbers are in the profile. Not beyond the reader's transaction.
 */
struct window_reader {
	sqlite3_stmt *heads; /* of the windows, for head_read() */
	sqlite3_stmt *counts;
	int64_t seed;
	struct lexicon lexicon;
	struct older older;
};

/* from: what follows "FROM" in the statement heads; NULL: it is not needed. */
int window_prepare(struct window_reader *w, const struct store_reader *reader, const char *from);
void window_done(struct window_reader *w);
/* All samples of a window. -EBADMSG: the file contradicts itself. */
int window_add(struct window_reader *w, struct answer *a, const struct head *h);
/*
 * Adds what a window counted to to, by the numbers of its dictionary, behind what is there. Only of
 * windows that have one.
 */
int window_counts(struct window_reader *w, const struct head *h, struct counts *to);
/* The sections of what a window that has a dictionary counted. */
int window_unpack(struct window_reader *w, const struct head *h, struct unpacked *ret);
/* Where the reading of these is. */
struct window_cursor {
	struct packed parts[COUNTS_SECTIONS];
	uint32_t process; /* for who reads */
	uint32_t thread;
	uint64_t sum;
};
bool window_any_process(const struct window_cursor *c);
/* The next process. number: that of the one before; 0: there was none. */
int window_process(struct window_cursor *c, uint32_t *number, uint64_t *ret_groups,
		   uint64_t *ret_sum);
/* The next group of it, of so many stacks: its thread becomes that of c, which was 0. */
int window_group(struct window_cursor *c, enum sample_state *ret_state, uint64_t *ret_n);
/*
 * What the sections say, by a lexicon that has their dictionary: so many samples. And a process's
 * place in the profile; WINDOW_LEFT_OUT: the selectors leave it out.
 */
int window_add_counts(struct window_reader *w, struct answer *a, const struct unpacked *u,
		      uint64_t samples);
#define WINDOW_LEFT_OUT UINT32_MAX
int window_find_process(struct window_reader *w, struct answer *a, uint32_t number, uint32_t *ret);
/* The processes of a window, with their samples. */
int window_each_process(struct window_reader *w, const struct head *h, answer_process_fn each,
			void *ctx);
/*
 * Between windows: gives back what was loaded of a dictionary, once it is more than
 * WINDOW_LEXICON_MOST bytes. It is no part of an answer's limit: it may be of processes that the
 * answer has nothing of. One window has at most all of a dictionary loaded, DICTIONARY_FULL numbers
 * of a part.
 */
#define WINDOW_LEXICON_MOST (8u << 20)
void window_spare(struct window_reader *w);
/* The profile is another by now: what was met is not in it. */
void window_forget(struct window_reader *w);
