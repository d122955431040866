/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/look.h"
#include "plopd/access.h"
#include "profile/selector_text.h"
#include "target/owner.h"
#include "target/shares.h"
#include "target/silence.h"

/* Looks that wait or are under way. */
#define LOOKS_MAX 8

/* Counts one for its user, or does not any more. */
static void look_count(struct looks *looks, uid_t user, int n)
{
	struct share *share = user == SHARES_NOBODY ? NULL :
						      shares_of(looks->targets->shares, user);

	looks->under_way += (unsigned int)n;
	if (share)
		share->looks += (unsigned int)n;
}

void look_end(struct look *l)
{
	look_count(l->looks, l->user, -1);
	buf_free(&l->head);
	free(l);
}

static void look_answer(struct look *l, const char *text, size_t size)
{
	_cleanup_buf_ struct buf b = l->head;

	l->head = (struct buf){};
	/* the rest is text already: it takes the place of the brace at the end */
	b.size--;
	buf_putc(&b, ',');
	buf_append(&b, text, size);
	buf_puts(&b, "}\n");
	if (b.error)
		api_reply_error(l->call, 500, NULL, "out of memory");
	else
		api_reply(l->call, 200, "application/json", &b, NULL);
}

/* Why nothing was read, where that is no matter of what was asked. */
static void look_refuse(const struct look *l, int r)
{
	int pid = (int)l->pid;

	if (r == -ESRCH)
		api_reply_error(l->call, 404, "plopctl ps lists the Python processes",
				"process %d ended meanwhile", pid);
	else if (r == -ETIMEDOUT || r == -EBUSY)
		api_reply_error(l->call, 503,
				"its memory or files may lie in a file system that does not "
				"answer; plopctl ps tells of it",
				"process %d does not let itself be read", pid);
	else
		l->refuse(l, r);
}

static void look_done(void *ctx, int r, struct unpack *body)
{
	struct look *l = ctx;
	struct targets *targets = l->looks->targets;
	struct target *k = targets_find(targets, (uint32_t)l->pid, l->image);
	const char *text = NULL;
	size_t size = 0;
	uint64_t image;

	if (k && r == -ETIMEDOUT)
		target_heard(targets, k, r);
	if (r >= 0 && (sampler_process_image(targets->sampler, (uint32_t)l->pid, &image) < 0 ||
		       image != l->image))
		r = -ESRCH;
	/* whose it is now, whatever it was when this cycle began */
	if (k)
		k->owner_asked = 0;
	if (k && !target_is_visible(k, &l->whom, targets->cycle->number))
		r = -ESRCH;
	if (r >= 0)
		r = l->members(body, &text, &size);
	if (l->call && r >= 0)
		look_answer(l, text, size);
	else if (l->call && r != -ECANCELED)
		look_refuse(l, r);
	look_end(l);
}

static void look_gone(void *ctx)
{
	struct look *l = ctx;

	l->call = NULL;
}

/* The process that is asked for, or NULL after having answered. */
static struct target *look_target(const struct api_request *q, struct looks *looks,
				  const char *what)
{
	const char *text = api_parameter(q, "pid");
	char why[SELECTOR_WHY_MAX];
	pid_t pid;

	snprintf(why, sizeof(why), "%s wants the number of a process: pid=N", what);
	if (!text || process_id_parse(text, &pid, why) < 0) {
		api_reply_error(q->call, 400, "plopctl ps lists the Python processes", "%s", why);
		return NULL;
	}
	return access_find(q, looks->targets, pid);
}

/* Whether there is room for one more; if not, answers the request. */
static bool look_admit(const struct api_request *q, struct looks *looks, uid_t user)
{
	const struct share *share = user == SHARES_NOBODY ? NULL :
							    shares_of(looks->targets->shares, user);
	bool own = share && share->looks >= SHARES_USER_LOOKS;

	if (!own && looks->under_way < LOOKS_MAX)
		return true;
	api_reply_error(q->call, 503, "ask again in a moment",
			"%d looks at processes%s are under way already",
			own ? SHARES_USER_LOOKS : LOOKS_MAX, own ? " of yours" : "");
	return false;
}

struct look *look_begin(const struct api_request *q, struct looks *looks, const char *what,
			struct target **ret_target)
{
	struct target *k = look_target(q, looks, what);
	uid_t user = q->peer.trusted ? SHARES_NOBODY :
				       shares_user(looks->targets->shares, q->peer.uid);
	struct look *l;

	if (!k || !look_admit(q, looks, user))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return NULL;
	}
	look_count(looks, user, 1);
	l->looks = looks;
	l->user = user;
	l->pid = k->info.pid;
	l->image = k->key.image;
	api_limit(&q->peer, &l->whom);
	*ret_target = k;
	return l;
}

void look_ask(const struct api_request *q, struct look *l, enum examiner_op op, struct buf *request)
{
	struct targets *targets = l->looks->targets;
	struct target *k = targets_find(targets, (uint32_t)l->pid, l->image);
	struct examinee who = target_examinee(k);

	who.on_house = q->peer.trusted;
	l->call = api_defer(q, look_gone, l);
	examiner_ask(targets->examiner, op, &who, request, look_done, l);
}
