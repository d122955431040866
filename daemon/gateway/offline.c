/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/query.h"
#include "gateway/gateway.h"
#include "store/store.h"

/* What can be said without plopd: from plop.db, on the worker. */

#define MAX_WINDOWS 20000

enum question {
	ASK_STATUS,
	ASK_WINDOWS,
	ASK_PROFILE,
};

struct offline_job {
	const struct gateway *gateway;
	enum question question;
	struct api_call *call; /* NULL: the client is gone */
	struct query query;
	char down[256]; /* why plopd cannot be asked */

	/* filled by the worker */
	int r;
	char *error; /* owned */
	json_t *json;
	struct profile *profile;
	struct buf encoded;
};

static int run_status(struct offline_job *j, struct store_reader *reader)
{
	struct store_facts facts = {};
	json_t *store;
	int r = 0;

	if (reader)
		r = store_reader_facts(reader, &facts);
	if (r < 0)
		return r;
	store = json_pack("{s:s, s:I, s:I, s:o}", "path", j->gateway->config->state_dir, "bytes",
			  (json_int_t)facts.bytes, "windows", (json_int_t)facts.windows, "oldest",
			  facts.oldest_ns ? json_real((double)facts.oldest_ns / 1e9) : json_null());
	if (!store)
		return -ENOMEM;
	json_object_set_new(store, "error", j->error ? json_string(j->error) : json_null());
	j->json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "version", PLOP_VERSION, "mode",
			    "offline", "error", j->down, "hint",
			    "on the host: systemctl status plopd", "store", store, "gateway",
			    j->gateway->url);
	return j->json ? 0 : -ENOMEM;
}

static int run_windows(struct offline_job *j, struct store_reader *reader)
{
	json_t *windows;
	int r = store_windows(reader, j->query.from_ns, j->query.to_ns, MAX_WINDOWS, NULL,
			      &windows);

	if (r < 0)
		return r;
	j->json = json_pack("{s:o}", "windows", windows);
	return j->json ? 0 : -ENOMEM;
}

/* Memory for what is merged out of the store for one answer. */
#define MAX_PROFILE_BYTES (24u << 20)

static int run_profile(struct offline_job *j, struct store_reader *reader)
{
	int r;

	store_reader_limit(reader, MAX_PROFILE_BYTES);
	if (streq(j->query.format->name, "json"))
		store_reader_prune(reader);
	r = store_profile(reader, j->query.from_ns, j->query.to_ns, &j->query.selectors,
			  &j->profile);

	if (r == 0)
		r = query_group(&j->query, &j->profile);
	if (r < 0)
		return r;
	j->encoded.limit = API_MAX_ANSWER;
	r = j->query.format->encode(j->profile, &j->encoded);
	if (r != -EFBIG)
		return r;
	/* api_reply() has the words for it */
	j->encoded.error = r;
	return 0;
}

static void run(void *ctx)
{
	struct offline_job *j = ctx;
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;

	/* Anew each time: plopd may have come, written, and gone since. */
	j->r = store_reader_open(j->gateway->config->state_dir, &reader, &j->error);
	if (j->question == ASK_STATUS)
		j->r = run_status(j, j->r < 0 ? NULL : reader);
	else if (j->r >= 0)
		j->r = j->question == ASK_WINDOWS ? run_windows(j, reader) : run_profile(j, reader);
}

static void reply(struct offline_job *j)
{
	if (j->r == -ENOENT || j->r == -EPROTO || j->r == -EACCES)
		api_reply_error(j->call, 503, "on the host: systemctl status plopd", "%s, and %s",
				j->down, j->error ? j->error : "plop.db cannot be read");
	else if (j->r == -E2BIG)
		api_reply_error(j->call, 413,
				"ask for a shorter time, for fewer processes, or for format json",
				"the different stacks of this answer take more than %u MB",
				MAX_PROFILE_BYTES >> 20);
	else if (j->r == -ETIME)
		api_reply_error(j->call, 413, "ask for a shorter time, or for fewer processes",
				"reading plop.db for this answer takes more than %u s",
				(unsigned int)(STORE_READ_NS / NSEC_PER_SEC));
	else if (j->r == -EBADMSG)
		api_reply_error(
			j->call, 503,
			"on the host: systemctl start plopd, which sets it aside and begins "
			"a new one",
			"%s, and plop.db is damaged: %s", j->down,
			j->error ? j->error : "its parts contradict each other");
	else if (j->r < 0)
		api_reply_error(j->call, 500, NULL, "failed to read plop.db: %s",
				j->error ? j->error : strerror(-j->r));
	else if (j->json)
		api_reply_json(j->call, 200, TAKE_PTR(j->json));
	else
		api_reply_encoded(j->call, j->profile, j->query.format, &j->encoded);
}

static void job_free(struct offline_job *j)
{
	query_done(&j->query);
	free(j->error);
	json_decref(j->json);
	profile_free(j->profile);
	buf_free(&j->encoded);
	free(j);
}

static void done(void *ctx)
{
	struct offline_job *j = ctx;

	if (j->call)
		reply(j);
	job_free(j);
}

static void on_gone(void *ctx)
{
	struct offline_job *j = ctx;

	j->call = NULL;
}

static int question_of(const struct api_request *q)
{
	if (!streq(q->method, "GET"))
		return -ENOENT;
	if (streq(q->path, "/v1/status"))
		return ASK_STATUS;
	if (streq(q->path, "/v1/windows"))
		return ASK_WINDOWS;
	return streq(q->path, "/v1/profile") ? ASK_PROFILE : -ENOENT;
}

void gateway_offline(const struct gateway *g, const struct api_request *q, int r)
{
	int question = question_of(q);
	struct query query;
	struct offline_job *j;

	if (question < 0) {
		api_reply_error(q->call, 503, "on the host: systemctl status plopd",
				"plopd does not answer at %s: %s", g->config->socket, strerror(-r));
		return;
	}
	if (api_query(q, &query) < 0)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		query_done(&query);
		api_reply_error(q->call, 500, NULL, "out of memory");
		return;
	}
	j->gateway = g;
	j->question = (enum question)question;
	j->query = query;
	snprintf(j->down, sizeof(j->down), "plopd does not answer at %.128s: %s", g->config->socket,
		 strerror(-r));
	if (worker_submit(g->worker, run, done, j) < 0) {
		job_free(j);
		api_reply_error(q->call, 503, "try again in a moment", "too many requests at once");
		return;
	}
	j->call = api_defer(q, on_gone, j);
}
