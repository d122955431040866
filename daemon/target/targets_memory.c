/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/targets.h"

void targets_memory(const struct targets *t, struct targets_memory *ret)
{
	*ret = (struct targets_memory){ .names = t->code_pool.name_bytes,
					.line_tables = t->code_pool.line_bytes };

	for (const struct target *k = t->all; k; k = k->hh.next) {
		ret->processes += sizeof(*k) + process_info_bytes(&k->info);
		if (k->codes)
			ret->processes += code_table_own_bytes(k->codes);
		if (k->lacking)
			ret->processes += TARGET_LACKING_MAX * sizeof(*k->lacking);
		if (k->stateless)
			ret->processes += TARGET_STATELESS_MAX * sizeof(*k->stateless);
	}
	ret->processes += launches_bytes(&t->launches);
	ret->processes += HASH_COUNT(t->pending.all) * sizeof(struct pending);
}
