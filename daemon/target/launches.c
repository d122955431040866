/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/launches.h"
#include "plop/places.h"
#include "util/clock.h"

static void launch_free(struct launch *k)
{
	if (!k)
		return;
	process_info_done(&k->info);
	free(k);
}

void launches_meet(struct launches *l, const struct plop_record_exec *r)
{
	if (r->launch)
		l->met[r->head.tgid % LAUNCHES_MET] = (struct launch_met){ .tgid = r->head.tgid,
									   .uid = r->uid,
									   .image = r->head.image,
									   .launch = r->launch,
									   .code = r->code };
}

/*
 * The place for a launch, if that may have it: of one that is still good for others the next
 * process may be there, and not known here yet.
 */
static struct launch **place_for(struct launches *l, const struct launch_met *m, uint64_t now_ns)
{
	struct launch **at = &l->of[PLOP_LAUNCH_PLACE(m->launch, m->uid)];

	return !*at || (*at)->launch == m->launch || now_ns >= (*at)->until_ns + LAUNCH_LATE_NS ?
		       at :
		       NULL;
}

static void give_up(struct launch **at, struct sampler *s)
{
	if (!*at)
		return;
	sampler_launch_set(s, (*at)->launch, (*at)->uid, NULL);
	sampler_layout_use(s, (*at)->layout, false);
	launch_free(*at);
	*at = NULL;
}

void launches_learn(struct launches *l, struct sampler *s, uint32_t tgid, uint64_t image,
		    const struct process_info *info, const struct python_process *python,
		    uint32_t layout, uint64_t now_ns)
{
	const struct launch_met *m = &l->met[tgid % LAUNCHES_MET];
	bool of_files = python->list || (*info->version && !info->says_version);
	struct launch **at, *k;

	/* whoever has written over its command line has another than it began with */
	if (m->tgid != tgid || m->image != image || m->uid != info->uid || info->overwritten ||
	    python->verdict != PYTHON_YES || !(python->own || python->list))
		return;
	at = place_for(l, m, now_ns);
	k = at ? malloc(sizeof(*k)) : NULL;
	if (!k)
		return;
	*k = (struct launch){ .launch = m->launch,
			      .until_ns =
				      now_ns + (of_files ? LAUNCH_FILES_LAST_NS : LAUNCH_LASTS_NS),
			      .layout = layout,
			      .python = *python };
	k->python.runtime = python->own ? python->runtime - m->code : 0;
	k->uid = m->uid;
	if (process_info_copy(info, &k->info) < 0) {
		free(k);
		return;
	}
	give_up(at, s);
	sampler_layout_use(s, layout, true);
	sampler_launch_set(s, k->launch, m->uid,
			   &(struct plop_launch){ .offset = python->own ?
								    k->python.runtime :
								    python->runtime - python->bias,
						  .until = k->until_ns,
						  .layout = layout,
						  .list = python->own ? 0 : python->list - m->code,
						  .dynamic = python->own ? 0 : python->dynamic });
	*at = k;
}

int launches_find(const struct launches *l, const struct plop_record_exec *r,
		  struct python_process *ret_python, struct process_info *ret_info)
{
	const struct launch *k = l->of[PLOP_LAUNCH_PLACE(r->launch, r->uid)];
	int n;

	if (!k || k->launch != r->launch)
		return -ENOENT;
	n = process_info_again(&k->info, (pid_t)r->head.tgid, (pid_t)r->parent, r->born, ret_info);
	if (n < 0)
		return n;
	*ret_python = k->python;
	if (k->python.own)
		ret_python->runtime += r->code;
	return 0;
}

void launches_cycle(struct launches *l, struct sampler *s, uint64_t now_ns)
{
	for (size_t i = 0; i < PLOP_LAUNCHES; i++) {
		if (l->of[i] && now_ns >= l->of[i]->until_ns + LAUNCH_LATE_NS)
			give_up(&l->of[i], s);
	}
}

void launches_done(struct launches *l)
{
	for (size_t i = 0; i < PLOP_LAUNCHES; i++)
		launch_free(l->of[i]);
}

size_t launches_bytes(const struct launches *l)
{
	size_t bytes = 0;

	for (size_t i = 0; i < PLOP_LAUNCHES; i++) {
		if (l->of[i])
			bytes += sizeof(*l->of[i]) + process_info_bytes(&l->of[i]->info);
	}
	return bytes;
}
