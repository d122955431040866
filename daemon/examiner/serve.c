/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/prctl.h>
#include <sys/uio.h>

#include "examiner/private.h"
#include "util/log.h"

static const serve_t ops[EXAMINE_OPS] = {
	[EXAMINE_PROCESS] = serve_process, [EXAMINE_ASYNC] = serve_async,
	[EXAMINE_CODE] = serve_code,       [EXAMINE_THREADS] = serve_threads,
	[EXAMINE_DUMP] = serve_dump,       [EXAMINE_STATES] = serve_states,
	[EXAMINE_ASLEEP] = serve_asleep,   [EXAMINE_TITLE] = serve_title,
};

/* All size bytes; -EPIPE: plopd has gone. */
static int read_all(int fd, void *buffer, size_t size)
{
	char *to = buffer;

	while (size > 0) {
		ssize_t n = read(fd, to, size);

		if (n < 0 && errno == EINTR)
			continue;
		/* plopd may have gone with answers that it did not read */
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (n < 0)
			return -errno;
		to += n;
		size -= (size_t)n;
	}
	return 0;
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
	uint32_t pid;
	int r = read_all(fd, &head, sizeof(head));

	if (r < 0)
		return r;
	if (head.size > REQUEST_MAX || head.value < 0 || head.value >= EXAMINE_OPS)
		return -EBADMSG;
	buf_clear(request);
	if (head.size > 0 && !buf_reserve(request, head.size))
		return -ENOMEM;
	r = read_all(fd, request->data, head.size);
	if (r < 0)
		return r;
	u = (struct unpack){ .data = request->data, .size = head.size };
	pid = unpack_u32(&u);
	buf_clear(answer);
	r = ops[head.value](s, (pid_t)pid, &u, answer);
	if (answer->error || answer->size > ANSWER_MAX) {
		r = answer->error ? answer->error : -EFBIG;
		buf_free(answer);
	}
	head = (struct message_head){ .size = (uint32_t)answer->size, .value = r };
	return write_answer(fd, &head, answer);
}

/* What a question took at most is not kept for good. */
#define KEPT_MAX (256u << 10)

static void trim(struct buf *b)
{
	if (b->allocated > KEPT_MAX)
		buf_free(b);
}

void serve_run(int fd)
{
	struct buf request = {}, answer = {};
	struct served s = {};
	int r = python_cache_new(&s.cache);

	prctl(PR_SET_NAME, "plopd-helper");
	while (r >= 0) {
		r = serve_one(&s, fd, &request, &answer);
		trim(&request);
		trim(&answer);
	}
	if (r != -EPIPE)
		log_warning_r(r, "A helper ends");
	_exit(r == -EPIPE ? 0 : 1);
}
