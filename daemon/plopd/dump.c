/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/dump.h"
#include "plopd/access.h"
#include "profile/selector_text.h"
#include "target/owner.h"
#include "target/shares.h"
#include "target/silence.h"
#include "util/log.h"

/* Dumps that wait or are under way. */
#define DUMPS_MAX 8

/* GET /v1/dump: read by a helper, answered on the loop thread. */
struct dump_job {
	struct dumps *dumps;
	struct api_call *call; /* NULL: the client went away */
	pid_t pid;
	uint64_t image;
	uid_t user;            /* whose dump it is; SHARES_NOBODY: of somebody trusted */
	struct selectors whom; /* may see it: asked again when it was read */
	struct buf head;       /* what is known of the process: an object, as text */
};

/* Counts a dump for its user, or does not any more. */
static void dump_count(struct dumps *d, uid_t user, int n)
{
	struct share *share = user == SHARES_NOBODY ? NULL : shares_of(d->targets->shares, user);

	d->under_way += (unsigned int)n;
	if (share)
		share->dumps += (unsigned int)n;
}

static void dump_free(struct dump_job *j)
{
	dump_count(j->dumps, j->user, -1);
	buf_free(&j->head);
	free(j);
}

static void dump_answer(struct dump_job *j, const char *text, size_t size)
{
	_cleanup_buf_ struct buf b = j->head;

	j->head = (struct buf){};
	/* the rest is text already: it takes the place of the brace at the end */
	b.size--;
	buf_putc(&b, ',');
	buf_append(&b, text, size);
	buf_puts(&b, "}\n");
	if (b.error)
		api_reply_error(j->call, 500, NULL, "out of memory");
	else
		api_reply(j->call, 200, "application/json", &b, NULL);
}

/* Why there is no dump. */
static void dump_refuse(const struct dump_job *j, int r)
{
	int pid = (int)j->pid;

	if (r == -ESRCH)
		api_reply_error(j->call, 404, "plopctl ps lists the Python processes",
				"process %d ended meanwhile", pid);
	else if (r == -EFAULT)
		api_reply_error(j->call, 503, "ask again in a moment",
				"the interpreter of process %d is starting or ending", pid);
	else if (r == -ETIMEDOUT || r == -EBUSY)
		api_reply_error(j->call, 503,
				"its memory may lie in a file system that does not answer; plopctl "
				"ps tells of it",
				"process %d does not let itself be read", pid);
	else
		api_reply_error(j->call, 500, NULL, "cannot read process %d: %s", pid,
				strerror(-r));
}

static void dump_done(void *ctx, int r, struct unpack *body)
{
	struct dump_job *j = ctx;
	struct target *k = targets_find(j->dumps->targets, (uint32_t)j->pid, j->image);
	const char *text = NULL;
	size_t size = 0;
	uint64_t image;

	if (k && r == -ETIMEDOUT)
		target_heard(j->dumps->targets, k, r);

	/*
	 * what was read may be of another program, or of another process of that pid, which may be
	 * somebody else's
	 */
	if (r >= 0 &&
	    (sampler_process_image(j->dumps->targets->sampler, (uint32_t)j->pid, &image) < 0 ||
	     image != j->image))
		r = -ESRCH;
	/* whose it is now, whatever it was when this cycle began */
	if (k)
		k->owner_asked = 0;
	if (k && !target_is_visible(k, &j->whom, j->dumps->targets->cycle->number))
		r = -ESRCH;
	if (r >= 0)
		r = examined_dump(body, &text, &size);
	if (j->call && r >= 0)
		dump_answer(j, text, size);
	else if (j->call && r != -ECANCELED)
		dump_refuse(j, r);
	dump_free(j);
}

static void dump_gone(void *ctx)
{
	struct dump_job *j = ctx;

	j->call = NULL;
}

/* The process that is asked for, or NULL after having answered. */
static struct target *dump_target(const struct api_request *q, struct dumps *d)
{
	const char *text = api_parameter(q, "pid");
	char why[SELECTOR_WHY_MAX] = "a dump wants the number of a process: pid=N";
	pid_t pid;

	if (!text || process_id_parse(text, &pid, why) < 0) {
		api_reply_error(q->call, 400, "plopctl ps lists the Python processes", "%s", why);
		return NULL;
	}
	return access_find(q, d->targets, pid);
}

/* Whether there is room for one more; if not, answers the request. */
static bool dump_admit(const struct api_request *q, struct dumps *d, uid_t user)
{
	const struct share *share = user == SHARES_NOBODY ? NULL :
							    shares_of(d->targets->shares, user);
	bool own = share && share->dumps >= SHARES_USER_DUMPS;

	if (!own && d->under_way < DUMPS_MAX)
		return true;
	api_reply_error(q->call, 503, "ask again in a moment", "%d dumps%s are under way already",
			own ? SHARES_USER_DUMPS : DUMPS_MAX, own ? " of yours" : "");
	return false;
}

/* What the loop thread knows of the process. */
static int dump_head(struct buf *b, const struct target *k)
{
	struct json_writer w = json_writer_on(b);

	json_put_object(&w, NULL);
	json_put_int(&w, "pid", k->info.pid);
	json_put_string(&w, "python", k->python.version);
	json_put_string(&w, "exe", k->info.exe);
	json_put_bool(&w, "free_threaded", k->python.layout.free_threaded);
	json_put_end(&w);
	return json_writer_done(&w);
}

void route_dump(const struct api_request *q, void *ctx)
{
	struct dumps *d = ctx;
	struct target *k = dump_target(q, d);
	uid_t user = q->peer.trusted ? SHARES_NOBODY : shares_user(d->targets->shares, q->peer.uid);
	struct buf request = {};
	struct examinee who;
	struct dump_job *j;

	if (!k || !dump_admit(q, d, user))
		return;
	j = calloc(1, sizeof(*j));
	if (!j || dump_head(&j->head, k) < 0) {
		if (j)
			buf_free(&j->head);
		free(j);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	dump_count(d, user, 1);
	j->dumps = d;
	j->user = user;
	j->pid = k->info.pid;
	j->image = k->key.image;
	access_limit(&q->peer, &j->whom);
	j->call = api_defer(q, dump_gone, j);
	who = target_examinee(k);
	/* room for what is known of the process, and for the threads without their frames */
	examine_dump(&request, &k->python.layout, k->python.runtime,
		     (uint32_t)(api_answer_max(j->call) / 2));
	examiner_ask(d->targets->examiner, EXAMINE_DUMP, &who, &request, dump_done, j);
}
