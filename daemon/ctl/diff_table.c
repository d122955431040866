/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_table.h"

#include <math.h>

#include "ctl/ctl.h"
#include "util/log.h"

/* Of a terminal that does not say, and at most: a line longer than that is hard to follow. */
#define COLUMNS 100
/* What stands before a function's name. */
#define BEFORE 54
/* Of those that are not clear, so many are shown, of which the most seems to have changed. */
#define UNCLEAR_SHOWN 5

struct counts {
	unsigned int changes, renamed, same, unclear, shown;
	const json_t *most[UNCLEAR_SHOWN]; /* of the unclear ones, shown of them, the most first */
};

static double rise_of(const json_t *f)
{
	return fabs(json_number_at(f, "new_self") - json_number_at(f, "base_self"));
}

static void count_unclear(struct counts *n, const json_t *f)
{
	unsigned int at = n->shown;

	n->unclear++;
	while (at > 0 && rise_of(n->most[at - 1]) < rise_of(f))
		at--;
	if (at == UNCLEAR_SHOWN)
		return;
	n->shown = MIN(n->shown + 1, (unsigned int)UNCLEAR_SHOWN);
	for (unsigned int i = n->shown - 1; i > at; i--)
		n->most[i] = n->most[i - 1];
	n->most[at] = f;
}

void diff_table_change(const json_t *f, char buffer[static DIFF_CHANGE_MAX])
{
	double base = json_number_at(f, "base_self");

	if (!json_is_number(json_object_get(f, "relative")))
		snprintf(buffer, DIFF_CHANGE_MAX, "-");
	else
		snprintf(buffer, DIFF_CHANGE_MAX, "%+.0f %% (%+.0f..%+.0f)",
			 100 * json_number_at(f, "relative"),
			 100 * json_number_at(f, "rise_low") / base,
			 100 * json_number_at(f, "rise_high") / base);
}

const char *diff_table_verdict(const json_t *f)
{
	const char *verdict = json_string_at(f, "verdict");

	if (*json_string_at(f, "was") && (streq(verdict, "same") || streq(verdict, "unclear")))
		return "renamed";
	return verdict;
}

static void write_function(const json_t *f, unsigned int columns, struct buf *out)
{
	const char *place = json_place_at(f), *was = json_string_at(f, "was");
	char change[DIFF_CHANGE_MAX], cell[4 * COLUMNS + 8];
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	diff_table_change(f, change);
	buf_puts(&b, json_string_at(f, "name"));
	if (*place)
		buf_printf(&b, " (%s)", place);
	if (*was)
		buf_printf(&b, ", was %s", was);
	text = buf_string(&b);
	buf_printf(out, "%-8s%24s %7.2f %% %7.2f %%  %s\n", diff_table_verdict(f), change,
		   100 * json_number_at(f, "base_self"), 100 * json_number_at(f, "new_self"),
		   text ? text_cell(text, columns, false, cell, sizeof(cell)) : "");
}

void diff_table_side(const json_t *answer, const char *side, struct buf *out)
{
	const json_t *s = json_object_get(answer, side);
	char samples[32], windows[32], from[32], to[32];

	if (!json_is_number(json_object_get(s, "from"))) {
		buf_printf(out, "%-5s %s samples", side,
			   text_number((uint64_t)json_number_at(s, "samples"), samples,
				       sizeof(samples)));
		return;
	}
	buf_printf(out, "%-5s %s samples in %s windows of up to %.3g s, %s to %s", side,
		   text_number((uint64_t)json_number_at(s, "samples"), samples, sizeof(samples)),
		   text_number((uint64_t)json_number_at(s, "windows"), windows, sizeof(windows)),
		   json_number_at(s, "window_s"),
		   text_time(json_number_at(s, "from"), from, sizeof(from)),
		   text_time(json_number_at(s, "to"), to, sizeof(to)));
}

/* What --per adds. */
static void write_per(const json_t *answer, struct buf *out)
{
	const json_t *per = json_object_get(answer, "per");
	double base = json_number_at(per, "base.cpu"), new = json_number_at(per, "new.cpu");

	if (!per)
		return;
	buf_printf(out, "%.4g ms of CPU time for each of %s, now %.4g (%+.1f %%)\n", 1000 * base,
		   json_string_at(per, "counter"), 1000 * new,
		   base > 0 ? 100 * (new / base - 1) : 0);
}

static void warn(const json_t *answer)
{
	const json_t *warnings = json_object_get(answer, "warnings"), *text;
	size_t i;

	json_array_foreach(warnings, i, text) log_warning("%s", json_string_value(text));
}

int diff_table_print(const json_t *answer)
{
	unsigned int columns = text_columns(STDOUT_FILENO);
	const json_t *functions = json_object_get(answer, "functions"), *f;
	_cleanup_buf_ struct buf out = {}, shown = {};
	struct counts n = {};
	size_t i;

	columns = columns ? MIN(columns, (unsigned int)COLUMNS + BEFORE) : COLUMNS + BEFORE;
	columns = columns > BEFORE + 20 ? columns - BEFORE : 20;
	warn(answer);
	diff_table_side(answer, "base", &out);
	buf_putc(&out, '\n');
	diff_table_side(answer, "new", &out);
	buf_putc(&out, '\n');
	write_per(answer, &out);
	buf_printf(&out, "\n%-8s%24s %9s %9s  %s\n", "", "COST (95 %)", "BASE", "NEW", "FUNCTION");
	json_array_foreach(functions, i, f)
	{
		const char *verdict = diff_table_verdict(f);

		if (streq(verdict, "same")) {
			n.same++;
		} else if (streq(verdict, "unclear")) {
			count_unclear(&n, f);
		} else {
			write_function(f, columns, &out);
			*(streq(verdict, "renamed") ? &n.renamed : &n.changes) += 1;
		}
	}
	for (unsigned int k = 0; k < n.shown; k++)
		write_function(n.most[k], columns, &out);
	buf_printf(&out, "%u changed, ", n.changes);
	if (n.renamed)
		buf_printf(&out, "%u renamed, ", n.renamed);
	buf_printf(&out, "%u %s the same, %u unclear%s\n", n.same, n.same == 1 ? "is" : "are",
		   n.unclear, n.unclear ? ": more windows would tell" : "");
	if (!out.error)
		text_for_terminal(out.data, out.size, false, &shown);
	if (out.error || shown.error || fwrite(shown.data, 1, shown.size, stdout) != shown.size ||
	    fflush(stdout) != 0) {
		log_error("diff: cannot write to stdout");
		return CTL_FAILED;
	}
	return CTL_DONE;
}
