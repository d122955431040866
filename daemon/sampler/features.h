/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "util/macro.h"

/* What the kernel and plopd's own privileges allow, found by trying. */
struct feature {
	const char *name;  /* "BPF ring buffer" */
	const char *needs; /* "Linux 5.8": what to do about a no; static */
	bool required;     /* plopd does not start without it */
	int error;         /* 0: yes; else the negative errno of the attempt */
};

enum feature_id {
	FEATURE_BTF,
	FEATURE_BPF,
	FEATURE_PERF,
	FEATURE_RINGBUF,
	FEATURE_TP_BTF,
	FEATURE_THREAD_POINTER,
	FEATURE_BPF_LOOP,
	FEATURE_CHANNELS,
	FEATURE_OFF_CPU,
	FEATURE_READ_MEMORY,
	FEATURE_MAP_FILES,
	FEATURE_MAX,
};

/* Tries all of them. libbpf's own messages are kept quiet meanwhile. */
void features_probe(struct feature features[FEATURE_MAX]);
/* 0, or -EPERM: plopd could load its programs, but not read the memory of what they sample. */
int features_read_memory(void);
/*
 * The capabilities that are not there, of those that plopd cannot do without (required) or can:
 * their names, and how many. size: 128 is enough.
 */
unsigned int features_capabilities(bool required, char *text, size_t size);
/* FEATURE_BPF_LOOP and FEATURE_CHANNELS alone. */
bool features_have_loop(void);
bool features_have_channels(void);
/* The first required one that is missing, or NULL. */
const struct feature *features_missing(const struct feature features[FEATURE_MAX]);
