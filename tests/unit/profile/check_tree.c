/* SPDX-License-Identifier: BSD-2-Clause */
#include "../format/known.h"
#include "check_main.h"
#include "profile/tree.h"

static struct profile *p;
static struct tree *t;

static void setup(void)
{
	p = known_profile();
	t = NULL;
}

static void teardown(void)
{
	tree_free(t);
	profile_free(p);
}

/* The child of that name; NULL: there is none. */
static const struct tree_node *child(const struct tree_node *n, const char *name)
{
	for (uint32_t i = n->child; i; i = t->nodes[i].next) {
		if (streq(tree_function(p, &t->nodes[i])->name, name))
			return &t->nodes[i];
	}
	return NULL;
}

/* Each node's value is its own and its children's; children are in the order of their names. */
static void adds_up(void)
{
	for (uint32_t k = 0; k < t->nnodes; k++) {
		uint64_t sum = t->nodes[k].self;
		const char *before = "";

		for (uint32_t i = t->nodes[k].child; i; i = t->nodes[i].next) {
			const char *name = tree_function(p, &t->nodes[i])->name;

			sum += t->nodes[i].value;
			if (t->nodes[i].function != TREE_OTHER) {
				ck_assert_int_le(strcmp(before, name), 0);
				before = name;
			}
		}
		ck_assert_uint_eq(sum, t->nodes[k].value);
	}
}

START_TEST(as_known)
{
	const struct tree_node *module, *work;

	ck_assert_int_eq(tree_new(p, &t), 0);
	adds_up();
	ck_assert_uint_eq(t->nodes[0].value, KNOWN_TOTAL);
	ck_assert_uint_eq(t->folded, 0);
	ck_assert_uint_eq(t->states[SAMPLE_PLAIN], KNOWN_TOTAL);
	module = child(t->nodes, "<module>");
	ck_assert_ptr_nonnull(module);
	/* 30 + 10 of two threads and 1 of the other process; 20 that recur */
	work = child(module, "Job.work");
	ck_assert_ptr_nonnull(work);
	ck_assert_uint_eq(work->self, 41);
	ck_assert_uint_eq(work->value, 61);
	work = child(work, "Job.work");
	ck_assert_ptr_nonnull(work);
	ck_assert_uint_eq(work->self, 0);
	ck_assert_uint_eq(child(work, "Job.work")->self, 20);
	ck_assert_uint_eq(child(t->nodes, "[native thread]")->value, 4);
}
END_TEST

START_TEST(nothing)
{
	profile_free(p);
	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	ck_assert_int_eq(tree_new(p, &t), 0);
	ck_assert_uint_eq(t->nnodes, 1);
	ck_assert_uint_eq(t->nodes[0].value, 0);
}
END_TEST

/* What is too narrow is one child of its caller, of the same weight, and is counted. */
START_TEST(narrow_ones_are_folded)
{
	uint32_t root = known_frame(p, "root", "/srv/r.py", 1, 1), frames[3] = { root };
	const struct tree_node *n;
	char name[32];

	known_add(p, 0, 1, frames, 1, TREE_WIDTH * 100);
	for (unsigned int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "thin%u", i);
		frames[1] = known_frame(p, name, "/srv/r.py", 1, 1);
		frames[2] = known_frame(p, "leaf", "/srv/r.py", 1, 1);
		known_add(p, 0, 1, frames, 3, 2);
	}
	ck_assert_int_eq(tree_new(p, &t), 0);
	adds_up();
	ck_assert_uint_eq(t->nodes[0].value, KNOWN_TOTAL + TREE_WIDTH * 100 + 100);
	n = child(t->nodes, "root");
	ck_assert_uint_eq(n->value, TREE_WIDTH * 100 + 100);
	n = child(n, PROFILE_OTHER);
	ck_assert_ptr_nonnull(n);
	ck_assert_uint_eq(n->value, 100);
	/* each with its leaf, and what was known before */
	ck_assert_uint_ge(t->folded, 100);
	ck_assert_uint_ge(t->folded_value, 100);
	ck_assert_uint_le(t->folded_value, 100 + KNOWN_TOTAL);
}
END_TEST

/* Deeper than anybody can see: the sums are there, below the last that is shown. */
START_TEST(deep_ones_are_cut)
{
	uint32_t frames[TREE_DEPTH + 50], deepest = 0, depth = 0;
	char name[32];

	profile_free(p);
	p = known_profile();
	for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++) {
		snprintf(name, sizeof(name), "deep%u", i);
		frames[i] = known_frame(p, name, "/srv/d.py", 1, 1);
	}
	known_add(p, 0, 1, frames, ARRAY_SIZE(frames), 7);
	known_add(p, 0, 1, frames, TREE_DEPTH, 5);
	ck_assert_int_eq(tree_new(p, &t), 0);
	adds_up();
	ck_assert_uint_eq(t->nodes[0].value, KNOWN_TOTAL + 12);
	for (uint32_t i = 0; i < t->nnodes; i++)
		deepest = t->nodes[i].self == 5 && t->nodes[i].value == 12 ? i : deepest;
	ck_assert_uint_ne(deepest, 0);
	ck_assert_uint_eq(t->nodes[t->nodes[deepest].child].function, TREE_OTHER);
	ck_assert_uint_eq(t->nodes[t->nodes[deepest].child].value, 7);
	for (const struct tree_node *n = child(t->nodes, "deep0"); n->child;
	     n = &t->nodes[n->child])
		depth++;
	ck_assert_uint_eq(depth, TREE_DEPTH);
}
END_TEST

/* However many stacks there are, and whoever made them up: it is bounded, and nothing is lost. */
START_TEST(bounded)
{
	uint32_t frames[60];
	uint64_t sum = KNOWN_TOTAL;
	uint64_t state = 1;
	char name[32];

	for (unsigned int i = 0; i < 2000; i++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(frames); k++) {
			state = state * UINT64_C(6364136223846793005) + 1;
			snprintf(name, sizeof(name), "f%u", (unsigned int)(state >> 60));
			frames[k] = known_frame(p, name, "/srv/b.py", 1, 1);
		}
		known_add(p, 0, 1, frames, ARRAY_SIZE(frames), 1);
		sum++;
	}
	ck_assert_int_eq(tree_new(p, &t), 0);
	adds_up();
	ck_assert_uint_le(t->nnodes, TREE_NODES);
	ck_assert_uint_eq(t->nodes[0].value, sum);
	ck_assert_uint_gt(t->folded, 0);
}
END_TEST

CHECK_MAIN_WITH("profile/tree", setup, teardown, as_known, nothing, narrow_ones_are_folded,
		deep_ones_are_cut, bounded);
