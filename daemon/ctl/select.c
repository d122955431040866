/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/select.h"

#include "http/exchange.h"
#include "profile/selector_text.h"
#include "util/log.h"

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
