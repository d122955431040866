/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "proc/process.h"
#include "profile/dict.h"
#include "profile/labels.h"
#include "profile/tally.h"

/*
 * A profile: how often each stack of each thread was seen between two points in time. A window, a
 * recording and the answer to a query are all profiles. Owns its dict and all strings. Not
 * thread-safe.
 */
struct profile_process {
	struct process_info info;
	char *python;     /* "3.13.0"; owned */
	uint64_t samples; /* kept by profile_add() */
};

/*
 * What the thread was doing. The first three are of ticks, of a thread that ran; the others of time
 * off CPU, which only recordings with time off CPU have. One that spins or polls for the GIL is
 * seen running by a tick, too.
 */
enum sample_state {
	SAMPLE_PLAIN = 0, /* it ran; nothing is known of the GIL, or there is none */
	SAMPLE_GIL_HELD,
	SAMPLE_GIL_RELEASED,
	SAMPLE_WAITING_GIL,
	SAMPLE_SLEEPING,
	SAMPLE_RUNNABLE, /* it could run, and had no CPU */
	SAMPLE_OFF_CPU,  /* it had no CPU, and it is not known why */
};
#define SAMPLE_STATES (SAMPLE_OFF_CPU + 1)

struct profile_sample {
	uint32_t process; /* index into processes */
	uint32_t thread;  /* tid as the host sees it; 0: not kept apart */
	uint32_t stack;   /* dict stack id */
	uint32_t state;   /* enum sample_state */
	uint64_t count;
	uint64_t off_cpu_ns; /* time off CPU; only of recordings that have it */
};

/* What a thread is called. */
struct profile_thread {
	uint32_t process, tid;
	char *name; /* owned */
	/*
	 * Kept by who asks for names: whether threading gave it, how often that was asked for, and
	 * in which cycle last.
	 */
	bool given;
	uint8_t asked;
	uint64_t asked_cycle;
};

struct profile {
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME; of a running window end_ns is now */
	int64_t stepped_ns;        /* of a window: how far the clock was set as it began */
	uint32_t hz;
	bool running;
	bool off_cpu; /* with time off CPU: samples weigh microseconds */
	/*
	 * Of the whole host between start and end, not only of what a selector left in; what a
	 * selector left in is samples_total. Exports state both. Of a recording of some processes
	 * it is of these alone.
	 */
	struct tally tally;
	struct labels labels; /* of a recording */
	struct dict *dict;
	struct profile_process *processes;
	uint32_t nprocesses;
	struct profile_sample *samples; /* one for each (process, thread, stack, state) */
	uint32_t nsamples;
	struct profile_thread *threads; /* those whose names were looked for; only of recordings */
	uint32_t nthreads;
	uint64_t samples_total;
	struct profile_index *index; /* private to profile.c */
};

int profile_new(uint64_t start_ns, uint32_t hz, struct profile **ret);
/* One without processes and samples, of the same time, rate, tally and labels. */
int profile_like(const struct profile *p, struct profile **ret);
/*
 * The profile as it is now, for another thread to read while more is added to p: the samples are
 * copied, and the dict is dict_snapshot()'s. Nothing is added to it. profile_free() of either, in
 * any order, is for the thread that adds to p. 0 or -ENOMEM.
 */
int profile_snapshot(const struct profile *p, struct profile **ret);
/* Takes all samples out, and leaves processes and dict with their numbers. */
void profile_clear(struct profile *p);
void profile_free(struct profile *p);
DEFINE_FREEP(struct profile, profile_free)

size_t profile_bytes(const struct profile *p); /* memory held */
/* What its stacks, names and samples alone take: see dict_content(). */
size_t profile_content(const struct profile *p);

/*
 * Finds the process by (pid, start_ticks, uid) and its service, version, comm, exe and cgroup, or
 * adds it (copies info). Returns its index by ret. uid: what a process does after the exec of a
 * setuid program is not its user's to see; the rest: what it did before it executed another program
 * has the labels of then. cmdline is the last one that was given.
 */
int profile_process(struct profile *p, const struct process_info *info, const char *python,
		    uint32_t *ret);
/* Whether it has that process already; then its index by ret. */
bool profile_has_process(const struct profile *p, const struct process_info *info, uint32_t *ret);
/*
 * Counts ticks of a process without their stacks and threads, under one of these names: beyond a
 * user's share of whatever keeps stacks; beyond a process's, or for another reason without a name
 * or stack of its own, as there are too many of them.
 */
#define PROFILE_BEYOND "[beyond this user's share]"
#define PROFILE_OTHER  "[other]"
int profile_add_beyond(struct profile *p, uint32_t process, const char *name, uint64_t count);
extern const struct dict_function profile_other_function; /* PROFILE_OTHER */
bool profile_is_other(const struct dict_function *f);
/* Ticks under PROFILE_OTHER. */
uint64_t profile_other(const struct profile *p);
/* Ticks in state SAMPLE_PLAIN. */
int profile_add(struct profile *p, uint32_t process, uint32_t thread, uint32_t stack,
		uint64_t count);
int profile_add_state(struct profile *p, uint32_t process, uint32_t thread, uint32_t stack,
		      enum sample_state state, uint64_t count, uint64_t off_cpu_ns);
/* Names a thread, or renames it; "": its name cannot be had. -ENOMEM. */
int profile_thread(struct profile *p, uint32_t process, uint32_t tid, const char *name);
/* NULL: its name was not looked for. Valid until the next profile_thread(). */
struct profile_thread *profile_thread_find(const struct profile *p, uint32_t process, uint32_t tid);
/* "": it has no name here. Borrowed until it is renamed. */
const char *profile_thread_name(const struct profile *p, uint32_t process, uint32_t tid);
/*
 * What a sample weighs in everything that adds up: its count, or, in a recording with time off CPU,
 * microseconds: ticks at hz and time off CPU.
 */
uint64_t profile_weight(const struct profile *p, const struct profile_sample *s);
const char *profile_unit(const struct profile *p); /* "samples" or "microseconds" */
/*
 * "running" (nothing is known of the GIL), "gil held", "gil released", "waiting for the GIL",
 * "sleeping", "runnable", "off CPU"
 */
const char *sample_state_name(uint32_t state);
const char *
sample_gil(uint32_t state); /* "held", "released", "waiting", or "": nothing is known of it */
const char *sample_doing(
	uint32_t state); /* "running", "waiting for the GIL", "sleeping", "runnable" or "off CPU" */
/*
 * Adds all of from (same or another dict, never p itself) to p; tallies are added, start and end
 * widened. The first hz that is not 0 stays: what was sampled at different rates is counted, not
 * weighed. One with time off CPU makes p one. Of labels that contradict each other, and names of a
 * thread, those of p stay. -ENOMEM leaves p half filled: throw it away.
 */
int profile_merge(struct profile *p, const struct profile *from);
/*
 * What profile_without() keeps of the stacks of a process; all others are counted by
 * profile_add_beyond().
 */
enum profile_part {
	PROFILE_ALL = 0,
	/* those of at least one in PROFILE_HEAVY_PART of its samples; PROFILE_OTHER */
	PROFILE_HEAVY,
	PROFILE_NONE, /* PROFILE_BEYOND */
};
#define PROFILE_HEAVY_PART 64
/* A new profile with so much of each process, by its index; NULL: all of all. */
int profile_without(const struct profile *p, const enum profile_part *parts, struct profile **ret);

/*
 * Makes another profile of *p, whose stacks, names and samples take about so many bytes at most:
 * the lightest branches of the tree that the stacks are one in are cut off, and a frame
 * PROFILE_OTHER stands in the place of each. No sum changes, and what is cut off depends on the
 * content alone. -ENOMEM: *p may be gone.
 */
int profile_prune(struct profile **p, size_t bytes);

/*
 * SELECTOR: key=value over pid comm exe cgroup unit container service version, of a process, thread
 * thread_name state gil, of a sample, and label.KEY, of the whole profile. Values compare exactly;
 * cgroup and exe also match what lies below "value/". Selectors of different keys are and-ed, of
 * one key or-ed. What is not known is "".
 */
struct selector {
	char *key, *value; /* owned */
};
#define SELECTORS_SERVICE_MAX 256 /* bytes; PROC_MAX_LABEL */
struct selectors {
	struct selector *items;
	size_t n;
	/*
	 * Only processes of uid, whatever the items say: for somebody who may see no others. Where
	 * there is a service, those of it in their place, whoever's they are.
	 */
	bool owned;
	uid_t uid;
	char service[SELECTORS_SERVICE_MAX + 1];
};
/*
 * "key=value". -EINVAL: no "=", an unknown key (selector_keys() lists them), or no such value; what
 * people write goes through selectors_parse().
 */
int selectors_add(struct selectors *s, const char *text);
void selectors_done(struct selectors *s);
const char *selector_keys(void); /* "pid, comm, exe, ..." for messages */
bool selector_key_known(const char *key);
/* Whether a known key's value is the same for all that a process does, as of pid; not of state. */
bool selector_is_of_process(const char *key);
/*
 * What a key's value must be, for messages: "one of held, ..."; NULL: may be anything, a number, or
 * there is no such key.
 */
const char *selector_values(const char *key);
/*
 * Whether those whom the selectors are for may see what is owner's, as process_owner() has it, and
 * of that service: everything ends here, samples that are stored as well as processes that run.
 * PROCESS_NO_UID is nobody's.
 */
bool selectors_see(const struct selectors *s, uid_t owner, const char *service);
/* Whether two are for the same people: they see the same. */
bool selectors_are_for_the_same(const struct selectors *a, const struct selectors *b);
/*
 * A profile's tally is of the whole host. For somebody who may see some processes only it is that
 * of their samples. Call it before the profile is handed out, with the selectors that made it.
 */
void selectors_tally(const struct selectors *s, struct profile *p);
bool selectors_match(const struct selectors *s, const struct profile_process *p, uint32_t thread);
/*
 * Whether they choose by what a program has alone, so that two processes that differ in pid, times
 * or threads only are chosen both or neither.
 */
bool selectors_are_of_programs(const struct selectors *s);
/*
 * The two halves of selectors_match(): the keys of a process, and those of a sample, of which no
 * more than the thread is known: it has no name and ran.
 */
bool selectors_match_process(const struct selectors *s, const struct profile_process *p);
/* The same in a profile that has labels. */
bool selectors_match_labeled(const struct selectors *s, const struct profile_process *p,
			     const struct labels *labels);
bool selectors_match_thread(const struct selectors *s, uint32_t thread);
/* The keys of a sample, of which all is known. thread_name: "" where it is not. */
bool selectors_match_sample(const struct selectors *s, uint32_t thread, const char *thread_name,
			    uint32_t state);
/* A new profile with only what matches; the tally is kept whole. */
int profile_select(const struct profile *p, const struct selectors *s, struct profile **ret);
/*
 * A new profile in which a frame "KEY=VALUE" for each of keys, "KEY,KEY", stands before each stack,
 * the first outermost: what a selector can tell apart. -EINVAL: as group_keys_check().
 */
int profile_group(const struct profile *p, const char *keys, struct profile **ret);
#define GROUP_KEYS_MAX 8
/* -EINVAL: not 1 to GROUP_KEYS_MAX different keys of selectors, separated by commas. */
int group_keys_check(const char *keys);
/*
 * What a known key is compared with, of a sample. A number is written to number, other strings are
 * borrowed.
 */
const char *selector_value_of(const char *key, const struct profile *p,
			      const struct profile_sample *s, char number[static 16]);

/*
 * The call graph by the ancestor's rules. A node is a function; self: samples with it innermost;
 * total: samples with it anywhere, counted once however often it recurs. An edge is caller ->
 * callee; count: samples that have that call anywhere, once each. Nodes by descending self, then
 * total, then name. All by profile_weight().
 *
 * At most max functions are nodes of their own, half of them those with most self, the others those
 * of the rest with most total, and all these as far as their text goes into CALLGRAPH_TEXT. All
 * else is one node, [other]: the sum of all nodes' self is what it was, and what calls [other] or
 * is called by it has its edge. Of edges the heaviest CALLGRAPH_EDGES_EACH * max are there. What is
 * left out depends on the content alone.
 */
#define CALLGRAPH_NODES      5000
#define CALLGRAPH_EDGES_EACH 5
#define CALLGRAPH_TEXT       (2u << 20)
struct callgraph_node {
	uint32_t function; /* dict id, or CALLGRAPH_OTHER */
	uint64_t self, total;
};
#define CALLGRAPH_OTHER UINT32_MAX
struct callgraph_edge {
	uint32_t source, target; /* indices of nodes */
	uint64_t count;
};
struct callgraph {
	struct callgraph_node *nodes;
	struct callgraph_edge *edges;
	uint32_t nnodes, nedges;
	uint32_t merged;         /* functions that are in [other] */
	uint32_t edges_left_out; /* lightest ones, beyond the bound */
	uint64_t total;
	uint64_t states[SAMPLE_STATES]; /* of total */
};
int callgraph_new(const struct profile *p, uint32_t max, struct callgraph **ret);
/* What a node is. */
const struct dict_function *callgraph_function(const struct profile *p,
					       const struct callgraph_node *n);
void callgraph_free(struct callgraph *g);
DEFINE_FREEP(struct callgraph, callgraph_free)
