/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interpreters, thread states and frames in a target's memory, of every layout, which may lead in
 * circles and change between two reads.
 */
#include "hostile.h"
#include "plop/limits.h"
#include "python/walk.h"

/*
 * The code objects of stacks are read by the rules of fuzz_code.c: what is left out here is how
 * often.
 */
static void check_stack(struct walker *w, const struct walk_states *all,
			const struct walk_state *state)
{
	_cleanup_walk_stack_ struct walk_stack s = {};
	int r = walker_thread(w, all, state, NULL, NULL, &s);

	FUZZ_ASSERT(r == 0 || r == -EFAULT);
	FUZZ_ASSERT(r == 0 || (s.n == 0 && !s.frames));
	FUZZ_ASSERT(s.n <= PLOP_MAX_DEPTH);
	for (size_t i = 0; i < s.n; i++)
		FUZZ_ASSERT(!s.frames[i].code ||
			    (s.frames[i].code->refs >= 1 && s.frames[i].code->name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t layout, wrap;
		uint16_t runtime, state;
		uint32_t tids[4];
	} __attribute__((packed)) head;
	static bool holds[WALK_MAX_STATES];
	static uint32_t tids[WALK_MAX_STATES];
	_cleanup_walk_states_ struct walk_states s = {};
	struct walk_state state = {};
	struct walker *w = NULL;
	struct plop_layout l;
	struct hostile h;
	struct reader r = { .read = hostile_read, .ctx = &h };
	uint32_t own[ARRAY_SIZE(head.tids)];
	int q;

	if (!fuzz_take(&data, &size, &head, sizeof(head)) ||
	    !hostile_layout(head.layout, &data, &size, &l) ||
	    !hostile_take(&data, &size, head.wrap & 1, &h))
		return 0;
	memcpy(own, head.tids, sizeof(own));
	FUZZ_ASSERT(walker_new(&r, &l, HOSTILE_BASE + head.runtime, &w) == 0);
	q = walker_states(w, &s);
	FUZZ_ASSERT(q == 0 || (q == -EFAULT && s.n == 0));
	/*
	 * each state, and for each interpreter its head and its successor, once for each reading;
	 * and those of several once more
	 */
	FUZZ_ASSERT(h.reads <= (WALK_LIST_TRIES * 3 + 3) * (WALK_MAX_STATES + 1));
	FUZZ_ASSERT(s.n <= WALK_MAX_STATES && s.interpreters <= WALK_MAX_STATES);
	for (size_t i = 0; i < s.n; i++)
		FUZZ_ASSERT(s.states[i].nothers != 1 &&
			    s.states[i].others + s.states[i].nothers <= WALK_MAX_STATES);
	for (size_t i = 1; i < s.n; i++)
		FUZZ_ASSERT(s.states[i].thread_id > s.states[i - 1].thread_id);
	walker_gil(w, &s, holds);
	FUZZ_ASSERT(walker_tids(w, &s, own, ARRAY_SIZE(own), tids) == 0);
	/* a few of them, as the bounds of all are counted by the walker */
	for (size_t i = 0; i < s.n && i < 4; i++)
		check_stack(w, &s, &s.states[i]);
	state.address = HOSTILE_BASE + head.state;
	check_stack(w, &s, &state);
	walker_free(w);
	return 0;
}
