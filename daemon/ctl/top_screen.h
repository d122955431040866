/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "ctl/top_model.h"

#define TOP_FILTER_MAX 64

/* What of a model is looked at, and how. */
struct top_look {
	enum top_kind kind;
	enum top_sort sort;
	char filter[TOP_FILTER_MAX];
	bool editing, paused, help;
	unsigned int interval_s;
	size_t offset; /* of the first row shown */
};

/* The head of the screen, beside the model's rates. */
struct top_head {
	const char *target;  /* "all processes" */
	const char *message; /* of what is amiss; NULL: nothing */
	json_t *status;      /* the last answer to GET /v1/status, owned; NULL: none */
};

/* One screen as plain lines on stdout; columns 0: nothing is cut. -errno. */
int top_print(const struct top_model *m, const struct top_head *head, const struct top_look *look,
	      unsigned int columns);

enum top_key { TOP_KEY_NONE, TOP_KEY_SEEN, TOP_KEY_QUIT };
/* The terminal becomes a screen. -ENOTTY: it is none, or of a kind that cannot be one. */
int top_screen_begin(void);
void top_screen_end(void);
void top_screen_draw(const struct top_model *m, const struct top_head *head, struct top_look *look);
/* What was typed since the last time; TOP_KEY_SEEN: draw again. */
enum top_key top_screen_keys(struct top_look *look);
