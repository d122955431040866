/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk of the tick on made-up memory of every layout: whole, in circles, half-built, torn. */
#include "scene.h"

/* Frames that the walk without bpf_loop() looks at: PLOP_BOUNDED_DEPTH of pystack.bpf.h. */
#define BOUNDED 96

START_TEST(stacks_of_all_layouts)
{
	static const unsigned int depths[] = {
		1, 2, 8, 33, 103, PLOP_MAX_DEPTH, PLOP_MAX_DEPTH + 1
	};

	EACH_LAYOUT
	{
		ck_assert_int_eq(layout_check(&each.l), 0);
		for (size_t d = 0; d < ARRAY_SIZE(depths); d++) {
			unsigned int shown = MIN(depths[d], (unsigned int)PLOP_MAX_DEPTH);
			struct tick_result r;

			setup(&each.l, depths[d]);
			r = tick_once(plop_tick);
			expect_frames(&r, depths[d], shown);
			ck_assert_int_eq(!!(r.stack->flags & PLOP_STACK_TRUNCATED),
					 shown < depths[d]);
		}
	}
}
END_TEST

START_TEST(stacks_without_bpf_loop)
{
	static const unsigned int depths[] = { 1, 33, BOUNDED - 1, 2 * BOUNDED };

	EACH_LAYOUT
	{
		for (size_t d = 0; d < ARRAY_SIZE(depths); d++) {
			unsigned int shown = MIN(depths[d], (unsigned int)BOUNDED);
			struct tick_result r;

			setup(&each.l, depths[d]);
			r = tick_once(plop_tick_bound);
			expect_frames(&r, depths[d], shown);
			ck_assert_int_eq(!!(r.stack->flags & PLOP_STACK_TRUNCATED),
					 shown < depths[d]);
		}
	}
}
END_TEST

/* Did the thread have the GIL: told by all that have one, and say who has it. */
START_TEST(who_has_the_gil)
{
	EACH_LAYOUT
	{
		bool told = !each.l.free_threaded && (each.l.ts_status || each.l.runtime_current);
		struct tick_result r;

		setup(&each.l, 3);
		r = tick_once(plop_tick);
		ck_assert_uint_eq(r.stack->flags, told ? PLOP_STACK_GIL_HELD : 0);
		made_status(&m, 0, true, false);
		made_gil(&m, 1);
		r = tick_once(plop_tick);
		ck_assert_uint_eq(r.stack->flags, told ? PLOP_STACK_GIL_RELEASED : 0);
	}
}
END_TEST

/* Address of the frame at depth i of a stack that begins with innermost. */
static uint64_t frame_at(uint64_t innermost, unsigned int depth, unsigned int i)
{
	for (unsigned int n = depth - 1; n > i; n--)
		innermost = made_get(&m, innermost + m.l.frame_previous, 8);
	return innermost;
}

static uint64_t innermost_of(unsigned int state)
{
	uint64_t frame = made_get(&m, MADE_STATE(state) + m.l.ts_frame, 8);

	if (m.l.frame_link == PLOP_LINK_CFRAME)
		frame = made_get(&m, frame + m.l.cframe_current, 8);
	return frame;
}

/* From any frame back to any that called it, or to itself. */
START_TEST(stacks_in_circles)
{
	const unsigned int depth = 9;

	EACH_LAYOUT
	{
		for (unsigned int from = 0; from < depth; from++) {
			for (unsigned int to = from; to < depth; to++) {
				struct tick_result r;
				uint64_t top;

				setup(&each.l, depth);
				top = innermost_of(0);
				made_put(&m, frame_at(top, depth, from) + m.l.frame_previous,
					 frame_at(top, depth, to), 8);
				r = tick_once(plop_tick);
				ck_assert_int_eq(r.lost, PLOP_LOST_CORRUPT);
				ck_assert(!r.stack);
				ck_assert_uint_le(kernel.reads, 8 + 8 * depth);
			}
		}
	}
}
END_TEST

/*
 * Nothing that lies in a process's memory makes a frame of it one of another kind (plop/frame.h).
 */
START_TEST(code_that_passes_for_another_kind)
{
	static const uint64_t codes[] = {
		PLOP_SYNTHETIC(PLOP_SYNTHETIC_TASK, 0),
		PLOP_SYNTHETIC(PLOP_SYNTHETIC_SEVERAL, 3),
		PLOP_NATIVE(0x7f0000001000),
		0xffffffff81000000,
		0x8000000000000000,
	};
	const unsigned int depth = 9;

	EACH_LAYOUT
	{
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			struct tick_result r;

			setup(&each.l, depth);
			made_put(&m, frame_at(innermost_of(0), depth, 4) + m.l.frame_code, codes[i],
				 8);
			r = tick_once(plop_tick);
			ck_assert_int_eq(r.lost, PLOP_LOST_CORRUPT);
			ck_assert(!r.stack);
		}
	}
}
END_TEST

START_TEST(stacks_that_lead_astray)
{
	const unsigned int depth = 40;

	EACH_LAYOUT
	{
		struct tick_result r;
		uint64_t frame;

		setup(&each.l, depth);
		frame = frame_at(innermost_of(0), depth, 20);
		made_put(&m, frame + m.l.frame_previous, 8, 8);
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_FAULT);
		made_put(&m, frame + m.l.frame_previous, UINT64_MAX - 8, 8);
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_FAULT);
		made_put(&m, frame + m.l.frame_code, 0, 8);
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, PLOP_LOST_CORRUPT);
		/* no frame of the next version's has it either */
		ck_assert_uint_eq(tick_cpu()->half[0].nframes, 0);
	}
}
END_TEST

/* A code object that is not there has no fingerprint, and its frame is there all the same. */
START_TEST(code_that_cannot_be_read)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 4);
		made_put(&m, innermost_of(0) + m.l.frame_code, MADE_BASE - 0x1000, 8);
		r = tick_once(plop_tick);
		ck_assert(r.stack && r.stack->depth == 4);
		ck_assert_uint_eq(r.frames[0].fingerprint, 0);
		ck_assert_uint_eq(r.frames[0].code, MADE_BASE - 0x1000);
		ck_assert_uint_ne(r.frames[1].fingerprint, 0);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 3);
	}
}
END_TEST

/*
 * The copy of a part of the data stack fails, and of the frame alone does not; behind it the chain
 * leads back to where an earlier copy was from, of which nothing is left.
 */
START_TEST(copies_that_fail)
{
	EACH_LAYOUT
	{
		/* the last of two chunks is shorter than a copy */
		const unsigned int depth = 160;
		struct tick_result r;
		uint64_t top, far, near;

		if (!each.l.ts_chunk)
			continue;
		setup(&each.l, depth);
		top = innermost_of(0);
		/*
		 * from the top copy straight to a frame in the chunk before, and from there to one
		 * of the top copy, the last
		 */
		near = frame_at(top, depth, depth - 3);
		far = frame_at(top, depth, 100);
		ck_assert_uint_lt(far, near);
		made_put(&m, frame_at(top, depth, depth - 2) + m.l.frame_previous, far, 8);
		made_put(&m, far + m.l.frame_previous, near, 8);
		made_put(&m, near + m.l.frame_previous, 0, 8);
		m.hole = far - 0x100;
		m.hole_end = far - 0x80;
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, -1);
		ck_assert_uint_eq(r.stack->depth, 4);
		ck_assert_uint_eq(r.frames[2].code, MADE_CODE(made_code_of(100)));
		ck_assert_uint_eq(r.frames[3].code, MADE_CODE(made_code_of(depth - 3)));
	}
}
END_TEST

/*
 * Up to 3.10, frames that lie apart from one another, and near one another at the edge of what is
 * mapped: each is there, and no read goes beyond the pages that frames lie in.
 */
START_TEST(frame_objects_apart_and_near)
{
	/* from each frame to that which called it */
	static const int64_t steps[][5] = {
		{ 0x2000, -0x1800, 0x2000, -0x1800, 0x2000 }, /* apart */
		{ -0x1b0, -0x1b0, -0x1b0, -0x1b0, -0x1b0 },   /* near, as in a recursion */
		{ -0x1b0, 0x2000, -0x1b0, -0x1000, -0x1b0 },
		{ -0x80, -0xf80, -0x80, 0x3f80, -0x80 },
		{ 0x1b0, 0x1b0, -0x510, 0x1000, -0x1b0 },
	};

	EACH_LAYOUT
	{
		if (each.l.frame_link != PLOP_LINK_OBJECT)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			/* the innermost frame ends where a page does, or later */
			for (unsigned int over = 0; over <= each.l.frame_len; over += 24) {
				uint64_t at = MADE_CHUNK(8) + 0x8000 - each.l.frame_len + over;
				uint64_t lowest = at, highest = at;
				struct tick_result r;

				setup(&each.l, 1);
				made_current(&m, 0, at);
				for (unsigned int n = 0; n < 6; n++) {
					uint64_t next = n < 5 ? at + (uint64_t)steps[i][n] : 0;

					made_frame(&m, at, n, next);
					lowest = MIN(lowest, at);
					highest = MAX(highest, at);
					at = next;
				}
				m.hole = (highest + each.l.frame_len + 0xfff) & ~0xfffull;
				m.hole_end = m.hole + 0x1000;
				for (unsigned int bound = 0; bound < 2; bound++) {
					kernel.faults = 0;
					r = tick_once(bound ? plop_tick_bound : plop_tick);
					ck_assert_int_eq(r.lost, -1);
					ck_assert_uint_eq(r.stack->depth, 6);
					for (unsigned int n = 0; n < 6; n++)
						ck_assert_uint_eq(r.frames[n].code, MADE_CODE(n));
					ck_assert_uint_eq(kernel.faults, 0);
				}
				m.hole_end = lowest & ~0xfffull;
				m.hole = m.hole_end - 0x1000;
				r = tick_once(plop_tick);
				ck_assert_uint_eq(r.stack->depth, 6);
				ck_assert_uint_eq(kernel.faults, 0);
			}
		}
	}
}
END_TEST

/*
 * ... and a copy of several that fails, since a part of the page is gone meanwhile: the frame alone
 * is read.
 */
START_TEST(frame_objects_in_torn_pages)
{
	EACH_LAYOUT
	{
		const unsigned int depth = 20;
		struct tick_result r;
		uint64_t top;

		if (each.l.frame_link != PLOP_LINK_OBJECT)
			continue;
		setup(&each.l, depth);
		top = innermost_of(0);
		m.hole_end = frame_at(top, depth, 8);
		m.hole = m.hole_end - 8;
		r = tick_once(plop_tick);
		expect_frames(&r, depth, depth);
		ck_assert_uint_gt(kernel.faults, 0);
	}
}
END_TEST

/* A frame that lies by itself, as a generator's does, between those of the data stack. */
START_TEST(frames_of_generators)
{
	EACH_LAYOUT
	{
		const unsigned int depth = 60;
		struct tick_result r;
		uint64_t frame;

		setup(&each.l, depth);
		frame = frame_at(innermost_of(0), depth, 30);
		made_frame(&m, MADE_ENTRY(MADE_ENTRIES - 1), 63,
			   made_get(&m, frame + m.l.frame_previous, 8));
		made_put(&m, frame + m.l.frame_previous, MADE_ENTRY(MADE_ENTRIES - 1), 8);
		r = tick_once(plop_tick);
		ck_assert(r.stack && r.stack->depth == depth + 1);
		expect_part(&r, 0, depth, 30);
		ck_assert_uint_eq(r.frames[30].code, MADE_CODE(63));
		expect_part(&r, 31, 30, 30);
	}
}
END_TEST

/*
 * Where a thread enters the interpreter's loop, in 3.11 and 3.12, its thread state may lead to a
 * struct that is not filled yet: what the one before it says is what the thread is in.
 */
START_TEST(half_built_entries)
{
	static const uint64_t found[] = { 0, 8, MADE_BASE - 0x100, MADE_RUNTIME + 0xf00,
					  MADE_RUNTIME + 0xf03 };

	EACH_LAYOUT
	{
		if (each.l.frame_link != PLOP_LINK_CFRAME)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
			const uint64_t entered = MADE_CFRAME(5);
			struct tick_result r;

			setup(&each.l, 7);
			made_put(&m, entered + m.l.cframe_current, found[i], 8);
			made_put(&m, entered + m.l.cframe_current + 8, MADE_CFRAME(0), 8);
			made_put(&m, MADE_STATE(0) + m.l.ts_frame, entered, 8);
			r = tick_once(plop_tick);
			expect_frames(&r, 7, 7);
			/* there is none before */
			made_put(&m, entered + m.l.cframe_current + 8, 0, 8);
			r = tick_once(plop_tick);
			ck_assert(i == 0 ? r.stack && r.stack->depth == 0 : r.lost >= 0);
		}
	}
}
END_TEST

START_TEST(stacks_through_interpreters)
{
	EACH_LAYOUT
	{
		for (unsigned int n = 1; n <= 3; n++) {
			struct tick_result r;
			unsigned int at = 0;

			setup_nested(&each.l, n);
			/* looked for, and remembered */
			for (unsigned int again = 0; again < 2; again++) {
				at = 0;
				r = tick_once(plop_tick);
				ck_assert_int_eq(r.lost, -1);
				for (unsigned int i = 0; i < n; i++) {
					expect_part(&r, at, 2 + i, 2 + i);
					at += 2 + i;
				}
				ck_assert_uint_eq(r.stack->depth, at);
				ck_assert(!(r.stack->flags & PLOP_STACK_TRUNCATED));
			}
			/* another thread's state is in the first interpreter */
			tick_thread(TICK_TGID, MADE_THREAD(0));
			made_status(&m, 0, true, true);
			made_gil(&m, 0);
			r = tick_once(plop_tick);
			expect_frames(&r, 5, 5);
		}
	}
}
END_TEST

/*
 * The outer ones cannot be found any more: what is left says that its root is missing, and is not
 * put together wrongly.
 */
START_TEST(interpreters_that_go_away)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup_nested(&each.l, 3);
		r = tick_once(plop_tick);
		ck_assert_uint_eq(r.stack->depth, 9);
		made_put(&m, MADE_INTERP(1) + m.l.interp_threads_head, 8, 8);
		r = tick_once(plop_tick);
		ck_assert_int_eq(r.lost, -1);
		expect_part(&r, 0, 2, 2);
		ck_assert_uint_eq(r.stack->depth, 2);
		ck_assert(r.stack->flags & PLOP_STACK_TRUNCATED);
	}
}
END_TEST

/* What a process does meanwhile. */
static void tear(struct made *t)
{
	if (!roll(8))
		spoil(t);
}

/*
 * Whatever it does, a tick is accounted for, ends, and looks at nothing that it has not read:
 * tick_once() sees to it.
 */
START_TEST(processes_that_run_on)
{
	EACH_LAYOUT
	{
		const unsigned int rounds = 60;
		unsigned int stacks = 0;

		for (unsigned int i = 0; i < rounds; i++) {
			dice = each.i << 32 | i;
			setup_nested(&each.l, 1 + roll(3));
			m.change = tear;
			for (unsigned int n = 0; n < 20; n++) {
				unsigned int thread = roll(2) ? 7 : roll(4);
				struct tick_result r;

				tick_thread(TICK_TGID + thread, MADE_THREAD(thread));
				kernel.reads = 0;
				kernel.now += MS;
				r = tick_once(roll(8) ? plop_tick : plop_tick_bound);
				stacks += r.stack && r.stack->depth > 0;
				/*
				 * what a search, its callers and the frames may take, and each
				 * frame's code
				 */
				ck_assert_uint_le(kernel.reads, PLOP_MAX_THREAD_STEPS * 2 +
									PLOP_MAX_CALLER_STEPS * 3 +
									2 * 3 * PLOP_MAX_DEPTH * 3 +
									PLOP_MAX_DEPTH * 16);
			}
		}
		/* most of it is not hit */
		ck_assert_uint_ge(stacks, rounds * 2);
	}
}
END_TEST

CHECK_MAIN("tick/walk", stacks_of_all_layouts, stacks_without_bpf_loop, who_has_the_gil,
	   stacks_in_circles, code_that_passes_for_another_kind, stacks_that_lead_astray,
	   code_that_cannot_be_read, copies_that_fail, frame_objects_apart_and_near,
	   frame_objects_in_torn_pages, frames_of_generators, half_built_entries,
	   stacks_through_interpreters, interpreters_that_go_away, processes_that_run_on);
