/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>

#include "gateway/gateway.h"
#include "profile/selector_text.h"

/* What is asked of several hosts: the body of POST /v1/fleet/record, and which request it is. */

#define REQUESTED "/v1/fleet/record/"

static int refuse(struct refusal *ret, const char *what, unsigned int least, unsigned int most)
{
	refusal_say(ret, 400, NULL, "%s is not a number from %u to %u", what, least, most);
	return -EINVAL;
}

static int take_number(const json_t *body, const char *key, uint32_t least, uint32_t most,
		       uint32_t initial, uint32_t *to, struct refusal *ret)
{
	const json_t *value = json_object_get(body, key);

	*to = initial;
	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < least ||
	    json_integer_value(value) > most)
		return refuse(ret, key, least, most);
	*to = (uint32_t)json_integer_value(value);
	return 0;
}

static int take_selectors(const json_t *list, struct query *q, struct fleet_wish *wish,
			  struct refusal *ret)
{
	char why[SELECTOR_WHY_MAX];
	struct buf text = {};
	const json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, one)
	{
		const char *selector = json_string_value(one);

		if (r == 0)
			r = selectors_parse(&q->selectors, selector ? selector : "", NULL, why);
		if (selector)
			buf_printf(&text, "%s%s", i ? " " : "", selector);
	}
	if (r == -EINVAL)
		refusal_say(ret, 400, NULL, "%s", why);
	wish->selectors = buf_string(&text);
	return r == 0 && !wish->selectors ? -ENOMEM : r;
}

static int take_body(const json_t *body, struct query *q, struct fleet_wish *wish,
		     struct refusal *ret)
{
	static const char *const keys[] = { "selectors", "hosts", "duration_s", "wait_s" };
	const json_t *selectors = json_object_get(body, keys[0]);
	size_t known = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		known += json_object_get(body, keys[i]) != NULL;
	if (!json_is_object(body) || known != json_object_size(body) ||
	    (selectors && !json_is_array(selectors))) {
		refusal_say(ret, 400, "see plop-gateway(8)",
			    "the body is no object with selectors, hosts, duration_s and wait_s");
		return -EINVAL;
	}
	r = take_number(body, "hosts", 1, FLEET_REQUEST_HOSTS, 20, &wish->hosts, ret);
	if (r == 0)
		r = take_number(body, "duration_s", 1, FLEET_REQUEST_S, 60, &wish->seconds, ret);
	if (r == 0)
		r = take_number(body, "wait_s", 0, FLEET_REQUEST_WAIT_S, FLEET_REQUEST_SOON_S,
				&wish->wait_s, ret);
	return r == 0 ? take_selectors(selectors, q, wish, ret) : r;
}

int gateway_wish(const struct api_request *q, struct query *query, struct fleet_wish *ret,
		 struct refusal *ret_why)
{
	json_t *body = json_loads(q->body, 0, NULL);
	int r = take_body(body, query, ret, ret_why);

	json_decref(body);
	return r;
}

int gateway_requested(const struct api_request *q, struct query *query, struct refusal *ret_why)
{
	int r = query_set_request(query, q->path + strlen(REQUESTED));

	if (r < 0)
		refusal_say(ret_why, 404, NULL, "there is no such request");
	return r;
}
