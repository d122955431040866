/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/server.h"

/*
 * Nobody can keep others out: one user has a bound, those who are not trusted have one together,
 * and where a bound is reached that strangers share, the oldest connection gives way that has not
 * sent a whole request. A client that means it sends its request at once and is never that one.
 */

static bool is_ready(const struct api_call *c)
{
	return c->dispatched || c->response || c->waiting;
}

struct census {
	unsigned int all, others; /* others: not trusted */
	unsigned int own, own_unready;
};

static struct census take_census(const struct api_server *s, uint64_t from)
{
	const struct api_gate *g;
	const struct api_call *c;
	struct census n = {};

	LIST_FOREACH(g, &s->gates, gates)
	{
		n.all++;
		n.others += !g->peer.trusted;
		n.own += g->peer.from == from;
		n.own_unready += g->peer.from == from;
	}
	LIST_FOREACH(c, &s->calls, calls)
	{
		bool own = c->request.peer.from == from;

		if (c->cut)
			continue;
		n.all++;
		n.others += !c->request.peer.trusted;
		n.own += own;
		n.own_unready += own && !is_ready(c);
	}
	return n;
}

/*
 * The oldest one that is not ready, of the trusted or not, of one peer or (NULL) of any. false:
 * there is none.
 */
static bool give_way(struct api_server *s, bool trusted, const uint64_t *from)
{
	struct api_gate *g, *gate = NULL;
	struct api_call *c, *call = NULL;

	/* Both lists begin with the newest. */
	LIST_FOREACH(g, &s->gates, gates)
	if ((trusted || !g->peer.trusted) && (!from || g->peer.from == *from))
		gate = g;
	LIST_FOREACH(c, &s->calls, calls)
	if (!c->cut && !is_ready(c) && (trusted || !c->request.peer.trusted) &&
	    (!from || c->request.peer.from == *from))
		call = c;
	if (gate && (!call || gate->begun_usec <= call->begun_usec)) {
		gate_refuse(gate->fd, 503,
			    "the request did not come before others needed its place", true);
		gate_free(gate);
		return true;
	}
	if (call)
		call_cut(call, 503, "the request did not come before others needed its place");
	return call;
}

unsigned int bounds_admit(struct api_server *s, const struct api_peer *peer, char *error,
			  size_t size)
{
	const struct api_options *o = &s->options;
	struct census n = take_census(s, peer->from);
	unsigned int others = o->max_connections - MIN(o->trusted_connections, o->max_connections);

	if (peer->is_unix && !peer->trusted && n.own >= API_PEER_CONNECTIONS) {
		snprintf(error, size, "uid %u has %d connections already, the most for one user",
			 peer->uid, API_PEER_CONNECTIONS);
		return 429;
	}
	if (!peer->is_unix && n.own_unready >= API_PEER_UNREADY && give_way(s, true, &peer->from))
		return 0;
	if (n.all < o->max_connections && (peer->trusted || n.others < others))
		return 0;
	/* Of those who are not trusted first, whoever needs the place. */
	if (give_way(s, false, NULL) || (peer->trusted && give_way(s, true, NULL)))
		return 0;
	snprintf(error, size, "too many connections at once");
	return 503;
}

static bool is_same(const struct api_peer *a, const struct api_peer *b)
{
	if (a->trusted != b->trusted)
		return false;
	return !a->is_unix && a->trusted ? a->session == b->session : a->from == b->from;
}

bool bounds_stream(const struct api_call *c)
{
	const char *path = c->server->options.stream;
	const struct api_call *other;
	unsigned int n = 0;

	if (!path || !streq(c->request.path, path))
		return true;
	/* Of whom may have them all the gateway is one, and it counts for each of its sessions. */
	if (c->request.peer.is_unix && c->request.peer.trusted)
		return true;
	LIST_FOREACH(other, &c->server->calls, calls)
	n += other != c && !other->gone && !other->cut && other->routed &&
	     streq(other->request.path, path) && is_same(&other->request.peer, &c->request.peer);
	return n < API_PEER_STREAMS;
}

bool bounds_waiting(const struct api_call *c, size_t size)
{
	const struct api_peer *peer = &c->request.peer;
	size_t all = size, others = size, own = size;
	const struct api_call *other;

	if (size <= API_SMALL_ANSWER)
		return true;
	LIST_FOREACH(other, &c->server->calls, calls)
	{
		size_t waiting = other->waiting + other->chunk_bytes;

		all += waiting;
		if (!other->request.peer.trusted)
			others += waiting;
		if (is_same(&other->request.peer, peer))
			own += waiting;
	}
	if (all > API_WAITING_MAX)
		return false;
	return peer->trusted ? own <= API_WAITING_ONE :
			       others <= API_WAITING_OTHERS && own <= API_WAITING_USER;
}

void bounds_refuse_body(struct api_call *c)
{
	api_reply_error(c, MHD_HTTP_CONTENT_TOO_LARGE, c->server->options.body_hint,
			"the request's body is larger than %d bytes", API_MAX_BODY);
}
