/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* Writes n characters that cannot be packed well, others each time, and a NUL. */
static inline void noise_put(char *to, unsigned int n)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
	static uint64_t noise = 1;

	for (unsigned int i = 0; i < n; i++) {
		noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		to[i] = letters[noise >> 58];
	}
	to[n] = '\0';
}
