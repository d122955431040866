/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/api.h"
#include "util/log.h"
#include "util/worker.h"

/* A profile that a worker writes in its format, so that a large one holds nobody else up. */
struct encode_job {
	struct api_call *call; /* the loop's; NULL: the client went away */
	struct profile *profile;
	struct api_profile_maker maker; /* of it */
	const struct format *format;
	struct buf body;
	int r;
};

static void job_free(struct encode_job *j)
{
	profile_free(j->profile);
	j->maker.done(j->maker.ctx);
	buf_free(&j->body);
	free(j);
}

static void job_run(void *ctx)
{
	struct encode_job *j = ctx;

	j->r = j->maker.make(j->maker.ctx, &j->profile);
	if (j->r >= 0)
		j->r = j->maker.encode ? j->maker.encode(j->maker.ctx, j->profile, &j->body) :
					 j->format->encode(j->profile, &j->body);
}

static void job_done(void *ctx)
{
	struct encode_job *j = ctx;

	if (j->call && !j->profile)
		api_reply_error(j->call, 500, NULL, "cannot make the profile: %s", strerror(-j->r));
	else if (j->call)
		api_reply_written(j->call, j->profile, j->format, j->r, &j->body);
	job_free(j);
}

static void job_gone(void *ctx)
{
	struct encode_job *j = ctx;

	j->call = NULL;
}

/* begun: what was asked for is here, and is not thrown away because others ask for much. */
static int job_submit(struct encode_job *j, bool begun, struct worker *w)
{
	int r;

	j->body.limit = api_answer_max(j->call);
	r = begun ? worker_continue(w, job_run, job_done, j) :
		    worker_submit(w, job_run, job_done, j);
	if (r >= 0)
		api_defer_call(j->call, job_gone, j);
	return r;
}

int api_reply_profile_made(struct api_call *c, const struct api_profile_maker *maker,
			   const struct format *f, struct worker *w)
{
	struct encode_job *j = calloc(1, sizeof(*j));
	int r = j ? 0 : -ENOMEM;

	if (j) {
		*j = (struct encode_job){ .call = c, .maker = *maker, .format = f };
		r = job_submit(j, maker->begun, w);
	}
	if (r >= 0)
		return 0;
	if (j)
		job_free(j);
	else
		maker->done(maker->ctx);
	api_reply_error(c, 503, "try again", "too many profiles are being written");
	return -EAGAIN;
}
