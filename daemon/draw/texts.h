/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What page.css and page.js hold. */
extern const char page_style[];
extern const char page_script[];
