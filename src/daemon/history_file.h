/* SPDX-License-Identifier: ISC */
/*
 * history_file: the files of the history in QueueDir: `history`, and `history.1` from before it was as large as it may get. Whoever
 * may write to the queue appends: the daemon, sendmail's own server, a run over the queue, all at once.
 */
#ifndef DAEMON_HISTORY_FILE_H
#define DAEMON_HISTORY_FILE_H

#include "base/buf.h"
#include "base/error.h"

enum { HISTORY_FILE_MAX = 4 << 20, HISTORY_READ_MAX = 2 * HISTORY_FILE_MAX + (4 << 20) };

/*
 * Append whole lines with one write(2); a file that has reached `max` bytes takes the place of the old one first. False with err
 * (74): what is missing is only told less of. In any thread.
 */
bool history_file_append(const char *folder, struct slice lines, uint64_t max, struct error *err);

/* Where a reader has come to */
struct history_place {
    uint64_t inode, offset;
};
/*
 * What was written since `place` into `out` (with a maximum of HISTORY_READ_MAX), oldest first and whole lines only; `place` moves on.
 * A place of zeros is the beginning; so is one in a file that has gone. False with err (75).
 */
bool history_file_read(const char *folder, struct history_place *place, struct buf *out, struct error *err);

/* The last whole lines of the current file, at most `most` bytes of it. False with err (75). */
bool history_file_tail(const char *folder, uint64_t most, struct buf *out, struct error *err);

#endif
