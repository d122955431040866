/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/select.h"

#include <inttypes.h>

#include "http/exchange.h"
#include "profile/selector_text.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/suggest.h"
#include "util/when.h"

int ctl_selector_add(const char *command, struct selectors *s, const char *text)
{
	char why[SELECTOR_WHY_MAX];
	int r = selectors_parse(s, text, NULL, why);

	if (r == -EINVAL)
		return ctl_usage(command, "%s", why);
	if (r >= 0)
		return CTL_DONE;
	log_error("%s: out of memory", command);
	return CTL_FAILED;
}

int ctl_pid(const char *command, const char *text, pid_t *ret)
{
	char why[SELECTOR_WHY_MAX];

	return process_id_parse(text, ret, why) < 0 ? ctl_usage(command, "%s", why) : CTL_DONE;
}

int ctl_cgroup_name(const char *command, const char *name, bool unit)
{
	char why[SELECTOR_WHY_MAX];

	return cgroup_name_parse(name, unit, why) < 0 ? ctl_usage(command, "%s", why) : CTL_DONE;
}

void ctl_selectors_query(const struct selectors *s, bool processes, bool samples, struct buf *b)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!(selector_is_of_process(s->items[i].key) ? processes : samples))
			continue;
		buf_printf(b, "&%s=", s->items[i].key);
		http_escape(b, s->items[i].value);
	}
}

char *ctl_selectors_text(const struct selectors *s)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s=%s", i ? " " : "", s->items[i].key, s->items[i].value);
	return buf_string(&b);
}

bool ctl_selected(const struct selectors *s, const json_t *process)
{
	/* what is missing of one that is not profiled is not known, which is "" */
	struct profile_process p = {
		.info = {
			.pid = (pid_t)json_number_at(process, "pid"),
			.comm = (char *)json_string_at(process, "comm"),
			.exe = (char *)json_string_at(process, "exe"),
			.cmdline = (char *)json_string_at(process, "cmdline"),
			.cgroup = (char *)json_string_at(process, "cgroup"),
			.unit = (char *)json_string_at(process, "unit"),
			.container = (char *)json_string_at(process, "container"),
			.service = (char *)json_string_at(process, "service"),
			.version = (char *)json_string_at(process, "version"),
		},
	};
	struct selectors of_processes = { .items = calloc(s->n + 1, sizeof(*s->items)) };
	bool match;

	if (!of_processes.items)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (selector_is_of_process(s->items[i].key))
			of_processes.items[of_processes.n++] = s->items[i];
	}
	match = selectors_match_process(&of_processes, &p);
	free(of_processes.items);
	return match;
}

static int time_of(const char *command, const char *text, uint64_t now, bool last, uint64_t *ret)
{
	if (when_parse(text, now, last, ret) < 0)
		return ctl_usage(command, "%.64s is not a time; it is one of: %s", text,
				 when_forms());
	return CTL_DONE;
}

int ctl_times_query(const char *command, const char *since, const char *until, struct buf *b)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), from = 0, to = UINT64_MAX;
	bool bound = until && strcasecmp(until, "now") != 0;
	int r = since ? time_of(command, since, now, false, &from) : CTL_DONE;

	if (r == CTL_DONE && until)
		r = time_of(command, until, now, true, &to);
	if (r != CTL_DONE)
		return r;
	if (from >= to)
		return ctl_usage(command, "--since %.64s is not before --until %.64s", since,
				 until);
	buf_printf(b, "from=%" PRIu64 ".%09" PRIu64, from / NSEC_PER_SEC, from % NSEC_PER_SEC);
	if (bound)
		buf_printf(b, "&to=%" PRIu64 ".%09" PRIu64, to / NSEC_PER_SEC, to % NSEC_PER_SEC);
	return CTL_DONE;
}

#define VALUES_MOST 1000

/* Of what the store has. */
static void tell_value(const struct ctl *ctl, const char *option, const struct selector *s)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	const char *values[VALUES_MOST], *near;
	const json_t *v;
	json_t *answer;
	size_t i, n = 0;

	if (!selector_is_of_process(s->key) ||
	    asprintf(&path, "/v1/labels/%s?from=0", s->key) < 0 ||
	    ctl_exchange(ctl, "GET", path, NULL, 60, &a) < 0 || a.status != 200)
		return;
	answer = json_loadb(a.body.data, a.body.size, 0, NULL);
	json_array_foreach(json_object_get(answer, "values"), i,
			   v) if (n < VALUES_MOST && *json_string_at(v, "value"))
		values[n++] = json_string_at(v, "value");
	near = suggest(s->value, values, n);
	for (i = 0; i < n && !near; i++) {
		if (streq(values[i], s->value))
			goto done;
	}
	if (near)
		log_error("try: %s%s=%s, which is near", option, s->key, near);
	else if (n > 0)
		log_error("try: %s%s=%s, which there is", option, s->key, values[0]);
done:
	json_decref(answer);
}

void ctl_tell_nearest(const struct ctl *ctl, const char *option, const struct selectors *s)
{
	for (size_t i = 0; i < s->n; i++)
		tell_value(ctl, option, &s->items[i]);
}

int ctl_tell_no_samples(const struct ctl *ctl, const char *command, const struct selectors *s)
{
	_cleanup_free_ char *text = ctl_selectors_text(s);

	log_error("%s: there are no samples of %s in that time", command, text ? text : "");
	ctl_tell_nearest(ctl, "", s);
	return CTL_NO_TARGET;
}
