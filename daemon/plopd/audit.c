/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "plopd/audit.h"
#include "util/log.h"

/* Of what is named in a line. */
#define NAMED_MAX 512

/* Who asks: by the socket, and for whom plop-gateway says it does. */
struct asker {
	char text[SCOPE_WHO_MAX + 64]; /* for people */
	char uid[16], pid[16];
};

static void asker_of(const struct api_peer *peer, struct asker *ret)
{
	snprintf(ret->uid, sizeof(ret->uid), "%u", peer->uid);
	snprintf(ret->pid, sizeof(ret->pid), "%d", (int)peer->pid);
	if (*peer->scope.who)
		snprintf(ret->text, sizeof(ret->text), "%s (by user %u)", peer->scope.who,
			 peer->uid);
	else
		snprintf(ret->text, sizeof(ret->text), "user %u (process %d)", peer->uid,
			 (int)peer->pid);
}

void audit_recording(const struct api_request *q, const struct recording *recording)
{
	const char *why = recording->why ? recording->why : "";
	char seconds[32];
	struct asker who;

	asker_of(&q->peer, &who);
	snprintf(seconds, sizeof(seconds), "%.3f", (double)recording->duration_ns / 1e9);
	log_event(LOG_LEVEL_INFO,
		  (const struct log_field[]){ { "PLOP_AUDIT", "recording" },
					      { "PLOP_RECORDING", recording->id },
					      { "PLOP_WHAT", recording->target },
					      { "PLOP_SERVICE", q->peer.scope.service },
					      { "PLOP_SECONDS", seconds },
					      { "PLOP_WHO", q->peer.scope.who },
					      { "PLOP_UID", who.uid },
					      { "PLOP_PID", who.pid },
					      { "PLOP_WHY", why },
					      {} },
		  "Recording %s of %.*s for %s s, asked for by %s%s%s", recording->id, NAMED_MAX,
		  recording->target ? recording->target : "all", seconds, who.text,
		  *why ? ": " : "", why);
}

void audit_token(const struct api_request *q, const char *verb, const char *name,
		 const struct scope *scope)
{
	struct asker who;

	asker_of(&q->peer, &who);
	log_event(
		LOG_LEVEL_INFO,
		(const struct log_field[]){ { "PLOP_AUDIT", "token" },
					    { "PLOP_TOKEN", name },
					    { "PLOP_WHAT", verb },
					    { "PLOP_SCOPE", scope ? scope_name(scope->may) : NULL },
					    { "PLOP_SERVICE", scope ? scope->service : NULL },
					    { "PLOP_WHO", q->peer.scope.who },
					    { "PLOP_UID", who.uid },
					    { "PLOP_PID", who.pid },
					    {} },
		"Token %s was %s by %s", name, verb, who.text);
}
