/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints as JSON what one call of some BPF helpers costs here, in ns: the median of 21 runs of 1000
 * calls.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "primitives.skel.h"

#define RUNS  21
#define CALLS 1000.0

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
	qsort(values, RUNS, sizeof(*values), by_value);
	return values[RUNS / 2];
}

int main(void)
{
	static char page[4096];
	double loop[RUNS], read72[RUNS], read4096[RUNS], clock[RUNS];
	struct primitives *p = primitives__open_and_load();

	if (!p) {
		fprintf(stderr, "primitives: cannot load BPF programs, run as root\n");
		return EXIT_FAILURE;
	}
	memset(page, 1, sizeof(page));
	p->bss->user_address = (unsigned long)page;
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options);

		if (bpf_prog_test_run_opts(bpf_program__fd(p->progs.primitives), &options) < 0) {
			perror("primitives: cannot run the program");
			return EXIT_FAILURE;
		}
		loop[i] = (double)p->bss->loop_ns / CALLS;
		read72[i] = (double)p->bss->read72_ns / CALLS;
		read4096[i] = (double)p->bss->read4096_ns / CALLS;
		clock[i] = (double)p->bss->clock_ns / CALLS;
	}
	printf("{\"loop_step\": %.1f, \"read_72\": %.1f, \"read_4096\": %.1f, \"clock\": %.1f}\n",
	       median(loop), median(read72), median(read4096), median(clock));
	primitives__destroy(p);
	return EXIT_SUCCESS;
}
