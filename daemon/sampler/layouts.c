/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/private.h"

/*
 * Of a user: layouts that he brought, as far as they are still known. SAMPLER_TRUSTED: of all users
 * who are not trusted.
 */
static uint32_t brought(const struct layout_use *uses, uint32_t n, uid_t user)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += user == SAMPLER_TRUSTED ? uses[i].user != SAMPLER_TRUSTED :
						 uses[i].user == user;
	return sum;
}

int layout_admit(const struct layout_use *uses, uint32_t n, uid_t user)
{
	if (user == SAMPLER_TRUSTED)
		return 0;
	return brought(uses, n, user) < PLOP_MAX_USER_LAYOUTS &&
			       brought(uses, n, SAMPLER_TRUSTED) < PLOP_MAX_USERS_LAYOUTS ?
		       0 :
		       -EDQUOT;
}

/* Which numbers processes have. */
struct numbers {
	bool layouts[PLOP_MAX_LAYOUTS], asyncs[PLOP_MAX_LAYOUTS];
};

/*
 * Marks those that a process of the kernel's table has: a child of one that ended may be there and
 * not known here yet.
 */
static void numbers_in_table(struct sampler *s, struct numbers *used)
{
	int fd = bpf_map__fd(s->skel->maps.processes);
	struct plop_process p;
	uint32_t key, next;
	int r = bpf_map_get_next_key(fd, NULL, &next);

	/* as many as there can be: one that goes away meanwhile has this begin anew */
	for (int i = 0; r == 0 && i < 2 * PLOP_MAX_PROCESSES; i++) {
		key = next;
		if (bpf_map_lookup_elem(fd, &key, &p) == 0 && p.state == PLOP_STATE_PROFILED &&
		    p.layout < PLOP_MAX_LAYOUTS && p.async < PLOP_MAX_LAYOUTS)
			used->layouts[p.layout] = used->asyncs[p.async] = true;
		r = bpf_map_get_next_key(fd, &key, &next);
	}
	/* then not all were seen */
	if (r == 0)
		memset(used, true, sizeof(*used));
}

/* Forgets the layouts that no process has any more; their places stay. */
static void layouts_forget(struct sampler *s)
{
	struct numbers used = {};
	bool any = false;

	for (uint32_t i = 0; i < s->nlayouts; i++) {
		used.layouts[i] = s->layout_uses[i].processes > 0;
		any |= !used.layouts[i] && s->layout_uses[i].known;
	}
	if (!any)
		return;
	numbers_in_table(s, &used);
	for (uint32_t i = 0; i < s->nlayouts; i++) {
		if (!used.layouts[i])
			s->layout_uses[i] = (struct layout_use){ .user = SAMPLER_TRUSTED };
	}
}

void asyncs_forget(struct sampler *s)
{
	struct numbers used = {};

	/*
	 * twice: a child that came where the first look had been already, of one that ended before
	 * it got there, is seen by the second
	 */
	for (int i = 0; i < 2; i++)
		numbers_in_table(s, &used);
	for (uint32_t i = 1; i <= s->nasyncs; i++) {
		if (!used.asyncs[i])
			s->async_uses[i] = (struct layout_use){ .user = SAMPLER_TRUSTED };
	}
}

uint32_t layout_free_place(const struct layout_use *uses, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && uses[i].known)
		i++;
	return i;
}

int sampler_layout_add(struct sampler *s, const struct plop_layout *layout, uid_t user,
		       uint32_t *ret)
{
	uint32_t n;
	int r;

	for (n = 0; n < s->nlayouts; n++) {
		struct layout_use *u = &s->layout_uses[n];

		if (!u->known || memcmp(&s->layouts[n], layout, sizeof(*layout)) != 0)
			continue;
		/* what a trusted user has as well is nobody's in particular */
		if (user == SAMPLER_TRUSTED)
			u->user = SAMPLER_TRUSTED;
		*ret = n;
		return 0;
	}
	r = layout_admit(s->layout_uses, s->nlayouts, user);
	if (r < 0 || layout_free_place(s->layout_uses, s->nlayouts) == PLOP_MAX_LAYOUTS)
		layouts_forget(s);
	if (r < 0)
		r = layout_admit(s->layout_uses, s->nlayouts, user);
	n = layout_free_place(s->layout_uses, s->nlayouts);
	if (r < 0 || n == PLOP_MAX_LAYOUTS)
		return r < 0 ? r : -ENOSPC;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.layouts), &n, layout, BPF_ANY) < 0)
		return -errno;
	s->layouts[n] = *layout;
	s->layout_uses[n] = (struct layout_use){ .known = true, .user = user };
	s->nlayouts = MAX(s->nlayouts, n + 1);
	*ret = n;
	return 0;
}

void sampler_layout_use(struct sampler *s, uint32_t n, bool begins)
{
	if (n >= s->nlayouts)
		return;
	if (begins)
		s->layout_uses[n].processes++;
	else if (s->layout_uses[n].processes > 0)
		s->layout_uses[n].processes--;
}
