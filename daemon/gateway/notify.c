/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/notify.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "http/url.h"
#include "util/clock.h"
#include "util/index.h"
#include "util/log.h"
#include "util/worker.h"

struct notify {
	const struct config *config;
	struct upstream *upstream;
	struct command *command; /* NULL: none is to be run */
	struct worker *worker;
	sd_event_source *timer;
	struct exchange *asking; /* NULL: nothing is being asked */
	uint64_t since_ns;       /* CLOCK_REALTIME: what was found before is not told */
	uint32_t told[NOTIFY_TOLD], ntold;
	atomic_bool ending;
};

/* One comparison that is being told. */
struct telling {
	const struct notify *of;
	char *json; /* owned */
};

static void telling_free(struct telling *t)
{
	free(t->json);
	free(t);
}

/* Runs the command. */
static void run_command(const struct telling *t)
{
	const char *name = command_name(t->of->command);
	int status, r = command_run(t->of->command, t->json, &status);

	if (r == -ETIMEDOUT)
		log_warning("The command of [notify] did not end within %d s, and was killed: %s",
			    COMMAND_LIMIT_S, name);
	else if (r < 0 && !t->of->ending)
		log_warning_r(r, "The command of [notify] cannot be run: %s", name);
	else if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		log_warning("The command of [notify] failed with %s %d: %s",
			    WIFEXITED(status) ? "exit status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), name);
}

/* On the worker. */
static void tell_run(void *ctx)
{
	const struct telling *t = ctx;
	const struct config *config = t->of->config;
	char why[HTTP_URL_WHY];

	if (t->of->command && !t->of->ending)
		run_command(t);
	if (*config->notify_url && !t->of->ending &&
	    http_post(config->notify_url, t->json, NOTIFY_LIMIT_S, why) < 0)
		/* the URL may have a secret in it */
		log_warning("What became slower cannot be posted to the url of [notify]: %s", why);
}

static void tell_done(void *ctx)
{
	telling_free(ctx);
}

static void tell(struct notify *n, const json_t *comparison)
{
	struct telling *t = calloc(1, sizeof(*t));

	if (t) {
		t->of = n;
		t->json = json_dumps(comparison, JSON_COMPACT);
	}
	if (t && t->json && worker_submit(n->worker, tell_run, tell_done, t) == 0)
		return;
	if (t)
		telling_free(t);
	log_warning("Too much became slower at once: not all of it is told by [notify]; plopctl "
		    "regressions lists it");
}

static uint32_t hash_of(const json_t *f)
{
	static const char *const keys[] = { "service", "version", "name", "file" };
	uint32_t hash = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = json_string_value(json_object_get(f, keys[i]));

		if (text)
			hash = index_hash(hash, index_hash_bytes(text, strlen(text)));
	}
	return hash;
}

/* Whether it was told before; from now on it was. */
static bool was_told(struct notify *n, const json_t *f)
{
	uint32_t hash = hash_of(f);

	for (uint32_t i = 0; i < MIN(n->ntold, (uint32_t)NOTIFY_TOLD); i++)
		if (n->told[i] == hash)
			return true;
	n->told[n->ntold++ % NOTIFY_TOLD] = hash;
	return false;
}

/* Tells a comparison with those of its functions that were not told before. */
static void look_at(struct notify *n, json_t *comparison, const json_t *functions)
{
	json_t *of_it = json_array(), *f;
	size_t i;

	json_array_foreach(functions, i, f)
	{
		if (json_equal(json_object_get(f, "service"),
			       json_object_get(comparison, "service")) &&
		    json_equal(json_object_get(f, "version"),
			       json_object_get(comparison, "version")) &&
		    json_equal(json_object_get(f, "time"), json_object_get(comparison, "time")) &&
		    !was_told(n, f))
			json_array_append(of_it, f);
	}
	if (json_array_size(of_it) > 0) {
		json_object_set(comparison, "regressions", of_it);
		tell(n, comparison);
	}
	json_decref(of_it);
}

static void asked(int r, struct upstream_answer *a, void *ctx)
{
	struct notify *n = ctx;
	json_t *answer = NULL, *comparison;
	size_t i;

	n->asking = NULL;
	/* plopd is down, which the heartbeat says; it is asked again */
	if (r >= 0 && a->status == 200 && a->body->size)
		answer = json_loadb(a->body->data, a->body->size, 0, NULL);
	json_array_foreach(json_object_get(answer, "comparisons"), i, comparison)
		look_at(n, comparison, json_object_get(answer, "regressions"));
	json_decref(answer);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	static const struct upstream_callbacks callbacks = { .done = asked };
	struct notify *n = ctx;
	char target[64];
	const struct upstream_request request = { .method = "GET",
						  .target = target,
						  .timeout_s = NOTIFY_EVERY_S };

	snprintf(target, sizeof(target), "/v1/regressions?from=%" PRIu64,
		 n->since_ns / NSEC_PER_SEC);
	if (!n->asking && upstream_start(n->upstream, &request, &callbacks, n, &n->asking) < 0)
		log_debug("Out of memory, plopd is not asked what became slower");
	sd_event_source_set_time_relative(source, NOTIFY_EVERY_S * USEC_PER_SEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

int notify_new(sd_event *loop, const struct config *config, struct upstream *upstream,
	       struct command *command, struct notify **ret)
{
	_cleanup_(notify_freep) struct notify *n = NULL;
	int r;

	if (!command && !*config->notify_url)
		return 0;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->config = config;
	n->upstream = upstream;
	n->command = command;
	n->since_ns = clock_ns(CLOCK_REALTIME);
	r = worker_new(loop, "plop-notify", NOTIFY_WAITING, &n->worker);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &n->timer, CLOCK_MONOTONIC, USEC_PER_SEC,
					       100 * USEC_PER_MSEC, on_timer, n);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(n);
	return 0;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	sd_event_source_disable_unref(n->timer);
	if (n->asking)
		upstream_cancel(n->asking);
	n->ending = true;
	if (n->command)
		command_cancel(n->command);
	worker_free(n->worker);
	free(n);
}
