/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "api/api.h"
#include "config/config.h"
#include "examiner/examiner.h"
#include "plopd/budget.h"
#include "target/shares.h"
#include "util/clock.h"
#include "util/log.h"
#include "window/windows.h"

/* Of the budget this is sampling's, whatever all else takes. */
#define SAMPLING_LEAST 0.25
/* The rate is raised again where what that takes would be within this part of the room. */
#define ROOM_TO_RAISE 0.8
/* Spans that are looked at before anything is decided. */
#define SPANS_LEAST 3

#define TEXT_MAX 256

static double budget_part(const struct budget *b)
{
	return (double)b->config->budget / 1e6;
}

static uint32_t weight_for(double whole, double room, uint32_t most)
{
	double weight = ceil(whole / room);

	return weight <= 1 ? 1 : weight >= most ? most : (uint32_t)weight;
}

uint32_t budget_weight(double sampling, double all, double part, uint32_t weight, uint32_t most)
{
	double room = fmax(part - (all - sampling), part * SAMPLING_LEAST);
	double whole = sampling * weight; /* what sampling takes at the whole rate */
	uint32_t needed;

	if (part <= 0)
		return 1;
	needed = weight_for(whole, room, most);
	if (needed >= weight)
		return needed;
	return MIN(weight, weight_for(whole, room * ROOM_TO_RAISE, most));
}

/* What is to be said of it; false: nothing is. */
static bool budget_say(const struct budget *b, char text[static TEXT_MAX])
{
	double part = budget_part(b), hz = (double)b->config->hz;

	if (b->weight > 1)
		snprintf(text, TEXT_MAX,
			 "plopd took %.3g %% of a CPU, where budget is %.3g %%: it samples at %.4g "
			 "Hz in place of %.4g, and each sample counts for %u",
			 100 * b->took, 100 * part, hz / b->weight, hz, b->weight);
	else if (part > 0 && b->all > part)
		snprintf(text, TEXT_MAX,
			 "plopd takes %.3g %% of a CPU, where budget is %.3g %%, but sampling only "
			 "%.3g %%: it keeps its rate",
			 100 * b->all, 100 * part, 100 * b->sampling);
	else
		return false;
	return true;
}

static void budget_log(struct budget *b, uint32_t before)
{
	char text[TEXT_MAX];
	bool high = b->weight == 1 && budget_say(b, text);

	if (b->weight != before && b->weight > 1 && budget_say(b, text))
		log_warning("%s", text);
	else if (b->weight != before)
		log_info("plopd samples at %llu Hz again", (unsigned long long)b->config->hz);
	else if (high && !b->said)
		log_warning("%s", text);
	b->said = high;
}

/* What is known of the last spans; of the one that runs nothing is. */
static void budget_decide(struct budget *b)
{
	const struct budget_use *from = &b->uses[0], *to = &b->uses[b->nuses - 1];
	double elapsed = (double)(to->at - from->at);
	uint32_t before = b->weight, most = BUDGET_WEIGHT_MOST;

	if (b->nuses <= SPANS_LEAST || elapsed <= 0)
		return;
	b->sampling = (double)(to->sampling - from->sampling) / elapsed;
	/* what is on an account is known some time after it was taken, or before */
	b->all = fmax(b->sampling, ((double)to->all - (double)from->all) / elapsed);
	/* a tick a second at least */
	if (b->config->hz < most)
		most = (uint32_t)b->config->hz;
	b->weight = budget_weight(b->sampling, b->all, budget_part(b), b->weight, most);
	if (b->weight > before)
		b->took = b->all;
	budget_log(b, before);
	/* what was taken at another rate says nothing of this one */
	if (b->weight != before) {
		b->uses[0] = *to;
		b->nuses = 1;
	}
}

void budget_look(struct budget *b, uint64_t now, uint64_t sampling, uint64_t loop_ns)
{
	struct budget_use use = { .at = now, .sampling = sampling };
	struct examiner_facts helpers;

	/* what plopd takes to begin is paid once */
	if (!b->server)
		return;
	if (b->nuses > 0 &&
	    now - b->uses[b->nuses - 1].at < b->config->window_ns / BUDGET_SPANS_A_WINDOW)
		return;
	examiner_facts(b->examiner, &helpers);
	use.all = (sampling - loop_ns) + clock_ns(CLOCK_THREAD_CPUTIME_ID) -
		  api_server_cpu_ns(b->server) + worker_cpu_ns(b->windows->saver) +
		  (uint64_t)(helpers.cpu_seconds * 1e9) - b->shares->spent_ns;
	if (b->nuses == ARRAY_SIZE(b->uses)) {
		memmove(&b->uses[0], &b->uses[1], sizeof(b->uses) - sizeof(b->uses[0]));
		b->nuses--;
	}
	b->uses[b->nuses++] = use;
	budget_decide(b);
}

void budget_put(struct json_writer *to, const char *key, const struct budget *b)
{
	char text[TEXT_MAX];

	json_put_object(to, key);
	json_put_real(to, "percent", 100 * budget_part(b));
	json_put_real(to, "taken_percent", 100 * b->all);
	json_put_real(to, "sampling_percent", 100 * b->sampling);
	json_put_uint(to, "sample_counts", b->weight);
	json_put_string(to, "note", budget_say(b, text) ? text : NULL);
	json_put_end(to);
}
