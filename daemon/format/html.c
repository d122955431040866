/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/encoders.h"
#include "format/page.h"

/* Each of these is in a string, where \u is the same. */
void page_put_json(struct buf *out, const char *data, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i < size; i++) {
		bool line = size - i >= 3 && memcmp(data + i, "\xe2\x80", 2) == 0 &&
			    (data[i + 2] == '\xa8' || data[i + 2] == '\xa9');

		if (!line && data[i] != '<' && data[i] != '>' && data[i] != '&')
			continue;
		buf_append(out, data + from, i - from);
		buf_printf(out, "\\u%04x",
			   line ? 0x2028u + (data[i + 2] == '\xa9') : (unsigned int)data[i]);
		i += line ? 2 : 0;
		from = i + 1;
	}
	buf_append(out, data + from, size - from);
}

static int put_encoded(const struct profile *p, int (*encode)(const struct profile *, struct buf *),
		       struct buf *out)
{
	_cleanup_buf_ struct buf part = { .limit = out->limit };
	int r = encode(p, &part);

	if (r == 0)
		page_put_json(out, part.data, part.size);
	return r;
}

int html_encode(const struct profile *p, struct buf *out)
{
	int r;

	buf_append(out, (const char *)page_head, page_head_size);
	buf_puts(out, "{\"graph\":");
	r = put_encoded(p, json_encode, out);
	buf_puts(out, ",\"tree\":");
	if (r == 0)
		r = put_encoded(p, tree_encode, out);
	buf_putc(out, '}');
	buf_append(out, (const char *)page_tail, page_tail_size);
	return r < 0 ? r : out->error;
}
