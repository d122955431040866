/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>
#include <stdlib.h>

#include "check_main.h"
#include "format/encoders.h"
#include "format/live.h"
#include "known.h"

/* What a reader makes of the events: the lists of format json, by what their rows are of. */
struct follower {
	json_t *processes; /* array of rows, by "at" */
	json_t *nodes;     /* object, id -> row */
	json_t *edges;     /* object, "source>target" -> count */
	json_t *head;      /* the last event without its lists */
	json_t *threads;
	json_int_t sequence;
};

static void follower_done(struct follower *r)
{
	json_decref(r->processes);
	json_decref(r->nodes);
	json_decref(r->edges);
	json_decref(r->head);
	json_decref(r->threads);
}

static void take_rows(struct follower *r, json_t *event)
{
	const char *const lists[] = { "processes", "nodes", "edges", "threads" };
	char key[64];
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(event, "processes"), i, row)
	{
		json_t *place = json_object_get(row, "at"), *has;
		size_t at = place ? (size_t)json_integer_value(place) : i;

		has = json_array_get(r->processes, at);
		if (has)
			json_object_update(has, row);
		else
			json_array_append(r->processes, row);
		json_object_del(json_array_get(r->processes, at), "at");
	}
	json_array_foreach(json_object_get(event, "nodes"), i, row)
	{
		json_t *has;

		snprintf(key, sizeof(key), "%lld", json_integer_value(json_object_get(row, "id")));
		has = json_object_get(r->nodes, key);
		if (json_is_true(json_object_get(row, "gone"))) {
			ck_assert_ptr_nonnull(has);
			json_object_del(r->nodes, key);
		} else if (has) {
			json_object_update(has, row);
		} else {
			ck_assert_ptr_nonnull(json_object_get(row, "function"));
			json_object_set(r->nodes, key, row);
		}
	}
	json_array_foreach(json_object_get(event, "edges"), i, row)
	{
		snprintf(key, sizeof(key), "%lld>%lld",
			 json_integer_value(json_object_get(row, "source")),
			 json_integer_value(json_object_get(row, "target")));
		if (json_integer_value(json_object_get(row, "count")) == 0)
			ck_assert_int_eq(json_object_del(r->edges, key), 0);
		else
			json_object_set(r->edges, key, json_object_get(row, "count"));
	}
	if (json_object_get(event, "threads")) {
		json_decref(r->threads);
		r->threads = json_incref(json_object_get(event, "threads"));
	}
	json_decref(r->head);
	r->head = json_incref(event);
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		json_object_del(event, lists[i]);
}

/* Has the next event; whole: it must be all of it, or must not. Returns its size. */
static size_t read_next(struct live *l, const struct profile *p, struct follower *r, bool whole)
{
	_cleanup_buf_ struct buf b = {};
	const char *name = NULL;
	json_t *event;
	size_t size;

	ck_assert_int_eq(live_encode(l, p, &b, &name), 0);
	ck_assert_str_eq(name, whole ? "window" : "delta");
	size = b.size;
	event = json_loadb(b.data, b.size, 0, NULL);
	ck_assert_ptr_nonnull(event);
	ck_assert_str_eq(json_string_value(json_object_get(event, "type")),
			 whole ? "plop-callgraph" : "plop-callgraph-delta");
	ck_assert_int_eq(json_integer_value(json_object_get(event, "sequence")), r->sequence + 1);
	r->sequence++;
	if (whole) {
		json_int_t sequence = r->sequence;

		follower_done(r);
		*r = (struct follower){ .processes = json_array(),
					.nodes = json_object(),
					.edges = json_object(),
					.sequence = sequence };
	}
	take_rows(r, event);
	json_decref(event);
	return size;
}

/* A node of the reader by what it is of, for ids differ from those of a whole answer. */
static json_t *node_like(const struct follower *r, const json_t *node)
{
	const char *const keys[] = { "function", "file", "line", "kind", "module" };
	const char *id;
	json_t *n;

	json_object_foreach(r->nodes, id, n)
	{
		bool same = true;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			same = same && json_equal(json_object_get(n, keys[i]),
						  json_object_get(node, keys[i]));
		if (same)
			return n;
	}
	return NULL;
}

/* The reader has what format json says, and nothing else. */
static void assert_same(const struct follower *r, const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};
	json_t *all, *nodes, *edges, *row, *has;
	char key[64];
	size_t i;

	ck_assert_int_eq(json_encode(p, &b), 0);
	all = json_loadb(b.data, b.size, 0, NULL);
	ck_assert_ptr_nonnull(all);
	ck_assert(json_equal(r->processes, json_object_get(all, "processes")));
	ck_assert(json_equal(r->threads, json_object_get(all, "threads")));
	nodes = json_object_get(all, "nodes");
	ck_assert_uint_eq(json_object_size(r->nodes), json_array_size(nodes));
	json_array_foreach(nodes, i, row)
	{
		has = node_like(r, row);
		ck_assert_ptr_nonnull(has);
		ck_assert(json_equal(json_object_get(has, "self"), json_object_get(row, "self")));
		ck_assert(json_equal(json_object_get(has, "total"), json_object_get(row, "total")));
	}
	edges = json_object_get(all, "edges");
	ck_assert_uint_eq(json_object_size(r->edges), json_array_size(edges));
	json_array_foreach(edges, i, row)
	{
		json_t *s = node_like(r, json_array_get(nodes,
							(size_t)json_integer_value(
								json_object_get(row, "source"))));
		json_t *t = node_like(r, json_array_get(nodes,
							(size_t)json_integer_value(
								json_object_get(row, "target"))));

		snprintf(key, sizeof(key), "%lld>%lld",
			 json_integer_value(json_object_get(s, "id")),
			 json_integer_value(json_object_get(t, "id")));
		ck_assert(
			json_equal(json_object_get(r->edges, key), json_object_get(row, "count")));
	}
	ck_assert(json_equal(json_object_get(r->head, "ticks"), json_object_get(all, "ticks")));
	ck_assert(json_equal(json_object_get(r->head, "samples"), json_object_get(all, "samples")));
	ck_assert(json_equal(json_object_get(r->head, "lost"), json_object_get(all, "lost")));
	ck_assert(json_equal(json_object_get(r->head, "merged"), json_object_get(all, "merged")));
	json_decref(all);
}

static struct profile *empty(uint64_t start_ns)
{
	struct profile *p;

	ck_assert_int_eq(profile_new(start_ns, 100, &p), 0);
	p->end_ns = start_ns + NSEC_PER_SEC;
	p->running = true;
	return p;
}

static uint32_t process(struct profile *p, pid_t pid, const char *comm)
{
	struct process_info info = known_process(pid, comm);
	uint32_t i;

	ck_assert_int_eq(profile_process(p, &info, "3.11.2", &i), 0);
	return i;
}

static void sample(struct profile *p, uint32_t at, const char *const *names, uint32_t depth,
		   uint64_t count)
{
	uint32_t frames[8];

	for (uint32_t i = 0; i < depth; i++)
		frames[i] = known_frame(p, names[i], "/srv/app.py", 1, 2);
	known_add(p, at, 1, frames, depth, count);
	p->samples_total += count;
	p->tally.ticks += count;
}

START_TEST(only_what_changed_is_sent)
{
	static const char *const one[] = { "main", "handle", HOSTILE_HTML }, *const two[] = {
		"main", HOSTILE_QUOTES
	};
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = empty(KNOWN_START);
	struct follower r = {};
	uint32_t a = process(p, 10, "web");
	size_t first, size;

	ck_assert_int_eq(live_new(&l), 0);
	for (int i = 0; i < 8; i++)
		sample(p, a, (const char *const[]){ "main", (char[]){ (char)('a' + i), '\0' } }, 2,
		       1);
	sample(p, a, one, 3, 5);
	first = read_next(l, p, &r, true);
	assert_same(&r, p);
	/* nothing */
	size = read_next(l, p, &r, false);
	ck_assert_uint_lt(size, first / 2);
	assert_same(&r, p);
	/* counts of what is there, then a function, a call and a process that are new */
	sample(p, a, one, 3, 2);
	size = read_next(l, p, &r, false);
	ck_assert_uint_lt(size, first * 2 / 3);
	assert_same(&r, p);
	sample(p, process(p, 11, "job"), two, 2, 3);
	read_next(l, p, &r, false);
	assert_same(&r, p);
	follower_done(&r);
}
END_TEST

START_TEST(what_is_no_more_goes)
{
	static const char *const one[] = { "main", "handle" }, *const two[] = { "main", "other" };
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = empty(KNOWN_START), *q = empty(KNOWN_START);
	struct follower r = {};

	ck_assert_int_eq(live_new(&l), 0);
	sample(p, process(p, 10, "web"), one, 2, 5);
	sample(q, process(q, 10, "web"), two, 2, 5);
	read_next(l, p, &r, true);
	/* as where a graph is too large, and others are heavier now */
	read_next(l, q, &r, false);
	assert_same(&r, q);
	/* and back again: what is told anew is told whole */
	read_next(l, p, &r, false);
	assert_same(&r, p);
	follower_done(&r);
}
END_TEST

START_TEST(what_is_known_of_a_process_may_change)
{
	static const char *const one[] = { "main" };
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = empty(KNOWN_START), *q = empty(KNOWN_START);
	struct follower r = {};

	ck_assert_int_eq(live_new(&l), 0);
	sample(p, process(p, 10, "python3"), one, 1, 5);
	sample(q, process(q, 10, "gunicorn"), one, 1, 5);
	sample(q, process(q, 11, "gunicorn"), one, 1, 5);
	ck_assert_int_eq(profile_thread(q, 0, 10, "Main"), 0);
	read_next(l, p, &r, true);
	read_next(l, q, &r, false);
	assert_same(&r, q);
	/* less processes than the reader has: all anew */
	read_next(l, p, &r, true);
	assert_same(&r, p);
	follower_done(&r);
}
END_TEST

START_TEST(another_window_is_sent_whole)
{
	static const char *const one[] = { "main" };
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = empty(KNOWN_START), *q = empty(KNOWN_END);
	struct follower r = {};

	ck_assert_int_eq(live_new(&l), 0);
	read_next(l, p, &r, true);
	assert_same(&r, p);
	sample(q, process(q, 10, "web"), one, 1, 5);
	read_next(l, q, &r, true);
	assert_same(&r, q);
	read_next(l, q, &r, false);
	follower_done(&r);
}
END_TEST

START_TEST(after_an_error_all_is_sent)
{
	static const char *const one[] = { "main" };
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = empty(KNOWN_START);
	_cleanup_buf_ struct buf small = { .limit = 100 };
	struct follower r = {};
	const char *name = "none";

	ck_assert_int_eq(live_new(&l), 0);
	sample(p, process(p, 10, "web"), one, 1, 5);
	read_next(l, p, &r, true);
	ck_assert_int_eq(live_encode(l, p, &small, &name), -EFBIG);
	ck_assert_str_eq(name, "none");
	r.sequence++;
	read_next(l, p, &r, true);
	assert_same(&r, p);
	follower_done(&r);
}
END_TEST

START_TEST(whatever_comes_the_reader_has_it)
{
	_cleanup_(live_freep) struct live *l = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct follower r = {};
	unsigned int seed = (unsigned int)_i + 1;
	bool whole = true;

	ck_assert_int_eq(live_new(&l), 0);
	for (int turn = 0; turn < 60; turn++) {
		if (!p || rand_r(&seed) % 20 == 0) {
			profile_free(p);
			p = empty(KNOWN_START + (uint64_t)turn * NSEC_PER_SEC);
			whole = true;
		}
		for (int n = rand_r(&seed) % 6; n > 0; n--) {
			char names[5][12];
			const char *stack[5];
			uint32_t depth = 1 + (uint32_t)rand_r(&seed) % 5;
			pid_t pid = 10 + rand_r(&seed) % 4;

			for (uint32_t i = 0; i < depth; i++) {
				snprintf(names[i], sizeof(names[i]), "f%u",
					 (unsigned int)rand_r(&seed) % 30);
				stack[i] = names[i];
			}
			sample(p, process(p, pid, "web"), stack, depth, 1);
		}
		read_next(l, p, &r, whole);
		assert_same(&r, p);
		whole = false;
	}
	follower_done(&r);
}
END_TEST

CHECK_LOOPS("format/live", NULL, NULL, { only_what_changed_is_sent, 0, 1 },
	    { what_is_no_more_goes, 0, 1 }, { what_is_known_of_a_process_may_change, 0, 1 },
	    { another_window_is_sent_whole, 0, 1 }, { after_an_error_all_is_sent, 0, 1 },
	    { whatever_comes_the_reader_has_it, 0, 20 });
