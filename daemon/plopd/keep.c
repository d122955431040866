/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/keep.h"
#include "plopd/access.h"
#include "record/recording_json.h"
#include "store/recordings.h"
#include "target/shares.h"
#include "util/log.h"
#include "window/store_task.h"

/* Of the text that says whom it is of. */
#define TARGET_MAX 256

/* One that is being saved. */
struct keeping {
	struct store_task task; /* first */
	struct recording *recording;
	const struct profile *profile; /* its, lent */
	char *facts;                   /* owned */
	unsigned int gone;             /* others of the same user's, for it */
	struct store_recording row;
};

static int keeping_run(struct store_task *t, struct store *s)
{
	struct keeping *k = (struct keeping *)t;

	return store_add_recording(s, &k->row, k->profile, &k->gone);
}

/* Why it is not kept: a sentence; owned by the caller. */
static char *why_not(const struct keeping *k, const struct config *config)
{
	bool user = k->row.user != STORE_TRUSTED;
	uint64_t most = config->max_store / RECORDINGS_PART / (user ? RECORDINGS_USER_PART : 1);
	char *text = NULL;
	int n;

	if (k->task.result == -E2BIG)
		n = asprintf(
			&text,
			"it is larger than one may be: 24 MB of memory, or %llu MB of plop.db, "
			"a part of max_store",
			(unsigned long long)MIN(most >> 20, UINT64_C(8)));
	else if (k->task.result == -EDQUOT)
		n = asprintf(&text, "those of other users fill what plop.db has for recordings");
	else if (k->task.result == -ENOSPC)
		n = asprintf(&text, "the disk of %s is full", config->state_dir);
	else
		n = asprintf(&text, "plop.db cannot be written: %s",
			     k->task.error ? k->task.error : strerror(-k->task.result));
	return n < 0 ? NULL : text;
}

static void keeping_done(struct store_task *t)
{
	struct keeping *k = (struct keeping *)t;
	struct recording *recording = k->recording;
	_cleanup_free_ char *why = NULL;
	bool dropped = recording->dropped;

	if (t->result < 0) {
		why = why_not(k, t->windows->config);
		log_warning("Recording %s is not kept: %s", recording->id, why ? why : "");
	}
	if (k->gone && recording->user != SHARES_NOBODY)
		shares_count(recording->all->targets->shares, recording->user, SHARE_KEPT_DROPPED,
			     k->gone);
	recording_give_back(recording);
	if (!dropped && t->result == 0)
		recording_kept(recording, NULL);
	else if (!dropped)
		recording_kept(recording, why ? TAKE_PTR(why) : strdup("out of memory"));
	free(k->facts);
	free(k);
}

static struct keeping *keeping_new(struct recording *recording)
{
	_cleanup_buf_ struct buf facts = {};
	struct json_writer w = json_writer_on(&facts);
	struct keeping *k = calloc(1, sizeof(*k));

	recording_put_kept(&w, recording);
	if (k && json_writer_done(&w) == 0)
		k->facts = buf_string(&facts);
	if (!k || !k->facts) {
		free(k);
		return NULL;
	}
	k->task.run = keeping_run;
	k->task.done = keeping_done;
	k->recording = recording;
	k->profile = recording_lend(recording);
	k->row = (struct store_recording){
		.ident = recording->id,
		.name = recording->name,
		.uid = recording->maker,
		.user = recording->user == SHARES_NOBODY ? STORE_TRUSTED : recording->user,
		.start_ns = k->profile->start_ns,
		.end_ns = k->profile->end_ns,
		.samples = k->profile->samples_total,
		.labels = &k->profile->labels,
		.facts = k->facts,
	};
	return k;
}

static bool keep_begin(struct recording *recording, void *ctx)
{
	struct keep *all = ctx;
	struct keeping *k = keeping_new(recording);
	int r = k ? store_task_submit(all->windows, &k->task, false) : -ENOMEM;

	if (r == 0)
		return true;
	log_warning_r(r, "Recording %s is not kept", recording->id);
	recording->not_kept = strdup(r == -EAGAIN ? "the disk is too slow: too many wait for it" :
						    "out of memory");
	if (k) {
		recording_give_back(recording);
		free(k->facts);
		free(k);
	}
	return false;
}

void keep_init(struct keep *k, struct windows *windows, struct recordings *recordings)
{
	*k = (struct keep){ windows, recordings };
	recordings->keep = keep_begin;
	recordings->keep_ctx = k;
}

/* "pid=1,2 service=shop": whom it is of, as it was asked for; it is cut where it is long. */
static void put_value(struct buf *to, const char *key, const json_t *value)
{
	const json_t *one;
	size_t i;

	if (json_is_string(value)) {
		buf_printf(to, "%s%s=%.128s", to->size ? " " : "", key, json_string_value(value));
	} else if (json_is_integer(value)) {
		buf_printf(to, "%s%s=%" JSON_INTEGER_FORMAT, to->size ? " " : "", key,
			   json_integer_value(value));
	} else if (json_is_array(value)) {
		buf_printf(to, "%s%s=", to->size ? " " : "", key);
		json_array_foreach(value, i, one) if (to->size < TARGET_MAX) buf_printf(
			to, "%s%" JSON_INTEGER_FORMAT, i ? "," : "", json_integer_value(one));
	}
}

static char *target_of(const json_t *body)
{
	static const char *const kinds[] = { "pid", "tree", "cgroup", "unit" };
	const json_t *selectors = json_object_get(body, "selectors"), *one;
	_cleanup_buf_ struct buf b = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		put_value(&b, kinds[i], json_object_get(body, kinds[i]));
	json_array_foreach(selectors, i, one)
	{
		if (json_is_string(one) && b.size < TARGET_MAX)
			buf_printf(&b, "%s%.128s", b.size ? " " : "", json_string_value(one));
	}
	if (!b.size)
		buf_puts(&b, "all");
	return buf_string(&b);
}

int keep_take(const struct api_request *q, json_t *body, struct recording_request *ret)
{
	json_t *value = json_object_get(body, "name");
	const char *name = json_string_value(value);

	ret->maker = q->peer.uid;
	ret->target = target_of(body);
	if (!ret->target) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return -ENOMEM;
	}
	if (!value || json_is_null(value))
		return 0;
	if (*q->peer.scope.service) {
		api_reply_error(q->call, 403, "record it without a name, and fetch its result",
				"what a token of one service records is not kept");
		return -EACCES;
	}
	if (!name || !*name || strlen(name) > RECORDING_NAME_MAX || !label_value_valid(name)) {
		api_reply_error(q->call, 400, NULL,
				"\"name\" must have 1 to %d bytes of UTF-8 without control "
				"characters",
				RECORDING_NAME_MAX);
		return -EINVAL;
	}
	ret->name = strdup(name);
	if (ret->name)
		return 0;
	api_reply_error(q->call, 500, NULL, "out of memory");
	return -ENOMEM;
}

/* One that is to go. */
struct removal {
	struct store_task task; /* first */
	struct api_call *call;  /* NULL: the client went away */
	struct selectors see;
	char ident[RECORDING_ID_MAX + 1];
};

static int removal_run(struct store_task *t, struct store *s)
{
	const struct removal *k = (const struct removal *)t;

	return store_remove_recording(s, k->ident, &k->see);
}

static void removal_answer(const struct removal *k)
{
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	json_put_object(&w, NULL);
	json_put_string(&w, "id", k->ident);
	json_put_bool(&w, "removed", true);
	json_put_end(&w);
	api_reply_writer(k->call, 200, &w);
}

static void no_such(struct api_call *call)
{
	api_reply_error(call, 404,
			"one that has a name is kept, and plopctl recordings lists them; results "
			"of others are kept for five minutes",
			"there is no such recording");
}

static void removal_done(struct store_task *t)
{
	struct removal *k = (struct removal *)t;

	if (k->call && t->result == 0)
		removal_answer(k);
	else if (k->call && t->result == -ENOENT)
		no_such(k->call);
	else if (k->call)
		api_reply_error(k->call, t->result == -ENOSPC || t->result == -EAGAIN ? 503 : 500,
				"see plopctl status", "plop.db cannot be written: %s",
				t->error ? t->error : strerror(-t->result));
	free(k);
}

static void removal_gone(void *ctx)
{
	struct removal *k = ctx;

	k->call = NULL;
}

void keep_remove(struct keep *all, const struct api_request *q, const char *ident)
{
	struct removal *k = NULL;
	int r;

	if (strlen(ident) > RECORDING_ID_MAX) {
		no_such(q->call);
		return;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	k->task.run = removal_run;
	k->task.done = removal_done;
	api_limit(&q->peer, &k->see);
	strcpy(k->ident, ident);
	r = store_task_submit(all->windows, &k->task, true);
	if (r == 0) {
		k->call = api_defer(q, removal_gone, k);
		return;
	}
	free(k);
	api_reply_error(q->call, 503, "try again in a moment",
			"too much waits to be written to plop.db");
}
