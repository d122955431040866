/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/* Writes all of it, in as many pieces as it takes. 0; a negative errno: a part may be written. */
int fd_write_all(int fd, const void *data, size_t size);
