/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/diff_table.h"

#include <math.h>

#include "ctl/ctl.h"
#include "util/log.h"

/* Of a terminal that does not say, and at most: a line longer than that is hard to follow. */
#define COLUMNS 100
/* What stands before a function's name. */
#define BEFORE 54

static bool is_change(const json_t *f)
{
	const char *verdict = json_string_at(f, "verdict");

	return !streq(verdict, "same") && !streq(verdict, "unclear");
}

/* "+31 % (28..34)": by how much of its own time; of a new one "-". */
static void write_change(const json_t *f, char *buffer, size_t size)
{
	double base = json_number_at(f, "base_self");

	if (!json_is_number(json_object_get(f, "relative")))
		snprintf(buffer, size, "-");
	else
		snprintf(buffer, size, "%+.0f %% (%+.0f..%+.0f)",
			 100 * json_number_at(f, "relative"),
			 100 * json_number_at(f, "rise_low") / base,
			 100 * json_number_at(f, "rise_high") / base);
}

static void write_function(const json_t *f, unsigned int columns, struct buf *out)
{
	const char *place = json_place_at(f);
	char change[48], cell[4 * COLUMNS + 8];
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *text = NULL;

	write_change(f, change, sizeof(change));
	buf_puts(&b, json_string_at(f, "name"));
	if (*place)
		buf_printf(&b, " (%s)", place);
	text = buf_string(&b);
	buf_printf(out, "%-8s%24s %7.2f %% %7.2f %%  %s\n", json_string_at(f, "verdict"), change,
		   100 * json_number_at(f, "base_self"), 100 * json_number_at(f, "new_self"),
		   text ? text_cell(text, columns, false, cell, sizeof(cell)) : "");
}

static void write_side(const json_t *answer, const char *side, struct buf *out)
{
	const json_t *s = json_object_get(answer, side);
	char samples[32], windows[32], from[32], to[32];

	if (!json_is_number(json_object_get(s, "from"))) {
		buf_printf(out, "%-5s %s samples\n", side,
			   text_number((uint64_t)json_number_at(s, "samples"), samples,
				       sizeof(samples)));
		return;
	}
	buf_printf(out, "%-5s %s samples in %s windows, %s to %s\n", side,
		   text_number((uint64_t)json_number_at(s, "samples"), samples, sizeof(samples)),
		   text_number((uint64_t)json_number_at(s, "windows"), windows, sizeof(windows)),
		   text_time(json_number_at(s, "from"), from, sizeof(from)),
		   text_time(json_number_at(s, "to"), to, sizeof(to)));
}

static void warn(const json_t *answer)
{
	const json_t *warnings = json_object_get(answer, "warnings"), *text;
	size_t i;

	json_array_foreach(warnings, i, text) log_warning("%s", json_string_value(text));
}

int diff_table_print(const json_t *answer)
{
	unsigned int columns = text_columns(STDOUT_FILENO), changes = 0, unclear = 0, same = 0;
	const json_t *functions = json_object_get(answer, "functions"), *f;
	_cleanup_buf_ struct buf out = {};
	size_t i;

	columns = columns ? MIN(columns, (unsigned int)COLUMNS + BEFORE) : COLUMNS + BEFORE;
	columns = columns > BEFORE + 20 ? columns - BEFORE : 20;
	warn(answer);
	write_side(answer, "base", &out);
	write_side(answer, "new", &out);
	buf_printf(&out, "\n%-8s%24s %9s %9s  %s\n", "", "COST (95 %)", "BASE", "NEW", "FUNCTION");
	json_array_foreach(functions, i, f)
	{
		if (is_change(f)) {
			write_function(f, columns, &out);
			changes++;
		} else {
			*(streq(json_string_at(f, "verdict"), "same") ? &same : &unclear) += 1;
		}
	}
	buf_printf(&out, "%s%u %s the same, and %u unclear\n",
		   changes ? "" : "nothing changed: ", same, same == 1 ? "is" : "are", unclear);
	if (out.error || fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0) {
		log_error("diff: cannot write to stdout");
		return CTL_FAILED;
	}
	return CTL_DONE;
}
