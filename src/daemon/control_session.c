/* SPDX-License-Identifier: ISC */
/* control_session: reads a line, has the answer made where it may block, and hangs up. */
#include "daemon/control_session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/breaker.h"
#include "daemon/control.h"
#include "daemon/control_batch.h"
#include "daemon/control_out.h"
#include "daemon/control_snapshot.h"
#include "daemon/control_test.h"
#include "daemon/feed.h"
#include "daemon/scan.h"
#include "daemon/story.h"

/* Sessions of all, of those who are no operators, of one of them */
enum { SESSIONS_MAX = 50, SESSIONS_OF_OTHERS = 40, SESSIONS_OF_ONE = 10 };
enum {
    SOCKETS_MAX = 4,
    QUESTION_MS = 10000,
    SETTLE_MS = 5000,
    WRITE_S = 30,
    RUN_PIECE_MS = 2,
    AGAIN_MS = 1000
};
/* One that waits for its reader, or for a long queue, holds up no other; they begin when they are needed */
enum { THREADS = SESSIONS_MAX };

struct session {
    struct session *next;
    struct control_desk *desk;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *late;
    struct buf line;
    struct control_peer peer;
    struct control_request request;
    bool in_thread;
    struct story_reader reader;
    struct control_batch *batch;
    struct buf answer; /* of verify and trace */
    struct control_test *test;
    bool is_decided; /* all that may still come is the end */
    /* of a selection */
    char (*ids)[SPOOL_ID_MAX + 1];
    size_t nids, at, nheld;
    bool ok;
    struct error err;
};

struct control_desk {
    struct core *core;
    const struct listen *clients;
    struct work *work;
    int sockets[SOCKETS_MAX];
    struct loop_watch *watches[SOCKETS_MAX];
    size_t nsockets;
    struct session *sessions;
    size_t n;
    struct control_tests *tests;
    int64_t group, begun_ms, next_run_ms;
    struct loop_timer *again; /* accepting rests until then */
};

/* ---------------------------------------------------------------- sessions */

static void
session_free(struct session *s)
{
    struct session **at = &s->desk->sessions;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->desk->n--;
    loop_unwatch(s->watch);
    loop_cancel(s->late);
    story_forget(s->desk->core, &s->reader);
    file_close(&s->fd);
    buf_clear(&s->line);
    buf_clear(&s->answer);
    control_batch_free(s->batch);
    control_test_free(s->test);
    control_clear(&s->request);
    free(s->ids);
    free(s);
}

/* A short answer fits into the socket; who does not take it gets none */
static void
say(struct session *s, const struct buf *answer)
{
    (void)send(s->fd, answer->data, answer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
finish(struct session *s, const struct error *err)
{
    struct buf answer;

    buf_init(&answer, 8192);
    control_end(&answer, err ? err->class : ERROR_NONE, err ? err->text : "");
    say(s, &answer);
    buf_clear(&answer);
    session_free(s);
}

/* ---------------------------------------------------------------- what threads do */

static void
answer_run(void *arg)
{
    struct session *s = arg;

    control_answer(&s->request, s->fd);
}

static void
answer_done(void *arg)
{
    session_free(arg);
}

/* It is made already, but may be longer than the socket takes at once */
static void
verify_run(void *arg)
{
    struct session *s = arg;
    struct control_out o;

    control_out_begin(&o, s->fd);
    control_out_all(&o, buf_slice(&s->answer));
}

static void
select_run(void *arg)
{
    struct session *s = arg;

    s->ok = control_select(&s->request, s->fd, &s->ids, &s->nids, &s->err);
}

static void
batch_done(void *ctx, const struct buf *answer)
{
    struct session *s = ctx;

    s->batch = NULL; /* it goes by itself */
    say(s, answer);
    session_free(s);
}

/* What changes on the disk, too */
static bool
is_batch(const struct control_request *q)
{
    return (q->verb == CONTROL_RETRY && q->filter.failed) || q->verb == CONTROL_HOLD ||
           q->verb == CONTROL_RELEASE || q->verb == CONTROL_REMOVE;
}

static void
answer_selected(struct session *s)
{
    struct buf answer;

    if (s->request.verb == CONTROL_RUN || !s->ok) {
        finish(s, s->ok ? NULL : &s->err);
        return;
    }
    buf_init(&answer, 3 * ERROR_TEXT_MAX);
    control_changed(&s->request, &answer, s->nids, s->nheld, &s->err);
    say(s, &answer);
    buf_clear(&answer);
    session_free(s);
}

static void on_run(void *ctx);

/* What is held is not tried, whatever is asked for */
static void
run_one(struct session *s, const char *id)
{
    struct schedule *schedule = s->desk->core->schedule;
    struct schedule_entry *e = schedule_find(schedule, id);

    if (e && schedule_is_held(e) && s->nheld++ == 0)
        error_set(&s->err, ERROR_REFUSED, "%s: is held; see smtprelay release", id);
    else if (e && !schedule_is_held(e))
        schedule_hurry(schedule, e, clock_ms());
}

/* However many they are, others have their turn */
static void
run_piece(struct session *s)
{
    int64_t end = clock_deadline(RUN_PIECE_MS);

    while (s->at < s->nids && clock_left(end) > 0)
        run_one(s, s->ids[s->at++]);
    feed_pump(s->desk->core);
    if (s->at < s->nids)
        s->late = loop_at(s->desk->core->loop, clock_ms(), on_run, s);
    else
        answer_selected(s);
}

static void
on_run(void *ctx)
{
    struct session *s = ctx;

    s->late = NULL;
    run_piece(s);
}

/* Who lets the mail of a user go, or all that is held, lets the user go on; a single message says nothing of anybody */
static bool
forgives(const struct session *s)
{
    const struct control_filter *f = &s->request.filter;

    return s->request.verb == CONTROL_RELEASE && s->peer.is_operator && !f->dry_run && f->nid == 0 &&
           (f->uid >= 0 || f->held || f->all);
}

static void
select_done(void *arg)
{
    struct session *s = arg;
    struct core *c = s->desk->core;

    if (s->ok && forgives(s))
        breaker_forgive(c, s->request.filter.uid);
    if (s->ok && s->nids && is_batch(&s->request)) {
        s->batch = control_batch_begin(c, s->desk->work, &s->request, s->ids, s->nids, s->fd, batch_done, s);
        return;
    }
    if (s->ok)
        run_piece(s);
    else
        answer_selected(s);
}

/* ---------------------------------------------------------------- questions */

/* From here on the descriptor is written to by a thread, which may wait */
static void
hand_over(struct session *s, work_run *run, work_done *done)
{
    struct timeval limit = { .tv_sec = WRITE_S };

    control_take_snapshot(&s->request, s->desk->core, s->peer.is_operator,
        &(struct control_desk_view){ .begun_ms = s->desk->begun_ms,
            .next_run_ms = s->desk->next_run_ms,
            .sessions = listen_sessions(s->desk->clients) });
    s->in_thread = true;
    loop_unwatch(s->watch);
    s->watch = NULL;
    loop_cancel(s->late);
    s->late = NULL;
    (void)file_nonblocking(s->fd, false);
    (void)setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* a client that reads nothing */
    work_start(s->desk->work, run, done, s);
}

static void
on_settled(void *ctx)
{
    hand_over(ctx, answer_run, answer_done);
}

/* A disk that takes nothing is what it may have been asked about */
static void
on_settle_late(void *ctx)
{
    struct session *s = ctx;

    s->late = NULL;
    story_forget(s->desk->core, &s->reader);
    on_settled(s);
}

/* What happened just now is told, too */
static void
answer_settled(struct session *s)
{
    loop_events(
        s->watch, 0); /* who says no more waits for his answer; who has gone is heard of all the same */
    loop_cancel(s->late);
    s->late = loop_at(s->desk->core->loop, clock_deadline(SETTLE_MS), on_settle_late, s);
    s->reader = (struct story_reader){ .call = on_settled, .ctx = s };
    story_settle(s->desk->core, &s->reader);
}

static void
run_queue_now(struct session *s)
{
    struct core *c = s->desk->core;

    scan_begin(c, SCHEDULE_NOW);
    if (s->request.verb != CONTROL_RUN || !control_means_all(&s->request)) {
        hand_over(s, select_run, select_done);
        return;
    }
    schedule_run(c->schedule, NULL, NULL, clock_ms());
    feed_pump(c);
    finish(s, NULL);
}

static void
verify(struct session *s)
{
    control_verify(&s->request, &s->desk->core->config, &s->answer);
    hand_over(s, verify_run, answer_done);
}

static void
test_done(void *ctx, const struct buf *answer)
{
    struct session *s = ctx;

    s->test = NULL; /* it goes by itself */
    say(s, answer);
    session_free(s);
}

static void
decide(struct session *s)
{
    struct error err;
    struct slice line = buf_slice(&s->line);

    line.len = slice_find(line, '\n');
    bool ok = control_parse(line, &s->request, &err);

    s->request.peer = s->peer;
    if (!ok || !control_is_permitted(&s->request, &err)) {
        finish(s, &err);
    } else if (control_is_answered(&s->request)) {
        answer_settled(s);
    } else if (s->request.verb == CONTROL_RUN || s->request.verb == CONTROL_RETRY) {
        run_queue_now(s);
    } else if (is_batch(&s->request)) {
        hand_over(s, select_run, select_done);
    } else if (s->request.verb == CONTROL_VERIFY || s->request.verb == CONTROL_TRACE) {
        verify(s);
    } else if (s->request.verb == CONTROL_TEST) {
        loop_cancel(s->late);
        s->late = NULL;
        s->test = control_test_begin(s->desk->core, s->desk->tests, &s->request, s->fd, test_done, s);
    } else {
        scan_begin(s->desk->core, SCHEDULE_NOW);
        finish(s, NULL);
    }
}

static void
session_ready(void *ctx, int fd, short revents)
{
    struct session *s = ctx;
    char piece[4096];
    ssize_t n = file_read_some(fd, piece, sizeof piece);

    (void)revents;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        session_free(s);
        return;
    }
    if (s->is_decided)
        return;
    buf_add(&s->line, piece, (size_t)n);
    if (s->line.overflow) {
        session_free(s);
    } else if (slice_has(buf_slice(&s->line), '\n')) {
        s->is_decided = true;
        decide(s);
    }
}

static void
on_late(void *ctx)
{
    struct session *s = ctx;

    s->late = NULL;
    session_free(s);
}

/* Nobody can keep the operators out, and no user the others */
static bool
has_room(const struct control_desk *d, const struct control_peer *peer)
{
    size_t others = 0, of_uid = 0;

    for (const struct session *s = d->sessions; s; s = s->next) {
        others += !s->peer.is_operator;
        of_uid += s->peer.uid == peer->uid;
    }
    if (peer->is_operator)
        return d->n < SESSIONS_MAX;
    return others < SESSIONS_OF_OTHERS && of_uid < SESSIONS_OF_ONE;
}

static void
accept_again(void *ctx)
{
    struct control_desk *d = ctx;

    d->again = NULL;
    for (size_t i = 0; i < d->nsockets; i++)
        loop_events(d->watches[i], POLLIN);
}

/* Short of something: who waits would be reported again and again */
static void
rest_a_while(struct control_desk *d)
{
    for (size_t i = 0; i < d->nsockets; i++)
        loop_events(d->watches[i], 0);
    if (!d->again)
        d->again = loop_at(d->core->loop, clock_deadline(AGAIN_MS), accept_again, d);
}

static void
on_ready(void *ctx, int fd, short revents)
{
    struct control_desk *d = ctx;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct control_peer peer;
    struct session *s;

    (void)revents;
    if (client < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        rest_a_while(d);
    if (client < 0)
        return;
    (void)control_identify(client, d->group, &peer); /* else nobody's rights */
    if (!has_room(d, &peer)) {
        file_close(&client);
        return;
    }
    s = mem_alloc(sizeof *s);
    s->desk = d;
    s->fd = client;
    s->peer = peer;
    buf_init(&s->line, CONTROL_LINE_MAX);
    buf_init(&s->answer, CONTROL_VERIFY_MAX);
    control_init(&s->request);
    s->watch = loop_watch(d->core->loop, client, POLLIN, session_ready, s);
    s->late = loop_at(d->core->loop, clock_deadline(QUESTION_MS), on_late, s);
    s->next = d->sessions;
    d->sessions = s;
    d->n++;
}

/* ---------------------------------------------------------------- the desk */

struct control_desk *
control_desk_new(struct core *core, const struct listen *clients)
{
    struct control_desk *d = mem_alloc(sizeof *d);

    d->core = core;
    d->clients = clients;
    d->work = work_new(core->loop, THREADS);
    d->group = control_group();
    d->begun_ms = clock_ms();
    d->tests = control_tests_new();
    return d;
}

void
control_desk_add(struct control_desk *d, int fd)
{
    if (d->nsockets == SOCKETS_MAX) {
        file_close(&fd);
        return;
    }
    d->sockets[d->nsockets] = fd;
    d->watches[d->nsockets++] = loop_watch(d->core->loop, fd, POLLIN, on_ready, d);
}

void
control_desk_stop(struct control_desk *d)
{
    loop_cancel(d->again);
    d->again = NULL;
    for (size_t i = 0; i < d->nsockets; i++) {
        loop_unwatch(d->watches[i]);
        file_close(&d->sockets[i]);
    }
    d->nsockets = 0;
}

void
control_desk_free(struct control_desk *d)
{
    struct session *next;

    if (!d)
        return;
    control_desk_stop(d);
    /* a thread that writes to a client who does not read is not waited for longer than that */
    for (struct session *s = d->sessions; s; s = s->next)
        if (s->in_thread)
            (void)shutdown(s->fd, SHUT_RDWR);
    work_free(d->work);
    for (struct session *s = d->sessions; s; s = next) {
        next = s->next;
        session_free(s);
    }
    control_tests_free(d->tests);
    free(d);
}

void
control_desk_next_run(struct control_desk *d, int64_t at)
{
    d->next_run_ms = at;
}
