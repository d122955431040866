/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Why a recording ended. */
enum recording_reason {
	RECORDING_ENDS_NOT = 0, /* it goes on */
	RECORDING_ELAPSED,      /* its time was over */
	RECORDING_STOPPED,      /* somebody asked for it */
	RECORDING_TARGET_ENDED, /* none of its processes is there any more */
	RECORDING_TOO_LARGE,    /* it took more memory than it may */
	/* the kernel did not give it perf events, or none that it could go on with */
	RECORDING_NO_EVENTS,
	RECORDING_NO_TIMER,    /* plopd got no timer to end it by */
	RECORDING_PLOPD_ENDED, /* and it is kept */
	RECORDING_REASONS,
};

/* As the API says it: "target ended"; static. NULL: it goes on. */
const char *recording_reason_name(enum recording_reason reason);
