/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include "sampler/private.h"

/*
 * struct plop_cpu of all CPUs, in one reserved range of addresses. The frames of a half have room
 * for the most that a cycle can have. They are mapped as far as they are used, by STEP bytes: what
 * is mapped of a BPF map counts as plopd's memory, whether it was touched or not.
 */
#define STEP (64u << 10)

struct extent {
	size_t from, to; /* bytes of the map, whole pages */
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t tables_size(const struct sampler *s)
{
	size_t page = page_size(), size = sizeof(struct plop_cpu) * (size_t)s->ncpus;

	return (size + page - 1) / page * page;
}

/* The pages that have nothing but frames of a half. */
static struct extent half_frames(int cpu, uint32_t half)
{
	size_t page = page_size();
	size_t at = (size_t)cpu * sizeof(struct plop_cpu) +
		    offsetof(struct plop_cpu, half[0].frames) + half * sizeof(struct plop_half);
	size_t end = at + sizeof(((struct plop_half *)NULL)->frames);

	return (struct extent){ (at + page - 1) / page * page, end / page * page };
}

static int extent_map(struct sampler *s, struct extent e)
{
	void *p = (uint8_t *)s->cpus + e.from;

	if (e.from >= e.to)
		return 0;
	p = mmap(p, e.to - e.from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 bpf_map__fd(s->skel->maps.cpus), (off_t)e.from);
	return p == MAP_FAILED ? -errno : 0;
}

int tables_map(struct sampler *s)
{
	struct extent e = {};
	int r = 0;
	void *p;

	s->reached = calloc((size_t)s->ncpus, sizeof(*s->reached));
	if (!s->reached)
		return -ENOMEM;
	p = mmap(NULL, tables_size(s), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (p == MAP_FAILED)
		return -errno;
	s->cpus = p;
	for (int i = 0; i < 2 * s->ncpus && r >= 0; i++) {
		struct extent frames = half_frames(i / 2, (uint32_t)i % 2);

		e.to = frames.from;
		r = extent_map(s, e);
		s->reached[i / 2][i % 2] = frames.from;
		e.from = frames.to;
	}
	e.to = tables_size(s);
	return r < 0 ? r : extent_map(s, e);
}

void tables_unmap(struct sampler *s)
{
	if (s->cpus)
		munmap(TAKE_PTR(s->cpus), tables_size(s));
	free(TAKE_PTR(s->reached));
}

int tables_reach(struct sampler *s, int cpu, uint32_t half, uint32_t nframes)
{
	struct extent frames = half_frames(cpu, half);
	size_t *reached = &s->reached[cpu][half];
	size_t end = frames.from + nframes * sizeof(struct plop_frame);
	size_t to = MIN(frames.to, frames.from + (end - frames.from + STEP - 1) / STEP * STEP);

	if (to <= *reached)
		return 0;
	if (extent_map(s, (struct extent){ *reached, to }) < 0)
		return -EAGAIN;
	*reached = to;
	return 0;
}

void tables_let_go(struct sampler *s, int cpu, uint32_t half)
{
	size_t from = half_frames(cpu, half).from, *reached = &s->reached[cpu][half];
	void *p;

	if (*reached == from)
		return;
	/* the range stays reserved */
	p = mmap((uint8_t *)s->cpus + from, *reached - from, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (p != MAP_FAILED)
		*reached = from;
}
