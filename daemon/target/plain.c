/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/plain.h"
#include "util/clock.h"

#define KNOWN_NS (10 * NSEC_PER_SEC)

/* The number is well mixed. One that falls on the place of another has it. */
static size_t place(uint64_t file)
{
	return file % PLAIN_PROGRAMS;
}

void plain_add(struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	if (!file)
		return;
	p->known[place(file)].file = file;
	p->known[place(file)].until_ns = now_ns + KNOWN_NS;
}

void plain_remove(struct plain_programs *p, uint64_t file)
{
	if (p->known[place(file)].file == file)
		p->known[place(file)].file = 0;
}

bool plain_has(const struct plain_programs *p, uint64_t file, uint64_t now_ns)
{
	size_t i = place(file);

	return file && p->known[i].file == file && now_ns < p->known[i].until_ns;
}
