/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/select.h"

#include "ctl/suggest.h"
#include "http/exchange.h"
#include "util/log.h"

#define KEYS_MAX 16

/* The key that may have been meant, in buffer; NULL: none. */
static const char *key_meant(const char *key, char *buffer, size_t size)
{
	const char *names[KEYS_MAX];
	size_t n = 0;

	snprintf(buffer, size, "%s", selector_keys());
	for (char *at = buffer, *next; at && n < KEYS_MAX; at = next) {
		next = strstr(at, ", ");
		if (next) {
			*next = '\0';
			next += 2;
		}
		names[n++] = at;
	}
	return suggest(key, names, n);
}

int ctl_selector_add(const char *command, struct selectors *s, const char *text)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = strndup(text, strcspn(text, "="));
	int r = key ? selectors_add(s, text) : -ENOMEM;
	char keys[256], value[96], hint[160];
	const char *meant;

	if (r == -ENOMEM) {
		log_error("%s: out of memory", command);
		return CTL_FAILED;
	}
	if (r >= 0)
		return CTL_DONE;
	if (equals && selector_values(key))
		return ctl_usage(command, "%.64s is not %s", text, selector_values(key));
	meant = equals ? key_meant(key, keys, sizeof(keys)) : NULL;
	if (meant) {
		snprintf(value, sizeof(value), "%s%.64s", meant, equals);
		return ctl_usage(command, "%.64s is not a selector%s", text,
				 suggest_text("", value, hint, sizeof(hint)));
	}
	return ctl_usage(command, "%.64s is not a selector: KEY=VALUE, KEY one of %s", text,
			 selector_keys());
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
