/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/* SHA-256 (FIPS 180-4) of a short text, for secrets that are kept as nothing but that. */
#define SHA256_SIZE 32
void sha256(const void *data, size_t size, uint8_t ret[static SHA256_SIZE]);
