/* SPDX-License-Identifier: ISC */
/*
 * report_cap: how many reports (DSNs) a user's mail may cause in an hour, and what is told in one afterwards. Without it a script
 * with a wrong address list, or one that makes senders up, would send as many reports as messages. Pure: time is an argument.
 */
#ifndef DAEMON_REPORT_CAP_H
#define DAEMON_REPORT_CAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { REPORT_CAP = 100, REPORT_CAP_MS = 3600000 };

struct report_cap;

/* What was not told. */
struct report_rest {
    int64_t uid;
    char *account;
    char *to;          /* sender of the first message */
    size_t count;      /* messages */
    struct buf listed; /* "ID <recipient>" and LF, of those with the same sender; bounded */
};

struct report_cap *report_cap_new(void);
void report_cap_free(struct report_cap *c);
/* May one more report be sent for mail of `uid` by `account`? It is counted. */
bool report_cap_take(struct report_cap *c, int64_t uid, const char *account, int64_t now_ms);
/* It may not: the sender `to` is told of message `id` to `recipient` later, with others. */
void report_cap_drop(struct report_cap *c, int64_t uid, const char *account, const char *to, const char *id,
    const char *recipient);
/* Ms until report_cap_rest has something, -1: never. */
int64_t report_cap_wait(const struct report_cap *c, int64_t now_ms);
/* Something that was not told and whose hour is over (`all`: or not). On true the caller frees it. */
bool report_cap_rest(struct report_cap *c, int64_t now_ms, bool all, struct report_rest *rest);
void report_rest_clear(struct report_rest *rest);

#endif
