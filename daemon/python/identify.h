/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "python/binary.h"
#include "python/python.h"

/*
 * What one interpreter in a process is to plop: b is its file (BINARY_CPYTHON), bias where that is
 * loaded. Fills the verdict, the version and, with PYTHON_YES, runtime and layout of *p, which is
 * empty before; or a negative errno, as python_discover().
 */
int python_identify(pid_t pid, const struct binary *b, uint64_t bias, struct python_process *p);
