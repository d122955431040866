/* SPDX-License-Identifier: BSD-2-Clause */
#include <malloc.h>

#include "sampler/private.h"

/* Those of bpf/async.bpf.h, which no other program uses. */
static bool is_async_map(const struct plop *skel, const struct bpf_map *map)
{
	return map == skel->maps.async_scratch || map == skel->maps.asyncs ||
	       map == skel->maps.async_names || map == skel->maps.async_types;
}

void async_leave_out(struct plop *skel)
{
	struct bpf_map *map;

	/* the programs are not loaded unless one asks for it: "?" before their sections' names */
	bpf_object__for_each_map(map, skel->obj)
	{
		if (is_async_map(skel, map))
			bpf_map__set_autocreate(map, false);
	}
}

void async_free(struct sampler *s)
{
	plop__destroy(s->async);
	s->async = NULL;
}

/*
 * All maps that the programs share are those of the first object, its variables included. (libbpf 1.1 creates and fills no map
 * that it was given: bpf_object__create_maps().)
 */
static int async_share(struct sampler *s, struct plop *skel)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		struct bpf_map *first =
			bpf_object__find_map_by_name(s->skel->obj, bpf_map__name(map));

		if (r < 0)
			continue;
		if (map == skel->maps.async_scratch)
			r = bpf_map__set_max_entries(map, (uint32_t)s->ncpus);
		else if (!is_async_map(skel, map))
			r = first ? bpf_map__reuse_fd(map, bpf_map__fd(first)) : -ENOENT;
	}
	return r;
}

int sampler_async(struct sampler *s)
{
	struct bpf_program *program;
	struct bpf_map *map;
	struct plop *skel;
	int r;

	if (s->async)
		return 0;
	if (!s->have_sets)
		return -EOPNOTSUPP;
	skel = plop__open();
	if (!skel)
		return -errno;
	bpf_object__for_each_program(program, skel->obj) bpf_program__set_autoload(
		program, program == skel->progs.plop_tick_async ||
				 program == skel->progs.plop_assign ||
				 (program == skel->progs.plop_sw_async && s->have_wall));
	r = async_share(s, skel);
	if (r >= 0)
		r = plop__load(skel);
	if (r < 0) {
		plop__destroy(skel);
		return r;
	}
	bpf_object__for_each_map(map, skel->obj)
	{
		if (is_async_map(skel, map))
			s->map_bytes += sampler_one_map_bytes(bpf_map__fd(map));
	}
	s->async = skel;
	/* what loading took: the kernel's type information above all */
	malloc_trim(0);
	return 0;
}

/* From 1 on; PLOP_MAX_LAYOUTS: there is none. */
static uint32_t async_free_place(const struct sampler *s)
{
	return 1 + layout_free_place(&s->async_uses[1], s->nasyncs);
}

/* The number of such offsets, equal ones sharing one; 0 is none. */
static int async_number(struct sampler *s, const struct plop_async *async, uid_t user,
			uint32_t *ret)
{
	uint32_t n;
	int r;

	for (n = 1; n <= s->nasyncs; n++) {
		struct layout_use *u = &s->async_uses[n];

		if (!u->known || memcmp(&s->asyncs[n], async, sizeof(*async)) != 0)
			continue;
		/* what a trusted user has as well is nobody's in particular */
		if (user == SAMPLER_TRUSTED)
			u->user = SAMPLER_TRUSTED;
		*ret = n;
		return 0;
	}
	r = layout_admit(&s->async_uses[1], s->nasyncs, user);
	if (r < 0 || async_free_place(s) == PLOP_MAX_LAYOUTS)
		asyncs_forget(s);
	if (r < 0)
		r = layout_admit(&s->async_uses[1], s->nasyncs, user);
	n = async_free_place(s);
	if (r < 0 || n == PLOP_MAX_LAYOUTS)
		return r < 0 ? r : -ENOSPC;
	if (bpf_map_update_elem(bpf_map__fd(s->async->maps.asyncs), &n, async, BPF_ANY) < 0)
		return -errno;
	s->asyncs[n] = *async;
	s->async_uses[n] = (struct layout_use){ .known = true, .user = user };
	s->nasyncs = MAX(s->nasyncs, n);
	*ret = n;
	return 0;
}

int sampler_process_async(struct sampler *s, uint32_t tgid, uint64_t image, uid_t user,
			  const struct plop_async *async)
{
	struct plop_async_assign assign = { .image = image, .tgid = tgid };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &assign, .ctx_size_in = sizeof(assign));
	int r;

	if (!s->async)
		return -EOPNOTSUPP;
	r = async_number(s, async, user, &assign.async);
	if (r < 0)
		return r;
	/* not by an update of the map, which would undo what exec has put there since it was looked up */
	if (bpf_prog_test_run_opts(bpf_program__fd(s->async->progs.plop_assign), &options) < 0)
		return -errno;
	return options.retval ? -ESRCH : 0;
}
