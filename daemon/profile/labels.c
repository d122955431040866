/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/labels.h"
#include "util/utf8.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool label_key_valid(const char *key)
{
	size_t n = 0;

	if (!is_letter(*key))
		return false;
	for (; key[n]; n++)
		if (!is_letter(key[n]) && !(key[n] >= '0' && key[n] <= '9') && key[n] != '.' &&
		    key[n] != '-')
			return false;
	return n <= LABEL_KEY_MAX;
}

bool label_value_valid(const char *value)
{
	uint32_t c;

	if (strnlen(value, LABEL_VALUE_MAX + 1) > LABEL_VALUE_MAX)
		return false;
	while (*value) {
		size_t size = utf8_decode(value, &c);

		/* A byte that is not UTF-8 decodes to the same character as its own three bytes. */
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
		    (c == UTF8_REPLACEMENT && size < 3))
			return false;
		value += size;
	}
	return true;
}

const char *labels_rules(void)
{
	return "a key has up to 63 letters, digits, _ . and -, beginning with a letter or _, and a "
	       "value up to 256 bytes of UTF-8 without control characters";
}

const char *labels_bounds(void)
{
	_Static_assert(LABELS_MAX == 16 && LABEL_KEY_MAX == 63 && LABEL_VALUE_MAX == 256,
		       "as they are in the sentence");
	return "a recording has at most 16 labels, with keys of 63 and values of 256 bytes";
}

int labels_add(struct labels *l, const char *key, const char *value)
{
	struct label item;

	if (!label_key_valid(key) || !label_value_valid(value))
		return -EINVAL;
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->items[i].key, key))
			return streq(l->items[i].value, value) ? 0 : -EEXIST;
	if (l->n == LABELS_MAX)
		return -E2BIG;
	item.key = strdup(key);
	item.value = strdup(value);
	if (!item.key || !item.value) {
		free(item.key);
		free(item.value);
		return -ENOMEM;
	}
	l->items[l->n++] = item;
	return 0;
}

void labels_done(struct labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	*l = (struct labels){};
}

int labels_copy(const struct labels *from, struct labels *ret)
{
	struct labels l = {};

	for (size_t i = 0; i < from->n; i++) {
		int r = labels_add(&l, from->items[i].key, from->items[i].value);

		if (r < 0) {
			labels_done(&l);
			return r;
		}
	}
	*ret = l;
	return 0;
}

const char *labels_get(const struct labels *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->items[i].key, key))
			return l->items[i].value;
	return "";
}
