/* SPDX-License-Identifier: ISC */
/*
 * control_test: `smtprelay test`: a worker walks to the smarthost step by step, and each step goes to whoever asks as soon as it is
 * over (smtp/step has the form of a step's line). In the daemon, and without one (`smtprelayd --test`).
 *
 * The last data line sums up: "s.result=ok|failed s.account=... s.failed_step=... n.exit=... s.text=...".
 */
#ifndef DAEMON_CONTROL_TEST_H
#define DAEMON_CONTROL_TEST_H

#include "daemon/control.h"
#include "daemon/core.h"

struct control_test;
/*
 * Who asked lately: one test per RetryMin for each user who is no operator, twice as long each time within RetryMax, and one per RetryMin
 * for each account by all of them together
 */
struct control_tests;

struct control_tests *control_tests_new(void);
void control_tests_free(struct control_tests *all);

/*
 * control_test_begin - walk as `q` says, which must live as long; q->peer asks
 *
 * Lines go to `fd`, which stays the caller's, whether or not somebody reads them. `done` is called once, from the loop, with the end
 * of the answer; the test has been freed then. `all` NULL: this is not the daemon, and the caller's own login.
 */
struct control_test *control_test_begin(struct core *core, struct control_tests *all,
    const struct control_request *q, int fd, void (*done)(void *ctx, const struct buf *answer), void *ctx);
/* Whoever asked has gone: what the worker has begun goes on to its end unheard. NULL is fine. */
void control_test_free(struct control_test *t);

/*
 * `smtprelayd --test`: one test as the caller, over `out`; `words` are the arguments of the request. Settings and workers come from
 * the helper behind `helper_sock`. Returns this program's exit code: 0 when an answer went out.
 */
int control_test_serve(int helper_sock, int out, char *const *words);

/* Parts of lines: a word, the words of a step, of the summary (err NULL: all went well; `step` is the one that did not) */
void control_test_add_text(struct buf *line, const char *key, const char *text);
void control_test_add_step(struct buf *line, const char *step, bool ok, const char *text);
void control_test_add_summary(
    struct buf *line, const char *step, const char *account, const struct error *err);
/* The line of a step that failed before there was a worker, and the summary behind it, into the answer */
void control_test_fail(
    struct buf *answer, const char *step, const char *account, enum error_class class, const char *text);

#endif
