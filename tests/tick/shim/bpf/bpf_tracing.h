/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The arguments of a program come as those of a function. */
#define BPF_PROG(name, ...) name(__VA_ARGS__)
