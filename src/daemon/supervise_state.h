/* SPDX-License-Identifier: ISC */
/* supervise_state: what the parts of supervise share; nobody else includes it. */
#ifndef DAEMON_SUPERVISE_STATE_H
#define DAEMON_SUPERVISE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "daemon/alarm.h"
#include "daemon/identity.h"
#include "daemon/sockets.h"
#include "daemon/spawn.h"
#include "daemon/supervise.h"

enum { SUPERVISE_LISTENERS_MAX = 16 };

struct supervisor {
    const struct supervise_request *req;
    struct config config;
    int64_t loaded_s;    /* when it was read, in seconds since 1970 */
    int64_t broken_s;    /* since then what is on disk cannot be used; 0: it can */
    struct error broken; /* why */
    struct identity identity;
    struct sockets sockets;
    int tcp[SUPERVISE_LISTENERS_MAX]; /* of Listen */
    size_t ntcp;
    struct loop *loop;
    struct alarm *alarm;
    int64_t watchdog_ms;
    int program; /* this very program, to be executed again; -1: by its path */
    int signals;
    struct spawn_kept workers;
    /* the daemon's process */
    pid_t child; /* 0 = there is none */
    int sock;    /* our end; -1 = it has hung up */
    struct loop_watch *sock_watch;
    struct loop_timer *timer; /* its restart; or its kill, after STOP */
    bool alive;               /* it serves */
    int64_t since;            /* ... since then */
    int64_t backoff_ms;
    bool owes_settings;     /* they go to it as soon as it reads again */
    bool owes_broken;       /* likewise, behind them */
    struct error last_word; /* why it ended, as it says */
    /* this one */
    bool ready; /* the daemon has served once */
    bool stopping;
    struct error *err;
    int code;
};

/* supervise_settings.c */
/* Read the configuration for the first time. */
bool supervise_load(struct supervisor *s, struct error *err);
/* SIGHUP: a wrong one keeps the old one. */
void supervise_reload(struct supervisor *s);
/* To the daemon's process, which is told of so many sockets */
bool supervise_send_settings(struct supervisor *s, size_t sockets, struct error *err);
/* It reads again: it gets what it is owed. */
void supervise_pay_settings(struct supervisor *s);
/* What is on disk cannot be used. Where that cannot be said the log has it. */
void supervise_tell_broken(struct supervisor *s);

#endif
