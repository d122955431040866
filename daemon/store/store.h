/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "profile/profile.h"
#include "profile/sums.h"
#include "util/buf.h"

/*
 * plop.db: SQLite, WAL. One writer (plopd), any number of readers (plop-gateway, plopd's query
 * worker). The schema's version is PRAGMA user_version; the writer migrates older ones in one
 * transaction.
 *
 * A file that is no database, or a damaged one, is set aside under a name that says when and why,
 * whenever that is noticed, and a new one is begun; one that was removed, with its directory or
 * without, is made anew. store_news() says so.
 */
struct store;

/* A file, whatever it is called. */
struct store_file {
	dev_t dev;
	ino_t ino;
};

/*
 * Opens STATE_DIR/plop.db for writing, makes or migrates it, and takes a lock on
 * STATE_DIR/plop.lock that lives as long as the store. -EBUSY: another plopd has it; -EPROTO: made
 * by a newer plop (nothing is touched). ret_error (may be NULL): one sentence for a person, owned
 * by the caller, also set on other failures. What fails later, store_trouble() says.
 */
int store_open(const char *state_dir, struct store **ret, char **ret_error);
void store_close(struct store *s);
/* Memory that SQLite holds for all that this program has open, in bytes. */
size_t store_cache_bytes(void);
/* Gives up what it remembers of the file's pages: nothing will be asked of it for a while. */
void store_rest(struct store *s);
DEFINE_FREEP(struct store, store_close)

/*
 * Saves one ended window in one transaction: all or nothing. -ENOSPC (also a quota or a file size
 * limit; ignore SIGXFSZ) and others: nothing was written, and a later call may work again.
 */
int store_save(struct store *s, const struct profile *window);
/*
 * The same; adds to bytes[] what was new in the file for the sake of each of the window's
 * processes, about.
 */
int store_save_for(struct store *s, const struct profile *window, uint64_t *bytes);
/*
 * How long windows are kept, and how large plop.db and its WAL may become (0: no bound). Of a
 * process's life, not a clock's: by the time that the windows say has passed since, whatever the
 * clock is set to (life.h).
 */
void store_keep(struct store *s, uint64_t retention_ns, uint64_t max_bytes);
/*
 * From now on store_check() adds windows up, those of ten minutes and those of six hours, and keeps
 * what comes of that for so long; 0: no bound. By the same time as windows, which have to be kept
 * for STORE_ROLLED_LEAST at least: otherwise nothing is rolled up. Call it after store_keep().
 */
#define STORE_ROLLED_LEAST (3600 * NSEC_PER_SEC)
void store_roll_up(struct store *s, uint64_t minutes_ns, uint64_t hours_ns);
/*
 * Drops windows by these: those that are older, and while the file is larger the oldest eighth of
 * what there is, of each tier. The newest stays. Works on a full disk too, for which
 * STATE_DIR/plop.reserve (2 MB) keeps some room. What only they needed goes with them for some
 * time; the rest, and the room in the file, by store_check().
 */
int store_expire(struct store *s);
/* Whether all is as it should be; mends what is not, and rolls up. For every few seconds. */
int store_check(struct store *s);
/*
 * Whether that takes more than one call, as windows are taken over from what was set aside or out
 * of an older version of the schema, as what windows that went have left goes, or as many are to
 * be rolled up.
 */
bool store_is_mending(const struct store *s);
/*
 * Somebody read that file and found it damaged (-EBADMSG): if it is plop.db still, it is set aside.
 */
int store_distrust(struct store *s, const struct store_file *file);
/* What STATE_DIR/plop.db is. -ENOENT and others. */
int store_file(const char *state_dir, struct store_file *ret);

/* Of what a person should know, the last of each kind. */
enum store_news {
	STORE_NEWS_DAMAGED,    /* set aside, or gone */
	STORE_NEWS_READER,     /* left behind, as it stayed too long */
	STORE_NEWS_FULL,       /* windows dropped before their time */
	STORE_NEWS_OLDER,      /* windows of an older version stay as they are */
	STORE_NEWS_RECORDINGS, /* recordings went as there was no room for more of their user's */
};
#define STORE_NEWS (STORE_NEWS_RECORDINGS + 1)
/* One sentence, owned by the caller; NULL: nothing since this was asked last. */
char *store_news(struct store *s, enum store_news what);
/* Why the last call failed: a sentence, or NULL. Borrowed. */
const char *store_trouble(const struct store *s);

struct store_facts {
	uint64_t bytes; /* of plop.db and its WAL */
	uint64_t windows;
	uint64_t oldest_ns; /* start of the oldest window, or roll-up; 0: none */
	uint64_t wal_bytes; /* of bytes */
	uint64_t dropped;   /* windows that went before their time since the store was opened */
	uint64_t recordings, recordings_bytes; /* that are kept */
};
/* All 0 where there is no file that can be used. */
int store_facts(struct store *s, struct store_facts *ret);

/* The reading side; usable by another user while the writer is up, down or starting. */
struct store_reader;
/*
 * -ENOENT: there is no plop.db yet; -EPROTO: from a newer plop; -EAGAIN: from an older one, plopd
 * has yet to migrate it. The calls below return the same when the file changes under them. Like a
 * store, for one thread at a time.
 */
int store_reader_open(const char *state_dir, struct store_reader **ret, char **ret_error);
void store_reader_close(struct store_reader *reader);
DEFINE_FREEP(struct store_reader, store_reader_close)

/*
 * All windows that overlap [from_ns, to_ns), merged, with what selectors (NULL: none) leave in.
 * start and end are those of the windows. An empty profile is a result. It is read from the
 * coarsest tier that has the answer: where windows are gone, from the roll-ups that overlap.
 */
int store_profile(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		  const struct selectors *s, struct profile **ret);
/*
 * The windows one by one, oldest first, and roll-ups where windows are gone, each with what
 * selectors leave in. Numbers of one window, of its dict and its processes, are those of the next
 * one, until each() is told NULL: then, and before the call returns 0, the profile that they are of
 * goes. It goes as well when it takes more than a third of the limit. A negative errno of each()
 * ends it.
 */
typedef int (*store_window_fn)(const struct profile *window, void *ctx);
int store_each_window(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		      const struct selectors *s, store_window_fn each, void *ctx);
/*
 * The same by function, without stacks, and in units (store_reader_unit()): what each adds up to,
 * oldest first, borrowed; then, and in between, the rest of what of asks for. A negative errno of a
 * function ends it.
 */
typedef int (*store_sums_fn)(const struct sums *s, void *ctx);
int store_each_sums(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		    const struct selectors *s, const struct sums_of *of, store_sums_fn unit,
		    void *ctx);
/*
 * The windows themselves, without stacks: appends the elements of the JSON array of GET
 * /v1/windows, separated by commas, oldest first; the newest max of them. Where windows are gone,
 * roll-ups are in their place. Of s (NULL: none) only
 * owned counts: then only such processes are listed, and their samples are all that is counted.
 * Windows that have more than STORE_LISTED_MAX processes together are too many, too: the newest
 * that have not. -EFBIG: more than to->limit.
 */
#define STORE_LISTED_MAX 65536
int store_windows(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns, unsigned int max,
		  const struct selectors *s, struct buf *to);
/*
 * The heads of these windows alone, oldest first, and those of roll-ups where windows are gone. A
 * negative errno of each() ends it.
 */
struct head;
typedef int (*store_head_fn)(const struct head *h, void *ctx);
int store_each_head(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		    store_head_fn each, void *ctx);
/*
 * The processes of these windows, without their stacks: each that the keys of a process in s (NULL:
 * none) leave in, with its samples in one window, or in a roll-up of store_reader_unit() at most.
 * A negative errno of each() ends it; STORE_ENOUGH as well, and that is no error.
 */
#define STORE_ENOUGH (-ECANCELED)
typedef int (*store_process_fn)(const struct profile_process *p, uint64_t start_ns, uint64_t end_ns,
				void *ctx);
int store_each_process(struct store_reader *reader, uint64_t from_ns, uint64_t to_ns,
		       const struct selectors *s, bool newest_first, store_process_fn each,
		       void *ctx);
/*
 * Windows that begin at one of these points count as not there. starts: borrowed as long as the
 * reader is used.
 */
void store_reader_pass_over(struct store_reader *reader, const uint64_t *starts, size_t n);
/*
 * From now on store_profile() returns -E2BIG when what it merges would take more memory than that;
 * 0: no bound.
 */
void store_reader_limit(struct store_reader *reader, size_t bytes);
/*
 * From now on it cuts the lightest branches off instead, by profile_prune(), whenever what is
 * merged takes more than a third of that between two windows. Windows with more than the other two
 * thirds are -E2BIG still.
 */
void store_reader_prune(struct store_reader *reader);
/*
 * From now on the lines that ran are not asked for: they are 0, and days are read from the coarsest
 * tier, which has none.
 */
void store_reader_functions(struct store_reader *reader);
/*
 * From now on threads are not kept apart: theirs is 0, and selectors of threads work still. Or
 * neither these nor processes: all is of one, of pid 0.
 */
void store_reader_threads_alike(struct store_reader *reader);
void store_reader_processes_alike(struct store_reader *reader);
/*
 * From now on nothing need be told finer than that: store_each_sums() has what begins in so much of
 * the clock as one, and reads it from roll-ups of up to that length. 0: windows, as it is at first.
 */
#define STORE_UNIT_MINUTES (600 * NSEC_PER_SEC)
#define STORE_UNIT_HOURS   (6 * 3600 * NSEC_PER_SEC)
void store_reader_unit(struct store_reader *reader, uint64_t ns);
/*
 * A call that takes longer returns -ETIME: who reads keeps the WAL from being emptied. For tests;
 * this is what it is otherwise:
 */
#define STORE_READ_NS (30 * NSEC_PER_SEC)
void store_reader_stay(struct store_reader *reader, uint64_t ns);
int store_reader_facts(struct store_reader *reader, struct store_facts *ret);

/* Appends the element for a profile that is not stored, the running window; its id is null. */
int store_window_put(const struct profile *window, const struct selectors *s, struct buf *to);
