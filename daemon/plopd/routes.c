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
PART(route_token, viewer)
PART(route_token_check, viewer)
PART(route_token_revoke, viewer)
PART(route_gateway, viewer)

/* true: anybody may ask, and the handler leaves out what is not the peer's (access.h) */
const struct api_route plopd_routes[] = {
	{ "GET", "/v1/status", true, route_status },
	{ "GET", "/v1/processes", true, route_processes },
	{ "GET", "/v1/windows", true, route_windows_of },
	{ "GET", "/v1/profile", true, route_profile_of },
	{ "GET", "/v1/deploys", true, route_deploys_of },
	{ "POST", "/v1/marks", true, route_mark_of },
	{ "GET", "/v1/marks", true, route_marks_of },
	{ "GET", "/v1/regressions", true, route_regressions_of },
	{ "GET", "/v1/diff", true, route_diff_of },
	{ "GET", "/v1/series", true, route_series_of },
	{ "GET", "/v1/labels/*", true, route_labels_of },
	{ "GET", "/v1/lines", true, route_lines_of },
	{ "GET", "/v1/sd", true, route_sd_of },
	{ "GET", "/v1/stream", true, route_stream_of },
	{ "GET", "/v1/dump", true, route_dump_of },
	{ "GET", "/v1/source", true, route_source_of },
	{ "GET", "/v1/recordings", true, route_recordings_of },
	{ "POST", "/v1/recordings", true, route_record_of },
	{ "GET", "/v1/recordings/*", true, route_recording_of },
	{ "DELETE", "/v1/recordings/*", true, route_recording_stop_of },
	{ "POST", "/v1/tokens", true, route_token_of },
	{ "POST", "/v1/tokens/check", false, route_token_check_of },
	{ "POST", "/v1/tokens/revoke", false, route_token_revoke_of },
	{ "POST", "/v1/gateway", false, route_gateway_of },
	{ "GET", "/debug/pprof/profile", true, route_pprof_of },
	{ "GET", "/metrics", false, route_metrics },
};
const size_t plopd_nroutes = ARRAY_SIZE(plopd_routes);
