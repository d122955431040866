/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel's verifier looks at in each program, which is nearly all of plopd's start: some
 * 500 instructions a millisecond. What is seldom done belongs in a function of its own, which is
 * looked at once, and not on each way that leads there.
 *
 * And what each program has on its stack, with all functions that are in one another: kernels up to
 * 6.12 at least refuse what has more than 512 bytes (check_max_stack_depth() of
 * kernel/bpf/verifier.c), newer ones do not.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plop/events.h"

/* has variables of types that are declared above */
#include "plop.skel.h"

#define MOST       80000u
#define MOST_STACK 512u

/* What a loop adds that the kernel puts in place of bpf_loop(): optimize_bpf_loop(), from 6.0. */
#define LOOP_STACK 24u

#define FUNCTIONS_MAX 64
#define PROGRAMS_MAX  32
#define LOG_SIZE      (16u << 10) /* the figures alone are some lines */

/* For kernels that are older than those that have the others: it is made of loops. */
static const char bounded[] = "plop_tick_bound";

/* The functions of a program, the first of which is the program itself. */
struct functions {
	size_t n;
	size_t start[FUNCTIONS_MAX]; /* number of its first instruction, rising */
	unsigned int stack[FUNCTIONS_MAX];
};

/* The function that an instruction calls, or hands to a helper; 0: none. */
static size_t called(const struct bpf_insn *insns, size_t i)
{
	bool calls = insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL;
	bool hands = insns[i].code == (BPF_LD | BPF_DW | BPF_IMM) &&
		     insns[i].src_reg == BPF_PSEUDO_FUNC;

	return calls || hands ? (size_t)((long)i + 1 + insns[i].imm) : 0;
}

static void function_add(struct functions *f, size_t start)
{
	size_t at = 0;

	while (at < f->n && f->start[at] < start)
		at++;
	if ((at < f->n && f->start[at] == start) || f->n == FUNCTIONS_MAX)
		return;
	memmove(&f->start[at + 1], &f->start[at], (f->n - at) * sizeof(f->start[0]));
	f->start[at] = start;
	f->n++;
}

/* The verifier says "stack depth 96+0+32", in the order of the functions. -EBADMSG: it does not. */
static int functions_find(const struct bpf_program *p, const char *log, struct functions *f)
{
	const struct bpf_insn *insns = bpf_program__insns(p);
	const char *said = strstr(log, "stack depth ");
	char *next;

	f->n = 0;
	function_add(f, 0);
	for (size_t i = 0; i < bpf_program__insn_cnt(p); i++) {
		if (called(insns, i))
			function_add(f, called(insns, i));
	}
	if (!said)
		return -EBADMSG;
	said += strlen("stack depth");
	for (size_t i = 0; i < f->n; i++, said = next) {
		f->stack[i] = (unsigned int)strtoul(said + 1, &next, 10);
		if (next == said + 1 || *next != (i + 1 < f->n ? '+' : '\n'))
			return -EBADMSG;
	}
	return 0;
}

/* Of function n and all that it calls, at most. Nothing calls itself: the kernel refuses that. */
static unsigned int stack_of(const struct bpf_program *p, const struct functions *f, size_t n)
{
	size_t end = n + 1 < f->n ? f->start[n + 1] : bpf_program__insn_cnt(p);
	const struct bpf_insn *insns = bpf_program__insns(p);
	unsigned int own = f->stack[n], most = 0;
	bool loops = false;

	for (size_t i = f->start[n]; i < end; i++) {
		size_t to = called(insns, i);

		loops |= insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0 &&
			 insns[i].imm == BPF_FUNC_loop;
		for (size_t k = 0; to && k < f->n; k++) {
			if (f->start[k] == to && stack_of(p, f, k) > most)
				most = stack_of(p, f, k);
		}
	}
	if (loops && own >= LOOP_STACK)
		own -= LOOP_STACK;
	return (own ? (own + 31) / 32 * 32 : 32) + most;
}

static int verify(const struct bpf_program *p, const char *log)
{
	const char *name = bpf_program__name(p);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	struct functions f;
	unsigned int stack;

	if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &length) < 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return -1;
	}
	if (functions_find(p, log, &f) < 0) {
		fprintf(stderr, "%s: the verifier does not say what is on the stack\n", name);
		return -1;
	}
	stack = stack_of(p, &f, 0);
	printf("%-16s %6u instructions looked at, %3u bytes of stack\n", name, info.verified_insns,
	       stack);
	return stack <= MOST_STACK && (info.verified_insns <= MOST || strcmp(name, bounded) == 0) ?
		       0 :
		       -1;
}

int main(void)
{
	static char logs[PROGRAMS_MAX][LOG_SIZE];
	struct plop *skel = plop__open();
	struct bpf_program *p;
	size_t n = 0;
	int failed = 0, r;

	if (!skel)
		return 1;
	bpf_object__for_each_program(p, skel->obj)
	{
		bpf_program__set_autoload(p, true);
		bpf_program__set_log_level(p, 4); /* BPF_LOG_STATS */
		if (n == PROGRAMS_MAX || bpf_program__set_log_buf(p, logs[n++], LOG_SIZE) < 0)
			return 1;
	}
	r = plop__load(skel);
	if (r < 0) {
		plop__destroy(skel);
		printf("the programs do not load here: %s\n", strerror(-r));
		return 1;
	}
	bpf_object__for_each_program(p, skel->obj)
	{
		size_t size;
		const char *log = bpf_program__log_buf(p, &size);

		failed |= verify(p, log) < 0;
	}
	plop__destroy(skel);
	if (failed)
		printf("at most %u instructions, and %u bytes, are for each\n", MOST, MOST_STACK);
	return failed;
}
