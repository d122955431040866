/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "store/follow.h"

/*
 * What a host must not forget of its shipping, in a folder of plop-gateway's own: who it is in the
 * store, and up to which window all is there. Each is a file that is written whole, synced and
 * renamed: it is as it was or as it is to be, whatever ends the program.
 *
 * Which window that is may be lost: what is shipped again has the keys that it had. Who the host is
 * may not: under another number it would be there twice.
 */

/*
 * The host's number; one is drawn where there is none. -EBADMSG: the file is damaged. Others: it
 * cannot be read or made; *ret_error is one sentence, owned by the caller.
 */
int cursor_host_id(const char *folder, uint64_t *ret, char **ret_error);
/* -ENOENT: nothing was shipped yet; -EBADMSG: it is not known any more what was. */
int cursor_read(const char *folder, struct store_place *ret);
int cursor_write(const char *folder, const struct store_place *place);
/*
 * Of the window behind that place a part may be there already, where it takes several requests:
 * so many rows of all that it has for that store.
 */
struct cursor_part {
	uint64_t writer; /* which window that is, see struct store_place */
	int64_t id;
	uint32_t rows, all;
};
/* Errors as of cursor_read(). */
int cursor_read_part(const char *folder, struct cursor_part *ret);
int cursor_write_part(const char *folder, const struct cursor_part *part);
/*
 * Held until the descriptor is closed: who ships from this folder. -EBUSY: another program does.
 */
int cursor_lock(const char *folder);
