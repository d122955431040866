/* SPDX-License-Identifier: BSD-2-Clause */
#include <malloc.h>

#include "sampler/private.h"
#include "util/clock.h"
#include "util/log.h"

/* For how long one that could not be loaded is not tried again. */
#define FAILED_NS (60 * NSEC_PER_SEC)

/* The maps of bpf/async.bpf.h, which no other program uses. */
static bool is_async_map(const struct plop *skel, const struct bpf_map *map)
{
	return map == skel->maps.async_scratch || map == skel->maps.asyncs ||
	       map == skel->maps.async_names || map == skel->maps.async_types;
}

static bool part_has_program(const struct plop *skel, enum sampler_part which,
			     const struct bpf_program *program)
{
	switch (which) {
	case SAMPLER_PART_SETS:
		return program == skel->progs.plop_tick_chan;
	case SAMPLER_PART_WALL:
		return program == skel->progs.plop_switch || program == skel->progs.plop_wakeup;
	case SAMPLER_PART_TASKS:
		return program == skel->progs.plop_tick_async ||
		       program == skel->progs.plop_sw_async || program == skel->progs.plop_assign;
	}
	return false;
}

static bool program_is_of_a_part(const struct plop *skel, const struct bpf_program *program)
{
	return part_has_program(skel, SAMPLER_PART_SETS, program) ||
	       part_has_program(skel, SAMPLER_PART_WALL, program) ||
	       part_has_program(skel, SAMPLER_PART_TASKS, program);
}

void parts_leave_out(struct sampler *s, struct plop *skel)
{
	struct bpf_program *program;
	struct bpf_map *map;

	for (unsigned int i = 0; i < PARTS; i++)
		s->parts[i] = (struct part){ .sampler = s, .which = (enum sampler_part)(1 << i) };
	bpf_object__for_each_program(program, skel->obj)
	{
		if (program_is_of_a_part(skel, program))
			bpf_program__set_autoload(program, false);
	}
	bpf_object__for_each_map(map, skel->obj)
	{
		if (is_async_map(skel, map))
			bpf_map__set_autocreate(map, false);
	}
}

/*
 * All maps that the programs share are those of the first object, its variables included. (libbpf
 * 1.1 creates and fills no map that it was given: bpf_object__create_maps().)
 */
static int part_share(const struct part *p, struct plop *skel)
{
	const struct sampler *s = p->sampler;
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		struct bpf_map *first =
			bpf_object__find_map_by_name(s->skel->obj, bpf_map__name(map));

		if (r < 0)
			continue;
		if (!is_async_map(skel, map))
			r = first ? bpf_map__reuse_fd(map, bpf_map__fd(first)) : -ENOENT;
		else if (p->which != SAMPLER_PART_TASKS)
			r = bpf_map__set_autocreate(map, false);
		else if (map == skel->maps.async_scratch)
			r = bpf_map__set_max_entries(map, (uint32_t)s->ncpus);
	}
	return r;
}

/* On the loader's thread. */
static void part_load(void *ctx)
{
	struct bpf_program *program;
	struct part *p = ctx;
	struct plop *skel = plop__open();

	if (!skel) {
		p->r = -errno;
		return;
	}
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, part_has_program(skel, p->which, program));
	p->r = part_share(p, skel);
	if (p->r >= 0)
		p->r = plop__load(skel);
	if (p->r < 0)
		plop__destroy(skel);
	else
		p->coming = skel;
	/* what loading took: the kernel's type information above all */
	malloc_trim(0);
}

static void part_loaded(void *ctx)
{
	struct part *p = ctx;
	struct sampler *s = p->sampler;
	struct bpf_map *map;

	p->loading = false;
	p->skel = TAKE_PTR(p->coming);
	if (p->skel && p->which == SAMPLER_PART_TASKS) {
		bpf_object__for_each_map(map, p->skel->obj)
		{
			if (is_async_map(p->skel, map))
				s->map_bytes += sampler_one_map_bytes(bpf_map__fd(map));
		}
	}
	p->failed_ns = p->r < 0 ? clock_ns(CLOCK_MONOTONIC) : 0;
	if (p->r < 0)
		log_warning_r(p->r, "Cannot load the BPF programs of a recording");
	if (s->handlers.loaded)
		s->handlers.loaded(p->which, p->skel ? 0 : p->r, s->handlers.ctx);
}

/* 0: it is there. */
static int part_need(struct part *p)
{
	struct sampler *s = p->sampler;
	int r = 0;

	if (p->skel)
		return 0;
	if (p->loading)
		return -EINPROGRESS;
	/* it takes half a second of CPU, and anybody may ask */
	if (p->failed_ns && clock_ns(CLOCK_MONOTONIC) - p->failed_ns < FAILED_NS)
		return p->r;
	if (!s->options.loop) {
		part_load(p);
		part_loaded(p);
		return p->skel ? 0 : p->r;
	}
	if (!s->loader)
		r = worker_new(s->options.loop, "plopd-load", PARTS, &s->loader);
	if (r >= 0)
		r = worker_submit(s->loader, part_load, part_loaded, p);
	if (r < 0)
		return r;
	p->loading = true;
	return -EINPROGRESS;
}

int sampler_need(struct sampler *s, unsigned int parts)
{
	int r, all = 0;

	if (!s->have_channels)
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < PARTS; i++) {
		r = parts & s->parts[i].which ? part_need(&s->parts[i]) : 0;
		if (r < 0 && r != -EINPROGRESS)
			return r;
		all = r < 0 ? r : all;
	}
	return all;
}

struct plop *part_skel(const struct sampler *s, enum sampler_part which)
{
	for (unsigned int i = 0; i < PARTS; i++) {
		if (s->parts[i].which == which)
			return s->parts[i].skel;
	}
	return NULL;
}

void parts_free(struct sampler *s)
{
	/* nobody waits for them any more */
	s->handlers.loaded = NULL;
	worker_free(TAKE_PTR(s->loader));
	for (unsigned int i = 0; i < PARTS; i++)
		plop__destroy(TAKE_PTR(s->parts[i].skel));
}
