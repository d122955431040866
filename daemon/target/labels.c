/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/labels.h"
#include "util/log.h"

/* How long one waits for its maker to be known as Python: as long as plopd takes to look at all processes, when it starts. */
#define MAKER_NS (5 * NSEC_PER_SEC)

/*
 * Whether k takes the labels of maker. Both are one user's, for others are not to learn what an environment says; and of one control
 * group, which is what a service is to the host.
 */
static bool is_made_by(const struct target *k, const struct target *maker)
{
	return k->info.parent == maker->info.pid && k->info.uid == maker->info.uid &&
	       k->info.uid != PROCESS_NO_UID && streq(k->info.cgroup, maker->info.cgroup) &&
	       maker->info.start_ticks <= k->info.start_ticks;
}

static void label_from(struct targets *t, struct target *k, const struct target *maker)
{
	if (k->unlabeled)
		t->unlabeled--;
	k->unlabeled = false;
	if (is_made_by(k, maker) && process_info_inherit(&k->info, &maker->info) < 0)
		log_debug("Out of memory, process %u has no labels of its maker's", k->key.tgid);
}

/* Those that wait for somebody who is labeled by now; and so on, for those who wait for these. */
static void label_waiting(struct targets *t)
{
	struct target *k, *next, *maker;
	bool any = true;

	while (any && t->unlabeled > 0) {
		any = false;
		HASH_ITER(hh_pid, t->living, k, next)
		{
			maker = k->unlabeled ? targets_find_pid(t, k->info.parent) : NULL;
			if (!maker || maker->unlabeled)
				continue;
			label_from(t, k, maker);
			any = true;
		}
	}
}

void target_inherit(struct targets *t, struct target *k)
{
	if (k->info.made != PROCESS_EXECUTED && k->info.parent > 1 &&
	    !(k->info.says_service && k->info.says_version)) {
		k->unlabeled = true;
		t->unlabeled++;
	}
	label_waiting(t);
}

void labels_cycle(struct targets *t)
{
	uint64_t now = cycle_mono_ns(t->cycle);
	struct target *k, *next;

	if (t->unlabeled == 0)
		return;
	HASH_ITER(hh_pid, t->living, k, next)
	{
		if (k->unlabeled && now - k->key.image > MAKER_NS) {
			k->unlabeled = false;
			t->unlabeled--;
		}
	}
	label_waiting(t);
}
