/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/reason.h"

const char *recording_reason_name(enum recording_reason reason)
{
	static const char *const names[RECORDING_REASONS] = {
		[RECORDING_ELAPSED] = "elapsed",           [RECORDING_STOPPED] = "stopped",
		[RECORDING_TARGET_ENDED] = "target ended", [RECORDING_TOO_LARGE] = "too large",
		[RECORDING_NO_EVENTS] = "no events",       [RECORDING_NO_TIMER] = "no timer",
		[RECORDING_PLOPD_ENDED] = "plopd ended",
	};

	return names[reason];
}
