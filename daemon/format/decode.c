/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/decode.h"

#include <zlib.h>

#include "util/buf.h"
#include "util/utf8.h"

/* The name of a frame as others may write it: "name (file:line)", "name" or "[name]". */
static int add_frame(struct dict *d, char *text, uint32_t *ret)
{
	size_t size = strlen(text);
	struct dict_function f = {
		.name = text, .file = "", .module = "", .kind = PLOP_FRAME_PYTHON
	};
	char *place = NULL, *colon;
	uint32_t function;
	int line = 0, r;

	if (size > 1 && text[0] == '[' && text[size - 1] == ']')
		return dict_synthetic(d, text, ret);
	if (size > 1 && text[size - 1] == ')')
		place = strstr(text, " (");
	if (place && place > text) {
		text[size - 1] = '\0';
		*place = '\0';
		place += 2;
		colon = strrchr(place, ':');
		if (colon && (colon[1] == '-' || (colon[1] >= '0' && colon[1] <= '9'))) {
			*colon = '\0';
			line = atoi(colon + 1);
		} else if (colon && streq(colon, ":compiled")) {
			*colon = '\0';
		}
		f.file = place;
	}
	if (*f.file && !strstr(f.file, ".py") && *f.file != '<') {
		f.kind = PLOP_FRAME_NATIVE;
		f.module = f.file;
		f.file = "";
	}
	r = dict_function(d, &f, &function);
	return r < 0 ? r : dict_frame(d, function, line > 0 ? line : 0, ret);
}

static int add_line(struct profile *p, char *line, uint64_t count)
{
	uint32_t frames[DECODE_DEPTH], depth = 0, stack;
	char *rest = line, *text;
	int r = 0;

	while (r == 0 && (text = strsep(&rest, ";"))) {
		if (depth == DECODE_DEPTH) {
			memmove(frames, frames + 1, (DECODE_DEPTH - 1) * sizeof(*frames));
			depth--;
		}
		r = add_frame(p->dict, text, &frames[depth]);
		depth++;
	}
	if (r == 0)
		r = dict_stack(p->dict, frames, depth, &stack);
	if (r == 0)
		r = profile_add(p, 0, 0, stack, count);
	return r == 0 && profile_bytes(p) > DECODE_MEMORY ? -E2BIG : r;
}

/* "stack count": the count is what follows the last blank. NULL: it is no such line. */
static char *find_count(char *line, uint64_t *ret)
{
	char *blank = strrchr(line, ' '), *end;

	if (!blank || blank == line || blank[1] < '0' || blank[1] > '9')
		return NULL;
	errno = 0;
	*ret = strtoull(blank + 1, &end, 10);
	/* some write a weight with a fraction */
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (errno || *end || *ret > UINT64_C(1) << 48)
		return NULL;
	*blank = '\0';
	return blank;
}

int collapsed_decode(const char *data, size_t size, struct decoded *to, char why[DECODE_WHY_MAX])
{
	_cleanup_free_ char *raw = NULL, *copy = NULL;
	unsigned int number = 0;
	char *rest, *line;
	int r = 0;

	if (memchr(data, '\0', size)) {
		snprintf(why, DECODE_WHY_MAX, "it is neither pprof nor collapsed stacks");
		return -EBADMSG;
	}
	raw = strndup(data, size);
	copy = raw ? utf8_clean(raw) : NULL;
	if (!copy)
		return -ENOMEM;
	rest = copy;
	while (r == 0 && (line = strsep(&rest, "\n"))) {
		size_t length = strlen(line);
		uint64_t count;

		number++;
		if (length && line[length - 1] == '\r')
			line[--length] = '\0';
		if (!length || *line == '#')
			continue;
		if (!find_count(line, &count)) {
			snprintf(why, DECODE_WHY_MAX, "line %u is not \"frame;frame COUNT\"",
				 number);
			return -EBADMSG;
		}
		r = count ? add_line(to->profile, line, count) : 0;
	}
	return r;
}

static int gunzip(const char *data, size_t size, struct buf *to, char why[DECODE_WHY_MAX])
{
	z_stream z = { .next_in = (unsigned char *)data, .avail_in = (unsigned int)size };
	int r = Z_OK;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	while (r == Z_OK && !to->error) {
		unsigned char *room = buf_reserve(to, 64 * 1024);

		if (!room)
			break;
		z.next_out = room;
		z.avail_out = 64 * 1024;
		r = inflate(&z, Z_NO_FLUSH);
		to->size += 64 * 1024 - z.avail_out;
	}
	inflateEnd(&z);
	if (to->error)
		return to->error == -EFBIG ? -E2BIG : to->error;
	if (r == Z_STREAM_END)
		return 0;
	snprintf(why, DECODE_WHY_MAX, "its gzip ends too early, or is broken");
	return -EBADMSG;
}

static int decode(const char *data, size_t size, struct decoded *to, char why[DECODE_WHY_MAX])
{
	_cleanup_buf_ struct buf text = { .limit = DECODE_BYTES };
	bool zipped = size > 2 && memcmp(data, "\x1f\x8b", 2) == 0;
	int r = zipped ? gunzip(data, size, &text, why) : 0;

	if (r < 0)
		return r;
	if (zipped) {
		data = text.data;
		size = text.size;
	}
	/* a profile begins with a sample type, field 1: no text of stacks begins so */
	if (size > 0 && *data == 0x0a && !(size > 1 && data[1] == 0x0a))
		return pprof_decode((const uint8_t *)data, size, to, why);
	return collapsed_decode(data, size, to, why);
}

int profile_decode(const char *data, size_t size, struct decoded *ret, char why[DECODE_WHY_MAX])
{
	const struct process_info info = process_info_of(0);
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct decoded d = {};
	uint32_t process;
	int r;

	if (size > DECODE_BYTES)
		return -E2BIG;
	r = profile_new(0, 0, &p);
	if (r == 0)
		r = profile_process(p, &info, "", &process);
	d.profile = p;
	if (r == 0)
		r = decode(data, size, &d, why);
	if (r < 0)
		return r;
	*ret = d;
	ret->profile = TAKE_PTR(p);
	return 0;
}
