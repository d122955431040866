/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/warn.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/macro.h"

/* With fewer windows on a side it is said that little can be told. */
#define FEW_WINDOWS 10
/* Load that differs by more than this is said, and parts that do by more than that of the time. */
#define LOAD_DIFFERS 1.5
#define PART_DIFFERS 0.1

struct warnings {
	char **texts;
	int n; /* or -ENOMEM */
};

static void _printf_(2, 3) warn(struct warnings *w, const char *format, ...)
{
	va_list ap;

	if (w->n < 0 || w->n == WARNINGS_MAX)
		return;
	va_start(ap, format);
	if (vasprintf(&w->texts[w->n], format, ap) < 0) {
		while (w->n > 0)
			free(w->texts[--w->n]);
		w->n = -ENOMEM;
	} else {
		w->n++;
	}
	va_end(ap);
}

static void of_rates(const struct diff_windows *base, const struct diff_windows *new,
		     struct warnings *w)
{
	if ((base->off_cpu || base->wall) != (new->off_cpu || new->wall))
		warn(w, "one side has time off CPU and the other has not: shares of the two are "
			"of different wholes");
	if (base->hz_least != base->hz_most || new->hz_least != new->hz_most ||
	    (base->hz_most && new->hz_most && base->hz_most != new->hz_most))
		warn(w,
		     "not all was sampled at one rate (%u to %u Hz, and %u to %u Hz): what was "
		     "sampled at a higher one counts for more",
		     base->hz_least, base->hz_most, new->hz_least, new->hz_most);
}

static double load_of(const struct diff_windows *w)
{
	return w->seconds > 0 && w->hz_most ? w->samples / w->seconds / w->hz_most : NAN;
}

static void of_load(const struct diff_windows *base, const struct diff_windows *new,
		    struct warnings *w)
{
	double one = load_of(base), two = load_of(new);

	/* NaN: it is not known of one of them */
	if (fmax(one, two) > LOAD_DIFFERS * fmin(one, two))
		warn(w,
		     "the load differs: %.2f CPUs on average on the base side, %.2f on the new "
		     "one; "
		     "what is done once, not for each request, changes its share by that alone",
		     one, two);
}

static double part_share(const struct diff_windows *w, const char *name)
{
	double samples = 0;

	for (uint32_t i = 0; i < w->nparts; i++)
		if (streq(dict_get_text(w->dict, w->parts[i].name), name))
			samples += w->parts[i].samples;
	return w->samples > 0 ? samples / w->samples : 0;
}

/* The part whose share differs most, of those that the side one has. */
static const char *find_part(const struct diff_windows *one, const struct diff_windows *two,
			     double *most)
{
	const char *found = NULL;

	for (uint32_t i = 0; i < one->nparts; i++) {
		const char *name = dict_get_text(one->dict, one->parts[i].name);
		double differs = fabs(part_share(one, name) - part_share(two, name));

		if (differs > *most) {
			*most = differs;
			found = name;
		}
	}
	return found;
}

static void of_parts(const struct diff_windows *base, const struct diff_windows *new,
		     struct warnings *w)
{
	double most = PART_DIFFERS;
	const char *name = find_part(base, new, &most), *other = find_part(new, base, &most);

	if (other)
		name = other;
	if (name)
		warn(w,
		     "other processes ran: %.64s has %.0f %% of the base side and %.0f %% of the "
		     "new "
		     "one; choose one service",
		     name, 100 * part_share(base, name), 100 * part_share(new, name));
}

int warn_of_sides(const struct diff_windows *const windows[SIDES], char *ret[WARNINGS_MAX])
{
	const struct diff_windows *base = windows[BASE_SIDE], *new = windows[NEW_SIDE];
	struct warnings w = { .texts = ret };

	if (!base->n || !new->n)
		return 0;
	if (base->weights || new->weights)
		warn(&w,
		     "a side has weights and no numbers of samples: how sure a change is cannot "
		     "be told");
	if (base->n == 1 && new->n == 1 && base->whole &&new->whole)
		warn(&w,
		     "these are two files or recordings, without windows: how much functions "
		     "differ from one time to the next is taken for %.0f times what chance makes "
		     "of their samples; several a side tell it",
		     DIFF_ALONE);
	else if (base->hosts && (base->n < FEW_WINDOWS || new->n < FEW_WINDOWS))
		warn(&w,
		     "there are %u hosts of the base side and %u of the new one: with fewer than "
		     "%d of each only large changes are sure",
		     base->hosts, new->hosts, FEW_WINDOWS);
	else if (base->n < FEW_WINDOWS || new->n < FEW_WINDOWS)
		warn(&w,
		     "there are %u windows of the base side and %u of the new one: with fewer than "
		     "%d of each only large changes are sure",
		     base->seen, new->seen, FEW_WINDOWS);
	of_rates(base, new, &w);
	of_load(base, new, &w);
	of_parts(base, new, &w);
	return w.n;
}
