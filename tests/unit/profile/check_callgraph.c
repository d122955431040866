/* SPDX-License-Identifier: BSD-2-Clause */
#include "../format/known_off_cpu.h"
#include "check_main.h"

static const struct callgraph_node *node(const struct profile *p, const struct callgraph *g,
					 const char *name)
{
	for (uint32_t i = 0; i < g->nnodes; i++)
		if (streq(callgraph_function(p, &g->nodes[i])->name, name))
			return &g->nodes[i];
	ck_abort_msg("no node %s", name);
	return NULL;
}

static uint64_t edge(const struct profile *p, const struct callgraph *g, const char *source,
		     const char *target)
{
	for (uint32_t i = 0; i < g->nedges; i++)
		if (node(p, g, source) == &g->nodes[g->edges[i].source] &&
		    node(p, g, target) == &g->nodes[g->edges[i].target])
			return g->edges[i].count;
	return 0;
}

START_TEST(known_graph)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;

	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	ck_assert_uint_eq(g->total, KNOWN_TOTAL);
	ck_assert_uint_eq(g->nnodes, 9);
	/*
	 * Two lines of one function are one node; recursion counts once in total and once as an
	 * edge to itself.
	 */
	ck_assert_uint_eq(node(p, g, "Job.work")->self, 61);
	ck_assert_uint_eq(node(p, g, "Job.work")->total, 61);
	ck_assert_uint_eq(node(p, g, "<module>")->self, 0);
	ck_assert_uint_eq(node(p, g, "<module>")->total, 91);
	ck_assert_uint_eq(node(p, g, "[native thread]")->self, 4);
	ck_assert_uint_eq(edge(p, g, "<module>", "Job.work"), 61);
	ck_assert_uint_eq(edge(p, g, "Job.work", "Job.work"), 20);
	ck_assert_uint_eq(edge(p, g, "<module>", HOSTILE_HTML), 11);
	ck_assert_uint_eq(edge(p, g, "[truncated]", HOSTILE_CONTROL), 5);
	ck_assert_uint_eq(edge(p, g, "Job.work", "<module>"), 0);
	ck_assert_uint_eq(g->nedges, 7);
}
END_TEST

START_TEST(order_is_told_by_content)
{
	_cleanup_(profile_freep) struct profile *p = known_profile(), *other = NULL;
	_cleanup_(callgraph_freep) struct callgraph *g = NULL, *h = NULL;
	uint64_t self = 0;

	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	for (uint32_t i = 0; i < g->nnodes; i++) {
		ck_assert_uint_le(g->nodes[g->nnodes - 1].self, g->nodes[i].self);
		if (i > 0)
			ck_assert_uint_ge(g->nodes[i - 1].self, g->nodes[i].self);
		self += g->nodes[i].self;
	}
	/* Every sample has one innermost function. */
	ck_assert_uint_eq(self, KNOWN_TOTAL);
	/* The same content with other ids. */
	ck_assert_int_eq(profile_new(0, 100, &other), 0);
	known_frame(other, HOSTILE_BYTES, "/srv/\xfe.py", 13, 15);
	known_frame(other, HOSTILE_HTML, "/srv/<b>.py", 3, 4);
	ck_assert_int_eq(profile_merge(other, p), 0);
	ck_assert_int_eq(callgraph_new(other, CALLGRAPH_NODES, &h), 0);
	ck_assert_uint_eq(g->nnodes, h->nnodes);
	for (uint32_t i = 0; i < g->nnodes; i++)
		ck_assert_str_eq(dict_get_function(p->dict, g->nodes[i].function)->name,
				 dict_get_function(other->dict, h->nodes[i].function)->name);
	ck_assert_uint_eq(g->nedges, h->nedges);
	ck_assert_int_eq(memcmp(g->edges, h->edges, g->nedges * sizeof(*g->edges)), 0);
}
END_TEST

START_TEST(off_cpu_time_is_weighed_in_microseconds)
{
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;

	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	ck_assert_uint_eq(g->total, KNOWN_TIME_US);
	ck_assert_uint_eq(node(p, g, "work")->self, KNOWN_TIME_US);
	ck_assert_uint_eq(node(p, g, "main")->total, KNOWN_TIME_US);
	ck_assert_uint_eq(edge(p, g, "main", "work"), KNOWN_TIME_US);
	ck_assert_uint_eq(g->states[SAMPLE_PLAIN], 0);
	ck_assert_uint_eq(g->states[SAMPLE_GIL_HELD], 30000);
	ck_assert_uint_eq(g->states[SAMPLE_WAITING_GIL], 15000);
	ck_assert_uint_eq(g->states[SAMPLE_SLEEPING], 100000);
}
END_TEST

START_TEST(empty_profile_has_an_empty_graph)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	/* Known but never sampled, and sampled without any frame. */
	known_frame(p, "unused", "u.py", 1, 1);
	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	ck_assert_uint_eq(g->nnodes, 0);
	ck_assert_uint_eq(g->nedges, 0);
	ck_assert_uint_eq(g->total, 0);
}
END_TEST

/* Against a plain count of pairs, over stacks that share everything. */
START_TEST(many_edges)
{
	enum { FUNCTIONS = 60, STACKS = 400, DEPTH = 20 };
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	static uint64_t expected[FUNCTIONS][FUNCTIONS], found;
	struct process_info info = known_process(1, "x");
	uint32_t process, frames[FUNCTIONS], stack[DEPTH], state = 1, n = 0;
	char name[16];

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	for (int i = 0; i < FUNCTIONS; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		frames[i] = known_frame(p, name, "x.py", 1, 1);
	}
	for (uint32_t s = 0; s < STACKS; s++) {
		bool seen[FUNCTIONS][FUNCTIONS] = {};
		uint32_t before = 0;

		for (uint32_t d = 0; d < DEPTH; d++) {
			state = state * 1103515245 + 12345;
			stack[d] = frames[(state >> 16) % FUNCTIONS];
			if (d && !seen[before][stack[d]]) {
				seen[before][stack[d]] = true;
				expected[before][stack[d]] += s + 1;
			}
			before = stack[d];
		}
		known_add(p, process, 1, stack, DEPTH, s + 1);
	}
	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	for (uint32_t i = 0; i < g->nedges; i++) {
		uint32_t a = g->nodes[g->edges[i].source].function,
			 b = g->nodes[g->edges[i].target].function;

		ck_assert_uint_eq(g->edges[i].count, expected[a][b]);
	}
	for (int a = 0; a < FUNCTIONS; a++)
		for (int b = 0; b < FUNCTIONS; b++)
			n += expected[a][b] > 0;
	found = g->nedges;
	ck_assert_uint_eq(found, n);
}
END_TEST

static uint64_t self_of_all(const struct callgraph *g)
{
	uint64_t self = 0;

	for (uint32_t i = 0; i < g->nnodes; i++)
		self += g->nodes[i].self;
	return self;
}

/*
 * main; then, for each i, step; f<i>, i + 1 times: what is heavy by itself, and main and step by
 * what they call.
 */
static struct profile *wide_profile(uint32_t functions, bool backwards, const char *file)
{
	struct process_info info = known_process(1, "x");
	struct profile *p;
	uint32_t process, stack[4];
	char name[16];

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	for (uint32_t k = 0; k < functions; k++) {
		uint32_t i = backwards ? functions - 1 - k : k;

		snprintf(name, sizeof(name), "f%05u", i);
		stack[0] = known_frame(p, "main", "m.py", 1, 2);
		stack[1] = known_frame(p, "step", "m.py", 5, 6);
		stack[2] = stack[3] = known_frame(p, name, file, (int)i, (int)i);
		/* they recur, which is no call of [other] by itself */
		known_add(p, process, 1, stack, 4, i + 1);
	}
	return p;
}

START_TEST(the_lightest_are_other)
{
	enum { N = 1000, MAX = 100 };
	_cleanup_(profile_freep) struct profile *p = wide_profile(N, false, "w.py");
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	/*
	 * Half of MAX by self; of the others main and step are the heaviest by total, then again
	 * functions.
	 */
	const uint64_t all = N * (N + 1) / 2, kept = MAX - 2,
		       rest = (N - kept) * (N - kept + 1) / 2;

	ck_assert_int_eq(callgraph_new(p, MAX, &g), 0);
	ck_assert_uint_eq(g->nnodes, MAX + 1);
	ck_assert_uint_eq(g->merged, N - kept);
	ck_assert_uint_eq(g->total, all);
	ck_assert_uint_eq(self_of_all(g), all);
	ck_assert_uint_eq(node(p, g, "main")->total, all);
	ck_assert_uint_eq(node(p, g, "f00999")->self, N);
	ck_assert_uint_eq(node(p, g, "f00902")->self, 903);
	ck_assert_uint_eq(node(p, g, PROFILE_OTHER)->self, rest);
	ck_assert_uint_eq(node(p, g, PROFILE_OTHER)->total, rest);
	ck_assert_uint_eq(edge(p, g, "main", "step"), all);
	ck_assert_uint_eq(edge(p, g, "step", PROFILE_OTHER), rest);
	ck_assert_uint_eq(edge(p, g, "f00999", "f00999"), N);
	ck_assert_uint_eq(edge(p, g, PROFILE_OTHER, PROFILE_OTHER), 0);
	ck_assert_uint_eq(g->edges_left_out, 0);
}
END_TEST

START_TEST(what_is_other_is_told_by_content)
{
	_cleanup_(profile_freep) struct profile *p = wide_profile(500, false, "w.py");
	_cleanup_(profile_freep) struct profile *q = wide_profile(500, true, "w.py");
	_cleanup_(callgraph_freep) struct callgraph *g = NULL, *h = NULL;

	ck_assert_int_eq(callgraph_new(p, 33, &g), 0);
	ck_assert_int_eq(callgraph_new(q, 33, &h), 0);
	ck_assert_uint_eq(g->nnodes, h->nnodes);
	for (uint32_t i = 0; i < g->nnodes; i++) {
		ck_assert_str_eq(callgraph_function(p, &g->nodes[i])->name,
				 callgraph_function(q, &h->nodes[i])->name);
		ck_assert_uint_eq(g->nodes[i].total, h->nodes[i].total);
	}
	ck_assert_uint_eq(g->nedges, h->nedges);
	ck_assert_int_eq(memcmp(g->edges, h->edges, g->nedges * sizeof(*g->edges)), 0);
}
END_TEST

/* What a window has merged already is the same [other], not one beside it. */
START_TEST(there_is_one_other)
{
	_cleanup_(profile_freep) struct profile *p = wide_profile(100, false, "w.py");
	_cleanup_(callgraph_freep) struct callgraph *g = NULL, *whole = NULL;
	uint32_t others = 0, frame = known_synthetic(p, PROFILE_OTHER);

	known_add(p, 0, 0, &frame, 1, 100000);
	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &whole), 0);
	ck_assert_uint_eq(whole->merged, 0);
	ck_assert_uint_eq(node(p, whole, PROFILE_OTHER)->self, 100000);
	ck_assert_int_eq(callgraph_new(p, 10, &g), 0);
	for (uint32_t i = 0; i < g->nnodes; i++)
		others += streq(callgraph_function(p, &g->nodes[i])->name, PROFILE_OTHER);
	ck_assert_uint_eq(others, 1);
	/* it is among the heaviest, and leaves its place to none */
	ck_assert_uint_eq(g->nnodes, 10);
	ck_assert_uint_eq(g->merged, 102 - 9);
	ck_assert_uint_eq(self_of_all(g), 105050);
	ck_assert_uint_gt(node(p, g, PROFILE_OTHER)->self, 100000);
	ck_assert_uint_eq(node(p, g, PROFILE_OTHER)->self, node(p, g, PROFILE_OTHER)->total);
}
END_TEST

/* Names may be long: it is their text that is bounded, too. */
START_TEST(long_names_are_bounded)
{
	static char file[4096];
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;

	memset(file, 'x', sizeof(file) - 1);
	p = wide_profile(2000, false, file);
	ck_assert_int_eq(callgraph_new(p, CALLGRAPH_NODES, &g), 0);
	/* main and step, whose names are short, and [other] */
	ck_assert_uint_eq(g->nnodes, 3 + CALLGRAPH_TEXT / (sizeof(file) - 1 + 6));
	ck_assert_uint_eq(self_of_all(g), 2000 * 2001 / 2);
	ck_assert_uint_eq(node(p, g, "f01999")->self, 2000);
}
END_TEST

START_TEST(the_lightest_calls_are_left_out)
{
	enum { N = 40 };
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(callgraph_freep) struct callgraph *g = NULL;
	struct process_info info = known_process(1, "x");
	uint32_t process, frames[N], stack[2];
	char name[16];

	ck_assert_int_eq(profile_new(0, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		frames[i] = known_frame(p, name, "x.py", 1, 1);
	}
	for (uint32_t a = 0; a < N; a++) {
		for (uint32_t b = 0; b < N; b++) {
			stack[0] = frames[a];
			stack[1] = frames[b];
			known_add(p, process, 1, stack, 2, 1 + a * N + b);
		}
	}
	ck_assert_int_eq(callgraph_new(p, N, &g), 0);
	ck_assert_uint_eq(g->merged, 0);
	ck_assert_uint_eq(g->nedges, N * CALLGRAPH_EDGES_EACH);
	ck_assert_uint_eq(g->edges_left_out, N * N - N * CALLGRAPH_EDGES_EACH);
	ck_assert_uint_eq(edge(p, g, "f39", "f39"), N * N);
	ck_assert_uint_eq(edge(p, g, "f00", "f00"), 0);
}
END_TEST

CHECK_MAIN("profile/callgraph", known_graph, order_is_told_by_content,
	   off_cpu_time_is_weighed_in_microseconds, empty_profile_has_an_empty_graph, many_edges,
	   the_lightest_are_other, what_is_other_is_told_by_content, there_is_one_other,
	   long_names_are_bounded, the_lightest_calls_are_left_out);
