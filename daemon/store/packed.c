/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/packed.h"

void packed_put(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_putc(b, (char)(v | 0x80));
		v >>= 7;
	}
	buf_putc(b, (char)v);
}

void packed_put_signed(struct buf *b, int64_t v)
{
	packed_put(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

int packed_get_long(struct packed *p, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && p->at < p->end; shift += 7) {
		uint8_t byte = *p->at++;

		if (shift == 63 && byte > 1)
			return -EBADMSG;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

int packed_get_signed(struct packed *p, int64_t *ret)
{
	uint64_t v;
	int r;

	r = packed_get(p, &v);
	if (r < 0)
		return r;
	*ret = (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
	return 0;
}
