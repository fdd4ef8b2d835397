/* SPDX-License-Identifier: ISC */
/* control_test_state: what the parts of control_test share; nobody else includes it. */
#ifndef DAEMON_CONTROL_TEST_STATE_H
#define DAEMON_CONTROL_TEST_STATE_H

#include "daemon/control_test.h"
#include "daemon/peer.h"
#include "daemon/server.h"
#include "daemon/submission.h"

enum { CONTROL_TEST_STEP_MAX = 32 };

struct control_test {
    struct core *core;
    struct control_tests *all;
    const struct control_request *q;
    int fd;
    void (*done)(void *ctx, const struct buf *answer);
    void *ctx;
    struct peer peer;
    struct submission sub;
    char *account;
    struct pool_job *job;
    struct loop_timer *timer; /* alive, or the end of one that did not begin */
    bool is_over;
    bool has_failed, reached, account_failed, frozen;
    char step[CONTROL_TEST_STEP_MAX]; /* the first that failed */
    struct error err;                 /* why */
    char *relay;
    int64_t begun_ms;
    char *reply; /* of a message that was taken */
};

/* control_test_permit.c, in this order; each false with err */
bool control_test_may_ask(const struct control_test *t, struct error *err);
/* Recipients, and the account they go by */
bool control_test_find_way(struct control_test *t, const struct server_transaction *st, struct error *err);
/* Nobody's curiosity may cost the account its login: others than operators stay within its back-off. It is remembered. */
bool control_test_is_patient(struct control_test *t, struct error *err);

#endif
