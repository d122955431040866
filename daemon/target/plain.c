/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/plain.h"
#include "util/clock.h"

#define KNOWN_NS (10 * NSEC_PER_SEC)
#define NEVER_NS (3600 * NSEC_PER_SEC)

/*
 * When one that becomes Python is looked at first. A look that comes too early costs as much as
 * one that does not, and one that comes late costs ticks: so one in ten may be too early.
 */
#define WAIT_FIRST_NS NSEC_PER_MSEC
#define WAIT_LEAST_NS (NSEC_PER_MSEC / 4)
#define WAIT_MOST_NS  (8 * NSEC_PER_MSEC)
#define SOONER(ns)    ((ns) / 36)
#define LATER(ns)     ((ns) / 4)

/* The number is well mixed. One that falls on the place of another has it. */
static size_t place(uint64_t file)
{
	return file % PLAIN_PROGRAMS;
}

void plain_add(struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	if (!file || (p->known[i].never && now_ns < p->known[i].until_ns))
		return;
	p->known[i].file = file;
	p->known[i].until_ns = now_ns + KNOWN_NS;
	p->known[i].never = false;
}

void plain_never(struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	if (!file)
		return;
	if (p->known[i].file != file || !p->known[i].never)
		p->known[i].wait_ns = WAIT_FIRST_NS;
	p->known[i].file = file;
	p->known[i].until_ns = now_ns + NEVER_NS;
	p->known[i].never = true;
}

uint64_t plain_wait(const struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	return file && p->known[i].file == file && p->known[i].never &&
			       now_ns < p->known[i].until_ns ?
		       p->known[i].wait_ns :
		       0;
}

void plain_looked(struct plain_programs *p, uint64_t file, bool found)
{
	size_t i = place(file);
	uint64_t ns = p->known[i].wait_ns;

	if (!file || p->known[i].file != file || !p->known[i].never)
		return;
	p->known[i].wait_ns = found ? MAX(ns - SOONER(ns), WAIT_LEAST_NS) :
				      MIN(ns + LATER(ns), WAIT_MOST_NS);
}

bool plain_has(const struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	return file && p->known[i].file == file && !p->known[i].never &&
	       now_ns < p->known[i].until_ns;
}
