/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a file is called whatever version of its program it is of, as far as its path tells. A
 * push often puts the new version beside the old one: /srv/releases/20261129/shop/views.py.
 *
 * - Of a file in a place where packages lie it is the path below that (python_packaged()).
 * - Of any other it is the path without those parts that are a version and nothing else: numbers
 *   that dots, dashes or underscores join, with or without a v before them ("v2", "1.4.0",
 *   "2026-11-29"), or 7 to 64 hexadecimal digits with a decimal one among them (a commit). A
 *   version at the end of a part's name ("shop-1.4.0") is left out of it, and so is the hash that
 *   names of a Nix store begin with.
 *
 * The file's own name, the last part, is never shortened. What stands in "<>" is as it is. Such a
 * name is not unique: /api/v1/a.py and /api/v2/a.py share one. It is for functions that no path
 * matches exactly.
 *
 * identity: room for as many bytes as file has, and the 0. Pure.
 */
void identity_of(const char *file, char *identity);
