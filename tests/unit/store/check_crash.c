/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "check_main.h"
#include "dir.h"
#include "drawn.h"
#include "lossy.h"
#include "noise.h"
#include "store/fsck.h"
#include "store/internal.h"
#include "store/recordings.h"
#include "store/store.h"

/*
 * The power goes, or plopd is killed, at any moment while windows are saved, rolled up and let go,
 * and pages given back: at most the window that was being saved is lost, nothing is counted twice,
 * and plop.db can be used.
 */
static struct dir dir;

#define BEGIN  (UINT64_C(1700006400) * NSEC_PER_SEC)
#define LENGTH (120 * NSEC_PER_SEC)
/*
 * All go after an hour, ten minutes as soon as they are in six hours, which are 180 windows: many
 * of them at once then, so that pages are given back.
 */
#define KEEP_NS (3600 * NSEC_PER_SEC)
#define WINDOWS 400
/* Never reached; pages are given back from a 256th of that on. */
static uint64_t max_bytes = 1 << 20;

static void setup(void)
{
	dir_make(&dir);
}

static void teardown(void)
{
	dir_done(&dir);
}

/* The window of that number, which is always the same; and samples of all up to it. */
static struct profile *window(int64_t id)
{
	struct process_info info = known_process(99, "app");
	struct profile *p;
	uint32_t process;
	char name[120];

	state = (uint64_t)id;
	p = drawn_window(BEGIN + (uint64_t)id * LENGTH, LENGTH);
	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &process), 0);
	for (int i = 0; i < 12; i++) {
		noise_put(name, 100);
		known_add(p, process, 1, (uint32_t[]){ known_frame(p, name, "/srv/app.py", 1, 1) },
			  1, 1);
	}
	p->tally.python = p->samples_total;
	return p;
}

static uint64_t up_to(int64_t id)
{
	static uint64_t sums[1 << 16];
	static int64_t known;

	ck_assert_int_lt(id, ARRAY_SIZE(sums));
	while (known < id) {
		struct profile *p = window(known + 1);

		sums[known + 1] = sums[known] + p->samples_total;
		known++;
		profile_free(p);
	}
	return sums[id];
}

static int store_begin(const char *path, struct store **ret)
{
	int r = store_open(path, ret, NULL);

	if (r == 0) {
		store_keep(*ret, KEEP_NS, max_bytes);
		store_roll_up(*ret, KEEP_NS, 0);
	}
	return r;
}

/* Every so many windows a recording is kept: that window. */
#define RECORDED_EACH 20

static int keep(struct store *s, const struct profile *p)
{
	char ident[16];
	struct store_recording row = { .ident = ident,
				       .name = "now and then",
				       .user = STORE_TRUSTED,
				       .start_ns = p->start_ns,
				       .end_ns = p->end_ns,
				       .samples = p->samples_total,
				       .labels = &p->labels,
				       .facts = "{}" };

	if (s->window_id % RECORDED_EACH)
		return 0;
	snprintf(ident, sizeof(ident), "n%lld", (long long)s->window_id);
	return store_add_recording(s, &row, p, NULL);
}

/* One more window, and all that comes with it. */
static int go_on(struct store *s)
{
	struct profile *p = window(s->window_id + 1);
	int r = store_save(s, p);

	if (r == 0)
		r = keep(s, p);
	profile_free(p);
	if (r == 0)
		r = store_expire(s);
	for (int i = 0; r == 0 && i < 3; i++)
		r = store_check(s);
	return r;
}

static void tell(void *ctx, bool fault, const char *sentence)
{
	ck_assert_msg(!fault, "%s: %s", (const char *)ctx, sentence);
}

/* The last recording that was kept is there; fsck has looked at all. */
static void recorded(sqlite3 *db, int64_t last)
{
	char sql[80];
	int64_t n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM recordings WHERE ident = 'n%lld'",
		 (long long)last);
	ck_assert_int_eq(db_int(db, sql, &n), 0);
	ck_assert_int_eq(n, last > 0);
}

/* All windows up to the newest, which is saved or the one after it, have been counted once. */
static void sound(const char *path, int64_t saved, int64_t kept)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *file = db_path(path, STORE_FILE);
	struct fsck f = { .tell = tell, .ctx = file };
	_cleanup_(db_closep) sqlite3 *db = NULL;
	int64_t newest = 0;

	ck_assert_int_eq(store_fsck(file, &f), 0);
	ck_assert_int_eq(db_open(file, DB_READ, &db), 0);
	ck_assert_int_eq(db_int(db, "SELECT max(id) FROM windows", &newest), 0);
	ck_assert_msg(newest == saved || newest == saved + 1, "%lld of %lld windows",
		      (long long)newest, (long long)saved);
	recorded(db, kept);
	ck_assert_int_eq(store_reader_open(path, &reader, NULL), 0);
	store_reader_functions(reader);
	ck_assert_int_eq(store_profile(reader, 0, UINT64_MAX, NULL, &p), 0);
	ck_assert_uint_eq(p->samples_total, up_to(newest));
}

/* What was left by one loss of power, at that time. */
#define LOSSES 30
static struct loss {
	struct dir dir;
	int64_t saved;
} losses[LOSSES];
static unsigned int nlosses, next_loss;
static int64_t saved;
static uint64_t luck;

static uint32_t roll_dice(uint32_t below)
{
	luck = luck * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(luck >> 33) % below;
}

static void write_file(const struct dir *d, const char *name, const void *data, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, size, f), size);
	ck_assert_int_eq(fclose(f), 0);
}

static void lose(void)
{
	static const unsigned int shares[] = { 0, 40, 128, 230, 256 };
	struct loss *l = &losses[nlosses];

	if (next_loss-- > 0 || nlosses == LOSSES)
		return;
	next_loss = roll_dice(2 * 150);
	dir_make(&l->dir);
	l->saved = saved;
	for (int i = 0; i < LOSSY_FILES && *lossy.files[i].name; i++) {
		struct lossy_bytes b = lossy_left(&lossy.files[i],
						  shares[roll_dice(ARRAY_SIZE(shares))], roll_dice);

		if (b.size || i == 0)
			write_file(&l->dir, strrchr(lossy.files[i].name, '/') + 1, b.data, b.size);
		free(b.data);
	}
	/* it is memory that was never meant to last */
	write_file(&l->dir, STORE_FILE "-shm", (char[32768]){ 0x5a }, 32768);
	nlosses++;
}

START_TEST(the_power_goes)
{
	_cleanup_(store_closep) struct store *s = NULL;
	char path[128];
	int64_t largest = 0, last = 0;
	int shrunk = 0;

	luck = 11 + (uint64_t)_i;
	nlosses = 0;
	next_loss = 0;
	saved = 0;
	snprintf(path, sizeof(path), "%s/" STORE_FILE, dir.path);
	ck_assert_int_eq(store_begin(dir.path, &s), 0);
	ck_assert_int_eq(go_on(s), 0);
	saved = s->window_id;
	store_close(TAKE_PTR(s));
	lossy_begin(path, lose);
	ck_assert_int_eq(store_begin(dir.path, &s), 0);
	while (saved < WINDOWS) {
		int64_t size;

		ck_assert_int_eq(go_on(s), 0);
		saved = s->window_id;
		size = (int64_t)file_bytes(path);
		largest = MAX(largest, size);
		shrunk += size < last;
		last = size;
	}
	store_close(TAKE_PTR(s));
	lossy_end();
	/* there was something of all, and not too much of it */
	ck_assert_int_gt(shrunk, 0);
	ck_assert_uint_lt((uint64_t)largest, max_bytes);
	ck_assert_uint_ge(nlosses, LOSSES / 2);
	for (unsigned int i = 0; i < nlosses; i++) {
		_cleanup_free_ char *news = NULL;

		ck_assert_int_eq(store_begin(losses[i].dir.path, &s), 0);
		news = store_news(s, STORE_NEWS_DAMAGED);
		ck_assert_msg(!news, "%s", news);
		sound(losses[i].dir.path, losses[i].saved,
		      losses[i].saved / RECORDED_EACH * RECORDED_EACH);
		ck_assert_int_eq(go_on(s), 0);
		store_close(TAKE_PTR(s));
		dir_done(&losses[i].dir);
	}
}
END_TEST

/* In seconds of a test; PLOP_CRASHES=N is so many times that. */
#define KILLS 40

static int times(void)
{
	const char *n = getenv("PLOP_CRASHES");

	return n ? atoi(n) : 1;
}

/* In a process of its own, until it is killed. done: the last window, and the last recording. */
static void work(volatile int64_t *done)
{
	struct store *s = NULL;

	check_no_marks();
	if (store_begin(dir.path, &s) < 0)
		_exit(1);
	for (;;) {
		struct profile *p = window(s->window_id + 1);

		if (store_save(s, p) < 0 || keep(s, p) < 0)
			_exit(2);
		if (s->window_id % RECORDED_EACH == 0)
			done[1] = s->window_id;
		*done = s->window_id;
		profile_free(p);
		if (store_expire(s) < 0)
			_exit(3);
		for (int i = 0; i < 3; i++) {
			if (store_check(s) < 0)
				_exit(4);
		}
	}
}

START_TEST(plopd_is_killed)
{
	volatile int64_t *done =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t first = 0;

	ck_assert_ptr_ne((void *)done, MAP_FAILED);
	luck = 7;
	/* each begins a dictionary of its own */
	max_bytes = (uint64_t)(4 << 20) * times();
	for (int i = 0; i < KILLS * times(); i++) {
		struct timespec soon = { .tv_nsec = 1000 * (500 + roll_dice(24000)) };
		pid_t pid = fork();
		int status;

		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			work(done);
		do {
			nanosleep(&soon, NULL);
		} while (!*done && waitpid(pid, &status, WNOHANG) == 0);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x",
			      status);
		sound(dir.path, *done, done[1]);
		if (!first)
			first = *done;
	}
	/* they did something between */
	ck_assert_int_gt(*done, first);
	munmap((void *)done, 4096);
}
END_TEST

int main(void)
{
	TCase *tc;
	SRunner *r = check_begin("store/crash", setup, teardown, &tc);

	tcase_set_timeout(tc, 120 * times());
	tcase_add_loop_test(tc, the_power_goes, 0, times());
	tcase_add_test(tc, plopd_is_killed);
	return check_end(r);
}
