/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_main.h"
#include "target/labels.h"

/*
 * Whose labels a process takes: those of who made it, and of nobody whose they might be a secret
 * of.
 */
static struct targets t;

/* Some time after the images of all of them. */
static uint64_t later(clockid_t id)
{
	return 60 * NSEC_PER_SEC;
}

static struct cycle cycle = { .clock_ns = later };
static struct target made[8];

static char *text(const char *s)
{
	char *copy = strdup(s);

	ck_assert_ptr_nonnull(copy);
	return copy;
}

/* A process of that number, which is not known yet. */
static struct target *process(size_t n, pid_t parent, enum process_made how, const char *service)
{
	struct target *k = &made[n];

	*k = (struct target){ .key = { .image = 1, .tgid = (uint32_t)(100 + n) },
			      .info = { .pid = (pid_t)(100 + n),
					.parent = parent,
					.made = how,
					.uid = 1000,
					.start_ticks = 10 + n,
					.service = text(*service ? service : "user.slice"),
					.version = text(*service ? "1" : ""),
					.cgroup = text("/user.slice"),
					.says_service = *service,
					.says_version = *service } };
	return k;
}

/* It becomes known. */
static void known(struct target *k)
{
	HASH_ADD(hh_pid, t.living, key.tgid, sizeof(k->key.tgid), k);
	target_inherit(&t, k);
}

static unsigned int waiting(void)
{
	return HASH_CNT(hh_maker, t.unlabeled);
}

static void end(void)
{
	HASH_CLEAR(hh_pid, t.living);
	HASH_CLEAR(hh_maker, t.unlabeled);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		process_info_done(&made[i].info);
	memset(made, 0, sizeof(made));
}

#define LABELS(k, name, number)                              \
	do {                                                 \
		ck_assert_str_eq((k)->info.service, name);   \
		ck_assert_str_eq((k)->info.version, number); \
	} while (0)

START_TEST(the_makers_whoever_is_known_first)
{
	for (int first = 0; first < 2; first++) {
		struct target *maker = process(0, 1, PROCESS_EXECUTED, "web"),
			      *child = process(1, 100, PROCESS_FORKED, ""),
			      *worker = process(2, 101, PROCESS_WORKER, "");

		known(first ? maker : worker);
		known(child);
		known(first ? worker : maker);
		LABELS(child, "web", "1");
		LABELS(worker, "web", "1");
		ck_assert_uint_eq(waiting(), 0);
		end();
	}
}
END_TEST

START_TEST(nobody_elses)
{
	for (int i = 0; i < 6; i++) {
		struct target *maker = process(0, 1, PROCESS_EXECUTED, "web"),
			      *k = process(1, 100, PROCESS_WORKER, "");

		if (i == 0)
			k->info.uid = 1001;
		if (i == 1)
			maker->info.uid = 0;
		/* setuid programs: of nobody's it is not known that they are one user's */
		if (i == 2)
			k->info.uid = maker->info.uid = PROCESS_NO_UID;
		if (i == 3) {
			free(k->info.cgroup);
			k->info.cgroup = text("/docker/x");
		}
		/* another process has that number by now */
		if (i == 4)
			maker->info.start_ticks = 100;
		if (i == 5)
			k->info.made = PROCESS_EXECUTED;
		known(maker);
		known(k);
		LABELS(k, "user.slice", "");
		ck_assert_uint_eq(waiting(), 0);
		end();
	}
}
END_TEST

START_TEST(its_own_come_first)
{
	struct target *maker = process(0, 1, PROCESS_EXECUTED, "web"),
		      *k = process(1, 100, PROCESS_WORKER, "shop");

	known(maker);
	known(k);
	LABELS(k, "shop", "1");
	end();
}
END_TEST

START_TEST(a_maker_that_does_not_come)
{
	struct target *k = process(1, 100, PROCESS_WORKER, ""),
		      *child = process(2, 101, PROCESS_FORKED, ""),
		      *a = process(3, 104, PROCESS_FORKED, ""),
		      *b = process(4, 103, PROCESS_FORKED, "");

	known(k);
	known(child);
	/* two that say that the other one made them */
	known(a);
	known(b);
	ck_assert_uint_eq(waiting(), 4);
	/* their image is of long ago */
	t.cycle = &cycle;
	labels_cycle(&t);
	ck_assert_uint_eq(waiting(), 0);
	LABELS(k, "user.slice", "");
	LABELS(a, "user.slice", "");
	end();
}
END_TEST

/*
 * Who is known last made all others, one after the other or each: the time for each is the same, or
 * this would take minutes.
 */
START_TEST(many)
{
	enum { MANY = 20000 };
	struct target *all = calloc(MANY, sizeof(*all));

	ck_assert_ptr_nonnull(all);
	for (int chain = 0; chain < 2; chain++) {
		for (size_t i = 0; i < MANY; i++) {
			struct target *k = &all[MANY - 1 - i];

			*k = *process(1, 0, PROCESS_FORKED, MANY - 1 - i ? "" : "web");
			k->key.tgid = (uint32_t)(1000 + MANY - 1 - i);
			k->info.pid = (pid_t)k->key.tgid;
			k->info.start_ticks = MANY - i;
			k->info.parent = k == all ? 1 : chain ? k->info.pid - 1 : 1000;
			memset(&made[1], 0, sizeof(made[1]));
			known(k);
			ck_assert_uint_eq(waiting(), k == all ? 0 : i + 1);
		}
		HASH_CLEAR(hh_pid, t.living);
		for (size_t i = 0; i < MANY; i++) {
			LABELS(&all[i], "web", "1");
			process_info_done(&all[i].info);
		}
	}
	free(all);
}
END_TEST

CHECK_MAIN("target/labels", the_makers_whoever_is_known_first, nobody_elses, its_own_come_first,
	   a_maker_that_does_not_come, many);
