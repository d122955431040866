/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "store/dictionary.h"
#include "util/index.h"

/*
 * A dictionary as it is read for the length of one query: of its additions those that are asked
 * for. It also keeps what its numbers are in a profile. One at a time: the next one takes the place
 * of the last.
 */
struct lexicon {
	sqlite3_stmt *heads, *blob;
	int64_t seed;
	bool no_lines; /* lines that ran are 0: not asked for */
	int64_t id;    /* 0: none */
	struct lexicon_addition *additions;
	uint32_t nadditions, additions_room;
	uint32_t numbers[DICTIONARY_PARTS]; /* how many there are of each */
	/* by number */
	const char **texts;
	struct lexicon_function *functions;
	struct lexicon_frame *frames;
	struct lexicon_node *nodes;
	struct lexicon_process *processes;
	uint32_t *path; /* frames, or nodes, of one stack */
	uint32_t path_room;
	/* nodes are one way where lines alone tell them apart, and these are not asked for */
	struct lexicon_way *ways;
	uint32_t nways, ways_room;
	struct index way_index;
	size_t bytes; /* of what is loaded */
};

/* -EBADMSG: it is no database of this version. */
int lexicon_prepare(struct lexicon *l, sqlite3 *db, int64_t seed);
void lexicon_done(struct lexicon *l);
/* Turns to that dictionary. */
int lexicon_turn(struct lexicon *l, int64_t id);
/*
 * Turns to a dictionary of one addition that is in no row: its sections, which it takes over if it
 * returns 0, and how many there are of each part.
 */
int lexicon_take(struct lexicon *l, struct unpacked *sections,
		 const uint32_t numbers[static DICTIONARY_PARTS]);
/* What was put into a profile is not there any more; all that was loaded is given back. */
void lexicon_forget(struct lexicon *l);
/* Memory held. */
size_t lexicon_bytes(const struct lexicon *l);

/*
 * A stack, put into the profile's dict. 1: its node is one without the GIL; 0; -EBADMSG: there is
 * none of that number.
 */
int lexicon_stack(struct lexicon *l, uint32_t node, struct dict *to, uint32_t *ret);
/* A process. Texts are borrowed, until the lexicon turns. */
int lexicon_process(struct lexicon *l, uint32_t process, struct profile_process *ret);
/* Has all of it loaded, for who wants to know most of it. */
int lexicon_load_all(struct lexicon *l);
/* A text, borrowed likewise. */
int lexicon_text(struct lexicon *l, uint32_t text, const char **ret);
/*
 * A function, whose texts are borrowed likewise; and a node's parent (0: none) and function: 1: it
 * is one without the GIL; 0.
 */
int lexicon_function(struct lexicon *l, uint32_t function, struct dict_function *ret);
int lexicon_node(struct lexicon *l, uint32_t node, uint32_t *ret_parent, uint32_t *ret_function);
/* A node's line, and the first line of its function; as in dict.h. */
int lexicon_line(struct lexicon *l, uint32_t node, int *ret_first, int *ret_line);
/* The process's place for what a query wants to remember of it; 0 at first. */
int lexicon_note(struct lexicon *l, uint32_t process, uint32_t **ret);
