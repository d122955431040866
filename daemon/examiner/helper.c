/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "examiner/private.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/loop_timing.h"

/* How long a helper may take in all for one question while it goes on. */
#define LONGEST_TICKS_NS  (3 * NSEC_PER_SEC)
#define LONGEST_PEOPLE_NS (30 * NSEC_PER_SEC)
/*
 * Of an answer, what is read at a time: at its beginning, where how long it is says how much more,
 * and at most; and at most at one event.
 */
#define CHUNK     4096u
#define CHUNK_MAX (256u << 10)
#define EVENT_MAX (2u << 20)

void helper_close(struct helper *h, bool kill)
{
	struct examiner *e = h->examiner;
	uint64_t ticks;
	char state;

	if (h->fd >= 0) {
		helper_look(h, &ticks, &state);
		e->cpu_ticks += ticks;
	}
	if (kill && e->given_up < GIVEN_UP_NUMBERS) {
		e->given_up_serials[e->given_up++] = h->serial;
		spawner_kill(e, h->serial);
	}
	h->io = sd_event_source_disable_unref(h->io);
	h->timer = sd_event_source_disable_unref(h->timer);
	if (h->fd >= 0)
		close(h->fd);
	buf_free(&h->out);
	buf_free(&h->in);
	*h = (struct helper){ .examiner = h->examiner, .lane = h->lane, .fd = -EBADF };
}

void helper_look(const struct helper *h, uint64_t *ret_ticks, char *ret_state)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long user, kernel;
	char path[64], state;

	*ret_ticks = 0;
	*ret_state = '?';
	if (h->pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)h->pid);
	f = fopen(path, "re");
	/* proc(5): 3 state, 14 utime, 15 stime; its name has neither brackets nor spaces */
	if (!f || fscanf(f, "%*d %*s %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state,
			 &user, &kernel) != 3)
		return;
	*ret_state = state;
	*ret_ticks = user + kernel;
}

uint64_t helper_bytes(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long kb, sum = 0;
	char path[64], line[256];

	if (pid <= 0)
		return 0;
	/*
	 * 0 where the kernel does not tell. Private_Clean and Private_Dirty, see proc_pid_smaps(5)
	 */
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Private_%*[a-zA-Z]: %llu", &kb) == 1)
			sum += kb;
	}
	return sum * 1024;
}

/* It is gone, or does not answer: so for its question. */
static void helper_fail(struct helper *h, bool kill)
{
	struct examiner *e = h->examiner;
	struct question *q = TAKE_PTR(h->question);
	enum lane lane = h->lane;
	/* one that could not be forked is nobody's fault */
	bool forked = h->pid > 0;
	struct unpack nothing = {};
	uint64_t ticks;
	char state;

	helper_look(h, &ticks, &state);
	ticks *= NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	if (q && ticks > h->cpu_ns)
		examiner_spent(e, q, ticks - h->cpu_ns);
	helper_close(h, kill);
	if (q && forked)
		examiner_timed_out(e, q);
	if (q)
		question_answer(e, q, forked ? -ETIMEDOUT : -EAGAIN, &nothing);
	examiner_dispatch(e, lane);
}

/*
 * Whether a helper that has not answered in time waits for something: on a busy host it may have
 * had no CPU, and has to be runnable, or to have used some. One that has no question has rested for
 * long enough.
 */
static int helper_overdue(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct helper *h = ctx;
	uint64_t ticks;
	char state;
	int r;

	if (!h->question) {
		helper_close(h, false);
		return 0;
	}
	helper_look(h, &ticks, &state);
	/* one that the spawner has not told of yet may not have been forked */
	if ((!h->looked_at || h->pid == 0 || state == 'R' || ticks > h->cpu_ticks) &&
	    clock_ns(CLOCK_MONOTONIC) - h->asked_ns <
		    (h->lane == LANE_TICKS ? LONGEST_TICKS_NS : LONGEST_PEOPLE_NS)) {
		h->looked_at = true;
		h->cpu_ticks = ticks;
		r = sd_event_source_set_time_relative(h->timer, h->examiner->still_usec);
		return r < 0 ? r : sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
	}
	log_debug("Process %d does not let itself be read; helper %d is given up",
		  (int)h->question->who.pid, (int)h->pid);
	helper_fail(h, true);
	return 0;
}

/* -EAGAIN: there is more. */
static int helper_send(struct helper *h)
{
	while (h->out_at < h->out.size) {
		ssize_t n = send(h->fd, h->out.data + h->out_at, h->out.size - h->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		h->out_at += (size_t)n;
	}
	buf_free(&h->out);
	h->out_at = 0;
	return 0;
}

/* It has nothing to do. */
static void helper_rest(struct helper *h)
{
	bool stays = h == &h->examiner->helpers[LANE_TICKS][0];

	if (stays || sd_event_source_set_time_relative(h->timer, h->examiner->idle_usec) < 0)
		sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
	else
		sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

/* Memory of an answer that nobody took is for the next one; h may be another by now. */
static void helper_keep(struct helper *h, struct buf *in)
{
	buf_clear(in);
	if (h->fd < 0 || h->in.data || in->allocated > CHUNK_MAX) {
		buf_free(in);
		return;
	}
	h->in = *in;
	*in = (struct buf){};
}

/* The whole answer, if it has come. 1: it is handed on; 0: more has to come; -EBADMSG. */
static int helper_answer(struct helper *h)
{
	struct examiner *e = h->examiner;
	struct message_head head;
	struct question *q = h->question;
	enum lane lane = h->lane;
	struct buf in;
	struct unpack body;

	if (h->in.size < sizeof(head))
		return 0;
	memcpy(&head, h->in.data, sizeof(head));
	if (!q || head.size > ANSWER_MAX || h->in.size - sizeof(head) > head.size)
		return -EBADMSG;
	if (h->in.size - sizeof(head) < head.size)
		return 0;
	in = h->in;
	h->in = (struct buf){};
	h->question = NULL;
	h->cpu_ns += head.cpu_ns;
	examiner_spent(e, q, head.cpu_ns);
	helper_rest(h);
	body = (struct unpack){ .data = in.data + sizeof(head), .size = head.size, .message = &in };
	/*
	 * before the answer is heard, which may ask for more: helpers that are free are at work by
	 * then
	 */
	examiner_dispatch(e, lane);
	question_answer(e, q, head.value, &body);
	helper_keep(h, &in);
	return 1;
}

/* How much is read next. */
static size_t helper_wants(const struct helper *h)
{
	struct message_head head;
	size_t whole;

	if (h->in.size < sizeof(head))
		return CHUNK;
	memcpy(&head, h->in.data, sizeof(head));
	whole = sizeof(head) + head.size;
	return whole > h->in.size ? MIN(whole - h->in.size, (size_t)CHUNK_MAX) : CHUNK;
}

static int helper_receive(struct helper *h)
{
	/* the event comes again while there is more */
	for (size_t had = h->in.size; h->in.size - had < EVENT_MAX;) {
		size_t want = helper_wants(h);
		void *to = buf_reserve(&h->in, want);
		ssize_t n;
		int r;

		if (!to)
			return -ENOMEM;
		n = recv(h->fd, to, want, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		h->in.size += (size_t)n;
		r = helper_answer(h);
		if (r != 0)
			return MIN(r, 0);
	}
	return 0;
}

static int helper_event(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct helper *h = ctx;
	int r = 0;

	loop_part("what a helper has read");
	if (revents & EPOLLOUT) {
		r = helper_send(h);
		if (r == 0)
			sd_event_source_set_io_events(h->io, EPOLLIN);
	}
	if (r >= 0 || r == -EAGAIN)
		r = helper_receive(h);
	if (r < 0) {
		seldom_warn(&h->examiner->ended, r, "A helper ended before its time");
		helper_fail(h, true);
	}
	return 0;
}

/* A process for it, which may be at work before the spawner has told of it. */
static int helper_fork(struct helper *h)
{
	struct examiner *e = h->examiner;
	_cleanup_close_ int theirs = -EBADF;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	h->fd = ends[0];
	theirs = ends[1];
	h->serial = ++e->serials;
	r = spawner_fork(e, h->serial, theirs);
	if (r >= 0)
		r = sd_event_add_io(e->loop, &h->io, h->fd, EPOLLIN, helper_event, h);
	if (r >= 0)
		r = sd_event_add_time_relative(e->loop, &h->timer, CLOCK_MONOTONIC, e->still_usec,
					       e->still_usec / 2, helper_overdue, h);
	if (r < 0)
		helper_close(h, false);
	return r;
}

int helper_ask(struct helper *h, struct question *q)
{
	struct message_head head = { .value = (int32_t)q->op };
	uint32_t pid = (uint32_t)q->who.pid;
	int r = h->fd >= 0 ? 0 : helper_fork(h);

	if (r < 0)
		return r;
	if (q->body.error || q->body.size + sizeof(pid) > REQUEST_MAX)
		return q->body.error ? q->body.error : -E2BIG;
	head.size = (uint32_t)(sizeof(pid) + q->body.size);
	pack_bytes(&h->out, &head, sizeof(head));
	pack_u32(&h->out, pid);
	pack_bytes(&h->out, q->body.data, q->body.size);
	if (h->out.error) {
		buf_free(&h->out);
		return -ENOMEM;
	}
	r = helper_send(h);
	if (r == -EAGAIN)
		r = sd_event_source_set_io_events(h->io, EPOLLIN | EPOLLOUT);
	if (r >= 0)
		r = sd_event_source_set_time_relative(h->timer, h->examiner->still_usec);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
	/* half a question was sent, perhaps */
	if (r < 0) {
		helper_close(h, true);
		return r;
	}
	h->looked_at = false;
	h->asked_ns = clock_ns(CLOCK_MONOTONIC);
	h->question = q;
	return 0;
}
