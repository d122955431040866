/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "util/macro.h"

/*
 * Which of n names may have been meant by a word that is none of them: the nearest by letters that
 * are missing, too many, others, or swapped with the next one, or the only one that begins with it.
 * NULL: none is near. Pure.
 */
const char *suggest(const char *word, const char *const names[], size_t n);
/* "; did you mean NAME?", or "" where there is no name. Returns buffer. */
const char *suggest_text(const char *before, const char *name, char *buffer, size_t size);
