/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>

#include "util/nets.h"
#include "util/parse.h"

int net_address(const char *text, struct in6_addr *ret)
{
	struct in6_addr a = {};

	if (inet_pton(AF_INET6, text, &a) != 1) {
		a = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
		if (inet_pton(AF_INET, text, a.s6_addr + 12) != 1)
			return -EINVAL;
	}
	*ret = a;
	return 0;
}

static int parse_one(const char *text, struct net *ret)
{
	char address[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	unsigned int most;
	uint64_t bits;

	if (n >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, n);
	address[n] = '\0';
	if (net_address(address, &ret->address) < 0)
		return -EINVAL;
	most = strchr(address, ':') ? 128 : 32;
	if (!text[n])
		bits = most;
	else if (parse_u64(text + n + 1, 0, most, &bits) < 0)
		return -EINVAL;
	ret->bits = (unsigned int)bits + 128 - most;
	return 0;
}

int nets_parse(const char *text, struct nets *ret)
{
	struct nets nets = {};

	while (*(text += strspn(text, " ,"))) {
		size_t n = strcspn(text, " ,");
		char one[INET6_ADDRSTRLEN + 4];

		if (n >= sizeof(one))
			return -EINVAL;
		if (nets.n == NETS_MAX)
			return -E2BIG;
		memcpy(one, text, n);
		one[n] = '\0';
		if (parse_one(one, &nets.items[nets.n]) < 0)
			return -EINVAL;
		nets.n++;
		text += n;
	}
	*ret = nets;
	return 0;
}

static bool is_in(const struct in6_addr *a, const struct in6_addr *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest) == 0;
}

bool nets_have(const struct nets *n, const struct in6_addr *address)
{
	for (size_t i = 0; i < n->n; i++)
		if (is_in(&n->items[i].address, address, n->items[i].bits))
			return true;
	return false;
}

bool nets_have_loopback(const struct nets *n)
{
	static const struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT,
				     v4 = { .s6_addr = { [10] = 0xff, [11] = 0xff, 127 } };

	for (size_t i = 0; i < n->n; i++)
		if (is_in(&n->items[i].address, &v6, MIN(n->items[i].bits, 128u)) ||
		    is_in(&n->items[i].address, &v4, MIN(n->items[i].bits, 104u)))
			return true;
	return false;
}
