/* SPDX-License-Identifier: ISC */
/* deliver_state: what the parts of deliver share; nobody else includes it. */
#ifndef WORKER_DELIVER_STATE_H
#define WORKER_DELIVER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "mail/status.h"
#include "smtp/connect.h"
#include "smtp/session.h"
#include "worker/avoid.h"
#include "worker/head.h"

enum { DELIVER_HUBS_MAX = 32, DELIVER_PINS_MAX = 16 };

struct worker {
    int sock;
    const struct config *c;
    struct config_hub hub[DELIVER_HUBS_MAX];
    size_t nhubs;
    unsigned char pins[DELIVER_PINS_MAX][32];
    size_t npins;
    struct head_settings complete;
    struct session_options options;
    struct session session;
    bool warm;
    char relay[200]; /* host:port of the session */
    char host[256];  /* A-labels of it */
    bool is_direct;
    char domain[256]; /* direct: whose hosts the session is with */
    /* of several smarthosts: */
    struct avoid avoid;  /* those that failed of late */
    struct avoid failed; /* in this search */
    struct avoid passed; /* those before the session's, which were not to be had */
    size_t known;        /* how many there are to choose from */
    bool pending;        /* the last one tried failed, which is still to be told */
    bool verbose;
    struct steps steps; /* of a test, as session_options.steps says */
    struct connect_info info;
    int64_t start_us, session_us, sent_us;
};

/* deliver_open.c */
/* A session with the first that is to be had. False with *fact, that of the last one; the others are in the log. */
bool deliver_open(struct worker *w, struct status_fact *fact);
/* Into the log: the fact that comes is of the last one. */
void deliver_tell_of_hub(struct worker *w, const struct status_fact *fact);
/* The daemon remembers that it works, or not, for the jobs that come, whoever does them. */
void deliver_tell_health(struct worker *w, bool works);
/* The session was lost: is there another smarthost that is not known to fail? */
bool deliver_has_others(const struct worker *w);
/* A better smarthost than the session's is to be tried again. */
bool deliver_is_second_best(const struct worker *w);

#endif
