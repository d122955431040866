/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#include "sampler/decode.h"
#include "sampler/features.h"
#include "plop/places.h"
#include "plop/seen.h"
#include "sampler/private.h"
#include "util/clock.h"
#include "util/log.h"

/* Once in so many cycles what is mapped of a half's frames is as much as they are just then. */
#define KEPT_CYCLES 32

/* What the verifier says of a program is long, and why it refuses it is at the end. */
#define PRINTED_LAST 4096

static _printf_(2, 0) int sampler_print(enum libbpf_print_level level, const char *format,
					va_list ap)
{
	_cleanup_free_ char *text = NULL;
	char *at, *line;
	int length;

	length = vasprintf(&text, format, ap);
	if (length < 0) {
		text = NULL;
		return 0;
	}
	at = length > PRINTED_LAST ? text + length - PRINTED_LAST : text;
	while ((line = strsep(&at, "\n"))) {
		if (line[0])
			log_debug("libbpf: %s", line);
	}
	return 0;
}

/* How many bytes of records are looked at between two looks at the clock. */
#define CLOCK_BYTES 2048

/*
 * What waited in the ring buffer when the dispatch began is behind it after as many bytes as there
 * can be. Whoever makes records faster than they are looked at would have it go on for ever. And
 * others wait: one that takes long is gone on with later.
 */
static int dispatch_goes_on(const struct sampler *s, size_t size)
{
	/* most are small: the clock is read once for several of them */
	bool same = s->dispatched / CLOCK_BYTES == (s->dispatched - size) / CLOCK_BYTES;

	return s->dispatched < s->records.size &&
			       (same || clock_ns(CLOCK_MONOTONIC) < s->dispatch_until_ns) ?
		       0 :
		       -EAGAIN;
}

static int sampler_record(void *ctx, const void *data, size_t size)
{
	const struct plop_record *r = data;
	struct sampler *s = ctx;

	s->dispatched += size;
	if (record_check(data, size) < 0)
		return dispatch_goes_on(s, size);
	switch (r->type) {
	case PLOP_RECORD_EXEC:
		process_restore(s, r->tgid, r->image);
		s->handlers.process(r, s->handlers.ctx);
		break;
	case PLOP_RECORD_CODE:
		s->handlers.code(data, s->handlers.ctx);
		break;
	case PLOP_RECORD_TASK:
		s->handlers.task(data, s->handlers.ctx);
		break;
	case PLOP_RECORD_FORK:
		s->handlers.fork(data, s->handlers.ctx);
		break;
	case PLOP_RECORD_STATE:
		s->handlers.state(data, s->handlers.ctx);
		break;
	case PLOP_RECORD_PRESSURE:
		s->handlers.pressure(s->handlers.ctx);
		break;
	case PLOP_RECORD_PERIOD:
		jitter_wake(s, r->tgid);
		break;
	case PLOP_RECORD_WAIT:
		s->handlers.wait(data, s->handlers.ctx);
		break;
	case PLOP_RECORD_THREAD:
		threads_born(s, r->tgid, PLOP_THREAD_MAKER(r->image), PLOP_THREAD_MADE(r->image));
		s->handlers.process(r, s->handlers.ctx);
		break;
	default:
		s->handlers.process(r, s->handlers.ctx);
		break;
	}
	return dispatch_goes_on(s, size);
}

static int sampler_explain(char **ret_error, int r, const char *what)
{
	struct feature features[FEATURE_MAX];
	const struct feature *missing;
	char names[128];

	features_probe(features);
	missing = features_missing(features);
	if (features_capabilities(true, names, sizeof(names)) > 0) {
		if (asprintf(ret_error,
			     "%s: plopd lacks %s; run it as root, or give it the capabilities that "
			     "plopd(8) lists",
			     what, names) < 0)
			*ret_error = NULL;
	} else if (missing) {
		if (asprintf(ret_error, "%s: this kernel does not offer %s: %s; it needs %s", what,
			     missing->name, strerror(-missing->error), missing->needs) < 0)
			*ret_error = NULL;
	} else if (asprintf(ret_error,
			    "%s: %s; plopd --check tells what is there, and plopd -v what the "
			    "kernel says of them",
			    what, strerror(-r)) < 0) {
		*ret_error = NULL;
	}
	return r;
}

/* "memlock: N" of a map's fdinfo (kernel/bpf/syscall.c, bpf_map_show_fdinfo()). */
uint64_t sampler_one_map_bytes(int fd)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[256];
	unsigned long long n = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memlock: %llu", &n) == 1)
			break;
	}
	return n;
}

static int sampler_load(struct sampler *s)
{
	struct bpf_program *exec;
	struct bpf_map *map;
	uint64_t seed;
	int r;

	s->skel = plop__open();
	if (!s->skel)
		return -errno;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	s->skel->rodata->plop_seed = seed;
	s->skel->rodata->plop_max_depth = s->options.max_depth;
	s->tick = s->options.bounded ? s->skel->progs.plop_tick_bound : s->skel->progs.plop_tick;
	bpf_program__set_autoload(s->skel->progs.plop_tick, !s->options.bounded);
	bpf_program__set_autoload(s->skel->progs.plop_tick_bound, s->options.bounded);
	exec = s->options.bounded ? s->skel->progs.plop_exec_bound : s->skel->progs.plop_exec;
	bpf_program__set_autoload(s->skel->progs.plop_exec, !s->options.bounded);
	bpf_program__set_autoload(s->skel->progs.plop_exec_bound, s->options.bounded);
	s->have_channels = !s->options.bounded && features_have_channels();
	if (!s->have_channels)
		bpf_map__set_max_entries(s->skel->maps.sleepers, 1);
	parts_leave_out(s, s->skel);
	r = bpf_map__set_max_entries(s->skel->maps.cpus, (uint32_t)s->ncpus);
	if (r >= 0)
		r = bpf_map__set_max_entries(s->skel->maps.scratch, (uint32_t)s->ncpus);
	if (r >= 0)
		r = bpf_map__set_max_entries(s->skel->maps.launch_walks, (uint32_t)s->ncpus);
	if (r < 0)
		return r;
	r = plop__load(s->skel);
	if (r < 0)
		return r;
	sampler_users_set(s, 0);
	r = tables_map(s);
	if (r >= 0)
		r = states_map(s);
	if (r >= 0)
		r = sampler_map_budgets(s);
	if (r >= 0)
		r = records_open(bpf_map__fd(s->skel->maps.records),
				 bpf_map__max_entries(s->skel->maps.records), &s->records);
	if (r < 0)
		return r;
	bpf_object__for_each_map(map, s->skel->obj)
	{
		if (bpf_map__autocreate(map))
			s->map_bytes += sampler_one_map_bytes(bpf_map__fd(map));
	}
	/* the tick program is attached to perf events, by sampler_start() */
	s->skel->links.plop_fork = bpf_program__attach(s->skel->progs.plop_fork);
	s->skel->links.plop_exec = bpf_program__attach(exec);
	s->skel->links.plop_exit = bpf_program__attach(s->skel->progs.plop_exit);
	s->skel->links.plop_rename = bpf_program__attach(s->skel->progs.plop_rename);
	if (!s->skel->links.plop_fork || !s->skel->links.plop_exec || !s->skel->links.plop_exit ||
	    !s->skel->links.plop_rename)
		return -errno;
	return 0;
}

int sampler_new(const struct sampler_options *options, const struct sampler_handlers *handlers,
		struct sampler **ret, char **ret_error)
{
	_cleanup_(sampler_freep) struct sampler *s = NULL;
	int r;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(sampler_print);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->options = *options;
	s->timer = -EBADF;
	s->weight = s->weight_taken = 1;
	if (!features_have_loop())
		s->options.bounded = true;
	s->handlers = *handlers;
	s->ncpus = libbpf_num_possible_cpus();
	if (s->ncpus < 0)
		return s->ncpus;
	r = jitter_init(s);
	if (r < 0)
		return r;
	r = sampler_load(s);
	if (r < 0)
		return sampler_explain(ret_error, r, "cannot load the BPF programs");
	/* what loading took: the kernel's type information above all */
	malloc_trim(0);
	*ret = TAKE_PTR(s);
	return 0;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	sampler_watch_off_cpu(s, false, false);
	for (uint32_t i = 0; i <= PLOP_MAX_CHANNELS; i++)
		events_close(s, &s->events[i]);
	parts_free(s);
	jitter_done(s);
	sampler_unmap(s);
	states_unmap(s);
	records_close(&s->records);
	tables_unmap(s);
	plop__destroy(s->skel);
	free(s);
}

int sampler_check(char **ret_error)
{
	int r = features_read_memory();
	char names[128];

	if (r < 0)
		return sampler_explain(ret_error, r, "cannot profile anything");
	if (features_capabilities(false, names, sizeof(names)) > 0)
		log_warning(
			"plopd lacks %s: some interpreters will not be recognized; plopd --check "
			"tells more",
			names);
	return 0;
}

int sampler_start(struct sampler *s, char **ret_error)
{
	int r = sampler_channel_open(s, PLOP_CHANNEL_ALWAYS, NULL, s->options.hz, false);

	return r < 0 ? sampler_explain(ret_error, r, "cannot open perf events") : 0;
}

int sampler_fd(const struct sampler *s)
{
	return s->records.fd;
}

/* Returns 1: there may be more. */
static int dispatch(struct sampler *s, uint64_t until_ns)
{
	int r;

	s->dispatched = 0;
	s->dispatch_until_ns = until_ns;
	r = records_consume(&s->records, sampler_record, s);
	return r == -EAGAIN ? 1 : MIN(r, 0);
}

int sampler_dispatch(struct sampler *s, uint64_t until_ns)
{
	/* the rest is looked at in the loop's next round: the ring buffer stays readable */
	return MIN(dispatch(s, until_ns), 0);
}

void sampler_swap(struct sampler *s)
{
	struct timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	s->skel->bss->plop_seconds = (uint32_t)now.tv_sec;
	__atomic_store_n(&s->skel->bss->plop_active, s->skel->bss->plop_active + 1,
			 __ATOMIC_SEQ_CST);
	s->weight_taken = s->weight;
}

void sampler_weigh(struct sampler *s, uint32_t weight)
{
	struct events *e = &s->events[PLOP_CHANNEL_ALWAYS];

	if (weight == s->weight)
		return;
	if (e->cpus)
		events_turn(s, e, e->hz * s->weight / weight);
	s->weight = weight;
}

/* Whether the time that a collection may take at once is over. */
static bool is_late(uint64_t until_ns, uint32_t n)
{
	return n % 4 == 3 && clock_ns(CLOCK_MONOTONIC) >= until_ns;
}

/* Hands up a stack, its ticks as what they count. */
static void hand_up(struct sampler *s, const struct plop_half *half, const struct plop_stack *stack)
{
	struct plop_stack weighed;

	if (s->weight_taken > 1 && stack->channel == PLOP_CHANNEL_ALWAYS) {
		weighed = *stack;
		weighed.count *= s->weight_taken;
		stack = &weighed;
	}
	s->handlers.stack(stack, &half->frames[stack->frames], s->handlers.ctx);
}

static void hand_up_loss(struct sampler *s, const struct plop_loss *loss)
{
	struct plop_loss weighed = *loss;

	if (!loss->tgid || !s->handlers.loss)
		return;
	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		weighed.lost[i] *= s->weight_taken;
	s->handlers.loss(&weighed, s->handlers.ctx);
}

/*
 * Hands up one half's stacks, each once for every thread that had it, from where it was left off.
 * -EAGAIN: not all of them.
 */
static int sampler_stacks(struct sampler *s, const struct plop_half *half, uint64_t until_ns)
{
	uint32_t n = MIN(half->nstacks, (uint32_t)PLOP_HALF_STACKS);
	uint32_t nthreads = MIN(half->nthreads, (uint32_t)PLOP_HALF_THREADS);

	while (s->collected.stack < n) {
		uint32_t i = s->collected.stack++;

		if (stack_check(half, i) == 0)
			hand_up(s, half, &half->stacks[i]);
		if (is_late(until_ns, i))
			return -EAGAIN;
	}
	while (s->collected.thread < nthreads) {
		uint32_t i = s->collected.thread++;
		struct plop_stack k;

		if (stack_thread_check(half, i) == 0) {
			k = half->stacks[half->threads[i].stack];
			k.tid = half->threads[i].tid;
			k.count = half->threads[i].count;
			hand_up(s, half, &k);
		}
		if (is_late(until_ns, i))
			return -EAGAIN;
	}
	s->collected.stack = s->collected.thread = 0;
	return 0;
}

/* Whether a counter is of ticks of PLOP_CHANNEL_ALWAYS. */
static bool counts_ticks(int counter)
{
	return counter <= PLOP_C_TRUNCATED ||
	       (counter >= PLOP_C_LOST && counter < PLOP_C_LOST + PLOP_LOST_CAUSES);
}

/* Ticks for which the kernel side looked at a stack; as they came, whatever each counts. */
static uint64_t ticks_walked(const struct plop_half *half)
{
	uint64_t n = half->counters[PLOP_C_PYTHON];

	for (int i = 0; i < PLOP_LOST_CAUSES; i++)
		n += half->counters[PLOP_C_LOST + i];
	return n;
}

/* Empties a half whose stacks were handed up. The kernel side does not touch it meanwhile. */
static void sampler_empty(struct sampler *s, struct plop_half *half,
			  struct sampler_counters *counters)
{
	events_seen(s, s->collected.cpu, half);
	counters->walked += ticks_walked(half);
	for (int i = 0; i < PLOP_COUNTERS; i++) {
		counters->c[i] += half->counters[i] * (counts_ticks(i) ? s->weight_taken : 1);
		half->counters[i] = 0;
	}
	channels_collect(half, counters);
	for (uint32_t i = 0; i < PLOP_HALF_LOSSES; i++) {
		hand_up_loss(s, &half->losses[i]);
	}
	memset(half->losses, 0, sizeof(half->losses));
	if (half->nstacks > 0)
		memset(half->index, 0, sizeof(half->index));
	if (half->nthreads > 0)
		memset(half->thread_index, 0, sizeof(half->thread_index));
	half->nstacks = half->nframes = half->nthreads = 0;
	memset(half->parts, 0, sizeof(half->parts));
}

/* Whether a CPU is in the middle of a tick that may have begun before the swap. */
static bool sampler_busy(const struct sampler *s)
{
	for (int i = 0; i < s->ncpus; i++) {
		uint64_t left = __atomic_load_n(&s->cpus[i].left, __ATOMIC_ACQUIRE);

		if (left != __atomic_load_n(&s->cpus[i].entered, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

/* All that waited in the ring buffer when this was called first. 1: not all of it yet. */
static int review_records(struct sampler *s, uint64_t until_ns)
{
	int r = dispatch(s, until_ns);

	s->reviewed.bytes += s->dispatched;
	if (r > 0 && s->reviewed.bytes < s->records.size)
		return 1;
	s->reviewed.bytes = 0;
	return MIN(r, 0);
}

static int review_stacks(struct sampler *s, uint64_t until_ns)
{
	uint32_t idle = PLOP_HALF_IDLE(s->skel->bss->plop_active);

	for (; s->reviewed.cpu < s->ncpus; s->reviewed.cpu++) {
		const struct plop_half *half = &s->cpus[s->reviewed.cpu].half[idle];
		uint32_t n = MIN(half->nstacks, (uint32_t)PLOP_HALF_STACKS);

		if (tables_reach(s, s->reviewed.cpu, idle, half->nframes) < 0)
			return -EAGAIN;
		while (s->reviewed.stack < n) {
			uint32_t i = s->reviewed.stack++;
			const struct plop_stack *k = &half->stacks[i];

			if (stack_check(half, i) == 0)
				s->handlers.review(k, &half->frames[k->frames], s->handlers.ctx);
			if (is_late(until_ns, i))
				return 1;
		}
		s->reviewed.stack = 0;
	}
	return 0;
}

int sampler_review(struct sampler *s, uint64_t until_ns)
{
	int r;

	/* code records are sent before the stacks that need them are filed */
	if (s->reviewed.stage == REVIEW_BEFORE) {
		r = review_records(s, until_ns);
		if (r != 0)
			return r;
		s->reviewed.stage = REVIEW_BUSY;
	}
	if (s->reviewed.stage == REVIEW_BUSY) {
		if (sampler_busy(s))
			return -EAGAIN;
		s->reviewed.stage = REVIEW_AFTER;
	}
	/* those of ticks that were under way just now */
	if (s->reviewed.stage == REVIEW_AFTER) {
		r = review_records(s, until_ns);
		if (r != 0)
			return r;
		s->reviewed.stage = REVIEW_STACKS;
	}
	r = review_stacks(s, until_ns);
	if (r != 0)
		return r;
	s->reviewed.cpu = 0;
	s->reviewed.stage = REVIEW_BEFORE;
	return 0;
}

int sampler_collect(struct sampler *s, struct sampler_counters *counters, uint64_t until_ns)
{
	uint32_t idle = PLOP_HALF_IDLE(s->skel->bss->plop_active);

	while (s->collected.cpu < s->ncpus) {
		struct plop_half *half = &s->cpus[s->collected.cpu].half[idle];
		int r = sampler_stacks(s, half, until_ns);

		if (r < 0)
			return r;
		sampler_empty(s, half, counters);
		if ((s->collections + (uint32_t)s->collected.cpu) % KEPT_CYCLES < 2)
			tables_let_go(s, s->collected.cpu, idle);
		s->collected.cpu++;
	}
	s->collected.cpu = 0;
	s->collections++;
	return 0;
}

void sampler_code_loosen(struct sampler *s, uint64_t image, uint64_t code)
{
	uint64_t key = PLOP_SEEN_KEY(image, code);
	uint32_t slot = PLOP_SEEN_SET(key);
	int fd = bpf_map__fd(s->skel->maps.seen);
	struct plop_seen_set set;

	/* what a tick writes meanwhile is nobody's, and read anew */
	if (bpf_map_lookup_elem(fd, &slot, &set) < 0)
		return;
	plop_seen_loosen(&set, key, s->skel->bss->plop_seconds);
	bpf_map_update_elem(fd, &slot, &set, BPF_ANY);
}

uint64_t sampler_table_full(const struct sampler *s)
{
	return s->skel->bss->plop_table_full;
}

uint64_t sampler_map_bytes(const struct sampler *s)
{
	return s->map_bytes;
}
