/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/shares.h"
#include "target/targets.h"
#include "util/clock.h"
#include "util/log.h"

#define PENDING_FIRST_NS (2 * NSEC_PER_MSEC)
#define PENDING_LAST_NS  (2 * NSEC_PER_SEC)
#define PENDING_MAX      4096
/* How long after it executed a program a process may look like another one. */
#define NEW_NS (250 * NSEC_PER_MSEC)

/* How long one that does not let itself be read is left alone: ever longer. */
#define SILENCE_FIRST_NS (10 * NSEC_PER_SEC)
#define SILENCE_LAST_NS  (600 * NSEC_PER_SEC)

static void targets_retry(struct targets *t);

static int targets_retry_due(sd_event_source *s, uint64_t usec, void *ctx)
{
	targets_retry(ctx);
	return 0;
}

int targets_init(struct targets *t, struct sampler *s, struct examiner *e, sd_event *loop)
{
	int r;

	*t = (struct targets){ .sampler = s, .examiner = e };
	/* 1: as exact as can be */
	r = sd_event_add_time_relative(loop, &t->retry, CLOCK_MONOTONIC, 0, 1, targets_retry_due,
				       t);
	if (r >= 0)
		r = sd_event_source_set_enabled(t->retry, SD_EVENT_OFF);
	return r < 0 ? r : titles_init(t, loop);
}

void target_free(struct target *k)
{
	process_info_done(&k->info);
	code_table_free(k->codes);
	readings_free(k->readings);
	free(k->lacking);
	free(k->stateless);
	free(k);
}

struct examinee target_examinee(const struct target *k)
{
	return (struct examinee){ .pid = (pid_t)k->key.tgid,
				  .image = k->key.image,
				  .user = k->user };
}

bool target_may_be_asked(const struct target *k)
{
	/* behind the pid of one that ended may be another's memory */
	return !k->dying && clock_ns(CLOCK_MONOTONIC) >= k->silence.until_ns;
}

bool target_is_silent(const struct target *k)
{
	/* for as long again as it was left alone; it need not have been asked since */
	return k->silence.until_ns &&
	       clock_ns(CLOCK_MONOTONIC) < k->silence.until_ns + k->silence.wait_ns;
}

void target_heard(struct target *k, int result)
{
	struct silence *s = &k->silence;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (result == -ETIMEDOUT || result == -EBUSY) {
		s->wait_ns = s->wait_ns ? MIN(2 * s->wait_ns, SILENCE_LAST_NS) : SILENCE_FIRST_NS;
		s->until_ns = now + s->wait_ns;
	} else if (result != -ECANCELED && result != -EAGAIN) {
		/* one that soon falls silent again goes on where it was */
		if (now > s->until_ns + s->wait_ns)
			s->wait_ns = 0;
		s->until_ns = 0;
	}
}

void targets_done(struct targets *t)
{
	struct target *k, *knext;
	struct pending *p, *pnext;

	HASH_CLEAR(hh_pid, t->living);
	HASH_ITER(hh, t->all, k, knext)
	{
		HASH_DEL(t->all, k);
		target_free(k);
	}
	HASH_ITER(hh, t->pending, p, pnext)
	{
		HASH_DEL(t->pending, p);
		free(p);
	}
	sd_event_source_disable_unref(t->retry);
	sd_event_source_disable_unref(t->title_timer);
}

struct target *targets_find(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct target *k;

	HASH_FIND(hh, t->all, &key, sizeof(key), k);
	return k;
}

struct target *targets_find_pid(struct targets *t, pid_t pid)
{
	uint32_t tgid = (uint32_t)pid;
	struct target *k;

	HASH_FIND(hh_pid, t->living, &tgid, sizeof(tgid), k);
	return k;
}

static void target_join(struct targets *t, struct target *k)
{
	struct target *before = targets_find_pid(t, (pid_t)k->key.tgid);

	if (before)
		targets_end(t, before->key.tgid, before->key.image);
	if (k->codes)
		sampler_layout_use(t->sampler, k->layout, true);
	title_begin(k);
	HASH_ADD(hh, t->all, key, sizeof(k->key), k);
	HASH_ADD(hh_pid, t->living, key.tgid, sizeof(k->key.tgid), k);
}

static void pending_drop(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct pending *p;

	HASH_FIND(hh, t->pending, &key, sizeof(key), p);
	if (p) {
		HASH_DEL(t->pending, p);
		free(p);
	}
}

void targets_forget_pending(struct targets *t, const struct target_key *key)
{
	pending_drop(t, key->tgid, key->image);
}

static struct pending *pending_find(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target_key key = { .image = image, .tgid = tgid };
	struct pending *p;

	HASH_FIND(hh, t->pending, &key, sizeof(key), p);
	return p;
}

static void pending_add(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct pending *p = pending_find(t, tgid, image);

	if (!p) {
		if (HASH_COUNT(t->pending) >= PENDING_MAX)
			return;
		p = calloc(1, sizeof(*p));
		if (!p)
			return;
		p->key = (struct target_key){ .image = image, .tgid = tgid };
		p->wait_ns = PENDING_FIRST_NS;
		HASH_ADD(hh, t->pending, key, sizeof(p->key), p);
	} else {
		p->wait_ns = MIN(p->wait_ns * 2, PENDING_LAST_NS);
	}
	p->due_ns = clock_ns(CLOCK_MONOTONIC) + p->wait_ns;
}

/* The user that a process counts as: who runs it, or whose sub-uid that is. */
static uid_t target_user(const struct targets *t, uint32_t tgid, uid_t otherwise)
{
	uid_t user;

	return shares_user(t->shares, process_user((pid_t)tgid, &user) < 0 ? otherwise : user);
}

static void pending_postpone(struct targets *t, const struct target_key *key, uint64_t due_ns)
{
	struct pending *p = pending_find(t, key->tgid, key->image);

	if (p)
		p->due_ns = due_ns;
}

void targets_ask_again(struct targets *t, const struct target_key *key, uint64_t due_ns)
{
	pending_add(t, key->tgid, key->image);
	pending_postpone(t, key, due_ns);
	targets_retry(t);
}

uid_t targets_layout_user(const struct targets *t, uid_t user)
{
	return shares_is_trusted(t->shares, user) ? SAMPLER_TRUSTED : user;
}

/* Makes the target and tells the kernel. info is taken over. */
static int target_add(struct targets *t, uint32_t tgid, uint64_t image, bool fresh,
		      struct process_info *info, const struct python_process *python)
{
	struct plop_process p = { .image = image, .runtime = python->runtime };
	struct target *k = calloc(1, sizeof(*k));
	int r = 0;

	if (!k)
		return -ENOMEM;
	k->key = (struct target_key){ .image = image, .tgid = tgid };
	k->python = *python;
	k->user = target_user(t, tgid, info->uid);
	p.state = PLOP_STATE_UNSUPPORTED;
	if (python->verdict == PYTHON_YES) {
		r = code_table_new(&python->layout, &k->codes);
		if (r == 0)
			r = sampler_layout(t->sampler, &python->layout,
					   targets_layout_user(t, k->user), &k->layout);
		p.layout = (uint16_t)k->layout;
		p.state = PLOP_STATE_PROFILED;
	}
	if (r == 0)
		r = sampler_process_set(t->sampler, tgid, &p, fresh);
	if (r < 0) {
		target_free(k);
		return r;
	}
	k->info = *info;
	*info = (struct process_info){};
	target_join(t, k);
	target_inherit(t, k);
	return 0;
}

/* Has ticks ask for a process later: it may load an interpreter yet. Kernel threads have no memory, and never will. */
static int target_watch(struct targets *t, uint32_t tgid, uint64_t image, bool fresh)
{
	struct plop_process p = {
		.image = image, .state = PLOP_STATE_NEW, .asked = image, .wait = PLOP_WAIT_FIRST_NS
	};

	if (!process_has_memory((pid_t)tgid))
		return -ENOENT;
	return sampler_process_set(t->sampler, tgid, &p, fresh);
}

/*
 * Children that a process forked before it was known to be Python: they are known to the kernel's table only as new, and one
 * that sleeps from then on would have no tick to be asked for by. (proc(5): children; there with CONFIG_PROC_CHILDREN.)
 */
static void targets_examine_children(struct targets *t, uint32_t tgid)
{
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t image;
	char path[64];
	unsigned int child;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/children", tgid, tgid);
	f = fopen(path, "re");
	while (f && fscanf(f, "%u", &child) == 1) {
		if (sampler_process_image(t->sampler, child, &image) == 0)
			targets_examine(t, child, image, false);
	}
}

/* A process that is being examined. */
struct examination {
	struct targets *targets;
	struct target_key key;
	bool fresh; /* as for targets_examine() */
};

/* One that does not let itself be read is known as that, by what can be told of it without reading. */
static void target_add_silent(struct targets *t, const struct examination *x)
{
	struct python_process python = { .verdict = PYTHON_SILENT };
	struct process_info info = {};
	int r = process_info_brief((pid_t)x->key.tgid, x->key.image, &info);

	if (r >= 0)
		r = target_add(t, x->key.tgid, x->key.image, x->fresh, &info, &python);
	process_info_done(&info);
	if (r < 0 && r != -ESRCH && r != -ESTALE && r != -EEXIST)
		log_debug_r(r, "Cannot list process %u", x->key.tgid);
}

/* Forgets what was only known to be silent: it has said what it is. Returns whether there was such. */
static bool target_spoke(struct targets *t, const struct examination *x)
{
	struct target *k = targets_find(t, x->key.tgid, x->key.image);

	if (!k)
		return false;
	if (!k->dying)
		HASH_DELETE(hh_pid, t->living, k);
	t->unlabeled -= k->unlabeled;
	HASH_DEL(t->all, k);
	target_free(k);
	return true;
}

/* It does not answer: asked again, ever more seldom. */
static void targets_silent(struct targets *t, const struct examination *x)
{
	struct target *k = targets_find(t, x->key.tgid, x->key.image);

	if (!k) {
		target_add_silent(t, x);
		k = targets_find(t, x->key.tgid, x->key.image);
	}
	pending_add(t, x->key.tgid, x->key.image);
	if (!k)
		return;
	target_heard(k, -ETIMEDOUT);
	pending_postpone(t, &x->key, k->silence.until_ns);
}

/*
 * What has just executed a program may not have been what it is yet when it was looked at, and one that sleeps from then on has
 * no tick to be asked for by: so it is looked at once more.
 */
static void target_look_again(struct targets *t, const struct target_key *key)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - key->image >= NEW_NS)
		return;
	pending_add(t, key->tgid, key->image);
	pending_postpone(t, key, now + NEW_NS);
}

static void targets_found(struct targets *t, const struct examination *x,
			  const struct python_process *python, struct process_info *info)
{
	uint32_t tgid = x->key.tgid;
	uint64_t image = x->key.image;
	bool spoke = target_spoke(t, x), fresh = x->fresh && !spoke;
	/* whether the kernel's table does not have it as one that ticks ask for */
	bool unasked = fresh || spoke;
	int r;

	switch (python->verdict) {
	case PYTHON_NOT_YET:
		if (unasked && target_watch(t, tgid, image, fresh) < 0)
			return;
		pending_add(t, tgid, image);
		return;
	case PYTHON_YES:
	case PYTHON_UNSUPPORTED:
	case PYTHON_PYPY:
		pending_drop(t, tgid, image);
		r = target_add(t, tgid, image, fresh, info, python);
		if (r == -ENOSPC)
			t->table_full++;
		if (r == -EDQUOT)
			shares_count(t->shares, target_user(t, tgid, info->uid),
				     SHARE_LAYOUTS_REFUSED, 1);
		/* there may be room when it is asked for again */
		if (r < 0 && unasked)
			target_watch(t, tgid, image, fresh);
		if (r < 0 && r != -ESRCH && r != -ESTALE && r != -EEXIST && r != -EDQUOT)
			log_warning_r(r, "Cannot profile process %u", tgid);
		if (r == 0 && python->starting)
			target_starts(t, targets_find(t, tgid, image));
		if (r == 0 && !fresh)
			targets_examine_children(t, tgid);
		return;
	case PYTHON_NO:
	case PYTHON_SILENT:
		pending_drop(t, tgid, image);
		if (unasked)
			target_watch(t, tgid, image, fresh);
		else
			target_look_again(t, &x->key);
		return;
	case PYTHON_GONE:
		pending_drop(t, tgid, image);
		if (!fresh)
			sampler_process_drop(t->sampler, tgid, image);
		return;
	}
}

static void targets_examined(void *ctx, int result, struct unpack *body)
{
	struct examination *x = ctx;
	struct targets *t = x->targets;
	struct python_process python = {};
	struct process_info info = {};
	struct target *k = targets_find(t, x->key.tgid, x->key.image);

	t->examining--;
	if (result >= 0)
		result = examined_process(body, &python, &info);
	if (result == -ECANCELED) {
		free(x);
		return;
	}
	if (k && target_is_starting(k) && !target_was_none(k, result, &python)) {
		target_looked_at(t, k, result, &python);
	} else if (k && k->python.verdict != PYTHON_SILENT && !target_is_starting(k)) {
		/* another has answered meanwhile */
		pending_drop(t, x->key.tgid, x->key.image);
	} else if (result == -ETIMEDOUT || result == -EBUSY) {
		targets_silent(t, x);
	} else if (result == -EAGAIN) {
		pending_add(t, x->key.tgid, x->key.image);
	} else {
		if (result < 0)
			log_debug_r(result, "Failed to examine process %u, ignoring", x->key.tgid);
		targets_found(t, x, &python, &info);
	}
	process_info_done(&info);
	free(x);
	targets_retry(t);
}

void targets_examine(struct targets *t, uint32_t tgid, uint64_t image, bool fresh)
{
	struct examinee who = { .pid = (pid_t)tgid, .image = image };
	struct target *k = targets_find(t, tgid, image);
	struct examination *x;
	struct buf request = {};

	if ((k && k->python.verdict != PYTHON_SILENT && !target_is_starting(k)) ||
	    process_user(who.pid, &who.user) < 0) {
		pending_drop(t, tgid, image);
		return;
	}
	who.user = shares_user(t->shares, who.user);
	x = calloc(1, sizeof(*x));
	if (!x) {
		pending_postpone(t, &(struct target_key){ .image = image, .tgid = tgid },
				 clock_ns(CLOCK_MONOTONIC) + PENDING_LAST_NS);
		return;
	}
	*x = (struct examination){ .targets = t,
				   .key = { .image = image, .tgid = tgid },
				   .fresh = fresh };
	if (k && k->python.verdict == PYTHON_YES)
		examine_process(&request, &k->python.layout, k->python.runtime);
	t->examining++;
	examiner_ask(t->examiner, EXAMINE_PROCESS, &who, &request, targets_examined, x);
}

static int targets_scan_one(pid_t pid, void *ctx)
{
	targets_examine(ctx, (uint32_t)pid, clock_ns(CLOCK_MONOTONIC), true);
	return 0;
}

int targets_scan(struct targets *t)
{
	return process_for_each(targets_scan_one, t);
}

void targets_fork(struct targets *t, const struct plop_record_fork *r)
{
	struct target *parent = targets_find(t, r->parent, r->parent_image), *k;
	struct process_info info = {};

	if (!parent) {
		targets_examine(t, r->head.tgid, r->head.image, false);
		return;
	}
	if (process_info_child(&parent->info, (pid_t)r->head.tgid, r->head.image, &info) < 0)
		return;
	/* it may have executed another program since: only what both are is this image's */
	if (info.uid != parent->info.uid)
		info.uid = PROCESS_NO_UID;
	k = calloc(1, sizeof(*k));
	if (!k || (parent->codes && code_table_new(&parent->python.layout, &k->codes) < 0)) {
		free(k);
		process_info_done(&info);
		return;
	}
	k->key = (struct target_key){ .image = r->head.image, .tgid = r->head.tgid };
	k->python = parent->python;
	k->layout = parent->layout;
	k->user = parent->user;
	/* what its parent does not let be read, it has from its parent */
	k->silence = parent->silence;
	if (k->python.verdict == PYTHON_SILENT) {
		pending_add(t, r->head.tgid, r->head.image);
		pending_postpone(
			t, &(struct target_key){ .image = r->head.image, .tgid = r->head.tgid },
			k->silence.until_ns);
	}
	k->info = info;
	k->unlabeled = parent->unlabeled;
	t->unlabeled += k->unlabeled;
	target_join(t, k);
	if (k->python.starting)
		target_starts(t, k);
	targets_retry(t);
}

void targets_end(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target *k = targets_find(t, tgid, image);

	pending_drop(t, tgid, image);
	/* its last stacks may lie in either half: two cycles empty both */
	if (k && !k->dying) {
		k->dying = 3;
		t->unlabeled -= k->unlabeled;
		k->unlabeled = false;
		HASH_DELETE(hh_pid, t->living, k);
	}
}

static void targets_retry(struct targets *t)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), next = 0;
	struct pending *p, *pnext;

	HASH_ITER(hh, t->pending, p, pnext)
	{
		if (p->due_ns && p->due_ns <= now) {
			/* by its answer it has another time, or is not there any more */
			p->due_ns = 0;
			targets_examine(t, p->key.tgid, p->key.image, false);
		}
	}
	HASH_ITER(hh, t->pending, p, pnext)
	{
		if (p->due_ns && (next == 0 || p->due_ns < next))
			next = p->due_ns;
	}
	if (next == 0)
		return;
	sd_event_source_set_time_relative(t->retry, next > now ? (next - now) / 1000 + 1 : 1);
	sd_event_source_set_enabled(t->retry, SD_EVENT_ONESHOT);
}
