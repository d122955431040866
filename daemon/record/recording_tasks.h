/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/recordings.h"

/*
 * Looks for the asyncio tasks of the processes of all recordings that want them; called now and
 * then.
 */
void recordings_async(struct recordings *all);
/* Whether those of this one's processes that were asked have answered. */
bool recording_async_known(const struct recording *recording);
