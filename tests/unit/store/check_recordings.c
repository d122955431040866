/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/resource.h>

#include "noise.h"
#include "opened.h"
#include "sql.h"
#include "store/fsck.h"
#include "store/internal.h"
#include "store/recording_blob.h"
#include "store/recordings.h"

/* Recordings that are kept: all that they had comes back, and none takes more than it may. */
#define ALICE 1000
#define BOB   1001

static char path[128];

static void setup_recordings(void)
{
	setup();
	snprintf(path, sizeof(path), "%s/plop.db", dir.path);
}

/* One with all that a recording may have: states, time off CPU, threads with names, labels. */
static struct profile *recorded(void)
{
	struct profile *p = known_profile();
	uint32_t empty, work;

	p->off_cpu = true;
	p->tally.lost[PLOP_LOST_RATE] = 9;
	ck_assert_int_eq(labels_add(&p->labels, "build", "before"), 0);
	ck_assert_int_eq(labels_add(&p->labels, "of", HOSTILE_UNICODE), 0);
	ck_assert_int_eq(profile_thread(p, 0, 101, "MainThread"), 0);
	ck_assert_int_eq(profile_thread(p, 0, 102, "worker " HOSTILE_UNICODE), 0);
	ck_assert_int_eq(profile_thread(p, 1, 201, ""), 0);
	ck_assert_int_eq(dict_stack(p->dict, NULL, 0, &empty), 0);
	work = known_frame(p, "Job.wait", "/srv/app.py", 30, DICT_LINE_COMPILED);
	known_add(p, 0, 101, (uint32_t[]){ work }, 1, 2);
	for (uint32_t state = 0; state < SAMPLE_STATES; state++) {
		bool ran = state <= SAMPLE_GIL_RELEASED;

		ck_assert_int_eq(profile_add_state(p, 0, 102, 1, state, ran ? 3 : 0,
						   ran ? 0 : 1000 + state),
				 0);
		ck_assert_int_eq(profile_add_state(p, 1, 201, empty, state, ran, ran ? 0 : 7), 0);
	}
	return p;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines, in no order of theirs. */
static char *sorted_lines(char *all)
{
	_cleanup_buf_ struct buf b = {};
	char *lines[256], *rest = all, *line;
	size_t n = 0;

	while ((line = strsep(&rest, "\n"))) {
		ck_assert_uint_lt(n, ARRAY_SIZE(lines));
		lines[n++] = line;
	}
	qsort(lines, n, sizeof(*lines), compare_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\n", lines[i]);
	return buf_string(&b);
}

static void same_sums(const struct profile *a, const struct profile *b)
{
	ck_assert_uint_eq(a->start_ns, b->start_ns);
	ck_assert_uint_eq(a->end_ns, b->end_ns);
	ck_assert_uint_eq(a->hz, b->hz);
	ck_assert_int_eq(a->off_cpu, b->off_cpu);
	ck_assert_int_eq(memcmp(&a->tally, &b->tally, sizeof(a->tally)), 0);
	ck_assert_uint_eq(a->samples_total, b->samples_total);
	ck_assert_uint_eq(a->nsamples, b->nsamples);
	ck_assert_uint_eq(a->nprocesses, b->nprocesses);
}

/* Every sample of a is in b, with its process, thread, the thread's name, state, stack and sums. */
static void same_samples(const struct profile *a, const struct profile *b)
{
	static const char *const names[] = { "tree", "json", "top", "svg", "html", "collapsed" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *was = text(a, names[i]), *is = text(b, names[i]);
		/* the order of collapsed lines says nothing */
		bool lines = streq(names[i], "collapsed");
		_cleanup_free_ char *was_sorted = lines ? sorted_lines(was) : NULL;
		_cleanup_free_ char *is_sorted = lines ? sorted_lines(is) : NULL;

		ck_assert_str_eq(lines ? was_sorted : was, lines ? is_sorted : is);
	}
	for (uint32_t i = 0; i < a->nsamples; i++) {
		const struct profile_sample *s = &a->samples[i];
		uint32_t process, found = 0;

		ck_assert(profile_has_process(b, &a->processes[s->process].info, &process));
		ck_assert_str_eq(a->processes[s->process].python, b->processes[process].python);
		ck_assert_str_eq(profile_thread_name(a, s->process, s->thread),
				 profile_thread_name(b, process, s->thread));
		for (uint32_t k = 0; k < b->nsamples; k++) {
			const struct profile_sample *t = &b->samples[k];

			found += t->process == process && t->thread == s->thread &&
				 t->state == s->state && t->count == s->count &&
				 t->off_cpu_ns == s->off_cpu_ns;
		}
		ck_assert_uint_ge(found, 1);
	}
}

START_TEST(a_blob_has_all)
{
	_cleanup_(profile_freep) struct profile *p = recorded(), *q = NULL;
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(recording_pack(p, 5, &b), 0);
	ck_assert_int_eq(recording_unpack(b.data, b.size, &q), 0);
	/* they are beside it */
	ck_assert_uint_eq(q->labels.n, 0);
	ck_assert_int_eq(labels_copy(&p->labels, &q->labels), 0);
	same_sums(p, q);
	same_samples(p, q);
}
END_TEST

START_TEST(a_blob_that_is_cut_or_changed_is_none)
{
	_cleanup_(profile_freep) struct profile *p = recorded();
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(recording_pack(p, 5, &b), 0);
	for (size_t n = 0; n < b.size; n++) {
		_cleanup_(profile_freep) struct profile *q = NULL;

		ck_assert_int_eq(recording_unpack(b.data, n, &q), -EBADMSG);
		b.data[n] ^= 0x55;
		ck_assert_int_eq(recording_unpack(b.data, b.size, &q), -EBADMSG);
		b.data[n] ^= 0x55;
	}
}
END_TEST

START_TEST(one_without_samples_is_kept_as_well)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *q = NULL;
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	p->end_ns = KNOWN_END;
	ck_assert_int_eq(recording_pack(p, 5, &b), 0);
	ck_assert_int_eq(recording_unpack(b.data, b.size, &q), 0);
	same_sums(p, q);
}
END_TEST

static unsigned int gone; /* for the last one that was kept */

static int keep_as(const char *ident, const char *name, uid_t uid, uid_t user,
		   const struct profile *p)
{
	struct store_recording row = {
		.ident = ident,
		.name = name,
		.uid = uid,
		.user = user,
		.start_ns = p->start_ns,
		.end_ns = p->end_ns,
		.samples = p->samples_total,
		.labels = &p->labels,
		.facts = "{\"id\":\"it\"}",
	};

	return store_add_recording(store, &row, p, &gone);
}

/* Ids and names of what somebody sees, the newest first. */
static int put_seen(const struct store_recording *r, void *ctx)
{
	buf_printf(ctx, "%s=%s ", r->ident, r->name);
	return 0;
}

static void seen_is(const struct selectors *see, const char *list)
{
	_cleanup_free_ char *is = NULL;
	struct buf b = {};

	ck_assert_int_eq(store_each_recording(reader, see, put_seen, &b), 0);
	is = buf_string(&b);
	ck_assert_str_eq(is, list);
}

START_TEST(what_is_kept_comes_back)
{
	_cleanup_(profile_freep) struct profile *p = recorded(), *q = NULL;
	_cleanup_buf_ struct buf facts = {};
	struct store_facts f;

	ck_assert_int_eq(keep_as("n1", "before", 0, STORE_TRUSTED, p), 0);
	ck_assert_int_eq(keep_as("n2", "after", 0, STORE_TRUSTED, p), 0);
	ck_assert_int_eq(keep_as("n2", "again", 0, STORE_TRUSTED, p), -EEXIST);
	seen_is(NULL, "n2=after n1=before ");
	ck_assert_int_eq(store_read_recording(reader, "n1", NULL, &facts, &q), 0);
	ck_assert_int_eq(memcmp(facts.data, "{\"id\":\"it\"}", facts.size), 0);
	same_sums(p, q);
	same_samples(p, q);
	ck_assert_uint_eq(q->labels.n, 2);
	ck_assert_str_eq(labels_get(&q->labels, "of"), HOSTILE_UNICODE);
	ck_assert_int_eq(store_facts(store, &f), 0);
	ck_assert_uint_eq(f.recordings, 2);
	ck_assert_uint_gt(f.recordings_bytes, 0);
	ck_assert_int_eq(store_remove_recording(store, "n3", NULL), -ENOENT);
	ck_assert_int_eq(store_remove_recording(store, "n1", NULL), 0);
	seen_is(NULL, "n2=after ");
	ck_assert_int_eq(store_read_recording(reader, "n1", NULL, &facts, NULL), -ENOENT);
}
END_TEST

START_TEST(a_user_sees_his_own)
{
	const struct selectors alice = { .owned = true, .uid = ALICE };
	_cleanup_(profile_freep) struct profile *p = recorded();
	_cleanup_buf_ struct buf facts = {};

	ck_assert_int_eq(keep_as("n1", "a", ALICE, ALICE, p), 0);
	ck_assert_int_eq(keep_as("n2", "b", BOB, BOB, p), 0);
	/* made while she was trusted: it may have anybody's */
	ck_assert_int_eq(keep_as("n3", "c", ALICE, STORE_TRUSTED, p), 0);
	/* made by one of her sub-uids, which counts for her */
	ck_assert_int_eq(keep_as("n4", "d", 100000, ALICE, p), 0);
	seen_is(&alice, "n1=a ");
	for (int i = 2; i <= 4; i++) {
		const char ident[] = { 'n', (char)('0' + i), '\0' };

		ck_assert_int_eq(store_read_recording(reader, ident, &alice, &facts, NULL),
				 -ENOENT);
		ck_assert_int_eq(store_remove_recording(store, ident, &alice), -ENOENT);
	}
	ck_assert_int_eq(store_remove_recording(store, "n1", &alice), 0);
	seen_is(NULL, "n4=d n3=c n2=b ");
}
END_TEST

/* One that takes so many bytes, about, in the file. */
static struct profile *large(size_t bytes)
{
	struct profile *p = known_profile();
	char name[720];

	for (size_t i = 0; i < bytes / 700; i++) {
		noise_put(name, 700);
		known_add(p, 0, 1, (uint32_t[]){ known_frame(p, name, "/srv/generated.py", 1, 1) },
			  1, 1);
	}
	return p;
}

static int64_t bytes_of(uid_t user)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT ifnull(sum(bytes),0) FROM recordings WHERE user = %lld",
		 user == STORE_TRUSTED ? -1LL : (long long)user);
	return sql_number(path, sql);
}

START_TEST(a_user_has_a_share_of_the_bytes)
{
	const uint64_t max = 8 << 20, all = max / RECORDINGS_PART;
	_cleanup_(profile_freep) struct profile *p = large(80 << 10);
	_cleanup_free_ char *news = NULL;
	char ident[8];
	int n = 0;

	store_keep(store, 0, max);
	ck_assert_int_eq(keep_as("b0", "bob's", BOB, BOB, p), 0);
	/* the oldest of hers go, and it is said; none of another's does */
	for (int i = 0; i < 20; i++) {
		snprintf(ident, sizeof(ident), "a%d", i);
		ck_assert_int_eq(keep_as(ident, "hers", ALICE, ALICE, p), 0);
	}
	ck_assert_uint_ge(gone, 1);
	news = store_news(store, STORE_NEWS_RECORDINGS);
	ck_assert_msg(news && strstr(news, "of user 1000"), "%s", news);
	ck_assert_int_le(bytes_of(ALICE), all / RECORDINGS_USER_PART);
	ck_assert_int_gt(bytes_of(ALICE), all / RECORDINGS_USER_PART / 2);
	ck_assert_int_eq(sql_number(path, "SELECT count(*) FROM recordings WHERE ident = 'a19'"),
			 1);
	ck_assert_int_eq(sql_number(path, "SELECT count(*) FROM recordings WHERE ident = 'a0'"), 0);
	ck_assert_int_gt(bytes_of(BOB), 0);
	/* all users together have half: who has none then gets none, and the trusted do */
	for (uid_t user = 2000; n == 0 && user < 2040; user++) {
		snprintf(ident, sizeof(ident), "u%u", user);
		n = keep_as(ident, "many", user, user, p);
	}
	ck_assert_int_eq(n, -EDQUOT);
	ck_assert_int_le(sql_number(path, "SELECT sum(bytes) FROM recordings"),
			 all / RECORDINGS_USERS_PART);
	for (int i = 0; i < 40; i++) {
		snprintf(ident, sizeof(ident), "r%d", i);
		ck_assert_int_eq(keep_as(ident, "root's", 0, STORE_TRUSTED, p), 0);
	}
	ck_assert_int_le(sql_number(path, "SELECT sum(bytes) FROM recordings"), all);
	ck_assert_int_gt(bytes_of(STORE_TRUSTED), all / 4);
	ck_assert_int_gt(bytes_of(BOB), 0);
}
END_TEST

START_TEST(a_user_has_a_share_of_their_number)
{
	const int most = RECORDINGS_MOST / RECORDINGS_USER_PART;
	_cleanup_(profile_freep) struct profile *p = NULL;
	char ident[16];

	ck_assert_int_eq(profile_new(KNOWN_START, 100, &p), 0);
	ck_assert_int_eq(db_exec(store->db, "PRAGMA synchronous=OFF"), 0);
	for (int i = 0; i < most + 3; i++) {
		snprintf(ident, sizeof(ident), "a%d", i);
		ck_assert_int_eq(keep_as(ident, "hers", ALICE, ALICE, p), 0);
	}
	ck_assert_int_eq(sql_number(path, "SELECT count(*) FROM recordings"), most);
	ck_assert_int_eq(sql_number(path, "SELECT count(*) FROM recordings WHERE ident = 'a2'"), 0);
	ck_assert_int_eq(sql_number(path, "SELECT count(*) FROM recordings WHERE ident = 'a3'"), 1);
}
END_TEST

START_TEST(one_that_is_too_large_is_not_kept)
{
	_cleanup_(profile_freep) struct profile *p = large(3 << 20), *huge = large(25 << 20);

	ck_assert_int_eq(keep_as("n1", "a", 0, STORE_TRUSTED, huge), -E2BIG);
	store_keep(store, 0, 16 << 20);
	ck_assert_int_eq(keep_as("n1", "a", ALICE, ALICE, p), -E2BIG);
	ck_assert_int_eq(keep_as("n1", "a", 0, STORE_TRUSTED, p), 0);
}
END_TEST

START_TEST(a_full_disk_keeps_nothing_half)
{
	_cleanup_(profile_freep) struct profile *small = recorded(), *p = large(3 << 20);
	struct rlimit l;

	ck_assert_int_eq(keep_as("n1", "a", 0, STORE_TRUSTED, small), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = 1 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
	ck_assert_int_eq(keep_as("n2", "b", 0, STORE_TRUSTED, p), -ENOSPC);
	l.rlim_cur = l.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
	seen_is(NULL, "n1=a ");
	/* what did not fit fits now */
	ck_assert_int_eq(keep_as("n2", "b", 0, STORE_TRUSTED, p), 0);
	save(0);
	seen_is(NULL, "n2=b n1=a ");
}
END_TEST

START_TEST(their_time_is_over)
{
	_cleanup_(profile_freep) struct profile *p = recorded();

	store_keep_recordings(store, 600 * NSEC_PER_SEC);
	save(0);
	ck_assert_int_eq(keep_as("n1", "a", 0, STORE_TRUSTED, p), 0);
	for (unsigned int i = 1; i <= 10; i++)
		save(i);
	ck_assert_int_eq(keep_as("n2", "b", 0, STORE_TRUSTED, p), 0);
	for (unsigned int i = 11; i <= 19; i++)
		save(i);
	ck_assert_int_eq(store_expire(store), 0);
	seen_is(NULL, "n2=b n1=a ");
	save(20);
	ck_assert_int_eq(store_expire(store), 0);
	seen_is(NULL, "n2=b ");
}
END_TEST

/* Windows that go for want of room leave recordings alone. */
START_TEST(windows_go_first)
{
	_cleanup_(profile_freep) struct profile *p = large(200 << 10);
	struct store_facts f;

	store_keep(store, 0, 4 << 20);
	ck_assert_int_eq(keep_as("n1", "a", ALICE, ALICE, p), 0);
	for (unsigned int i = 0; i < 40; i++) {
		p->start_ns = KNOWN_START + i * 30 * NSEC_PER_SEC;
		p->end_ns = p->start_ns + 30 * NSEC_PER_SEC;
		ck_assert_int_eq(store_save(store, p), 0);
		ck_assert_int_eq(store_expire(store), 0);
	}
	ck_assert_int_eq(store_facts(store, &f), 0);
	ck_assert_uint_gt(f.dropped, 0);
	ck_assert_uint_le(f.bytes - f.wal_bytes, 4 << 20);
	seen_is(NULL, "n1=a ");
}
END_TEST

static void tell(void *ctx, bool fault, const char *sentence)
{
	if (fault)
		buf_printf(ctx, "%s\n", sentence);
}

static void damage(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void looked(uint64_t recordings, const char *faults)
{
	_cleanup_free_ char *is = NULL;
	struct buf said = {};
	struct fsck f = { .tell = tell, .ctx = &said };

	ck_assert_int_eq(store_fsck(path, &f), 0);
	is = buf_string(&said);
	ck_assert_str_eq(is, faults);
	ck_assert_uint_eq(f.recordings, recordings);
}

START_TEST(fsck_names_those_that_are_damaged)
{
	_cleanup_(profile_freep) struct profile *p = recorded();

	ck_assert_int_eq(keep_as("n1", "a", 0, STORE_TRUSTED, p), 0);
	ck_assert_int_eq(keep_as("n2", "b", ALICE, ALICE, p), 0);
	ck_assert_int_eq(keep_as("n3", "c", 0, STORE_TRUSTED, p), 0);
	looked(3, "");
	damage("UPDATE recordings SET data = zeroblob(100) WHERE ident = 'n2'");
	looked(3, "recording 2 cannot be read: it is damaged\n");
	damage("UPDATE recordings SET user = -1 WHERE ident = 'n2'");
	damage("UPDATE recordings SET labels = x'00' WHERE ident = 'n3'");
	looked(3, "recording 2 cannot be read: it is damaged\n"
		  "recording 3 cannot be read: it is damaged\n");
}
END_TEST

START_TEST(what_can_be_read_of_a_damaged_file_is_taken_over)
{
	_cleanup_(profile_freep) struct profile *p = recorded(), *q = NULL;
	_cleanup_buf_ struct buf facts = {};
	_cleanup_free_ char *news = NULL;

	for (unsigned int i = 0; i < 3; i++)
		save(i);
	ck_assert_int_eq(keep_as("n1", "a", ALICE, ALICE, p), 0);
	ck_assert_int_eq(keep_as("n2", "b", 0, STORE_TRUSTED, p), 0);
	ck_assert_int_eq(keep_as("n3", "c", 0, STORE_TRUSTED, p), 0);
	damage("UPDATE recordings SET data = zeroblob(100) WHERE ident = 'n2'");
	ck_assert_int_eq(store_read_recording(reader, "n2", NULL, &facts, &q), -EBADMSG);
	ck_assert_int_eq(store_mend(store, DAMAGE_CONTRADICTS), 0);
	do {
		ck_assert_int_eq(store_check(store), 0);
	} while (store_is_mending(store));
	seen_is(NULL, "n3=c n1=a ");
	ck_assert_int_eq(store_read_recording(reader, "n1", NULL, &facts, &q), 0);
	same_samples(p, q);
	looked(2, "");
	news = store_news(store, STORE_NEWS_DAMAGED);
	ck_assert_msg(news && strstr(news, "3 of its 3 windows, and 2 recordings, could be read"),
		      "%s", news);
}
END_TEST

CHECK_MAIN_WITH("store/recordings", setup_recordings, teardown, a_blob_has_all,
		a_blob_that_is_cut_or_changed_is_none, one_without_samples_is_kept_as_well,
		what_is_kept_comes_back, a_user_sees_his_own, a_user_has_a_share_of_the_bytes,
		a_user_has_a_share_of_their_number, one_that_is_too_large_is_not_kept,
		a_full_disk_keeps_nothing_half, their_time_is_over, windows_go_first,
		fsck_names_those_that_are_damaged,
		what_can_be_read_of_a_damaged_file_is_taken_over);
