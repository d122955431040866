/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/api.h"
#include "util/clock.h"

int api_query(const struct api_request *q, struct query *ret)
{
	char error[512] = "";
	int r;

	r = query_parse(q->parameters, q->nparameters, clock_ns(CLOCK_REALTIME), ret, error,
			sizeof(error));
	if (r == -EINVAL)
		api_reply_error(q->call, 400, NULL, "%s", error);
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "failed to read the query: %s", strerror(-r));
	return r;
}
