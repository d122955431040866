/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/shares.h"
#include "host/targets.h"
#include "util/clock.h"
#include "util/log.h"

#define PENDING_FIRST_NS (2 * NSEC_PER_MSEC)
#define PENDING_LAST_NS  (2 * NSEC_PER_SEC)
#define PENDING_MAX      4096
#define SWEEP_NS         (30 * NSEC_PER_SEC)
#define CPU_MEMORY_NS    (10 * NSEC_PER_SEC)

int targets_init(struct targets *t, struct sampler *s)
{
	*t = (struct targets){ .sampler = s };
	return python_cache_new(&t->cache);
}

static void target_free(struct target *k)
{
	process_info_done(&k->info);
	code_table_free(k->codes);
	free(k);
}

void targets_done(struct targets *t)
{
	struct target *k, *knext;
	struct pending *p, *pnext;

	HASH_CLEAR(hh_pid, t->living);
	HASH_ITER(hh, t->all, k, knext)
	{
		HASH_DEL(t->all, k);
		target_free(k);
	}
	HASH_ITER(hh, t->pending, p, pnext)
	{
		HASH_DEL(t->pending, p);
		free(p);
	}
	python_cache_free(t->cache);
}

struct target *targets_find(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct target *k;

	HASH_FIND(hh, t->all, &key, sizeof(key), k);
	return k;
}

struct target *targets_find_pid(struct targets *t, pid_t pid)
{
	uint32_t tgid = (uint32_t)pid;
	struct target *k;

	HASH_FIND(hh_pid, t->living, &tgid, sizeof(tgid), k);
	return k;
}

static void target_join(struct targets *t, struct target *k)
{
	struct target *before = targets_find_pid(t, (pid_t)k->key.tgid);

	if (before)
		targets_end(t, before->key.tgid, before->key.image);
	if (k->codes)
		sampler_layout_use(t->sampler, k->layout, true);
	HASH_ADD(hh, t->all, key, sizeof(k->key), k);
	HASH_ADD(hh_pid, t->living, key.tgid, sizeof(k->key.tgid), k);
}

static void pending_drop(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct pending *p;

	HASH_FIND(hh, t->pending, &key, sizeof(key), p);
	if (p) {
		HASH_DEL(t->pending, p);
		free(p);
	}
}

static void pending_add(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct pending *p;

	HASH_FIND(hh, t->pending, &key, sizeof(key), p);
	if (!p) {
		if (HASH_COUNT(t->pending) >= PENDING_MAX)
			return;
		p = calloc(1, sizeof(*p));
		if (!p)
			return;
		p->key = key;
		p->wait_ns = PENDING_FIRST_NS;
		HASH_ADD(hh, t->pending, key, sizeof(p->key), p);
	} else {
		p->wait_ns = MIN(p->wait_ns * 2, PENDING_LAST_NS);
	}
	p->due_ns = clock_ns(CLOCK_MONOTONIC) + p->wait_ns;
}

uid_t targets_layout_user(const struct targets *t, uid_t owner)
{
	uid_t user = shares_user(t->shares, owner);

	return shares_is_trusted(t->shares, user) ? SAMPLER_TRUSTED : user;
}

/* Makes the target and tells the kernel. info and python are taken over. */
static int target_add(struct targets *t, uint32_t tgid, uint64_t image, bool fresh,
		      struct process_info *info, const struct python_process *python)
{
	struct plop_process p = { .image = image, .runtime = python->runtime };
	struct target *k = calloc(1, sizeof(*k));
	int r = 0;

	if (!k)
		return -ENOMEM;
	k->key = (struct target_key){ .image = image, .tgid = tgid };
	k->python = *python;
	p.state = PLOP_STATE_UNSUPPORTED;
	if (python->verdict == PYTHON_YES) {
		r = code_table_new(&python->layout, &k->codes);
		if (r == 0)
			r = sampler_layout(t->sampler, &python->layout,
					   targets_layout_user(t, info->uid), &k->layout);
		p.layout = (uint16_t)k->layout;
		p.state = PLOP_STATE_PROFILED;
	}
	if (r == 0)
		r = sampler_process_set(t->sampler, tgid, &p, fresh);
	if (r < 0) {
		target_free(k);
		return r;
	}
	k->info = *info;
	*info = (struct process_info){};
	target_join(t, k);
	return 0;
}

/* Has ticks ask for a process later: it may load an interpreter yet. Kernel threads have no executable, and never will. */
static int target_watch(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct plop_process p = {
		.image = image, .state = PLOP_STATE_NEW, .asked = image, .wait = PLOP_WAIT_FIRST_NS
	};
	char path[64], exe[8];

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	if (readlink(path, exe, sizeof(exe)) < 0)
		return -ENOENT;
	return sampler_process_set(t->sampler, tgid, &p, true);
}

/*
 * Children that a process forked before it was known to be Python: they are known to the kernel's table only as new, and one
 * that sleeps from then on would have no tick to be asked for by. (proc(5): children; there with CONFIG_PROC_CHILDREN.)
 */
static void targets_examine_children(struct targets *t, uint32_t tgid)
{
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t image;
	char path[64];
	unsigned int child;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/children", tgid, tgid);
	f = fopen(path, "re");
	while (f && fscanf(f, "%u", &child) == 1) {
		if (sampler_process_image(t->sampler, child, &image) == 0)
			targets_examine(t, child, image, false);
	}
}

void targets_examine(struct targets *t, uint32_t tgid, uint64_t image, bool fresh)
{
	struct process_info info = {};
	struct python_process python;
	int r;

	if (targets_find(t, tgid, image))
		return;
	r = python_discover(t->cache, (pid_t)tgid, &python);
	if (r < 0) {
		log_debug_r(r, "Failed to examine process %u, ignoring", tgid);
		python.verdict = PYTHON_NO;
	}
	switch (python.verdict) {
	case PYTHON_NOT_YET:
		if (fresh && target_watch(t, tgid, image) < 0)
			return;
		pending_add(t, tgid, image);
		return;
	case PYTHON_YES:
	case PYTHON_UNSUPPORTED:
	case PYTHON_PYPY:
		pending_drop(t, tgid, image);
		r = process_info_read((pid_t)tgid, &info);
		if (r == 0)
			r = target_add(t, tgid, image, fresh, &info, &python);
		if (r == -ENOSPC)
			t->table_full++;
		if (r == -EDQUOT) {
			shares_count(t->shares, targets_layout_user(t, info.uid),
				     SHARE_LAYOUTS_REFUSED, 1);
			/* there may be room when it is asked for again */
			if (fresh)
				target_watch(t, tgid, image);
		}
		if (r < 0 && r != -ESRCH && r != -ESTALE && r != -EEXIST && r != -EDQUOT)
			log_warning_r(r, "Cannot profile process %u", tgid);
		process_info_done(&info);
		if (r == 0 && !fresh)
			targets_examine_children(t, tgid);
		return;
	case PYTHON_NO:
		pending_drop(t, tgid, image);
		if (fresh)
			target_watch(t, tgid, image);
		return;
	case PYTHON_GONE:
		pending_drop(t, tgid, image);
		if (!fresh)
			sampler_process_drop(t->sampler, tgid, image);
		return;
	}
}

static int targets_scan_one(pid_t pid, void *ctx)
{
	targets_examine(ctx, (uint32_t)pid, clock_ns(CLOCK_MONOTONIC), true);
	return 0;
}

int targets_scan(struct targets *t)
{
	return process_for_each(targets_scan_one, t);
}

void targets_fork(struct targets *t, const struct plop_record_fork *r)
{
	struct target *parent = targets_find(t, r->parent, r->parent_image), *k;
	struct process_info info = {};

	if (!parent) {
		targets_examine(t, r->head.tgid, r->head.image, false);
		return;
	}
	/* a child that is gone already was what its parent is */
	if (process_info_read((pid_t)r->head.tgid, &info) < 0) {
		if (process_info_copy(&parent->info, &info) < 0)
			return;
		info.pid = (pid_t)r->head.tgid;
		info.start_ticks = r->head.image / (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	/* it may have executed another program since: only what both are is this image's */
	if (info.uid != parent->info.uid)
		info.uid = PROCESS_NO_UID;
	k = calloc(1, sizeof(*k));
	if (!k || (parent->codes && code_table_new(&parent->python.layout, &k->codes) < 0)) {
		free(k);
		process_info_done(&info);
		return;
	}
	k->key = (struct target_key){ .image = r->head.image, .tgid = r->head.tgid };
	k->python = parent->python;
	k->layout = parent->layout;
	k->info = info;
	target_join(t, k);
}

void targets_end(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target *k = targets_find(t, tgid, image);

	pending_drop(t, tgid, image);
	/* its last stacks may lie in either half: two cycles empty both */
	if (k && !k->dying) {
		k->dying = 3;
		HASH_DELETE(hh_pid, t->living, k);
	}
}

uint64_t targets_retry(struct targets *t, uint64_t now_ns)
{
	struct pending *p, *pnext;
	uint64_t next = 0;

	HASH_ITER(hh, t->pending, p, pnext)
	{
		if (p->due_ns <= now_ns)
			targets_examine(t, p->key.tgid, p->key.image, false);
	}
	HASH_ITER(hh, t->pending, p, pnext)
	{
		if (next == 0 || p->due_ns < next)
			next = p->due_ns;
	}
	return next;
}

struct forgetting {
	struct targets *targets;
	struct target *target;
};

static void target_forget(uint64_t address, void *ctx)
{
	struct forgetting *f = ctx;

	sampler_code_forget(f->targets->sampler, f->target->key.image, address);
}

void targets_confirm(struct targets *t)
{
	struct target *k, *next;

	HASH_ITER(hh, t->all, k, next)
	{
		struct forgetting f = { t, k };
		struct reader memory = process_memory_reader((pid_t)k->key.tgid);

		if (k->codes)
			code_table_confirm(k->codes, &memory, k->python.runtime, target_forget, &f);
	}
}

/* Keeps the code objects of the whole host bounded: the processes with more than their share forget. */
static void targets_trim(struct targets *t)
{
	struct target *k, *next;
	size_t all = 0, share;

	HASH_ITER(hh, t->all, k, next)
	{
		if (k->codes)
			all += code_table_bytes(k->codes);
	}
	if (all <= PLOP_MAX_CODE_BYTES)
		return;
	share = PLOP_MAX_CODE_BYTES / (HASH_COUNT(t->all) + 1);
	HASH_ITER(hh, t->all, k, next)
	{
		if (k->codes)
			code_table_limit(k->codes, share);
	}
}

/* The record of an end is lost when the ring buffer is full: what the kernel's table does not have any more has ended. */
static void targets_sweep(struct targets *t)
{
	struct target *k, *next;
	uint64_t image;

	HASH_ITER(hh_pid, t->living, k, next)
	{
		int r = sampler_process_image(t->sampler, k->key.tgid, &image);

		if (r == -ESRCH || (r == 0 && image != k->key.image))
			targets_end(t, k->key.tgid, k->key.image);
	}
}

uint32_t targets_wall(struct targets *t, struct target *k)
{
	struct plop_wanted w = {};

	if (k->wall_asked != t->wall_changes + 1) {
		/* of one that ended, what it was last */
		if (sampler_wanted_read(t->sampler, k->key.tgid, &w) == 0)
			k->wall = w.wall;
		k->wall_asked = t->wall_changes + 1;
	}
	return k->wall;
}

void targets_cycle(struct targets *t, uint64_t elapsed_ns, unsigned int hz)
{
	struct target *k, *next;

	t->wall_changes++;
	HASH_ITER(hh, t->all, k, next)
	{
		if (elapsed_ns > 0) {
			double now =
				100.0 * (double)k->samples_cycle / hz / ((double)elapsed_ns / 1e9);
			/* about ten seconds' memory, whatever the cycles' length; the mean of all while there is less */
			double weight;

			k->counted_ns += elapsed_ns;
			weight = (double)elapsed_ns / (double)MIN(k->counted_ns, CPU_MEMORY_NS);
			k->cpu_percent += MIN(1.0, weight) * (now - k->cpu_percent);
			k->samples_cycle = 0;
		}
		if (k->dying && --k->dying == 0) {
			HASH_DEL(t->all, k);
			if (k->codes)
				sampler_layout_use(t->sampler, k->layout, false);
			target_free(k);
		}
	}
	targets_trim(t);
	t->unswept_ns += elapsed_ns;
	if (t->unswept_ns >= SWEEP_NS) {
		t->unswept_ns = 0;
		targets_sweep(t);
	}
}
