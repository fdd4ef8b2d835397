/* SPDX-License-Identifier: ISC */
/* queued: a queue of its own with messages, and what the daemon answers about them. */
#ifndef TESTS_UNIT_QUEUED_H
#define TESTS_UNIT_QUEUED_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "daemon/control.h"
#include "queue/spool.h"

/* The one that is open */
struct queued {
    char dir[64];
    struct spool *spool;
};
extern struct queued queued;

struct queued_message {
    const char *id, *sender, *recipient, *account, *reason, *mode;
    int64_t uid, age, attempts, last_try_ago;
};

/* Make an empty queue, and remove it with all that is in it. */
void queued_open(const struct spool_io *io);
void queued_close(void);
/* A message to two recipients, of whom the first, done@example.net, has it already. */
void queued_add(const struct queued_message *m);
/* What that line asks, from that user. */
void queued_request(struct control_request *q, const char *line, int64_t uid, bool is_operator);
/* The whole answer, in fresh memory. */
char *queued_answer(struct control_request *q);

#define ck_has(text, what) ck_assert_msg(strstr((text), (what)) != NULL, "no '%s' in:\n%s", (what), (text))
#define ck_lacks(text, what) ck_assert_msg(strstr((text), (what)) == NULL, "'%s' in:\n%s", (what), (text))

#endif
