/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a fleet's collection plan costs and how exact it is: the tables of systemd/fleet/scale.md,
 * and a simulation that holds their formula against daemon/ship/plan.c, the same code.
 *
 *     bench_plan           prints both, as the document has them
 *     bench_plan PAGE      the lines of both tables are in PAGE, and the simulation agrees
 *
 * A fleet is drawn once: each window of a host has so many samples of a service, of which one
 * function has 1 %, more on some hosts than on others and more in some windows than in others. Then
 * other hosts with the same windows, by their numbers, decide what they ship, again and again. The
 * error is that of the function's share of what was shipped, by weight, against all windows.
 * Everything is drawn from a fixed seed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ship/plan.h"
#include "util/clock.h"
#include "util/macro.h"

/* Measured, and where: ARCHITECTURE.md#the-fleet says how. */
#define ROWS        300 /* of one window of a host */
#define WINDOW_S    30
#define ROW_BYTES   8.0   /* on a disk, with its share of the stacks */
#define WIRE_BYTES  13000 /* of one window, as several go together */
#define HOST_CPU_MS 6.1   /* of plop-gateway, for one window, reading plop.db included */
#define HOSTS       100000

/* What is looked at. */
#define SHARE    0.01 /* of the function */
#define ERROR    0.05 /* of that share, ... */
#define SIGMAS   1.96 /* ... at most, nineteen times of twenty */
#define SAMPLES  300  /* of the service in one window of one host: a tenth of a CPU at 100 Hz */
#define CV       0.5  /* standard deviation by mean, of each of these: */
#define CV2      (CV * CV) /* samples of windows, the share by host, and by window */
#define PER_DAY  (86400 / WINDOW_S)
#define DRAWS    600
#define DAY_NS   (86400 * NSEC_PER_SEC)
#define BEGIN_NS (UINT64_C(20000) * DAY_NS)

/* What SIGMAS of a normal distribution hold, and how many sigmas from it draws may be. */
#define HELD 0.95
#define FAR  4
/* The formula is the first term of a series, of a fleet that was drawn. */
#define FORMULA_OFF 0.06

static const unsigned int times_s[] = { 600, 3600, 86400 };
static const char *const times[] = { "10 minutes", "an hour", "a day" };
static const unsigned int hosts_of_service[] = { 20, 200, 2000, 20000 };
static const double shares[] = { 1, 0.1, 0.01, 0.001 };

static uint64_t state = 1;

static uint64_t draw(void)
{
	uint64_t n = state += UINT64_C(0x9e3779b97f4a7c15);

	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* In (0, 1]. */
static double uniform(void)
{
	return ((double)(draw() >> 11) + 1) / 9007199254740992.0;
}

/* Of mean 1, with CV: log-normal. */
static double factor(void)
{
	double s2 = log1p(CV2);
	double normal = sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());

	return exp(sqrt(s2) * normal - s2 / 2);
}

static unsigned int poisson(double mean)
{
	double least = exp(-mean), product = uniform();
	unsigned int n = 0;

	for (; product > least; n++)
		product *= uniform();
	return n;
}

/*
 * The relative variance of the estimated share is C (1 - p) / p: of the ratio of two estimators of
 * Horvitz and Thompson, what is drawn being windows, or hosts with all their windows.
 */
static double constant(unsigned int hosts, unsigned int windows, bool by_host)
{
	double ticks = 1 / (SHARE * SAMPLES);

	if (!by_host)
		return (ticks + (1 + CV2) * ((1 + CV2) * (1 + CV2) - 1)) / hosts / windows;
	return (ticks / windows + CV2 * (1 + CV2 / windows) +
		(1 + CV2) * (1 + CV2) * CV2 / windows) /
	       hosts;
}

static double error_of(double p, unsigned int hosts, unsigned int windows, bool by_host)
{
	return SIGMAS * sqrt(constant(hosts, windows, by_host) * (1 - p) / p);
}

static double share_needed(unsigned int hosts, unsigned int windows, bool by_host)
{
	double c = constant(hosts, windows, by_host);

	return c / (c + ERROR * ERROR / SIGMAS / SIGMAS);
}

/* Lines of a table go to a function, which prints them or looks for them. */
typedef bool line_fn(const char *line, const char *page);

static bool print_line(const char *line, const char *page)
{
	(void)page;
	puts(line);
	return true;
}

static bool find_line(const char *line, const char *page)
{
	for (const char *at = page; (at = strstr(at, line)) != NULL; at++)
		if ((at == page || at[-1] == '\n') && at[strlen(line)] == '\n')
			return true;
	fprintf(stderr, "bench_plan: the page does not have this line; bench_plan prints all: %s\n",
		line);
	return false;
}

/* Three figures. */
static void number(char *s, size_t size, double v)
{
	int decimals = v >= 100 ? 0 : v >= 10 ? 1 : 2;

	snprintf(s, size, "%.*f", decimals, v);
}

static bool fleet_table(line_fn *line, const char *page)
{
	char text[256], million[16], rows[16], disk[16], thousand[16], wire[16];
	bool ok = line("| p | windows a day | rows a day | disk a day | rows a second | network | "
		       "each host |",
		       page);

	ok &= line("|---|---|---|---|---|---|---|", page);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		double windows = (double)HOSTS * PER_DAY * shares[i];

		number(million, sizeof(million), windows / 1e6);
		number(rows, sizeof(rows), windows * ROWS / 1e9);
		number(disk, sizeof(disk), windows * ROWS * ROW_BYTES / 1e9);
		number(thousand, sizeof(thousand), windows * ROWS / 86400 / 1e3);
		number(wire, sizeof(wire), windows * WIRE_BYTES / 86400 / 1e6);
		snprintf(text, sizeof(text),
			 "| %g | %s million | %s billion | %s GB | %s thousand | %s MB/s | %.2g kB "
			 "and %.2g ms of CPU a minute |",
			 shares[i], million, rows, disk, thousand, wire,
			 2 * WIRE_BYTES / 1e3 * shares[i], 2 * HOST_CPU_MS * shares[i]);
		ok &= line(text, page);
	}
	return ok;
}

static bool share_table(line_fn *line, const char *page)
{
	bool ok = line("| hosts | time | p of windows | p of hosts |", page);
	char text[256];

	ok &= line("|---|---|---|---|", page);
	for (size_t i = 0; i < ARRAY_SIZE(hosts_of_service); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(times); t++) {
			unsigned int hosts = hosts_of_service[i], n = times_s[t] / WINDOW_S;

			snprintf(text, sizeof(text), "| %u | %s | %.2g | %.2g |", hosts, times[t],
				 share_needed(hosts, n, false), share_needed(hosts, n, true));
			ok &= line(text, page);
		}
	}
	return ok;
}

struct window {
	uint32_t all, ours; /* samples of the service, and of the function */
};

static struct window *fleet_make(unsigned int hosts, unsigned int n)
{
	struct window *all = calloc((size_t)hosts * n, sizeof(*all));

	for (unsigned int h = 0; all && h < hosts; h++) {
		double of_host = factor();

		for (unsigned int i = 0; i < n; i++) {
			struct window *w = &all[(size_t)h * n + i];

			w->all = (uint32_t)(SAMPLES * factor() + 0.5);
			w->ours = poisson(w->all * SHARE * of_host * factor());
		}
	}
	return all;
}

/* The function's share by what one draw of hosts ships, in relation to the whole; -1: nothing. */
static double estimate(const struct ship_plan *p, const struct window *all, unsigned int hosts,
		       unsigned int n, double whole)
{
	static const struct ship_service service = { .name = "shop", .version = "1", .nth = 1000 };
	double weight = (double)ship_plan_weight(p, &service) / SHIP_MILLION, sum = 0, ours = 0;

	for (unsigned int h = 0; h < hosts; h++) {
		uint64_t host_id = draw();

		for (unsigned int i = 0; i < n; i++) {
			const struct window *w = &all[(size_t)h * n + i];

			if (!ship_plan_takes(p, host_id, BEGIN_NS + i * WINDOW_S * NSEC_PER_SEC,
					     &service))
				continue;
			sum += weight * w->all;
			ours += weight * w->ours;
		}
	}
	return sum > 0 ? ours / sum / whole : -1;
}

/* Whether the errors that are drawn are those of the formula. */
static bool simulate(unsigned int hosts, unsigned int n, double p, bool by_host)
{
	const struct ship_plan plan = { .share = (uint32_t)(p * SHIP_MILLION),
					.share_least = (uint32_t)(p * SHIP_MILLION),
					.by_host = by_host };
	_cleanup_free_ struct window *all = fleet_make(hosts, n);
	double sum = 0, ours = 0, mean = 0, squares = 0, sigma, expected, off;
	unsigned int held = 0;
	bool ok;

	if (!all)
		return false;
	for (size_t i = 0; i < (size_t)hosts * n; i++) {
		sum += all[i].all;
		ours += all[i].ours;
	}
	expected = error_of(p, hosts, n, by_host);
	for (int i = 0; i < DRAWS; i++) {
		double e = estimate(&plan, all, hosts, n, ours / sum) - 1;

		mean += e / DRAWS;
		squares += e * e / DRAWS;
		held += fabs(e) <= expected;
	}
	sigma = SIGMAS * sqrt(squares);
	off = FORMULA_OFF + FAR / sqrt(2.0 * DRAWS);
	/* the fleet is one draw, whose hosts make the design effect: the more the better */
	off += by_host ? FAR * 1.5 / sqrt(hosts) : 0;
	ok = fabs(sigma / expected - 1) <= off &&
	     fabs(mean) <= FAR * expected / SIGMAS / sqrt(DRAWS) + expected * expected &&
	     held >= DRAWS * (HELD - off / 2);
	printf("%6u hosts, %4u windows each, p of %-7s %-6g error %5.2f %%, by the formula %5.2f "
	       "%%; "
	       "%4.1f %% within; mean %+.2f %%%s\n",
	       hosts, n, by_host ? "hosts" : "windows", p, 100 * sigma, 100 * expected,
	       100.0 * held / DRAWS, 100 * mean, ok ? "" : ": NOT what it should be");
	return ok;
}

static bool simulate_all(void)
{
	static const struct {
		unsigned int hosts, windows;
		double p;
		bool by_host;
	} rows[] = {
		{ 200, 120, 0.05, false }, { 200, 120, 0.1, false }, { 2000, 20, 0.03, false },
		{ 2000, 20, 0.1, false },  { 100, 120, 0.5, false }, { 2000, 20, 0.1, true },
		{ 2000, 20, 0.3, true },   { 1000, 40, 0.16, true },
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ok &= simulate(rows[i].hosts, rows[i].windows, rows[i].p, rows[i].by_host);
	return ok;
}

/* The whole file, as a string. */
static char *page_read(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || fread(text, 1, (1 << 20) - 1, f) == 0) {
		perror(path);
		free(text);
		return NULL;
	}
	return text;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *page = argc == 2 ? page_read(argv[1]) : NULL;
	line_fn *line = argc == 2 ? find_line : print_line;
	bool ok;

	if (argc > 2 || (argc == 2 && !page)) {
		fprintf(stderr, "Usage: bench_plan [PAGE]\n");
		return 2;
	}
	ok = fleet_table(line, page);
	puts("");
	ok &= share_table(line, page);
	puts("");
	ok &= simulate_all();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
