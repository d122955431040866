/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/private.h"

/* From 1 on; PLOP_MAX_LAYOUTS: there is none. */
static uint32_t async_free_place(const struct sampler *s)
{
	return 1 + layout_free_place(&s->async_uses[1], s->nasyncs);
}

/* The number of such offsets, equal ones sharing one; 0 is none. */
static int async_number(struct sampler *s, const struct plop *skel, const struct plop_async *async,
			uid_t user, uint32_t *ret)
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
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.asyncs), &n, async, BPF_ANY) < 0)
		return -errno;
	s->asyncs[n] = *async;
	s->async_uses[n] = (struct layout_use){ .known = true, .user = user };
	s->nasyncs = MAX(s->nasyncs, n);
	*ret = n;
	return 0;
}

int sampler_process_set_async(struct sampler *s, uint32_t tgid, uint64_t image, uid_t user,
			      const struct plop_async *async)
{
	struct plop_async_assign assign = { .image = image, .tgid = tgid };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &assign, .ctx_size_in = sizeof(assign));
	const struct plop *skel = part_skel(s, SAMPLER_PART_TASKS);
	int r = skel ? async_number(s, skel, async, user, &assign.async) : -EINPROGRESS;

	if (r < 0)
		return r;
	/*
	 * not by an update of the map, which would undo what exec has put there since it was looked
	 * up
	 */
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.plop_assign), &options) < 0)
		return -errno;
	return options.retval ? -ESRCH : 0;
}
