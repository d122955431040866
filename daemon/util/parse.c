/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "util/parse.h"

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s == '\0')
		return -EINVAL;
	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9')
			return -EINVAL;
	for (; *s; s++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

/*
 * digits[.digits] at s, in units of unit nanoseconds; *end: what follows. More than nine decimals
 * are cut.
 */
static int parse_decimal(const char *s, const char **end, uint64_t *whole, uint64_t *billionths)
{
	uint64_t v = 0, fraction = 0, place = 100000000;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	if (p == s)
		return -EINVAL;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -EINVAL;
		for (p++; *p >= '0' && *p <= '9'; p++) {
			fraction += (uint64_t)(*p - '0') * place;
			place /= 10;
		}
	}
	*end = p;
	*whole = v;
	*billionths = fraction;
	return 0;
}

int parse_millionths(const char *s, uint64_t *ret)
{
	uint64_t whole, billionths, v;
	const char *end;
	int r = parse_decimal(s, &end, &whole, &billionths);

	if (r < 0 || *end)
		return r < 0 ? r : -EINVAL;
	if (__builtin_mul_overflow(whole, (uint64_t)1000000, &v) ||
	    __builtin_add_overflow(v, billionths / 1000, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

static int scale(uint64_t whole, uint64_t billionths, uint64_t unit_ns, uint64_t *ret)
{
	uint64_t v;
	/* A day is 8.64e13 ns: times 1e9 needs 128 bits. */
	uint64_t fraction = (uint64_t)((unsigned __int128)billionths * unit_ns / NSEC_PER_SEC);

	if (__builtin_mul_overflow(whole, unit_ns, &v) || __builtin_add_overflow(v, fraction, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

/* A unit's nanoseconds, 0 for none. By the letters that systemd.time(7) has, too. */
static uint64_t unit_ns(const char *name, size_t size)
{
	static const struct {
		const char *names; /* each between blanks */
		uint64_t ns;
	} units[] = {
		{ " us usec ", UINT64_C(1000) },
		{ " ms msec ", NSEC_PER_MSEC },
		{ " s sec second seconds ", NSEC_PER_SEC },
		{ " m min minute minutes ", 60 * NSEC_PER_SEC },
		{ " h hr hour hours ", 3600 * NSEC_PER_SEC },
		{ " d day days ", 24 * 3600 * NSEC_PER_SEC },
		{ " w week weeks ", 7 * 24 * 3600 * NSEC_PER_SEC },
		{ " M month months ", 2629800 * NSEC_PER_SEC }, /* a year's twelfth */
		{ " y year years ", 31557600 * NSEC_PER_SEC },  /* 365.25 days */
	};
	char word[16];

	if (size == 0 || size + 3 > sizeof(word))
		return 0;
	snprintf(word, sizeof(word), " %.*s ", (int)size, name);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strstr(units[i].names, word))
			return units[i].ns;
	return 0;
}

int parse_duration(const char *s, uint64_t *ret)
{
	uint64_t sum = 0, whole, billionths, part, unit;
	const char *p = s;
	size_t n;
	int r;

	do {
		r = parse_decimal(p, &p, &whole, &billionths);
		if (r < 0)
			return r;
		/* A number alone is seconds, and only alone. */
		if (*p == '\0' && s[strspn(s, "0123456789.")] == '\0')
			return scale(whole, billionths, NSEC_PER_SEC, ret);
		p += strspn(p, " ");
		n = strspn(p, "abcdefghijklmnopqrstuvwxyzM");
		unit = unit_ns(p, n);
		if (!unit)
			return -EINVAL;
		r = scale(whole, billionths, unit, &part);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
		p += n;
		if (*p == ' ' && p[strspn(p, " ")])
			p += strspn(p, " ");
	} while (*p);
	*ret = sum;
	return 0;
}

int parse_size(const char *s, uint64_t *ret)
{
	uint64_t whole, billionths, v;
	unsigned int shift = 0;
	const char *end;
	int r;

	r = parse_decimal(s, &end, &whole, &billionths);
	if (r < 0)
		return r;
	if (billionths || strchr(s, '.'))
		return -EINVAL;
	if (*end && *end != 'B') {
		const char *letters = "KMGT", *p = strchr(letters, *end == 'k' ? 'K' : *end);

		if (!p)
			return -EINVAL;
		shift = (unsigned int)(p - letters + 1) * 10;
		end++;
	}
	if (!streq(end, "") && !streq(end, "B") && !streq(end, "iB"))
		return -EINVAL;
	if (shift == 0 && streq(end, "iB"))
		return -EINVAL;
	if (__builtin_mul_overflow(whole, UINT64_C(1) << shift, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_unix_seconds(const char *s, uint64_t *ret)
{
	uint64_t whole, billionths;
	const char *end;
	int r;

	r = parse_decimal(s, &end, &whole, &billionths);
	if (r < 0)
		return r;
	return *end ? -EINVAL : scale(whole, billionths, NSEC_PER_SEC, ret);
}

int parse_address(const char *s, struct parsed_address *ret)
{
	struct parsed_address a = {};
	const char *host = s, *colon;
	size_t n;
	uint64_t port;
	int r;

	if (*s == '[') {
		colon = strstr(s, "]:");
		host++;
		n = colon ? (size_t)(colon - host) : 0;
		if (!colon || n == 0)
			return -EINVAL;
		colon++;
	} else {
		colon = strrchr(s, ':');
		/* More than one colon without brackets: where would the address end? */
		if (!colon || colon != strchr(s, ':'))
			return -EINVAL;
		n = (size_t)(colon - host);
	}
	if (n >= sizeof(a.host) || memchr(host, ' ', n))
		return -EINVAL;
	r = parse_u64(colon + 1, 1, UINT16_MAX, &port);
	if (r < 0)
		return r;
	memcpy(a.host, n ? host : "127.0.0.1", n ? n : strlen("127.0.0.1"));
	a.port = (uint16_t)port;
	*ret = a;
	return 0;
}

const char *format_bytes(uint64_t bytes, char *buffer, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t i = 0;

	/* Powers of 1024, as parse_size() reads them. */
	while (v >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		i++;
	}
	snprintf(buffer, size, i == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[i]);
	return buffer;
}

const char *format_duration(uint64_t ns, char *buffer, size_t size)
{
	uint64_t s = ns / NSEC_PER_SEC;

	if (s >= 86400)
		snprintf(buffer, size, "%" PRIu64 "d %02" PRIu64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buffer, size, "%" PRIu64 "h %02" PRIu64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buffer, size, "%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(buffer, size, "%" PRIu64 "s", s);
	return buffer;
}
