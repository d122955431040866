/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/kept.h"

#include "util/log.h"
#include "util/suggest.h"

int ctl_kept_list(const struct ctl *ctl, const char *command, const char *query, json_t **ret)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "/v1/recordings%s", query) < 0) {
		path = NULL;
		log_error("%s: out of memory", command);
		return CTL_FAILED;
	}
	r = ctl_request(ctl, command, "GET", path, NULL, 60, &a);
	if (r != CTL_DONE)
		return r;
	*ret = ctl_answer_json(&a, command);
	return *ret ? CTL_DONE : CTL_FAILED;
}

/* Says that there is none, and which may have been meant. */
static void tell_none(const json_t *all, const char *command, const char *which)
{
	size_t n = json_array_size(all), i;
	const char **names = calloc(n + 1, sizeof(*names));
	const json_t *one;
	char hint[192];

	for (i = 0; names && i < n; i++) {
		one = json_array_get(all, i);
		names[i] = json_string_at(one, "name");
	}
	log_error("%s: there is no recording %.128s%s", command, which,
		  suggest_text("", names ? suggest(which, names, n) : NULL, hint, sizeof(hint)));
	log_error("try: plopctl recordings, which lists them");
	free(names);
}

const json_t *ctl_kept_find(const json_t *list, const char *command, const char *which,
			    unsigned int *ret_of_name)
{
	const json_t *all = json_object_get(list, "recordings"), *one, *newest = NULL;
	unsigned int n = 0;
	size_t i;

	json_array_foreach(all, i, one)
	{
		if (streq(json_string_at(one, "id"), which)) {
			*ret_of_name = 1;
			return one;
		}
		if (!*which || !streq(json_string_at(one, "name"), which))
			continue;
		newest = newest ? newest : one;
		n++;
	}
	if (newest)
		*ret_of_name = n;
	else
		tell_none(all, command, which);
	return newest;
}

char *ctl_kept_path(const json_t *recording, const char *command)
{
	const char *id = json_string_at(recording, "id");
	char *path = NULL;

	if (!*id || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(id))
		log_error("%s: plopd did not say the recording's id", command);
	else if (asprintf(&path, "/v1/recordings/%s", id) < 0)
		path = NULL;
	return path;
}

int ctl_kept_fetch(const struct ctl *ctl, const char *command, const char *which, struct buf *to)
{
	_cleanup_answer_ struct ctl_answer a = {};
	_cleanup_free_ char *path = NULL, *of = NULL;
	const json_t *one;
	json_t *list = NULL;
	unsigned int n;
	int r = ctl_kept_list(ctl, command, "", &list);

	if (r != CTL_DONE)
		return r;
	one = ctl_kept_find(list, command, which, &n);
	r = one ? CTL_FAILED : CTL_NO_TARGET;
	path = one ? ctl_kept_path(one, command) : NULL;
	json_decref(list);
	if (!path)
		return r;
	if (asprintf(&of, "%s?format=pprof", path) < 0) {
		of = NULL;
		return CTL_FAILED;
	}
	r = ctl_request(ctl, command, "GET", of, NULL, 300, &a);
	if (r == CTL_DONE)
		buf_append(to, a.body.data, a.body.size);
	return r;
}
