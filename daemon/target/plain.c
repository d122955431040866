/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/plain.h"
#include "util/clock.h"

#define KNOWN_NS (10 * NSEC_PER_SEC)
#define NEVER_NS (3600 * NSEC_PER_SEC)

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
	p->known[i].file = file;
	p->known[i].until_ns = now_ns + NEVER_NS;
	p->known[i].never = true;
}

bool plain_has(const struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	return file && p->known[i].file == file && !p->known[i].never &&
	       now_ns < p->known[i].until_ns;
}
