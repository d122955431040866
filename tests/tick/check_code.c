/* SPDX-License-Identifier: BSD-2-Clause */
/* When a tick reads code objects, and what becomes of those that are replaced. */
#include "scene.h"

/* The first time that a code object is met, what it is goes up; again only when it has changed. */
START_TEST(code_at_first_sight)
{
	EACH_LAYOUT
	{
		struct tick_result r;
		uint32_t before;

		setup(&each.l, 5);
		r = tick_once(plop_tick);
		before = r.frames[0].fingerprint;
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 5);
		for (size_t i = 0; i < kernel_records(); i++) {
			const struct plop_record_code *c = kernel_record(i).data;
			char name[4] = "f?";

			name[1] = (char)('4' - (int)i);
			ck_assert_uint_eq(c->code, MADE_CODE(4 - i));
			ck_assert_int_eq(c->firstlineno, 34 - (int)i);
			ck_assert_uint_eq(c->faults, 0);
			ck_assert_uint_eq(kernel_record(i).size, sizeof(*c) + c->file_bytes +
									 c->name_bytes +
									 c->linetable_bytes);
			ck_assert_mem_eq(c->data, "/srv/shop/app.py", c->file_bytes);
			ck_assert_uint_eq(c->file_bytes, strlen("/srv/shop/app.py"));
			ck_assert_mem_eq(c->data + c->file_bytes, name, 2);
			ck_assert_uint_eq(c->name_bytes, 2);
			ck_assert_uint_eq(c->linetable_bytes, 2);
		}
		kernel_records_clear();
		tick_once(plop_tick);
		ck_assert_uint_eq(kernel_records(), 0);
		made_put(&m, MADE_CODE(4) + m.l.code_firstlineno, 99, 4);
		r = tick_once(plop_tick);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 1);
		ck_assert_uint_ne(r.frames[0].fingerprint, before);
		/* nor is it forgotten when there is no room for it */
		kernel_records_clear();
		made_put(&m, MADE_CODE(4) + m.l.code_firstlineno, 100, 4);
		kernel.ring_waiting = 2u << 20;
		tick_once(plop_tick);
		ck_assert_uint_eq(kernel_records(), 0);
		kernel.ring_waiting = 0;
		tick_once(plop_tick);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 1);
	}
}
END_TEST

/* Of a user whose processes cost too much nothing goes up, until it does not. */
START_TEST(code_of_a_quiet_user)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 5);
		tick_process(TICK_TGID)->user = 777;
		plop_quiet[777 / 64] = 1ull << 777 % 64;
		r = tick_once(plop_tick);
		expect_frames(&r, 5, 5);
		ck_assert_uint_ne(r.frames[0].fingerprint, 0);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 0);
		ck_assert_uint_eq(tick_cpu()->half[plop_active & 1].counters[PLOP_C_CODES_DROPPED],
				  5);
		plop_quiet[777 / 64] = ~(1ull << 777 % 64);
		tick_once(plop_tick);
		ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 5);
		plop_quiet[777 / 64] = 0;
	}
}
END_TEST

/*
 * A stack of five functions that was met by one tick. Returns how much a tick on it reads when no
 * code object is read.
 */
static uint64_t setup_met(const struct plop_layout *l)
{
	uint64_t walk;

	setup(l, 5);
	tick_once(plop_tick);
	plop_seconds = PLOP_SETTLED_SECONDS;
	kernel.reads = 0;
	tick_once(plop_tick);
	walk = kernel.reads;
	setup(l, 5);
	tick_once(plop_tick);
	return walk;
}

/* How many code objects the next tick reads. */
static uint64_t codes_read(uint64_t walk)
{
	kernel.reads = 0;
	tick();
	ck_assert_uint_ge(kernel.reads, walk);
	return (kernel.reads - walk) / (m.l.code_fingerprint_texts ? 4 : 1);
}

static void replace(unsigned int code)
{
	uint64_t at = MADE_CODE(code) + m.l.code_firstlineno;

	made_put(&m, at, made_get(&m, at, 4) + 100, 4);
}

static uint32_t fingerprint_of(unsigned int stack, unsigned int frame)
{
	const struct plop_half *half = &tick_cpu()->half[plop_active & 1];

	ck_assert_uint_lt(stack, half->nstacks);
	return half->frames[half->stacks[stack].frames + frame].fingerprint;
}

/* What was the same for long enough is not read, until no half has met it for as long. */
START_TEST(code_that_has_settled)
{
	EACH_LAYOUT
	{
		struct tick_result r;

		setup(&each.l, 5);
		for (plop_seconds = 0; plop_seconds < PLOP_SETTLED_SECONDS; plop_seconds++) {
			r = tick_once(plop_tick);
			ck_assert_uint_eq(r.stack->young, 1);
			ck_assert_uint_eq(r.stack->read_from, PLOP_READ_INNERMOST);
			ck_assert(!(r.frames[0].fingerprint & PLOP_FINGERPRINT_UNREAD));
		}
		r = tick_once(plop_tick);
		expect_frames(&r, 5, 5);
		ck_assert_uint_eq(r.stack->young, 0);
		ck_assert_uint_eq(r.stack->read_from, 5);
		ck_assert(r.frames[0].fingerprint & PLOP_FINGERPRINT_UNREAD);
		plop_active += PLOP_SETTLED_HALVES + 1;
		r = tick_once(plop_tick);
		ck_assert_uint_eq(r.stack->young, 1);
		/* it is known again at once */
		r = tick_once(plop_tick);
		ck_assert_uint_eq(r.stack->young, 0);
	}
}
END_TEST

/* Whether the next tick reads all that has not settled. */
static bool reads_all(void)
{
	return plop_reads_all(tick_cpu()->entered + 1);
}

/* One tick in 16, however the ticks of a process are spread over those of a CPU. */
START_TEST(ticks_that_read_all)
{
	unsigned int last = 0, n = 0;

	for (unsigned int i = 1; i <= 100000; i++) {
		if (!plop_reads_all(i))
			continue;
		ck_assert_uint_le(i - last, 34);
		last = i;
		n++;
	}
	ck_assert_uint_ge(n, 100000 / 16 - 5);
	ck_assert_uint_le(n, 100000 / 16 + 5);
}
END_TEST

/*
 * What has not is read at a stack's first two ticks in a half, and at those that read all; that of
 * the innermost frames at each.
 */
START_TEST(code_that_has_not_settled)
{
	EACH_LAYOUT
	{
		uint64_t walk = setup_met(&each.l);
		unsigned int read = 0;

		ck_assert(!(fingerprint_of(0, 0) & PLOP_FINGERPRINT_UNREAD));
		for (unsigned int n = 2; n <= 100; n++) {
			bool due = n == 2 || reads_all();

			read += due;
			ck_assert_uint_eq(codes_read(walk), due ? 5 : PLOP_READ_INNERMOST);
			for (unsigned int i = 0; i < 5; i++)
				ck_assert_uint_eq(fingerprint_of(0, i) >> 30,
						  i < PLOP_READ_INNERMOST ? 0 : 2);
		}
		ck_assert_uint_ge(read, 5);
		ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 1);
		ck_assert_uint_eq(tick_cpu()->half[0].stacks[0].count, 100);
	}
}
END_TEST

/* It is read for the first two stacks that have it, and what a new one has alone. */
START_TEST(code_in_new_stacks)
{
	EACH_LAYOUT
	{
		uint64_t walk, frame;

		if (each.l.frame_link == PLOP_LINK_OBJECT)
			continue;
		walk = setup_met(&each.l);
		frame = made_get(&m, MADE_STATE(0) + m.l.ts_frame, 8);
		if (each.l.frame_link == PLOP_LINK_CFRAME)
			frame = made_get(&m, MADE_CFRAME(0) + m.l.cframe_current, 8);
		for (unsigned int n = 2; n <= 100; n++) {
			bool due = n == 2 || reads_all();

			made_put(&m, frame + m.l.frame_instr,
				 MADE_CODE(4) + m.l.code_bytecode + 4 + 2 * n, 8);
			ck_assert_uint_eq(codes_read(walk), due ? 5 : PLOP_READ_INNERMOST);
			ck_assert(fingerprint_of(n - 1, 4) & PLOP_FINGERPRINT_UNREAD);
		}
		ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 100);
		plop_active += 2;
		made_put(&m, frame + m.l.frame_instr, MADE_CODE(4) + m.l.code_bytecode + 2, 8);
		ck_assert_uint_eq(codes_read(walk), 5);
		ck_assert(!(fingerprint_of(0, 4) & PLOP_FINGERPRINT_UNREAD));
	}
}
END_TEST

/* The body of a module is freed as soon as it has run: it alone is read at each tick. */
START_TEST(bodies_of_modules)
{
	EACH_LAYOUT
	{
		uint64_t walk = setup_met(&each.l);

		setup(&each.l, 5);
		made_put(&m, MADE_CODE(0) + m.l.code_flags, 0, 4);
		tick_once(plop_tick);
		for (unsigned int n = 2; n <= 20; n++) {
			bool due = n == 2 || reads_all();

			ck_assert_uint_eq(codes_read(walk), due ? 5 : PLOP_READ_INNERMOST + 1);
		}
		ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 1);
		ck_assert(fingerprint_of(0, 4) & PLOP_FINGERPRINT_LOOSE);
		ck_assert(!(fingerprint_of(0, 4) & PLOP_FINGERPRINT_UNREAD));
		/* another one at its address is seen at once, and then the first one again */
		replace(0);
		tick();
		tick();
		ck_assert_uint_eq(tick_cpu()->half[0].nstacks, 2);
		ck_assert_uint_eq(tick_cpu()->half[0].stacks[0].count, 20);
		ck_assert_uint_eq(tick_cpu()->half[0].stacks[1].count, 2);
		ck_assert_uint_ne(fingerprint_of(0, 4), fingerprint_of(1, 4));
	}
}
END_TEST

/*
 * A function is replaced behind the n-th tick: seen at the next one that reads, and from then on at
 * each. No tick on the second is counted on a stack that is taken for one of the first alone.
 */
START_TEST(code_that_is_replaced)
{
	EACH_LAYOUT
	{
		for (unsigned int n = 1; n <= 40; n++) {
			const struct plop_half *half = &tick_cpu()->half[0];
			unsigned int seen = 0;

			setup_met(&each.l);
			for (unsigned int i = 1; i < n; i++)
				tick();
			replace(1);
			while (half->nstacks == 1 && seen < 100) {
				tick();
				seen++;
			}
			ck_assert_uint_le(seen, n == 1 ? 1 : 34);
			ck_assert_uint_eq(half->stacks[0].count, n + seen - 1);
			/* sure where it was read at all of its ticks; else user space has to ask */
			ck_assert_uint_eq(fingerprint_of(0, 3) >> 30, n > 1 ? 2 : 0);
			ck_assert_uint_eq(fingerprint_of(1, 3) >> 30, 1);
			ck_assert_uint_eq(records_of(PLOP_RECORD_CODE), 6);
			replace(1);
			tick();
			tick();
			ck_assert_uint_eq(half->nstacks, 3);
			ck_assert_uint_eq(half->stacks[1].count, 1);
			ck_assert_uint_eq(half->stacks[2].count, 2);
			/* in the next half there is no doubt */
			plop_active++;
			tick();
			ck_assert_uint_eq(fingerprint_of(0, 3) >> 30, 1);
		}
	}
}
END_TEST

/* Near the leaf it is seen at once. */
START_TEST(innermost_code_that_is_replaced)
{
	EACH_LAYOUT
	{
		const struct plop_half *half = &tick_cpu()->half[0];

		setup_met(&each.l);
		for (unsigned int n = 1; n < 40; n++)
			tick();
		replace(5 - PLOP_READ_INNERMOST);
		tick();
		ck_assert_uint_eq(half->nstacks, 2);
		ck_assert_uint_eq(half->stacks[0].count, 40);
		ck_assert_uint_eq(fingerprint_of(0, PLOP_READ_INNERMOST - 1) >> 30, 0);
		ck_assert_uint_eq(fingerprint_of(1, PLOP_READ_INNERMOST - 1) >> 30, 1);
	}
}
END_TEST

/* User space has found that an address changes, or the other CPU has. */
START_TEST(code_that_changes_elsewhere)
{
	EACH_LAYOUT
	{
		uint64_t walk = setup_met(&each.l), key = PLOP_SEEN_KEY(TICK_IMAGE, MADE_CODE(1));
		struct plop_seen_set *set = tick_seen(key);

		plop_seen_loosen(set, key, plop_seconds);
		tick_once(plop_tick);
		ck_assert_uint_eq(fingerprint_of(0, 3) >> 30, 1);
		tick();
		while (reads_all())
			tick();
		ck_assert_uint_eq(codes_read(walk), PLOP_READ_INNERMOST + 1);
		plop_seconds += PLOP_SETTLED_SECONDS;
		tick_once(plop_tick);
		ck_assert_uint_eq(fingerprint_of(0, 3) >> 30, 2);
		ck_assert_uint_eq(codes_read(walk), 0);
		/* settled, and then replaced: user space says so */
		replace(1);
		ck_assert_uint_eq(codes_read(walk), 0);
		plop_seen_loosen(set, key, plop_seconds);
		tick_once(plop_tick);
		ck_assert_uint_eq(fingerprint_of(0, 3) >> 30, 1);
	}
}
END_TEST

CHECK_MAIN("tick/code", code_at_first_sight, code_of_a_quiet_user, code_that_has_settled,
	   ticks_that_read_all, code_that_has_not_settled, code_in_new_stacks, bodies_of_modules,
	   code_that_is_replaced, innermost_code_that_is_replaced, code_that_changes_elsewhere);
