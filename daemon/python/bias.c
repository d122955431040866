/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>

#include "python/bias.h"

/* Different biases that are told apart; what comes later has no vote. */
#define CHOICES 64
/* What the vote of a writable mapping is worth, in votes of others. */
#define WRITABLE 1000000u

struct choice {
	uint64_t bias;
	uint32_t votes;
	size_t voter; /* the last mapping that voted for it, + 1 */
};

struct poll {
	struct choice choices[CHOICES];
	size_t n;
};

static void vote(struct poll *p, uint64_t bias, size_t voter, uint32_t weight)
{
	struct choice *c = NULL;

	for (size_t i = 0; i < p->n && !c; i++)
		c = p->choices[i].bias == bias ? &p->choices[i] : NULL;
	if (!c && p->n == CHOICES)
		return;
	if (!c) {
		c = &p->choices[p->n++];
		*c = (struct choice){ .bias = bias };
	}
	/* a page where two segments meet is in both */
	if (c->voter == voter)
		return;
	c->voter = voter;
	c->votes += weight;
}

/* What a mapping says, by each segment that it may be a part of. */
static void poll_mapping(struct poll *p, const struct elf_segment *segments, size_t n,
			 const struct mapping *m, size_t voter)
{
	const uint64_t page = 4095;

	if (m->end <= m->start)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];
		uint64_t offset = s->offset & ~page, vaddr = s->vaddr & ~page, end;

		if (s->type != PT_LOAD || __builtin_add_overflow(s->offset, s->filesz, &end))
			continue;
		/*
		 * what is only read may be any: the loader takes rights away from a part of the
		 * data (RELRO)
		 */
		if ((m->write && !(s->flags & PF_W)) || (m->exec && !(s->flags & PF_X)))
			continue;
		/* The mapping may be a later part of the segment: mprotect() splits mappings. */
		if (m->offset < offset || m->offset >= end)
			continue;
		vote(p, m->start - (vaddr + (m->offset - offset)), voter, m->write ? WRITABLE : 1);
	}
}

static int by_votes(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	if (x->votes != y->votes)
		return x->votes > y->votes ? -1 : 1;
	return (x->bias > y->bias) - (x->bias < y->bias);
}

size_t bias_find(const struct elf_segment *segments, size_t nsegments, const struct mapping *maps,
		 size_t nmaps, uint64_t *ret, size_t max)
{
	struct poll p = {};
	size_t n;

	/* the writable ones first, which therefore find room */
	for (size_t i = 0; i < nmaps; i++) {
		if (maps[i].write)
			poll_mapping(&p, segments, nsegments, &maps[i], i + 1);
	}
	for (size_t i = 0; i < nmaps; i++) {
		if (!maps[i].write)
			poll_mapping(&p, segments, nsegments, &maps[i], i + 1);
	}
	qsort(p.choices, p.n, sizeof(p.choices[0]), by_votes);
	n = MIN(p.n, max);
	for (size_t i = 0; i < n; i++)
		ret[i] = p.choices[i].bias;
	/* others have no say where a writable mapping has */
	while (n > 1 && p.choices[0].votes >= WRITABLE && p.choices[n - 1].votes < WRITABLE)
		n--;
	return n;
}
