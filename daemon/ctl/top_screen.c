/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/top_screen.h"

#include <ctype.h>
#include <ncurses.h>
#include <time.h>

#include "ctl/ctl.h"
#include "util/parse.h"

#define HEAD_LINES     5 /* the last one names the columns */
#define LINE_MAX_BYTES 2048
#define INTERVAL_MAX_S 60
#define KEY_ESCAPE     27
#define CTRL(c)        ((c)&0x1f)

static SCREEN *screen;

/* The tail of a path is what tells files apart: cut on the left. */
static void place_cell(const char *s, unsigned int columns, char *buffer, size_t size)
{
	unsigned int used = 0;
	const char *p = s + strlen(s);

	text_cell(s, (unsigned int)size, false, buffer, size);
	if (columns == 0)
		return;
	while (p > s && used + 2 < columns) {
		p--;
		used += (*p & 0xc0) != 0x80;
	}
	while ((*p & 0xc0) == 0x80)
		p++;
	if ((unsigned int)(p - s) <= 2) {
		text_cell(s, columns, false, buffer, size);
		return;
	}
	buffer[0] = buffer[1] = '.';
	text_cell(p, columns - 2, false, buffer + 2, size - 2);
}

static void head_first(const struct top_head *h, const struct top_rates *r,
		       const struct top_look *look, char *line, size_t size)
{
	char version[64], target[256], now[16];
	time_t t = time(NULL);
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(now, sizeof(now), "%H:%M:%S", &tm) == 0)
		now[0] = '\0';
	snprintf(line, size, "plop top - %s  plopd %s, %.0f Hz, last %.1f s, every %u s: %s", now,
		 text_cell(json_string_at(h->status, "version"), 20, false, version,
			   sizeof(version)),
		 json_number_at(h->status, "hz"), r->seconds, look->interval_s,
		 text_cell(h->target, 200, false, target, sizeof(target)));
}

static void head_load(const struct top_head *h, const struct top_model *m, char *line, size_t size)
{
	const struct top_rates *r = top_model_rates(m);
	char rss[32];
	int n;

	n = snprintf(line, size, "Python:  %zu process%s, %.1f samples/s", top_model_listed(m),
		     top_model_listed(m) == 1 ? "" : "es", r->samples);
	/* Somebody who may know of some processes only is not told what the host's cost. */
	if (n < 0 || (size_t)n >= size || !json_object_get(h->status, "cost"))
		return;
	snprintf(line + n, size - (size_t)n, "; plop itself: kernel %.2f %%, plopd %.2f %%, %s",
		 json_number_at(h->status, "cost.bpf_cpu_percent"),
		 json_number_at(h->status, "cost.daemon_cpu_percent"),
		 format_bytes((uint64_t)json_number_at(h->status, "cost.rss_bytes"), rss,
			      sizeof(rss)));
}

static void head_state(const struct top_head *h, const struct top_look *look, char *line,
		       size_t size)
{
	if (look->editing)
		snprintf(line, size, "Filter: %s_", look->filter);
	else
		snprintf(line, size, "%s%s%s%s%s%s%s", h->message ? h->message : "",
			 h->message ? "  " : "", look->paused ? "PAUSED  " : "",
			 *look->filter ? "filter: " : "", look->filter, *look->filter ? "  " : "",
			 h->message || look->paused || *look->filter ? "" : "h help, q quit");
}

static void head_columns(const struct top_look *look, unsigned int columns, char *line, size_t size)
{
	bool by_self = look->sort == TOP_SELF;

	if (look->kind == TOP_PROCESSES)
		snprintf(line, size, "%7s %7s%s%6s%s%10s  %-8s %-24s %s", "PID",
			 by_self ? "*SHARE" : "SHARE", "%", by_self ? "CPU" : "*CPU", "%",
			 "SAMPLES/S", "PYTHON", "SERVICE", "COMMAND");
	else
		snprintf(line, size, "%6s%s %6s%s %10s  %-*s %s", by_self ? "*SELF" : "SELF", "%",
			 by_self ? "TOTAL" : "*TOTAL", "%", "SAMPLES/S",
			 (int)(columns > 40 ? (columns - 30) / 2 : 40), "FUNCTION", "FILE:LINE");
}

static void head_line(const struct top_model *m, const struct top_head *h,
		      const struct top_look *look, unsigned int i, unsigned int columns, char *line,
		      size_t size)
{
	const struct top_rates *r = top_model_rates(m);

	switch (i) {
	case 0:
		head_first(h, r, look, line, size);
		break;
	case 1:
		snprintf(line, size, "Ticks/s: %.1f = python %.1f + other %.1f + lost %.1f",
			 r->ticks, r->python, r->other, r->lost);
		break;
	case 2:
		head_load(h, m, line, size);
		break;
	case 3:
		head_state(h, look, line, size);
		break;
	default:
		head_columns(look, columns, line, size);
	}
}

static void row_line(const struct top_row *row, enum top_kind kind, unsigned int columns,
		     char *line, size_t size)
{
	unsigned int wide = columns > 40 ? (columns - 30) / 2 : 40;
	char name[600], place[1200], full[1100], python[32];

	if (kind == TOP_PROCESSES) {
		snprintf(line, size, "%7d %8.1f %6.1f %9.1f  %s %s %s", row->pid, row->self,
			 row->total, row->rate,
			 text_cell(row->python, 8, true, python, sizeof(python)),
			 text_cell(row->name, 24, true, name, sizeof(name)),
			 text_cell(row->place, 64, false, place, sizeof(place)));
		return;
	}
	snprintf(full, sizeof(full), row->line > 0 ? "%.1000s:%d" : "%.1000s", row->place,
		 row->line);
	place_cell(full, columns > 40 ? columns - 29 - wide : 0, place, sizeof(place));
	if (columns == 0 && strlen(row->name) > wide)
		text_cell(row->name, sizeof(name), false, name, sizeof(name));
	else
		text_cell(row->name, wide, true, name, sizeof(name));
	snprintf(line, size, "%7.1f %7.1f %10.1f  %s %s", row->self, row->total, row->rate, name,
		 place);
}

static void print_line(const char *line, unsigned int columns)
{
	char cell[LINE_MAX_BYTES];

	puts(text_cell(line, columns ? columns : (unsigned int)sizeof(cell), false, cell,
		       sizeof(cell)));
}

int top_print(const struct top_model *m, const struct top_head *head, const struct top_look *look,
	      unsigned int columns)
{
	_cleanup_free_ struct top_row *rows = NULL;
	char line[LINE_MAX_BYTES];
	size_t n;
	int r = top_model_rows(m, look->kind, look->sort, look->filter, &rows, &n);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < HEAD_LINES; i++) {
		if (i == 3 && !head->message && !*look->filter)
			line[0] = '\0';
		else
			head_line(m, head, look, i, columns, line, sizeof(line));
		print_line(line, columns);
	}
	for (size_t i = 0; i < n; i++) {
		row_line(&rows[i], look->kind, columns, line, sizeof(line));
		print_line(line, columns);
	}
	puts("");
	return fflush(stdout) == 0 ? 0 : -errno;
}

int top_screen_begin(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term || !*term ||
	    streq(term, "dumb"))
		return -ENOTTY;
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -ENOTTY;
	set_escdelay(25);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void top_screen_end(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

static void put_line(int y, const char *line, int attributes)
{
	char cell[LINE_MAX_BYTES];

	if (y >= LINES)
		return;
	attrset(attributes);
	mvaddstr(y, 0, text_cell(line, (unsigned int)MAX(COLS, 0), true, cell, sizeof(cell)));
	attrset(A_NORMAL);
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"Keys:",
		"  f p Tab    functions, processes, the other of them",
		"  s t < >    sort by self (of processes: share), by total (CPU)",
		"  /          filter: rows with a text in them; Enter keeps it, Esc ends it",
		"  Space      pause, go on",
		"  + -        a longer, a shorter interval",
		"  arrows PgUp PgDn Home End   scroll",
		"  Ctrl-L     draw it all again",
		"  h ?        this; any key goes back",
		"  q          quit",
		"",
		"SELF% is what a function did itself, TOTAL% with all that it called, of the",
		"samples of the processes shown. CPU% is of one core, over some ten seconds.",
		"Ticks are the whole host's: each found Python, something else, or was lost.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		put_line(HEAD_LINES + (int)i, lines[i], A_NORMAL);
}

static void draw_rows(const struct top_model *m, struct top_look *look)
{
	size_t room = LINES > HEAD_LINES ? (size_t)(LINES - HEAD_LINES) : 0, n;
	_cleanup_free_ struct top_row *rows = NULL;
	char line[LINE_MAX_BYTES];

	if (top_model_rows(m, look->kind, look->sort, look->filter, &rows, &n) < 0)
		return;
	/* End is asked for as an offset beyond all rows. */
	look->offset = MIN(look->offset, n > room ? n - room : 0);
	for (size_t i = 0; i < room && look->offset + i < n; i++) {
		row_line(&rows[look->offset + i], look->kind, (unsigned int)MAX(COLS, 41), line,
			 sizeof(line));
		put_line(HEAD_LINES + (int)i, line, A_NORMAL);
	}
}

void top_screen_draw(const struct top_model *m, const struct top_head *head, struct top_look *look)
{
	char line[LINE_MAX_BYTES];

	erase();
	for (unsigned int i = 0; i < HEAD_LINES; i++) {
		head_line(m, head, look, i, (unsigned int)MAX(COLS, 41), line, sizeof(line));
		put_line((int)i, line,
			 i == HEAD_LINES - 1     ? A_REVERSE :
			 i == 3 && head->message ? A_BOLD :
						   A_NORMAL);
	}
	if (look->help)
		draw_help();
	else
		draw_rows(m, look);
	refresh();
}

static void filter_edit(struct top_look *look, int key)
{
	size_t n = strlen(look->filter);

	if (key == KEY_ESCAPE) {
		look->filter[0] = '\0';
		look->editing = false;
	} else if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		look->editing = false;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		while (n > 0 && (look->filter[--n] & 0xc0) == 0x80)
			look->filter[n] = '\0';
		look->filter[n] = '\0';
	} else if (key >= ' ' && key < 256 && n + 1 < sizeof(look->filter)) {
		look->filter[n] = (char)key;
		look->filter[n + 1] = '\0';
	}
	look->offset = 0;
}

static void scroll_by(struct top_look *look, long rows)
{
	if (rows < 0 && look->offset < (size_t)-rows)
		look->offset = 0;
	else
		look->offset = (size_t)((long)look->offset + rows);
}

static void show_kind(struct top_look *look, enum top_kind kind)
{
	look->kind = kind;
	look->offset = 0;
}

/* Keys that move through the rows; false: it is none. */
static bool scroll_key(struct top_look *look, int key)
{
	long page = MAX(LINES - HEAD_LINES, 1);

	switch (key) {
	case KEY_UP:
		scroll_by(look, -1);
		return true;
	case KEY_DOWN:
		scroll_by(look, 1);
		return true;
	case KEY_PPAGE:
		scroll_by(look, -page);
		return true;
	case KEY_NPAGE:
		scroll_by(look, page);
		return true;
	case KEY_HOME:
		look->offset = 0;
		return true;
	case KEY_END:
		look->offset = INT32_MAX;
		return true;
	default:
		return false;
	}
}

static void look_key(struct top_look *look, int key)
{
	switch (key) {
	case 'f':
		show_kind(look, TOP_FUNCTIONS);
		break;
	case 'p':
		show_kind(look, TOP_PROCESSES);
		break;
	case '\t':
		show_kind(look, look->kind == TOP_FUNCTIONS ? TOP_PROCESSES : TOP_FUNCTIONS);
		break;
	case 's':
	case '<':
		look->sort = TOP_SELF;
		break;
	case 't':
	case '>':
		look->sort = TOP_TOTAL;
		break;
	case '/':
		look->editing = true;
		break;
	case ' ':
		look->paused = !look->paused;
		break;
	case '+':
		look->interval_s = MIN(look->interval_s + 1, (unsigned int)INTERVAL_MAX_S);
		break;
	case '-':
		look->interval_s = MAX(look->interval_s - 1, 1u);
		break;
	case 'h':
	case '?':
		look->help = true;
		break;
	case CTRL('l'):
		clearok(stdscr, TRUE);
		break;
	default:
		scroll_key(look, key);
	}
}

enum top_key top_screen_keys(struct top_look *look)
{
	enum top_key seen = TOP_KEY_NONE;
	int key;

	while ((key = getch()) != ERR) {
		seen = TOP_KEY_SEEN;
		if (key == KEY_RESIZE)
			continue;
		if (look->editing)
			filter_edit(look, key);
		else if (key == 'q' || key == 'Q')
			return TOP_KEY_QUIT;
		else if (look->help)
			look->help = false;
		else
			look_key(look, key);
	}
	return seen;
}
