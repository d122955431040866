/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/routes.h"
#include "plopd/manager.h"
#include "plopd/source.h"
#include "plopd/status.h"

/* HANDLER gets the part of the manager that is its own, by a function of that name and _of. */
#define PART(handler, member)                                            \
	static void handler##_of(const struct api_request *q, void *ctx) \
	{                                                                \
		struct manager *m = ctx;                                 \
                                                                         \
		handler(q, &m->member);                                  \
	}

PART(route_windows, queries)
PART(route_profile, queries)
PART(route_deploys, queries)
PART(route_diff, queries)
PART(route_series, queries)
PART(route_labels, queries)
PART(route_lines, queries)
PART(route_sd, queries)
PART(route_stream, queries)
PART(route_dump, looks)
PART(route_source, looks)
PART(route_record, record_routes)
PART(route_recordings, record_routes)
PART(route_recording, record_routes)
PART(route_recording_stop, record_routes)
PART(route_pprof, record_routes)
PART(route_mark, mark_routes)
PART(route_marks, mark_routes)
PART(route_regressions, regressions)
PART(route_token, token_routes)
PART(route_tokens, token_routes)
PART(route_token_drop, token_routes)
PART(route_token_check, token_routes)
PART(route_token_revoke, viewer)
PART(route_gateway, token_routes)

/*
 * true: anybody may ask, and the handler leaves out what is not the peer's (access.h). Who begins a
 * recording by a route that is to look is stopped by access_record().
 */
const struct api_route plopd_routes[] = {
	{ "GET", "/v1/status", true, NEEDS_READ, route_status },
	{ "GET", "/v1/processes", true, NEEDS_READ, route_processes },
	{ "GET", "/v1/windows", true, NEEDS_READ, route_windows_of },
	{ "GET", "/v1/profile", true, NEEDS_READ, route_profile_of },
	{ "GET", "/v1/deploys", true, NEEDS_READ, route_deploys_of },
	{ "POST", "/v1/marks", true, NEEDS_ALL, route_mark_of },
	{ "GET", "/v1/marks", true, NEEDS_READ, route_marks_of },
	{ "GET", "/v1/regressions", true, NEEDS_READ, route_regressions_of },
	{ "GET", "/v1/diff", true, NEEDS_READ, route_diff_of },
	{ "GET", "/v1/series", true, NEEDS_READ, route_series_of },
	{ "GET", "/v1/labels/*", true, NEEDS_READ, route_labels_of },
	{ "GET", "/v1/lines", true, NEEDS_READ, route_lines_of },
	{ "GET", "/v1/sd", true, NEEDS_READ, route_sd_of },
	{ "GET", "/v1/stream", true, NEEDS_READ, route_stream_of },
	{ "GET", "/v1/dump", true, NEEDS_READ, route_dump_of },
	{ "GET", "/v1/source", true, NEEDS_READ, route_source_of },
	{ "GET", "/v1/recordings", true, NEEDS_READ, route_recordings_of },
	{ "POST", "/v1/recordings", true, NEEDS_RECORD, route_record_of },
	{ "GET", "/v1/recordings/*", true, NEEDS_READ, route_recording_of },
	{ "DELETE", "/v1/recordings/*", true, NEEDS_RECORD, route_recording_stop_of },
	{ "POST", "/v1/tokens", true, NEEDS_ALL, route_token_of },
	{ "GET", "/v1/tokens", false, NEEDS_ALL, route_tokens_of },
	{ "DELETE", "/v1/tokens/*", false, NEEDS_ALL, route_token_drop_of },
	{ "POST", "/v1/tokens/check", false, NEEDS_ALL, route_token_check_of },
	{ "POST", "/v1/tokens/revoke", false, NEEDS_ALL, route_token_revoke_of },
	{ "POST", "/v1/gateway", false, NEEDS_ALL, route_gateway_of },
	{ "GET", "/debug/pprof/profile", true, NEEDS_READ, route_pprof_of },
	{ "GET", "/metrics", false, NEEDS_READ_ALL, route_metrics },
};
const size_t plopd_nroutes = ARRAY_SIZE(plopd_routes);
