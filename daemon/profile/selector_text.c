/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/selector_text.h"
#include "util/parse.h"
#include "util/suggest.h"
#include "util/utf8.h"

/* Words that one may have been meant of. */
#define NAMES_MAX 32

_printf_(2, 3) static int refuse(char why[SELECTOR_WHY_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, SELECTOR_WHY_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int id_parse(const char *text, const char *whose, uint64_t *ret, char why[SELECTOR_WHY_MAX])
{
	if (parse_u64(text, 1, PROCESS_ID_MAX, ret) >= 0)
		return 0;
	return refuse(why, "\"%.64s\" is not a %s id, a number from 1 to %d", text, whose,
		      PROCESS_ID_MAX);
}

int process_id_parse(const char *text, pid_t *ret, char why[SELECTOR_WHY_MAX])
{
	uint64_t id;
	int r = id_parse(text, "process", &id, why);

	if (r >= 0)
		*ret = (pid_t)id;
	return r;
}

/* The key that may have been meant, in buffer, or one of others; NULL: none. */
static const char *key_meant(const char *key, const struct selector_words *others, char *buffer,
			     size_t size)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	snprintf(buffer, size, "%s", selector_keys());
	for (char *at = buffer, *next; at && n < NAMES_MAX; at = next) {
		next = strstr(at, ", ");
		if (next) {
			*next = '\0';
			next += 2;
		}
		names[n++] = at;
	}
	for (size_t i = 0; others && i < others->n && n < NAMES_MAX; i++)
		names[n++] = others->names[i];
	return suggest(key, names, n);
}

static int key_refuse(const char *key, const char *text, const struct selector_words *others,
		      char why[SELECTOR_WHY_MAX])
{
	const char *equals = strchr(text, '=');
	char keys[256], value[96], hint[160];
	const char *meant = equals ? key_meant(key, others, keys, sizeof(keys)) : NULL;

	if (!meant)
		return refuse(why, "\"%.64s\" is not a selector: KEY=VALUE, KEY one of %s", text,
			      selector_keys());
	snprintf(value, sizeof(value), "%s%.64s", meant, equals);
	return refuse(why, "\"%.64s\" is not a selector%s", text,
		      suggest_text("", value, hint, sizeof(hint)));
}

int selectors_parse(struct selectors *s, const char *text, const struct selector_words *others,
		    char why[SELECTOR_WHY_MAX])
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = strndup(text, strcspn(text, "="));
	uint64_t id;
	int r;

	/* all names that plop keeps are, so this would be no selector of any */
	if (!utf8_is_valid(text))
		return refuse(why,
			      "\"%.64s\" is not UTF-8; what is not, in a name, is shown and asked "
			      "for as U+FFFD",
			      text);
	r = key ? selectors_add(s, text) : -ENOMEM;
	if (r != -EINVAL)
		return r;
	if (equals && (streq(key, "pid") || streq(key, "thread")))
		return id_parse(equals + 1, streq(key, "pid") ? "process" : "thread", &id, why);
	if (equals && selector_values(key))
		return refuse(why, "\"%.64s\" is not %s", text, selector_values(key));
	return key_refuse(key, text, others, why);
}

int group_keys_parse(const char *keys, char why[SELECTOR_WHY_MAX])
{
	int r = group_keys_check(keys);

	if (r == -EINVAL)
		refuse(why, "\"%.64s\" is not 1 to %d different keys, separated by commas, of %s",
		       keys, GROUP_KEYS_MAX, selector_keys());
	return r;
}

int cgroup_name_parse(const char *name, bool unit, char why[SELECTOR_WHY_MAX])
{
	if (*name)
		return 0;
	return refuse(why, "\"\" is not the %s",
		      unit ? "name of a systemd unit" : "path of a control group");
}
