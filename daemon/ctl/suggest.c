/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/suggest.h"
#include "ctl/ctl.h"
#include "util/log.h"

/* Longer words are not looked at: no name is so long. */
#define WORD_MAX  32
#define NAMES_MAX 64

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

/* All long options of a parser and of its children. */
struct options {
	const struct argp_option *all[NAMES_MAX];
	const char *names[NAMES_MAX + 2]; /* and of argp itself */
	size_t n;
};

static void options_add(struct options *o, const struct argp *argp)
{
	for (const struct argp_option *p = argp->options;
	     p && (p->name || p->key || p->doc) && o->n < NAMES_MAX; p++) {
		if (!p->name)
			continue;
		o->names[o->n] = p->name;
		o->all[o->n++] = p;
	}
	for (const struct argp_child *c = argp->children; c && c->argp; c++)
		options_add(o, c->argp);
}

/*
 * The option of that name, of size bytes, or that begins so; NULL: there is none. "help" and
 * "usage" are not among all.
 */
static const struct argp_option *options_find(const struct options *o, const char *name,
					      size_t size, bool *ret_known)
{
	const struct argp_option *found = NULL;

	*ret_known = false;
	for (size_t i = 0; i < o->n + 2; i++) {
		if (strncmp(o->names[i], name, size) != 0)
			continue;
		*ret_known = true;
		found = i < o->n ? o->all[i] : NULL;
		if (strlen(o->names[i]) == size)
			break;
	}
	return found;
}

/*
 * Whether the last letter of a word like -xF is that of an option whose argument is the next word.
 */
static bool letters_take_next(const struct options *o, const char *letters)
{
	for (; *letters; letters++) {
		for (size_t i = 0; i < o->n; i++) {
			if (o->all[i]->key == *letters && o->all[i]->arg)
				return letters[1] == '\0';
		}
	}
	return false;
}

/* What follows is not plopctl's own: a word that is no selector, no number and no option. */
static bool is_foreign(const char *word)
{
	return !strchr(word, '=') && word[strspn(word, "0123456789")] != '\0';
}

static _Noreturn void refuse(const char *command, const struct options *o, const char *name)
{
	_cleanup_free_ char *word = strndup(name, strcspn(name, "="));
	char hint[WORD_MAX + 32];

	if (word)
		ctl_usage(command, "there is no option --%.64s%s", word,
			  suggest_text("--", suggest(word, o->names, o->n + 2), hint,
				       sizeof(hint)));
	free(TAKE_PTR(word));
	exit(CTL_USAGE);
}

void ctl_parse(const char *command, const struct argp *argp, unsigned int flags, int argc,
	       char *argv[], void *input)
{
	struct options o = {};

	options_add(&o, argp);
	o.names[o.n] = "help";
	o.names[o.n + 1] = "usage";
	for (int i = 1; i < argc && !streq(argv[i], "--"); i++) {
		const char *word = argv[i];
		const struct argp_option *option;
		size_t size;
		bool known;

		if (word[0] != '-' || word[1] == '\0') {
			if (is_foreign(word))
				break;
		} else if (word[1] != '-') {
			i += letters_take_next(&o, word + 1);
		} else {
			size = strcspn(word + 2, "=");
			option = options_find(&o, word + 2, size, &known);
			if (!known)
				refuse(command, &o, word + 2);
			i += option && option->arg && word[2 + size] == '\0';
		}
	}
	argp_parse(argp, argc, argv, flags, NULL, input);
}
