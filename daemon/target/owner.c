/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/owner.h"

uid_t target_owner(struct target *k, uint64_t cycle)
{
	uid_t now;

	/*
	 * root's are shown to the trusted alone, as nobody's are; of one that ended, what it was
	 * last
	 */
	if (k->info.uid == PROCESS_NO_UID || k->info.uid == 0 || k->dying ||
	    k->owner_asked == cycle + 1)
		return k->info.uid;
	k->owner_asked = cycle + 1;
	if (process_owner(k->info.pid, &now) == 0 && now != k->info.uid)
		k->info.uid = PROCESS_NO_UID;
	return k->info.uid;
}

bool target_is_visible(struct target *k, const struct selectors *whom, uint64_t cycle)
{
	/* the second alone would do: it saves asking the kernel */
	return selectors_see(whom, k->info.uid, k->info.service) &&
	       selectors_see(whom, target_owner(k, cycle), k->info.service);
}
