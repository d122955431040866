/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk without bpf_loop(), for kernels before 5.17, on this kernel: it must load, and see the
 * stacks of a Python that is 33 frames deep, whole. Usage: bounded PYTHON DEEP.PY
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "python/python.h"
#include "sampler/sampler.h"
#include "util/clock.h"

#define DEPTH     33
#define DEADLINE  (30 * NSEC_PER_SEC)
#define GIL_FLAGS (PLOP_STACK_GIL_HELD | PLOP_STACK_GIL_RELEASED)

static unsigned int whole, other;
static uint64_t image; /* of the process that executed something last */

static void on_stack(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
	if (stack->depth == DEPTH && !(stack->flags & ~GIL_FLAGS))
		whole += stack->count;
	else
		other += stack->count;
}

static void on_code(const struct plop_record_code *r, void *ctx)
{
}

static void on_process(const struct plop_record *r, void *ctx)
{
	if (r->type == PLOP_RECORD_EXEC && r->tgid == *(uint32_t *)ctx)
		image = r->image;
}

static void on_fork(const struct plop_record_fork *r, void *ctx)
{
}

static void on_review(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
}

static void on_state(const struct plop_record_state *r, void *ctx)
{
}

static void on_pressure(void *ctx)
{
}

/* Starts the workload and waits for its READY; its standard output is *ret_out. */
static pid_t start(char *python, char *script, FILE **ret_out)
{
	char *command[] = {
		python,       script, (char *)"--depth", (char *)"33", (char *)"--seconds",
		(char *)"60", NULL
	};
	char line[256];
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execvp(python, command);
		_exit(127);
	}
	close(ends[1]);
	*ret_out = fdopen(ends[0], "r");
	if (pid > 0 && (!*ret_out || !fgets(line, sizeof(line), *ret_out)))
		fprintf(stderr, "bounded: the workload did not start\n");
	return pid;
}

/* Samples pid until there are enough stacks, or the deadline passes. */
static int sample(struct sampler *s, pid_t pid)
{
	_cleanup_(python_cache_freep) struct python_cache *cache = NULL;
	struct sampler_counters counters = {};
	struct plop_process p = { .state = PLOP_STATE_PROFILED };
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + DEADLINE;
	struct timespec pause = { .tv_nsec = 20 * NSEC_PER_MSEC };
	struct python_process python;
	uint32_t layout = 0;
	char *error = NULL;
	int r;

	r = python_cache_new(&cache);
	if (r >= 0)
		r = python_discover(cache, pid, &python);
	if (r < 0 || python.verdict != PYTHON_YES)
		return r < 0 ? r : -ENOENT;
	r = sampler_dispatch(s, UINT64_MAX);
	p.image = image;
	p.runtime = python.runtime;
	if (r >= 0)
		r = sampler_layout_add(s, &python.layout, SAMPLER_TRUSTED, &layout);
	p.layout = (uint16_t)layout;
	if (r >= 0)
		r = sampler_process_set(s, (uint32_t)pid, &p);
	if (r >= 0)
		r = sampler_start(s, &error);
	free(error);
	while (r >= 0 && whole < 100 && clock_ns(CLOCK_MONOTONIC) < until) {
		nanosleep(&pause, NULL);
		sampler_swap(s);
		do {
			nanosleep(&pause, NULL);
			r = sampler_review(s, UINT64_MAX);
		} while (r == -EAGAIN);
		if (r >= 0)
			sampler_collect(s, &counters, UINT64_MAX);
	}
	return r;
}

int main(int argc, char *argv[])
{
	static uint32_t target;
	static const struct sampler_handlers handlers = { .ctx = &target,
							  .review = on_review,
							  .stack = on_stack,
							  .code = on_code,
							  .process = on_process,
							  .fork = on_fork,
							  .state = on_state,
							  .pressure = on_pressure };
	struct sampler_options options = { .hz = 500,
					   .max_depth = PLOP_MAX_DEPTH,
					   .bounded = true };
	_cleanup_(sampler_freep) struct sampler *s = NULL;
	_cleanup_fclose_ FILE *out = NULL;
	_cleanup_free_ char *error = NULL;
	pid_t pid;
	int r;

	if (argc != 3)
		return 2;
	if (geteuid() != 0) {
		printf("SKIP: needs root, to load BPF programs\n");
		return 77;
	}
	r = sampler_new(&options, &handlers, &s, &error);
	if (r < 0) {
		fprintf(stderr, "bounded: %s\n", error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	pid = start(argv[1], argv[2], &out);
	if (pid < 0)
		return EXIT_FAILURE;
	target = (uint32_t)pid;
	r = sample(s, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("%u whole stacks of %d frames, %u others\n", whole, DEPTH, other);
	return r >= 0 && whole >= 100 && other <= whole / 5 ? EXIT_SUCCESS : EXIT_FAILURE;
}
