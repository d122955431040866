/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>

#include "plopd/tokens.h"

int tokens_new(struct tokens *t, uint64_t now_ns, char ret[static TOKEN_HEX + 1])
{
	unsigned char raw[TOKEN_HEX / 2];
	size_t oldest = 0;

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return -EIO;
	for (size_t i = 1; i < TOKENS_MAX; i++) {
		if (t->items[i].until < t->items[oldest].until)
			oldest = i;
	}
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(t->items[oldest].hex + 2 * i, 3, "%02x", raw[i]);
	t->items[oldest].until = now_ns + TOKEN_LIFE_S * NSEC_PER_SEC;
	memcpy(ret, t->items[oldest].hex, TOKEN_HEX + 1);
	return 0;
}

/* In a time that does not depend on where they differ. */
static bool is_equal(const char *hex, const char *token)
{
	unsigned char differs = 0;

	for (size_t j = 0; j < TOKEN_HEX; j++)
		differs |= (unsigned char)(hex[j] ^ token[j]);
	return !differs;
}

uint64_t tokens_check(const struct tokens *t, uint64_t now_ns, const char *token)
{
	uint64_t left = 0;

	if (strlen(token) != TOKEN_HEX)
		return 0;
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (is_equal(t->items[i].hex, token) && t->items[i].until > now_ns)
			left = (t->items[i].until - now_ns) / NSEC_PER_SEC;
	return left;
}

void tokens_revoke(struct tokens *t, const char *token)
{
	if (strlen(token) != TOKEN_HEX)
		return;
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (is_equal(t->items[i].hex, token))
			t->items[i].until = 0;
}
