/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "plop/events.h"
#include "profile/profile.h"
#include "python/python.h"

/*
 * From code addresses to names and lines. A code object is its address plus its fingerprint, within
 * one image of one process; its identity comes from the kernel's record at first sight or from the
 * target's memory, whichever has it. A name is given only where the fingerprint agrees: a successor
 * at the same address is never mistaken for it.
 */

/* The code objects of one process image. */
struct code_table;
int code_table_new(const struct plop_layout *layout, struct code_table **ret);
void code_table_free(struct code_table *t);
DEFINE_FREEP(struct code_table, code_table_free)
/* Memory held, code objects included; and without them, which others may have as well. */
size_t code_table_bytes(const struct code_table *t);
size_t code_table_own_bytes(const struct code_table *t);
struct code_pool;
/* From now on its code objects are those of a pool, which has to outlive it. */
void code_table_share(struct code_table *t, struct code_pool *pool);
size_t code_object_bytes(const struct code_object *c);

/*
 * Keeps the table bounded: over PLOP_MAX_CODES_PROCESS or bytes, what was not seen for longest is
 * forgotten, and read anew when it is seen again. Ends the life of what code_table_find() returned,
 * so it is called between stacks.
 */
void code_table_limit(struct code_table *t, size_t bytes);

/* How the frames of all samples got their names; weighted by samples. */
struct symbol_counts {
	uint64_t resolved;   /* read from the target's memory */
	uint64_t captured;   /* from the kernel's record */
	uint64_t unresolved; /* neither had it, or it is stale */
};

/*
 * Takes in a record of the kernel (already checked for size). What does not fit in a record, or was
 * not resident, is read from the target through memory while it is there; where that says -EAGAIN,
 * by code_table_find(). 0 or -ENOMEM.
 */
int code_table_record(struct code_table *t, const struct reader *memory,
		      const struct plop_record_code *r);

/* Whether code_table_find() would read the rest of one that such a record came for. */
bool code_table_lacks(const struct code_table *t, uint64_t address, uint32_t fingerprint);

/* The same for the name of a task. */
int code_table_task(struct code_table *t, const struct plop_record_task *r);

/* Where the name of a frame comes from, or why it has none. */
enum code_source {
	CODE_UNKNOWN = 0, /* neither source had it */
	CODE_READ,        /* from the target's memory */
	CODE_CAPTURED,    /* from the kernel's record */
	/* freed in this cycle, in which it was not read at each tick: what ran cannot be told */
	CODE_STALE,
};

/*
 * The code object of a frame, or what stands for a synthetic one, owned by the table until
 * code_table_limit() or code_table_free(); NULL: it has no name.
 */
struct code_object *code_table_find(struct code_table *t, const struct reader *memory,
				    const struct plop_frame *f, enum code_source *ret_source);

/*
 * The kernel does not read most code objects at each tick (PLOP_FINGERPRINT_UNREAD). So, before the
 * stacks of a cycle are looked up: code_table_want() notes those among n frames, and what
 * code_table_find() will read for them; code_table_wants() tells all that was noted, for whoever
 * reads memory beforehand; then code_table_confirm() reads what is to be confirmed. Stale is what
 * is another now, or gone, or was met at an address that had another in this cycle. A memory that
 * says -EAGAIN has not been read: what it is asked for then is unknown in this cycle, and what is
 * to be confirmed is stale. loosen() is called for each that is stale, whose address the kernel has
 * to read at each tick. memory NULL: the process has gone, and nothing is stale but what another
 * was met at the address of. runtime: the address of _PyRuntime; an interpreter that finalises
 * frees all that ran before, and what it frees then is not stale. 0; or -ENOMEM, from
 * code_table_want() as well: what was to be confirmed in this cycle is stale then.
 */
#define CODE_MISSING_MAX 16384
struct code_wants {
	const struct plop_frame *confirm, *read; /* the table's, until the next code_table_want() */
	uint32_t nconfirm, nread;
	uint64_t word; /* address of the one that is read when all is confirmed */
};
int code_table_want(struct code_table *t, uint32_t cycle, const struct plop_frame *frames,
		    uint32_t n);
void code_table_wants(const struct code_table *t, uint32_t cycle, uint64_t runtime,
		      struct code_wants *ret);
int code_table_confirm(struct code_table *t, const struct reader *memory, uint64_t runtime,
		       void (*loosen)(uint64_t address, void *ctx), void *ctx);

/*
 * A profile that is being filled: the running window, or a recording. Remembers the frame ids that
 * code objects have in the profile's dict.
 */
struct sink;
int sink_new(uint64_t start_ns, uint32_t hz, struct sink **ret);
void sink_free(struct sink *s);
DEFINE_FREEP(struct sink, sink_free)
struct profile *sink_profile(struct sink *s);
/* The code objects that it gives up are waste of that pool, which has to outlive it. */
void sink_share(struct sink *s, struct code_pool *pool);
/* From now on ticks with the GIL and without are kept apart. */
void sink_keep_states(struct sink *s);
/* From now on the asyncio tasks of a stack are shown, where it has them; else they are left out. */
void sink_keep_tasks(struct sink *s);
/* How much it may keep of code objects that nobody else has any more, in bytes. */
void sink_bound(struct sink *s, size_t bytes);
/*
 * No more stacks come: what is only for finding their frames goes. Harmless if some come
 * nevertheless.
 */
void sink_settle(struct sink *s);
/* Memory held, its profile's included. */
size_t sink_bytes(const struct sink *s);
/* The profile, now the caller's; the sink is freed. */
struct profile *sink_take(struct sink *s);

/*
 * A stack with its code objects looked up, leaf first; NULL entries are shown as [unresolved] or
 * [stale code].
 */
struct symbolized_stack {
	const struct plop_stack *stack;
	const struct plop_frame *frames;
	struct code_object *const *codes; /* stack->depth of them */
	const enum code_source *sources;  /* ... as well */
	uint16_t bytecode;                /* layout.code_bytecode */
};
/*
 * process: index from profile_process() on the sink's profile. 0 or -ENOMEM (nothing was counted).
 */
int sink_add(struct sink *s, uint32_t process, const struct symbolized_stack *stack);
/*
 * The same, but -ENOSPC, and nothing is counted, where the profile has not had that stack before.
 */
int sink_add_known(struct sink *s, uint32_t process, const struct symbolized_stack *y);

/* The dict's stack id of a stack, not counted. */
int sink_stack(struct sink *s, const struct symbolized_stack *stack, uint32_t *ret);
/*
 * The same for one that was read with its names: root, a synthetic frame's name or NULL, and the
 * frames, leaf first.
 */
struct named_frame {
	enum plop_frame_kind kind;
	const char *name, *file;
	int firstlineno, line;
};
int sink_named_stack(struct sink *s, const char *root, const struct named_frame *frames, uint32_t n,
		     uint32_t *ret);
/*
 * Adds time off CPU: on top of stack (an id of the sink's dict; SINK_NO_STACK: it is not known)
 * lies the synthetic frame leaf, "[waiting for the GIL]".
 */
#define SINK_NO_STACK UINT32_MAX
int sink_add_wait(struct sink *s, uint32_t process, uint32_t thread, uint32_t stack,
		  enum sample_state state, const char *leaf, uint64_t ns);
