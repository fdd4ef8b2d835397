/* SPDX-License-Identifier: ISC */
/*
 * record: one message with its envelope and origin in one file, as the daemon writes and the worker reads it.
 *
 *     smtprelay-record 1 HEAD-LENGTH CONTENT-LENGTH      fixed width, patched when the content is complete
 *     key value                                          values percent-encoded (base/text), unknown keys are passed over
 *     hint ATTEMPTS LAST-TRY[w][kDEATHS] REASON          of fixed width, written in place and not synced: it may be lost
 *     held STATE REASON                                  likewise, but synced: STATE is `!` while it is held, else `.`
 *     rcpt STATE address notify orcpt                    STATE is one byte, marked in place
 *                                                        an empty line
 *     content, in wire form (CRLF, no transport stuffing)
 *     \nsmtprelay-end\n                                  a file without it is torn and never mail
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "mail/envelope.h"

#define RECORD_END "\nsmtprelay-end\n"

/*
 * A worker that ended for want of memory, or was killed from outside, hardly did so for the message's sake. But a message that takes all
 * memory is a killer, too, only slower, and each time it may have been sent.
 */
enum { RECORD_DEATH = 4, RECORD_DEATH_STARVED = 1, RECORD_DEATHS_MAX = 3 * RECORD_DEATH };

struct record {
    struct envelope envelope;
    char *id;         /* queue id */
    int64_t time;     /* when it was handed in: seconds of the wall clock */
    int64_t zone_min; /* minutes east of UTC of that moment */
    char *mode;       /* "interactive", "background", "queue" */
    char *origin;     /* "local", "bs", "listener", "report" */
    int64_t uid, pid; /* -1: not known */
    char *login;      /* login name, "" when the uid has none */
    char *client;     /* over TCP: the address of who handed it in, "[192.0.2.1]"; else "" */
    char *program, *unit, *cwd;
    char *full_name;     /* -F, $NAME or GECOS; "" */
    char *login_address; /* the caller's own address, qualified */
    char *from_address;  /* the address in the From field as the client said, "" */
    char *message_id;    /* used where the message has none, the same at each attempt; with <> */
    char *date;          /* likewise (RFC 5322) */
    char *received;      /* value of the Received field of this hop, without folding */
    char *account;
    bool smtputf8, eight_bit;
    uint64_t content_offset, content_size;
    bool is_held;         /* not to be tried until somebody lets it go */
    char *hold_reason;    /* "held by root"; NULL: never held */
    uint64_t hold_offset; /* record.c's; 0: written by a version that could not hold */
    /* hints */
    uint64_t hint_offset; /* record.c's */
    int64_t attempts;     /* so far */
    int64_t deaths;       /* workers that ended unexpectedly over it, as RECORD_DEATH_* count them */
    int64_t last_try;     /* seconds of the wall clock, 0 = none */
    bool is_warned;       /* the sender knows that it waits */
    char *reason;         /* why it still waits, "" = not known */
};

void record_init(struct record *r);
void record_clear(struct record *r);
/*
 * The head of a file with `content_size` bytes of content and the hints of *r, to be written at 0; the content follows at
 * content_offset, RECORD_END behind it. Sets content_offset, content_size and the recipients' marks. False with err
 * (ERROR_REFUSED): too large.
 */
bool record_format(struct record *r, uint64_t content_size, struct buf *head, struct error *err);
/* Attempts, last_try and reason of *r (cut to what fits) as they stand at hint_offset; false: *r has no place for them. */
bool record_format_hint(const struct record *r, struct buf *hint);
/* is_held and hold_reason (cut to what fits) as they stand at hold_offset; false: *r has no place for them. */
bool record_format_hold(const struct record *r, struct buf *hold);
/*
 * A private file whose size is not known yet: write the head into the empty file and set content_offset and the recipients'
 * marks. The content then follows with file_pwrite from content_offset on, then record_finish. False with err (ERROR_IO).
 */
bool record_begin(int fd, struct record *r, struct error *err);
/* The content is complete: writes the end mark and the lengths. */
bool record_finish(int fd, struct record *r, uint64_t content_size, struct error *err);
/*
 * Read and check the head and the end mark; the file's offset is not used. False with err: ERROR_DATA: torn or foreign,
 * ERROR_IO: it could not be read.
 */
bool record_read(int fd, struct record *r, struct error *err);
/* pread(2) or what stands for it */
typedef ssize_t record_pread(int fd, void *data, size_t len, off_t offset);
/* The same by `read`; unless `whole`, only the head is looked at, most often with a single read. */
bool record_read_by(record_pread *read, int fd, bool whole, struct record *r, struct error *err);

#endif
