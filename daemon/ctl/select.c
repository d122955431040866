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

/* last: the later one, where clocks show it twice. An exit status. */
static int time_of(const char *command, const char *option, const char *text, uint64_t now,
		   bool last, uint64_t *ret)
{
	int r = when_parse(text, now, last, ret);

	if (r == -ERANGE)
		return ctl_usage(command, "%s %.64s is not between 1970 and 2554", option, text);
	if (r < 0)
		return ctl_usage(command, "%s %.64s is not a time; it is one of: %s", option, text,
				 when_forms());
	return CTL_DONE;
}

int ctl_times(const char *command, const char *since, const char *until, char **ret)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), from = 0, to = UINT64_MAX;
	bool bound = until && strcasecmp(until, "now") != 0;
	_cleanup_buf_ struct buf b = {};
	char times[2][32];
	int r = since ? time_of(command, "--since", since, now, false, &from) : CTL_DONE;

	if (r == CTL_DONE && until)
		r = time_of(command, "--until", until, now, true, &to);
	if (r != CTL_DONE)
		return r;
	if (from >= to)
		return ctl_usage(command, "--since %.64s (%s) is not before --until %.64s (%s)",
				 since ? since : "",
				 text_time((double)from / 1e9, times[0], sizeof(times[0])), until,
				 text_time((double)to / 1e9, times[1], sizeof(times[1])));
	buf_printf(&b, "from=%" PRIu64 ".%09" PRIu64, from / NSEC_PER_SEC, from % NSEC_PER_SEC);
	/* until now is until the end of the running window: without a bound */
	if (bound)
		buf_printf(&b, "&to=%" PRIu64 ".%09" PRIu64, to / NSEC_PER_SEC, to % NSEC_PER_SEC);
	*ret = buf_string(&b);
	if (*ret)
		return CTL_DONE;
	log_error("%s: out of memory", command);
	return CTL_FAILED;
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
	for (i = 0; i < n && !streq(values[i], s->value);)
		i++;
	near = suggest(s->value, values, n);
	/* it is not this one that there is not */
	if (near && i == n)
		log_error("try: %s%s=%s, which is near", option, s->key, near);
	else if (n > 0 && i == n)
		log_error("try: %s%s=%s, which there is", option, s->key, values[0]);
	json_decref(answer);
}

/* Whether a key is of what recordings alone have. */
static bool is_of_recordings(const char *key)
{
	return strncmp(key, "label.", 6) == 0 || streq(key, "thread_name") || streq(key, "state");
}

static void tell_nearest(const struct ctl *ctl, const char *option, const struct selectors *s)
{
	bool of_recordings = false;

	for (size_t i = 0; i < s->n; i++) {
		tell_value(ctl, option, &s->items[i]);
		of_recordings |= is_of_recordings(s->items[i].key);
	}
	if (of_recordings)
		log_error("try: plopctl record --group-by thread_name; thread_name, label.NAME "
			  "and states but running are of recordings alone");
}

int ctl_have_samples(const struct ctl *ctl, const char *command, const char *times,
		     const struct selectors *s, bool *ret)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *path = NULL;
	json_t *answer;
	int r;

	/* every process has one, if it is "" */
	buf_printf(&b, "/v1/labels/comm?%s", times);
	ctl_selectors_query(s, true, false, &b);
	path = buf_string(&b);
	if (!path) {
		log_error("%s: out of memory", command);
		return CTL_FAILED;
	}
	r = ctl_request(ctl, command, "GET", path, NULL, 300, &a);
	if (r != CTL_DONE)
		return r;
	answer = ctl_answer_json(&a, command);
	if (!answer)
		return CTL_FAILED;
	*ret = json_array_size(json_object_get(answer, "values")) > 0;
	json_decref(answer);
	return CTL_DONE;
}

int ctl_tell_no_samples(const struct ctl *ctl, const char *command, const char *option,
			const char *times, const struct selectors *s)
{
	static const struct selectors all;
	_cleanup_free_ char *text = NULL;
	bool any;
	int r = ctl_have_samples(ctl, command, times, &all, &any);

	if (r != CTL_DONE || !any)
		return r;
	text = ctl_selectors_text(s);
	log_error("%s: there are no samples of %s%s in that time", command, option,
		  text ? text : "");
	tell_nearest(ctl, option, s);
	return CTL_NO_TARGET;
}
