/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/labels.h"
#include "util/log.h"

/*
 * How long one waits for its maker to be known as Python: as long as plopd takes to look at all
 * processes, when it starts.
 */
#define MAKER_NS (5 * NSEC_PER_SEC)

/*
 * Whether k takes the labels of maker. Both are one user's, for others are not to learn what an
 * environment says; and of one control group, which is what a service is to the host.
 */
static bool is_made_by(const struct target *k, const struct target *maker)
{
	return k->info.parent == maker->info.pid && k->info.uid == maker->info.uid &&
	       k->info.uid != PROCESS_NO_UID && streq(k->info.cgroup, maker->info.cgroup) &&
	       maker->info.start_ticks <= k->info.start_ticks;
}

void target_wait_label(struct targets *t, struct target *k)
{
	k->unlabeled = true;
	HASH_ADD(hh_maker, t->unlabeled, info.parent, sizeof(k->info.parent), k);
}

void target_unwait_label(struct targets *t, struct target *k)
{
	if (k->unlabeled)
		HASH_DELETE(hh_maker, t->unlabeled, k);
	k->unlabeled = false;
}

static void label_from(struct target *k, const struct target *maker)
{
	if (is_made_by(k, maker) && process_info_inherit(&k->info, &maker->info) < 0)
		log_debug("Out of memory, process %u has no labels of its maker's", k->key.tgid);
}

/*
 * Those that wait for k, which has its labels; and so on, for those who wait for these. Each is
 * looked at once.
 */
static void label_waiting(struct targets *t, struct target *k)
{
	k->woken = NULL;
	while (k) {
		struct target *maker = k, *w;

		k = k->woken;
		for (;;) {
			HASH_FIND(hh_maker, t->unlabeled, &maker->info.pid, sizeof(maker->info.pid),
				  w);
			if (!w)
				break;
			target_unwait_label(t, w);
			label_from(w, maker);
			w->woken = k;
			k = w;
		}
	}
}

void target_inherit(struct targets *t, struct target *k)
{
	struct target *maker;

	if (k->info.made != PROCESS_EXECUTED && k->info.parent > 1 &&
	    !(k->info.says_service && k->info.says_version)) {
		maker = targets_find_pid(t, k->info.parent);
		if (!maker || maker->unlabeled) {
			target_wait_label(t, k);
			return;
		}
		label_from(k, maker);
	}
	label_waiting(t, k);
}

void labels_cycle(struct targets *t)
{
	uint64_t now = cycle_mono_ns(t->cycle);
	struct target *k, *next, *late = NULL;

	for (k = t->unlabeled; k; k = next) {
		next = k->hh_maker.next;
		if (now - k->key.image <= MAKER_NS)
			continue;
		target_unwait_label(t, k);
		k->woken = late;
		late = k;
	}
	for (k = late; k; k = next) {
		next = k->woken;
		label_waiting(t, k);
	}
}
