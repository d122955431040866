/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What plop.db takes, in bytes and time, for windows made from stacks that plopd really recorded:
 *
 * 	bench_store day FROM TO WINDOWS STACKS	makes TO/plop.db of so many windows of 30 s
 * 	bench_store history FROM TO WINDOWS STACKS	the same, rolled up and kept as plopd does
 * 	bench_store ask DIR			asks it for 10 minutes and for all
 * 	bench_store roll DIR			rolls up what is in it
 * 	bench_store expire DIR WINDOWS		lets so many go, one by one
 * 	bench_store grow FROM DIR MB STACKS	adds such windows to DIR's, of version 1
 * 	bench_store carry DIR			carries one of an older version over
 * 	bench_store dump DIR			prints all that is in it, sorted by nothing
 * 	bench_store samples DIR FROM TO OUT	writes these (Unix seconds) for others to read
 * 	bench_store brief			all of it with made-up stacks, in a second
 *
 * FROM is a state directory. Each line that is printed has a name and a figure. tests/bench/store
 * makes a table of it.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "format/format.h"
#include "made.h"
#include "profile/tree.h"
#include "store/store.h"
#include "version1.h"

/* Other lines on which a stack is seen. */
#define LINES  40
#define DAY_NS (24 * 3600 * NSEC_PER_SEC)

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct profile *read_some(const char *dir, uint64_t from_ns, uint64_t to_ns, bool lines)
{
	struct store_reader *reader;
	struct profile *p;
	char *error = NULL;

	if (store_reader_open(dir, &reader, &error) < 0) {
		fprintf(stderr, "bench_store: %s\n", error);
		exit(EXIT_FAILURE);
	}
	store_reader_stay(reader, 600 * NSEC_PER_SEC);
	if (!lines)
		store_reader_functions(reader);
	must(store_profile(reader, from_ns, to_ns, NULL, &p), "read");
	store_reader_close(reader);
	return p;
}

static struct profile *read_all(const char *dir)
{
	return read_some(dir, 0, UINT64_MAX, true);
}

static struct store *open_store(const char *dir)
{
	struct store *s;
	char *error = NULL;

	if (store_open(dir, &s, &error) < 0) {
		fprintf(stderr, "bench_store: %s\n", error);
		exit(EXIT_FAILURE);
	}
	return s;
}

static void carry(const char *dir)
{
	double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), most = 0;
	struct store *s = open_store(dir);
	double opened = seconds(CLOCK_MONOTONIC) - begin;
	struct store_facts f;
	struct rusage usage;

	do {
		double at = seconds(CLOCK_MONOTONIC), took;

		must(store_check(s), "check");
		took = seconds(CLOCK_MONOTONIC) - at;
		most = took > most ? took : most;
	} while (store_is_mending(s));
	must(store_facts(s, &f), "facts");
	store_close(s);
	getrusage(RUSAGE_SELF, &usage);
	printf("open_ms %.1f\nall_s %.2f\ncpu_s %.2f\nlongest_step_ms %.1f\n", opened * 1e3,
	       seconds(CLOCK_MONOTONIC) - begin, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	       most * 1e3);
	printf("windows %llu\nbytes %llu\nrss_kb %ld\n", (unsigned long long)f.windows,
	       (unsigned long long)f.bytes, usage.ru_maxrss);
}

/* Lets go what is too old, and rolls up, until there is nothing to do. */
static void look_after(struct store *s)
{
	must(store_expire(s), "expire");
	do
		must(store_check(s), "check");
	while (store_is_mending(s));
}

static void make(const struct profile *from, const char *dir, unsigned int windows,
		 unsigned int stacks, bool history)
{
	struct store *s = open_store(dir);
	double cpu = 0, most = 0;
	struct store_facts f;

	if (history) {
		store_keep(s, 48 * 3600 * NSEC_PER_SEC, 0);
		store_roll_up(s, 14 * DAY_NS, 400 * DAY_NS);
	}
	for (unsigned int i = 0; i < windows; i++) {
		struct profile *p = made_window(from, i, stacks, LINES);
		double at = seconds(CLOCK_THREAD_CPUTIME_ID), took;

		must(store_save(s, p), "save");
		took = seconds(CLOCK_THREAD_CPUTIME_ID) - at;
		cpu += took;
		most = i > 0 && took > most ? took : most;
		profile_free(p);
		/* once an hour, and at the end */
		if (history && (i % 120 == 119 || i + 1 == windows))
			look_after(s);
	}
	must(store_facts(s, &f), "facts");
	store_close(s);
	printf("windows %u\nstacks_a_window %u\nbytes_a_window %llu\nsave_cpu_ms %.2f\n"
	       "save_cpu_ms_most %.2f\n",
	       windows, stacks, (unsigned long long)(f.bytes / windows), cpu / windows * 1e3,
	       most * 1e3);
}

/* As in plopd, where each window that ends lets the oldest go: the time is that of the saver. */
static void expire(const char *dir, unsigned int windows)
{
	double all = 0, cpu = 0, most = 0;
	struct store *s = open_store(dir);
	struct store_facts before, after;

	must(store_facts(s, &before), "facts");
	for (unsigned int i = 1; i <= windows; i++) {
		double at = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_THREAD_CPUTIME_ID), took;

		store_keep(s, (before.windows - i) * MADE_LENGTH - 1, 0);
		must(store_expire(s), "expire");
		took = seconds(CLOCK_MONOTONIC) - at;
		cpu += seconds(CLOCK_THREAD_CPUTIME_ID) - used;
		all += took;
		most = took > most ? took : most;
	}
	must(store_facts(s, &after), "facts");
	store_close(s);
	must(before.windows - after.windows == windows ? 0 : -EINVAL, "expire");
	printf("expire_ms %.2f\nexpire_ms_most %.1f\nexpire_cpu_ms %.2f\n", all / windows * 1e3,
	       most * 1e3, cpu / windows * 1e3);
}

static void ask_for(const char *dir, const char *name, uint64_t from_ns, uint64_t to_ns, bool lines)
{
	double best = 1e9;
	struct profile *p = NULL;
	struct tree *tree = NULL;

	for (int i = 0; i < 3; i++) {
		double at = seconds(CLOCK_THREAD_CPUTIME_ID), took;

		profile_free(p);
		p = read_some(dir, from_ns, to_ns, lines);
		/* as a flame graph is asked for */
		if (!lines) {
			tree_free(tree);
			must(tree_new(p, &tree), "tree");
		}
		took = seconds(CLOCK_THREAD_CPUTIME_ID) - at;
		best = took < best ? took : best;
	}
	printf("%s_cpu_ms %.1f\n%s_samples %llu\n%s_stacks %u\n", name, best * 1e3, name,
	       (unsigned long long)p->samples_total, name, dict_stacks(p->dict));
	must(!tree || tree->nodes[0].value == p->samples_total ? 0 : -EINVAL, "tree");
	tree_free(tree);
	profile_free(p);
}

static void ask(const char *dir)
{
	struct store_reader *reader;
	struct store_facts f;
	uint64_t middle;

	must(store_reader_open(dir, &reader, NULL), "open");
	must(store_reader_facts(reader, &f), "facts");
	store_reader_close(reader);
	/* not in step with what is rolled up */
	middle = f.oldest_ns + f.windows / 2 * MADE_LENGTH + 7 * MADE_LENGTH;
	ask_for(dir, "ten_minutes", middle, middle + 20 * MADE_LENGTH, true);
	ask_for(dir, "ten_minutes_tree", middle, middle + 20 * MADE_LENGTH, false);
	ask_for(dir, "all", 0, UINT64_MAX, true);
	ask_for(dir, "all_tree", 0, UINT64_MAX, false);
}

/* As in plopd, where a look at the store comes every second while there is more to do. */
static void roll(const char *dir)
{
	double begin = seconds(CLOCK_THREAD_CPUTIME_ID), most = 0;
	struct store *s = open_store(dir);
	struct store_facts before, after;

	must(store_facts(s, &before), "facts");
	store_keep(s, 0, 0);
	store_roll_up(s, 0, 0);
	do {
		double at = seconds(CLOCK_THREAD_CPUTIME_ID), took;

		must(store_check(s), "check");
		took = seconds(CLOCK_THREAD_CPUTIME_ID) - at;
		most = took > most ? took : most;
	} while (store_is_mending(s));
	must(store_facts(s, &after), "facts");
	store_close(s);
	printf("roll_cpu_ms %.0f\nroll_cpu_ms_most %.1f\nroll_bytes %llu\n",
	       (seconds(CLOCK_THREAD_CPUTIME_ID) - begin) * 1e3, most * 1e3,
	       (unsigned long long)(after.bytes - before.bytes));
}

/* What is written of a store for others to read, and the numbers of stacks in it. */
struct writing {
	struct dict *dict; /* of all, functions without lines that ran */
	uint32_t *stacks;  /* by stack of the windows: ours + 1 */
	uint32_t room;
	FILE *samples;
};

/* Our number of a stack of the windows'. */
static uint32_t stack_in(struct writing *w, const struct profile *p, uint32_t stack)
{
	const struct dict_stack *s = dict_get_stack(p->dict, stack);
	uint32_t frames[1024], function, ours, n = MIN(s->depth, (uint32_t)ARRAY_SIZE(frames));

	while (w->room <= stack) {
		uint32_t more = MAX(2 * w->room, 4096u);

		w->stacks = reallocarray(w->stacks, more, sizeof(*w->stacks));
		must(w->stacks ? 0 : -ENOMEM, "stacks");
		memset(w->stacks + w->room, 0, (more - w->room) * sizeof(*w->stacks));
		w->room = more;
	}
	if (w->stacks[stack])
		return w->stacks[stack] - 1;
	for (uint32_t i = 0; i < n; i++) {
		const struct dict_frame *f = dict_get_frame(p->dict, s->frames[i]);

		must(dict_function(w->dict, dict_get_function(p->dict, f->function), &function),
		     "function");
		must(dict_frame(w->dict, function, f->line, &frames[i]), "frame");
	}
	must(dict_stack(w->dict, frames, n, &ours), "stack");
	w->stacks[stack] = ours + 1;
	return ours;
}

static int write_window(const struct profile *p, void *ctx)
{
	struct writing *w = ctx;

	if (!p) {
		if (w->stacks)
			memset(w->stacks, 0, w->room * sizeof(*w->stacks));
		return 0;
	}
	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];

		fprintf(w->samples, "%llu,%d,%u,%u,%llu\n",
			(unsigned long long)(p->start_ns / NSEC_PER_SEC),
			p->processes[s->process].info.pid, s->thread, stack_in(w, p, s->stack),
			(unsigned long long)s->count);
	}
	return 0;
}

static FILE *make_file(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;
	FILE *f;

	must(asprintf(&path, "%s/%s", dir, name) < 0 ? -ENOMEM : 0, "path");
	f = fopen(path, "w");
	must(f ? 0 : -errno, path);
	return f;
}

/* One line for each stack: its number, and the functions, root first. */
static void write_stacks(const struct dict *d, FILE *to)
{
	fprintf(to, "stack,functions\n");
	for (uint32_t i = 0; i < dict_stacks(d); i++) {
		const struct dict_stack *s = dict_get_stack(d, i);

		if (!s->depth)
			continue;
		fprintf(to, "%u,", i);
		for (uint32_t k = 0; k < s->depth; k++)
			fprintf(to, k ? " %u" : "%u", dict_get_frame(d, s->frames[k])->function);
		fputc('\n', to);
	}
}

/* Each sample of each window as CSV, and all of them as one file of pprof. */
static void write_samples(const char *dir, uint64_t from_ns, uint64_t to_ns, const char *to)
{
	struct profile *all = read_some(dir, from_ns, to_ns, true);
	struct writing w = { .samples = make_file(to, "samples.csv") };
	FILE *stacks = make_file(to, "stacks.csv"), *pprof = make_file(to, "day.pb.gz");
	struct store_reader *reader;
	struct buf b = {};

	must(dict_new(&w.dict), "dict");
	must(store_reader_open(dir, &reader, NULL), "open");
	store_reader_stay(reader, 600 * NSEC_PER_SEC);
	fprintf(w.samples, "time,pid,thread,stack,samples\n");
	must(store_each_window(reader, from_ns, to_ns, NULL, write_window, &w), "windows");
	store_reader_close(reader);
	write_stacks(w.dict, stacks);
	must(format_find("pprof")->encode(all, &b), "pprof");
	must(fwrite(b.data, 1, b.size, pprof) == b.size ? 0 : -EIO, "pprof");
	printf("pprof_bytes %zu\nsamples %llu\n", b.size, (unsigned long long)all->samples_total);
	must(fclose(w.samples) | fclose(stacks) | fclose(pprof) ? -EIO : 0, "write");
	buf_free(&b);
	free(w.stacks);
	dict_free(w.dict);
	profile_free(all);
}

static void dump(const char *dir)
{
	struct profile *p = read_all(dir);

	for (uint32_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->samples[i];
		const struct dict_stack *stack = dict_get_stack(p->dict, s->stack);
		const struct profile_process *k = &p->processes[s->process];

		printf("%d %.17g %u %s|%s|%s|%s|%s|%s|%s|%s|%s %u", k->info.pid, k->info.start_time,
		       k->info.uid, k->python, k->info.comm, k->info.exe, k->info.cmdline,
		       k->info.cgroup, k->info.unit, k->info.container, k->info.service,
		       k->info.version, s->thread);
		for (uint32_t j = 0; j < stack->depth; j++) {
			const struct dict_frame *f = dict_get_frame(p->dict, stack->frames[j]);
			const struct dict_function *n = dict_get_function(p->dict, f->function);

			printf(";%s (%s:%d:%d)", n->name, n->file, n->line, f->line);
		}
		printf(" %llu\n", (unsigned long long)s->count);
	}
	profile_free(p);
}

static void brief(void)
{
	char dir[] = "/tmp/plop-bench-XXXXXX";
	struct profile *from = made_stacks();
	DIR *list;

	if (!mkdtemp(dir))
		must(-errno, "mkdtemp");
	make(from, dir, 40, 500, false);
	ask(dir);
	roll(dir);
	ask(dir);
	expire(dir, 8);
	list = opendir(dir);
	for (struct dirent *e; list && (e = readdir(list));)
		unlinkat(dirfd(list), e->d_name, 0);
	if (list)
		closedir(list);
	rmdir(dir);
	profile_free(from);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if ((streq(command, "day") || streq(command, "history")) && argc == 6) {
		struct profile *from = streq(argv[2], "-") ? made_stacks() : read_all(argv[2]);

		make(from, argv[3], (unsigned int)atoi(argv[4]), (unsigned int)atoi(argv[5]),
		     streq(command, "history"));
		profile_free(from);
	} else if (streq(command, "ask") && argc == 3) {
		ask(argv[2]);
	} else if (streq(command, "roll") && argc == 3) {
		roll(argv[2]);
	} else if (streq(command, "carry") && argc == 3) {
		carry(argv[2]);
	} else if (streq(command, "expire") && argc == 4) {
		expire(argv[2], (unsigned int)atoi(argv[3]));
	} else if (streq(command, "grow") && argc == 6) {
		struct profile *from = read_all(argv[2]);
		uint64_t bytes = strtoull(argv[4], NULL, 10) << 20;

		printf("added %u\n",
		       version1_grow(argv[3], from, bytes, (unsigned int)atoi(argv[5])));
		profile_free(from);
	} else if (streq(command, "dump") && argc == 3) {
		dump(argv[2]);
	} else if (streq(command, "samples") && argc == 6) {
		write_samples(argv[2], strtoull(argv[3], NULL, 10) * NSEC_PER_SEC,
			      strtoull(argv[4], NULL, 10) * NSEC_PER_SEC, argv[5]);
	} else if (streq(command, "brief") && argc == 2) {
		brief();
	} else {
		fprintf(stderr,
			"usage: bench_store day|history FROM|- TO WINDOWS STACKS | ask DIR |"
			" roll DIR | expire DIR WINDOWS | grow FROM DIR MB STACKS | carry "
			"DIR | dump DIR | samples DIR FROM TO OUT |"
			" brief\n");
		return 2;
	}
	return 0;
}
