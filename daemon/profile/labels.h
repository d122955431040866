/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/* What somebody noted of a recording, KEY=VALUE: each key once, in the order in which they came. */
#define LABELS_MAX      16
#define LABEL_KEY_MAX   63
#define LABEL_VALUE_MAX 256 /* bytes */

struct label {
	char *key, *value; /* owned */
};
struct labels {
	struct label items[LABELS_MAX];
	size_t n;
};

/*
 * -EINVAL: the key is not [A-Za-z_][A-Za-z0-9_.-]*, or the value not UTF-8 without control
 * characters, or one of them too long; -EEXIST: the key has another value; -E2BIG: there are
 * LABELS_MAX.
 */
int labels_add(struct labels *l, const char *key, const char *value);
void labels_done(struct labels *l);
int labels_copy(const struct labels *from, struct labels *ret);  /* -ENOMEM */
const char *labels_get(const struct labels *l, const char *key); /* "": it is not there */
bool label_key_valid(const char *key);
bool label_value_valid(const char *value); /* LABEL_VALUE_MAX at most, UTF-8, no controls */
/* The above as the end of a sentence, for messages: "a label's key is ..." Static string. */
const char *labels_rules(void);
/* How much there may be of them, as a sentence. Static string. */
const char *labels_bounds(void);
