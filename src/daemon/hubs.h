/* SPDX-License-Identifier: ISC */
/*
 * hubs: which smarthosts of an account's several are not to be tried first, and until when their certificates are good, as its workers
 * told. Kept here, since a worker's memory ends with it. Knows no time of its own.
 */
#ifndef DAEMON_HUBS_H
#define DAEMON_HUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { HUBS_OF_ACCOUNT = 64 };

struct hub {
    char *account, *relay; /* "host:port" */
    int64_t next, step_ms; /* not to be tried before; doubled each time it fails again, 0: it works */
    int64_t expires_s;     /* its certificate, in seconds since 1970; 0: not known, or nobody asks */
};

struct hubs {
    struct hub *hub;
    size_t n;
    int64_t min_ms, max_ms;
};

void hubs_init(struct hubs *h);
void hubs_clear(struct hubs *h);
/* The shortest and the longest time a failed one is left alone. */
void hubs_configure(struct hubs *h, int64_t min_ms, int64_t max_ms);
/* A worker has met it: it works, or not. What is no "host:port" is passed over. */
void hubs_report(struct hubs *h, const char *account, struct slice relay, bool works, int64_t now);
/* A worker has a session with it. */
void hubs_certificate(struct hubs *h, const char *account, struct slice relay, int64_t expires_s);
void hubs_forget_certificates(struct hubs *h);
/*
 * Those a job that begins now is to leave alone while there are others, blanks between them: added to `out`. One whose time has come
 * is tried by this job, and by no other until that has told of it or as much time has passed again.
 */
void hubs_avoid(struct hubs *h, const char *account, int64_t now, struct buf *out);

#endif
