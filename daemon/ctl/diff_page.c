/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_page.h"

#include "format/page.h"

static int put(struct buf *out, const char *key, const json_t *value)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	buf_puts(out, key);
	page_put_json(out, text, strlen(text));
	return 0;
}

int diff_page_write(const json_t *answer, json_t *const trees[2], struct buf *out)
{
	int r;

	buf_append(out, (const char *)comparison_head, comparison_head_size);
	r = put(out, "{\"diff\":", answer);
	if (r == 0)
		r = put(out, ",\"base\":", trees[0]);
	if (r == 0)
		r = put(out, ",\"new\":", trees[1]);
	buf_putc(out, '}');
	buf_append(out, (const char *)comparison_tail, comparison_tail_size);
	return r < 0 ? r : out->error;
}
