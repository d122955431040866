/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "diff/diff.h"
#include "query/deploys.h"
#include "query/kept.h"
#include "query/query.h"
#include "query/refusal.h"
#include "query/sd.h"
#include "query/source.h"
#include "query/steps.h"
#include "query/timeline.h"
#include "query/values.h"
#include "store/store.h"
#include "util/json.h"

enum question_about {
	QUESTION_STORE,      /* what there is: store_facts */
	QUESTION_WINDOWS,    /* GET /v1/windows */
	QUESTION_STEPS,      /* ... with a step */
	QUESTION_PROFILE,    /* GET /v1/profile, in a format */
	QUESTION_DIFF,       /* GET /v1/diff */
	QUESTION_DEPLOYS,    /* GET /v1/deploys */
	QUESTION_SERIES,     /* GET /v1/series */
	QUESTION_LABELS,     /* GET /v1/labels/KEY */
	QUESTION_SD,         /* GET /v1/sd */
	QUESTION_LINES,      /* GET /v1/lines */
	QUESTION_RECORDINGS, /* GET /v1/recordings */
	QUESTION_RECORDING,  /* GET /v1/recordings/ID, of one that is kept; in a format, or not */
	QUESTION_OF_SOURCE,  /* what no other source knows: it writes the answer when it reads */
};

/* Windows that one answer lists, the newest. */
#define QUESTION_WINDOWS_MAX 20000
/* Windows that a source may add. */
#define QUESTION_ADDED_MAX 8
/* Bytes of memory for what is merged out of windows for one answer. */
#define QUESTION_MEMORY (24u << 20)

/*
 * A question to a source, and what comes of it. It is read on the source's worker, added to on the
 * loop, which costs little, and made and written on the worker; api_ask() takes it through all
 * that.
 */
struct question {
	struct source *source; /* borrowed */
	enum question_about about;
	struct query query;
	struct query new_query; /* of QUESTION_DIFF: the new side; query is the base side */
	size_t memory;          /* QUESTION_MEMORY, or less */
	/*
	 * Starts of windows that the source adds: they are passed over in what is read. Borrowed.
	 */
	const uint64_t *held;
	size_t nheld;
	/* Of QUESTION_STORE: writes the answer. On the worker. */
	void (*write)(const struct question *k, struct json_writer *w);
	/* It is answered, or nobody waits for it any more: frees it. */
	void (*done)(struct question *k);

	int r;       /* why it cannot be answered: -E2BIG, -ETIME, -EBADMSG ...; 0: it can */
	char *error; /* what the reader said of it; owned, may be NULL */
	struct store_facts facts;
	/* What the source added: as it was then, profile_snapshot(); owned */
	struct profile *added[QUESTION_ADDED_MAX];
	size_t nadded;
	uint32_t hz;        /* of a profile in which nothing was sampled; 0: not known */
	struct buf windows; /* elements of the JSON array, separated by commas, oldest first */
	struct profile *profile;
	struct diff_windows *sides[SIDES]; /* of QUESTION_DIFF; owned */
	struct steps *steps;               /* of QUESTION_STEPS; owned */
	struct deploys deploys;            /* of QUESTION_DEPLOYS and QUESTION_SD */
	struct timeline timeline;          /* of QUESTION_SERIES */
	struct values values;              /* of QUESTION_LABELS */
	/* of the last two, and of QUESTION_DIFF: whose recordings may be a side */
	struct kept kept;
	struct buf answer; /* its limit is what the client may get */
};

/* Takes over the query. */
void question_init(struct question *k, struct source *s, enum question_about about,
		   struct query *query);
/* The same of QUESTION_DIFF. */
void question_init_diff(struct question *k, struct source *s, struct query *base,
			struct query *new);
/* Whether a profile is read for it: stacks, in k->profile. */
bool question_reads_profile(const struct question *k);
/* Whether the answer is a profile in a format. */
bool question_is_of_profile(const struct question *k);
/* Whether it needs a recording to be answered. */
bool question_is_of_recording(const struct question *k);
/* What is asked of a side. */
const struct query *question_side(const struct question *k, int side);
/*
 * Adds a window of a side as it was selected; NULL: those before go. -E2BIG: they take more memory
 * than they may.
 */
int question_add_to_side(struct question *k, int side, const struct profile *window);
/* The same of what a window adds up to, by diff_windows_sums(). */
int question_add_sums(struct question *k, int side, const struct sums *s);
/* Adds what a process had in a window that begins then, if it may be seen. */
int question_add_step(struct question *k, const struct profile_process *p, uint64_t start_ns);
/* Throws away what was added to a side. -ENOMEM. */
int question_clear_side(struct question *k, int side);
/* Frees what is in it. On the loop thread. */
void question_clear(struct question *k);

/* On the worker; sets k->r. */
void question_read(struct question *k);
/* On the loop thread; sets k->r. */
void question_add(struct question *k);
/*
 * On the worker: has the answer made, which sets k->r, and written. 0, or what the encoder
 * returned.
 */
int question_write(struct question *k);

/* k->r < 0: says why, in the same words whoever asks whatever program. */
void question_refuse(const struct question *k, struct refusal *ret);

/*
 * For sources that have windows in memory: adds one as it is now, if the question is about it; the
 * oldest first. -E2BIG: they are more than QUESTION_ADDED_MAX.
 */
int question_add_window(struct question *k, const struct profile *window);

/* What status says of plop.db. */
struct store_status {
	const char *state_dir;
	const struct store_facts *facts;
	bool live;        /* the writer says it: what is not in the file is known, too */
	uint64_t unsaved; /* windows lost */
	const char *error;
};
/* {"path": ..., "bytes": ...}; what is not known is null. */
void store_status_put(struct json_writer *w, const char *key, const struct store_status *s);
