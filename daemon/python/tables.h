/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/layout.h"

/* The layouts that CPython does not tell of itself. Checked against live interpreters by tests/system/check_layout. */
extern const struct plop_layout layout_2_7;
extern const struct plop_layout layout_3_6;
extern const struct plop_layout layout_3_7;
extern const struct plop_layout layout_3_8;
extern const struct plop_layout layout_3_9;
extern const struct plop_layout layout_3_10;
extern const struct plop_layout layout_3_11;
extern const struct plop_layout layout_3_12;
