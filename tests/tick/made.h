/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The memory of a made-up Python process, of any layout that plop knows: a runtime, interpreters,
 * thread states, chunks of the data stack, frames, code objects, each at a place of its own. What
 * lies outside is not mapped.
 */
#include <stdbool.h>

#include "plop/layout.h"
#include "util/reader.h"

#define MADE_BASE    0x7f0000000000ull
#define MADE_RUNTIME MADE_BASE
/* An interpreter is longer than a page: what is read of it lies up to 8 kB behind its beginning. */
#define MADE_INTERP(n) (MADE_BASE + 0x1000 + (n)*0x2000ull)
#define MADE_STATE(n)  (MADE_BASE + 0xa000 + (n)*0x400ull)
#define MADE_CFRAME(n) (MADE_STATE(n) + 0x300)
#define MADE_CODE(n)   (MADE_BASE + 0x10000 + (n)*0x400ull)
/*
 * Frames of the interpreter's own, which lie on the C stack; from here on addresses rise to the
 * outer ones.
 */
#define MADE_ENTRY(n)   (MADE_BASE + 0x20000 + (n)*0x100ull)
#define MADE_CHUNK(n)   (MADE_BASE + 0x24000 + (n)*MADE_CHUNK_SIZE)
#define MADE_CHUNK_SIZE 0x4000ull
#define MADE_CHUNKS     20
#define MADE_TASKS      (MADE_BASE + 0x74000) /* what is of asyncio, see tasks.h */
#define MADE_SIZE       0x86000

/* How many there are of them. */
#define MADE_INTERPS 4
#define MADE_STATES  24
#define MADE_CODES   64
#define MADE_ENTRIES 64

/* The thread pointer of thread n, which is the thread_id of its states. Nothing is mapped there. */
#define MADE_THREAD(n) (0x7e0000001000ull + (n)*0x1000ull)

struct made {
	uint8_t memory[MADE_SIZE]; /* at MADE_BASE in the process */
	struct plop_layout l;
	struct reader r;     /* of it */
	unsigned int reads;  /* by r */
	uint32_t next_chunk; /* free ones begin here */
	uint32_t next_entry;
	uint64_t hole, hole_end; /* nothing is mapped there */
	/* if any, called before each read: what the process does meanwhile */
	void (*change)(struct made *m);
};

/*
 * The layouts of all versions and flavours. Returns the name of number i, NULL: there are not so
 * many.
 */
const char *made_layout(size_t i, struct plop_layout *ret);

/*
 * An interpreter that runs, without any thread, and MADE_CODES code objects. The functions are
 * called f0, f1 and so on. m must not move.
 */
void made_new(struct made *m, const struct plop_layout *l);

/* Writes the low size bytes of v, at most 8; an address outside is an error of the test's. */
void made_put(struct made *m, uint64_t address, uint64_t v, size_t size);
uint64_t made_get(const struct made *m, uint64_t address, size_t size);

/* Makes interpreter n the newest of the process's. */
void made_interp(struct made *m, unsigned int n);
/*
 * Makes thread state n the newest of interpreter's, of a thread; it runs nothing, and is in use
 * where that can be told.
 */
void made_state(struct made *m, unsigned int n, unsigned int interp, unsigned int thread);
/* Sets the innermost frame of a thread state; 0: none. */
void made_current(struct made *m, unsigned int state, uint64_t frame);
/* Whether state n is its thread's current one, and has the GIL, where the layout tells. */
void made_status(struct made *m, unsigned int state, bool bound, bool active);
/* Gives the GIL to a state; -1: to none. */
void made_gil(struct made *m, int state);

/*
 * Gives a state a stack of depth functions, called in the order f0, f1 ... from the root on, and
 * one of the interpreter's own frames at its end, where the version has these. From 3.11 on the
 * frames lie side by side in chunks, newly taken ones. Returns the address of the innermost one.
 */
uint64_t made_stack(struct made *m, unsigned int state, unsigned int depth);
/*
 * The number of the code object of the frame at depth i of such a stack, 0 being the root; and the
 * place in it, of all.
 */
unsigned int made_code_of(unsigned int i);
uint32_t made_instr_of(const struct made *m);
/* One frame, at an address of the test's choice. */
void made_frame(struct made *m, uint64_t at, unsigned int code, uint64_t previous);
