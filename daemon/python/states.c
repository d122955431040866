/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/walker.h"
#include "plop/places.h"

void walk_states_done(struct walk_states *s)
{
	free(s->states);
	free(s->others);
	*s = (struct walk_states){};
}

/* A list as it is read, all of it. */
struct listing {
	struct walk_state states[WALK_MAX_STATES];
	size_t n;
	uint32_t interpreters;
	bool more;
};

/*
 * The states of one interpreter; each names it, in the word behind next (pystate.h of 2.7,
 * cpython/pystate.h of 3.6 to 3.15).
 */
static int list_threads(struct walker *w, uint64_t interp, uint32_t number, struct listing *to)
{
	const struct plop_layout *l = w->l;
	uint64_t ts;
	int r = reader_u64(w->r, interp + l->interp_threads_head, &ts);

	while (r >= 0 && ts) {
		struct walk_state *s = &to->states[to->n];

		if (to->n == WALK_MAX_STATES) {
			to->more = true;
			return 0;
		}
		r = reader_read(w->r, ts, w->ts, l->ts_len);
		if (r < 0)
			return r;
		if (l->ts_next + 16u <= l->ts_len && object_u64(w->ts, PLOP_TS_INTERP(l)) != interp)
			return -EFAULT;
		*s = (struct walk_state){ .address = ts,
					  .interp = interp,
					  .interp_no = number,
					  .thread_id = object_u64(w->ts, l->ts_thread_id) };
		if (l->ts_native_id)
			s->native_id = object_u64(w->ts, l->ts_native_id);
		if (l->ts_status)
			s->status = object_u32(w->ts, l->ts_status);
		to->n++;
		ts = object_u64(w->ts, l->ts_next);
	}
	return r;
}

/* One reading of all lists. -EFAULT: they led astray. */
static int list_read(struct walker *w, struct listing *to)
{
	uint64_t interp;
	int r = reader_u64(w->r, w->runtime + w->l->runtime_interpreters_head, &interp);

	to->n = to->interpreters = 0;
	to->more = false;
	while (r >= 0 && interp) {
		if (to->interpreters == WALK_MAX_STATES) {
			to->more = true;
			break;
		}
		r = list_threads(w, interp, to->interpreters++, to);
		if (r >= 0)
			r = reader_u64(w->r, interp + w->l->interp_next, &interp);
	}
	return r;
}

static bool list_same(const struct listing *a, const struct listing *b)
{
	if (a->n != b->n || a->interpreters != b->interpreters || a->more != b->more)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->states[i].address != b->states[i].address ||
		    a->states[i].thread_id != b->states[i].thread_id ||
		    a->states[i].native_id != b->states[i].native_id)
			return false;
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = ((const struct walk_state *)a)->address,
		 y = ((const struct walk_state *)b)->address;

	return (x > y) - (x < y);
}

static int by_thread(const void *a, const void *b)
{
	const struct walk_state *x = a, *y = b;

	if (x->thread_id != y->thread_id)
		return x->thread_id < y->thread_id ? -1 : 1;
	/* newer interpreters come first, and it is the older that calls into the newer */
	return (x->interp_no > y->interp_no) - (x->interp_no < y->interp_no);
}

/* Whether the thread has this of its states in use. */
static bool in_use(struct walker *w, const struct walk_state *s)
{
	uint64_t cframe, frame;

	if (w->l->ts_status)
		return s->status & PLOP_TS_BOUND;
	return reader_read(w->r, s->address, w->ts, w->l->ts_len) == 0 &&
	       walker_frame(w, &cframe, &frame) == 0 && frame != 0;
}

/*
 * Of the states of each thread the one in use, or the first; without those that no thread has taken
 * yet. others: room for all, gets those of threads that have several.
 */
static size_t one_for_each(struct walker *w, struct walk_state *states, size_t n,
			   struct walk_state *others)
{
	size_t out = 0, i = 0, nothers = 0;
	uint64_t current = 0;

	/* up to 3.11 one that has the GIL is in use, whatever others have frames */
	if (w->l->runtime_current)
		reader_u64(w->r, w->runtime + w->l->runtime_current, &current);

	qsort(states, n, sizeof(*states), by_thread);
	while (i < n) {
		size_t end = i + 1, chosen = i;

		while (end < n && states[end].thread_id == states[i].thread_id)
			end++;
		for (size_t j = i; end - i > 1 && j < end; j++) {
			if (in_use(w, &states[j])) {
				chosen = j;
				break;
			}
		}
		for (size_t j = i; end - i > 1 && j < end; j++) {
			if (states[j].address == current)
				chosen = j;
		}
		if (states[i].thread_id && end - i > 1) {
			states[chosen].others = (uint32_t)nothers;
			states[chosen].nothers = (uint32_t)(end - i);
			memcpy(others + nothers, states + i, (end - i) * sizeof(*states));
			nothers += end - i;
		}
		if (states[i].thread_id)
			states[out++] = states[chosen];
		i = end;
	}
	return out;
}

static int states_make(struct walker *w, const struct listing *from, bool changing,
		       struct walk_states *ret)
{
	struct walk_states s = { .changing = changing,
				 .more = from->more,
				 .interpreters = from->interpreters };

	s.states = calloc(from->n + 1, sizeof(*s.states));
	s.others = calloc(from->n + 1, sizeof(*s.others));
	if (!s.states || !s.others) {
		walk_states_done(&s);
		return -ENOMEM;
	}
	memcpy(s.states, from->states, from->n * sizeof(*s.states));
	qsort(s.states, from->n, sizeof(*s.states), by_address);
	/* a list that leads in circles */
	for (size_t i = 0; i < from->n; i++) {
		if (s.n == 0 || s.states[s.n - 1].address != s.states[i].address)
			s.states[s.n++] = s.states[i];
	}
	if (s.n < from->n)
		s.changing = true;
	s.n = one_for_each(w, s.states, s.n, s.others);
	for (size_t i = 0; i < s.n; i++)
		s.states[i].interp_no = s.interpreters - 1 - s.states[i].interp_no;
	*ret = s;
	return 0;
}

int walker_states(struct walker *w, struct walk_states *ret)
{
	_cleanup_free_ struct listing *lists = calloc(2, sizeof(*lists));
	struct listing *last = NULL, *now;
	int r = -EFAULT;

	if (!lists)
		return -ENOMEM;
	now = lists;
	for (unsigned int i = 0; i < WALK_LIST_TRIES; i++) {
		r = list_read(w, now);
		if (r < 0 && r != -EFAULT)
			return r;
		if (r < 0)
			continue;
		if (last && list_same(last, now))
			return states_make(w, now, false, ret);
		last = now;
		now = now == lists ? lists + 1 : lists;
	}
	return last ? states_make(w, last, true, ret) : -EFAULT;
}

/*
 * How often nobody must be seen with the GIL before that is said; and how often it is looked for at
 * all.
 */
#define GIL_FREE_TIMES 4
#define GIL_TRIES      32

static int gil_holders(struct walker *w, const struct walk_states *s, uint32_t *status, bool *holds)
{
	int n = 0;

	for (size_t i = 0; i < s->n; i += WALK_MAX_LINKS) {
		size_t some = MIN(s->n - i, (size_t)WALK_MAX_LINKS);

		for (size_t j = 0; j < some; j++)
			w->parts[j] =
				(struct reader_part){ s->states[i + j].address + w->l->ts_status,
						      &status[i + j], sizeof(*status), -EFAULT };
		reader_read_parts(w->r, w->parts, some);
		for (size_t j = 0; j < some; j++) {
			if (w->parts[j].result < 0)
				status[i + j] = 0;
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		holds[i] = status[i] & PLOP_TS_ACTIVE;
		for (size_t j = 0; j < i && holds[i]; j++) {
			/* two of one interpreter: one gave it to the other between the readings */
			if (holds[j] && s->states[j].interp == s->states[i].interp)
				return -EAGAIN;
		}
		n += holds[i];
	}
	return n;
}

/* Up to 3.11 the runtime says whose thread state it is. -EAGAIN: of one that is not in the list. */
static int gil_holder(struct walker *w, const struct walk_states *s, bool *holds)
{
	uint64_t current;
	int n = 0;

	if (reader_u64(w->r, w->runtime + w->l->runtime_current, &current) < 0)
		return -EAGAIN;
	for (size_t i = 0; i < s->n; i++) {
		holds[i] = s->states[i].address == current;
		n += holds[i];
	}
	return current && n == 0 ? -EAGAIN : n;
}

enum walk_gil walker_gil(struct walker *w, const struct walk_states *s, bool *holds)
{
	_cleanup_free_ uint32_t *status = NULL;
	unsigned int nobody = 0;

	memset(holds, 0, s->n * sizeof(*holds));
	if (w->l->free_threaded)
		return WALK_GIL_NONE;
	if (!w->l->ts_status && !w->l->runtime_current)
		return WALK_GIL_UNKNOWN;
	status = calloc(s->n + 1, sizeof(*status));
	for (unsigned int i = 0; status && i < GIL_TRIES; i++) {
		int n = w->l->ts_status ? gil_holders(w, s, status, holds) :
					  gil_holder(w, s, holds);

		if (n > 0)
			return WALK_GIL_HELD;
		if (n == 0 && ++nobody == GIL_FREE_TIMES)
			return WALK_GIL_FREE;
	}
	memset(holds, 0, s->n * sizeof(*holds));
	return WALK_GIL_CHANGING;
}

int walker_gil_at(struct walker *w, const struct walk_state *s, uint64_t *ret)
{
	const struct plop_layout *l = w->l;

	if (!PLOP_GIL_IS_KNOWN(l))
		return -ENODATA;
	if (PLOP_GIL_IS_POINTED(l))
		return reader_u64(w->r, PLOP_GIL_PLACE(l, s->interp), ret);
	*ret = PLOP_GIL_PLACE(l, w->runtime);
	return 0;
}

bool walker_is_gil(struct walker *w, const struct walk_state *s, uint64_t futex)
{
	uint64_t gil;

	return walker_gil_at(w, s, &gil) >= 0 && PLOP_GIL_HAS(w->l, gil, futex);
}

/*
 * How much of a thread library's record is looked at: glibc has the tid at 720 on x86-64 and at 208
 * on arm64, musl at 48 or 56.
 */
#define RECORD_SIZE 1024

static int by_tid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * The assignment by the word at the offset at. False: it is none. used: as many as there are tids.
 * It is one when no two threads have the same tid, and either every thread has one, or every tid a
 * thread: a child has records of threads that did not come along with fork().
 */
static bool tids_at(const uint8_t *records, size_t n, size_t at, const uint32_t *tids, size_t ntids,
		    bool *used, uint32_t *ret)
{
	size_t assigned = 0;

	memset(used, 0, ntids * sizeof(*used));
	for (size_t i = 0; i < n; i++) {
		uint32_t v = object_u32(records + i * RECORD_SIZE, at);
		const uint32_t *found = bsearch(&v, tids, ntids, sizeof(*tids), by_tid);

		ret[i] = 0;
		if (!found)
			continue;
		if (used[found - tids])
			return false;
		used[found - tids] = true;
		ret[i] = v;
		assigned++;
	}
	return assigned > 0 && (assigned == n || assigned == ntids);
}

int walker_tids(struct walker *w, const struct walk_states *s, const uint32_t *tids, size_t ntids,
		uint32_t *ret_tids)
{
	_cleanup_free_ uint8_t *records = calloc(s->n + 1, RECORD_SIZE);
	_cleanup_free_ uint32_t *sorted = calloc(ntids + 1, sizeof(*sorted)),
				*now = calloc(s->n + 1, sizeof(*now));
	_cleanup_free_ bool *used = calloc(ntids + 1, sizeof(*used));
	bool any = false;

	memset(ret_tids, 0, s->n * sizeof(*ret_tids));
	if (!records || !sorted || !now || !used)
		return -ENOMEM;
	if (ntids == 0)
		return 0;
	memcpy(sorted, tids, ntids * sizeof(*tids));
	qsort(sorted, ntids, sizeof(*sorted), by_tid);
	for (size_t i = 0; i < s->n; i++) {
		if (reader_read(w->r, s->states[i].thread_id, records + i * RECORD_SIZE,
				RECORD_SIZE) < 0)
			memset(records + i * RECORD_SIZE, 0, RECORD_SIZE);
	}
	for (size_t at = 0; at + sizeof(*now) <= RECORD_SIZE; at += sizeof(*now)) {
		if (!tids_at(records, s->n, at, sorted, ntids, used, now))
			continue;
		if (any && memcmp(now, ret_tids, s->n * sizeof(*now)) != 0) {
			memset(ret_tids, 0, s->n * sizeof(*ret_tids));
			return 0;
		}
		memcpy(ret_tids, now, s->n * sizeof(*now));
		any = true;
	}
	return 0;
}
