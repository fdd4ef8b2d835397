/* SPDX-License-Identifier: ISC */
/* pool_state: what the parts of the pool share; nobody else includes it. */
#ifndef DAEMON_POOL_STATE_H
#define DAEMON_POOL_STATE_H

#include "daemon/hubs.h"
#include "daemon/pool.h"

/* So many workers beyond `workers_max` while others only wait for answers of smarthosts, or look after one that failed */
enum { POOL_ASIDE_MAX = 16 };

enum worker_state { WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

struct pool_worker {
    struct pool_worker *next; /* those that are asked for in the order of the answers */
    struct pool *pool;
    char *account;
    enum worker_state state;
    int sock;
    struct loop_watch *watch;
    struct pool_job *job; /* BUSY */
    bool sent, heard;     /* BUSY: the job went out to it; it has said something of it */
    bool unread;          /* it ended, and something sent to it was not read */
    bool starved;         /* it ended for want of memory */
    bool claimed;         /* STARTING: there is a job for it */
    bool wanted[2];       /* IDLE: jobs of its account wait, urgent [0] and others [1] */
    bool retire;          /* after its job */
    bool aside;           /* does not count for workers_max */
    char *probe;          /* STARTING: the smarthost it is to look at */
    bool works;           /* BUSY: it has met a smarthost that works */
    bool avoids;          /* was told of smarthosts to leave alone */
    bool expects_late;    /* was told of some that are late */
    unsigned jobs;        /* done */
    int64_t born_ms, idle_ms;
    int64_t token_s; /* until then its token is good for a login, in seconds since 1970; 0: not known */
};

struct pool_job {
    struct pool_job *next;
    struct pool *pool;
    const struct pool_events *events;
    void *owner;
    bool forgotten;
    char *account;
    uint32_t flags, recipients;
    unsigned char *bitmap;
    int record_fd;
    bool urgent;
    struct pool_worker *worker; /* who has it */
    struct error failure;       /* in the queue of those that failed */
};

struct pool_queue {
    struct pool_job *first, **end;
};

struct pool {
    struct loop *loop;
    int helper;
    const struct pool_events *events;
    void *ctx;
    struct loop_watch *helper_watch; /* NULL: the helper has gone */
    struct pool_worker *workers;
    size_t n, aside, workers_max;
    int64_t idle_ms;
    struct loop_timer *idle;
    struct pool_queue waiting[2]; /* urgent, others */
    struct pool_queue failed;     /* their owners are told from the loop */
    struct loop_timer *soon;
    struct hubs hubs;
    char buffer[JOB_PACKET_MAX];
};

/* pool_job.c */
void pool_queue_add(struct pool_queue *q, struct pool_job *job);
void pool_queue_add_first(struct pool_queue *q, struct pool_job *job);
/* False: it is not in there. */
bool pool_queue_remove(struct pool_queue *q, struct pool_job *job);
void pool_queue_free(struct pool_queue *q);
/* Where it waits, or would. */
struct pool_queue *pool_queue_of(const struct pool_job *job);
struct pool_job *pool_first_waiting(const struct pool *p, const char *account);
/* Tell the owner, and that is the end of the job; only from the loop. */
void pool_job_over(struct pool_job *job, const struct error *err, bool maybe_sent, struct slice text);
/* The same soon, from the loop, for a job that is in no queue. */
void pool_job_fail_soon(struct pool_job *job, const struct error *err);
void pool_job_free(struct pool_job *job);

/* pool_worker.c */
/* One that is asked for, to look at the smarthost `probe` if that is not NULL; pool_worker_begin when it is there, with our end of its socket. */
void pool_worker_new(struct pool *p, const char *account, const char *probe);
void pool_worker_begin(struct pool_worker *w, int sock);
/* Hang up on it. A job that it has is the caller's. */
void pool_worker_remove(struct pool_worker *w);
/* It has done enough, or is too old. */
bool pool_worker_is_worn(const struct pool_worker *w);
/* It has served its account for a while: an older job of another account may have its place. */
bool pool_worker_had_turn(const struct pool_worker *w);
/* Give an idle one a job that waits. False: it was gone, and has been removed; the job waits as before. */
bool pool_worker_give(struct pool_worker *w, struct pool_job *job);
/* Remove those that have been idle for long enough, and set the timer for the next. */
void pool_idle_over(void *ctx);
/* It does not count for workers_max until its job is over, if there are not too many such. */
void pool_worker_set_aside(struct pool_worker *w);

/* pool_probe.c */
/* The account has a smarthost that works: let a worker of its own look whether one that failed works again, if it is time. */
void pool_probe(struct pool *p, const char *account);
/* The worker for that is there. */
void pool_probe_begin(struct pool_worker *w);

/* pool.c */
/* Give out all that can be given out; tells no owner of anything. */
void pool_dispatch(struct pool *p);

#endif
