/* SPDX-License-Identifier: ISC */
/* metrics: counts in the loop, looks at the queue's folders and writes in a thread. */
#include "daemon/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "daemon/hubs.h"
#include "daemon/trouble.h"

enum { EVERY_MS = 15000, SOON_MS = 1000, FILE_MAX = 4 << 20 };
/* Looking at all files of a long queue may cost a fiftieth of the time */
enum { COUNT_SHARE = 50 };

struct metrics {
    struct core *core;
    struct loop_timer *timer;
    bool soon, writing, has_failed;
    int64_t start_s;
    struct metrics_counts counts;
    /* the thread's */
    char *path;
    struct metrics_view view;
    struct metrics_account *account;
    struct metrics_certificate *certificate;
    struct metrics_login *login;
    int64_t count_again_ms;
    bool ok;
    struct error err;
};

/* ---------------------------------------------------------------- in the thread */

static void
look_at_queue(struct metrics *m)
{
    struct spool *s = m->core->spool;
    int64_t begun = clock_ms();

    if (!s || begun < m->count_again_ms)
        return;
    m->view.bytes = spool_bytes(s);
    m->view.failed = spool_count(s, SPOOL_FAILED);
    m->view.corrupt = spool_count(s, SPOOL_CORRUPT);
    m->count_again_ms = clock_ms() + COUNT_SHARE * (clock_ms() - begun);
}

/* Beside it and then in its place: who reads finds it whole. Everybody may read it, whatever the umask. */
static bool
replace_file(const char *path, struct slice text, struct error *err)
{
    char *beside = mem_format("%s.tmp", path);
    int fd;
    bool ok;

    (void)unlink(beside); /* of one that was killed */
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    ok = fd >= 0 && file_write(fd, text.p, text.len) && fchmod(fd, 0644) == 0 && rename(beside, path) == 0;
    if (!ok)
        error_sys(err, ERROR_IO, errno, "MetricsFile: %s", path);
    if (!ok && fd >= 0)
        (void)unlink(beside); /* err says what is wrong */
    file_close(&fd);
    free(beside);
    return ok;
}

static void
write_run(void *arg)
{
    struct metrics *m = arg;
    struct buf b;

    look_at_queue(m);
    buf_init(&b, FILE_MAX);
    metrics_write(&b, &m->view);
    m->ok = replace_file(m->path, buf_slice(&b), &m->err);
    buf_clear(&b);
}

/* ---------------------------------------------------------------- in the loop */

static void on_time(void *ctx);

static void
set_timer(struct metrics *m)
{
    loop_cancel(m->timer);
    m->timer = loop_at(m->core->loop, clock_deadline(m->soon ? SOON_MS : EVERY_MS), on_time, m);
}

static void
clear_view(struct metrics *m)
{
    for (size_t i = 0; i < m->view.naccounts; i++)
        free(m->account[i].name);
    for (size_t i = 0; i < m->view.ncertificates; i++) {
        free(m->certificate[i].account);
        free(m->certificate[i].relay);
    }
    free(m->account);
    for (size_t i = 0; i < m->view.nlogins; i++)
        free(m->login[i].account);
    free(m->login);
    m->login = NULL;
    m->view.nlogins = 0;
    free(m->certificate);
    free(m->path);
    m->account = NULL;
    m->certificate = NULL;
    m->path = NULL;
    m->view.naccounts = m->view.ncertificates = 0;
}

static void
write_done(void *arg)
{
    struct metrics *m = arg;

    m->writing = false;
    if (!m->ok && !m->has_failed)
        log_line(LOG_LEVEL_WARNING, "%s", m->err.text);
    m->has_failed = !m->ok;
    clear_view(m);
    set_timer(m);
}

static void
take_accounts(struct metrics *m)
{
    struct core *c = m->core;

    m->account = mem_array(c->config.n, sizeof *m->account);
    for (size_t i = 0; i < c->config.n; i++) {
        const char *name = config_account_name(&c->config, i);
        enum schedule_state state = schedule_account_last(c->schedule, name, NULL);
        m->account[i] =
            (struct metrics_account){ mem_dup(name), state == SCHEDULE_UP, state == SCHEDULE_FROZEN };
    }
    m->view.account = m->account;
    m->view.naccounts = c->config.n;
}

static void
take_certificates(struct metrics *m)
{
    const struct hubs *h = pool_hubs(m->core->pool);
    size_t n = 0;

    m->certificate = mem_array(h->n ? h->n : 1, sizeof *m->certificate);
    for (size_t i = 0; i < h->n; i++)
        if (h->hub[i].expires_s)
            m->certificate[n++] = (struct metrics_certificate){ mem_dup(h->hub[i].account),
                mem_dup(h->hub[i].relay), h->hub[i].expires_s };
    m->view.certificate = m->certificate;
    m->view.ncertificates = n;
}

static void
take_logins(struct metrics *m)
{
    const struct hubs *h = pool_hubs(m->core->pool);

    m->login = mem_array(h->nlogins ? h->nlogins : 1, sizeof *m->login);
    for (size_t i = 0; i < h->nlogins; i++)
        m->login[i] =
            (struct metrics_login){ mem_dup(h->login[i].account), h->login[i].token_s, h->login[i].client_s };
    m->view.login = m->login;
    m->view.nlogins = h->nlogins;
}

static void
take_view(struct metrics *m)
{
    struct core *c = m->core;
    struct metrics_view *v = &m->view;

    v->version = version;
    v->start_s = m->start_s;
    v->loaded_s = c->disk.loaded_s;
    v->broken = c->disk.broken_s != 0;
    v->counts = m->counts;
    v->messages = schedule_count(c->schedule);
    v->oldest_s = v->messages ? trouble_oldest_ms(c) / 1000 : 0;
    v->workers = pool_workers(c->pool);
    v->workers_busy = pool_busy(c->pool);
    v->workers_max = (uint64_t)config_number(&c->config, 0, CONFIG_WORKERS);
    take_accounts(m);
    take_certificates(m);
    take_logins(m);
}

static void
on_time(void *ctx)
{
    struct metrics *m = ctx;
    const char *path = config_text(&m->core->config, 0, CONFIG_METRICS_FILE);

    m->timer = NULL;
    m->soon = false;
    if (!path) {
        set_timer(m); /* a reload may name one */
        return;
    }
    m->path = mem_dup(path);
    take_view(m);
    m->writing = true;
    work_start(m->core->work, write_run, write_done, m);
}

void
metrics_touch(struct core *c)
{
    struct metrics *m = c->metrics;

    if (!m || m->soon)
        return;
    m->soon = true;
    if (!m->writing)
        set_timer(m); /* else it is set when that is written */
}

void
metrics_submitted(struct core *c)
{
    if (c->metrics)
        c->metrics->counts.submitted++;
    metrics_touch(c);
}

void
metrics_status(const struct delivery *d, const char *status)
{
    static const struct {
        const char *status;
        size_t offset;
    } counts[] = {
        { "sent", offsetof(struct metrics_counts, sent) },
        { "queued", offsetof(struct metrics_counts, queued) },
        { "deferred", offsetof(struct metrics_counts, deferred) },
        { "refused", offsetof(struct metrics_counts, refused) },
        { "expired", offsetof(struct metrics_counts, expired) },
        { "failed", offsetof(struct metrics_counts, failed) },
    };
    struct metrics *m = d->core->metrics;
    const struct submission *s = d->sub;
    int64_t took = s->begun_ms ? clock_ms() - s->begun_ms : delivery_age_ms(&s->record);

    if (!m)
        return;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (strcmp(status, counts[i].status) == 0)
            *(uint64_t *)(void *)((char *)&m->counts + counts[i].offset) += 1;
    if (strcmp(status, "sent") == 0)
        m->counts.delivery_s += (double)took / 1000;
    metrics_touch(d->core);
}

struct metrics *
metrics_new(struct core *c)
{
    struct metrics *m = mem_alloc(sizeof *m);

    m->core = c;
    m->start_s = (int64_t)clock_wall().tv_sec;
    m->timer = loop_at(c->loop, clock_ms(), on_time, m);
    return m;
}

void
metrics_free(struct metrics *m)
{
    if (!m)
        return;
    clear_view(m);
    free(m);
}
