/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>
#include <sys/types.h>

#include "plop/events.h"
#include "plop/layout.h"
#include "sampler/throttling.h"
#include "util/macro.h"

/*
 * Loads the BPF programs, owns the perf events, and hands decoded ticks up. The only room that
 * knows libbpf and the skeletons. Not thread-safe; all of it belongs to the loop thread.
 *
 * Ticks go to one half of each CPU's table while user space reads the other: sampler_swap() changes
 * over, sampler_review() and sampler_collect(), a millisecond or more later, hand up what the half
 * held that was active before.
 */
struct sampler;

struct sampler_handlers {
	/* sampler_review(): a stack that sampler_collect() will hand up. */
	void (*review)(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx);
	/*
	 * One stack of a collected half; frames: stack->depth of them, leaf first. Valid during the
	 * call only.
	 */
	void (*stack)(const struct plop_stack *stack, const struct plop_frame *frames, void *ctx);
	/* Lost ticks of one process, of a collected half; NULL: nobody wants to know. */
	void (*loss)(const struct plop_loss *loss, void *ctx);
	/* A code object at first sight; size: of the record with its data, already checked. */
	void (*code)(const struct plop_record_code *r, void *ctx);
	/* The name of an asyncio task, already checked. */
	void (*task)(const struct plop_record_task *r, void *ctx);
	/* exec, exit, check, thread and rename records */
	void (*process)(const struct plop_record *r, void *ctx);
	void (*fork)(const struct plop_record_fork *r, void *ctx);
	/*
	 * A thread whose state the kernel side does not reach: sampler_thread_state_set() is to be
	 * called.
	 */
	void (*state)(const struct plop_record_state *r, void *ctx);
	/* A half fills up: swap and collect soon. */
	void (*pressure)(void *ctx);
	/*
	 * The events of a channel cannot stay on threads, as too many are made or too fast:
	 * sampler_channel_spread() is to be called.
	 */
	void (*spread)(uint32_t channel, void *ctx);
	/* sampler_need(): these parts are loaded, or, with r < 0, cannot be. */
	void (*loaded)(unsigned int parts, int r, void *ctx);
	/*
	 * A thread was off CPU, and is back; its stack comes, or came, with channel
	 * PLOP_CHANNEL_OFF_CPU.
	 */
	void (*wait)(const struct plop_record_wait *r, void *ctx);
	void *ctx;
};

struct sampler_options {
	unsigned int hz;        /* ticks a second on each CPU */
	unsigned int max_depth; /* at most PLOP_MAX_DEPTH */
	sd_event *loop;         /* NULL: sampler_need() waits until all is loaded */
	bool bounded; /* do without bpf_loop() even where the kernel has it; stacks are cut early */
};

struct sampler_counters {
	/* by enum plop_counter; those of ticks are what these count, see sampler_weigh() */
	uint64_t c[PLOP_COUNTERS];
	uint64_t walked; /* ticks of PLOP_CHANNEL_ALWAYS with a stack to walk, as they came */
	struct plop_channel_counters channels[PLOP_MAX_CHANNELS]; /* of channels 1 and up */
};

/*
 * Loads what is always needed and begins to follow processes; no tick comes before sampler_start().
 * ret_error: one sentence that names the missing kernel feature or capability, owned by the caller.
 */
int sampler_new(const struct sampler_options *options, const struct sampler_handlers *handlers,
		struct sampler **ret, char **ret_error);
void sampler_free(struct sampler *s);
DEFINE_FREEP(struct sampler, sampler_free)

/*
 * What only recordings need. Each part takes the kernel some 200 ms to verify, the one for tasks
 * twice that. So it is loaded when a recording first needs it, on a thread of its own, and stays.
 */
enum sampler_part {
	SAMPLER_PART_SETS = 1 << 0, /* sets with ticks of their own, without tasks */
	SAMPLER_PART_WALL = 1 << 1, /* sampler_watch_off_cpu() */
	SAMPLER_PART_TASKS =
		1 << 2, /* both of these with asyncio tasks, sampler_process_set_async() */
};
/*
 * 0: all these parts are there; -EINPROGRESS: they are being loaded, and handlers.loaded() tells of
 * each when it is, or that it cannot be; -EOPNOTSUPP: this kernel cannot (Linux 5.17).
 */
int sampler_need(struct sampler *s, unsigned int parts);

/* Whether plopd may read what it is to sample; ret_error as with sampler_new(). */
int sampler_check(char **ret_error);
/*
 * Opens the events of PLOP_CHANNEL_ALWAYS, one on each online CPU. They are closed by
 * sampler_channel_close().
 */
int sampler_start(struct sampler *s, char **ret_error);
/*
 * Opens events on CPUs that came online since, drops those of CPUs that went. Cheap when nothing
 * changed.
 */
int sampler_follow_cpus(struct sampler *s);

/*
 * Recordings with events of their own: channel 1 to PLOP_MAX_CHANNELS, at hz, for whom. Their
 * stacks say which set they are of; their ticks are in sampler_counters.channels[channel - 1].
 * tasks: with the asyncio tasks. -EBUSY: it is open; -EINPROGRESS: the part that it takes is not
 * loaded, see sampler_need().
 */
int sampler_channel_open(struct sampler *s, uint32_t channel, const struct plop_channel *whom,
			 unsigned int hz, bool tasks);
/*
 * The same for processes, which have to have a filter (sampler_filter_set()), each named once.
 * Where they have few enough threads the events are on these: no tick comes from anybody else.
 * Otherwise, and after sampler_channel_spread(), they are on all CPUs, and the kernel side filters.
 * A thread's first tick comes when it has run for a whole period, so half a tick is missing of one
 * that ends before its event is given another period; and none falls into what the kernel takes to
 * switch to it and away, some 2 us. Each thread that begins later is told of by a
 * PLOP_RECORD_THREAD, so that they can be counted; it has an inherited event at first, and some 20
 * ms later one of its own.
 */
int sampler_channel_open_processes(struct sampler *s, uint32_t channel, const uint32_t *tgids,
				   size_t n, unsigned int hz, bool tasks);
bool sampler_channel_is_on_threads(const struct sampler *s, uint32_t channel);
int sampler_channel_spread(struct sampler *s, uint32_t channel);
/* Closes the events; what they counted comes with the next cycle. */
void sampler_channel_close(struct sampler *s, uint32_t channel);
bool sampler_channel_is_open(const struct sampler *s, uint32_t channel);
/* Of the events that the channel has now; all zero: it has none. A system call for each event. */
void sampler_throttling(const struct sampler *s, uint32_t channel, struct throttling *ret);
/*
 * Whose a channel is, before it is opened: a trusted user's (budget 0, as it is when nothing is
 * said), or charged to a budget, 1 to PLOP_MAX_CHANNELS, which all channels of a user share; with a
 * budget, only of processes of that real uid. sampler_budget_set(): an unused one of so many
 * samples a second.
 */
void sampler_channel_charge(struct sampler *s, uint32_t channel, uint32_t budget, uid_t uid);
void sampler_budget_set(struct sampler *s, uint32_t budget, unsigned int rate);
/* How many budgets are in use: each has the same share of the users' part of a table. */
void sampler_users_set(struct sampler *s, uint32_t n);
/* How many switches were beyond a budget since this was asked last. */
uint64_t sampler_budget_lost(struct sampler *s, uint32_t budget);
/*
 * Which channels a process is for; none: the entry goes. The kernel drops it when the process ends.
 */
int sampler_filter_set(struct sampler *s, uint32_t tgid, const struct plop_filter *w);
/* -ENOENT: it has none. */
int sampler_filter_read(struct sampler *s, uint32_t tgid, struct plop_filter *ret);
/*
 * Takes a channel's bits from all processes, children that the kernel added included. channel: 1
 * and up.
 */
void sampler_filter_clear(struct sampler *s, uint32_t channel);

/*
 * Tells where a process keeps its asyncio tasks. -EINPROGRESS: their part is not loaded; -ESRCH: it
 * is not that image any more; -ENOSPC, -EDQUOT: as sampler_layout_add(). Its children have it from
 * it. What no process of the kernel's table has any more is forgotten when there is no room for
 * another.
 */
int sampler_process_set_async(struct sampler *s, uint32_t tgid, uint64_t image, uid_t user,
			      const struct plop_async *async);

/*
 * Watches the scheduler for the threads of processes whose filter says so (plop_filter.off_cpu);
 * tasks: as sampler_channel_open(), of all. -EINPROGRESS: a part that it takes is not loaded.
 */
int sampler_watch_off_cpu(struct sampler *s, bool on, bool tasks);
/* Frees the places of threads whose processes have no filter any more. */
void sampler_sleepers_sweep(struct sampler *s);
/* The threads that are off CPU now, as far as they were seen to leave, or (since 0) to be woken. */
void sampler_sleepers(struct sampler *s,
		      void (*each)(const struct plop_sleeper *sleeper, void *ctx), void *ctx);
/*
 * Readable when events are due for another period (sampler/period.h), or new threads for events of
 * their own; then call sampler_jitter(). Never while no events are open.
 */
int sampler_timer_fd(const struct sampler *s);
void sampler_jitter(struct sampler *s);

/*
 * Readable when process records wait; then call sampler_dispatch(), which goes on until until_ns
 * (CLOCK_MONOTONIC): it stays readable.
 */
int sampler_fd(const struct sampler *s);
int sampler_dispatch(struct sampler *s, uint64_t until_ns);

void sampler_swap(struct sampler *s);
/*
 * To be called right after sampler_swap(): from now on PLOP_CHANNEL_ALWAYS has as many ticks as its
 * rate is divided by weight (1 at first), and each counts that much, in the stacks, losses and
 * counters that are handed up. So what is counted is in ticks of the rate that was asked for.
 */
void sampler_weigh(struct sampler *s, uint32_t weight);
/*
 * Hands up all that waits in the ring buffer, and by review() the stacks of the halves that
 * sampler_swap() took out of use, each once, whatever number of threads had it. They stay where
 * they are. -EAGAIN: a CPU is still in the middle of a tick; call again in a millisecond. 1: it was
 * not done by until_ns (CLOCK_MONOTONIC); call again to go on. Either way nothing may be swapped
 * until it is done.
 */
int sampler_review(struct sampler *s, uint64_t until_ns);
/*
 * After sampler_review(): hands up those stacks, adds their counters to *counters, and empties the
 * halves, which may then be swapped in again. -EAGAIN: it was not done by until_ns
 * (CLOCK_MONOTONIC); call again, with the same counters, to go on.
 */
int sampler_collect(struct sampler *s, struct sampler_counters *counters, uint64_t until_ns);

/*
 * The number of a layout, equal ones sharing one. user: whose process has it, SAMPLER_TRUSTED: one
 * who has no bound. -EDQUOT: that user has brought PLOP_MAX_USER_LAYOUTS, or all such users
 * PLOP_MAX_USERS_LAYOUTS; -ENOSPC: PLOP_MAX_LAYOUTS are known. One that no process has any more is
 * forgotten when there is no room for another: sampler_layout_use() counts those that have it.
 */
#define SAMPLER_TRUSTED ((uid_t)-1)
int sampler_layout_add(struct sampler *s, const struct plop_layout *layout, uid_t user,
		       uint32_t *ret);
void sampler_layout_use(struct sampler *s, uint32_t n, bool begins);
/*
 * Processes for which the kernel's table had no room, or none for one more of their user, since the
 * start.
 */
uint64_t sampler_table_full(const struct sampler *s);

/*
 * Says what a process is that is not known yet, p->user apart: that follows from user, whose it is
 * counted as. -EEXIST: it is known; -ENOSPC: PLOP_MAX_PROCESSES are, or as many of that user as he
 * may have.
 */
int sampler_process_add(struct sampler *s, uint32_t tgid, const struct plop_process *p, uid_t user);
/*
 * ... that is known, with p->image. -ESTALE: it has executed something else meanwhile; -ESRCH: it
 * ended.
 */
int sampler_process_set(struct sampler *s, uint32_t tgid, const struct plop_process *p);
/* Forgets a process unless it has become another image; ticks on it count as other from then on. */
void sampler_process_drop(struct sampler *s, uint32_t tgid, uint64_t image);
/*
 * Whether what executes the program with this number (plop_record_exec.file) need not be told of at
 * once: it was no Python lately. One that falls on the place of another has it.
 */
void sampler_program_plain(struct sampler *s, uint64_t file, bool plain);
/* What executes that program is an interpreter itself: its launches are told. */
void sampler_program_python(struct sampler *s, uint64_t file);
/*
 * What a process is that is launched so by a user (plop_record_exec.uid). l->check is filled in.
 * Takes the place of another at PLOP_LAUNCH_PLACE(). NULL: it is not known any more.
 */
void sampler_launch_set(struct sampler *s, uint64_t launch, uid_t uid, const struct plop_launch *l);
/*
 * What the kernel's table has of an image. -ESRCH: the process has ended; -ESTALE: it has executed
 * another program.
 */
int sampler_process_read(struct sampler *s, uint32_t tgid, uint64_t image,
			 struct plop_process *ret);
/* Which image the kernel's table has for a process. -ESRCH: none. */
int sampler_process_image(struct sampler *s, uint32_t tgid, uint64_t *ret);
/*
 * The number of the program that a process in PLOP_STATE_NEW executes, as plop_record_exec.file; 0:
 * not known.
 */
uint64_t sampler_process_program(struct sampler *s, uint32_t tgid, uint64_t image);
/* Whether a process may have forked since it is this image; false: it did not. */
bool sampler_process_forked(const struct sampler *s, uint32_t tgid, uint64_t image);

/* Has the ticks read this code object's address each time they meet it, until it settles again. */
void sampler_code_loosen(struct sampler *s, uint64_t image, uint64_t code);

/*
 * Tells the kernel side the state of a thread, by its thread pointer, as far as there is room for
 * it; 0: it has none, which is believed for a second.
 */
void sampler_thread_state_set(struct sampler *s, uint64_t image, uint64_t thread, uint64_t state);

/*
 * Has no records of code come of these processes' users; anew each time: those that are not named
 * between begin and end have them come again. Root's always do.
 */
void sampler_quiet_begin(struct sampler *s);
void sampler_quiet_add(struct sampler *s, uint32_t tgid, uint64_t image);
void sampler_quiet_end(struct sampler *s);

/* Memory of all maps in bytes, as the kernel accounts it (/proc/self/fdinfo "memlock:"). */
uint64_t sampler_map_bytes(const struct sampler *s);
