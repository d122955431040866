/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/parse.h"

/* One line "id:controllers:path" between line and end; false: not such a line. */
static bool split_line(const char *line, const char *end, const char **controllers,
		       const char **path)
{
	const char *first = memchr(line, ':', (size_t)(end - line));
	const char *second;

	if (!first)
		return false;
	second = memchr(first + 1, ':', (size_t)(end - first) - 1);
	if (!second)
		return false;
	*controllers = first + 1;
	*path = second + 1;
	return true;
}

/*
 * How well a hierarchy knows the process: v2 below its root, then systemd's own, then the longest.
 */
static size_t rank(const char *controllers, size_t controllers_size, size_t path_size)
{
	static const char systemd[] = "name=systemd";

	if (path_size > 1 && controllers_size == 0)
		return SIZE_MAX;
	if (path_size > 1 && controllers_size == sizeof(systemd) - 1 &&
	    memcmp(controllers, systemd, sizeof(systemd) - 1) == 0)
		return SIZE_MAX - 1;
	return path_size;
}

void proc_cgroup_path(const char *text, size_t size, const char **ret, size_t *ret_size)
{
	const char *end = text + size;
	size_t best = 0;

	*ret = "";
	*ret_size = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		const char *controllers, *path;

		if (split_line(text, line_end, &controllers, &path)) {
			size_t path_size = (size_t)(line_end - path);
			size_t r = rank(controllers, (size_t)(path - controllers) - 1, path_size);

			if (r > best) {
				best = r;
				*ret = path;
				*ret_size = path_size;
			}
		}
		if (!newline)
			break;
		text = newline + 1;
	}
}

static bool ends_with(const char *s, size_t size, const char *suffix)
{
	size_t n = strlen(suffix);

	return size > n && memcmp(s + size - n, suffix, n) == 0;
}

/* The component before *end, which moves to that component's start; false: no more. */
static bool last_component(const char *path, const char **end, const char **ret, size_t *ret_size)
{
	const char *slash;

	while (*end > path && (*end)[-1] == '/')
		(*end)--;
	if (*end == path)
		return false;
	slash = memrchr(path, '/', (size_t)(*end - path));
	*ret = slash ? slash + 1 : path;
	*ret_size = (size_t)(*end - *ret);
	*end = *ret;
	return true;
}

void proc_cgroup_unit(const char *path, size_t size, const char **ret, size_t *ret_size)
{
	const char *end = path + size, *part;
	size_t part_size;

	*ret = "";
	*ret_size = 0;
	while (last_component(path, &end, &part, &part_size)) {
		if (ends_with(part, part_size, ".service") ||
		    ends_with(part, part_size, ".scope") || ends_with(part, part_size, ".slice")) {
			*ret = part;
			*ret_size = part_size;
			return;
		}
	}
}

static bool is_id(const char *s, size_t size)
{
	if (size != 64)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	}
	return true;
}

void proc_cgroup_container(const char *path, size_t size, const char **ret, size_t *ret_size)
{
	const char *end = path + size, *part;
	size_t part_size;

	*ret = "";
	*ret_size = 0;
	while (last_component(path, &end, &part, &part_size)) {
		if (ends_with(part, part_size, ".scope"))
			part_size -= strlen(".scope");
		/*
		 * What stands before the id is a word and one separator: docker-, cri-containerd-,
		 * crio-, pod:name:
		 */
		if (part_size > 64 &&
		    (part[part_size - 65] == '-' || part[part_size - 65] == ':')) {
			part += part_size - 64;
			part_size = 64;
		}
		if (is_id(part, part_size)) {
			*ret = part;
			*ret_size = part_size;
			return;
		}
	}
}
