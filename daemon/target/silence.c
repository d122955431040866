/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/silence.h"

/* How long one that does not let itself be read is left alone: ever longer. */
#define SILENCE_FIRST_NS (10 * NSEC_PER_SEC)
#define SILENCE_LAST_NS  (600 * NSEC_PER_SEC)

bool target_may_be_asked(const struct targets *t, const struct target *k)
{
	/* behind the pid of one that ended may be another's memory */
	return !k->dying && cycle_mono_ns(t->cycle) >= k->silence.until_ns;
}

bool target_is_silent(const struct targets *t, const struct target *k)
{
	/* for as long again as it was left alone; it need not have been asked since */
	return k->silence.until_ns &&
	       cycle_mono_ns(t->cycle) < k->silence.until_ns + k->silence.wait_ns;
}

void target_heard(const struct targets *t, struct target *k, int r)
{
	struct silence *s = &k->silence;
	uint64_t now = cycle_mono_ns(t->cycle);

	if (r == -ETIMEDOUT || r == -EBUSY) {
		s->wait_ns = s->wait_ns ? MIN(2 * s->wait_ns, SILENCE_LAST_NS) : SILENCE_FIRST_NS;
		s->until_ns = now + s->wait_ns;
	} else if (r != -ECANCELED && r != -EAGAIN) {
		/* one that soon falls silent again goes on where it was */
		if (now > s->until_ns + s->wait_ns)
			s->wait_ns = 0;
		s->until_ns = 0;
	}
}
