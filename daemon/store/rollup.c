/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/rollup.h"

#include "store/internal.h"
#include "store/schema.h"
#include "store/window.h"
#include "util/clock.h"

/*
 * Which windows are in a roll-up its row says: what comes next follows from the rows alone. So a
 * plopd that ends in the midst of one has done nothing, and the next one begins it again.
 */

/* By the clock, as windows are: times in nanoseconds since 1970. */
static const uint64_t periods[STORE_TIERS] = {
	[TIER_MINUTES] = 600 * NSEC_PER_SEC,
	[TIER_HOURS] = 6 * 3600 * NSEC_PER_SEC,
};

/* A roll-up of TIER_HOURS ends early where it has that much, so that it is packed in some 25 ms. */
#define HOURS_SAMPLES 65536
#define HOURS_BYTES   (8u << 20)

char *rollup_select(const char *what)
{
	_cleanup_free_ char *from = NULL;

	if (asprintf(&from, "rollups %s", what) < 0) {
		from = NULL;
		return NULL;
	}
	return head_select(SCHEMA_VERSION, ", tier, first, last", from);
}

char *rollup_insert(void)
{
	return head_insert("rollups", ", tier, first, last", 3);
}

void rollup_read(sqlite3_stmt *st, struct rollup *ret)
{
	int at = head_read(st, &ret->head);

	ret->tier = sqlite3_column_int64(st, at);
	ret->first = sqlite3_column_int64(st, at + 1);
	ret->last = sqlite3_column_int64(st, at + 2);
}

void rollup_bind(sqlite3_stmt *st, int at, const struct rollup *r)
{
	sqlite3_bind_int64(st, at, r->tier);
	sqlite3_bind_int64(st, at + 1, r->first);
	sqlite3_bind_int64(st, at + 2, r->last);
}

void rolling_done(struct rolling *k)
{
	counts_done(&k->counts);
	save_free(k->save);
	profile_free(k->profile);
	*k = (struct rolling){};
}

/* What a roll-up is made of: windows, or roll-ups of the finer tier. */
struct piece {
	struct head head;
	int64_t first, last;
};

static char *pieces_select(enum store_tier tier, const char *what)
{
	_cleanup_free_ char *from = NULL;

	if (tier != TIER_MINUTES)
		return rollup_select(what);
	if (asprintf(&from, "windows %s", what) < 0) {
		from = NULL;
		return NULL;
	}
	return head_select(SCHEMA_VERSION, "", from);
}

static void piece_read(enum store_tier tier, sqlite3_stmt *st, struct piece *ret)
{
	struct rollup r;

	if (tier != TIER_MINUTES) {
		rollup_read(st, &r);
		*ret = (struct piece){ r.head, r.first, r.last };
		return;
	}
	head_read(st, &ret->head);
	ret->first = ret->last = ret->head.id;
}

/* Those that are in no roll-up yet, beyond that window, up to and with that one. */
static int pieces_prepare(struct store *s, enum store_tier tier, int64_t beyond, int64_t last,
			  sqlite3_stmt **ret)
{
	_cleanup_free_ char *sql = pieces_select(
		tier, tier == TIER_MINUTES ?
			      "WHERE id > ?1 AND id <= ?2 ORDER BY id" :
			      "WHERE tier = 1 AND last > ?1 AND last <= ?2 ORDER BY last");
	int r = sql ? db_prepare(s->db, sql, ret) : -ENOMEM;

	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret, 1, beyond);
	sqlite3_bind_int64(*ret, 2, last);
	return 0;
}

int rollup_last(struct store *s, enum store_tier tier, int64_t *ret)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	int r = db_prepare(s->db, "SELECT ifnull(max(last), 0) FROM rollups WHERE tier = ?1", &st);

	if (r < 0)
		return r;
	sqlite3_bind_int(st, 1, (int)tier);
	r = db_step(st);
	if (r > 0)
		*ret = sqlite3_column_int64(st, 0);
	return MIN(r, 0);
}

/*
 * Looks for the next roll-up of a tier whose windows are all there, as the first that is not one of
 * its has been saved as well. 1: it is begun; 0: there is none.
 */
static int begin(struct store *s, enum store_tier tier)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct rolling k = { .rollup.tier = tier };
	int64_t beyond = 0, dictionary = 0, period = 0, until = 0;
	struct piece p;
	int r = rollup_last(s, tier, &beyond);

	if (r == 0)
		r = pieces_prepare(s, tier, beyond, INT64_MAX, &st);
	if (r < 0)
		return r;
	while ((r = db_step(st)) > 0) {
		piece_read(tier, st, &p);
		/* one of an older version, which is yet to be carried over */
		if (!p.head.dictionary)
			return 0;
		if (until && ((int64_t)(p.head.start_ns / periods[tier]) != period ||
			      (tier == TIER_MINUTES && p.head.dictionary != dictionary)))
			break;
		if (!until) {
			k.rollup.first = p.first;
			period = (int64_t)(p.head.start_ns / periods[tier]);
			dictionary = p.head.dictionary;
		}
		until = p.last;
	}
	if (r <= 0)
		return r;
	k.until = until;
	k.rollup.last = beyond;
	s->rolling = k;
	return 1;
}

/* The head, of which not all is a sum that head_add() makes. */
static void add_head(struct rollup *to, const struct piece *p)
{
	if (!to->head.end_ns)
		to->first = p->first;
	head_add(&to->head, &p->head);
	to->head.stepped_ns += p->head.stepped_ns;
	to->head.life_ns = p->head.life_ns;
	to->head.dictionary = p->head.dictionary;
	to->last = p->last;
}

static int add_minutes(struct rolling *k, struct window_reader *w, const struct piece *p)
{
	_cleanup_(counts_done) struct counts more = {};
	int r = window_counts(w, &p->head, &more);

	return r < 0 ? r : counts_merge(&k->counts, &more);
}

static int add_hours(struct rolling *k, struct window_reader *w, const struct piece *p)
{
	static const struct selectors none;
	struct answer a = { .selectors = &none, .p = k->profile };
	int r = 0;

	if (!a.p)
		r = profile_new(p->head.start_ns, 0, &a.p);
	k->profile = a.p;
	window_spare(w);
	return r < 0 ? r : window_add(w, &a, &p->head);
}

/* Whether it has all that it is to have, or as much as one may have. */
static bool is_complete(const struct rolling *k)
{
	if (!k->rollup.head.end_ns || k->rollup.last >= k->until)
		return k->rollup.head.end_ns > 0;
	if (k->rollup.tier == TIER_MINUTES)
		return k->counts.n >= ROLLUP_COUNTS;
	return k->profile->nsamples >= HOURS_SAMPLES || profile_bytes(k->profile) >= HOURS_BYTES;
}

/* Adds what is still missing, as far as there is time. 1: nothing is missing. */
static int gather(struct store *s, struct window_reader *w, uint64_t until_ns)
{
	_cleanup_(db_finalizep) sqlite3_stmt *st = NULL;
	struct rolling *k = &s->rolling;
	enum store_tier tier = (enum store_tier)k->rollup.tier;
	struct piece p;
	int r = pieces_prepare(s, tier, k->rollup.last, k->until, &st);

	while (r == 0 && !is_complete(k)) {
		if (clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return 0;
		r = db_step(st);
		if (r < 0)
			return r;
		/* the rest has gone meanwhile, as there was no room for it */
		if (r == 0)
			return k->rollup.head.end_ns ? 1 : -ESTALE;
		piece_read(tier, st, &p);
		r = tier == TIER_MINUTES ? add_minutes(k, w, &p) : add_hours(k, w, &p);
		if (r == 0)
			add_head(&k->rollup, &p);
	}
	return r < 0 ? r : 1;
}

/*
 * Saves what was gathered. 1: it is saved; 0: the time is over. Packing takes its time: it is begun
 * while there is some.
 */
static int finish(struct store *s, uint64_t until_ns)
{
	struct rolling *k = &s->rolling;
	int r = 0;

	if (k->rollup.tier == TIER_HOURS && !k->save)
		r = save_begin_rollup(s, k->profile, &k->rollup, &k->save);
	if (r < 0)
		return r;
	if ((k->save && !save_put(k->save, until_ns)) || clock_ns(CLOCK_MONOTONIC) >= until_ns)
		return 0;
	r = k->save ? save_end_rollup(k->save) : store_save_counts(s, &k->counts, &k->rollup);
	return r < 0 ? r : 1;
}

/* Goes on with what is under way. */
static int go_on(struct store *s, uint64_t until_ns)
{
	const struct store_reader reader = {
		.db = s->db,
		.version = SCHEMA_VERSION,
		.functions = s->rolling.rollup.tier == TIER_HOURS,
	};
	_cleanup_(window_done) struct window_reader w = {};
	int r = window_prepare(&w, &reader, NULL);

	if (r == 0)
		r = gather(s, &w, until_ns);
	if (r > 0)
		r = finish(s, until_ns);
	if (r != 0)
		rolling_done(&s->rolling);
	return r == -ESTALE ? 0 : MIN(r, 0);
}

/* 1: the next one is begun; 0: there is none. */
static int begin_next(struct store *s)
{
	int r = 0;

	for (int tier = TIER_HOURS; r == 0 && tier >= TIER_MINUTES; tier--)
		r = begin(s, (enum store_tier)tier);
	return r;
}

int rollup_step(struct store *s, uint64_t budget_ns)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + budget_ns;
	int r = 1;

	/* windows of before come first, as roll-ups are in the order of windows */
	s->rolls_more = false;
	if (!s->rolls_up || !s->rolls || s->salvage || carry_is_under_way(s))
		return 0;
	while (r > 0 && clock_ns(CLOCK_MONOTONIC) < until) {
		r = s->rolling.until ? 1 : begin_next(s);
		if (r > 0) {
			r = go_on(s, until);
			r = r < 0 ? r : 1;
		} else if (r == 0) {
			r = named_step(s);
		}
	}
	/* what cannot be done now is tried again when there is another window */
	s->rolls = s->rolls_more = r > 0;
	return r == -EBADMSG ? r : 0;
}
