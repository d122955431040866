/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modules, dicts, instances and names in a target's memory, of every layout, which may lead
 * anywhere and change between two reads.
 */
#include "hostile.h"
#include "plop/limits.h"
#include "python/initial.h"
#include "python/thread_name.h"

#define THREADS 4

/* What it was started with, by the same modules. */
static void initial(const struct reader *r, const struct plop_layout *l, uint64_t runtime)
{
	_cleanup_buf_ struct buf variables = {}, arguments = {};
	int q = python_initial_read(r, l, runtime, &variables, &arguments);

	FUZZ_ASSERT(q == 0 || (variables.size == 0 && arguments.size == 0));
	/* each ends with a NUL */
	FUZZ_ASSERT(variables.size == 0 || variables.data[variables.size - 1] == '\0');
	FUZZ_ASSERT(arguments.size == 0 || arguments.data[arguments.size - 1] == '\0');
	FUZZ_ASSERT(variables.size <= 1 << 17 && arguments.size <= 1 << 17);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t layout, version, wrap;
		uint16_t runtime, interps[2];
		uint64_t ident;
	} __attribute__((packed)) head;
	struct walk_state states[THREADS] = {};
	struct walk_states s = { .states = states, .n = THREADS };
	char *names[THREADS];
	struct plop_layout l;
	struct hostile h;
	struct reader r = { .read = hostile_read, .ctx = &h };
	int q;

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    !hostile_layout(head.layout, &data, &size, &l) ||
	    !hostile_take(&data, &size, head.wrap & 1, &h))
		return 0;
	/*
	 * what differs from 3.13 on is where objects keep their attributes, and where modules are
	 */
	if (head.version % 4)
		l.version = (uint16_t)(0x030c + head.version % 4);
	for (uint64_t i = 0; i < THREADS; i++)
		states[i] = (struct walk_state){ .thread_id = (head.ident & INT64_MAX) + i,
						 .interp_no = (uint32_t)(i % 2),
						 .interp = HOSTILE_BASE + head.interps[i % 2] };
	q = thread_names_read(&r, &l, HOSTILE_BASE + head.runtime, &s, names);
	FUZZ_ASSERT(q == 0 || q == -EOPNOTSUPP);
	/*
	 * each entry's key alone, and what few reads a table and a thread take that have to be
	 * there for them
	 */
	FUZZ_ASSERT(h.reads <= 4 * PLOP_MAX_DICT_ENTRIES);
	initial(&r, &l, HOSTILE_BASE + head.runtime);
	for (size_t i = 0; i < THREADS; i++) {
		/* at most four bytes a character, and an ellipsis */
		FUZZ_ASSERT(!names[i] || (q == 0 && *names[i] &&
					  strlen(names[i]) <= 4 * PLOP_MAX_THREAD_NAME + 3));
		free(names[i]);
	}
	return 0;
}
