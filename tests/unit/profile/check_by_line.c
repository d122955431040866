/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/by_line.h"
#include "../format/known.h"
#include "check_main.h"

static const struct by_line_at *at(const struct by_line *l, int line)
{
	for (uint32_t i = 0; i < l->nlines; i++)
		if (l->lines[i].line == line)
			return &l->lines[i];
	ck_abort_msg("nothing of line %d", line);
	return NULL;
}

static const char *name_of(const struct profile *p, const struct by_line *l, uint32_t node)
{
	ck_assert_uint_lt(node, l->nnodes);
	return callgraph_function(p, &l->nodes[node])->name;
}

static uint64_t call(const struct profile *p, const struct by_line *l, const char *source, int line,
		     const char *target)
{
	for (uint32_t i = 0; i < l->ncalls; i++)
		if (l->calls[i].line == line && streq(name_of(p, l, l->calls[i].source), source) &&
		    streq(name_of(p, l, l->calls[i].target), target))
			return l->calls[i].count;
	return 0;
}

START_TEST(of_a_function)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(by_line_freep) struct by_line *l = NULL;

	ck_assert_int_eq(by_line_new(p, "Job.work", "/srv/app.py", &l), 0);
	ck_assert_uint_eq(l->total, KNOWN_TOTAL);
	ck_assert_uint_eq(l->nasked, 1);
	ck_assert_uint_eq(l->nodes[0].self, 61);
	ck_assert_uint_eq(l->nodes[0].total, 61);
	/* a line that recurs counts once in total; a sample has one innermost line */
	ck_assert_uint_eq(l->nlines, 2);
	ck_assert_int_eq(l->lines[0].line, 12);
	ck_assert_uint_eq(at(l, 12)->total, 61);
	ck_assert_uint_eq(at(l, 12)->self, 61);
	ck_assert_uint_eq(at(l, 14)->total, 20);
	ck_assert_uint_eq(at(l, 14)->self, 0);
	/* a call is told by the line that makes it, whose ever it is */
	ck_assert_uint_eq(l->ncalls, 3);
	ck_assert_uint_eq(call(p, l, "<module>", 90, "Job.work"), 61);
	ck_assert_uint_eq(call(p, l, "Job.work", 12, "Job.work"), 20);
	ck_assert_uint_eq(call(p, l, "Job.work", 14, "Job.work"), 20);
	/* whose samples they are: 60 of one process, 1 of the other */
	ck_assert_uint_eq(l->nprocesses, 2);
	ck_assert_uint_eq(p->processes[l->processes[0].process].info.pid, 100);
	ck_assert_uint_eq(l->processes[0].total, 60);
	ck_assert_uint_eq(l->processes[1].total, 1);
}
END_TEST

START_TEST(of_a_file)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_(by_line_freep) struct by_line *l = NULL, *none = NULL, *native = NULL;

	ck_assert_int_eq(by_line_new(p, NULL, "/srv/app.py", &l), 0);
	ck_assert_uint_eq(l->nasked, 2);
	ck_assert_str_eq(name_of(p, l, 0), "Job.work");
	ck_assert_str_eq(name_of(p, l, 1), "<module>");
	ck_assert_uint_eq(l->nlines, 3);
	ck_assert_uint_eq(at(l, 90)->total, 91);
	ck_assert_uint_eq(at(l, 90)->self, 0);
	ck_assert_uint_eq(call(p, l, "<module>", 90, HOSTILE_HTML), 11);
	ck_assert_int_eq(by_line_new(p, "Job.work", "/srv/other.py", &none), 0);
	ck_assert_uint_eq(none->nasked + none->nlines + none->ncalls + none->nprocesses, 0);
	ck_assert_uint_eq(none->total, KNOWN_TOTAL);
	/* of no program: it has no line */
	ck_assert_int_eq(by_line_new(p, "[native thread]", NULL, &native), 0);
	ck_assert_uint_eq(native->nasked, 1);
	ck_assert_int_eq(native->lines[0].line, 0);
	ck_assert_uint_eq(native->lines[0].self, 4);
}
END_TEST

/* Functions of one file, each on so many lines, each called by another one. */
static struct profile *many(uint32_t functions, uint32_t lines)
{
	struct process_info info = known_process(1, "many");
	struct profile *p = NULL;
	uint32_t process;

	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	ck_assert_int_eq(profile_process(p, &info, "3.13.0", &process), 0);
	for (uint32_t i = 0; i < functions; i++) {
		for (uint32_t k = 0; k < lines; k++) {
			char name[32], caller[32];
			uint32_t frames[2];

			snprintf(name, sizeof(name), "f%u", i);
			snprintf(caller, sizeof(caller), "caller%u", k);
			frames[0] = known_frame(p, caller, "/srv/callers.py", 1, 2);
			frames[1] = known_frame(p, name, "/srv/many.py", (int)(i * lines) + 1,
						(int)(i * lines + k) + 1);
			known_add(p, process, 1, frames, 2, 1 + i + k);
		}
	}
	return p;
}

START_TEST(bounds)
{
	_cleanup_(profile_freep) struct profile *p = many(600, 30);
	_cleanup_(by_line_freep) struct by_line *l = NULL;
	uint64_t lightest = UINT64_MAX;

	ck_assert_int_eq(by_line_new(p, NULL, "/srv/many.py", &l), 0);
	ck_assert_uint_eq(l->nasked, BY_LINE_FUNCTIONS);
	ck_assert_uint_eq(l->functions_left_out, 100);
	ck_assert_uint_eq(l->nlines, BY_LINE_LINES);
	ck_assert_uint_eq(l->lines_left_out, BY_LINE_FUNCTIONS * 30 - BY_LINE_LINES);
	ck_assert_uint_eq(l->ncalls, BY_LINE_CALLS);
	ck_assert_uint_eq(l->calls_left_out, BY_LINE_FUNCTIONS * 30 - BY_LINE_CALLS);
	/* what is left out is the lightest: the first hundred functions */
	for (uint32_t i = 0; i < l->nasked; i++)
		ck_assert_int_gt(callgraph_function(p, &l->nodes[i])->line, 100 * 30);
	for (uint32_t i = 0; i < l->nlines; i++)
		lightest = MIN(lightest, l->lines[i].total);
	ck_assert_uint_gt(lightest, 200);
	for (uint32_t i = 1; i < l->nlines; i++)
		ck_assert(l->lines[i - 1].function < l->lines[i].function ||
			  l->lines[i - 1].line < l->lines[i].line);
	for (uint32_t i = 1; i < l->ncalls; i++)
		ck_assert_uint_ge(l->calls[i - 1].count, l->calls[i].count);
}
END_TEST

CHECK_MAIN("profile/by_line", of_a_function, of_a_file, bounds);
