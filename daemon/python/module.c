/* SPDX-License-Identifier: BSD-2-Clause */
#include "python/module.h"

#include <stdbool.h>
#include <string.h>

#include "util/macro.h"

/* Part of a path, between two slashes. */
struct part {
	const char *at;
	size_t size;
};

static bool is_called(struct part p, const char *name)
{
	return p.size == strlen(name) && memcmp(p.at, name, p.size) == 0;
}

/* Bytes without an ending of the list, if the part has one and something before it; else all. */
static size_t without(struct part p, const char *const *endings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(endings[i]);

		if (p.size > size && memcmp(p.at + p.size - size, endings[i], size) == 0)
			return p.size - size;
	}
	return p.size;
}

/* zipimport and its like put an archive's path before that of the file in it. */
static size_t without_archive(struct part p)
{
	static const char *const endings[] = { ".zip", ".whl", ".egg", ".pyz", ".pex" };

	return without(p, endings, ARRAY_SIZE(endings));
}

static struct part stem_of(struct part p)
{
	static const char *const endings[] = { ".py", ".pyw", ".pyc", ".pyx" };

	p.size = without(p, endings, ARRAY_SIZE(endings));
	return p;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "python3.13", "python3", "python2.7", "python3.14t" */
static bool is_version(struct part p)
{
	static const char name[] = "python";

	if (p.size <= sizeof(name) - 1 || memcmp(p.at, name, sizeof(name) - 1) != 0)
		return false;
	for (size_t i = sizeof(name) - 1; i < p.size; i++) {
		if (!is_digit(p.at[i]) && p.at[i] != '.' && p.at[i] != 't')
			return false;
	}
	return is_digit(p.at[sizeof(name) - 1]);
}

/* Whether packages lie in that folder, which lies in before. */
static bool holds_packages(struct part p, struct part before)
{
	return is_called(p, "site-packages") || is_called(p, "dist-packages") ||
	       without_archive(p) < p.size ||
	       (is_version(p) && (is_called(before, "lib") || is_called(before, "lib64")));
}

/* The next part that is not empty; false: there is none. */
static bool next_part(const char **at, struct part *ret)
{
	*at += strspn(*at, "/");
	*ret = (struct part){ *at, strcspn(*at, "/") };
	*at += ret->size;
	return ret->size > 0;
}

/* What "<frozen NAME>" is of; of others in such brackets nothing is known. */
static struct part of_no_path(const char *file)
{
	static const char frozen[] = "<frozen ";
	struct part p = { file, 0 };

	if (strncmp(file, frozen, sizeof(frozen) - 1) == 0) {
		p.at = file + sizeof(frozen) - 1;
		p.size = strcspn(p.at, ".>");
	}
	return p;
}

/* The parts of a path that its module is told by. */
struct parts {
	struct part first; /* what follows the last folder of packages; at: NULL, there is none */
	struct part before, last;
};

static struct parts parts_of(const char *file)
{
	bool in_packages = false;
	struct parts a = {};
	const char *at = file;
	struct part p;

	while (next_part(&at, &p)) {
		a.before = a.last;
		a.last = p;
		if (in_packages && !a.first.at)
			a.first = p;
		if (*at && holds_packages(p, a.before)) {
			in_packages = true;
			a.first = (struct part){};
		}
	}
	return a;
}

static struct part of_path(const char *file)
{
	struct parts a = parts_of(file);
	struct part p;

	if (a.first.at && a.first.at != a.last.at)
		return a.first;
	p = stem_of(a.last);
	if (a.before.size == 0 || !(is_called(p, "__init__") || is_called(p, "__main__")))
		return p;
	/* what lies among packages is called by its own name, unless they are an archive's */
	if (a.first.at && without_archive(a.before) == a.before.size)
		return p;
	a.before.size = without_archive(a.before);
	return a.before;
}

const char *python_packaged(const char *file)
{
	return parts_of(file).first.at;
}

void python_module(const char *file, char module[static PLOP_MAX_MODULE])
{
	struct part p = *file == '<' ? of_no_path(file) : of_path(file);

	if (p.size >= PLOP_MAX_MODULE)
		p.size = 0;
	if (p.size)
		memcpy(module, p.at, p.size);
	module[p.size] = '\0';
}
