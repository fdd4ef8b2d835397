/* SPDX-License-Identifier: ISC */
/* trouble: remembers what has been told and what not; when mail is late it finds out by looking now and then. */
#include "daemon/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/road.h"
#include "daemon/advice.h"
#include "daemon/control_out.h"
#include "ipc/start.h"

/* A look at all that waits; it may cost a fiftieth of the time */
enum { LOOK_MIN_MS = 500, LOOK_MAX_MS = 15000, LOOK_SHARE = 50 };
enum { NAME_SHOWN = 80, HOST_SHOWN = 120, REASON_SHOWN = 300, ADVICE_SHOWN = 380 };

struct frozen {
    char *account;
    int64_t since_ms;
};

struct trouble {
    struct core *core;
    int helper;
    struct loop_timer *timer;
    struct frozen *frozen;
    size_t n;
    bool late, queue_gone;
    int64_t late_since_ms, oldest_ms;
};

/* ---------------------------------------------------------------- the text */

static void
add_text(struct buf *b, const char *text, size_t most)
{
    char shown[ADVICE_SHOWN];

    (void)text_escape(shown, most < sizeof shown ? most : sizeof shown, slice_of(text ? text : ""));
    buf_add_str(b, shown);
}

static void
add_lasted(struct buf *b, const struct trouble_news *n, const char *what)
{
    buf_add_str(b, what);
    control_add_duration(b, n->duration_s);
    buf_add_str(b, ".\n");
}

static void
add_frozen(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, " is frozen\n\n");
    add_text(b, n->reason, REASON_SHOWN);
    if (n->advice && *n->advice) {
        buf_add_str(b, "\n\n");
        add_text(b, n->advice, ADVICE_SHOWN);
    }
    buf_add_str(b, "\n\nIts mail waits and does not age; in the queue: ");
    control_add_count(b, n->waiting, "message");
    buf_add_str(b,
        ". Mend it in smtprelay.conf (smtprelay check) or at the smarthost, then reload smtprelayd "
        "(SIGHUP) or run sendmail -q.\n");
}

static void
add_late(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, "mail waits for more than ");
    control_add_duration(b, n->limit_s);
    buf_add_str(b, "\n\nThe oldest of ");
    control_add_count(b, n->waiting, "message");
    buf_add_str(b, " has waited for ");
    control_add_duration(b, n->oldest_s);
    buf_add_str(b, ". smtprelay status says why and what to do.\n");
}

static void
add_runaway(struct buf *b, const struct trouble_news *n)
{
    long long uid = (long long)n->uid;

    add_text(b, n->account, NAME_SHOWN);
    buf_add_format(b,
        " hands in too much mail: it is held\n\nThat was %zu messages in %lld minutes; RunawayLimit is "
        "%lld/h. ",
        n->count, (long long)n->duration_s / 60, (long long)n->limit);
    buf_add_format(b,
        "What it hands in from now on is safe in the queue and not sent until you say so:\n\n"
        "    smtprelay queue --held --uid %lld      shows it\n"
        "    smtprelay release --held --uid %lld    sends it, and lets it go on\n"
        "    smtprelay remove --held --uid %lld     drops it\n\n",
        uid, uid, uid);
    buf_add_str(b,
        "Mail of others goes on. If so much is meant, raise RunawayLimit in smtprelay.conf (0: no limit).\n");
}

static void
add_calm(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, "over: ");
    add_text(b, n->account, NAME_SHOWN);
    buf_add_str(
        b, " hands in no more than usual\n\nWhat was held stays held until it is released or removed.\n");
}

static void
add_queue(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, n->kind == TROUBLE_QUEUE_GONE ? "the queue has gone: " : "over: the queue is back: ");
    add_text(b, n->reason, REASON_SHOWN);
    if (n->kind == TROUBLE_QUEUE_GONE)
        buf_add_str(b, "\n\nSomebody has removed or moved it. Mail is taken only where the smarthost takes "
                       "it at once; what waited is lost unless the folder comes back. Put it back, or make "
                       "a new one and restart smtprelayd.\n");
    else
        buf_add_str(b, "\n\nWhat waits in it is tried again.\n");
}

static void
add_broken(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, "the configuration on disk cannot be used\n\n");
    add_text(b, n->reason, REASON_SHOWN);
    buf_add_str(b, "\n\nsmtprelayd was told to read it (SIGHUP) and goes on with the one before; after a "
                   "restart it would not start. Mend it (smtprelay check says when it is right), then "
                   "reload smtprelayd.\n");
}

static void
add_account(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, n->kind == TROUBLE_FROZEN ? "account " : "over: account ");
    add_text(b, n->account, NAME_SHOWN);
    if (n->kind == TROUBLE_FROZEN)
        add_frozen(b, n);
    else
        add_lasted(b, n,
            n->kind == TROUBLE_THAWED ? " works again\n\nIt was frozen for "
                                      : " is not configured any more\n\nIt was frozen for ");
}

void
trouble_write(struct buf *b, const struct trouble_news *n)
{
    buf_add_str(b, "smtprelay on ");
    add_text(b, n->host, HOST_SHOWN);
    buf_add_str(b, ": ");
    switch (n->kind) {
    case TROUBLE_FROZEN:
    case TROUBLE_THAWED:
    case TROUBLE_GONE:
        add_account(b, n);
        break;
    case TROUBLE_LATE:
        add_late(b, n);
        break;
    case TROUBLE_ON_TIME:
        add_lasted(b, n, "over: no mail waits for long any more\n\nThat lasted for ");
        break;
    case TROUBLE_RUNAWAY:
        add_runaway(b, n);
        break;
    case TROUBLE_CALM:
        add_calm(b, n);
        break;
    case TROUBLE_QUEUE_GONE:
    case TROUBLE_QUEUE_BACK:
        add_queue(b, n);
        break;
    case TROUBLE_BROKEN:
        add_broken(b, n);
        break;
    case TROUBLE_MENDED:
        add_lasted(b, n, "over: the configuration was read again\n\nIt could not be used for ");
        break;
    }
}

void
trouble_tell(struct core *c, struct trouble_news *n, void (*also)(struct core *c, const char *text))
{
    struct trouble *t = c->trouble;
    struct slice first;
    struct buf b;

    if (!t)
        return;
    n->host = config_text(&c->config, 0, CONFIG_HOSTNAME);
    n->waiting = schedule_count(c->schedule);
    buf_init(&b, START_TEXT_MAX - 1);
    trouble_write(&b, n);
    first = slice_sub(buf_slice(&b), 0, slice_find(buf_slice(&b), '\n'));
    if (n->kind == TROUBLE_FROZEN)
        log_line(LOG_LEVEL_ERROR, "trouble: %.*s: %s%s%s", SLICE_ARG(first), n->reason ? n->reason : "?",
            n->advice && *n->advice ? "; do: " : "", n->advice ? n->advice : "");
    else
        log_line(LOG_LEVEL_WARNING, "trouble: %.*s", SLICE_ARG(first));
    if (config_text(&c->config, 0, CONFIG_TROUBLE_COMMAND) &&
        !start_send(t->helper, START_TROUBLE, ERROR_NONE, buf_str(&b), -1))
        log_line(LOG_LEVEL_ERROR,
            "TroubleCommand: cannot be run: smtprelayd's main process does not answer; restart it");
    if (also)
        also(c, buf_str(&b));
    buf_clear(&b);
}

static void
tell(struct trouble *t, struct trouble_news *n)
{
    trouble_tell(t->core, n, NULL);
}

/* ---------------------------------------------------------------- accounts */

static struct frozen *
find(struct trouble *t, const char *account)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->frozen[i].account, account) == 0)
            return &t->frozen[i];
    return NULL;
}

static void
tell_over(struct trouble *t, struct frozen *f, enum trouble_kind kind)
{
    struct trouble_news n = {
        .kind = kind, .account = f->account, .duration_s = (clock_ms() - f->since_ms) / 1000
    };

    tell(t, &n);
    free(f->account);
    *f = t->frozen[--t->n];
}

void
trouble_learnt(struct core *c, const char *account, enum schedule_state state, const char *reason)
{
    struct trouble_news n = { .kind = TROUBLE_FROZEN, .account = account, .reason = reason };
    struct trouble *t = c->trouble;
    struct frozen *f = t ? find(t, account) : NULL;
    struct buf advice;

    if (f && state == SCHEDULE_UP)
        tell_over(t, f, TROUBLE_THAWED);
    if (!t || f || state != SCHEDULE_FROZEN)
        return;
    t->frozen = mem_resize(t->frozen, t->n + 1, sizeof *t->frozen);
    t->frozen[t->n++] = (struct frozen){ mem_dup(account), clock_ms() };
    buf_init(&advice, 1000);
    (void)explain_advise(advice_table(c), slice_of(""), slice_of(reason ? reason : ""), &advice);
    n.advice = buf_str(&advice);
    tell(t, &n);
    buf_clear(&advice);
}

void
trouble_configured(struct core *c)
{
    struct trouble *t = c->trouble;

    for (size_t i = t ? t->n : 0; i-- > 0;)
        if (road_account(&c->config, t->frozen[i].account) >= c->config.n)
            tell_over(t, &t->frozen[i], TROUBLE_GONE);
    if (c->disk.broken_s) {
        struct trouble_news n = { .kind = TROUBLE_MENDED,
            .duration_s = (int64_t)clock_wall().tv_sec - c->disk.broken_s };
        c->disk.broken_s = 0;
        trouble_tell(c, &n, NULL);
    }
}

void
trouble_broken(struct core *c, int64_t since_s, const char *why)
{
    struct trouble_news n = { .kind = TROUBLE_BROKEN, .reason = why };
    bool known = c->disk.broken_s != 0;

    free(c->disk.why);
    c->disk.why = mem_dup(why);
    c->disk.broken_s = since_s;
    if (!known)
        trouble_tell(c, &n, NULL);
}

/* ---------------------------------------------------------------- age */

int64_t
trouble_oldest_ms(const struct core *c)
{
    return c->trouble ? c->trouble->oldest_ms : 0;
}

/* What is held waits because somebody wants it to */
static int64_t
find_oldest(const struct core *c)
{
    int64_t now = clock_ms(), oldest = 0;

    for (struct schedule_entry *e = schedule_first(c->schedule); e; e = schedule_after(e)) {
        int64_t age = schedule_is_held(e) ? 0 : schedule_age(c->schedule, e, now);
        oldest = age > oldest ? age : oldest;
    }
    return oldest;
}

static void
judge_age(struct trouble *t, int64_t oldest)
{
    int64_t limit = config_number(&t->core->config, 0, CONFIG_WARN_AFTER);
    bool late = limit > 0 && oldest > limit;
    struct trouble_news n = { .kind = late ? TROUBLE_LATE : TROUBLE_ON_TIME,
        .oldest_s = oldest / 1000,
        .limit_s = limit / 1000,
        .duration_s = (clock_ms() - t->late_since_ms) / 1000 };

    if (late == t->late)
        return;
    t->late = late;
    t->late_since_ms = clock_ms();
    tell(t, &n);
}

static void
judge_queue(struct trouble *t)
{
    const struct core *c = t->core;
    bool gone = c->spool && !spool_is_there(c->spool);
    struct trouble_news n = { .kind = gone ? TROUBLE_QUEUE_GONE : TROUBLE_QUEUE_BACK,
        .reason = config_text(&c->config, 0, CONFIG_QUEUE_DIR) };

    if (gone == t->queue_gone)
        return;
    t->queue_gone = gone;
    tell(t, &n);
}

static void
on_look(void *ctx)
{
    struct trouble *t = ctx;
    int64_t limit = config_number(&t->core->config, 0, CONFIG_WARN_AFTER), begun = clock_ms(), next;

    t->oldest_ms = find_oldest(t->core);
    judge_age(t, t->oldest_ms);
    judge_queue(t);
    next = limit > 0 && limit / 4 < LOOK_MAX_MS ? limit / 4 : LOOK_MAX_MS;
    next = next < LOOK_MIN_MS ? LOOK_MIN_MS : next;
    t->timer = loop_at(t->core->loop, clock_deadline(next + LOOK_SHARE * (clock_ms() - begun)), on_look, t);
}

struct trouble *
trouble_new(struct core *c, int helper_sock)
{
    struct trouble *t = mem_alloc(sizeof *t);

    t->core = c;
    t->helper = helper_sock;
    t->timer = loop_at(c->loop, clock_deadline(LOOK_MIN_MS), on_look, t);
    return t;
}

void
trouble_free(struct trouble *t)
{
    if (!t)
        return;
    loop_cancel(t->timer);
    while (t->n)
        free(t->frozen[--t->n].account);
    free(t->frozen);
    free(t);
}
