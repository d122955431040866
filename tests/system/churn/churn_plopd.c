/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn_plopd FOLDER PID WINDOWS PROCESSES CODES: plopd with a made-up kernel side, for as many
 * windows of 30 s as are said. In each as many processes live shortly, children of the interpreter
 * PID, and as many code objects come and go in one that stays. Prints a line of JSON: what was
 * counted, and the resident memory, the most of each quarter of the windows.
 */
#include "plopd/manager.h"
#include "util/clock.h"
#include "util/log.h"

#define QUARTERS 4
/* Beyond every pid that Linux has (PID_MAX_LIMIT, 1 << 22): nothing can be read of them. */
#define PID_FIRST 5000000u
#define CODES     3 /* of each process */
#define ADDRESS   UINT64_C(0x7f0000000000)
/*
 * Names there are; a store of ever more of them would be the slowest part of it all, and is not
 * what is measured.
 */
#define NAMES 20011

/* The kernel side: what the tick and the process programs would have. */
struct sampler {
	struct sampler_handlers handlers;
	struct plop_layout layout;
	unsigned int processes, codes; /* of each window */
	uint32_t pid;                  /* the last one */
	uint32_t parent;
	uint64_t parent_image;
	uint64_t image;
	uint64_t code;
	struct plop_process stays; /* the one whose code objects come and go */
	uint64_t ticks;
};

static struct sampler *kernel;

/* One in so many ends is not heard of, as when the ring buffer is full. */
#define LOST_ENDS 8

static void die(const char *what)
{
	fprintf(stderr, "churn_plopd: %s\n", what);
	exit(1);
}

int sampler_new(const struct sampler_options *options, const struct sampler_handlers *handlers,
		struct sampler **ret, char **ret_error)
{
	kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return -ENOMEM;
	kernel->handlers = *handlers;
	kernel->pid = PID_FIRST;
	*ret = kernel;
	return 0;
}

void sampler_free(struct sampler *s)
{
	free(s);
}

int sampler_start(struct sampler *s, char **ret_error)
{
	return 0;
}

int sampler_check(char **ret_error)
{
	return 0;
}

int sampler_channel_open(struct sampler *s, uint32_t channel, const struct plop_channel *whom,
			 unsigned int hz, bool tasks)
{
	return -EOPNOTSUPP;
}

int sampler_channel_open_processes(struct sampler *s, uint32_t channel, const uint32_t *tgids,
				   size_t n, unsigned int hz, bool tasks)
{
	return -EOPNOTSUPP;
}

bool sampler_channel_is_on_threads(const struct sampler *s, uint32_t channel)
{
	return false;
}

int sampler_channel_spread(struct sampler *s, uint32_t channel)
{
	return 0;
}

void sampler_channel_close(struct sampler *s, uint32_t channel)
{
}

bool sampler_channel_is_open(const struct sampler *s, uint32_t channel)
{
	return channel == PLOP_CHANNEL_ALWAYS;
}

void sampler_channel_charge(struct sampler *s, uint32_t channel, uint32_t budget, uid_t uid)
{
}

void sampler_budget_set(struct sampler *s, uint32_t budget, unsigned int rate)
{
}

void sampler_users_set(struct sampler *s, uint32_t n)
{
}

uint64_t sampler_budget_lost(struct sampler *s, uint32_t budget)
{
	return 0;
}

void sampler_sleepers_sweep(struct sampler *s)
{
}

int sampler_filter_set(struct sampler *s, uint32_t tgid, const struct plop_filter *w)
{
	return 0;
}

int sampler_filter_read(struct sampler *s, uint32_t tgid, struct plop_filter *ret)
{
	return -ENOENT;
}

int sampler_need(struct sampler *s, unsigned int parts)
{
	return -EOPNOTSUPP;
}

int sampler_process_set_async(struct sampler *s, uint32_t tgid, uint64_t image, uid_t user,
			      const struct plop_async *async)
{
	return -EOPNOTSUPP;
}

int sampler_watch_off_cpu(struct sampler *s, bool on, bool tasks)
{
	return -EOPNOTSUPP;
}

void sampler_sleepers(struct sampler *s,
		      void (*each)(const struct plop_sleeper *sleeper, void *ctx), void *ctx)
{
}

void sampler_filter_clear(struct sampler *s, uint32_t channel)
{
}

void sampler_jitter(struct sampler *s)
{
}

void sampler_throttling(const struct sampler *s, uint32_t channel, struct throttling *ret)
{
	*ret = (struct throttling){};
}

int sampler_follow_cpus(struct sampler *s)
{
	return 0;
}

/* Something that never has anything to read. */
static int never(int ends[2])
{
	if (ends[0] < 0 && pipe(ends) < 0)
		return -errno;
	return ends[0];
}

int sampler_fd(const struct sampler *s)
{
	static int ends[2] = { -1, -1 };

	return never(ends);
}

int sampler_timer_fd(const struct sampler *s)
{
	static int ends[2] = { -1, -1 };

	return never(ends);
}

int sampler_dispatch(struct sampler *s, uint64_t until_ns)
{
	return 0;
}

void sampler_swap(struct sampler *s)
{
}

void sampler_weigh(struct sampler *s, uint32_t weight)
{
}

void sampler_layout_use(struct sampler *s, uint32_t n, bool begins)
{
}

uint64_t sampler_table_full(const struct sampler *s)
{
	return 0;
}

int sampler_layout_add(struct sampler *s, const struct plop_layout *layout, uid_t user,
		       uint32_t *ret)
{
	s->layout = *layout;
	*ret = 0;
	return 0;
}

int sampler_process_add(struct sampler *s, uint32_t tgid, const struct plop_process *p, uid_t user)
{
	s->parent = tgid;
	s->parent_image = p->image;
	return 0;
}

int sampler_process_set(struct sampler *s, uint32_t tgid, const struct plop_process *p)
{
	return sampler_process_add(s, tgid, p, 0);
}

void sampler_process_drop(struct sampler *s, uint32_t tgid, uint64_t image)
{
}

void sampler_program_plain(struct sampler *s, uint64_t file, bool plain)
{
}

void sampler_program_python(struct sampler *s, uint64_t file)
{
}

void sampler_launch_set(struct sampler *s, uint64_t launch, uid_t uid, const struct plop_launch *l)
{
}

int sampler_process_read(struct sampler *s, uint32_t tgid, uint64_t image, struct plop_process *ret)
{
	return -ESRCH;
}

uint64_t sampler_process_program(struct sampler *s, uint32_t tgid, uint64_t image)
{
	return 0;
}

bool sampler_process_forked(const struct sampler *s, uint32_t tgid, uint64_t image)
{
	return true;
}

int sampler_process_image(struct sampler *s, uint32_t tgid, uint64_t *ret)
{
	if (tgid == s->parent)
		*ret = s->parent_image;
	else if (tgid == PID_FIRST)
		*ret = s->stays.image;
	else
		return -ESRCH;
	return 0;
}

void sampler_quiet_begin(struct sampler *s)
{
}

void sampler_quiet_add(struct sampler *s, uint32_t tgid, uint64_t image)
{
}

void sampler_quiet_end(struct sampler *s)
{
}

void sampler_code_loosen(struct sampler *s, uint64_t image, uint64_t code)
{
}

void sampler_thread_state_set(struct sampler *s, uint64_t image, uint64_t thread, uint64_t state)
{
}

uint64_t sampler_map_bytes(const struct sampler *s)
{
	return 0;
}

static void fork_from_parent(struct sampler *s, uint32_t pid, uint64_t image)
{
	struct plop_record_fork r = { .head = { PLOP_RECORD_FORK, pid, image },
				      .parent = s->parent,
				      .parent_image = s->parent_image };

	s->handlers.fork(&r, s->handlers.ctx);
}

/* A code object that was never seen before, as the kernel sends it up; its frame. */
static void code(struct sampler *s, uint32_t pid, uint64_t image, struct plop_frame *ret)
{
	char data[sizeof(struct plop_record_code) + 256];
	struct plop_record_code *r = (struct plop_record_code *)data;
	uint32_t state = 1u << s->layout.str_kind_shift | 3u << (s->layout.str_kind_shift + 3);
	char *to = (char *)r->data;
	unsigned int name;

	name = (unsigned int)(++s->code % NAMES);
	*r = (struct plop_record_code){ .head = { PLOP_RECORD_CODE, pid, image },
					.code = ADDRESS + s->code % 100000 * 256,
					.fingerprint = (uint32_t)s->code | 1,
					.firstlineno = (int)name,
					.file_state = state,
					.name_state = state,
					.linetable_size = 40,
					.linetable_bytes = 40 };
	r->file_bytes = (uint16_t)sprintf(to, "/srv/application/%u/module.py", name / 100);
	to += r->file_bytes;
	r->name_bytes = (uint16_t)sprintf(to, "Class.method_%u", name);
	to += r->name_bytes;
	memset(to, 0x80, 40);
	r->file_length = r->file_bytes;
	r->name_length = r->name_bytes;
	s->handlers.code(r, s->handlers.ctx);
	*ret = (struct plop_frame){ .code = r->code,
				    .fingerprint = r->fingerprint,
				    .instr = s->layout.code_bytecode + 2u };
}

static void stack(struct sampler *s, uint32_t pid, uint64_t image, const struct plop_frame *frames,
		  uint16_t depth)
{
	struct plop_stack k = {
		.image = image, .tgid = pid, .tid = pid, .count = 1, .depth = depth
	};

	s->handlers.stack(&k, frames, s->handlers.ctx);
	s->ticks++;
}

int sampler_review(struct sampler *s, uint64_t until_ns)
{
	return 0;
}

/*
 * Everything that happens in a window happens here, in the order in which plopd would hear of it.
 */
int sampler_collect(struct sampler *s, struct sampler_counters *counters, uint64_t until_ns)
{
	struct plop_frame frames[CODES];

	s->ticks = 0;
	for (unsigned int i = 0; i < s->processes; i++) {
		struct plop_record end = { PLOP_RECORD_EXIT, ++s->pid, ++s->image };
		struct plop_record_exec other = {};

		fork_from_parent(s, s->pid, s->image);
		for (int k = 0; k < CODES; k++)
			code(s, s->pid, s->image, &frames[k]);
		if (s->pid % LOST_ENDS)
			s->handlers.process(&end, s->handlers.ctx);
		stack(s, s->pid, s->image, frames, CODES);
		stack(s, s->pid, s->image, frames + 1, CODES - 1);
		/* another program, gone before plopd could look at it */
		other.head = (struct plop_record){ PLOP_RECORD_EXEC, s->pid, ++s->image };
		s->handlers.process(&other.head, s->handlers.ctx);
	}
	for (unsigned int i = 0; i < s->codes; i++) {
		code(s, PID_FIRST, s->stays.image, &frames[0]);
		stack(s, PID_FIRST, s->stays.image, frames, 1);
	}
	counters->c[PLOP_C_TICKS] += s->ticks;
	counters->c[PLOP_C_PYTHON] += s->ticks;
	s->processes = s->codes = 0;
	return 0;
}

static uint64_t resident(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long size = 0, pages = 0;

	if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2)
		die("cannot read its own memory's size");
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool saved(const struct windows *w)
{
	for (int i = 0; i < WINDOWS_SAVING_MAX; i++) {
		if (w->saving[i].window)
			return false;
	}
	return true;
}

/* A window of 30 s, from its begin to the store. */
static void window(struct manager *m, unsigned int processes, unsigned int codes)
{
	while (m->cycle.running)
		sd_event_run(m->cycle.loop, USEC_PER_SEC);
	kernel->processes = processes;
	kernel->codes = codes;
	m->windows.close_cycle = cycle_ask(&m->cycle);
	m->collect.completed_mono = m->cycle.swapped_mono - 30 * NSEC_PER_SEC;
	while (m->cycle.running || !saved(&m->windows)) {
		if (sd_event_run(m->cycle.loop, USEC_PER_SEC) < 0)
			die("the loop failed");
	}
}

static void begin(struct manager *m, uint32_t parent)
{
	struct process_info info;

	targets_examine(&m->targets, parent, clock_ns(CLOCK_MONOTONIC), true);
	while (m->targets.examining > 0) {
		if (sd_event_run(m->cycle.loop, USEC_PER_SEC) < 0)
			die("the loop failed");
	}
	if (!m->targets.all)
		die("that is no interpreter that plop knows");
	if (process_info_read(PID_FIRST, NULL, &info) == 0)
		die("a process has a pid that cannot be");
	kernel->stays.image = ++kernel->image;
	fork_from_parent(kernel, PID_FIRST, kernel->stays.image);
}

int main(int argc, char *argv[])
{
	uint64_t most[QUARTERS] = {}, windows, processes, codes;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(manager_freep) struct manager *m = NULL;
	_cleanup_free_ char *error = NULL, *path = NULL;

	if (argc != 6 || config_new(&config) < 0 || asprintf(&path, "%s/socket", argv[1]) < 0)
		die("usage: churn_plopd FOLDER PID WINDOWS PROCESSES CODES");
	if (config_set(config, "plopd", "state_dir", argv[1], &error) < 0 ||
	    config_set(config, "plopd", "socket", path, &error) < 0 ||
	    config_set(config, "plopd", "window", "3600s", &error) < 0 ||
	    config_set(config, "plopd", "max_store", "64M", &error) < 0)
		die(error);
	windows = strtoull(argv[3], NULL, 10);
	processes = strtoull(argv[4], NULL, 10);
	codes = strtoull(argv[5], NULL, 10);
	log_init("churn_plopd", LOG_LEVEL_INFO);
	if (manager_new(config, &m, &error) < 0)
		die(error ? error : "plopd does not start");
	begin(m, (uint32_t)strtoul(argv[2], NULL, 10));
	for (uint64_t i = 0; i < windows; i++) {
		window(m, (unsigned int)processes, (unsigned int)codes);
		most[i * QUARTERS / windows] = MAX(most[i * QUARTERS / windows], resident());
	}
	printf("{\"windows\": %llu, \"unsaved\": %llu, \"processes\": %u, \"codes\": %llu, "
	       "\"python\": %llu, \"drain\": %llu, \"unresolved\": %llu, \"targets\": %u, "
	       "\"resident\": [%llu, %llu, %llu, %llu]}\n",
	       (unsigned long long)windows, (unsigned long long)m->windows.unsaved,
	       kernel->pid - PID_FIRST, (unsigned long long)kernel->code,
	       (unsigned long long)m->collect.tally.python,
	       (unsigned long long)m->collect.tally.lost[PLOP_LOST_DRAIN],
	       (unsigned long long)m->targets.symbols.unresolved, HASH_COUNT(m->targets.all),
	       (unsigned long long)most[0], (unsigned long long)most[1],
	       (unsigned long long)most[2], (unsigned long long)most[3]);
	return 0;
}
