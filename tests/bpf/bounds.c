/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has a bound on the kernel side comes back: where tasks are kept is forgotten when no process
 * keeps them there any more, and threads that are made leave the ring buffer's last quarter to what
 * tells of processes.
 */
#include <pthread.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "sampler/private.h"

/* No process has such a number (PID_MAX_LIMIT is 4194304). */
#define FIRST 5000000u
#define USER  61001

static size_t threads, execs;
static uint32_t child;

static void on_stack(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
}

static void on_code(const struct plop_record_code *r, void *ctx)
{
}

static void on_process(const struct plop_record *r, void *ctx)
{
	threads += r->type == PLOP_RECORD_THREAD && r->tgid == (uint32_t)getpid();
	execs += r->type == PLOP_RECORD_EXEC && r->tgid == child;
}

static void on_fork(const struct plop_record_fork *r, void *ctx)
{
}

static void on_pressure(void *ctx)
{
}

/* A process that keeps its tasks in a way of its own. */
static int add(struct sampler *s, uint32_t n, uid_t user, uint32_t way)
{
	struct plop_process p = { .image = FIRST + n, .state = PLOP_STATE_PROFILED };
	struct plop_async async = {};
	int r = sampler_process_set(s, FIRST + n, &p, true);

	memcpy(&async, &way, sizeof(way));
	return r < 0 ? r : sampler_process_set_async(s, FIRST + n, FIRST + n, user, &async);
}

static void drop(struct sampler *s, uint32_t n)
{
	sampler_process_drop(s, FIRST + n, FIRST + n);
}

static int expect(const char *what, int r, int wanted)
{
	if (r == wanted)
		return 0;
	fprintf(stderr, "bounds: %s: %d, not %d\n", what, r, wanted);
	return -1;
}

static int asyncs(struct sampler *s)
{
	uint32_t n = 0;

	for (; n < PLOP_MAX_USER_LAYOUTS; n++) {
		if (expect("as many as a user may bring", add(s, n, USER, 100 + n), 0) < 0)
			return -1;
	}
	if (expect("one more", add(s, n, USER, 100 + n), -EDQUOT) < 0)
		return -1;
	drop(s, n);
	drop(s, 3);
	if (expect("one in the place of one that ended", add(s, n, USER, 100 + n), 0) < 0 ||
	    expect("one more of that", add(s, n + 1, USER, 100 + n), 0) < 0 ||
	    expect("the one that ended, again", add(s, 3, USER, 103), -EDQUOT) < 0)
		return -1;
	/*
	 * those that processes have are still what they were: they are found, and no place is taken
	 * for them
	 */
	for (uint32_t i = 0; i < n; i++) {
		if (i != 3 && expect("one that is there", add(s, 50 + i, USER, 100 + i), 0) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < 100; i++)
		drop(s, i);
	for (uint32_t i = 0; i < 3 * PLOP_MAX_LAYOUTS; i++) {
		if (expect("a trusted user's, one after the other",
			   add(s, 100 + i, SAMPLER_TRUSTED, 200 + i), 0) < 0)
			return -1;
		drop(s, 100 + i);
	}
	return 0;
}

static void *nothing(void *ctx)
{
	return NULL;
}

/*
 * Makes threads until their records would fill the ring buffer, and nobody takes any out meanwhile.
 */
static int rings(struct sampler *s)
{
	const struct plop_filter w = { .ticks = 1, .threads = 1 };
	const size_t each = sizeof(struct plop_record) + 8; /* BPF_RINGBUF_HDR_SZ */
	size_t most = s->ring_size / each;
	int r = sampler_filter_set(s, (uint32_t)getpid(), &w);

	for (size_t i = 0; i < most && r >= 0; i++) {
		pthread_t thread;

		r = -pthread_create(&thread, NULL, nothing, NULL);
		if (r == 0)
			pthread_join(thread, NULL);
	}
	if (r < 0)
		return r;
	child = (uint32_t)fork();
	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	waitpid((pid_t)child, NULL, 0);
	r = sampler_dispatch(s);
	printf("%zu threads made, %zu told of, %zu exec\n", most, threads, execs);
	return r >= 0 && execs == 1 && threads > 0 &&
			       threads * each <= s->ring_size / 4 * 3 + each ?
		       0 :
		       -1;
}

static bool linux_before(int major, int minor)
{
	struct utsname u;
	int a = 0, b = 0;

	return uname(&u) == 0 && sscanf(u.release, "%d.%d", &a, &b) == 2 &&
	       (a < major || (a == major && b < minor));
}

int main(void)
{
	static const struct sampler_handlers handlers = { .stack = on_stack,
							  .code = on_code,
							  .process = on_process,
							  .fork = on_fork,
							  .pressure = on_pressure };
	struct sampler_options options = { .hz = 100, .max_depth = PLOP_MAX_DEPTH };
	_cleanup_(sampler_freep) struct sampler *s = NULL;
	_cleanup_free_ char *error = NULL;
	int r;

	if (geteuid() != 0) {
		printf("SKIP: needs root, to load BPF programs\n");
		return 77;
	}
	r = sampler_new(&options, &handlers, &s, &error);
	if (r < 0) {
		fprintf(stderr, "bounds: %s\n", error ? error : strerror(-r));
		return EXIT_FAILURE;
	}
	r = sampler_need(s, SAMPLER_PART_TASKS);
	if (r == -EOPNOTSUPP) {
		if (linux_before(5, 17)) {
			printf("SKIP: this kernel has no recordings of tasks (Linux 5.17)\n");
			return 77;
		}
		fprintf(stderr, "bounds: no recordings of tasks, on a kernel that can\n");
		return EXIT_FAILURE;
	}
	if (r >= 0)
		r = asyncs(s);
	if (r >= 0)
		r = rings(s);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
