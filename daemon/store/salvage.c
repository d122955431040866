/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/internal.h"
#include "store/reader.h"
#include "util/clock.h"

/*
 * What was set aside may be damaged in one place only: each window of it that can still be read,
 * with all that it consists of, is taken over into the new file, the newest first, with the number
 * that it had. A part of it now and then, so that saving does not wait for it.
 */
struct salvage {
	char *name; /* the last part of the file's */
	enum damage damage;
	struct store_reader *reader;
	bool recordings;             /* there may be more of them */
	int64_t recording;           /* the last of them */
	int64_t rollup, last_rollup; /* the next of them, below 0, and the last */
	int64_t next, first, last;
	uint64_t taken, recordings_taken;
};

/* Of the new file, so that nothing goes for it. */
#define SALVAGE_PART_USED  7
#define SALVAGE_PART_WHOLE 8

void salvage_free(struct salvage *v)
{
	if (!v)
		return;
	store_reader_close(v->reader);
	free(v->name);
	free(v);
}

/* The numbers of its windows, and what the newest says of time, where the store does not know. */
static int look_through(struct store *s, struct salvage *v)
{
	struct head newest;
	int r;

	r = reader_int(v->reader, "SELECT id FROM windows ORDER BY id DESC LIMIT 1", &v->last);
	if (r == 0)
		r = reader_int(v->reader, "SELECT id FROM windows ORDER BY id LIMIT 1", &v->first);
	/* numbers out of a damaged file: the new windows' must still find room */
	if (r == 0 && (v->first < 1 || v->last < v->first || v->last > INT32_MAX))
		r = -EBADMSG;
	if (r < 0)
		return r;
	v->next = v->last;
	if (s->window_id < v->last) {
		s->window_id = v->last;
		s->life = (struct life){ .first = true };
		if (reader_head(v->reader, "windows ORDER BY id DESC LIMIT 1", &newest) == 0 &&
		    newest.end_ns <= INT64_MAX)
			s->life = (struct life){ .any = true,
						 .first = true,
						 .now = newest.life_ns,
						 .end_ns = (int64_t)newest.end_ns };
	}
	return 0;
}

/* Roll-ups that there may be; their ids are below 0. */
static void look_at_rollups(struct salvage *v)
{
	if (reader_int(v->reader, "SELECT id FROM rollups ORDER BY id DESC LIMIT 1", &v->rollup) <
		    0 ||
	    reader_int(v->reader, "SELECT id FROM rollups ORDER BY id LIMIT 1", &v->last_rollup) <
		    0 ||
	    v->rollup >= 0 || v->last_rollup < -INT32_MAX) {
		v->rollup = -1;
		v->last_rollup = 0;
	}
}

void salvage_begin(struct store *s, const char *name, enum damage d)
{
	_cleanup_free_ char *path = db_path(s->dir, name);
	struct salvage *v;

	salvage_free(TAKE_PTR(s->salvage));
	/* there is nothing in these; and SQLite would remove the WAL of a file without a byte */
	if (d != DAMAGE_TRUNCATED && d != DAMAGE_MALFORMED && d != DAMAGE_CONTRADICTS)
		return;
	v = calloc(1, sizeof(*v));
	if (v)
		v->name = strdup(name);
	if (!v || !path || !v->name || reader_open_damaged(path, &v->reader) < 0) {
		salvage_free(v);
		return;
	}
	memos_take_over(s, v->reader);
	if (look_through(s, v) < 0) {
		salvage_free(v);
		return;
	}
	look_at_rollups(v);
	v->recordings = true;
	v->recording = INT64_MIN;
	v->damage = d;
	s->salvage = v;
}

static void finish(struct store *s)
{
	struct salvage *v = s->salvage;
	int64_t windows = v->last - v->first + 1;
	char recordings[48] = "";

	if (v->recordings_taken)
		snprintf(recordings, sizeof(recordings), ", and %llu recordings,",
			 (unsigned long long)v->recordings_taken);
	store_tell(s, STORE_NEWS_DAMAGED,
		   "%s %s; it is kept as %s, and %llu of its %lld windows%s could be read and are "
		   "in the new file",
		   s->path, damage_sentence(v->damage), v->name, (unsigned long long)v->taken,
		   (long long)windows, recordings);
	salvage_free(TAKE_PTR(s->salvage));
	dictionary_end(&s->older);
}

static int take_over(struct store *s, int64_t id)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int64_t life;
	int r = reader_window(s->salvage->reader, id, &p, &life);

	/* not there, or damaged */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (s->retention_ns[TIER_WINDOWS] && s->life.any && life < s->life.now &&
	    (uint64_t)(s->life.now - life) >= s->retention_ns[TIER_WINDOWS])
		return 0;
	r = store_save_as(s, p, id, life);
	if (r == 0)
		s->salvage->taken++;
	return r;
}

/*
 * Roll-ups come first, the oldest at first: what is rolled up next goes by those that are there.
 */
static int take_over_rollup(struct store *s, int64_t id)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct rollup k;
	int r = reader_rollup(s->salvage->reader, id, &p, &k);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (k.first < 1 || k.last < k.first || k.last > INT32_MAX ||
	    (k.tier != TIER_MINUTES && k.tier != TIER_HOURS))
		return 0;
	r = store_save_rollup(s, p, &k);
	/* there are two of the same, by what a damaged file says */
	return r == -EEXIST ? 0 : r;
}

/* Recordings, which somebody wanted to have, come before all. */
static int take_over_recording(struct store *s)
{
	struct salvage *v = s->salvage;
	int r = reader_begin(v->reader);

	if (r == 0)
		r = recordings_take_over(s, v->reader, &v->recording, &v->recordings_taken);
	else if (r != -ENOMEM)
		r = 0;
	reader_end(v->reader);
	v->recordings = r > 0;
	return MIN(r, 0);
}

static bool is_over(const struct salvage *v)
{
	return !v->recordings && v->rollup < v->last_rollup && v->next < v->first;
}

int salvage_step(struct store *s, uint64_t budget_ns)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + budget_ns;
	int r = 0;

	if (!s->salvage)
		return 0;
	while (r == 0 && !is_over(s->salvage) && clock_ns(CLOCK_MONOTONIC) < until) {
		if (s->max_bytes &&
		    file_bytes(s->path) > s->max_bytes / SALVAGE_PART_WHOLE * SALVAGE_PART_USED) {
			s->salvage->recordings = false;
			s->salvage->rollup = s->salvage->last_rollup - 1;
			s->salvage->next = s->salvage->first - 1;
			break;
		}
		if (s->salvage->recordings)
			r = take_over_recording(s);
		else if (s->salvage->rollup >= s->salvage->last_rollup)
			r = take_over_rollup(s, s->salvage->rollup--);
		else
			r = take_over(s, s->salvage->next--);
	}
	/* a full disk: there is no room for it */
	if (r < 0 || is_over(s->salvage))
		finish(s);
	return r == -EBADMSG ? r : 0;
}
