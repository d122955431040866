/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/decode.h"

int record_check(const void *data, size_t size)
{
	const struct plop_record *r = data;
	const struct plop_record_code *code = data;
	const struct plop_record_task *task = data;

	if (size < sizeof(*r))
		return -EBADMSG;
	switch (r->type) {
	case PLOP_RECORD_EXEC:
		return size >= sizeof(struct plop_record_exec) ? 0 : -EBADMSG;
	case PLOP_RECORD_EXIT:
	case PLOP_RECORD_CHECK:
	case PLOP_RECORD_PRESSURE:
	case PLOP_RECORD_THREAD:
	case PLOP_RECORD_RENAME:
	case PLOP_RECORD_PERIOD:
		return 0;
	case PLOP_RECORD_STATE:
		return size >= sizeof(struct plop_record_state) ? 0 : -EBADMSG;
	case PLOP_RECORD_WAIT:
		return size >= sizeof(struct plop_record_wait) ? 0 : -EBADMSG;
	case PLOP_RECORD_FORK:
		return size >= sizeof(struct plop_record_fork) ? 0 : -EBADMSG;
	case PLOP_RECORD_CODE:
		if (size < sizeof(*code) || !code->code)
			return -EBADMSG;
		if (sizeof(*code) + code->file_bytes + code->name_bytes + code->linetable_bytes >
		    size)
			return -EBADMSG;
		return 0;
	case PLOP_RECORD_TASK:
		if (size < sizeof(*task) || plop_frame_kind(task->code) != PLOP_FRAME_SYNTHETIC ||
		    task->bytes > size - sizeof(*task))
			return -EBADMSG;
		return 0;
	default:
		return -EBADMSG;
	}
}

int stack_check(const struct plop_half *half, uint32_t n)
{
	uint32_t nframes = MIN(half->nframes, (uint32_t)PLOP_HALF_FRAMES);
	const struct plop_stack *s;

	if (n >= PLOP_HALF_STACKS)
		return -EBADMSG;
	s = &half->stacks[n];
	if (s->depth > PLOP_MAX_DEPTH || s->frames > nframes || s->frames + s->depth > nframes)
		return -EBADMSG;
	return 0;
}

int stack_thread_check(const struct plop_half *half, uint32_t n)
{
	if (n >= PLOP_HALF_THREADS || half->threads[n].stack >= half->nstacks)
		return -EBADMSG;
	return stack_check(half, half->threads[n].stack);
}
