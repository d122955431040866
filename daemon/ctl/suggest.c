/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/suggest.h"
#include "ctl/ctl.h"
#include "profile/selector_text.h"
#include "util/log.h"

#define NAMES_MAX 64

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
	char hint[96];

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
			/* selectors that stand before it are read by what it can be asked */
			if (option && option->key == CTL_KEY_SERVER)
				selectors_over_hosts();
			i += option && option->arg && word[2 + size] == '\0';
		}
	}
	argp_parse(argp, argc, argv, flags, NULL, input);
}
