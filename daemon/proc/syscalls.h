/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The name of a system call in which threads wait, by its number on this machine ("futex"); NULL:
 * it is none of those that this table knows. Static.
 */
const char *syscall_name(int number);
