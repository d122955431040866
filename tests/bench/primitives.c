/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *     bench_primitives
 *
 * Prints as JSON what one call of some BPF helpers costs here, in ns: the median of 21 runs of 1000
 * calls.
 *
 *     bench_primitives --floor HZ
 *
 * Has the program "floor" run at that rate on each CPU that is not idle, says READY, and ends when
 * its standard input does. The kernel's run statistics tell what it costs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int measure(struct primitives *p)
{
	static char page[4096];
	double loop[RUNS], read72[RUNS], read4096[RUNS], clock[RUNS];

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
	return EXIT_SUCCESS;
}

/* The links live as long as this process. */
static int run_floor(struct primitives *p, unsigned long long hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000ULL / hz,
		.exclude_idle = 1,
	};
	long cpus = sysconf(_SC_NPROCESSORS_CONF), attached = 0;

	for (long cpu = 0; cpu < cpus; cpu++) {
		long fd =
			syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && errno == ENODEV)
			continue; /* it is offline */
		if (fd < 0 || !bpf_program__attach_perf_event(p->progs.floor_tick, (int)fd)) {
			perror("primitives: cannot have a program run at each tick");
			return EXIT_FAILURE;
		}
		attached++;
	}
	if (!attached)
		return EXIT_FAILURE;
	printf("READY\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	unsigned long long hz = 0;
	struct primitives *p;
	int status;

	if (argc != 1) {
		hz = argc == 3 && strcmp(argv[1], "--floor") == 0 ? strtoull(argv[2], NULL, 10) : 0;
		if (hz < 1 || hz > 10000) {
			fprintf(stderr, "Usage: bench_primitives [--floor HZ], 1 to 10000\n");
			return 2;
		}
	}
	p = primitives__open_and_load();
	if (!p) {
		fprintf(stderr, "primitives: cannot load BPF programs, run as root\n");
		return EXIT_FAILURE;
	}
	status = hz ? run_floor(p, hz) : measure(p);
	primitives__destroy(p);
	return status;
}
