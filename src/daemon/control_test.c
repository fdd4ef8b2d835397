/* SPDX-License-Identifier: ISC */
/* control_test: the life of a test, its message, and its end; what a step is, is the worker's word. */
#include "daemon/control_test_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/road.h"
#include "daemon/attempt.h"
#include "daemon/bounds.h"
#include "daemon/delivery.h"
#include "daemon/feed.h"
#include "daemon/intake.h"
#include "daemon/metrics.h"
#include "daemon/settings.h"
#include "daemon/story.h"
#include "daemon/trouble.h"
#include "mail/status.h"

enum { ALIVE_MS = 5000, MEMORY = 1 << 20 };

/* ---------------------------------------------------------------- what is said */

/* A line at once; one who reads too slowly misses it */
static void
say(const struct control_test *t, struct slice words)
{
    struct buf line;
    ssize_t ignored;

    buf_init(&line, MEMORY);
    buf_add_char(&line, ' ');
    buf_add_slice(&line, words);
    buf_add_char(&line, '\n');
    ignored = write(t->fd, line.data, line.len);
    (void)ignored;
    buf_clear(&line);
}

/* The first failure counts */
static void
fail(struct control_test *t, const char *step, const struct error *err)
{
    if (t->has_failed)
        return;
    t->has_failed = true;
    if (!*t->step) /* the worker's line may have told before its fact did */
        (void)snprintf(t->step, sizeof t->step, "%s", step);
    t->err = *err;
}

/* One that the worker has not told of */
static bool
fail_here(struct control_test *t, const char *step, const struct error *err)
{
    struct buf line;

    buf_init(&line, MEMORY);
    control_test_add_step(&line, step, false, err->text);
    say(t, buf_slice(&line));
    buf_clear(&line);
    fail(t, step, err);
    return false;
}

static const char *
step_of(const struct error *err)
{
    return err->class == ERROR_ADMIN ? "permission" : err->class == ERROR_USAGE ? "usage" : "recipient";
}

/* ---------------------------------------------------------------- the message */

static void
write_letter(const struct control_test *t, struct buf *b)
{
    const struct config *c = &t->core->config;
    const struct envelope *e = &t->sub.record.envelope;
    const char *host = config_text(c, 0, CONFIG_HOSTNAME);

    buf_add_str(b, "To: ");
    for (size_t i = 0; i < e->n; i++)
        buf_add_format(b, "%s%s", i ? ",\r\n " : "", e->rcpt[i].address);
    buf_add_format(b, "\r\nSubject: smtprelay test from %s\r\nAuto-Submitted: auto-generated\r\n\r\n", host);
    buf_add_format(b,
        "This is the test message of smtprelay on %s.\r\n\r\n"
        "You have it before you, so mail from there arrives. %s asked for it;\r\n"
        "it was sent by the account \"%s\". There is nothing to be done.\r\n",
        host, *t->peer.login ? t->peer.login : "Somebody", t->account);
}

static bool
make_record(struct control_test *t, struct server_transaction *st, struct error *err)
{
    struct buf letter;
    bool ok;

    buf_init(&letter, MEMORY);
    write_letter(t, &letter);
    ok = intake_begin(&t->core->config, &t->peer, "test", &t->sub, st, err) &&
         submission_content(&t->sub, buf_slice(&letter), NULL, err) && submission_finish(&t->sub, err);
    buf_clear(&letter);
    return ok;
}

/* From the account's own address, where it has one; else from the caller's */
static void
set_sender(const struct control_test *t, struct server_transaction *st)
{
    const struct config *c = &t->core->config;
    size_t a = t->account ? road_account(c, t->account) : 0;
    const char *from = config_text(c, a < c->n ? a : 0, CONFIG_FROM);

    st->own_sender = !from;
    envelope_set_sender(&st->envelope, from ? from : "");
}

/* ---------------------------------------------------------------- what the worker says */

static bool
is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return s.len > 0;
}

/* A step's line goes on as it came; of one that failed the name is kept */
static void
take_step(struct control_test *t, struct slice words)
{
    static const char failed[] = " b.ok=0";
    struct slice rest, name;

    if (!is_printable(words) || !slice_starts(words, "s.step="))
        return;
    say(t, words);
    rest = slice_from(words, strlen("s.step="));
    name = slice_sub(rest, 0, slice_find(rest, ' '));
    if (*t->step || !slice_starts(slice_from(rest, name.len), failed) ||
        memmem(rest.p, rest.len, " b.goes_on=1", strlen(" b.goes_on=1")))
        return;
    (void)snprintf(t->step, sizeof t->step, "%.*s", (int)name.len, name.p);
}

static void
take_fact(struct control_test *t, const struct job_fact *f)
{
    struct status s;
    struct error err;
    char *text;

    if (f->stage < 0 || f->stage >= STATUS_STAGES || f->cause < 0 || f->cause >= STATUS_CAUSES)
        return;
    s = status_judge((enum status_stage)f->stage, (enum status_cause)f->cause, f->code);
    free(t->relay);
    t->relay = mem_dup(f->relay);
    t->reached =
        t->reached || (f->stage >= STATUS_MAIL && s.scope != STATUS_ACCOUNT) || s.outcome == STATUS_DELIVERED;
    if (s.outcome == STATUS_DELIVERED) {
        free(t->reply);
        t->reply = mem_dup(f->text);
        return;
    }
    text = settings_fact_text(f);
    error_set(&err, s.class, "%s", text);
    free(text);
    fail(t, "message", &err);
    if (s.scope == STATUS_ACCOUNT) {
        t->account_failed = true;
        t->frozen = t->frozen || s.outcome == STATUS_FROZEN;
    }
}

static void
on_packet(void *owner, const struct job_packet *p)
{
    struct control_test *t = owner;

    if (p->type == JOB_STEP)
        take_step(t, p->text);
    else if (p->type == JOB_FACT)
        take_fact(t, &p->fact);
    else if (p->type == JOB_LOG)
        log_line((enum log_level)p->level, "%s: %.*s", t->sub.record.id, SLICE_ARG(p->text));
}

/* ---------------------------------------------------------------- the end */

/* What was seen of the account counts for its mail, too */
static void
learn(struct control_test *t)
{
    struct core *c = t->core;
    enum schedule_state state = t->reached ? SCHEDULE_UP : t->frozen ? SCHEDULE_FROZEN : SCHEDULE_DOWN;
    const char *reason = t->reached ? NULL : t->err.text;

    if (!c->schedule || !(t->reached || t->account_failed) || t->begun_ms < c->settings_ms)
        return;
    schedule_account(c->schedule, t->account, state, reason, clock_ms());
    trouble_learnt(c, t->account, state, reason);
    metrics_touch(c);
    feed_pump(c);
}

static void
finish(struct control_test *t)
{
    void (*done)(void *ctx, const struct buf *answer) = t->done;
    void *ctx = t->ctx;
    const struct error *err = t->has_failed ? &t->err : NULL;
    struct buf answer;

    if (t->account)
        log_line(LOG_LEVEL_INFO, "test: id=%s uid=%lld account=%s %s%s%s%s",
            t->sub.record.id ? t->sub.record.id : "-", (long long)t->peer.uid, t->account,
            err ? "failed at " : "ok", err ? t->step : "", err ? ": " : "", err ? err->text : "");
    buf_init(&answer, MEMORY);
    buf_add_char(&answer, ' ');
    control_test_add_summary(&answer, t->step, t->account ? t->account : "", err);
    if (t->relay)
        control_test_add_text(&answer, "relay", t->relay);
    buf_add_char(&answer, '\n');
    control_end(&answer, err ? err->class : ERROR_NONE, "");
    control_test_free(t);
    done(ctx, &answer);
    buf_clear(&answer);
}

static const char *step_of_class(enum error_class class)
{
    return class == ERROR_CONFIG ? "configuration" : class == ERROR_ADMIN ? "secret" : "worker";
}

static void
on_over(void *owner, const struct error *err, bool maybe_sent, struct slice text)
{
    struct control_test *t = owner;

    t->job = NULL;
    if (err) {
        (void)fail_here(t, step_of_class(err->class), err);
        t->account_failed = t->account_failed || !maybe_sent;
        t->frozen = t->frozen || err->class == ERROR_ADMIN || err->class == ERROR_CONFIG;
    }
    if (t->q->naddress)
        story_tested(t->core, &t->sub, t->account,
            &(struct story_test){ .is_sent = !t->has_failed,
                .took_ms = clock_ms() - t->begun_ms,
                .reply = t->reply,
                .trouble = t->has_failed ? t->err.text : NULL,
                .used = text });
    learn(t);
    finish(t);
}

static void
on_alive(void *ctx)
{
    struct control_test *t = ctx;
    ssize_t ignored;

    if (t->is_over) {
        t->timer = NULL;
        finish(t);
        return;
    }
    t->timer = loop_at(t->core->loop, clock_deadline(ALIVE_MS), on_alive, t);
    ignored = write(t->fd, "\n", 1);
    (void)ignored; /* whoever does not read misses it */
}

void
control_test_free(struct control_test *t)
{
    if (!t)
        return;
    if (t->job)
        pool_forget(t->job);
    loop_cancel(t->timer);
    submission_clear(&t->sub);
    peer_clear(&t->peer);
    free(t->account);
    free(t->relay);
    free(t->reply);
    free(t);
}

/* ---------------------------------------------------------------- the beginning */

static void
tell_configuration(const struct control_test *t)
{
    const struct config *c = &t->core->config;
    size_t a = road_account(c, t->account);
    const struct config_value *hub = config_value(c, a, CONFIG_MAILHUB);
    const char *user = config_text(c, a, CONFIG_AUTH_USER);
    struct buf text, line;

    buf_init(&text, 900);
    buf_add_format(&text, "%s: account %s, mailhub",
        t->all       ? "as smtprelayd has it"
        : t->q->file ? t->q->file
                     : "from the environment",
        t->account);
    for (size_t i = 0; i < hub->n; i++)
        buf_add_format(&text, "%s %s", i ? "," : "", hub->item[i]);
    if (user)
        buf_add_format(&text, ", login %s", user);
    buf_init(&line, MEMORY);
    control_test_add_step(&line, "configuration", true, buf_str(&text));
    control_test_add_text(&line, "account", t->account);
    say(t, buf_slice(&line));
    buf_clear(&line);
    buf_clear(&text);
}

static bool
begin(struct control_test *t, struct server_transaction *st)
{
    static const struct pool_events events = { .packet = on_packet, .over = on_over };
    unsigned char *bitmap = NULL;
    struct error err;
    const char *account;

    set_sender(t, st);
    if (!control_test_may_ask(t, &err) || !control_test_find_way(t, st, &err))
        return fail_here(t, step_of(&err), &err);
    tell_configuration(t);
    if (!control_test_is_patient(t, &err))
        return fail_here(t, "account", &err);
    set_sender(t, st);
    if (!make_record(t, st, &err))
        return fail_here(t, "message", &err);
    account = submission_next(&t->sub, &bitmap);
    t->begun_ms = clock_ms();
    if (t->core->rates && t->q->naddress)
        rates_take(t->core->rates, delivery_account(t->core, t->account),
            attempt_rate(t->core, delivery_account(t->core, t->account)), t->begun_ms);
    t->job = pool_start_for(t->core->pool, &events, t, delivery_account(t->core, account),
        JOB_TEST | (t->q->naddress ? 0 : JOB_NO_MESSAGE), (uint32_t)t->sub.record.envelope.n, bitmap,
        t->sub.fd_read, true);
    free(bitmap);
    return true;
}

struct control_test *
control_test_begin(struct core *core, struct control_tests *all, const struct control_request *q, int fd,
    void (*done)(void *ctx, const struct buf *answer), void *ctx)
{
    struct control_test *t = mem_alloc(sizeof *t);
    struct server_transaction st = { .mode = 'i' };

    t->core = core;
    t->all = all;
    t->q = q;
    t->fd = fd;
    t->done = done;
    t->ctx = ctx;
    submission_init(&t->sub);
    peer_identify(fd, &t->peer);
    envelope_init(&st.envelope);
    t->is_over = !begin(t, &st);
    t->timer = loop_at(core->loop, clock_deadline(t->is_over ? 0 : ALIVE_MS), on_alive, t);
    envelope_clear(&st.envelope);
    return t;
}

/* ---------------------------------------------------------------- without a daemon */

struct own_test {
    struct core core;
    int out;
    bool ok;
};

static void
on_own_done(void *ctx, const struct buf *answer)
{
    struct own_test *o = ctx;

    o->ok = file_write(o->out, answer->data, answer->len);
    loop_stop(o->core.loop);
}

static void
parse_words(char *const *words, struct control_request *q)
{
    struct buf line;
    struct error ignored;
    const char *all[8] = { "test" };
    size_t n = 1;

    while (n < sizeof all / sizeof all[0] && words[n - 1]) {
        all[n] = words[n - 1];
        n++;
    }
    buf_init(&line, CONTROL_LINE_MAX);
    control_format(&line, all, n);
    if (!control_parse(buf_slice(&line), q, &ignored))
        fatal((int)ignored.class, "%s", ignored.text);
    buf_clear(&line);
    q->peer = (struct control_peer){ getuid(), true };
}

int
control_test_serve(int helper_sock, int out, char *const *words)
{
    struct own_test o = { .out = out };
    struct control_request q;
    struct error err;
    struct buf answer;
    struct control_test *t;

    parse_words(words, &q);
    if (!settings_receive(&o.core.config, NULL, helper_sock, &err)) {
        buf_init(&answer, MEMORY);
        control_test_fail(&answer, "configuration", "", err.class, err.text);
        o.ok = file_write(out, answer.data, answer.len);
        buf_clear(&answer);
        config_end(&o.core.config);
    } else {
        settings_open_log(&o.core.config);
        (void)bounds_confine(&o.core.config); /* what this kernel has of it */
        core_begin(&o.core, helper_sock, NULL, NULL);
        core_configure(&o.core);
        t = control_test_begin(&o.core, NULL, &q, out, on_own_done, &o);
        (void)t; /* it goes by itself */
        loop_run(o.core.loop);
        core_end(&o.core);
    }
    control_clear(&q);
    return o.ok ? 0 : (int)ERROR_IO;
}
