/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>

#include "gateway/check.h"
#include "gateway/session.h"

void sessions_add(struct sessions *s, const char *secret, uint64_t until_ns)
{
	struct session *oldest = &s->items[0];

	for (size_t i = 1; i < SESSIONS_MAX; i++)
		if (s->items[i].until_ns < oldest->until_ns)
			oldest = &s->items[i];
	if (strlen(secret) >= sizeof(oldest->secret))
		return;
	strcpy(oldest->secret, secret);
	oldest->until_ns = until_ns;
}

bool sessions_has(const struct sessions *s, const char *secret, uint64_t now_ns)
{
	bool found = false;

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		found |= check_secret(secret, s->items[i].secret) & (s->items[i].until_ns > now_ns);
	return found;
}

int session_random(char *buffer, size_t size)
{
	unsigned char bytes[32];
	ssize_t n;

	if (size < 2 * sizeof(bytes) + 1)
		return -EINVAL;
	n = getrandom(bytes, sizeof(bytes), 0);
	if (n != (ssize_t)sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}
