/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/rate_watch.h"
#include "sampler/sampler.h"
#include "util/log.h"

static bool rate_say(const struct rate_watch *w, char text[static THROTTLING_TEXT_MAX])
{
	return throttling_say((unsigned int)w->config->hz, w->most_hz, w->part, text);
}

static void rate_log(struct rate_watch *w)
{
	char text[THROTTLING_TEXT_MAX];
	bool wrong = rate_say(w, text);

	if (wrong && !w->said)
		log_warning("%s", text);
	else if (!wrong && w->said)
		log_info("the kernel lets through all ticks again");
	w->said = wrong;
}

void rate_watch_look(struct rate_watch *w)
{
	uint64_t window_ns = w->windows->running ? sink_profile(w->windows->running)->start_ns : 0;
	struct throttling now;

	if (window_ns == w->window_ns && w->most_hz)
		return;
	sampler_throttling(w->sampler, PLOP_CHANNEL_ALWAYS, &now);
	/* nothing of events that have just been opened: they count from a moment later on */
	w->part = w->before.running_ns ? throttling_part(&now, &w->before) : 0;
	w->most_hz = throttling_most();
	w->before = now;
	w->window_ns = window_ns;
	rate_log(w);
}

void rate_watch_put(struct json_writer *to, const char *key, const struct rate_watch *w)
{
	char text[THROTTLING_TEXT_MAX];

	json_put_object(to, key);
	json_put_uint(to, "max_hz", w->most_hz);
	json_put_real(to, "throttled_percent", 100 * w->part);
	json_put_string(to, "note", rate_say(w, text) ? text : NULL);
	json_put_end(to);
}
