/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/events.h"
#include "util/macro.h"

/*
 * Checks what came through the ring buffer before anyone looks into it. Pure.
 * -EBADMSG: too short for its type, lengths that do not add up, no address, or an unknown type.
 */
int record_check(const void *data, size_t size);

/*
 * Checks one stack of a half: its frames are of those that the half has, which alone are mapped,
 * and their number is possible. -EBADMSG.
 */
int stack_check(const struct plop_half *half, uint32_t n);
/*
 * Checks what another thread had of a stack: it is one of the half's, and that one is good.
 * -EBADMSG.
 */
int stack_thread_check(const struct plop_half *half, uint32_t n);
