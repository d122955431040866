/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile/sums.h"

#include "util/array.h"

void sums_done(struct sums *s)
{
	free(s->functions);
	*s = (struct sums){};
}

void sums_clear(struct sums *s)
{
	if (s->n)
		memset(s->functions, 0, s->n * sizeof(*s->functions));
	s->samples = s->start_ns = s->end_ns = 0;
	s->hz = 0;
}

int sums_hold(struct sums *s, uint32_t number)
{
	while (s->n <= number) {
		void *array = s->functions;
		int r = array_reserve(&array, s->n, &s->room, sizeof(*s->functions));

		if (r < 0)
			return r;
		s->functions = array;
		memset(s->functions + s->n, 0, (s->room - s->n) * sizeof(*s->functions));
		s->n = s->room;
	}
	return 0;
}

void sums_note(struct sums *s, uint64_t start_ns, uint64_t end_ns, uint32_t hz)
{
	if (!s->end_ns) {
		s->start_ns = start_ns;
		s->hz = hz;
	}
	s->start_ns = MIN(s->start_ns, start_ns);
	s->end_ns = MAX(s->end_ns, end_ns);
}

/* What a profile is added with. */
struct adding {
	struct sums *sums;
	const struct sums_of *of;
	const struct dict *dict;
	uint32_t *numbers; /* by function of the dict */
	uint64_t *stamps;  /* by number: the sample + 1 that was added last */
};

static int number_all(struct adding *a)
{
	uint32_t n = dict_functions(a->dict), most = 0;
	int r = 0;

	a->numbers = calloc((size_t)n + 1, sizeof(*a->numbers));
	if (!a->numbers)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = a->of->number(dict_get_function(a->dict, i), a->of->ctx, &a->numbers[i]);
		most = MAX(most, a->numbers[i]);
	}
	if (r == 0)
		r = sums_hold(a->sums, most);
	if (r < 0)
		return r;
	a->stamps = calloc((size_t)most + 1, sizeof(*a->stamps));
	return a->stamps ? 0 : -ENOMEM;
}

static int add_sample(struct adding *a, const struct profile_sample *s, uint64_t stamp)
{
	const struct dict_stack *stack = dict_get_stack(a->dict, s->stack);
	uint32_t number = 0, caller;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < stack->depth; i++) {
		const struct dict_frame *f = dict_get_frame(a->dict, stack->frames[i]);

		caller = number;
		number = a->numbers[f->function];
		if (i && a->of->call && caller != number)
			r = a->of->call(caller, number, s->count, a->of->ctx);
		if (r == 0 && a->of->line)
			r = a->of->line(number, dict_get_function(a->dict, f->function)->line,
					f->line, s->count, a->of->ctx);
		if (a->stamps[number] == stamp)
			continue;
		a->stamps[number] = stamp;
		a->sums->functions[number].total += s->count;
	}
	a->sums->functions[number].self += s->count;
	a->sums->samples += s->count;
	return r;
}

int sums_add(struct sums *s, const struct profile *p, const struct sums_of *of)
{
	struct adding a = { .sums = s, .of = of, .dict = p->dict };
	int r = number_all(&a);

	sums_note(s, p->start_ns, p->end_ns, p->hz);
	for (uint32_t i = 0; r == 0 && i < p->nsamples; i++) {
		const struct profile_sample *one = &p->samples[i];

		if (!dict_get_stack(p->dict, one->stack)->depth || !one->count)
			continue;
		r = add_sample(&a, one, (uint64_t)i + 1);
		if (r == 0 && of->process)
			r = of->process(&p->processes[one->process], one->count, of->ctx);
	}
	free(a.numbers);
	free(a.stamps);
	return r;
}
