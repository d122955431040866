/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/query.h"
#include "util/clock.h"
#include "util/parse.h"

void query_done(struct query *q)
{
	selectors_done(&q->selectors);
	free(q->group_by);
	q->group_by = NULL;
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

static int take_group(struct query *q, const char *keys, char *error, size_t error_size)
{
	int r = group_keys_check(keys);

	if (r == -EINVAL)
		snprintf(error, error_size,
			 "group_by=%.64s is not 1 to %d different keys, separated by commas, of %s",
			 keys, GROUP_KEYS_MAX, selector_keys());
	if (r < 0)
		return r;
	free(q->group_by);
	q->group_by = strdup(keys);
	return q->group_by ? 0 : -ENOMEM;
}

static int add_selector(struct query *q, const struct query_parameter *p, char *error,
			size_t error_size)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;
	int r;

	buf_printf(&b, "%s=%s", p->key, p->value);
	text = buf_string(&b);
	if (!text)
		return -ENOMEM;
	r = selectors_add(&q->selectors, text);
	if (r == -EINVAL && selector_values(p->key))
		snprintf(error, error_size, "%s=%.64s is not %s", p->key, p->value,
			 selector_values(p->key));
	else if (r == -EINVAL)
		snprintf(error, error_size,
			 "unknown parameter \"%.64s\"; known are from, to, format, seconds, "
			 "group_by and the "
			 "selectors %s",
			 p->key, selector_keys());
	return r;
}

static int take(struct query *q, const struct query_parameter *p, char *error, size_t error_size)
{
	uint64_t v;

	if (streq(p->key, "from") || streq(p->key, "to")) {
		bool from = streq(p->key, "from");

		if (parse_unix_seconds(p->value, &v) < 0) {
			snprintf(error, error_size, "%s=%.64s is not a time in Unix seconds",
				 p->key, p->value);
			return -EINVAL;
		}
		*(from ? &q->from_ns : &q->to_ns) = v;
		*(from ? &q->has_from : &q->has_to) = true;
	} else if (streq(p->key, "seconds")) {
		if (parse_u64(p->value, 1, QUERY_MAX_SECONDS, &v) < 0) {
			snprintf(error, error_size, "seconds=%.64s is not a number from 1 to %d",
				 p->value, QUERY_MAX_SECONDS);
			return -EINVAL;
		}
		q->seconds = (unsigned int)v;
	} else if (streq(p->key, "format")) {
		q->format = format_find(p->value);
		if (!q->format) {
			snprintf(error, error_size, "unknown format \"%.64s\"; known are %s",
				 p->value, format_names());
			return -EINVAL;
		}
	} else if (streq(p->key, "group_by")) {
		return take_group(q, p->value, error, error_size);
	} else {
		return add_selector(q, p, error, error_size);
	}
	return 0;
}

int query_parse(const struct query_parameter *parameters, size_t n, uint64_t now_ns,
		struct query *ret, char *error, size_t error_size)
{
	_cleanup_query_ struct query q = { .seconds = 30, .format = format_find("json") };
	int r;

	for (size_t i = 0; i < n; i++) {
		/* The gateway's, see its authorize(). */
		if (streq(parameters[i].key, "token"))
			continue;
		r = take(&q, &parameters[i], error, error_size);
		if (r < 0)
			return r;
	}
	if (!q.has_to)
		q.to_ns = MAX(now_ns, q.has_from ? q.from_ns + 1 : 1);
	if (!q.has_from)
		q.from_ns = q.to_ns > QUERY_RANGE_NS ? q.to_ns - QUERY_RANGE_NS : 0;
	if (q.from_ns >= q.to_ns) {
		snprintf(error, error_size, "from must be before to");
		return -EINVAL;
	}
	*ret = q;
	q.selectors = (struct selectors){};
	q.group_by = NULL;
	return 0;
}
