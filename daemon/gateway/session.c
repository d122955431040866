/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/random.h>

#include "gateway/check.h"
#include "gateway/session.h"

void sessions_add(struct sessions *s, const char *secret, const char *token,
		  const struct session_terms *terms)
{
	static uint64_t last = SESSION_FIRST; /* one loop thread */
	struct session *oldest = &s->items[0];

	for (size_t i = 1; i < SESSIONS_MAX; i++)
		if (s->items[i].terms.until_ns < oldest->terms.until_ns)
			oldest = &s->items[i];
	if (strlen(secret) >= sizeof(oldest->secret) ||
	    (token && strlen(token) >= sizeof(oldest->token)))
		return;
	strcpy(oldest->secret, secret);
	strcpy(oldest->token, token ? token : "");
	oldest->terms = *terms;
	oldest->number = last++;
}

static size_t find(const struct sessions *s, const char *secret, uint64_t now_ns)
{
	size_t found = SESSIONS_MAX;

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (check_secret(secret, s->items[i].secret) &
		    (s->items[i].terms.until_ns > now_ns))
			found = i;
	return found;
}

uint64_t sessions_find(const struct sessions *s, const char *secret, uint64_t now_ns,
		       struct session_terms *ret)
{
	size_t i = find(s, secret, now_ns);

	if (i == SESSIONS_MAX)
		return 0;
	if (ret)
		*ret = s->items[i].terms;
	return s->items[i].number;
}

uint64_t sessions_end(struct sessions *s, const char *secret, uint64_t now_ns, char *token)
{
	size_t i = find(s, secret, now_ns);
	uint64_t number;

	if (i == SESSIONS_MAX)
		return 0;
	number = s->items[i].number;
	if (token)
		strcpy(token, s->items[i].token);
	s->items[i] = (struct session){};
	return number;
}

int session_random(char *buffer, size_t size)
{
	unsigned char bytes[32];
	ssize_t n;

	if (size < SESSION_HEX + 1)
		return -EINVAL;
	n = getrandom(bytes, sizeof(bytes), 0);
	if (n != (ssize_t)sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}
