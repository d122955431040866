/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "profile/synthetic.h"

int synthetic_text(uint64_t code, char **ret)
{
	uint64_t value = PLOP_SYNTHETIC_NUMBER(code);
	char *text;
	int n;

	switch (PLOP_SYNTHETIC_WHAT(code)) {
	case PLOP_SYNTHETIC_SEVERAL:
		n = asprintf(&text, "[%" PRIu64 " awaiting]", value);
		break;
	case PLOP_SYNTHETIC_MORE:
		n = asprintf(&text, "[more awaiting]");
		break;
	default:
		n = asprintf(&text, "[task]");
		break;
	}
	if (n < 0)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int synthetic_text_named(const struct plop_layout *l, const struct plop_record_task *record,
			 char **ret)
{
	struct python_string s = { .data = record->data,
				   .bytes = record->bytes,
				   .length = record->length };
	_cleanup_free_ char *name = NULL;
	char *text;
	bool cut;
	int r = python_string_state(l, record->state, &s.kind, &s.ascii);

	if (r == 0)
		r = python_string_decode(&s, PLOP_CAPTURE_TASK, &name, &cut);
	if (r < 0)
		return r;
	if (asprintf(&text, "[task %s]", name) < 0)
		return -ENOMEM;
	*ret = text;
	return 0;
}

void synthetic_find(const struct plop_frame *frames, uint32_t n, uint32_t *ret_from,
		    uint32_t *ret_to)
{
	*ret_from = *ret_to = n;
	for (uint32_t i = 0; i < n; i++) {
		if (plop_frame_kind(frames[i].code) != PLOP_FRAME_SYNTHETIC)
			continue;
		*ret_from = MIN(*ret_from, i);
		*ret_to = i + 1;
	}
}
