/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One tick of bpf/ on a made-up process of CPython 3.13, for tests/bench/touches, which watches
 * each load and store of it:
 *
 *	bench_touches DEPTH KIND
 *
 * DEPTH is that of the stack. KIND is what is known of it: "first": the half has not met it, nor
 * has its code settled; "soon": it has met it; "settled": it has met it, and the code has settled.
 * Prints a line for each piece of memory that is plop's or the process's, then that of the mark,
 * which is written before and after the tick:
 *
 *	NAME START SIZE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tick/made.h"
#include "../tick/ticked.h"
#include "awaits.bpf.h"
#include "python/python.h"

#define VERSION 0x030d

static struct made made;
static volatile unsigned int mark;

static void region(const char *name, const volatile void *start, size_t size)
{
	printf("%s %lx %zx\n", name, (unsigned long)start, size);
}

static void *element(const struct kernel_map *m, __u32 n)
{
	return kernel_map_lookup(m, &n);
}

/* Where things are after a tick: the shim makes an element when it is looked up first. */
static void regions(void)
{
	struct plop_cpu *cpu = tick_cpu();
	struct plop_half *half = &cpu->half[PLOP_HALF_FILLING(plop_active)];
	struct scratch *s = element(SHIM_MAP(&scratch), 0);
	__u64 thread = PLOP_THREAD_KEY(TICK_IMAGE, MADE_THREAD(0));

	region("header", cpu, offsetof(struct plop_cpu, half));
	region("counters", half, offsetof(struct plop_half, index));
	region("index", half->index, sizeof(half->index));
	region("index", half->thread_index, sizeof(half->thread_index));
	region("stacks", half->stacks, sizeof(half->stacks));
	region("stacks", half->threads, sizeof(half->threads));
	region("frames", half->frames, sizeof(half->frames));
	region("scratch", s, offsetof(struct scratch, copy));
	region("copy", s->copy, sizeof(s->copy));
	region("scratch", s->fingerprint, sizeof(*s) - offsetof(struct scratch, fingerprint));
	region("layout", element(SHIM_MAP(&layouts), TICK_LAYOUT), sizeof(struct plop_layout));
	region("threads", element(SHIM_MAP(&threads), PLOP_THREAD_BUCKET(thread)),
	       sizeof(struct plop_thread_bucket));
	for (unsigned int i = 0; i < MADE_CODES; i++)
		region("seen", tick_seen(PLOP_SEEN_KEY(TICK_IMAGE, MADE_CODE(i))),
		       sizeof(struct plop_seen_set));
	region("globals", &plop_active, sizeof(plop_active));
	region("globals", &plop_seconds, sizeof(plop_seconds));
	region("globals", &plop_changes, sizeof(plop_changes));
	region("globals", plop_part_most, sizeof(plop_part_most));
	region("process", made.memory, sizeof(made.memory));
	region("mark", &mark, sizeof(mark));
}

static bool layout_of_version(struct plop_layout *ret)
{
	for (size_t i = 0; made_layout(i, ret); i++) {
		if (ret->version == VERSION && !ret->free_threaded)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct bpf_perf_event_data ctx = {};
	struct plop_layout l;
	unsigned long depth = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;

	if (depth < 1 || depth > 100 || !layout_of_version(&l)) {
		fprintf(stderr, "bench_touches: give a depth from 1 to 100 and what is known\n");
		return 2;
	}
	made_new(&made, &l);
	made_state(&made, 0, 0, 0);
	made_stack(&made, 0, (unsigned int)depth);
	tick_begin(&made.r, &l, MADE_RUNTIME);
	tick_thread(TICK_TGID, MADE_THREAD(0));
	tick_once(plop_tick);
	tick_once(plop_tick);
	if (!strcmp(argv[2], "settled")) {
		plop_seconds += PLOP_SETTLED_SECONDS;
		tick_once(plop_tick);
	}
	do
		plop_tick(&ctx);
	while (plop_reads_all(tick_cpu()->entered + 1));
	if (!strcmp(argv[2], "first")) {
		memset(&tick_cpu()->half[PLOP_HALF_FILLING(plop_active)], 0,
		       sizeof(struct plop_half));
		plop_active += 2;
	}
	regions();
	fflush(stdout);
	mark = 1;
	plop_tick(&ctx);
	mark = 2;
	return tick_broken() ? 1 : 0;
}
