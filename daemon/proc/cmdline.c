/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/parse.h"
#include "proc/text.h"

char *proc_cmdline_join(const char *data, size_t size, size_t max)
{
	_cleanup_free_ char *line = NULL;

	while (size > 0 && data[size - 1] == '\0')
		size--;
	size = MIN(size, max);
	line = malloc(size + 1);
	if (!line)
		return NULL;
	for (size_t i = 0; i < size; i++)
		line[i] = data[i] == '\0' ? ' ' : data[i];
	return text_sanitize(line, size);
}

/* The next NUL-terminated argument; false: no more. */
static bool next_argument(const char **p, const char *end, const char **ret, size_t *ret_size)
{
	const char *nul;

	if (*p >= end)
		return false;
	nul = memchr(*p, '\0', (size_t)(end - *p));
	*ret = *p;
	*ret_size = (size_t)((nul ? nul : end) - *p);
	*p += *ret_size + 1;
	return true;
}

void proc_cmdline_script(const char *data, size_t size, const char **ret, size_t *ret_size)
{
	const char *p = data, *end = data + size, *arg;
	size_t n;

	*ret = "";
	*ret_size = 0;
	if (!next_argument(&p, end, &arg, &n))
		return;
	while (next_argument(&p, end, &arg, &n)) {
		const char *slash;

		if (n >= 2 && arg[0] == '-') {
			if (arg[1] == 'c')
				return;
			if (arg[1] == 'm') {
				*ret = arg + 2;
				*ret_size = n - 2;
				if (n == 2)
					next_argument(&p, end, ret, ret_size);
				return;
			}
			/* -W, -X and --check-hash-based-pycs take a value of their own. */
			if ((n == 2 && (arg[1] == 'W' || arg[1] == 'X')) ||
			    (n == strlen("--check-hash-based-pycs") &&
			     memcmp(arg, "--check-hash-based-pycs", n) == 0))
				next_argument(&p, end, &arg, &n);
			continue;
		}
		slash = memrchr(arg, '/', n);
		*ret = slash ? slash + 1 : arg;
		*ret_size = (size_t)(arg + n - *ret);
		return;
	}
}
