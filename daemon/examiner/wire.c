/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/wire.h"

/* The length of a text that is NULL. */
#define NO_TEXT UINT32_MAX

void pack_bytes(struct buf *b, const void *data, size_t size)
{
	if (size > 0)
		buf_append(b, data, size);
}

void pack_u32(struct buf *b, uint32_t value)
{
	buf_append(b, &value, sizeof(value));
}

void pack_text(struct buf *b, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	pack_u32(b, text ? (uint32_t)size : NO_TEXT);
	pack_bytes(b, text, size);
}

const void *unpack_take(struct unpack *u, size_t size)
{
	const char *data = u->data;

	if (u->error || size > u->size) {
		u->error = u->error ? u->error : -EBADMSG;
		return NULL;
	}
	u->data += size;
	u->size -= size;
	return data;
}

void unpack_bytes(struct unpack *u, void *ret, size_t size)
{
	const void *data = unpack_take(u, size);

	if (data)
		memcpy(ret, data, size);
	else
		memset(ret, 0, size);
}

uint32_t unpack_u32(struct unpack *u)
{
	uint32_t value;

	unpack_bytes(u, &value, sizeof(value));
	return value;
}

char *unpack_text(struct unpack *u)
{
	uint32_t size = unpack_u32(u);
	const char *data;
	char *text;

	if (u->error || size == NO_TEXT)
		return NULL;
	data = unpack_take(u, size);
	if (!data)
		return NULL;
	text = strndup(data, size);
	if (!text)
		u->error = -ENOMEM;
	return text;
}
