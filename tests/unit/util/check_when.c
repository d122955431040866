/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <time.h>

#include "check_main.h"
#include "util/when.h"

/* Saturday, 2026-11-28 14:30:00.5 UTC */
#define NOW (UINT64_C(1795876200) * NSEC_PER_SEC + NSEC_PER_SEC / 2)

/* Zones by their rules (POSIX.1-2017, 8.3), so that no list of zones has to be there. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
/* puts its clocks forward at midnight */
#define CAIRO "EET-2EEST,M4.5.5/0,M10.5.4/24"
/* a zone without a name in letters, half an hour off */
#define HALF "<+0530>-5:30"
#define WEST "<-03>3"

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

struct when_case {
	const char *zone, *text, *utc; /* the result as UTC, "2026-11-28 14:30:00" */
};

static void check_one(const struct when_case *c, uint64_t now, bool last)
{
	uint64_t v = 1;
	char shown[32];
	struct tm tm;
	time_t t;
	int r;

	set_zone(c->zone);
	r = when_parse(c->text, now, last, &v);
	ck_assert_msg(r == 0, "%s in %s: %d", c->text, c->zone, r);
	t = (time_t)(v / NSEC_PER_SEC);
	strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	ck_assert_msg(strcmp(shown, c->utc) == 0, "%s in %s is %s, not %s", c->text, c->zone, shown,
		      c->utc);
}

/* As systemd.time(7) has them, and the few that it has not. */
START_TEST(forms)
{
	static const struct when_case cases[] = {
		{ "UTC", "now", "2026-11-28 14:30:00" },
		{ "UTC", "10m", "2026-11-28 14:20:00" },
		{ "UTC", "30", "2026-11-28 14:29:30" },
		{ "UTC", "1h30m", "2026-11-28 13:00:00" },
		{ "UTC", "1 hour ago", "2026-11-28 13:30:00" },
		{ "UTC", "1h 30min ago", "2026-11-28 13:00:00" },
		{ "UTC", "2 days  ago", "2026-11-26 14:30:00" },
		{ "UTC", "-5s", "2026-11-28 14:29:55" },
		{ "UTC", "5 ago", "2026-11-28 14:29:55" },
		{ "UTC", "+3h30min", "2026-11-28 18:00:00" },
		{ "UTC", "10min left", "2026-11-28 14:40:00" },
		{ "UTC", "100y ago", "1970-01-01 00:00:00" },
		{ "UTC", "@1395716396", "2014-03-25 02:59:56" },
		{ "UTC", "@60", "1970-01-01 00:01:00" },
		{ "UTC", "1795876200", "2026-11-28 14:30:00" },
		{ "UTC", "1795876200.25", "2026-11-28 14:30:00" },
		{ BERLIN, "today", "2026-11-27 23:00:00" },
		{ BERLIN, "yesterday", "2026-11-26 23:00:00" },
		{ BERLIN, "Yesterday 9:05", "2026-11-27 08:05:00" },
		{ BERLIN, "tomorrow", "2026-11-28 23:00:00" },
		{ BERLIN, "today UTC", "2026-11-28 00:00:00" },
		{ BERLIN, "13:00", "2026-11-28 12:00:00" },
		{ BERLIN, "13:00:07.75", "2026-11-28 12:00:07" },
		{ BERLIN, "13:00 UTC", "2026-11-28 13:00:00" },
		{ BERLIN, "2026-11-28", "2026-11-27 23:00:00" },
		{ BERLIN, "2026-11-28 09:00", "2026-11-28 08:00:00" },
		{ BERLIN, "2026-11-28T09:00:30", "2026-11-28 08:00:30" },
		{ BERLIN, "2026-07-01 12:00", "2026-07-01 10:00:00" },
		{ BERLIN, "2026-07-01 12:00 CEST", "2026-07-01 10:00:00" },
		{ BERLIN, "2026-11-28 09:00 cet", "2026-11-28 08:00:00" },
		{ BERLIN, "Sat 2026-11-28 09:00", "2026-11-28 08:00:00" },
		{ BERLIN, "saturday 2026-11-28 09:00:00 CET", "2026-11-28 08:00:00" },
		{ BERLIN, "Sat 09:00", "2026-11-28 08:00:00" },
		{ BERLIN, "2026-11-28T09:00:00Z", "2026-11-28 09:00:00" },
		{ BERLIN, "2026-11-28 09:00 UTC", "2026-11-28 09:00:00" },
		{ BERLIN, "2026-11-28T09:00:00+0000", "2026-11-28 09:00:00" },
		{ BERLIN, "2026-11-28T09:00:00-05:30", "2026-11-28 14:30:00" },
		{ BERLIN, "2026-11-28 09:00 +01", "2026-11-28 08:00:00" },
		{ BERLIN, "2024-02-29", "2024-02-28 23:00:00" },
		{ HALF, "09:00", "2026-11-28 03:30:00" },
		{ WEST, "09:00 -03", "2026-11-28 12:00:00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_one(&cases[i], NOW, i % 2);
}
END_TEST

/* Today is what the calendar of the zone says, which may be another day than in UTC. */
START_TEST(the_day_is_that_of_the_zone)
{
	/* 2026-11-28 23:30 UTC: Sunday in Berlin */
	static const struct when_case late[] = {
		{ BERLIN, "today", "2026-11-28 23:00:00" },
		{ BERLIN, "yesterday", "2026-11-27 23:00:00" },
		{ BERLIN, "0:10", "2026-11-28 23:10:00" },
		{ BERLIN, "Sun 0:10", "2026-11-28 23:10:00" },
		{ BERLIN, "today UTC", "2026-11-28 00:00:00" },
		{ BERLIN, "0:10 UTC", "2026-11-28 00:10:00" },
		{ BERLIN, "Sat 0:10 UTC", "2026-11-28 00:10:00" },
		{ WEST, "today +05:30", "2026-11-28 18:30:00" },
	};
	/* 2026-03-01 00:30 UTC: the last of February in the west, and yesterday in Berlin */
	static const struct when_case early[] = {
		{ WEST, "today", "2026-02-28 03:00:00" },
		{ WEST, "tomorrow 1:00", "2026-03-01 04:00:00" },
		{ BERLIN, "yesterday", "2026-02-27 23:00:00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		check_one(&late[i], UINT64_C(1795908600) * NSEC_PER_SEC, false);
	for (size_t i = 0; i < ARRAY_SIZE(early); i++)
		check_one(&early[i], UINT64_C(1772325000) * NSEC_PER_SEC, false);
}
END_TEST

/*
 * What clocks show twice is the first or the last; what they do not show is as if they had not been
 * put forward.
 */
START_TEST(clocks_are_put_forward_and_back)
{
	static const struct when_case first[] = {
		{ BERLIN, "2026-10-25 01:59", "2026-10-24 23:59:00" },
		{ BERLIN, "2026-10-25 02:30", "2026-10-25 00:30:00" },
		{ BERLIN, "2026-10-25 02:30 CET", "2026-10-25 01:30:00" },
		{ BERLIN, "2026-10-25 03:00", "2026-10-25 02:00:00" },
	};
	static const struct when_case last[] = {
		{ BERLIN, "2026-10-25 01:59", "2026-10-24 23:59:00" },
		{ BERLIN, "2026-10-25 02:30", "2026-10-25 01:30:00" },
		{ BERLIN, "2026-10-25 02:30 CEST", "2026-10-25 00:30:00" },
		{ BERLIN, "2026-10-25 03:00", "2026-10-25 02:00:00" },
	};
	static const struct when_case either[] = {
		{ BERLIN, "2026-03-29 01:59", "2026-03-29 00:59:00" },
		{ BERLIN, "2026-03-29 02:30", "2026-03-29 01:30:00" },
		{ BERLIN, "2026-03-29 03:00", "2026-03-29 01:00:00" },
		/* a day without its midnight begins an hour later */
		{ CAIRO, "2026-04-24", "2026-04-23 22:00:00" },
		{ CAIRO, "2026-04-24 01:00", "2026-04-23 22:00:00" },
	};
	/*
	 * "yesterday" is 25 hours before "today" on the day after, and an hour ago is an hour ago.
	 */
	static const struct when_case after[] = {
		{ BERLIN, "today", "2026-10-25 23:00:00" },
		{ BERLIN, "yesterday", "2026-10-24 22:00:00" },
		{ BERLIN, "24h ago", "2026-10-25 12:00:00" },
		{ BERLIN, "yesterday 13:00", "2026-10-25 12:00:00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		check_one(&first[i], NOW, false);
	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		check_one(&last[i], NOW, true);
	for (size_t i = 0; i < ARRAY_SIZE(either); i++)
		for (int k = 0; k < 2; k++)
			check_one(&either[i], NOW, k);
	/* 2026-10-26 12:00 UTC */
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		check_one(&after[i], UINT64_C(1793016000) * NSEC_PER_SEC, false);
}
END_TEST

/*
 * Every hour of two years comes back, in each zone, but for those that are shown twice: of these
 * the first or the last.
 */
START_TEST(every_hour_comes_back)
{
	static const char *const zones[] = { "UTC", BERLIN, CAIRO, HALF, WEST };

	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		set_zone(zones[i]);
		for (time_t t = 1767225600; t < 1767225600 + 730 * 86400; t += 3600) {
			uint64_t first, last, at = (uint64_t)t * NSEC_PER_SEC;
			char text[64];
			struct tm tm;

			strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
			ck_assert_int_eq(when_parse(text, NOW, false, &first), 0);
			ck_assert_int_eq(when_parse(text, NOW, true, &last), 0);
			ck_assert_msg(at == first || at == last, "%s in %s", text, zones[i]);
			ck_assert(first == last || last - first == 3600 * NSEC_PER_SEC);
			/* with the zone's name it is one of the two */
			strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S %Z", &tm);
			ck_assert_int_eq(when_parse(text, NOW, false, &first), 0);
			ck_assert_msg(at == first, "%s in %s", text, zones[i]);
		}
	}
}
END_TEST

START_TEST(what_is_no_time)
{
	static const char *const bad[] = {
		"",
		" ",
		"now ",
		" now",
		"nowhere",
		"ago",
		" ago",
		"-",
		"+",
		"--5s",
		"-5s ago",
		"ten minutes ago",
		"in 5 minutes",
		"last week",
		"2026-02-29",
		"2026-02-30",
		"2026-13-01",
		"2026-00-10",
		"2026-11-31",
		"2026-11-22 25:00",
		"2026-11-22 24:00",
		"2026-11-22 9",
		"2026-11-22x",
		"2026-11-22T",
		"2026-11-22 15:00 ",
		"2026-11-22 15:00 x",
		"2026-11-22 15:00 +15:00",
		"2026-11-22 15:00 +01:00x",
		"2026-11-22 15:00 +1",
		"2026-11-22 15:00 UTC UTC",
		"2026-11-22 15:00 Europe/Berlin",
		"2026-11-22 15:00 NameThatIsLongerThanAnyZonesIs",
		"2026/11/22",
		"22.11.2026",
		"11-22",
		"26-11-22",
		"13:0",
		"13:60",
		"13:00:60",
		"13:00:00.",
		"13:00:",
		"1:00pm",
		"Sun 2026-11-28",
		"Sunday",
		"Sat2026-11-28",
		"Sat",
		"todayx",
		"today yesterday",
		"UTC",
		"@",
		"@-1",
		"@1x",
		"1795876200s1",
		"1795876200.x",
	};
	static const char *const beyond[] = {
		"1969-12-31", "2600-01-01",  "9999-12-31 23:59:59", "@99999999999999999999",
		"+600y",      "99999999999d"
	};
	uint64_t v = 7;

	set_zone(BERLIN);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(when_parse(bad[i], NOW, false, &v) == -EINVAL, "\"%s\"", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		ck_assert_msg(when_parse(beyond[i], NOW, false, &v) == -ERANGE, "\"%s\"",
			      beyond[i]);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(fractions)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "2014-03-25 03:59:56.654563 UTC",
		  UINT64_C(1395719996) * NSEC_PER_SEC + 654563000 },
		{ "2014-03-25 03:59:56.12345678999Z",
		  UINT64_C(1395719996) * NSEC_PER_SEC + 123456789 },
		{ "@1395719996.5", UINT64_C(1395719996) * NSEC_PER_SEC + 500000000 },
		{ "now", NOW },
		{ "0.25s ago", NOW - NSEC_PER_SEC / 4 },
	};
	uint64_t v;

	set_zone("UTC");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(when_parse(cases[i].text, NOW, false, &v), 0);
		ck_assert_msg(v == cases[i].ns, "%s is %" PRIu64, cases[i].text, v);
	}
}
END_TEST

/* What messages tell people to write can be read. */
START_TEST(the_forms_that_are_told)
{
	_cleanup_free_ char *told = strdup(when_forms());
	unsigned int n = 0;
	uint64_t v;

	set_zone("UTC");
	*strchr(told, '(') = '\0';
	for (char *save, *s = strtok_r(told, ",", &save); s; s = strtok_r(NULL, ",", &save), n++) {
		s += strspn(s, " \"");
		s[strcspn(s, "\"")] = '\0';
		ck_assert_msg(when_parse(s, NOW, false, &v) == 0, "%s", s);
	}
	ck_assert_uint_ge(n, 8);
}
END_TEST

CHECK_MAIN("util/when", forms, the_day_is_that_of_the_zone, clocks_are_put_forward_and_back,
	   every_hour_comes_back, what_is_no_time, fractions, the_forms_that_are_told);
