/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "plop/async.h"
#include "plop/layout.h"
#include "util/macro.h"
#include "util/reader.h"

/*
 * The room that knows CPython from outside: finding it in a process, the layout of its structs, the
 * meaning of its code objects and line tables. Nothing here writes to a target, stops it, or runs
 * its files.
 */

/* Why a process is, or is not, one whose stacks can be walked. */
enum python_verdict {
	PYTHON_NO = 0, /* no CPython in it */
	PYTHON_YES,    /* layout and runtime are known */
	/* an interpreter, but libpython is not mapped or not initialised yet: ask again */
	PYTHON_NOT_YET,
	PYTHON_UNSUPPORTED, /* CPython of a version, or a build, that this plop does not know */
	PYTHON_PYPY,        /* PyPy: no frames that plop could walk */
	PYTHON_GONE,        /* the process ended meanwhile */
	/* it did not let itself be read, so what it is is not known; never by python_discover() */
	PYTHON_SILENT,
};

struct python_process {
	enum python_verdict verdict;
	/*
	 * PYTHON_YES: it has not initialised its interpreter, or has ended it; ask again, for
	 * another may be the one that it will use. PYTHON_UNSUPPORTED: it may have been too early
	 * to tell.
	 */
	bool starting;
	/*
	 * PYTHON_NO: by its program and all that it has mapped, not because there was nothing to
	 * look at
	 */
	bool looked;
	/*
	 * PYTHON_YES: it lies in the program itself; or in a libpython that this is linked to:
	 * where the program has the address of its loader's list (0: neither is known), where that
	 * library is loaded, and where in it its PT_DYNAMIC lies
	 */
	bool own;
	uint64_t list, bias, dynamic;
	uint64_t runtime; /* address in the process of _PyRuntime, up to 3.6 of interp_head */
	struct plop_layout layout; /* valid with PYTHON_YES */
	uint32_t hexversion;       /* PY_VERSION_HEX where known, else major << 24 | minor << 16 */
	char version[32];          /* "3.13.0"; "3.8" where the patch level is not known; "" */
	/* one sentence for PYTHON_UNSUPPORTED: "CPython 3.16 is not known to this plop" */
	char why[128];
};

/*
 * Looks for an interpreter in pid. Each binary is examined once: cache remembers by (device, inode,
 * mtime, ctime, size). Returns 0 with *ret filled whatever the verdict, or a negative errno
 * (-ENOMEM, -EPERM: may not read the process).
 */
struct python_cache;
int python_cache_new(struct python_cache **ret);
void python_cache_free(struct python_cache *c);
DEFINE_FREEP(struct python_cache, python_cache_free)
int python_discover(struct python_cache *cache, pid_t pid, struct python_process *ret);
/*
 * The same of one whose interpreter was found and is not up: that may not be the one that it uses.
 * The first call is content with one that is starting in the program or in the library where others
 * of this program have it; this one looks at all that is mapped.
 */
int python_discover_again(struct python_cache *cache, pid_t pid, struct python_process *ret);
/*
 * Whether an interpreter, by layout and address of its runtime, is initialised: what makes one not
 * starting.
 */
bool python_is_up(const struct reader *memory, const struct plop_layout *l, uint64_t runtime);

/*
 * The layout of a version. Up to 3.12 by table (hexversion decides), from 3.13 by _Py_DebugOffsets,
 * the bytes at the start of _PyRuntime. -EOPNOTSUPP: a version or a table size that is not known;
 * -EBADMSG: the table contradicts itself (offsets out of bounds, wrong cookie).
 */
int layout_by_version(uint32_t hexversion, struct plop_layout *ret);
#define LAYOUT_DEBUG_OFFSETS_MAX 1024
int layout_by_debug_offsets(const void *table, size_t size, uint32_t hexversion,
			    struct plop_layout *ret);
/*
 * Checks an assembled layout against PLOP_TS_MAX, PLOP_FRAME_MAX, PLOP_FINGERPRINT_MAX and itself.
 * -EBADMSG.
 */
int layout_check(const struct plop_layout *l);

/*
 * Where this interpreter keeps what tells of asyncio tasks: by table up to 3.13, from 3.14 on by
 * what its _asyncio module says itself, a table of ASYNC_TABLE_SIZE bytes. -EOPNOTSUPP: not with
 * this version (before 3.11, free-threaded from 3.14 on); -EBADMSG: the table contradicts itself.
 */
#define ASYNC_TABLE_SIZE 104u
bool async_is_possible(const struct plop_layout *l);
int async_layout(const struct plop_layout *l, const void *table, struct plop_async *ret);
/*
 * The same of a process. -ENOENT: it has not loaded the module, so far; or a negative errno as
 * python_discover().
 */
int python_async(struct python_cache *cache, pid_t pid, const struct plop_layout *l,
		 struct plop_async *ret);

/*
 * Takes addresses out of what is between "<" and ">" in the name of a function or of its file:
 * libraries that make functions name them so, and each process would have another name for the
 * same.
 */
void python_name_settle(char *text);

/*
 * One code object as far as plop cares; immutable once made but for its copies; shared by reference
 * count.
 */
struct code_object {
	unsigned int refs;
	int firstlineno;
	uint16_t version; /* layout.version: tells how linetable is to be read */
	char *file;       /* owned UTF-8, control characters and newlines replaced, never NULL */
	char *name;       /* qualified where CPython has it, else the plain name */
	uint8_t *linetable;
	uint32_t linetable_size;
	bool linetable_cut; /* only a prefix: lines beyond it are unknown */
	bool compiled;      /* to machine code, as Nuitka does: it has no lines of its own */
	bool name_cut;      /* file or name were cut at a maximum, and end in an ellipsis */
	/* free-threaded 3.14+: threads may run copies of its bytecode, which lie elsewhere */
	bool copied;
	uint8_t ncopies, next_copy;
	uint32_t bytecode_size; /* of a copied one, in bytes; 0: not read yet */
	/*
	 * The copies that a frame was found in, the last 64 of them; owned. Each is the low half of
	 * the distance from the object to its copy, in bytes.
	 */
	uint32_t *copies;
	/* see code_pool.h; NULL: it is in none */
	struct code_pool *pool;
	struct code_object *next;
	uint32_t hash;
};
struct code_object *code_object_ref(struct code_object *c);
void code_object_unref(struct code_object *c); /* NULL is fine */
DEFINE_FREEP(struct code_object, code_object_unref)

/*
 * Reads the code object at address. ret_fingerprint: the fingerprint of what was read, to compare
 * with the kernel's. -EFAULT: not readable; -EBADMSG: these bytes are no code object.
 */
int code_object_read(const struct reader *memory, const struct plop_layout *l, uint64_t address,
		     struct code_object **ret, uint32_t *ret_fingerprint);

/*
 * Reads only the fingerprints of n code objects, in as few system calls as can be; the same as the
 * kernel's (plop/layout.h). result: 0, -EFAULT: not readable, -ESRCH: the process is gone. Returns
 * -ENOMEM or -EBADMSG (the layout), else 0.
 */
struct code_fingerprint {
	int result;
	uint32_t fingerprint;
};
int code_objects_fingerprint(const struct reader *memory, const struct plop_layout *l,
			     const uint64_t *addresses, size_t n, struct code_fingerprint *ret);
/* The same for one. */
int code_object_fingerprint(const struct reader *memory, const struct plop_layout *l,
			    uint64_t address, uint32_t *ret_fingerprint);

/*
 * For a copied code object: finds the copy that instr (struct plop_frame's) lies in, unless it is
 * known. fingerprint: what the object at address must still have. 0: found, or in the object
 * itself; -ENOENT: in neither; -EFAULT, -EBADMSG, -ENOMEM.
 */
int code_object_find_copy(const struct reader *memory, const struct plop_layout *l,
			  uint64_t address, uint32_t fingerprint, uint32_t instr,
			  struct code_object *c);

/* Whether code_object_find_copy() would have nothing to read for instr. */
bool code_object_has_copy(const struct code_object *c, uint32_t instr, const struct plop_layout *l);

/*
 * The byte offset in the bytecode of a frame's instr. bytecode: layout.code_bytecode. -ENOENT: it
 * lies in a copy that was not found.
 */
int code_object_lasti(const struct code_object *c, uint32_t instr, uint16_t bytecode, int64_t *ret);
/*
 * The line that a frame is at; 0 where the table has none or is cut before it, or the code is
 * compiled.
 */
int code_object_line(const struct code_object *c, uint32_t instr, uint16_t bytecode);
/* Whether its frames are the interpreter's own, which nobody is shown. */
bool code_object_hidden(const struct code_object *c);

/*
 * A str captured in pieces (2.7: a byte string): data as CPython stores it. kind: 1, 2 or 4 bytes a
 * character; ascii: plain ASCII.
 */
struct python_string {
	const void *data;
	size_t bytes;    /* how many were captured */
	uint64_t length; /* the whole string, in characters */
	uint8_t kind;
	bool ascii;
};
/*
 * Decodes to UTF-8: lone surrogates and control characters become U+FFFD. ret_cut: data held fewer
 * than length characters, or there were more than max_chars; then the text ends in an ellipsis.
 * Result owned by the caller.
 */
int python_string_decode(const struct python_string *s, size_t max_chars, char **ret,
			 bool *ret_cut);

/*
 * The state word of a str, by layout: kind and ascii. -EBADMSG: kind is none of 1, 2, 4, or the
 * string is not compact.
 */
int python_string_state(const struct plop_layout *l, uint32_t state, uint8_t *ret_kind,
			bool *ret_ascii);

/*
 * The same of what a version calls a name: a str, or, in 2.7, bytes in no stated encoding, which on
 * Linux are nearly always UTF-8.
 */
int python_string_text(const struct plop_layout *l, const struct python_string *s, size_t max_chars,
		       char **ret, bool *ret_cut);

/*
 * Reads a str, at most max_chars of it. *data: what s points to, owned by the caller. ret_type: the
 * address of its type object; 0 where that may be any: a str that is not compact is an instance of
 * a subclass (unicode_subtype_new(), Objects/unicodeobject.c, 3.6 to 3.15), as path libraries have
 * it for files, or was made by the calls of before 3.3. Its characters lie elsewhere, where the
 * word behind its PyCompactUnicodeObject says. -EFAULT: not readable; -EBADMSG: these bytes are no
 * str; -ENOMEM.
 */
int python_string_read(const struct reader *memory, const struct plop_layout *l, uint64_t address,
		       size_t max_chars, struct python_string *s, char **data, uint64_t *ret_type);

/*
 * Makes a code object from captured pieces (the kernel's record). linetable_size: of the whole
 * table.
 */
int code_object_new(const struct plop_layout *l, int firstlineno, const struct python_string *file,
		    const struct python_string *name, const void *linetable,
		    size_t linetable_captured, uint64_t linetable_size, struct code_object **ret);

/*
 * One that stands for a synthetic frame (plop/frame.h): has a name, but no file and no lines. NULL:
 * out of memory.
 */
struct code_object *code_object_synthetic(const char *name);

/*
 * The line of the instruction at byte offset lasti of the bytecode (< 0: none executed yet, gives
 * the first line). version: layout.version, picks the format (version.h). -ENOENT: the instruction
 * has no line; -ENODATA: it lies beyond a cut table; -EBADMSG: malformed; -EOPNOTSUPP: a version
 * that is not known.
 */
int linetable_lookup(uint16_t version, const uint8_t *table, size_t size, bool cut, int firstlineno,
		     int64_t lasti, int *ret_line);
