/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "target/targets.h"

/* Called by targets_init(). */
int titles_init(struct targets *t);
/* One that has just joined has a title that was read a moment ago. */
void title_begin(const struct targets *t, struct target *k);
/* One has given itself a name. */
void title_renamed(struct targets *t, uint32_t tgid, uint64_t image);
/* Looks at the titles whose time has come. */
void titles_look(struct targets *t);
/* Whether it changed its title often within the hour. */
bool title_is_restless(const struct target *k);
