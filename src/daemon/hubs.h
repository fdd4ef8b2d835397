/* SPDX-License-Identifier: ISC */
/*
 * hubs: which smarthosts of an account's several are to be tried last, and until when their certificates are good, as its workers
 * told, and the same of what accounts show of themselves. Kept here, since a worker's memory ends with it. Knows no time of its own.
 */
#ifndef DAEMON_HUBS_H
#define DAEMON_HUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "ipc/job.h"

enum { HUBS_OF_ACCOUNT = 64 };

struct hub {
    char *account, *relay; /* "host:port" */
    int64_t next, step_ms; /* not to be looked at before; doubled each time it fails again, 0: it works */
    uint64_t age;          /* who was told of longest ago has the smallest */
    bool is_late;          /* when it works it takes its time to greet */
    int64_t expires_s;     /* its certificate, in seconds since 1970; 0: not known, or nobody asks */
};

/* What an account shows of itself; times in seconds since 1970, 0: not known */
struct hubs_login {
    char *account;
    int64_t token_s;      /* its token expires */
    int64_t token_told_s; /* ... and that was told then */
    bool token_is_short;  /* something renews it all the time */
    int64_t client_s;     /* its own certificate expires */
};

struct hubs {
    struct hub *hub;
    size_t n;
    uint64_t age;
    struct hubs_login *login;
    size_t nlogins;
    int64_t min_ms, max_ms;
};

void hubs_init(struct hubs *h);
void hubs_clear(struct hubs *h);
/* The shortest and the longest time a failed one is left alone. */
void hubs_configure(struct hubs *h, int64_t min_ms, int64_t max_ms);
/* A worker has met it. What is no "host:port" is passed over; of too many the oldest is forgotten. */
void hubs_report(
    struct hubs *h, const char *account, struct slice relay, enum job_health health, int64_t now);
/* A worker has a session with it. */
void hubs_certificate(struct hubs *h, const char *account, struct slice relay, int64_t expires_s);
/* One of its workers has begun. */
void hubs_token(struct hubs *h, const char *account, int64_t expires_s, bool is_short, int64_t now_s);
void hubs_client(struct hubs *h, const char *account, int64_t expires_s);
/* NULL: nothing is known. */
const struct hubs_login *hubs_login_of(const struct hubs *h, const char *account);
/* All but what failed: there is a new configuration */
void hubs_forget_the_good(struct hubs *h);
/* Those that failed, which jobs leave alone while there are others, blanks between them: added to `out`. */
void hubs_avoid(const struct hubs *h, const char *account, struct buf *out);
/* The same of those that are late, for which jobs have patience, whether they failed or not */
void hubs_late(const struct hubs *h, const char *account, struct buf *out);
bool hubs_has_failed(const struct hubs *h, const char *account, struct slice relay);
/*
 * One that failed and is to be looked at now, whether it works again; NULL: none. Nobody else is told so until that look has been told
 * of, or as much time has passed again. Lives until the next call.
 */
const char *hubs_due(struct hubs *h, const char *account, int64_t now);

#endif
