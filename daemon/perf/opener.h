/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What plop-perf does: it takes connections of the SOCK_SEQPACKET socket listener, reads one struct
 * perf_event of each, and answers with an int32_t, which is 0 and has the event's fd beside it
 * (SCM_RIGHTS), or a negative errno. Who may connect is the business of the socket. 0: nobody came
 * for idle_ms; or a negative errno.
 */
int opener_serve(int listener, int idle_ms);
