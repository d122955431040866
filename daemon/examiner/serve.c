/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/uio.h>

#include "examiner/private.h"
#include "util/clock.h"
#include "util/log.h"

static const serve_t ops[EXAMINE_OPS] = {
	[EXAMINE_PROCESS] = serve_process, [EXAMINE_ASYNC] = serve_async,
	[EXAMINE_CODE] = serve_code,       [EXAMINE_THREADS] = serve_threads,
	[EXAMINE_DUMP] = serve_dump,       [EXAMINE_STATES] = serve_states,
	[EXAMINE_ASLEEP] = serve_asleep,   [EXAMINE_TITLE] = serve_title,
	[EXAMINE_SOURCE] = serve_source,
};

/* What a question mostly has room in. */
#define QUESTION_USUAL 4096

/*
 * A whole question, head and all, in request; there is none behind it that has no answer yet.
 * -EPIPE: plopd has gone.
 */
static int read_question(int fd, struct buf *request, struct message_head *ret)
{
	size_t whole = sizeof(*ret);

	buf_clear(request);
	while (request->size < whole) {
		size_t want = MAX(whole - request->size, (size_t)QUESTION_USUAL);
		char *to = buf_reserve(request, want);
		ssize_t n = to ? read(fd, to, want) : 0;

		if (!to)
			return -ENOMEM;
		if (n < 0 && errno == EINTR)
			continue;
		/* plopd may have gone with answers that it did not read */
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (n < 0)
			return -errno;
		request->size += (size_t)n;
		if (request->size < sizeof(*ret))
			continue;
		memcpy(ret, request->data, sizeof(*ret));
		if (ret->size > REQUEST_MAX || ret->value < 0 || ret->value >= EXAMINE_OPS)
			return -EBADMSG;
		whole = sizeof(*ret) + ret->size;
	}
	return request->size == whole ? 0 : -EBADMSG;
}

/* The head and the rest at once: plopd is woken once. */
static int write_answer(int fd, const struct message_head *head, const struct buf *answer)
{
	struct iovec parts[] = { { (void *)head, sizeof(*head) }, { answer->data, answer->size } };
	struct iovec *part = parts;

	while (part < parts + ARRAY_SIZE(parts)) {
		ssize_t n = writev(fd, part, (int)(parts + ARRAY_SIZE(parts) - part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		while (part < parts + ARRAY_SIZE(parts) && (size_t)n >= part->iov_len)
			n -= (ssize_t)part++->iov_len;
		if (n > 0) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int serve_one(struct served *s, int fd, struct buf *request, struct buf *answer)
{
	struct message_head head;
	struct unpack u;
	uint64_t began;
	uint32_t pid;
	int r = read_question(fd, request, &head);

	if (r < 0)
		return r;
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	u = (struct unpack){ .data = request->data + sizeof(head), .size = head.size };
	pid = unpack_u32(&u);
	buf_clear(answer);
	r = ops[head.value](s, (pid_t)pid, &u, answer);
	if (answer->error || answer->size > ANSWER_MAX) {
		r = answer->error ? answer->error : -EFBIG;
		buf_free(answer);
	}
	head = (struct message_head){ .size = (uint32_t)answer->size,
				      .value = r,
				      .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began };
	return write_answer(fd, &head, answer);
}

/* What a question took at most is not kept for good. */
#define KEPT_MAX (256u << 10)

static void trim(struct buf *b)
{
	if (b->allocated > KEPT_MAX)
		buf_free(b);
}

void serve_run(void)
{
	struct buf request = {}, answer = {};
	struct served s = {};
	int r = python_cache_new(&s.cache);

	if (r >= 0)
		r = version_cache_new(&s.versions);

	while (r >= 0) {
		r = serve_one(&s, HELPER_FD, &request, &answer);
		trim(&request);
		trim(&answer);
	}
	if (r != -EPIPE)
		log_warning_r(r, "A helper ends");
	_exit(r == -EPIPE ? 0 : 1);
}
