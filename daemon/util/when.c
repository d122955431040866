/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/when.h"

#include <time.h>

#include "util/parse.h"

#define DAY     INT64_C(86400)
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What was read of a calendar's time. */
struct written {
	int weekday; /* from Sunday on; -1: none */
	bool has_day, has_date;
	int day;     /* without a date: from today on, yesterday is -1 */
	struct tm t; /* date and time of day */
	uint64_t fraction;
	bool has_zone; /* one with a known offset */
	int64_t offset;
	char name[16]; /* of the host's zone; "": none */
};

static int64_t host_offset(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/*
 * Whether this second is called so in the host's zone: local by its clocks, name by its zone ("":
 * whatever that is).
 */
static bool is_called(int64_t at, int64_t local, const char *name)
{
	time_t t = (time_t)at;
	struct tm tm;

	return localtime_r(&t, &tm) && at + tm.tm_gmtoff == local &&
	       (!*name || strcasecmp(tm.tm_zone, name) == 0);
}

/*
 * The second at which clocks of the host show local, a time as seconds since 1970 that knows no
 * zones. It is one of two, by the offset that holds a day before and by that which holds a day
 * after: both where clocks are put back, neither where they leave it out.
 */
static int resolve(int64_t local, const char *name, bool last, int64_t *ret)
{
	int64_t before = local - host_offset(local - DAY), after = local - host_offset(local + DAY);
	bool is_before = is_called(before, local, name), is_after = is_called(after, local, name);

	if (is_before && is_after)
		*ret = last ? MAX(before, after) : MIN(before, after);
	else if (is_before || is_after)
		*ret = is_before ? before : after;
	else if (*name)
		return -EINVAL;
	else
		*ret = before;
	return 0;
}

static void skip_blanks(const char **s)
{
	*s += strspn(*s, " ");
}

/* The number of a word of letters at *s in a list, behind which s then stands; -1, and stays. */
static int take_word(const char **s, const char *const *words, int n)
{
	size_t size = strspn(*s, LETTERS);

	for (int i = 0; i < n; i++) {
		if (size == 0 || strlen(words[i]) != size || strncasecmp(*s, words[i], size) != 0)
			continue;
		*s += size;
		return i;
	}
	return -1;
}

/* From least to most digits, within bounds. */
static bool take_number(const char **s, size_t least, size_t most, int min, int max, int *ret)
{
	size_t n = strspn(*s, "0123456789");
	int v = 0;

	if (n < least || n > most)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (*s)[i] - '0';
	if (v < min || v > max)
		return false;
	*s += n;
	*ret = v;
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (leap && month == 2);
}

/* 2026-11-28 */
static bool take_date(const char **s, struct written *w)
{
	int year, month, day;

	if (!take_number(s, 4, 4, 0, 9999, &year) || !take_char(s, '-') ||
	    !take_number(s, 1, 2, 1, 12, &month) || !take_char(s, '-') ||
	    !take_number(s, 1, 2, 1, days_of(year, month), &day))
		return false;
	w->t.tm_year = year - 1900;
	w->t.tm_mon = month - 1;
	w->t.tm_mday = day;
	w->has_date = true;
	return true;
}

/* 9:00, 09:00:30, 09:00:30.25; digits beyond a nanosecond are cut. */
static bool take_time(const char **s, struct written *w)
{
	if (!take_number(s, 1, 2, 0, 23, &w->t.tm_hour) || !take_char(s, ':') ||
	    !take_number(s, 2, 2, 0, 59, &w->t.tm_min))
		return false;
	if (!take_char(s, ':'))
		return true;
	if (!take_number(s, 2, 2, 0, 59, &w->t.tm_sec))
		return false;
	if (!take_char(s, '.'))
		return true;
	if (**s < '0' || **s > '9')
		return false;
	for (uint64_t place = NSEC_PER_SEC / 10; **s >= '0' && **s <= '9'; place /= 10, (*s)++)
		w->fraction += (uint64_t)(**s - '0') * place;
	return true;
}

/* Z, UTC, +01:00, +0100, +01, or letters that the host's zone may be called by. */
static bool take_zone(const char **s, struct written *w)
{
	static const char *const utc[] = { "Z", "UTC", "GMT" };
	int sign = **s == '-' ? -1 : 1, hours, minutes = 0;
	size_t n;

	if (take_word(s, utc, ARRAY_SIZE(utc)) >= 0) {
		w->has_zone = true;
		return true;
	}
	if (take_char(s, '+') || take_char(s, '-')) {
		size_t digits = strspn(*s, "0123456789");

		/* the first two of four */
		if (digits != 2 && digits != 4)
			return false;
		hours = ((*s)[0] - '0') * 10 + (*s)[1] - '0';
		*s += 2;
		if ((digits == 4 || take_char(s, ':')) && !take_number(s, 2, 2, 0, 59, &minutes))
			return false;
		if (hours > 14)
			return false;
		w->has_zone = true;
		w->offset = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
		return true;
	}
	n = strspn(*s, LETTERS);
	if (n == 0 || n >= sizeof(w->name))
		return false;
	memcpy(w->name, *s, n);
	*s += n;
	return true;
}

static bool take_weekday(const char **s, struct written *w)
{
	static const char *const days[] = { "Sun",       "Mon",      "Tue",    "Wed",     "Thu",
					    "Fri",       "Sat",      "Sunday", "Monday",  "Tuesday",
					    "Wednesday", "Thursday", "Friday", "Saturday" };
	int i = take_word(s, days, ARRAY_SIZE(days));

	w->weekday = i % 7;
	if (i < 0)
		return true;
	if (**s != ' ')
		return false;
	skip_blanks(s);
	return true;
}

/* The whole string as weekday, day, time and zone, of which a day or a time has to be there. */
static int read_calendar(const char *s, struct written *w)
{
	static const char *const days[] = { "yesterday", "today", "tomorrow" };
	bool has_time = false;
	int i;

	if (!take_weekday(&s, w))
		return -EINVAL;
	i = take_word(&s, days, ARRAY_SIZE(days));
	if (i >= 0) {
		w->has_day = true;
		w->day = i - 1;
	} else if (s[strspn(s, "0123456789")] == '-') {
		if (!take_date(&s, w))
			return -EINVAL;
		w->has_day = true;
	}
	if (w->has_day) {
		bool joined = (*s == 'T' || *s == 't') && s[1] >= '0' && s[1] <= '9';

		s += joined;
		if (!joined && *s && *s != ' ')
			return -EINVAL;
		skip_blanks(&s);
	}
	if (*s >= '0' && *s <= '9') {
		if (!take_time(&s, w))
			return -EINVAL;
		has_time = true;
		skip_blanks(&s);
	}
	if (!w->has_day && !has_time)
		return -EINVAL;
	if (*s && !take_zone(&s, w))
		return -EINVAL;
	return *s ? -EINVAL : 0;
}

static int parse_calendar(const char *s, uint64_t now_ns, bool last, uint64_t *ret)
{
	struct written w = {};
	time_t now = (time_t)(now_ns / NSEC_PER_SEC);
	struct tm date;
	int64_t at;
	int r;

	r = read_calendar(s, &w);
	if (r < 0)
		return r;
	if (!w.has_date) {
		/* Today is a day of the zone that is meant. */
		now += w.has_zone ? (time_t)w.offset : (time_t)host_offset((int64_t)now);
		if (!gmtime_r(&now, &date))
			return -ERANGE;
		w.t.tm_year = date.tm_year;
		w.t.tm_mon = date.tm_mon;
		w.t.tm_mday = date.tm_mday + w.day;
	}
	at = (int64_t)timegm(&w.t);
	if (w.weekday >= 0 && w.t.tm_wday != w.weekday)
		return -EINVAL;
	if (w.has_zone)
		at -= w.offset;
	else
		r = resolve(at, w.name, last, &at);
	if (r < 0)
		return r;
	if (at < 0 || (uint64_t)at > UINT64_MAX / NSEC_PER_SEC - 1)
		return -ERANGE;
	*ret = (uint64_t)at * NSEC_PER_SEC + w.fraction;
	return 0;
}

/* "10m", "10m ago", "-10m", "+10m", "10m left" */
static int parse_relative(const char *s, uint64_t now_ns, uint64_t *ret)
{
	static const struct {
		const char *text;
		bool later;
	} ends[] = { { " ago", false }, { " left", true } };
	_cleanup_free_ char *copy = NULL;
	bool later = *s == '+';
	uint64_t span;
	int r;

	if (*s == '+' || *s == '-') {
		r = parse_duration(s + 1, &span);
	} else {
		copy = strdup(s);
		if (!copy)
			return -ENOMEM;
		for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
			size_t size = strlen(copy), n = strlen(ends[i].text);

			if (size <= n || strcasecmp(copy + size - n, ends[i].text) != 0)
				continue;
			while (size > n && copy[size - n - 1] == ' ')
				size--;
			copy[size - n] = '\0';
			later = ends[i].later;
			break;
		}
		r = parse_duration(copy, &span);
	}
	if (r < 0)
		return r;
	if (later && __builtin_add_overflow(now_ns, span, &span))
		return -ERANGE;
	*ret = later ? span : span < now_ns ? now_ns - span : 0;
	return 0;
}

int when_parse(const char *s, uint64_t now_ns, bool last, uint64_t *ret)
{
	size_t digits = strspn(s, "0123456789"), size = strlen(s);
	int r;

	if (size == 0 || s[size - 1] == ' ')
		return -EINVAL;
	if (strcasecmp(s, "now") == 0) {
		*ret = now_ns;
		return 0;
	}
	if (*s == '@')
		return parse_unix_seconds(s + 1, ret);
	if (digits >= 10 && (s[digits] == '\0' || s[digits] == '.'))
		return parse_unix_seconds(s, ret);
	r = parse_relative(s, now_ns, ret);
	return r == -EINVAL ? parse_calendar(s, now_ns, last, ret) : r;
}

const char *when_forms(void)
{
	return "10m, \"1 hour ago\", now, today, yesterday, 13:00, \"yesterday 13:00\", "
	       "2026-11-28, "
	       "\"2026-11-28 09:00\" (the host's time zone, else UTC or +01:00 at the end), "
	       "@1795858200";
}
