/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulates the ticks of daemon/sampler/period.c, the same code, on work of four functions that
 * take 10, 6, 3 and 1 parts of each period, and prints how far the samples are from independent
 * ones; beside them intervals that are exponentially distributed, and the one period of old. Fails
 * where period.c's are beyond the limits.
 *
 *     bench_lockstep [--brief]
 *
 * Everything is drawn from a fixed seed: the same table each time.
 */
#include <math.h>
#include <stdbool.h>

#include "sampler/period.h"
#include "util/clock.h"

/* What holds for every period of work at every rate; the last two are shares of runs. */
#define VARIANCE_MOST 1.3
#define BEYOND_MOST   (1.0 / 300)
#define COUNT_MOST    0.01  /* the error of a run's number of samples ... */
#define OFF_MOST      0.001 /* ... which so many may exceed */
#define CHI_SQUARE \
	16.266 /* three degrees of freedom, p = 0.001 (NIST/SEMATECH e-Handbook, 1.3.6.7.4) */

#define SECONDS   20
#define FUNCTIONS 4
static const double shares[FUNCTIONS] = { 0.50, 0.30, 0.15, 0.05 };

enum scheme { PLOP, EXPONENTIAL, FIXED, SCHEMES };

struct result {
	/*
	 * of a function's share, as a multiple of that of independent samples; the largest of the
	 * four
	 */
	double variance;
	double beyond; /* share of runs beyond p = 0.001 */
	double off;    /* share of runs whose number of samples is wrong by more than COUNT_MOST */
	/* largest distance of a run's number of samples from what its time is worth */
	double worst;
	double mean; /* mean of that, with its sign */
};

/* xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators") */
static uint64_t state = UINT64_C(0x5eed5eed5eed5eed);
static uint64_t draw(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static double uniform(void)
{
	return (double)(draw() >> 11) / (double)(UINT64_C(1) << 53);
}

/* A tick at this point of time: whose function it finds. */
static void tick(unsigned int counts[FUNCTIONS], double at, double period)
{
	double in = at / period;
	int n = 0;

	in -= floor(in);
	while (n < FUNCTIONS - 1 && in >= shares[n])
		in -= shares[n++];
	counts[n]++;
}

/* The part of the time from phase on, for SECONDS, that each function has. */
static void truth(double ret[FUNCTIONS], double phase, double period)
{
	double from = phase / period, to = (phase + SECONDS * 1e9) / period, begin = 0;

	for (int k = 0; k < FUNCTIONS; k++) {
		double within = fmin(fmax(to - floor(to) - begin, 0), shares[k]) -
				fmin(fmax(from - floor(from) - begin, 0), shares[k]);

		ret[k] = ((floor(to) - floor(from)) * shares[k] + within) / (to - from);
		begin += shares[k];
	}
}

/* One run from 0 to SECONDS. phase: where the work is at 0. */
static void run_plop(unsigned int counts[FUNCTIONS], double work, double phase, uint32_t hz)
{
	const uint64_t end = SECONDS * NSEC_PER_SEC;
	struct period p;
	uint64_t now = 0;

	period_begin(&p, hz, draw(), 1, 0, 1);
	while (now < end) {
		/* the timer comes up to 0.1 ms late */
		uint64_t lasts = period_lasts_now(&p) + (uint64_t)(uniform() * 1e5);
		uint64_t until = MIN(now + lasts, end);

		for (uint64_t at = now + p.ns; at < until; at += p.ns)
			tick(counts, phase + (double)at, work);
		period_next(&p, until - now);
		now = until;
	}
}

static void run_exponential(unsigned int counts[FUNCTIONS], double work, double phase, uint32_t hz)
{
	double mean = 1e9 / hz, at = -log(1 - uniform()) * mean;

	for (; at < SECONDS * 1e9; at -= log(1 - uniform()) * mean)
		tick(counts, phase + at, work);
}

/* As it was: one part in 64, another each 5 s. */
static void run_fixed(unsigned int counts[FUNCTIONS], double work, double phase, uint32_t hz)
{
	double nominal = 1e9 / hz, at = uniform() * nominal;

	for (int i = 1; i <= SECONDS / 5; i++) {
		double period = nominal * (1 + (2 * uniform() - 1) / 64);

		for (; at < i * 5e9; at += period)
			tick(counts, phase + at, work);
	}
}

static void run(enum scheme scheme, unsigned int counts[FUNCTIONS], double ret_truth[FUNCTIONS],
		double work, uint32_t hz)
{
	double phase = uniform() * work;

	truth(ret_truth, phase, work);
	if (scheme == PLOP)
		run_plop(counts, work, phase, hz);
	else if (scheme == EXPONENTIAL)
		run_exponential(counts, work, phase, hz);
	else
		run_fixed(counts, work, phase, hz);
}

static struct result measure(enum scheme scheme, double work, uint32_t hz, unsigned int runs)
{
	double squares[FUNCTIONS] = {}, expected = (double)SECONDS * hz;
	unsigned int beyond = 0;
	struct result r = {};

	for (unsigned int i = 0; i < runs; i++) {
		unsigned int counts[FUNCTIONS] = {}, n = 0;
		double known[FUNCTIONS], x = 0;

		run(scheme, counts, known, work, hz);
		for (int k = 0; k < FUNCTIONS; k++)
			n += counts[k];
		for (int k = 0; k < FUNCTIONS; k++) {
			double away = counts[k] - n * known[k];

			x += away * away / (n * known[k]);
			squares[k] += away * away / (n * known[k] * (1 - known[k]));
		}
		beyond += x > CHI_SQUARE;
		r.mean += (n / expected - 1) / runs;
		r.worst = fmax(r.worst, fabs(n / expected - 1));
		r.off += (fabs(n / expected - 1) > COUNT_MOST) / (double)runs;
	}
	for (int k = 0; k < FUNCTIONS; k++)
		r.variance = fmax(r.variance, squares[k] / runs);
	r.beyond = (double)beyond / runs;
	return r;
}

/*
 * The periods of work, in ms: 60 from 0.5 ms to 1 s, of which a third are multiples and fractions
 * of the rates' periods.
 */
static size_t periods(uint32_t hz, double *ret, size_t n)
{
	static const double parts[] = { 0.1,  0.125, 0.2,  0.25,    1.0 / 3, 0.4, 0.5, 2.0 / 3,
					0.75, 1,     1.25, 4.0 / 3, 1.5,     2,   2.5, 3,
					4,    5,     8,    10,      20,      50,  100 };
	size_t found = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && found < n; i++) {
		double ms = parts[i] * 1000 / hz;

		if (ms >= 0.5 && ms <= 1000)
			ret[found++] = ms;
	}
	for (size_t i = 0, more = n - found; i < more; i++)
		ret[found++] = 0.5 * pow(2000, (double)i / (double)(more - 1));
	return found;
}

static void add(struct result *to, const struct result *r)
{
	to->variance = fmax(to->variance, r->variance);
	to->beyond = fmax(to->beyond, r->beyond);
	to->worst = fmax(to->worst, r->worst);
	to->off = fmax(to->off, r->off);
	if (fabs(r->mean) > fabs(to->mean))
		to->mean = r->mean;
}

static void row(const char *what, const struct result r[SCHEMES])
{
	printf("%-22s", what);
	for (int s = 0; s < SCHEMES; s++)
		printf("  %7.2f %6.2f %% %5.2f %%", r[s].variance, 100 * r[s].beyond,
		       100 * r[s].worst);
	printf("  %+.3f %%\n", 100 * r[PLOP].mean);
	fflush(stdout);
}

/*
 * Of a share of runs, what chance adds to it at most, once in a thousand times (a normal
 * distribution's 3.09 sigma).
 */
static double margin(double share, unsigned int runs)
{
	return 3.09 * sqrt(share * (1 - share) / runs);
}

int main(int argc, char **argv)
{
	static const uint32_t rates[] = { 100, 400, 997, 5000 };
	bool brief = argc > 1 && streq(argv[1], "--brief"), good = true;
	unsigned int runs = brief ? 300 : 3000;

	printf("%-22s  %-24s  %-24s  %-24s\nvariance of a share, as a multiple of independent "
	       "samples'; runs "
	       "of %d s beyond p = 0.001; largest error of the count; plop's mean one\n",
	       "", "plop", "exponential", "one period", SECONDS);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct result all[SCHEMES] = {};
		double work[60];
		char what[64];
		size_t n = periods(rates[i], work, 60);

		for (size_t k = brief ? i % 5 : 0; k < n; k += brief ? 5 : 1) {
			struct result r[SCHEMES];

			for (enum scheme s = 0; s < SCHEMES; s++) {
				r[s] = measure(s, work[k] * 1e6, rates[i],
					       s == PLOP ? runs : runs / 10);
				add(&all[s], &r[s]);
			}
			snprintf(what, sizeof(what), "%u Hz, %.3f ms", rates[i], work[k]);
			row(what, r);
		}
		snprintf(what, sizeof(what), "%u Hz, the worst", rates[i]);
		row(what, all);
		good &= all[PLOP].variance <= VARIANCE_MOST &&
			all[PLOP].beyond <= BEYOND_MOST + margin(BEYOND_MOST, runs) &&
			all[PLOP].off <= OFF_MOST + margin(OFF_MOST, runs);
	}
	printf(good ? "all within the limits\n" : "beyond the limits\n");
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
