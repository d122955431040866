/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * made_versions DIR: makes DIR/plop.db with the windows of the last hour of two services, of which
 * it is known what changed. service=shop has version 1.0 for 40 windows, then 1.1: slow_view costs
 * 30 % more, quick_view half, and half of what moved_view did is done by a helper that it calls.
 * service=still has version 1 and 2, which are the same. They belong to root.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "store/store.h"

#define WINDOWS 40
#define EACH    (20 * NSEC_PER_SEC)

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "made_versions: %s\n", strerror(-r));
		exit(EXIT_FAILURE);
	}
}

/* The same numbers each time, 0 to 1. */
static double uniform(void)
{
	static uint64_t state = 7;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(state >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

static void add(struct profile *p, uint32_t process, const char *file, const char *const *names,
		double mean)
{
	/* from window to window a cost goes up and down by more than chance */
	double count = mean * (0.9 + 0.2 * uniform());
	uint32_t frames[4], function, stack, n = 0;

	for (; names[n]; n++) {
		must(dict_python(p->dict, names[n], file, 1, &function));
		must(dict_frame(p->dict, function, 1, &frames[n]));
	}
	must(dict_stack(p->dict, frames, n, &stack));
	must(profile_add(p, process, 1, stack, (uint64_t)llround(count)));
}

static uint32_t process(struct profile *p, pid_t pid, char *service, char *version)
{
	static char comm[] = "python3";
	struct process_info info = process_info_of(pid);
	uint32_t index;

	info.start_ticks = (uint64_t)pid;
	info.comm = comm;
	info.service = service;
	info.version = version;
	must(profile_process(p, &info, "3.11.2", &index));
	return index;
}

static void shop(struct profile *p, bool is_new)
{
	static char service[] = "shop", old_version[] = "1.0", new_version[] = "1.1";
	const char *file = is_new ? "/srv/releases/1.1/views.py" : "/srv/releases/1.0/views.py";
	uint32_t k = process(p, is_new ? 101 : 100, service, is_new ? new_version : old_version);
	double load = 1 + uniform();
	char name[32];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "view_%d", i);
		add(p, k, file, (const char *const[]){ "handle", name, NULL }, load * 80);
	}
	add(p, k, file, (const char *const[]){ "handle", "slow_view", NULL },
	    load * (is_new ? 260 : 200));
	add(p, k, file, (const char *const[]){ "handle", "quick_view", NULL },
	    load * (is_new ? 100 : 200));
	add(p, k, file, (const char *const[]){ "handle", "moved_view", NULL },
	    load * (is_new ? 100 : 200));
	if (is_new)
		add(p, k, file, (const char *const[]){ "handle", "moved_view", "helper", NULL },
		    load * 100);
}

static void still(struct profile *p, bool is_new)
{
	static char service[] = "still", old_version[] = "1", new_version[] = "2";
	uint32_t k = process(p, is_new ? 201 : 200, service, is_new ? new_version : old_version);
	double load = 1 + uniform();
	char name[32];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "part_%d", i);
		add(p, k, "/srv/still.py", (const char *const[]){ "main", name, NULL },
		    load * (40 + 10 * i));
	}
}

int main(int argc, char *argv[])
{
	struct store *s;
	char *error = NULL;
	uint64_t now;

	if (argc != 2)
		return EXIT_FAILURE;
	if (store_open(argv[1], &s, &error) < 0) {
		fprintf(stderr, "made_versions: %s\n", error);
		return EXIT_FAILURE;
	}
	now = (uint64_t)time(NULL) * NSEC_PER_SEC;
	for (int i = 0; i < 2 * WINDOWS; i++) {
		struct profile *p;

		must(profile_new(now - (uint64_t)(2 * WINDOWS + 30 - i) * EACH, 100, &p));
		p->end_ns = p->start_ns + EACH;
		shop(p, i >= WINDOWS);
		still(p, i >= WINDOWS);
		p->tally.ticks = p->tally.python = p->samples_total;
		must(store_save(s, p));
		profile_free(p);
	}
	store_close(s);
	return EXIT_SUCCESS;
}
