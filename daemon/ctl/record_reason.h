/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * What plopctl says of a recording that ended for that reason, before its time was over ("reason"
 * of GET /v1/recordings/ID). NULL: nothing, as it ended as it was to. One that this plopctl does
 * not know is said as it is called. buffer: for that.
 */
const char *record_reason(const char *reason, char *buffer, size_t size);
