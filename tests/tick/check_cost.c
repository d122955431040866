/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a tick touches: look-ups in maps, reads of the process's memory, and bytes of these. They
 * are what a tick's time is made of, and unlike that they are the same on each machine. They are
 * printed as a table, and may not become more.
 */
#include "scene.h"

struct cost {
	uint64_t lookups, reads, bytes;
};

/* filed: of the third tick on a stack, at which nothing is due to be read again. */
static struct cost cost_of(bool filed)
{
	struct bpf_perf_event_data ctx = {};

	if (filed) {
		tick_once(plop_tick);
		plop_tick(&ctx);
		ck_assert(!plop_reads_all(tick_cpu()->entered + 1));
	}
	kernel.lookups = kernel.reads = kernel.bytes = 0;
	if (filed)
		plop_tick(&ctx);
	else
		tick_once(plop_tick);
	ck_assert_uint_eq(tick_cpu()->half[0].stacks[0].count, filed ? 3 : 1);
	ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 1);
	return (struct cost){ kernel.lookups, kernel.reads, kernel.bytes };
}

/*
 * Of a code object when a half first meets it: what makes its fingerprint; before 3.12 its name,
 * its file and its line table as well.
 */
static unsigned int code_reads(const struct plop_layout *l)
{
	return l->code_fingerprint_texts ? 4 : 1;
}

/*
 * The thread state, what leads from it to the frame or says who has the GIL, and the frames. From
 * 3.11 on one read serves all that lie in 4 kB of a chunk; the last frame lies on the C stack.
 * Before, one read serves those of a page that lie near one another, as they do here, sixteen in
 * each; the first of them, and one that lies across the end of a page, are read alone.
 */
static unsigned int walk_reads(const struct plop_layout *l, unsigned int depth)
{
	if (l->frame_link == PLOP_LINK_OBJECT)
		return 4 + depth / 8;
	return (l->frame_link == PLOP_LINK_CFRAME ? 4 : 3) + depth / 32;
}

static void expect_most(struct cost c, uint64_t lookups, uint64_t reads, uint64_t bytes)
{
	ck_assert_uint_le(c.lookups, lookups);
	ck_assert_uint_le(c.reads, reads);
	ck_assert_uint_le(c.bytes, bytes);
}

static void print(struct cost c)
{
	printf("  %7llu %6llu %6llu", (unsigned long long)c.lookups, (unsigned long long)c.reads,
	       (unsigned long long)c.bytes);
}

START_TEST(what_a_tick_touches)
{
	static const unsigned int depths[] = { 8, 33, 103 };

	printf("                 not settled              and filed before         settled         "
	       "         and filed before\n"
	       "version  frames  lookups  reads  bytes  lookups  reads  bytes  lookups  reads  "
	       "bytes  lookups  reads  bytes\n");
	EACH_LAYOUT
	{
		for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
			unsigned int depth = depths[i], walk = walk_reads(&each.l, depth);
			/* frame objects lie 256 bytes apart here; what is between is copied */
			unsigned int walk_bytes = 700 + depth * (each.l.ts_chunk ? 128 : 256);
			struct cost unsettled, soon, settled, filed;

			setup(&each.l, depth);
			/*
			 * the thread state is found by the first, the process remembered by the
			 * second
			 */
			tick_once(plop_tick);
			tick_once(plop_tick);
			unsettled = cost_of(false);
			soon = cost_of(true);
			plop_seconds += PLOP_SETTLED_SECONDS;
			settled = cost_of(false);
			filed = cost_of(true);
			printf("%-7s  %6u", each.name, depth);
			print(unsettled);
			print(soon);
			print(settled);
			print(filed);
			printf("\n");
			/*
			 * look-ups: the CPU's table, the layout, scratch; and what is remembered of
			 * each code object
			 */
			expect_most(unsettled, 3 + depth, walk + depth * code_reads(&each.l),
				    walk_bytes + depth * (128u + 3 * 80u));
			expect_most(soon, 3, walk + PLOP_READ_INNERMOST * code_reads(&each.l),
				    walk_bytes + PLOP_READ_INNERMOST * (128u + 3 * 80u));
			expect_most(settled, 3 + depth, walk, walk_bytes);
			expect_most(filed, 3, walk, walk_bytes);
		}
	}
}
END_TEST

/* A tick on anything but a Python process, while it is the same one and after a change. */
START_TEST(what_a_tick_on_others_touches)
{
	struct plop_layout l = layout_of(0x030d);

	setup(&l, 8);
	tick_task.task.tgid = tick_task.task.pid = 99;
	for (unsigned int i = 0; i < 2; i++) {
		kernel.lookups = kernel.reads = 0;
		tick_once(plop_tick);
		ck_assert_uint_le(kernel.lookups, 2);
		ck_assert_uint_eq(kernel.reads, 0);
	}
}
END_TEST

CHECK_MAIN("tick/cost", what_a_tick_touches, what_a_tick_on_others_touches);
