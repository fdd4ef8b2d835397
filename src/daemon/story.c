/* SPDX-License-Identifier: ISC */
/* story: makes lines of events and has them written, one batch at a time, so that they stay in order. */
#include "daemon/story.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/history.h"
#include "daemon/history_file.h"

enum {
    GATHER_MS = 50,
    GATHERED_MAX = 1 << 20, /* more waits for no disk */
    RECIPIENTS_KEPT = 20,
};

struct story {
    struct core *core;
    struct buf waiting;
    struct loop_timer *timer;
    bool writing, has_failed;
    struct story_reader *readers, *later; /* of what is being written; of what was gathered behind it */
    /* the thread's */
    char *folder;
    struct buf batch;
    bool ok;
    struct error err;
};

/* ---------------------------------------------------------------- writing */

static void
write_run(void *arg)
{
    struct story *s = arg;

    s->ok = history_file_append(s->folder, buf_slice(&s->batch), HISTORY_FILE_MAX, &s->err);
}

static void on_gathered(void *ctx);
static void write_now(struct story *s);

static void
begin_timer(struct story *s)
{
    if (!s->timer && !s->writing && s->waiting.len)
        s->timer = loop_at(s->core->loop, clock_deadline(GATHER_MS), on_gathered, s);
}

static void
note_failure(struct story *s)
{
    if (!s->ok && !s->has_failed)
        log_line(LOG_LEVEL_WARNING, "the history is not written: %s", s->err.text);
    s->has_failed = !s->ok;
}

static void
write_done(void *arg)
{
    struct story *s = arg;
    struct story_reader *r;

    s->writing = false;
    note_failure(s);
    while ((r = s->readers) != NULL) {
        s->readers = r->next;
        r->call(r->ctx);
    }
    if (s->later)
        write_now(s);
    else
        begin_timer(s);
}

/* What was gathered becomes the batch */
static bool
take_batch(struct story *s)
{
    struct buf empty = s->batch;

    loop_cancel(s->timer);
    s->timer = NULL;
    if (s->writing || !s->waiting.len)
        return false;
    s->batch = s->waiting;
    s->waiting = empty;
    buf_reset(&s->waiting);
    return true;
}

static void
write_now(struct story *s)
{
    if (!take_batch(s))
        return;
    s->readers = s->later;
    s->later = NULL;
    s->writing = true;
    work_start(s->core->work, write_run, write_done, s);
}

static void
on_gathered(void *ctx)
{
    struct story *s = ctx;

    s->timer = NULL;
    write_now(s);
}

void
story_settle(struct core *c, struct story_reader *r)
{
    struct story *s = c->story;
    struct story_reader **list;

    if (!s || (!s->writing && !s->waiting.len)) {
        r->call(r->ctx);
        return;
    }
    list = s->waiting.len ? &s->later : &s->readers;
    r->next = *list;
    *list = r;
    write_now(s);
}

static void
take_out(struct story_reader **list, const struct story_reader *r)
{
    while (*list && *list != r)
        list = &(*list)->next;
    if (*list)
        *list = r->next;
}

void
story_forget(struct core *c, const struct story_reader *r)
{
    if (!c->story)
        return;
    take_out(&c->story->readers, r);
    take_out(&c->story->later, r);
}

void
story_end(struct core *c)
{
    struct story *s = c->story;

    if (!s)
        return;
    if (take_batch(s)) {
        write_run(s);
        note_failure(s);
    }
    loop_cancel(s->timer);
    buf_clear(&s->waiting);
    buf_clear(&s->batch);
    free(s->folder);
    free(s);
    c->story = NULL;
}

/* ---------------------------------------------------------------- lines */

static struct story *
story_of(struct core *c)
{
    struct story *s = c->story;

    if (s || !c->spool)
        return s;
    s = mem_alloc(sizeof *s);
    s->core = c;
    s->folder = mem_dup(config_text(&c->config, 0, CONFIG_QUEUE_DIR));
    buf_init(&s->waiting, GATHERED_MAX);
    buf_init(&s->batch, GATHERED_MAX);
    c->story = s;
    return s;
}

/* NULL: nobody keeps it */
static struct story *
begin(struct core *c, struct history_draft *d, const char *event, const struct record *r)
{
    struct story *s = story_of(c);
    struct timespec now = clock_wall();

    if (!s || !r->id || s->waiting.len > GATHERED_MAX - HISTORY_ROOM)
        return NULL;
    *d = history_begin(&s->waiting, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, event, r->id, r->uid);
    return s;
}

static void
end(struct story *s, struct history_draft *d)
{
    history_end(d);
    begin_timer(s);
}

void
story_submitted(struct core *c, const struct record *r, uint64_t size, const char *about)
{
    struct history_draft d;
    struct story *s = begin(c, &d, "submitted", r);

    if (!s)
        return;
    history_add(&d, "of", about);
    history_add(&d, "login", r->login);
    history_add(&d, "client", r->client);
    history_add(&d, "program", r->program);
    history_add(&d, "unit", r->unit);
    history_add(&d, "origin", r->origin);
    history_add(&d, "mode", r->mode);
    history_add(&d, "sender", r->envelope.sender);
    history_add_number(&d, "size", (int64_t)size);
    history_add_number(&d, "nrcpt", (int64_t)r->envelope.n);
    for (size_t i = 0; i < r->envelope.n && i < RECIPIENTS_KEPT; i++)
        history_add(&d, "rcpt", r->envelope.rcpt[i].address);
    history_add(&d, "cwd", r->cwd);
    if (r->uid < 0)
        history_add(&d, "received", r->received);
    end(s, &d);
}

/* What the worker says it used */
static void
add_used(struct history_draft *draft, struct slice used)
{
    static const char *const keys[] = { "relay", "tls", "auth", "delays" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        history_add_slice(draft, keys[i], delivery_used_value(used, keys[i]));
}

void
story_attempt(struct delivery *d, const struct error *err, struct slice used)
{
    const struct delivery_attempt *a = &d->attempt;
    struct history_draft draft;
    struct story *s = begin(d->core, &draft, "attempt", &d->sub->record);

    if (!s)
        return;
    history_add(&draft, "account", d->account);
    add_used(&draft, used);
    history_add_number(&draft, "took", clock_ms() - a->begun_ms);
    history_add_number(&draft, "sent", (int64_t)a->sent);
    history_add_number(&draft, "refused", (int64_t)a->refused);
    history_add_number(&draft, "deferred", (int64_t)a->deferred);
    history_add(&draft, "reply", a->reply);
    history_add(&draft, "trouble", a->trouble ? a->trouble : err ? err->text : NULL);
    end(s, &draft);
}

void
story_status(const struct delivery *d, const char *status, const char *why)
{
    struct history_draft draft;
    struct story *s = begin(d->core, &draft, status, &d->sub->record);

    if (!s)
        return;
    history_add(&draft, "why", why);
    end(s, &draft);
}

void
story_tested(struct core *c, const struct submission *sub, const char *account, const struct story_test *t)
{
    const struct record *r = &sub->record;
    struct history_draft draft;
    struct story *s;

    story_submitted(c, r, sub->size, NULL);
    s = begin(c, &draft, "attempt", r);
    if (!s)
        return;
    history_add(&draft, "account", account);
    add_used(&draft, t->used);
    history_add_number(&draft, "took", t->took_ms);
    history_add_number(&draft, "sent", t->is_sent);
    history_add(&draft, "reply", t->reply);
    history_add(&draft, "trouble", t->trouble);
    end(s, &draft);
    s = begin(c, &draft, t->is_sent ? "sent" : "failed", r);
    if (!s)
        return;
    history_add(&draft, "why", t->is_sent ? t->reply : t->trouble);
    end(s, &draft);
}
