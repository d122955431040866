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

/* It has its own labels. */
static void unmark(struct target *k)
{
	if (!k->own_version)
		return;
	free(k->info.version);
	k->info.version = TAKE_PTR(k->own_version);
}

void target_mark(const struct targets *t, struct target *k)
{
	const char *version = t->marks.n ? marks_version(&t->marks, &k->info) : NULL;
	char *copy;

	unmark(k);
	copy = version ? strdup(version) : NULL;
	if (!copy)
		return;
	k->own_version = k->info.version;
	k->info.version = copy;
}

unsigned int targets_mark(struct targets *t, const struct selectors *whom)
{
	unsigned int n = 0;

	for (struct target *k = t->all; k; k = k->hh.next) {
		const struct profile_process one = { .info = k->info };

		target_mark(t, k);
		n += !k->dying && selectors_match_process(whom, &one);
	}
	return n;
}

static void label_from(const struct targets *t, struct target *k, const struct target *maker)
{
	struct process_info from = maker->info;

	if (!is_made_by(k, maker))
		return;
	if (maker->own_version)
		from.version = maker->own_version;
	unmark(k);
	if (process_info_inherit(&k->info, &from) < 0)
		log_debug("Out of memory, process %u has no labels of its maker's", k->key.tgid);
	target_mark(t, k);
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
			label_from(t, w, maker);
			w->woken = k;
			k = w;
		}
	}
}

void target_inherit(struct targets *t, struct target *k)
{
	struct target *maker;

	target_mark(t, k);
	if (k->info.made != PROCESS_EXECUTED && k->info.parent > 1 &&
	    !(k->info.says_service && k->info.says_version)) {
		maker = targets_find_pid(t, k->info.parent);
		if (!maker || maker->unlabeled) {
			target_wait_label(t, k);
			return;
		}
		label_from(t, k, maker);
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
