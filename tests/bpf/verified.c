/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel's verifier looks at in each program, which is nearly all of plopd's start: some
 * 500 instructions a millisecond. What is seldom done belongs in a function of its own, which is
 * looked at once, and not on each way that leads there.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plop/events.h"

/* has variables of types that are declared above */
#include "plop.skel.h"

#define MOST 80000u

/* For kernels that are older than those that have the others: it is made of loops. */
static const char bounded[] = "plop_tick_bound";

static int verify(const struct bpf_program *p)
{
	const char *name = bpf_program__name(p);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &length) < 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return -1;
	}
	printf("%-16s %6u instructions looked at\n", name, info.verified_insns);
	return info.verified_insns <= MOST || strcmp(name, bounded) == 0 ? 0 : -1;
}

int main(void)
{
	struct plop *skel = plop__open();
	struct bpf_program *p;
	int failed = 0, r;

	if (!skel)
		return 1;
	bpf_object__for_each_program(p, skel->obj) bpf_program__set_autoload(p, true);
	r = plop__load(skel);
	if (r < 0) {
		plop__destroy(skel);
		printf("the programs do not load here: %s\n", strerror(-r));
		return 1;
	}
	bpf_object__for_each_program(p, skel->obj) failed |= verify(p) < 0;
	plop__destroy(skel);
	if (failed)
		printf("at most %u are for each\n", MOST);
	return failed;
}
