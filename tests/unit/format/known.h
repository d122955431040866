/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <assert.h>

#include "profile/profile.h"

/*
 * A profile whose every count, name and line is known, with the names that break writers. Two
 * processes; "work" recurs and runs on two lines; one stack is seen in two threads; the last
 * function's bytes are not UTF-8.
 */
#define KNOWN_START (UINT64_C(1700000000) * NSEC_PER_SEC + 250 * NSEC_PER_MSEC)
#define KNOWN_END   (UINT64_C(1700000030) * NSEC_PER_SEC + 250 * NSEC_PER_MSEC)
#define KNOWN_TOTAL 100

#define HOSTILE_HTML    "<img src=x onerror=alert(1)>"
#define HOSTILE_QUOTES  "it's \"quoted\" \\ and; split"
#define HOSTILE_CONTROL "a\nb\tc\x01\x7f\xc2\x85\xe2\x80\xa8 7"
#define HOSTILE_UNICODE "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d"
#define HOSTILE_BYTES   "bad\xff\xc3(\xed\xa0\x80)"

static struct process_info known_process(pid_t pid, const char *comm)
{
	static char empty[] = "", exe[] = "/usr/bin/python3.11";
	struct process_info info = {
		.pid = pid,
		.start_ticks = 5000 + (uint64_t)pid,
		.start_time = 1699999000.5,
		.uid = 1000,
		.comm = (char *)comm,
		.exe = exe,
		.cmdline = empty,
		.cgroup = empty,
		.unit = empty,
		.container = empty,
		.service = empty,
		.version = empty,
	};

	return info;
}

static uint32_t known_frame(struct profile *p, const char *name, const char *file, int first,
			    int line)
{
	uint32_t function, frame;
	int r;

	r = dict_python(p->dict, name, file, first, &function);
	assert(r == 0);
	r = dict_frame(p->dict, function, line, &frame);
	assert(r == 0);
	return frame;
}

static inline uint32_t known_synthetic(struct profile *p, const char *name)
{
	uint32_t frame;
	int r = dict_synthetic(p->dict, name, &frame);

	assert(r == 0);
	return frame;
}

static void known_add(struct profile *p, uint32_t process, uint32_t thread, const uint32_t *frames,
		      uint32_t depth, uint64_t count)
{
	uint32_t stack;
	int r;

	r = dict_stack(p->dict, frames, depth, &stack);
	assert(r == 0);
	r = profile_add(p, process, thread, stack, count);
	assert(r == 0);
}

static void known_fill(struct profile *p, uint32_t one, uint32_t two)
{
	uint32_t module = known_frame(p, "<module>", "/srv/app.py", 1, 90);
	uint32_t work = known_frame(p, "Job.work", "/srv/app.py", 10, 12);
	uint32_t work_deep = known_frame(p, "Job.work", "/srv/app.py", 10, 14);
	uint32_t html = known_frame(p, HOSTILE_HTML, "/srv/<b>.py", 3, 4);
	uint32_t quotes = known_frame(p, HOSTILE_QUOTES, "C:\\x;y's.py", 5, 6);
	uint32_t control = known_frame(p, HOSTILE_CONTROL, "/srv/n\nl.py", 7, 8);
	uint32_t unicode = known_frame(p, HOSTILE_UNICODE, "/srv/\xc3\xbc.py", 9, 11);
	uint32_t bytes = known_frame(p, HOSTILE_BYTES, "/srv/\xfe.py", 13, 15);
	uint32_t cut = known_synthetic(p, "[truncated]");
	uint32_t native = known_synthetic(p, "[native thread]");

	known_add(p, one, 101, (uint32_t[]){ module, work }, 2, 30);
	known_add(p, one, 102, (uint32_t[]){ module, work }, 2, 10);
	known_add(p, one, 101, (uint32_t[]){ module, work, work_deep, work }, 4, 20);
	known_add(p, one, 101, (uint32_t[]){ module, html }, 2, 11);
	known_add(p, one, 101, (uint32_t[]){ module, quotes }, 2, 9);
	known_add(p, one, 103, (uint32_t[]){ native }, 1, 4);
	known_add(p, two, 201, (uint32_t[]){ cut, control }, 2, 5);
	known_add(p, two, 201, (uint32_t[]){ module, unicode }, 2, 7);
	known_add(p, two, 201, (uint32_t[]){ module, bytes }, 2, 3);
	known_add(p, two, 201, (uint32_t[]){ module, work }, 2, 1);
}

static _unused_ struct profile *known_profile(void)
{
	struct process_info info = known_process(100, "app");
	struct profile *p = NULL;
	uint32_t one, two;
	int r;

	r = profile_new(KNOWN_START, 100, &p);
	assert(r == 0);
	p->end_ns = KNOWN_END;
	r = profile_process(p, &info, "3.11.2", &one);
	assert(r == 0);
	info = known_process(200, "say \"hi\"");
	r = profile_process(p, &info, "3.13.0", &two);
	assert(r == 0);
	known_fill(p, one, two);
	p->tally = (struct tally){
		.ticks = 6000, .python = KNOWN_TOTAL, .other = 5893, .truncated = 5
	};
	p->tally.lost[PLOP_LOST_FAULT] = 4;
	p->tally.lost[PLOP_LOST_DRAIN] = 3;
	assert(p->samples_total == KNOWN_TOTAL);
	return p;
}
