/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What many hosts send to a fleet's ClickHouse, out of the stacks that plopd recorded on one:
 *
 * 	bench_fleet load DIR PASSWORD_FILE DELAY_S SECONDS HOSTS URL...
 * 	bench_fleet wire DIR PASSWORD_FILE URL
 *
 * DIR is a state directory. load: each of so many hosts has ROWS rows in each
 * window of 30 s, of which it sends one in ten, which the plan chooses, DELAY_S after it ended with
 * what came meanwhile; hosts take turns with the stores. It prints how late they were, minute by
 * minute. wire: fleet_wire.c.
 *
 * tests/bench/fleet records, starts the stores and makes the table.
 */
#include "fleet.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clickhouse/schema.h"
#include "made.h"
#include "ship/plan.h"
#include "ship/target.h"
#include "store/store.h"
#include "util/array.h"
#include "util/clock.h"

#define LENGTH_S 30
#define LENGTH   (LENGTH_S * NSEC_PER_SEC)
#define SHARE    100000u /* millionths */
#define ROWS     300u
#define THREADS  16
#define STORES   4
/* Half of the programs' services have another version on a fifth of their hosts. */
#define SERVICES  40
#define VERSIONS  2
#define PROCESSES 4

/* A version of a service: what is drawn from, and the window that is being made. */
struct variant {
	pthread_mutex_t lock;
	char service[32], version[16];
	struct profile *window;       /* its dict has all stacks */
	struct profile_sample *drawn; /* owned */
	uint64_t *sums;               /* of counts, up to each; owned */
	uint32_t n;
};

/* What a host has sent. */
struct sender {
	uint64_t *ids; /* of stacks and processes; owned */
	uint32_t n, room;
};

/* Windows that a host sends together: those of the slots first to last that the plan takes. */
struct batch {
	uint32_t host;
	int first, last;
	uint64_t due_ns; /* since the beginning */
};

struct minute {
	uint64_t windows, late_ns, latest_ns;
};

static struct load {
	struct variant variants[SERVICES * VERSIONS];
	struct sender *senders;
	struct batch *batches;
	uint32_t nbatches, room;
	uint32_t hosts;
	uint64_t seed;
	const char *password_file, *urls[STORES];
	uint32_t nurls;
	uint64_t epoch_ns; /* when slot 0 begins, since 1970 */
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	uint64_t delay_ns, length_ns;

	pthread_mutex_t lock; /* of what follows */
	uint32_t next;
	uint64_t windows, rows, samples, batches_sent, bytes, failures;
	struct minute minutes[60];
} load = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t hashed(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t host_id(uint32_t host)
{
	return hashed(host + UINT64_C(0x9e3779b97f4a7c15));
}

static bool library(const char *file)
{
	return strstr(file, "/site-packages/") || strstr(file, "/lib/python3") ||
	       strstr(file, "/pypi/") || *file == '<' || !*file;
}

/* The function as the service has it: its own code lies in a folder of its own. */
static uint32_t function_in(struct variant *v, const struct dict_function *f)
{
	const char *name = strrchr(f->file, '/');
	struct dict_function copy = *f;
	char file[256];
	uint32_t id;

	if (f->kind == PLOP_FRAME_PYTHON && !library(f->file)) {
		snprintf(file, sizeof(file), "/srv/%s/%s/%s", v->service, v->version,
			 name ? name + 1 : f->file);
		copy.file = file;
		copy.module = NULL;
	}
	must(dict_function(v->window->dict, &copy, &id), "function");
	return id;
}

static uint32_t stack_in(struct variant *v, const struct profile *from, uint32_t stack)
{
	const struct dict_stack *s = dict_get_stack(from->dict, stack);
	uint32_t frames[1024], depth = MIN(s->depth, (uint32_t)ARRAY_SIZE(frames)), id;

	for (uint32_t i = 0; i < depth; i++) {
		const struct dict_frame *f = dict_get_frame(from->dict, s->frames[i]);

		must(dict_frame(v->window->dict,
				function_in(v, dict_get_function(from->dict, f->function)), f->line,
				&frames[i]),
		     "frame");
	}
	must(dict_stack(v->window->dict, frames, depth, &id), "stack");
	return id;
}

static void variant_make(struct variant *v, const struct profile *from)
{
	uint64_t sum = 0;
	uint32_t process;

	pthread_mutex_init(&v->lock, NULL);
	must(profile_new(0, from->hz, &v->window), "variant");
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process_info info = from->processes[i % from->nprocesses].info;

		info.pid = (pid_t)i + 1;
		info.service = v->service;
		info.version = v->version;
		must(profile_process(v->window, &info, from->processes[i % from->nprocesses].python,
				     &process),
		     "process");
	}
	v->n = from->nsamples;
	v->drawn = calloc(v->n, sizeof(*v->drawn));
	v->sums = calloc(v->n, sizeof(*v->sums));
	must(v->drawn && v->sums ? 0 : -ENOMEM, "variant");
	for (uint32_t i = 0; i < v->n; i++) {
		v->drawn[i] = from->samples[i];
		v->drawn[i].process %= PROCESSES;
		v->drawn[i].stack = stack_in(v, from, from->samples[i].stack);
		v->sums[i] = sum += from->samples[i].count;
	}
}

static const struct profile_sample *draw(const struct variant *v, uint64_t random)
{
	uint64_t at = random % v->sums[v->n - 1];
	uint32_t low = 0, high = v->n - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (v->sums[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return &v->drawn[low];
}

/* Makes the window of that host in that slot; v is locked. */
static void make_window(struct variant *v, uint32_t host, int slot)
{
	uint64_t random = hashed(host_id(host) + (uint64_t)slot);
	struct profile *p = v->window;

	profile_clear(p);
	p->start_ns = load.epoch_ns + (uint64_t)slot * LENGTH;
	p->end_ns = p->start_ns + LENGTH;
	p->hz = 100;
	for (uint32_t i = 0; i < PROCESSES; i++) {
		p->processes[i].info.pid = (pid_t)(2000 + (host * PROCESSES + i) % 30000);
		p->processes[i].info.start_time = (double)(host % 100000) + 0.5;
	}
	for (uint32_t tries = 0; p->nsamples < ROWS && tries < 100 * ROWS; tries++) {
		const struct profile_sample *s = draw(v, random = hashed(random + tries));

		must(profile_add_state(p, s->process, 0, s->stack, s->state, 1, 0), "sample");
	}
	p->tally = (struct tally){ .ticks = p->samples_total, .python = p->samples_total };
}

static struct variant *variant_of(uint32_t host)
{
	return &load.variants[host % SERVICES * VERSIONS + (host / SERVICES % 5 == 0)];
}

static bool taken(uint32_t host, int slot)
{
	static const struct ship_plan plan = { .share = SHARE, .share_least = SHARE };
	static const struct ship_service all = { .name = "", .version = "", .nth = UINT32_MAX };

	return ship_plan_takes(&plan, host_id(host), load.epoch_ns + (uint64_t)slot * LENGTH, &all);
}

struct clickhouse *bench_fleet_connect(const char *url, const char *password_file,
				       uint64_t *ret_seed)
{
	const struct clickhouse_options o = { .url = url,
					      .user = "plop",
					      .password_file = password_file };
	struct clickhouse_trouble why = {};
	struct clickhouse *c = NULL;
	char *error = NULL;
	int r = clickhouse_new(&o, &c, &error);

	if (r == 0)
		r = clickhouse_schema_check(c, ret_seed, &why);
	if (r < 0) {
		fprintf(stderr, "bench_fleet: %s\n", error ? error : why.sentence);
		exit(EXIT_FAILURE);
	}
	return c;
}

/* A host's connection to its store. */
static struct clickhouse *connected(struct clickhouse **stores, uint32_t host)
{
	struct clickhouse **c = &stores[host % load.nurls];
	uint64_t seed;

	if (!*c)
		*c = bench_fleet_connect(load.urls[host % load.nurls], load.password_file, &seed);
	return *c;
}

static void insert(struct clickhouse *c, const struct ship_rows *rows)
{
	struct clickhouse_trouble why = {};
	unsigned int failed = 0;

	/* as the shipper does, all of it again */
	while (target_clickhouse_insert(c, rows, &why) < 0) {
		pthread_mutex_lock(&load.lock);
		if (load.failures++ < 5)
			fprintf(stderr, "bench_fleet: %s\n", why.sentence);
		pthread_mutex_unlock(&load.lock);
		usleep(500000u << MIN(failed++, 5u));
	}
}

static void remember(struct sender *s, const struct ship_rows *rows)
{
	void *array = s->ids;

	for (uint32_t i = 0; i < rows->nids; i++) {
		must(array_reserve(&array, s->n, &s->room, sizeof(*s->ids)), "ids");
		s->ids = array;
		s->ids[s->n++] = rows->ids[i];
	}
}

/* Encodes one window of a host behind the others. */
static void add_window(const struct ship_host *host, uint32_t number, int slot, struct seen *seen,
		       struct ship_rows *to)
{
	const struct store_place place = { .any = true, .writer = host->id, .id = slot };
	uint64_t weights[PROCESSES];
	const struct ship_weights w = { .processes = weights,
					.head = UINT64_C(1000000) * SHIP_MILLION / SHARE };
	struct variant *v = variant_of(number);
	struct ship_rows rows = {};

	for (uint32_t i = 0; i < PROCESSES; i++)
		weights[i] = w.head;
	pthread_mutex_lock(&v->lock);
	make_window(v, number, slot);
	must(ship_encode(v->window, host, &place, &w, seen, &rows), "encode");
	pthread_mutex_unlock(&v->lock);
	remember(&load.senders[number], &rows);
	for (uint32_t i = 0; i < rows.nids; i++)
		seen_add(seen, rows.ids[i]);
	must(ship_rows_add(to, &rows), "rows");
	ship_rows_done(&rows);
}

static void count_batch(const struct batch *b, const struct ship_rows *rows, uint64_t windows,
			uint64_t bytes)
{
	uint64_t late = clock_ns(CLOCK_MONOTONIC) - load.began_ns - b->due_ns;
	struct minute *m = &load.minutes[b->due_ns / (60 * NSEC_PER_SEC)];

	pthread_mutex_lock(&load.lock);
	load.batches_sent++;
	load.windows += windows;
	load.rows += rows->nsamples;
	load.samples += rows->count;
	load.bytes += bytes;
	m->windows += windows;
	m->late_ns += late * windows;
	m->latest_ns = MAX(m->latest_ns, late);
	pthread_mutex_unlock(&load.lock);
}

static void send_batch(const struct batch *b, struct clickhouse *c, struct seen *seen)
{
	const struct sender *sender = &load.senders[b->host];
	uint64_t before = clickhouse_sent(c), windows = 0;
	_cleanup_(ship_rows_done) struct ship_rows rows = {};
	char name[32];
	const struct ship_host host = {
		.id = host_id(b->host), .seed = load.seed, .name = name, .region = "eu"
	};

	snprintf(name, sizeof(name), "host-%05u", b->host);
	seen_forget(seen);
	for (uint32_t i = 0; i < sender->n; i++)
		seen_add(seen, sender->ids[i]);
	for (int slot = b->first; slot <= b->last; slot++) {
		if (!taken(b->host, slot))
			continue;
		add_window(&host, b->host, slot, seen, &rows);
		windows++;
	}
	insert(c, &rows);
	count_batch(b, &rows, windows, clickhouse_sent(c) - before);
}

static void *send_all(void *ctx)
{
	struct clickhouse *stores[STORES] = {};
	struct seen *seen = calloc(1, sizeof(*seen));

	must(seen ? 0 : -ENOMEM, "seen");
	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC) - load.began_ns;
		const struct batch *b;

		pthread_mutex_lock(&load.lock);
		b = load.next < load.nbatches ? &load.batches[load.next++] : NULL;
		pthread_mutex_unlock(&load.lock);
		if (!b)
			break;
		if (b->due_ns > now)
			usleep((useconds_t)((b->due_ns - now) / 1000));
		send_batch(b, connected(stores, b->host), seen);
	}
	for (uint32_t i = 0; i < load.nurls; i++)
		if (stores[i])
			clickhouse_free(stores[i]);
	free(seen);
	return NULL;
}

/* When a batch whose first window is of that slot is due, since slot 0 began; as ship/batch.c. */
static uint64_t due_of(uint32_t host, int slot)
{
	uint64_t end = (uint64_t)(slot + 1) * LENGTH, id = host_id(host);

	return end + id % (LENGTH / 4 + 1) + load.delay_ns - id % (load.delay_ns / 4 + 1);
}

/* Slots from the end of a batch to the next window that is taken, at a share of a tenth. */
#define APART 10

/*
 * The batches of a host from its first slot on that are due between from_ns and that and
 * load.length_ns: slots before are there so that hosts are in the midst of their batches when it
 * begins.
 */
static void plan_host(uint32_t host, uint64_t from_ns)
{
	int slots = (int)((from_ns + load.length_ns) / LENGTH) + 1;
	/* hosts did not all begin at once: each is somewhere between two of its batches */
	int slot = (int)((host_id(host) >> 16) % (load.delay_ns / LENGTH + APART));
	void *array = load.batches;

	while (slot < slots) {
		struct batch b = { .host = host, .first = slot };

		if (!taken(host, slot)) {
			slot++;
			continue;
		}
		b.due_ns = due_of(host, slot);
		b.last = (int)((b.due_ns - host_id(host) % (LENGTH / 4 + 1)) / LENGTH) - 1;
		b.last = MAX(b.last, slot);
		slot = b.last + 1;
		if (b.due_ns < from_ns || b.due_ns >= from_ns + load.length_ns)
			continue;
		b.due_ns -= from_ns;
		must(array_reserve(&array, load.nbatches, &load.room, sizeof(b)), "batches");
		load.batches = array;
		load.batches[load.nbatches++] = b;
	}
}

static int by_due(const void *a, const void *b)
{
	const struct batch *one = a, *other = b;

	return one->due_ns < other->due_ns ? -1 : one->due_ns > other->due_ns;
}

/* All that is sent in that time, in order. */
static void plan_all(void)
{
	uint64_t now = clock_ns(CLOCK_REALTIME) / LENGTH * LENGTH;
	uint64_t slots = 2 * load.delay_ns / LENGTH + 20, from_ns = slots * LENGTH;

	load.epoch_ns = now - from_ns;
	for (uint32_t i = 0; i < load.hosts; i++)
		plan_host(i, from_ns);
	qsort(load.batches, load.nbatches, sizeof(*load.batches), by_due);
}

static void run(void)
{
	pthread_t threads[THREADS];
	struct timespec cpu;
	uint64_t last;

	load.began_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < THREADS; i++)
		must(-pthread_create(&threads[i], NULL, send_all, NULL), "thread");
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	last = clock_ns(CLOCK_MONOTONIC) - load.began_ns;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("windows %" PRIu64 "\nrows %" PRIu64 "\nsamples %" PRIu64 "\nbatches %" PRIu64
	       "\nbytes %" PRIu64 "\nfailures %" PRIu64 "\nseconds %.2f\ncpu_s %.2f\n",
	       load.windows, load.rows, load.samples, load.batches_sent, load.bytes, load.failures,
	       (double)last / NSEC_PER_SEC, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	for (uint32_t i = 0; i <= (load.length_ns - 1) / (60 * NSEC_PER_SEC); i++) {
		const struct minute *m = &load.minutes[i];

		printf("minute_%u_windows %" PRIu64
		       "\nminute_%u_late_s %.3f\nminute_%u_latest_s %.3f\n",
		       i, m->windows, i,
		       (double)m->late_ns / (double)MAX(m->windows, UINT64_C(1)) / NSEC_PER_SEC, i,
		       (double)m->latest_ns / NSEC_PER_SEC);
	}
}

struct store_reader *bench_fleet_open(const char *dir, const char *program,
				      struct selectors *ret_of_it)
{
	struct store_reader *reader;
	char selector[64];

	snprintf(selector, sizeof(selector), "service=%s", program);
	must(selectors_add(ret_of_it, selector), selector);
	must(store_reader_open(dir, &reader, NULL), dir);
	store_reader_threads_alike(reader);
	return reader;
}

/* What was recorded of that service, all windows as one. */
static void read_program(const char *dir, const char *program, struct profile **ret)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(selectors_done) struct selectors s = {};

	reader = bench_fleet_open(dir, program, &s);
	must(store_profile(reader, 0, UINT64_MAX, &s, ret), "read");
	if (!(*ret)->nsamples) {
		fprintf(stderr, "bench_fleet: %s has no samples of %s\n", dir, program);
		exit(EXIT_FAILURE);
	}
}

static void make_variants(const char *dir)
{
	for (uint32_t p = 0; p < ARRAY_SIZE(bench_fleet_programs); p++) {
		struct profile *from;

		read_program(dir, bench_fleet_programs[p], &from);
		for (uint32_t i = p; i < SERVICES; i += ARRAY_SIZE(bench_fleet_programs))
			for (uint32_t k = 0; k < VERSIONS; k++) {
				struct variant *v = &load.variants[i * VERSIONS + k];

				snprintf(v->service, sizeof(v->service), "%s-%u",
					 bench_fleet_programs[p], i);
				snprintf(v->version, sizeof(v->version), "1.%u", k);
				variant_make(v, from);
			}
		profile_free(from);
	}
}

/* load DIR PASSWORD_FILE DELAY_S SECONDS HOSTS URL... */
static void load_all(int n, char *const *of)
{
	load.password_file = of[1];
	load.delay_ns = strtoull(of[2], NULL, 10) * NSEC_PER_SEC;
	load.length_ns = MIN(strtoull(of[3], NULL, 10), 3600ull) * NSEC_PER_SEC;
	load.hosts = (uint32_t)strtoul(of[4], NULL, 10);
	for (int i = 5; i < n && load.nurls < STORES; i++)
		load.urls[load.nurls++] = of[i];
	clickhouse_free(bench_fleet_connect(load.urls[0], load.password_file, &load.seed));
	load.senders = calloc(load.hosts, sizeof(*load.senders));
	must(load.senders ? 0 : -ENOMEM, "hosts");
	make_variants(of[0]);
	plan_all();
	run();
	for (uint32_t i = 0; i < load.hosts; i++)
		free(load.senders[i].ids);
	for (uint32_t i = 0; i < SERVICES * VERSIONS; i++) {
		profile_free(load.variants[i].window);
		free(load.variants[i].drawn);
		free(load.variants[i].sums);
	}
	free(load.senders);
	free(load.batches);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 8 && streq(argv[1], "load")) {
		load_all(argc - 2, argv + 2);
	} else if (argc == 5 && streq(argv[1], "wire")) {
		bench_fleet_wire(argv[2], argv[3], argv[4]);
	} else {
		fprintf(stderr,
			"usage: bench_fleet load DIR PASSWORD_FILE DELAY_S SECONDS HOSTS URL...\n"
			"       bench_fleet wire DIR PASSWORD_FILE URL\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
