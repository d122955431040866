/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has a bound on the kernel side comes back: where tasks are kept is forgotten when no process
 * keeps them there any more, threads that are made leave the ring buffer's last quarter to what
 * tells of processes, and a user's processes leave room in the table for others'. And what is said
 * of a process that executes another program just then is not believed of that one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "sampler/private.h"

/* No process has such a number (PID_MAX_LIMIT is 4194304). */
#define FIRST 5000000u
#define USER  61001
#define OTHER 61002
#define RACES 60

static size_t threads, execs;
static uint32_t child;
static uint64_t executed; /* the image of the child's last exec */
/* What the table had of has_room()'s child; execs is how often that was told of. */
static uint64_t image_in_table;

static void on_stack(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx)
{
}

static void on_code(const struct plop_record_code *r, void *ctx)
{
}

static void on_process(const struct plop_record *r, void *ctx)
{
	threads += r->type == PLOP_RECORD_THREAD && r->tgid == (uint32_t)getpid();
	if (r->type == PLOP_RECORD_EXEC && r->tgid == child) {
		execs += r->image == image_in_table;
		executed = r->image;
	}
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
	int r = sampler_process_add(s, FIRST + n, &p, 0);

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

/* As many processes as a user may have; the number. */
static uint32_t fill(struct sampler *s, uint32_t first, uid_t user)
{
	const struct plop_process p = { .image = 1, .state = PLOP_STATE_NEW };
	uint32_t n = 0;

	while (sampler_process_add(s, first + n, &p, user) == 0)
		n++;
	return n;
}

static void empty(struct sampler *s, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sampler_process_drop(s, first + i, 1);
}

/*
 * Whether a process of that user is in the table when it has executed a program; space: in a user
 * namespace of its own.
 */
static bool has_room(struct sampler *s, uid_t user, bool space)
{
	int ready[2], go[2];
	char c;
	bool is;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return false;
	child = (uint32_t)fork();
	if (child == 0) {
		dup2(go[0], STDIN_FILENO);
		dup2(ready[1], STDOUT_FILENO);
		if (setresuid(user, user, user) < 0 || (space && unshare(CLONE_NEWUSER) < 0))
			_exit(1);
		execl("/bin/cat", "cat", NULL);
		_exit(127);
	}
	close(ready[1]);
	close(go[0]);
	/* what it says back, it does as that program */
	is = write(go[1], "x", 1) == 1 && read(ready[0], &c, 1) == 1 &&
	     sampler_process_image(s, child, &image_in_table) == 0;
	close(go[1]);
	close(ready[0]);
	waitpid((pid_t)child, NULL, 0);
	sampler_dispatch(s, UINT64_MAX);
	return is;
}

/*
 * Makes threads until their records would fill the ring buffer, and nobody takes any out meanwhile.
 */
static int rings(struct sampler *s)
{
	const struct plop_filter w = { .ticks = 1, .threads = 1 };
	const size_t each = sizeof(struct plop_record) + 8; /* BPF_RINGBUF_HDR_SZ */
	size_t most = s->records.size / each;
	int r = sampler_filter_set(s, (uint32_t)getpid(), &w);

	execs = 0;
	for (size_t i = 0; i < most && r >= 0; i++) {
		pthread_t thread;

		r = -pthread_create(&thread, NULL, nothing, NULL);
		if (r == 0)
			pthread_join(thread, NULL);
	}
	if (r < 0)
		return r;
	/*
	 * whoever else had the child's number is passed over: so many threads use up all numbers
	 * (pid_max)
	 */
	if (!has_room(s, 0, false))
		return -1;
	printf("%zu threads made, %zu told of, %zu exec\n", most, threads, execs);
	return execs == 1 && threads > 0 && threads * each <= s->records.size / 4 * 3 + each ? 0 :
											       -1;
}

/* In a chroot, or where the administrator forbids it, a user can make no namespace. */
static bool has_namespaces(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(setresuid(USER, USER, USER) < 0 || unshare(CLONE_NEWUSER) < 0);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (status)
		printf("users can make no namespaces here: these are left out\n");
	return status == 0;
}

static int users(struct sampler *s)
{
	bool spaces = has_namespaces();
	uint32_t before = s->skel->bss->plop_users_processes, mine, others, roots;
	int r = 0;

	if (!has_room(s, USER, false) || s->skel->bss->plop_users_processes != before) {
		fprintf(stderr, "bounds: a process is not counted as long as it lives: %u, %u\n",
			before, s->skel->bss->plop_users_processes);
		return -1;
	}
	mine = fill(s, FIRST, USER);
	others = fill(s, 2 * FIRST, OTHER);
	if (has_room(s, USER, false) || (spaces && has_room(s, USER, true))) {
		fprintf(stderr, "bounds: a user has more processes than he may\n");
		r = -1;
	}
	if (!has_room(s, OTHER + 1, false) || (spaces && !has_room(s, OTHER + 1, true))) {
		fprintf(stderr, "bounds: a third user has no room\n");
		r = -1;
	}
	roots = fill(s, 3 * FIRST, 0);
	printf("%u processes of one user, %u of another, %u of root\n", mine, others, roots);
	empty(s, FIRST, mine);
	empty(s, 2 * FIRST, others);
	empty(s, 3 * FIRST, roots);
	if (mine + before < PLOP_MAX_USERS_PROCESSES / 2 - 1 ||
	    mine > PLOP_MAX_USERS_PROCESSES / 2 + 1 || others < mine / 3 || roots < 1000)
		r = -1;
	if (s->skel->bss->plop_users_processes != before) {
		fprintf(stderr, "bounds: %u processes were forgotten, not all\n",
			s->skel->bss->plop_users_processes);
		r = -1;
	}
	return r;
}

/*
 * A shell executes another program while plopd says what the shell is, again and again: whether
 * that comes between plopd's look at the table and its change of it, or not, the table has the
 * other program in the end.
 */
static int race(struct sampler *s, size_t *undone)
{
	struct plop_process p = { .state = PLOP_STATE_PROFILED };
	int out[2], in[2];
	uint64_t image = 0;
	char c;
	int r;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	child = (uint32_t)fork();
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo; read line; exec cat", NULL);
		_exit(127);
	}
	close(out[1]);
	close(in[0]);
	r = read(out[0], &c, 1) == 1 ? sampler_process_image(s, child, &image) : -EIO;
	p.image = image;
	sampler_dispatch(s, UINT64_MAX);
	if (r == 0 && write(in[1], "go\nx", 4) != 4)
		r = -EIO;
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	while (r == 0 && read(out[0], &c, 1) < 0)
		sampler_process_set(s, child, &p);
	if (r == 0)
		r = sampler_process_image(s, child, &image);
	*undone += image == p.image;
	sampler_dispatch(s, UINT64_MAX);
	if (r == 0)
		r = sampler_process_image(s, child, &image);
	if (r == 0 && (image == p.image || image != executed)) {
		fprintf(stderr, "bounds: the table has not what was executed last\n");
		r = -1;
	}
	close(in[1]);
	close(out[0]);
	waitpid((pid_t)child, NULL, 0);
	return r;
}

static int races(struct sampler *s)
{
	size_t undone = 0;
	int r = 0;

	for (int i = 0; i < RACES && r == 0; i++)
		r = race(s, &undone);
	printf("%zu times of %d plopd's change came after an exec that it did not know of\n",
	       undone, RACES);
	return r;
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
	r = users(s);
	if (r >= 0)
		r = races(s);
	if (r < 0)
		return EXIT_FAILURE;
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
