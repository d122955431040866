/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/identity.h"

#include <stdbool.h>
#include <string.h>

#include "python/module.h"
#include "util/macro.h"

#define COMMIT_LEAST 7
#define COMMIT_MOST  64
#define NIX_HASH     32

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_joint(char c)
{
	return c == '.' || c == '-' || c == '_' || c == '+';
}

/* Numbers that are joined, with or without a v before them. */
static bool is_numbers(const char *at, size_t size)
{
	bool was_digit = false;

	if (size > 1 && (*at == 'v' || *at == 'V')) {
		at++;
		size--;
	}
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(at[i]) && !(is_joint(at[i]) && was_digit))
			return false;
		was_digit = is_digit(at[i]);
	}
	return was_digit;
}

static bool is_commit(const char *at, size_t size)
{
	bool digit = false;

	if (size < COMMIT_LEAST || size > COMMIT_MOST)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(at[i]) && !(at[i] >= 'a' && at[i] <= 'f'))
			return false;
		digit |= is_digit(at[i]);
	}
	return digit;
}

static bool is_version(const char *at, size_t size)
{
	return is_numbers(at, size) || is_commit(at, size);
}

/* Bytes of a part's name without the version at its end; 0: it is one altogether. */
static size_t without_version(const char *at, size_t size)
{
	if (is_version(at, size))
		return 0;
	for (size_t i = 1; i + 1 < size; i++) {
		if ((at[i] == '-' || at[i] == '_' || at[i] == '@') &&
		    is_version(at + i + 1, size - i - 1))
			return i;
	}
	return size;
}

/* Bytes of the hash and the dash in /nix/store/HASH-NAME, at being where HASH would begin. */
static size_t hash_of_nix(const char *file, const char *at, size_t size)
{
	static const char store[] = "/nix/store/";
	const size_t before = sizeof(store) - 1;

	if (size <= NIX_HASH + 1 || at[NIX_HASH] != '-' || (size_t)(at - file) != before ||
	    memcmp(file, store, before) != 0)
		return 0;
	for (size_t i = 0; i < NIX_HASH; i++) {
		if (!is_digit(at[i]) && !(at[i] >= 'a' && at[i] <= 'z'))
			return 0;
	}
	return NIX_HASH + 1;
}

/* What of the part at at, which another follows, is kept. */
static struct kept {
	size_t skip, size;
} keep_of(const char *file, const char *at, size_t size)
{
	size_t skip = hash_of_nix(file, at, size);

	return (struct kept){ skip, without_version(at + skip, size - skip) };
}

void identity_of(const char *file, char *identity)
{
	const char *packaged = python_packaged(file), *at = packaged ? packaged : file;
	size_t n = 0;

	while (!packaged && *file != '<' && strchr(at, '/')) {
		size_t size = strcspn(at, "/");
		struct kept k = keep_of(file, at, size);

		memcpy(identity + n, at + k.skip, k.size);
		n += k.size;
		/* one slash stands for several, and for what was left out between two */
		if (n == 0 || identity[n - 1] != '/')
			identity[n++] = '/';
		at += size;
		at += strspn(at, "/");
	}
	strcpy(identity + n, at);
}
