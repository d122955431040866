/* SPDX-License-Identifier: BSD-2-Clause */
#include "plop/places.h"
#include "sampler/private.h"

/* The kernel's process table, as user space changes it. */

static uint32_t add(volatile uint32_t *n, int by)
{
	return __atomic_fetch_add(n, (uint32_t)by, __ATOMIC_SEQ_CST);
}

/* Of the counters that user_charge() and user_discharge() of bpf/proc.bpf.c change as well. */
static bool user_charge(struct sampler *s, uint32_t place)
{
	struct plop__bss *b = s->skel->bss;

	if (place == 0)
		return true;
	if (!plop_user_may((int32_t)b->plop_user_processes[place], (int32_t)b->plop_users_processes,
			   PLOP_MAX_USERS_PROCESSES))
		return false;
	add(&b->plop_user_processes[place], 1);
	add(&b->plop_users_processes, 1);
	return true;
}

static void user_discharge(struct sampler *s, uint32_t place)
{
	if (place == 0 || place >= PLOP_USER_PLACES)
		return;
	add(&s->skel->bss->plop_user_processes[place], -1);
	add(&s->skel->bss->plop_users_processes, -1);
}

static void changed(struct sampler *s)
{
	__atomic_fetch_add(&s->skel->bss->plop_changes, 1, __ATOMIC_SEQ_CST);
}

static int put(struct sampler *s, uint32_t tgid, const struct plop_process *p, uint64_t flags)
{
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.processes), &tgid, p, flags) < 0)
		return errno == E2BIG ? -ENOSPC : errno == ENOENT ? -ESRCH : -errno;
	changed(s);
	return 0;
}

int sampler_process_add(struct sampler *s, uint32_t tgid, const struct plop_process *p, uid_t user)
{
	struct plop_process mine = *p;
	int r;

	mine.user = (uint16_t)PLOP_USER_PLACE(user, s->skel->rodata->plop_seed);
	if (!user_charge(s, mine.user))
		return -ENOSPC;
	r = put(s, tgid, &mine, BPF_NOEXIST);
	if (r < 0)
		user_discharge(s, mine.user);
	return r;
}

int sampler_process_set(struct sampler *s, uint32_t tgid, const struct plop_process *p)
{
	struct plop_process now, mine = *p;

	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.processes), &tgid, &now) < 0)
		return -ESRCH;
	if (now.image != p->image)
		return -ESTALE;
	mine.user = now.user;
	/*
	 * what it executes from here on is undone by this; then its record, which is still to come,
	 * has process_restore() called
	 */
	return put(s, tgid, &mine, BPF_EXIST);
}

void process_restore(struct sampler *s, uint32_t tgid, uint64_t image)
{
	struct plop_process now, p = { .state = PLOP_STATE_NEW };

	/* of one that has executed another program since, the next record tells */
	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.processes), &tgid, &now) < 0 ||
	    now.image >= image)
		return;
	plop_process_begin(&p, image);
	p.user = now.user;
	put(s, tgid, &p, BPF_EXIST);
}

void sampler_process_drop(struct sampler *s, uint32_t tgid, uint64_t image)
{
	int fd = bpf_map__fd(s->skel->maps.processes);
	struct plop_process now;

	if (bpf_map_lookup_elem(fd, &tgid, &now) == 0 && now.image == image &&
	    bpf_map_delete_elem(fd, &tgid) == 0)
		user_discharge(s, now.user);
	changed(s);
}

int sampler_process_image(struct sampler *s, uint32_t tgid, uint64_t *ret)
{
	struct plop_process now;

	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.processes), &tgid, &now) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret = now.image;
	return 0;
}

void sampler_quiet_begin(struct sampler *s)
{
	memset(s->quiet, 0, sizeof(s->quiet));
}

void sampler_quiet_add(struct sampler *s, uint32_t tgid, uint64_t image)
{
	struct plop_process now;

	if (sampler_process_read(s, tgid, image, &now) == 0 && now.user)
		s->quiet[now.user / 64 % ARRAY_SIZE(s->quiet)] |= UINT64_C(1) << now.user % 64;
}

void sampler_quiet_end(struct sampler *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->quiet); i++)
		s->skel->bss->plop_quiet[i] = s->quiet[i];
}

int sampler_process_read(struct sampler *s, uint32_t tgid, uint64_t image, struct plop_process *ret)
{
	struct plop_process now;

	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.processes), &tgid, &now) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (now.image != image)
		return -ESTALE;
	*ret = now;
	return 0;
}

uint64_t sampler_process_program(struct sampler *s, uint32_t tgid, uint64_t image)
{
	struct plop_process now;

	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.processes), &tgid, &now) < 0 ||
	    now.image != image || now.state != PLOP_STATE_NEW)
		return 0;
	return now.runtime;
}

bool sampler_process_forked(const struct sampler *s, uint32_t tgid, uint64_t image)
{
	return s->skel->bss->plop_forked[tgid % PLOP_FORKED_PLACES] >= image;
}

void sampler_program_plain(struct sampler *s, uint64_t file, bool plain)
{
	volatile __u64 *place = &s->skel->bss->plop_plain[file % PLOP_PLAIN_PROGRAMS];

	if (plain)
		*place = file;
	else if (*place == file)
		*place = 0;
}

void sampler_program_python(struct sampler *s, uint64_t file)
{
	s->skel->bss->plop_plain[file % PLOP_PLAIN_PROGRAMS] = file | PLOP_PROGRAM_PYTHON;
}

void sampler_launch_set(struct sampler *s, uint64_t launch, uid_t uid, const struct plop_launch *l)
{
	struct plop_launch whole = {};

	if (l) {
		whole = *l;
		whole.check = plop_launch_check(&whole, launch);
	}
	s->skel->bss->plop_launches[PLOP_LAUNCH_PLACE(launch, uid)] = whole;
}
