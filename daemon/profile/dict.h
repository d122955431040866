/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "plop/frame.h"
#include "util/macro.h"

/*
 * Interned functions, frames and stacks of one profile. Ids are dense, from 0, in order of first
 * sight; equal content has equal ids. Everything lives until dict_free(). Not thread-safe.
 */
struct dict;

/* What a frame is of. Texts are UTF-8, owned by the dict, never NULL. */
struct dict_function {
	/* of SYNTHETIC what it says: "[truncated]", "[no Python frame]", "service=shop" */
	const char *name;
	/* NATIVE, KERNEL: the binary or library; PYTHON: the package, python_module() */
	const char *module;
	const char *file; /* "": not known */
	int line;         /* first line; 0: unknown */
	enum plop_frame_kind kind;
};
/* Of code that was compiled to machine code, whose lines nobody keeps. */
#define DICT_LINE_COMPILED (-1)
struct dict_frame {
	uint32_t function;
	int line; /* being executed; 0: unknown; DICT_LINE_COMPILED */
};
struct dict_stack {
	const uint32_t *frames; /* root first */
	uint32_t depth;
};

int dict_new(struct dict **ret);
void dict_free(struct dict *d);
DEFINE_FREEP(struct dict, dict_free)

/*
 * The dict as it is now, for another thread to read by ids while more is added to d: it has what d
 * has, and nothing is copied, looked up by content in it, or added to it. dict_free() of either, in
 * any order, is for the thread that adds to d. 0 or -ENOMEM.
 */
int dict_snapshot(struct dict *d, struct dict **ret);

/* While it is frozen only what it has is found, and nothing is added. */
void dict_freeze(struct dict *d, bool frozen);

/* Each returns 0 and the id, or -ENOMEM; -ENOSPC: it is frozen, and has no such thing. */
/*
 * f's texts are copied. Two functions that differ in anything are two. The module of PYTHON is told
 * by its file, and may be NULL here; SYNTHETIC has a name alone, and the rest is taken for "" and
 * 0.
 */
int dict_function(struct dict *d, const struct dict_function *f, uint32_t *ret);
/* A function of Python. */
int dict_python(struct dict *d, const char *name, const char *file, int line, uint32_t *ret);
int dict_frame(struct dict *d, uint32_t function, int line, uint32_t *ret);
/* The frame of a synthetic function. */
int dict_synthetic(struct dict *d, const char *name, uint32_t *ret);
int dict_stack(struct dict *d, const uint32_t *frames, uint32_t depth, uint32_t *ret);

/*
 * Any text, for tables of strings: ids are dense, from 0, and the texts of functions have one each
 * as well.
 */
int dict_text(struct dict *d, const char *s, uint32_t *ret);

uint32_t dict_texts(const struct dict *d);
uint32_t dict_functions(const struct dict *d); /* how many */
uint32_t dict_frames(const struct dict *d);
uint32_t dict_stacks(const struct dict *d);
const char *dict_get_text(const struct dict *d, uint32_t id);
const struct dict_function *dict_get_function(const struct dict *d, uint32_t id);
const struct dict_frame *dict_get_frame(const struct dict *d, uint32_t id);
const struct dict_stack *dict_get_stack(const struct dict *d, uint32_t id);
size_t dict_bytes(const struct dict *d); /* memory held */
/* What its content alone takes: grows with what is added, and never by room for what may come. */
size_t dict_content(const struct dict *d);
