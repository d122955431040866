/* SPDX-License-Identifier: BSD-2-Clause */
#include "util/suggest.h"

#include <string.h>

/* Longer words are not looked at: no name is so long. */
#define WORD_MAX 32

/*
 * How many letters have to be added, dropped, changed or swapped with the next one to make b of a;
 * both are at most WORD_MAX long.
 */
static unsigned int distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned int changed = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = MIN(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = MIN(d[i][j], changed);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = MIN(d[i][j], 1 + d[i - 2][j - 2]);
		}
	}
	return d[n][m];
}

const char *suggest(const char *word, const char *const names[], size_t n)
{
	size_t length = strlen(word), begin = 0;
	/* a third of it may be wrong */
	unsigned int least = (unsigned int)(length + 2) / 3 + 1;
	const char *found = NULL, *beginning = NULL;

	if (length == 0 || length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned int d = strlen(names[i]) <= WORD_MAX ? distance(word, names[i]) : least;

		if (length > 1 && strncmp(names[i], word, length) == 0) {
			beginning = names[i];
			begin++;
		}
		if (d < least) {
			least = d;
			found = names[i];
		}
	}
	return begin == 1 ? beginning : found;
}

const char *suggest_text(const char *before, const char *name, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s%s%s%s", name ? "; did you mean " : "", name ? before : "",
		 name ? name : "", name ? "?" : "");
	return buffer;
}
