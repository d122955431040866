/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/log.h"

#define PIECE      16384 /* bytes: the most of one record */
#define LINGER_S   10
#define LOOK_NS    NSEC_PER_SEC /* how often the files are looked at, at most */
#define DRAIN_TURN 64           /* reads at a time, of what comes after the end */
#define DRAIN_S    2            /* that this goes on */
/* No older version, and nothing that GnuTLS does not take for secure. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A certificate and its key, for as long as a connection has it. */
struct credentials {
	gnutls_certificate_credentials_t gnutls;
	unsigned int refs;
};

/* What tells that a file has changed. */
struct stamp {
	struct timespec changed;
	ino_t inode;
	off_t size;
};

struct flow {
	char data[PIECE];
	size_t n, at; /* bytes that are there; those of them that went on */
	bool ended;   /* nothing comes any more */
};

struct connection {
	LIST_ENTRY(connection) connections;
	struct tls *tls;
	int outer, inner;
	gnutls_session_t session;
	struct credentials *credentials;
	bool shaken;  /* the handshake is done */
	bool parting; /* all is said: what still comes is passed over, until the client closes */
	struct flow up, down;
	sd_event_source *outer_io, *inner_io, *linger;
};

struct tls {
	sd_event *loop;
	char *certificate, *key;
	struct credentials *credentials;
	struct stamp stamps[2];
	gnutls_priority_t priorities;
	uint64_t looked_ns;
	unsigned int n;
	LIST_HEAD(, connection) connections;
};

static void credentials_unref(struct credentials *c)
{
	if (!c || --c->refs > 0)
		return;
	gnutls_certificate_free_credentials(c->gnutls);
	free(c);
}

static void stamp_of(const char *path, struct stamp *ret)
{
	struct stat st;

	*ret = (struct stamp){};
	if (stat(path, &st) == 0)
		*ret = (struct stamp){ st.st_mtim, st.st_ino, st.st_size };
}

static bool stamp_is(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int load(struct tls *t, char **ret_error)
{
	struct credentials *c = calloc(1, sizeof(*c));
	int r;

	if (!c || gnutls_certificate_allocate_credentials(&c->gnutls) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->refs = 1;
	stamp_of(t->certificate, &t->stamps[0]);
	stamp_of(t->key, &t->stamps[1]);
	r = gnutls_certificate_set_x509_key_file(c->gnutls, t->certificate, t->key,
						 GNUTLS_X509_FMT_PEM);
	if (r < 0) {
		credentials_unref(c);
		if (asprintf(
			    ret_error,
			    "the certificate %s and its key %s cannot be used: %s; see certificate "
			    "and key in plop.conf",
			    t->certificate, t->key, gnutls_strerror(r)) < 0)
			*ret_error = NULL;
		return -EINVAL;
	}
	credentials_unref(t->credentials);
	t->credentials = c;
	return 0;
}

/* A certificate lives for months at most: the next one is taken without a restart. */
static void renew(struct tls *t)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	_cleanup_free_ char *error = NULL;
	struct stamp stamps[2];

	if (now - t->looked_ns < LOOK_NS)
		return;
	t->looked_ns = now;
	stamp_of(t->certificate, &stamps[0]);
	stamp_of(t->key, &stamps[1]);
	if (stamp_is(&stamps[0], &t->stamps[0]) && stamp_is(&stamps[1], &t->stamps[1]))
		return;
	if (load(t, &error) == 0)
		log_info("The certificate in %s is another one, and is taken from now on",
			 t->certificate);
	else
		log_warning("Going on with the certificate before: %s", error ? error : "");
}

int tls_new(sd_event *loop, const char *certificate, const char *key, struct tls **ret,
	    char **ret_error)
{
	_cleanup_(tls_freep) struct tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	LIST_INIT(&t->connections);
	t->loop = sd_event_ref(loop);
	t->certificate = strdup(certificate);
	t->key = strdup(key);
	if (!t->certificate || !t->key)
		return -ENOMEM;
	if (gnutls_priority_init(&t->priorities, PRIORITIES, NULL) < 0)
		return -EOPNOTSUPP;
	t->looked_ns = clock_ns(CLOCK_MONOTONIC);
	r = load(t, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

static void connection_end(struct connection *c)
{
	LIST_REMOVE(c, connections);
	c->tls->n--;
	sd_event_source_disable_unref(c->outer_io);
	sd_event_source_disable_unref(c->inner_io);
	sd_event_source_disable_unref(c->linger);
	gnutls_deinit(c->session);
	credentials_unref(c->credentials);
	if (c->outer >= 0)
		close(c->outer);
	if (c->inner >= 0)
		close(c->inner);
	free(c);
}

void tls_free(struct tls *t)
{
	struct connection *c;

	if (!t)
		return;
	while ((c = LIST_FIRST(&t->connections)))
		connection_end(c);
	credentials_unref(t->credentials);
	if (t->priorities)
		gnutls_priority_deinit(t->priorities);
	sd_event_unref(t->loop);
	free(t->certificate);
	free(t->key);
	free(t);
}

static bool is_again(ssize_t r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

/* 0: it waits for more; 1: done; negative: it failed. */
static int shake(struct connection *c)
{
	int r;

	do
		r = gnutls_handshake(c->session);
	while (r < 0 && !is_again(r) && !gnutls_error_is_fatal(r));
	if (is_again(r))
		return 0;
	if (r < 0) {
		log_debug("A client's handshake failed: %s", gnutls_strerror(r));
		return -EPROTO;
	}
	c->shaken = true;
	return 1;
}

/* From the client. Returns whether something went on; *ret_failed: the connection is no more. */
static bool flow_up(struct connection *c, bool *ret_failed)
{
	struct flow *f = &c->up;
	ssize_t n;

	if (f->n == 0 && !f->ended) {
		n = gnutls_record_recv(c->session, f->data, sizeof(f->data));
		if (n > 0) {
			f->n = (size_t)n;
		} else if (n == 0) {
			f->ended = true;
			shutdown(c->inner, SHUT_WR);
		} else if (gnutls_error_is_fatal((int)n) && !is_again(n)) {
			*ret_failed = true;
		}
	}
	if (f->at == f->n)
		return false;
	n = send(c->inner, f->data + f->at, f->n - f->at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		f->at = f->n; /* nobody reads it any more; what was answered is still on its way */
	else if (n > 0)
		f->at += (size_t)n;
	if (f->at < f->n)
		return n > 0;
	f->at = f->n = 0;
	return true;
}

/* To the client; as flow_up(). */
static bool flow_down(struct connection *c, bool *ret_failed)
{
	struct flow *f = &c->down;
	ssize_t n;

	if (f->n == 0 && !f->ended) {
		n = recv(c->inner, f->data, sizeof(f->data), MSG_DONTWAIT);
		if (n > 0)
			f->n = (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			f->ended = true;
	}
	if (f->at == f->n)
		return false;
	/* after AGAIN it wants the same once more, which is what is there */
	n = gnutls_record_send(c->session, f->data + f->at, f->n - f->at);
	if (n < 0) {
		*ret_failed = gnutls_error_is_fatal((int)n) && !is_again(n);
		return false;
	}
	f->at += (size_t)n;
	if (f->at == f->n)
		f->at = f->n = 0;
	return true;
}

static int on_linger(sd_event_source *source, uint64_t usec, void *ctx)
{
	connection_end(ctx);
	return 0;
}

/* Ends it after so many seconds, whatever was said before. */
static int linger(struct connection *c, uint64_t seconds)
{
	c->linger = sd_event_source_disable_unref(c->linger);
	return sd_event_add_time_relative(c->tls->loop, &c->linger, CLOCK_MONOTONIC,
					  seconds * USEC_PER_SEC, 0, on_linger, c);
}

/*
 * All is said. To close while something comes would reset the connection, and what was sent last
 * with it. Whether it goes on.
 */
static bool part(struct connection *c)
{
	char data[4096];
	ssize_t n = 1;

	if (!c->parting) {
		gnutls_bye(c->session, GNUTLS_SHUT_WR);
		shutdown(c->outer, SHUT_WR);
		c->parting = true;
		if (sd_event_source_set_io_events(c->outer_io, EPOLLIN) < 0 ||
		    sd_event_source_set_enabled(c->inner_io, SD_EVENT_OFF) < 0 ||
		    linger(c, DRAIN_S) < 0)
			return false;
	}
	for (int i = 0; i < DRAIN_TURN && n > 0; i++)
		n = recv(c->outer, data, sizeof(data), MSG_DONTWAIT);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* What each side is to be looked at for. */
static int watch(struct connection *c)
{
	uint32_t outer = 0, inner = 0;
	int r;

	if (!c->shaken) {
		outer = gnutls_record_get_direction(c->session) ? EPOLLOUT : EPOLLIN;
	} else {
		if (c->up.n == 0 && !c->up.ended)
			outer |= EPOLLIN;
		if (c->up.n > 0)
			inner |= EPOLLOUT;
		if (c->down.n == 0 && !c->down.ended)
			inner |= EPOLLIN;
		if (c->down.n > 0)
			outer |= EPOLLOUT;
	}
	r = sd_event_source_set_io_events(c->outer_io, outer);
	if (r >= 0)
		r = sd_event_source_set_io_events(c->inner_io, inner);
	/* who serves has closed its end: the client has some time to fetch the rest */
	return r >= 0 && c->down.ended && !c->linger ? linger(c, LINGER_S) : r;
}

static void run(struct connection *c)
{
	bool failed = false, more = true;

	if (!c->shaken && shake(c) < 0)
		failed = true;
	while (c->shaken && more && !failed) {
		more = flow_up(c, &failed);
		if (!failed)
			more |= flow_down(c, &failed);
	}
	if (!failed && c->shaken && c->down.ended && c->down.n == 0) {
		if (!part(c))
			connection_end(c);
		return;
	}
	if (failed || watch(c) < 0)
		connection_end(c);
}

static int on_outer(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct connection *c = ctx;

	if ((events & (EPOLLERR | EPOLLHUP)) || (c->parting && !part(c)))
		connection_end(c);
	else if (!c->parting)
		run(c);
	return 0;
}

static int on_inner(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct connection *c = ctx;

	/* before its handshake a client has nothing to hear */
	if ((events & (EPOLLERR | EPOLLHUP)) && !c->shaken) {
		connection_end(c);
		return 0;
	}
	/* all that is to come is there, and read as fast as the client fetches it */
	if (events & (EPOLLERR | EPOLLHUP))
		sd_event_source_set_enabled(c->inner_io, SD_EVENT_OFF);
	run(c);
	return 0;
}

static int set_up(struct connection *c)
{
	static const gnutls_datum_t http = { (unsigned char *)(uintptr_t) "http/1.1", 8 };
	struct tls *t = c->tls;
	int r;

	/* nothing is resumed: there is nothing to keep, and no key that outlives a session */
	if (gnutls_init(&c->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) < 0)
		return -ENOMEM;
	gnutls_transport_set_int(c->session, c->outer);
	gnutls_handshake_set_timeout(c->session, GNUTLS_INDEFINITE_TIMEOUT);
	if (gnutls_priority_set(c->session, t->priorities) < 0 ||
	    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials->gnutls) <
		    0 ||
	    gnutls_alpn_set_protocols(c->session, &http, 1, 0) < 0)
		return -ENOMEM;
	r = sd_event_add_io(t->loop, &c->outer_io, c->outer, EPOLLIN, on_outer, c);
	return r < 0 ? r : sd_event_add_io(t->loop, &c->inner_io, c->inner, 0, on_inner, c);
}

/* The oldest one that is served and only waits for its client to fetch the rest, or to close. */
static bool give_way(struct tls *t)
{
	struct connection *c, *oldest = NULL;

	LIST_FOREACH(c, &t->connections, connections)
	if (c->down.ended)
		oldest = c;
	if (oldest)
		connection_end(oldest);
	return oldest;
}

int tls_take(struct tls *t, int fd, int *ret_clear)
{
	_cleanup_close_ int outer = fd;
	struct connection *c;
	int fds[2], r;

	if (t->n >= TLS_CONNECTIONS && !give_way(t))
		return -EMFILE;
	renew(t);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fds[0]);
		close(fds[1]);
		return -ENOMEM;
	}
	c->tls = t;
	c->outer = TAKE_FD(outer);
	c->inner = fds[0];
	c->credentials = t->credentials;
	c->credentials->refs++;
	t->n++;
	LIST_INSERT_HEAD(&t->connections, c, connections);
	r = set_up(c);
	if (r < 0) {
		close(fds[1]);
		connection_end(c);
		return r;
	}
	*ret_clear = fds[1];
	return 0;
}
