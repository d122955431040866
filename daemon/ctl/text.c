/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <sys/ioctl.h>
#include <time.h>
#include <wchar.h>

#include "ctl/ctl.h"
#include "util/utf8.h"

const char *text_number(uint64_t n, char *buffer, size_t size)
{
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t out = 0;

	for (int i = 0; i < length && out + 2 < size; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			buffer[out++] = ',';
		buffer[out++] = digits[i];
	}
	buffer[out] = '\0';
	return buffer;
}

const char *text_time(double unix_seconds, char *buffer, size_t size)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(buffer, size, "?");
	return buffer;
}

/* Copies s up to max columns; returns the columns used. *ret_cut: there was more. */
static unsigned int copy_columns(const char *s, unsigned int max, char *buffer, size_t size,
				 size_t *ret_bytes, bool *ret_cut)
{
	mbstate_t state = {};
	unsigned int used = 0;
	size_t out = 0;

	*ret_cut = false;
	while (*s) {
		wchar_t c;
		size_t n = mbrtowc(&c, s, MB_CUR_MAX, &state);
		bool bad = n == (size_t)-1 || n == (size_t)-2 || n == 0;
		bool shown = !bad && utf8_is_visible((uint32_t)c) && wcwidth(c) >= 0;
		int width = shown ? wcwidth(c) : 1;

		if (bad) {
			n = 1;
			memset(&state, 0, sizeof(state));
		}
		if (used + (unsigned int)width > max || out + n + 1 > size) {
			*ret_cut = true;
			break;
		}
		if (!shown) {
			buffer[out++] = '?';
		} else {
			memcpy(buffer + out, s, n);
			out += n;
		}
		used += (unsigned int)width;
		s += n;
	}
	buffer[out] = '\0';
	*ret_bytes = out;
	return used;
}

const char *text_cell(const char *s, unsigned int columns, bool fill, char *buffer, size_t size)
{
	size_t bytes;
	bool cut;
	unsigned int used = copy_columns(s, columns, buffer, size, &bytes, &cut);

	/* A mark where something is missing, if there is room for one. */
	if (cut && columns > 3) {
		bool again;

		used = copy_columns(s, columns - 2, buffer, size - 2, &bytes, &again);
		buffer[bytes++] = '.';
		buffer[bytes++] = '.';
		buffer[bytes] = '\0';
		used += 2;
	}
	for (; fill && used < columns && bytes + 1 < size; used++) {
		buffer[bytes++] = ' ';
		buffer[bytes] = '\0';
	}
	return buffer;
}

void text_for_terminal(const char *data, size_t size, bool json, struct buf *out)
{
	char bytes[UTF8_MAX];

	for (size_t at = 0; at < size;) {
		uint32_t c;

		at += utf8_decode_some(data + at, size - at, &c);
		if (c == '\n' || c == '\t' || utf8_is_visible(c))
			buf_append(out, bytes, utf8_encode(c, bytes));
		else if (!json)
			buf_append(out, bytes, utf8_encode(UTF8_REPLACEMENT, bytes));
		else if (c < 0x10000)
			buf_printf(out, "\\u%04" PRIx32, c);
		else
			buf_printf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (c >> 10),
				   0xdc00 + (c & 0x3ff));
	}
}

unsigned int text_columns(int fd)
{
	struct winsize w;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 80;
	return w.ws_col;
}

uint64_t text_lost_total(const json_t *lost)
{
	const char *cause;
	uint64_t total = 0;
	json_t *value;

	json_object_foreach((json_t *)lost, cause, value)
		total += (uint64_t)json_number_value(value);
	return total;
}

const char *text_lost(const json_t *lost, char *buffer, size_t size)
{
	const char *cause, *separator = " (";
	char number[32];
	json_t *value;
	size_t n;

	n = (size_t)snprintf(buffer, size, "%s",
			     text_number(text_lost_total(lost), number, sizeof(number)));
	json_object_foreach((json_t *)lost, cause, value)
	{
		char name[32];

		if (json_number_value(value) <= 0 || n >= size)
			continue;
		n += (size_t)snprintf(buffer + n, size - n, "%s%s %s", separator,
				      text_cell(cause, 30, false, name, sizeof(name)),
				      text_number((uint64_t)json_number_value(value), number,
						  sizeof(number)));
		separator = ", ";
	}
	if (n < size && separator[0] == ',')
		snprintf(buffer + n, size - n, ")");
	return buffer;
}

static const json_t *json_at(const json_t *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_get(o, key);
		path += n + (path[n] == '.');
	}
	return o;
}

double json_number_at(const json_t *o, const char *path)
{
	return json_number_value(json_at(o, path));
}

const char *json_string_at(const json_t *o, const char *path)
{
	const char *s = json_string_value(json_at(o, path));

	return s ? s : "";
}

const char *json_place_at(const json_t *function)
{
	const char *file = json_string_at(function, "file");

	return *file ? file : json_string_at(function, "module");
}
