/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/targets.h"
#include "plop/places.h"
#include "target/labels.h"
#include "target/shares.h"
#include "target/silence.h"
#include "target/targets_cycle.h"
#include "target/targets_pending.h"
#include "target/targets_starting.h"
#include "target/titles.h"
#include "util/log.h"
#include "util/seldom.h"

/* How long after it executed a program a process may look like another one. */
#define NEW_NS (250 * NSEC_PER_MSEC)
/* When one is looked at again that was refused, at the earliest. */
#define REFUSED_NS (100 * NSEC_PER_MSEC)
/* When one is looked at again for which there was no memory. */
#define AFTER_FAILURE_NS (2 * NSEC_PER_SEC)

int targets_init(struct targets *t, struct cycle *cycle, struct sampler *s, struct examiner *e,
		 struct shares *shares)
{
	struct examiner_account account;
	int r;

	*t = (struct targets){ .cycle = cycle, .sampler = s, .examiner = e, .shares = shares };
	t->pending.user_of = shares_bound_process;
	t->pending.ctx = shares;
	effort_init(&t->effort, shares, cycle);
	account = effort_account(&t->effort);
	examiner_keep_account(e, &account);
	/* 1: as exact as can be */
	r = sd_event_add_time_relative(cycle->loop, &t->retry, CLOCK_MONOTONIC, 0, 1, targets_retry,
				       t);
	if (r >= 0)
		r = sd_event_source_set_enabled(t->retry, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(cycle->loop, &t->reap, targets_reap, t);
	if (r >= 0)
		r = sd_event_source_set_enabled(t->reap, SD_EVENT_OFF);
	return r < 0 ? r : titles_init(t);
}

void target_free(struct target *k)
{
	if (k->paths)
		k->paths->path_bytes -= k->path_bytes;
	process_info_done(&k->info);
	free(k->own_version);
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

void targets_done(struct targets *t)
{
	struct target *k, *knext;

	HASH_CLEAR(hh_pid, t->living);
	HASH_CLEAR(hh_maker, t->unlabeled);
	HASH_ITER(hh, t->all, k, knext)
	{
		HASH_DEL(t->all, k);
		target_free(k);
	}
	marks_done(&t->marks);
	launches_done(&t->launches);
	code_pool_done(&t->code_pool);
	pendings_done(&t->pending);
	sd_event_source_disable_unref(t->retry);
	sd_event_source_disable_unref(t->reap);
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

/* Counts the paths that it has for its user, and cuts them where these are too many. */
static void target_count_paths(struct targets *t, struct target *k)
{
	if (shares_is_trusted(t->shares, k->user))
		return;
	k->paths = shares_of(t->shares, k->user);
	if (!k->paths)
		return;
	k->path_bytes = process_info_paths(&k->info);
	if (k->paths->path_bytes + k->path_bytes > SHARES_PATH_BYTES &&
	    process_info_cut(&k->info, SHARES_PATH_CUT))
		k->paths->counts[SHARE_PATHS_CUT]++;
	k->path_bytes = process_info_paths(&k->info);
	k->paths->path_bytes += k->path_bytes;
}

static void target_join(struct targets *t, struct target *k)
{
	struct target *before = targets_find_pid(t, (pid_t)k->key.tgid);

	if (before)
		targets_end(t, before->key.tgid, before->key.image);
	target_count_paths(t, k);
	if (k->codes)
		sampler_layout_use(t->sampler, k->layout, true);
	title_begin(t, k);
	HASH_ADD(hh, t->all, key, sizeof(k->key), k);
	HASH_ADD(hh_pid, t->living, key.tgid, sizeof(k->key.tgid), k);
}

/* The user that a process counts as: who runs it, or whose sub-uid that is. */
static uid_t target_user(const struct targets *t, uint32_t tgid, uid_t otherwise)
{
	uid_t user;

	return shares_user(t->shares, process_user((pid_t)tgid, &user) < 0 ? otherwise : user);
}

/* The same of one that was looked at just now: an owner has no other uid. */
static uid_t target_user_of(const struct targets *t, const struct process_info *info, uint32_t tgid)
{
	return info->uid == PROCESS_NO_UID ? target_user(t, tgid, info->uid) :
					     shares_user(t->shares, info->uid);
}

uid_t targets_layout_user(const struct targets *t, uid_t user)
{
	return shares_is_trusted(t->shares, user) ? SAMPLER_TRUSTED : user;
}

/* What the kernel's table has of a process. */
enum told {
	TOLD_NOTHING,
	TOLD_NEW,   /* it is there in PLOP_STATE_NEW */
	TOLD_WHOLE, /* all that there is to tell, or it has ended */
};

static int process_tell(struct targets *t, uint32_t tgid, const struct plop_process *p,
			enum told told, uid_t user)
{
	return told == TOLD_NOTHING ? sampler_process_add(t->sampler, tgid, p, user) :
	       told == TOLD_NEW     ? sampler_process_set(t->sampler, tgid, p) :
				      0;
}

/* Makes the target and tells the kernel. info is taken over. */
static int target_add(struct targets *t, uint32_t tgid, uint64_t image, enum told told,
		      struct process_info *info, const struct python_process *python)
{
	struct plop_process p = { .image = image, .runtime = python->runtime };
	struct target *k = calloc(1, sizeof(*k));
	int r = 0;

	if (!k)
		return -ENOMEM;
	k->key = (struct target_key){ .image = image, .tgid = tgid };
	k->python = *python;
	k->user = target_user_of(t, info, tgid);
	p.state = PLOP_STATE_UNSUPPORTED;
	if (python->verdict == PYTHON_YES) {
		r = code_table_new(&python->layout, &k->codes);
		if (r == 0)
			code_table_share(k->codes, &t->code_pool);
		if (r == 0)
			r = sampler_layout_add(t->sampler, &python->layout,
					       targets_layout_user(t, k->user), &k->layout);
		p.layout = (uint16_t)k->layout;
		p.state = PLOP_STATE_PROFILED;
	}
	/* also if it has ended meanwhile: the next may come at once */
	if (r == 0 && told == TOLD_NEW)
		launches_learn(&t->launches, t->sampler, tgid, image, info, python, k->layout,
			       cycle_mono_ns(t->cycle));
	if (r == 0)
		r = process_tell(t, tgid, &p, told, k->user);
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

/*
 * Has ticks ask for a process later: it may load an interpreter yet. Kernel threads have no memory,
 * and never will.
 */
static int target_watch(struct targets *t, uint32_t tgid, uint64_t image, bool fresh, uint64_t file)
{
	struct plop_process p = { .state = PLOP_STATE_NEW, .runtime = file };

	if (!process_has_memory((pid_t)tgid))
		return -ENOENT;
	plop_process_begin(&p, image);
	/* of one that is known already nothing changes in whose it is */
	return process_tell(t, tgid, &p, fresh ? TOLD_NOTHING : TOLD_NEW,
			    fresh ? target_user(t, tgid, SHARES_NOBODY) : 0);
}

/*
 * Children that a process forked before it was known to be Python: they are known to the kernel's
 * table only as new, and one that sleeps from then on would have no tick to be asked for by.
 * (proc(5): children; there with CONFIG_PROC_CHILDREN.)
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
	bool fresh;    /* as for targets_examine() */
	uint64_t file; /* of the program that it executes, where that is known; else 0 */
	bool first;    /* it becomes Python, and this is when it is looked at first */
	uid_t user;    /* as the examiner was told */
};

/*
 * One that does not let itself be read is known as that, by what can be told of it without reading.
 */
static void target_add_silent(struct targets *t, const struct examination *x)
{
	struct python_process python = { .verdict = PYTHON_SILENT };
	struct process_info info = {};
	int r = process_info_brief((pid_t)x->key.tgid, x->key.image, &info);

	if (r >= 0)
		r = target_add(t, x->key.tgid, x->key.image, x->fresh ? TOLD_NOTHING : TOLD_NEW,
			       &info, &python);
	process_info_done(&info);
	if (r < 0 && r != -ESRCH && r != -ESTALE && r != -EEXIST)
		log_debug_r(r, "Cannot list process %u", x->key.tgid);
}

/*
 * Forgets what was only known to be silent: it has said what it is. Returns whether there was such.
 */
static bool target_spoke(struct targets *t, const struct examination *x)
{
	struct target *k = targets_find(t, x->key.tgid, x->key.image);

	if (!k)
		return false;
	if (!k->dying)
		HASH_DELETE(hh_pid, t->living, k);
	target_unwait_label(t, k);
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
	targets_ask_later(t, &x->key);
	if (!k)
		return;
	target_heard(t, k, -ETIMEDOUT);
	targets_postpone(t, &x->key, k->silence.until_ns);
}

/* Nobody looked, as too much is asked or its user has no credit: later, or when a tick asks. */
static void targets_refused(struct targets *t, const struct examination *x)
{
	if (x->fresh && target_watch(t, x->key.tgid, x->key.image, true, x->file) == -ENOSPC)
		t->table_full++;
	targets_ask_together(t, &x->key,
			     MAX(effort_back_ns(&t->effort, x->user),
				 cycle_mono_ns(t->cycle) + REFUSED_NS));
}

/*
 * What has just executed a program may not have been what it is yet when it was looked at, and one
 * that sleeps from then on has no tick to be asked for by: so it is looked at once more.
 */
static void target_look_again(struct targets *t, const struct examination *x)
{
	uint64_t now = cycle_mono_ns(t->cycle);

	if (now - x->key.image >= NEW_NS)
		return;
	targets_ask_together(t, &x->key, now + NEW_NS);
	targets_pending_program(t, &x->key, x->file, PROCESS_NO_UID, false);
}

/*
 * Keeps what the program of a process is. One that ended, or executed another since, does not tell
 * of this one.
 */
static void target_learn(struct targets *t, const struct examination *x,
			 const struct python_process *python)
{
	uint64_t now = cycle_mono_ns(t->cycle), image;

	if (!x->file || sampler_process_image(t->sampler, x->key.tgid, &image) < 0 ||
	    image != x->key.image)
		return;
	if (python->verdict == PYTHON_NO && python->looked)
		plain_add(&t->plain, x->file, now);
	else if (python->verdict == PYTHON_YES)
		plain_never(&t->plain, x->file, now);
	if (x->first)
		plain_looked(&t->plain, x->file,
			     python->verdict != PYTHON_NOT_YET && python->verdict != PYTHON_NO &&
				     !python->starting);
	sampler_program_plain(t->sampler, x->file, plain_has(&t->plain, x->file, now));
	if (python->verdict == PYTHON_YES && (python->own || python->list))
		sampler_program_python(t->sampler, x->file);
}

bool targets_launched(struct targets *t, const struct plop_record_exec *r)
{
	struct python_process python;
	struct process_info info;
	struct plop_process p;
	bool there = sampler_process_read(t->sampler, r->head.tgid, r->head.image, &p) == 0;

	/* what it executed before may have been told after this: see sampler_process_set() */
	if ((there && p.state == PLOP_STATE_NEW) ||
	    launches_find(&t->launches, r, &python, &info) < 0)
		return false;
	python.starting = there;
	if (target_add(t, r->head.tgid, r->head.image, TOLD_WHOLE, &info, &python) < 0) {
		process_info_done(&info);
		return false;
	}
	if (python.starting)
		target_starts(t, targets_find(t, r->head.tgid, r->head.image));
	return true;
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

	target_learn(t, x, python);
	switch (python->verdict) {
	case PYTHON_NOT_YET:
		if (unasked && target_watch(t, tgid, image, fresh, x->file) < 0)
			return;
		targets_ask_later(t, &x->key);
		targets_pending_program(t, &x->key, x->file, PROCESS_NO_UID, false);
		return;
	case PYTHON_YES:
	case PYTHON_UNSUPPORTED:
	case PYTHON_PYPY:
		pendings_drop(&t->pending, &x->key);
		r = target_add(t, tgid, image, fresh ? TOLD_NOTHING : TOLD_NEW, info, python);
		if (r == -ENOSPC)
			t->table_full++;
		if (r == -EDQUOT)
			shares_count(t->shares, target_user(t, tgid, info->uid),
				     SHARE_LAYOUTS_REFUSED, 1);
		/* there may be room when it is asked for again */
		if (r < 0 && unasked)
			target_watch(t, tgid, image, fresh, x->file);
		if (r < 0 && r != -ESRCH && r != -ESTALE && r != -EEXIST && r != -EDQUOT)
			log_warning_r(r, "Cannot profile process %u", tgid);
		if (r == 0 && python->starting)
			target_starts(t, targets_find(t, tgid, image));
		if (r == 0 && !fresh && sampler_process_forked(t->sampler, tgid, image))
			targets_examine_children(t, tgid);
		return;
	case PYTHON_NO:
	case PYTHON_SILENT:
		pendings_drop(&t->pending, &x->key);
		if (unasked && target_watch(t, tgid, image, fresh, x->file) == -ENOSPC)
			t->table_full++;
		if (!unasked)
			target_look_again(t, x);
		return;
	case PYTHON_GONE:
		pendings_drop(&t->pending, &x->key);
		if (!fresh)
			sampler_process_drop(t->sampler, tgid, image);
		return;
	}
}

/* That it has ended is no failure. */
static void targets_tell(int r, uint32_t pid)
{
	static struct seldom said;

	if (r == -ENOENT || r == -ESRCH)
		log_debug_r(r, "Failed to examine process %u, ignoring", pid);
	else
		seldom_warn(&said, r, "Cannot examine process %u, taking it for no Python", pid);
}

static void targets_examined(void *ctx, int r, struct unpack *body)
{
	struct examination *x = ctx;
	struct targets *t = x->targets;
	struct python_process python = {};
	struct process_info info = {};
	struct target *k = targets_find(t, x->key.tgid, x->key.image);

	t->examining--;
	if (r >= 0)
		r = examined_process(body, &python, &info);
	if (r == -ECANCELED) {
		free(x);
		return;
	}
	if (k && target_is_starting(k) && !target_was_none(k, r, &python)) {
		target_looked_at(t, k, r, &python);
	} else if (k && k->python.verdict != PYTHON_SILENT && !target_is_starting(k)) {
		/* another has answered meanwhile */
		pendings_drop(&t->pending, &x->key);
	} else if (r == -ETIMEDOUT || r == -EBUSY) {
		targets_silent(t, x);
	} else if (r == -EAGAIN) {
		targets_refused(t, x);
	} else if (r == 0 && python.verdict == PYTHON_YES && !info.comm) {
		/* it was asked for what is known of one that is not known any more */
		targets_ask_later(t, &x->key);
	} else {
		if (r < 0)
			targets_tell(r, x->key.tgid);
		targets_found(t, x, &python, &info);
	}
	process_info_done(&info);
	free(x);
}

void targets_look(struct targets *t, const struct pending *of, bool fresh)
{
	const struct target_key key = of->key;
	struct examinee who = { .pid = (pid_t)key.tgid, .image = key.image, .user = of->uid };
	struct target *k = targets_find(t, key.tgid, key.image);
	struct pending *asked;
	struct examination *x;
	struct buf request = {};

	if ((k && k->python.verdict != PYTHON_SILENT && !target_is_starting(k)) ||
	    (who.user == PROCESS_NO_UID && process_user(who.pid, &who.user) < 0)) {
		pendings_drop(&t->pending, &key);
		return;
	}
	who.user = shares_user(t->shares, who.user);
	x = calloc(1, sizeof(*x));
	if (!x) {
		targets_postpone(t, &key, cycle_mono_ns(t->cycle) + AFTER_FAILURE_NS);
		return;
	}
	*x = (struct examination){ .targets = t,
				   .key = key,
				   .fresh = fresh,
				   .file = of->file,
				   .first = of->first,
				   .user = who.user };
	/* until its answer has come no tick has it looked at */
	asked = fresh ? NULL : pendings_get(&t->pending, &key);
	if (asked)
		asked->due_ns = 0;
	if (k)
		target_arrived(t, k);
	if (k && k->python.verdict == PYTHON_YES && k->python.runtime)
		examine_process(&request, &k->python.layout, k->python.runtime);
	t->examining++;
	examiner_ask(t->examiner, EXAMINE_PROCESS, &who, &request, targets_examined, x);
}

void targets_examine(struct targets *t, uint32_t tgid, uint64_t image, bool fresh)
{
	const struct pending of = { .key = { .image = image, .tgid = tgid },
				    .uid = PROCESS_NO_UID };

	targets_look(t, &of, fresh);
}

static int targets_scan_one(pid_t pid, void *ctx)
{
	struct targets *t = ctx;

	targets_examine(t, (uint32_t)pid, cycle_mono_ns(t->cycle), true);
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
	bool over;

	if (!parent) {
		targets_examine(t, r->head.tgid, r->head.image, false);
		return;
	}
	over = targets_image_is_over(t, &(struct target_key){ .image = r->head.image,
							      .tgid = r->head.tgid });
	if (process_info_child(&parent->info, (pid_t)r->head.tgid, r->head.image, !over, &info) < 0)
		return;
	/* it may execute another program meanwhile: only what both are is this image's */
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
	if (k->python.verdict == PYTHON_SILENT)
		targets_ask_again(t, &k->key, k->silence.until_ns);
	k->info = info;
	k->own_version = parent->own_version ? strdup(parent->own_version) : NULL;
	target_join(t, k);
	target_mark(t, k);
	if (parent->unlabeled)
		target_wait_label(t, k);
	if (k->python.starting)
		target_starts(t, k);
}

void targets_end(struct targets *t, uint32_t tgid, uint64_t image)
{
	struct target *k = targets_find(t, tgid, image);

	pendings_drop(&t->pending, &(struct target_key){ .image = image, .tgid = tgid });
	/* its last stacks may lie in either half: two cycles empty both */
	if (k && !k->dying) {
		k->dying = 3;
		target_unwait_label(t, k);
		HASH_DELETE(hh_pid, t->living, k);
	}
}
