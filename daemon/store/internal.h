/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/addition.h"
#include "store/aside.h"
#include "store/counts.h"
#include "store/db.h"
#include "store/dictionary.h"
#include "store/life.h"
#include "store/memos.h"
#include "store/rollup.h"
#include "store/store.h"

/* What the writing side's files share. */

/* Statements that stay prepared. */
enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ADD_WINDOW,
	ST_ADD_ROLLUP,
	ST_ADD_ADDITION,
	ST_ADD_COUNTS,
	ST_ADD_SUMS,
	ST_USE_DICTIONARY, /* window, dictionary */
	ST_PENDING,        /* key, value */
	ST_COUNTS,         /* nanoseconds, first and last window */
	ST_COUNTS_ROLLUPS, /* the same */
	ST_COUNTS_RECORDINGS,
	ST_MAX,
};

/* The files that a connection has open, as their names led to them. */
enum store_name { NAME_FILE, NAME_WAL, NAME_SHM, NAME_LOCK, NAMES };
struct store_names {
	struct store_file files[NAMES];
	uint64_t size; /* of the first */
};

struct salvage;

/* One that is known, as it is in the file or has to be. */
struct memo {
	struct buf text;
	bool known, written;
};

struct store {
	char *dir, *path, *reserve_path;
	mode_t dir_mode; /* of the directory, to make it again */
	uid_t dir_uid;
	gid_t dir_gid;
	bool reserve_full;
	sqlite3 *db; /* NULL: there is none that could be used; the next call tries again */
	int lock_fd;
	struct store_names names;
	int64_t seed;
	/* 0: no bound */
	uint64_t retention_ns[STORE_TIERS], recordings_ns, max_bytes;
	int64_t window_id; /* of the newest window */
	int64_t rollup_id; /* of the newest roll-up; 0: there is none */
	struct life life;
	uint64_t grown; /* bytes that a window adds, about; 0: not known yet */
	sqlite3_stmt *statements[ST_MAX];
	struct dictionary dictionary; /* of the windows that are saved as they end */
	struct dictionary sums;       /* of sums (named.h) */
	int64_t sums_to;              /* all roll-ups down to that one have their sums */
	struct dictionary older;      /* of those that come out of another file or version */
	int64_t last_dictionary;
	bool has_older;    /* there are tables of versions 1 to 3 (carry.c) */
	bool carry_failed; /* when it was tried last */
	bool prunes;       /* there may be what no window needs (prune.c) */
	/* dictionaries that may be used no more are between these two */
	int64_t prune_from, prune_to;
	bool rolls_up; /* windows are to be rolled up */
	struct rolling rolling;
	bool rolls;      /* there may be windows to be rolled up */
	bool rolls_more; /* ... and the time for it was over */
	/* how far the clock was set according to windows that could not be saved */
	int64_t missed_ns;
	struct salvage *salvage; /* under way; NULL: there is nothing to take over */
	struct memo memos[STORE_MEMOS];
	bool aside; /* something was set aside, and it was not looked yet at how much that is */
	char *news[STORE_NEWS];
	char *trouble;
	uint64_t dropped;
};

/* store.c: begins new dictionaries, as the file may not have what these have. */
void store_forget_dictionaries(struct store *s);
/* Undoes a transaction that failed, whether or not SQLite did so already. */
void store_rollback(struct store *s);
int store_facts_of(sqlite3 *db, const char *path, struct store_facts *ret);
/* Opens plop.db; what is damaged is set aside first. */
int store_connect(struct store *s, char **ret_error);
void store_disconnect(struct store *s);
/* Whether the file is as long as it must be, once the WAL is back in it: -EBADMSG if not. */
int store_check_length(struct store *s);
/* Sets a sentence for a person in place of the last one of its kind. */
void store_tell(struct store *s, enum store_news what, const char *format, ...) _printf_(3, 4);
/* Bytes of a file; 0: there is none. */
uint64_t file_bytes(const char *path);

/* guard.c: whether all is as it was left, after having mended what is not. */
int store_ready(struct store *s);
/* Notes what was opened. */
void store_opened(struct store *s);
/* The database cannot be used: sets it aside and begins a new one. */
int store_mend(struct store *s, enum damage d);

/* wal.c: the size of the WAL at which a reader in the way is left behind. */
uint64_t wal_bound(const struct store *s);
/* Brings the WAL below its bound: without the readers that are in the way. */
int wal_keep_small(struct store *s);
/* Goes on in a copy of the database, without whoever reads it. */
int wal_leave_behind(struct store *s);
/* Ends what a plopd that was killed had begun of that. */
void wal_recover(const char *path);

/* save.c: saves a window as the one that it was, where and when it was. */
int store_save_as(struct store *s, const struct profile *window, int64_t id, int64_t life_ns);

/* The same for a window whose head is in the file: it gets a dictionary, and its older rows go. */
int store_save_again(struct store *s, const struct profile *window, int64_t id);

/*
 * save.c: saves a roll-up, with a dictionary of its own, and a part of it now and then: begin, put
 * until it returns true, end, and free. p and of are borrowed.
 */
int save_begin_rollup(struct store *s, const struct profile *p, const struct rollup *of,
		      struct save **ret);
bool save_put(struct save *v, uint64_t until_ns);
int save_end_rollup(struct save *v);
void save_free(struct save *v);
/* ... at once; and one of counts, by the dictionary that its head has. */
int store_save_rollup(struct store *s, const struct profile *p, const struct rollup *of);
int store_save_counts(struct store *s, const struct counts *c, const struct rollup *of);
/*
 * The sums of that roll-up, and what of their dictionary is new with them. addition: NULL: that it
 * has none.
 */
int store_save_sums(struct store *s, int64_t rollup, struct addition *addition,
		    const struct sections *sums);

/* named_make.c: makes the sums of the next roll-up that has none. 1; 0: there is none. */
int named_step(struct store *s);

/* carry.c: whether there is anything to carry over. */
int carry_look(struct store *s);
/* Some of it. -EBADMSG: the file is damaged. */
int carry_step(struct store *s, uint64_t budget_ns);
/* Whether there is more to do soon. */
bool carry_is_under_way(const struct store *s);
/* Drops the tables of versions 1 to 3, which nothing needs. */
int older_drop(sqlite3 *db);
/* Deletes a window's rows of versions 1 to 3; and, of these versions, what no window needs. */
int older_delete(struct store *s, int64_t window);
int older_prune(struct store *s);

/*
 * prune.c: lets what no window needs go, and gives its pages back, until then; s->prunes says
 * whether there is more. -EBADMSG: the file is damaged.
 */
int prune_step(struct store *s, uint64_t until_ns);
/* A dictionary may be used no more; 0: none. */
void prune_note(struct store *s, int64_t dictionary);
/* Lets all such dictionaries go at once. */
int prune_dictionaries(struct store *s);

/* recordings.c: lets some of those go whose time is over. */
int recordings_expire(struct store *s);
/*
 * ... takes over the next one after *last, which becomes its id: counts it in *taken if it could be
 * read. from: one that was begun. 1: there may be more; 0: there are none.
 */
int recordings_take_over(struct store *s, struct store_reader *from, int64_t *last,
			 uint64_t *taken);

/*
 * memos.c: a file was opened: reads what is not known yet, and puts into it what it has not.
 */
void memos_connected(struct store *s);
/* Those that could not be written. */
int memos_write(struct store *s);
/* Takes those that are not known yet out of another file. */
void memos_take_over(struct store *s, struct store_reader *from);
/* Tells the ids of those that are damaged; of a reader that was begun. */
int memos_check(struct store_reader *reader, void (*bad)(void *ctx, int64_t id), void *ctx);
void memos_done(struct store *s);

/*
 * salvage.c: takes over what can be read in a file of the directory that was set aside; for a
 * while. -EBADMSG: the new file is damaged.
 */
void salvage_begin(struct store *s, const char *name, enum damage d);
int salvage_step(struct store *s, uint64_t budget_ns);
void salvage_free(struct salvage *v);

/* Sets room aside, if there is any and none is set aside yet. */
void reserve_fill(struct store *s);
/* Gives it back. Whether there was any. */
bool reserve_release(struct store *s);
