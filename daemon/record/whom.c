/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/whom.h"
#include "target/owner.h"

void whom_done(struct whom *w)
{
	free(w->pids);
	if (w->tree && w->tree_fd >= 0)
		close(w->tree_fd);
	cgroup_done(&w->cgroup);
	selectors_done(&w->selectors);
	*w = (struct whom){};
}

/* Where the pid is, or would be. */
static size_t place_of(const struct whom *w, pid_t pid)
{
	size_t low = 0, high = w->npids;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->pids[middle] < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool whom_has_pid(const struct whom *w, pid_t pid)
{
	size_t at = place_of(w, pid);

	return at < w->npids && w->pids[at] == pid;
}

int whom_add_pid(struct whom *w, pid_t pid)
{
	size_t at = place_of(w, pid);
	pid_t *more;

	if (at < w->npids && w->pids[at] == pid)
		return 0;
	if (w->npids >= WHOM_PIDS_MAX)
		return -E2BIG;
	more = reallocarray(w->pids, w->npids + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	w->pids = more;
	memmove(more + at + 1, more + at, (w->npids - at) * sizeof(*more));
	more[at] = pid;
	w->npids++;
	return 0;
}

int whom_take_pids(struct whom *w, int (*add)(struct whom *w, pid_t pid, void *ctx), void *ctx)
{
	struct selectors *s = &w->selectors;
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct selector one = s->items[i];

		if (!streq(one.key, "pid")) {
			s->items[kept++] = one;
			continue;
		}
		/* selectors_add() has seen to it that it is a number */
		if (r >= 0)
			r = add(w, (pid_t)strtol(one.value, NULL, 10), ctx);
		free(one.key);
		free(one.value);
	}
	s->n = kept;
	return r;
}

bool whom_wants(const struct whom *w, struct target *k, uint64_t cycle)
{
	struct profile_process process = { .python = k->python.version };

	if (w->npids > 0 && !whom_has_pid(w, k->info.pid))
		return false;
	if (!target_is_visible(k, &w->selectors, cycle))
		return false;
	process.info = k->info;
	return selectors_match_process(&w->selectors, &process);
}
