/* SPDX-License-Identifier: ISC */
/*
 * submission: one message on its way from a client to the workers: its record, its recipients, what became of them; no I/O but
 * on the record's own descriptor.
 */
#ifndef DAEMON_SUBMISSION_H
#define DAEMON_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/peer.h"
#include "daemon/verdict.h"
#include "ipc/job.h"
#include "mail/addrset.h"
#include "queue/record.h"

/* An address of the record: what became of it. */
struct submission_member {
    size_t recipient; /* index among the recipients as the client named them */
    char *account;    /* the road by it (config/road) */
    bool tried, delivered, queued, of_recipient;
    bool maybe_sent; /* it failed, and the peer may have it all the same */
    enum error_class class;
    char *text;
    /* what the peer said of it, or what went wrong, for reports */
    bool is_relayed; /* delivered to a peer that tells nobody, and the sender wanted to know */
    int code;
    char enhanced[16];
    char *relay, *words; /* NULL: not known */
};

/* What the messages of all clients hold in memory */
struct submission_load {
    uint64_t bytes, recipients;
};

/* Beyond it recipients are for later, but for a message's first ones, and content goes to files at once: no sessions fill the memory */
enum {
    SUBMISSION_RECIPIENTS_MAX = 150000,
    SUBMISSION_RECIPIENTS_FREE = 100,
    SUBMISSION_BYTES_MAX = 128 << 20
};

struct submission {
    struct submission_load *load; /* counted there, NULL = nowhere */
    struct record record;
    int fd;      /* the record, -1 = none */
    int fd_read; /* the same, read-only, for workers */
    bool in_memory;
    uint64_t size;                    /* content so far */
    char mode;                        /* 'i', 'b', 'q' */
    bool verbose;                     /* the client wants to see the dialog */
    int64_t begun_ms;                 /* clock_ms */
    struct buf used;                  /* what workers said they used, for the log */
    struct submission_member *member; /* one for each recipient of the record */
    size_t cap;
    char **named; /* the recipients as the client named them */
    size_t nnamed;
    struct addrset seen; /* the recipients of the record */
    bool content_begun;
};

void submission_init(struct submission *s);
void submission_clear(struct submission *s);
/* A message of the queue: *r moves into *s, whose members have no account yet. False: it cannot be read again (errno). */
bool submission_take(struct submission *s, struct record *r, int fd);
/* Count what it holds in `load`, which must live longer; at once behind submission_init. */
void submission_count(struct submission *s, struct submission_load *load);
/* The client named a recipient; returns its index. */
size_t submission_name(struct submission *s, const char *name);
/*
 * An address the message has to go to for the named recipient `recipient`, by `account`. One that is there already is not
 * added twice.
 */
void submission_add(struct submission *s, size_t recipient, const char *address, const char *account,
    unsigned notify, const char *orcpt);
/* The record's head is complete: begin the file. */
bool submission_begin(struct submission *s, struct error *err);
/*
 * Content in wire form. Over 1 MB it moves from memory into an unnamed file in `folder` (NULL or not writable: passed over),
 * $TMPDIR, /var/tmp or /tmp.
 */
bool submission_content(struct submission *s, struct slice bytes, const char *folder, struct error *err);
bool submission_finish(struct submission *s, struct error *err);
/*
 * The next account with untried members: its name, the bitmap of these members (fresh memory, the caller frees it); NULL when
 * all were tried. They count as tried from now on, failed with `class` and "no answer" until a fact says otherwise.
 */
const char *submission_next(struct submission *s, unsigned char **bitmap);
void submission_delivered(struct submission *s, uint32_t i);
void submission_failed(
    struct submission *s, uint32_t i, bool of_recipient, enum error_class class, const char *text);
/* The words of a fact about it: kept for whoever is to be told. */
void submission_said(struct submission *s, uint32_t i, const struct job_fact *f);
/* Is it still to be tried: not taken, not refused for good? One that is in the queue does not count. */
bool submission_is_deferred(const struct submission_member *m);
/* What a queue file says of it. */
enum envelope_state submission_state(const struct submission_member *m);
/* All that is deferred is in the queue now. */
void submission_queued(struct submission *s);
/*
 * What the caller is told. With a queue some refused and the others served is success, and the refused ones stand in
 * v->refused.
 */
void submission_verdict(const struct submission *s, bool has_queue, struct verdict *v);

#endif
