/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/query.h"
#include "format/by_line.h"
#include "profile/selector_text.h"
#include "util/clock.h"
#include "util/parse.h"

void query_done(struct query *q)
{
	selectors_done(&q->selectors);
	free(q->group_by);
	free(q->function);
	free(q->file);
	free(q->name);
	free(q->recording);
	free(q->label);
	free(q->address);
	q->group_by = q->function = q->file = q->name = q->recording = q->label = NULL;
	q->address = NULL;
}

int query_group(const struct query *q, struct profile **p)
{
	struct profile *grouped;
	int r;

	if (!q->group_by)
		return 0;
	r = profile_group(*p, q->group_by, &grouped);
	if (r < 0)
		return r;
	profile_free(*p);
	*p = grouped;
	return 0;
}

int query_view(const struct query *q, const struct profile *p, struct profile **ret)
{
	_cleanup_(profile_freep) struct profile *view = NULL;
	int r = profile_select(p, &q->selectors, &view);

	if (r < 0)
		return r;
	selectors_tally(&q->selectors, view);
	r = query_group(q, &view);
	if (r == 0)
		*ret = TAKE_PTR(view);
	return r;
}

int query_encode(const struct query *q, const struct profile *p, struct buf *out)
{
	if (q->function || q->file)
		return by_line_encode(p, q->function, q->file, out);
	return q->format->encode(p, out);
}

/* The parameters that are no selectors. */
static const char *const names[] = { "from",     "to",   "format", "seconds", "group_by",
				     "function", "file", "name",   "deltas",  "recording",
				     "step",     "last", "address" };
#define NAMES_HINT                                                                          \
	"besides selectors there are from, to, format, seconds, group_by, function, file, " \
	"name, deltas, recording, step, last and address"

/* The last one counts. */
static int take_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static int take_group(struct query *q, const char *keys, struct refusal *ret)
{
	char why[SELECTOR_WHY_MAX];
	int r = group_keys_parse(keys, why);

	if (r == -EINVAL)
		refusal_say(ret, 400, NULL, "%s", why);
	if (r < 0)
		return r;
	return take_text(&q->group_by, keys);
}

static int add_selector(struct query *q, const struct query_parameter *p, struct refusal *ret)
{
	const struct selector_words others = { names, ARRAY_SIZE(names) };
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;
	char why[SELECTOR_WHY_MAX];
	int r;

	buf_printf(&b, "%s=%s", p->key, p->value);
	text = buf_string(&b);
	if (!text)
		return -ENOMEM;
	r = selectors_parse(&q->selectors, text, &others, why);
	if (r == -EINVAL)
		refusal_say(ret, 400, selector_key_known(p->key) ? NULL : NAMES_HINT, "%s", why);
	return r;
}

static int take(struct query *q, const struct query_parameter *p, struct refusal *ret)
{
	uint64_t v;

	if (streq(p->key, "from") || streq(p->key, "to")) {
		bool from = streq(p->key, "from");

		if (parse_unix_seconds(p->value, &v) < 0) {
			refusal_say(ret, 400, NULL, "%s=%.64s is not a time in Unix seconds",
				    p->key, p->value);
			return -EINVAL;
		}
		*(from ? &q->from_ns : &q->to_ns) = v;
		*(from ? &q->has_from : &q->has_to) = true;
	} else if (streq(p->key, "seconds")) {
		if (parse_u64(p->value, 1, QUERY_MAX_SECONDS, &v) < 0) {
			refusal_say(ret, 400, NULL, "seconds=%.64s is not a number from 1 to %d",
				    p->value, QUERY_MAX_SECONDS);
			return -EINVAL;
		}
		q->seconds = (unsigned int)v;
	} else if (streq(p->key, "last")) {
		if (parse_u64(p->value, 1, QUERY_MAX_LAST, &v) < 0) {
			refusal_say(ret, 400, NULL, "last=%.64s is not a number from 1 to %d",
				    p->value, QUERY_MAX_LAST);
			return -EINVAL;
		}
		q->last = (unsigned int)v;
	} else if (streq(p->key, "step")) {
		if (parse_u64(p->value, 1, QUERY_MAX_STEP, &v) < 0) {
			refusal_say(ret, 400, NULL, "step=%.64s is not a number from 1 to %d",
				    p->value, QUERY_MAX_STEP);
			return -EINVAL;
		}
		q->step_ns = v * NSEC_PER_SEC;
	} else if (streq(p->key, "format")) {
		q->format = format_find(p->value);
		if (!q->format) {
			refusal_say(ret, 400, NULL, "unknown format \"%.64s\"; known are %s",
				    p->value, format_names());
			return -EINVAL;
		}
	} else if (streq(p->key, "deltas")) {
		if (!streq(p->value, "true") && !streq(p->value, "false")) {
			refusal_say(ret, 400, NULL, "deltas=%.64s is neither true nor false",
				    p->value);
			return -EINVAL;
		}
		q->deltas = streq(p->value, "true");
	} else if (streq(p->key, "group_by")) {
		return take_group(q, p->value, ret);
	} else if (streq(p->key, "function")) {
		return take_text(&q->function, p->value);
	} else if (streq(p->key, "file")) {
		return take_text(&q->file, p->value);
	} else if (streq(p->key, "name")) {
		return take_text(&q->name, p->value);
	} else if (streq(p->key, "recording")) {
		return take_text(&q->recording, p->value);
	} else if (streq(p->key, "address")) {
		return take_text(&q->address, p->value);
	} else if (streq(p->key, "request") && selector_key_known("host")) {
		if (query_set_request(q, p->value) < 0) {
			refusal_say(ret, 400, NULL, "request=%.64s is not 16 hexadecimal digits",
				    p->value);
			return -EINVAL;
		}
	} else {
		return add_selector(q, p, ret);
	}
	return 0;
}

int query_parse(const struct query_parameter *parameters, size_t n, uint64_t now_ns,
		struct query *ret, struct refusal *ret_why)
{
	_cleanup_query_ struct query q = { .seconds = 30, .format = format_find("json") };
	int r;

	for (size_t i = 0; i < n; i++) {
		/* The gateway's, see its authorize(). */
		if (streq(parameters[i].key, "token"))
			continue;
		r = take(&q, &parameters[i], ret_why);
		if (r < 0)
			return r;
	}
	if (!q.has_to)
		q.to_ns = MAX(now_ns, q.has_from ? q.from_ns + 1 : 1);
	if (!q.has_from)
		q.from_ns = q.to_ns > QUERY_RANGE_NS ? q.to_ns - QUERY_RANGE_NS : 0;
	if (q.from_ns >= q.to_ns) {
		refusal_say(ret_why, 400, NULL, "from must be before to");
		return -EINVAL;
	}
	*ret = q;
	q.selectors = (struct selectors){};
	q.group_by = q.function = q.file = q.name = q.recording = q.address = NULL;
	return 0;
}

int query_set_request(struct query *q, const char *id)
{
	if (strlen(id) != 16 || strspn(id, "0123456789abcdef") != 16)
		return -EINVAL;
	q->request = strtoull(id, NULL, 16);
	return q->request ? 0 : -EINVAL;
}

int query_set_label(struct query *q, const char *key, struct refusal *ret_why)
{
	if (!selector_key_known(key) || !selector_is_of_process(key)) {
		refusal_say(
			ret_why, 404,
			selector_key_known("host") ?
				"there are pid, comm, exe, cgroup, unit, container, service, "
				"version, host and region" :
				"there are pid, comm, exe, cgroup, unit, container, service and "
				"version",
			"%.64s is not a label of processes", key);
		return -EINVAL;
	}
	q->label = strdup(key);
	return q->label ? 0 : -ENOMEM;
}

/* The parameters of one side, without its prefix. */
static size_t take_side(const struct query_parameter *parameters, size_t n, int side,
			struct query_parameter *ret)
{
	static const char *const prefixes[] = { "base.", "new." };
	size_t size[] = { strlen(prefixes[0]), strlen(prefixes[1]) }, m = 0;

	for (size_t i = 0; i < n; i++) {
		ret[m] = parameters[i];
		if (strncmp(ret[m].key, prefixes[side], size[side]) == 0)
			ret[m].key += size[side];
		else if (strncmp(ret[m].key, prefixes[!side], size[!side]) == 0)
			continue;
		m++;
	}
	return m;
}

int query_parse_sides(const struct query_parameter *parameters, size_t n, uint64_t now_ns,
		      struct query *ret_base, struct query *ret_new, struct refusal *ret_why)
{
	_cleanup_free_ struct query_parameter *of_side = calloc(n + 1, sizeof(*of_side));
	_cleanup_query_ struct query base = {};
	int r;

	if (!of_side)
		return -ENOMEM;
	r = query_parse(of_side, take_side(parameters, n, 0, of_side), now_ns, &base, ret_why);
	if (r == 0)
		r = query_parse(of_side, take_side(parameters, n, 1, of_side), now_ns, ret_new,
				ret_why);
	if (r < 0)
		return r;
	*ret_base = base;
	base = (struct query){};
	return 0;
}
