/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/asleep.h"
#include "target/silence.h"
#include "util/log.h"

/* How long a recording that has ended waits for the last answer. */
#define ANSWERS_NS (2 * NSEC_PER_SEC)

struct asleep_question {
	struct recordings *all;
	struct target_key key;
	char id[16]; /* of the recording */
};

/* An answer while it is taken in. */
struct asleep_answer {
	struct recording *recording;
	const struct target *target;
};

static void on_gil(uint64_t address, void *ctx)
{
	const struct asleep_answer *a = ctx;

	waits_gil(a->recording->waits, (pid_t)a->target->key.tgid, address,
		  a->target->python.layout.gil_size);
}

static int on_thread(const struct asleep_thread *t, void *ctx)
{
	const struct asleep_answer *a = ctx;
	struct recording *recording = a->recording;

	return waits_read(recording->waits, recording->sink, (pid_t)a->target->key.tgid, t);
}

/*
 * Takes in what was read, if it was of this program, and whoever made the recording may still see
 * it.
 */
static int take(struct recording *recording, struct target *k, struct unpack *body)
{
	struct asleep_answer a = { .recording = recording, .target = k };
	struct recordings *all = recording->all;
	uint64_t image;
	uint32_t left;

	if (sampler_process_image(all->sampler, k->key.tgid, &image) < 0 || image != k->key.image)
		return -ESRCH;
	/* whose it is now, whatever it was when this cycle began */
	k->owner_asked = 0;
	if (!recording_wants(recording, k))
		return -EACCES;
	return examined_asleep(body, on_gil, on_thread, &a, &left);
}

static void on_answer(void *ctx, int r, struct unpack *body)
{
	struct asleep_question *q = ctx;
	struct recordings *all = q->all;
	struct target *k = targets_find(all->targets, q->key.tgid, q->key.image);
	struct recording *recording = recordings_find(q->all, q->id);

	if (k && r == -ETIMEDOUT)
		target_heard(all->targets, k, r);
	if (recording && recording->waits && r != -ECANCELED) {
		if (r >= 0)
			r = k ? take(recording, k, body) : -ESRCH;
		if (r < 0)
			log_debug_r(r, "Cannot read the sleeping threads of process %u",
				    q->key.tgid);
		if (r == -ENOMEM)
			recording_stop(recording, RECORDING_TOO_LARGE);
		/* the recording may have waited for this alone */
		if (waits_asking(recording->waits, -1) == 0 &&
		    recording->state == RECORDING_STOPPING)
			cycle_ask(all->cycle);
	}
	free(q);
}

static int ask(struct recording *recording, const struct target *k, uint32_t max)
{
	const struct examinee who = target_examinee(k);
	struct asleep_question *q = calloc(1, sizeof(*q));
	struct buf request = {};

	if (!q)
		return -ENOMEM;
	q->all = recording->all;
	q->key = k->key;
	snprintf(q->id, sizeof(q->id), "%s", recording->id);
	waits_asking(recording->waits, 1);
	examine_asleep(&request, &k->python.layout, k->python.runtime, max, ASLEEP_BYTES_MAX);
	examiner_ask(recording->all->targets->examiner, EXAMINE_ASLEEP, &who, &request, on_answer,
		     q);
	return 0;
}

void asleep_ask(struct recording *recording)
{
	struct targets *t = recording->all->targets;
	uint32_t threads;
	pid_t pid;

	/*
	 * what is read has no tasks, and beside stacks that have them it would say that there were
	 * none
	 */
	while (recording->waits && !recording->tasks && recording->asleep < ASLEEP_THREADS_MAX &&
	       waits_unread(recording->waits, &pid, &threads)) {
		struct target *k = targets_find_pid(t, pid);
		uint32_t max = MIN(threads, ASLEEP_THREADS_MAX - recording->asleep);

		if (!k || k->python.verdict != PYTHON_YES || !target_may_be_asked(t, k) ||
		    !recording_wants(recording, k) || ask(recording, k, max) < 0)
			continue;
		recording->asleep += max;
	}
}

bool asleep_awaits(const struct recording *recording)
{
	return recording->waits && waits_asking(recording->waits, 0) > 0 &&
	       cycle_mono_ns(recording->all->cycle) < recording->ended_mono + ANSWERS_NS;
}
