/* SPDX-License-Identifier: BSD-2-Clause */
#include "../store/drawn.h"
#include "check_main.h"
#include "clickhouse/rows.h"
#include "ship/encode.h"

#define START (UINT64_C(1700000000) * NSEC_PER_SEC)
#define DAY   (1700000000 / 86400)

static struct ship_host host = { .id = 77, .name = "h'1\n", .region = "" };
static const struct store_place place = { .any = true, .writer = 5, .id = 9 };
static const struct seen nothing;

static void encode(const struct profile *p, const struct seen *seen, struct ship_rows *ret)
{
	uint64_t of[64] = {};
	const struct ship_weights weights = { .processes = of, .head = 2500000 };

	ck_assert_uint_le(p->nprocesses, ARRAY_SIZE(of));
	for (uint32_t i = 0; i < p->nprocesses; i++)
		of[i] = 2500000;
	ck_assert_int_eq(ship_encode(p, &host, &place, &weights, seen, ret), 0);
}

static void skip_string(struct rows_reader *r, const char *expected)
{
	_cleanup_free_ char *s = rows_string(r);

	ck_assert_ptr_nonnull(s);
	if (expected)
		ck_assert_str_eq(s, expected);
}

/* Ids of all rows of stacks, in order of rows. */
static size_t read_stacks(const struct buf *b, uint64_t *ids)
{
	struct rows_reader r = rows_of(b);
	size_t n = 0;

	while (rows_more(&r)) {
		size_t depth;

		ck_assert_uint_eq(rows_u16(&r), DAY);
		ids[n++] = rows_u64(&r);
		depth = rows_array(&r);
		for (int column = 0; column < 6; column++) {
			ck_assert_uint_eq(column ? rows_array(&r) : depth, depth);
			for (size_t i = 0; i < depth; i++) {
				if (column == 4)
					rows_u8(&r);
				else if (column == 2 || column == 3)
					rows_u32(&r);
				else
					skip_string(&r, NULL);
			}
		}
	}
	ck_assert(!rows_bad(&r));
	return n;
}

static size_t read_processes(const struct buf *b, uint64_t *ids)
{
	struct rows_reader r = rows_of(b);
	size_t n = 0;

	while (rows_more(&r)) {
		ck_assert_uint_eq(rows_u16(&r), DAY);
		ids[n++] = rows_u64(&r);
		ck_assert_uint_eq(rows_u64(&r), host.id);
		skip_string(&r, host.name);
		skip_string(&r, host.region);
		rows_u32(&r);
		rows_f64(&r);
		rows_u32(&r);
		for (int i = 0; i < 9; i++)
			skip_string(&r, NULL);
	}
	ck_assert(!rows_bad(&r));
	return n;
}

struct sample {
	uint64_t process, stack, samples;
	uint8_t state;
};

static size_t read_samples(const struct buf *b, struct sample *to)
{
	struct rows_reader r = rows_of(b);
	uint64_t window = 0;
	size_t n = 0;

	while (rows_more(&r)) {
		ck_assert_uint_eq(rows_u32(&r), START / NSEC_PER_SEC);
		skip_string(&r, NULL);
		skip_string(&r, NULL);
		skip_string(&r, host.region);
		skip_string(&r, host.name);
		ck_assert_uint_eq(rows_u64(&r), host.id);
		window = n ? window : *(const uint64_t *)memcpy(&window, r.at, sizeof(window));
		ck_assert_uint_eq(rows_u64(&r), window);
		to[n].process = rows_u64(&r);
		to[n].stack = rows_u64(&r);
		to[n].state = rows_u8(&r);
		to[n].samples = rows_u64(&r);
		ck_assert_uint_eq(rows_u64(&r), 2500000);
		n++;
	}
	ck_assert(!rows_bad(&r));
	return n;
}

static bool among(uint64_t id, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

#define ROWS_MOST 4096
static uint64_t stacks[ROWS_MOST], processes[ROWS_MOST];
static struct sample samples[ROWS_MOST];

/* All that is counted is there once, and names what is there. */
static void is_whole(const struct profile *p, const struct ship_rows *rows)
{
	size_t nstacks = read_stacks(&rows->stacks, stacks);
	size_t nprocesses = read_processes(&rows->processes, processes);
	size_t n = read_samples(&rows->samples, samples);
	uint64_t sum = 0;

	ck_assert_uint_eq(n, rows->nsamples);
	ck_assert_uint_eq(nstacks + nprocesses, rows->nids);
	for (size_t i = 0; i < n; i++) {
		sum += samples[i].samples;
		ck_assert(among(samples[i].stack, stacks, nstacks));
		ck_assert(among(samples[i].process, processes, nprocesses));
		for (size_t k = 0; k < i; k++)
			ck_assert(samples[k].process != samples[i].process ||
				  samples[k].stack != samples[i].stack ||
				  samples[k].state != samples[i].state);
	}
	ck_assert_uint_eq(sum, p->samples_total);
}

START_TEST(sums_are_those_of_the_window)
{
	for (int i = 0; i < 200; i++) {
		_cleanup_(profile_freep) struct profile *p = drawn_window(START, NSEC_PER_SEC);
		_cleanup_(ship_rows_done) struct ship_rows rows = {};

		encode(p, &nothing, &rows);
		is_whole(p, &rows);
	}
}
END_TEST

START_TEST(hostile_names_are_bytes)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(ship_rows_done) struct ship_rows rows = {};

	p->start_ns = START;
	encode(p, &nothing, &rows);
	is_whole(p, &rows);
	ck_assert_ptr_nonnull(
		memmem(rows.stacks.data, rows.stacks.size, HOSTILE_QUOTES, strlen(HOSTILE_QUOTES)));
}
END_TEST

/* A retry has the keys that were there. */
START_TEST(the_same_window_is_the_same_rows)
{
	_cleanup_(profile_freep) struct profile *p = drawn_window(START, NSEC_PER_SEC);
	_cleanup_(ship_rows_done) struct ship_rows one = {}, again = {};

	while (!p->nsamples) {
		profile_free(p);
		p = drawn_window(START, NSEC_PER_SEC);
	}
	encode(p, &nothing, &one);
	encode(p, &nothing, &again);
	ck_assert_uint_eq(one.samples.size, again.samples.size);
	ck_assert_mem_eq(one.samples.data, again.samples.data, one.samples.size);
	ck_assert_mem_eq(one.stacks.data, again.stacks.data, one.stacks.size);
	ck_assert_mem_eq(one.head.data, again.head.data, one.head.size);
}
END_TEST

/* No target can tell which of its stacks have one id: another store has others. */
START_TEST(ids_are_of_the_store)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(ship_rows_done) struct ship_rows one = {}, other = {};

	p->start_ns = START;
	encode(p, &nothing, &one);
	host.seed = 1;
	encode(p, &nothing, &other);
	host.seed = 0;
	ck_assert_uint_eq(one.nids, other.nids);
	for (uint32_t i = 0; i < one.nids; i++)
		ck_assert_uint_ne(one.ids[i], other.ids[i]);
}
END_TEST

/* Two that differ in nothing that is shipped are one process, and one row. */
START_TEST(processes_alike_are_added_up)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(ship_rows_done) struct ship_rows rows = {};
	struct process_info info = known_process(7, "app");
	uint32_t frame, stack, process;

	ck_assert_int_eq(profile_new(START, 100, &p), 0);
	frame = known_frame(p, "f", "/srv/app.py", 1, 2);
	ck_assert_int_eq(dict_stack(p->dict, &frame, 1, &stack), 0);
	for (unsigned int i = 0; i < 2; i++) {
		info.start_ticks = 100 + i;
		ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
		ck_assert_uint_eq(process, i);
		ck_assert_int_eq(profile_add(p, process, 70 + i, stack, 10 + i), 0);
	}
	encode(p, &nothing, &rows);
	is_whole(p, &rows);
	ck_assert_uint_eq(rows.nsamples, 1);
	ck_assert_uint_eq(samples[0].samples, 21);
}
END_TEST

/* As where another share is for each service. */
START_TEST(a_process_without_weight_is_left_out)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(ship_rows_done) struct ship_rows rows = {};
	uint64_t of[] = { 0, 2500000 };
	const struct ship_weights weights = { .processes = of };

	ck_assert_uint_eq(p->nprocesses, ARRAY_SIZE(of));
	p->start_ns = START;
	ck_assert_int_eq(ship_encode(p, &host, &place, &weights, &nothing, &rows), 0);
	ck_assert_uint_eq(rows.count, p->processes[1].samples);
	ck_assert_uint_eq(read_processes(&rows.processes, processes), 1);
	ck_assert_uint_eq(read_samples(&rows.samples, samples), rows.nsamples);
}
END_TEST

START_TEST(what_is_there_is_left_out)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(ship_rows_done) struct ship_rows rows = {}, again = {};
	_cleanup_free_ struct seen *seen = calloc(1, sizeof(*seen));
	uint32_t last;

	p->start_ns = START;
	encode(p, &nothing, &rows);
	ck_assert_uint_gt(rows.nids, 3);
	last = rows.nids - 1;
	for (uint32_t i = 0; i < last; i++)
		seen_add(seen, rows.ids[i]);
	encode(p, seen, &again);
	ck_assert_uint_eq(again.nids, 1);
	ck_assert_uint_eq(again.ids[0], rows.ids[last]);
	ck_assert_uint_eq(read_stacks(&again.stacks, stacks) +
				  read_processes(&again.processes, processes),
			  1);
	ck_assert_uint_eq(again.samples.size, rows.samples.size);
}
END_TEST

START_TEST(a_bound_cuts_rows_and_no_sum)
{
	static const uint32_t bounds[] = { 1000, 300, 100 };
	_cleanup_(profile_freep) struct profile *p = NULL;
	uint64_t total;

	ck_assert_int_eq(profile_new(START, 100, &p), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		struct process_info info = known_process(100 + (pid_t)draw(5), "app");
		uint32_t frames[20], depth = 3 + draw(15), process;
		char name[16];

		ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
		for (uint32_t k = 0; k < depth; k++) {
			snprintf(name, sizeof(name), "f%u", k < 3 ? draw(4) : draw(500));
			frames[k] = known_frame(p, name, "/srv/app.py", 1, 1);
		}
		drawn_add(p, process, 1, frames, depth, 1 + draw(100));
	}
	total = p->samples_total;
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		_cleanup_(ship_rows_done) struct ship_rows rows = {};

		ck_assert_int_eq(ship_bound(&p, bounds[i]), 0);
		ck_assert_uint_le(p->nsamples, bounds[i]);
		ck_assert_uint_eq(p->samples_total, total);
		encode(p, &nothing, &rows);
		is_whole(p, &rows);
	}
}
END_TEST

CHECK_MAIN("ship/encode", sums_are_those_of_the_window, hostile_names_are_bytes,
	   the_same_window_is_the_same_rows, ids_are_of_the_store, processes_alike_are_added_up,
	   a_process_without_weight_is_left_out, what_is_there_is_left_out,
	   a_bound_cuts_rows_and_no_sum);
