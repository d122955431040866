/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/lexicon.h"

/* What a lexicon has in memory, and how it gets there: private to it. */
struct lexicon_addition {
	int64_t id;
	uint32_t last[DICTIONARY_PARTS]; /* numbers, with it */
	struct unpacked blob;            /* its texts stay */
	bool loaded;
};

/* Numbers of texts and functions are 0 where nothing is loaded yet. */
struct lexicon_function {
	uint32_t name, file, module;
	int line;
	uint32_t kind;
	uint32_t met; /* id in the profile's dict, + 1; 0: not met yet */
};

struct lexicon_frame {
	uint32_t function;
	int line;
	uint32_t met;
};

struct lexicon_node {
	uint32_t parent;
	uint32_t frame : 31, released : 1;
	uint32_t met; /* the stack, or the way, + 1 */
};

/* From the root to a node, by frames in the profile's dict. */
struct lexicon_way {
	uint32_t parent; /* + 1; 0: none */
	uint32_t frame;
	uint32_t met; /* the stack, + 1 */
};

struct lexicon_process {
	uint64_t start_ticks, start_time;
	uint32_t pid, uid, texts[PROCESS_TEXTS];
	uint32_t note;
};

/* Bytes of one of each part. */
extern const size_t lexicon_sizes[DICTIONARY_PARTS];

/* Takes the parts of the first addition, whose sections are unpacked. -EBADMSG. */
int lexicon_load_first(struct lexicon *l);
/*
 * Has the addition loaded that has the number, and returns what has it, borrowed until the lexicon
 * turns. -EBADMSG: none has it, or the file contradicts itself.
 */
int lexicon_get_text(struct lexicon *l, uint32_t number, const char **ret);
int lexicon_get_function(struct lexicon *l, uint32_t number, struct lexicon_function **ret);
int lexicon_get_frame(struct lexicon *l, uint32_t number, struct lexicon_frame **ret);
int lexicon_get_node(struct lexicon *l, uint32_t number, struct lexicon_node **ret);
int lexicon_get_process(struct lexicon *l, uint32_t number, struct lexicon_process **ret);
