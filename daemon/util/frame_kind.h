/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/frame.h"

/*
 * "python", "native", "kernel", "synthetic", as answers and files have it; "unknown": none of them.
 */
const char *frame_kind_name(enum plop_frame_kind kind);
