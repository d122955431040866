/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "plop/limits.h"

/*
 * The module of a function of Python, as far as the path of its file tells: the top-level package
 * or module. It is what follows the last place where packages lie: site-packages, dist-packages,
 * lib/pythonX.Y, an archive (.zip, .whl, .egg, .pyz, .pex). Of a file that lies in none of these
 * nobody knows where its package begins, so it is the file's own name without its ending. __init__
 * and __main__ are called what they lie in. "<frozen importlib._bootstrap>" is of importlib.
 *
 * module: "" where the path tells nothing ("<string>"), or where it is longer than PLOP_MAX_MODULE
 * - 1 bytes. file is UTF-8, and what is written a whole component of it. Pure.
 */
void python_module(const char *file, char module[static PLOP_MAX_MODULE]);

/*
 * The path of a file below the last place where packages lie, as above: "flask/app.py". Points into
 * file; NULL: it lies in no such place. Pure.
 */
const char *python_packaged(const char *file);
