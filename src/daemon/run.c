/* SPDX-License-Identifier: ISC */
/* run: a core that tries each message once; what a failure means is mail/status's. */
#include "daemon/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "daemon/core.h"
#include "daemon/dispatch.h"
#include "daemon/feed.h"
#include "daemon/park.h"
#include "daemon/scan.h"
#include "daemon/settings.h"

/* What has been tried once is not due again in this run */
#define NOT_AGAIN_MS ((int64_t)365 * 86400000)

struct run {
    struct core core;
    const struct run_filter *filter;
};

static bool
has_recipient(const struct record *r, const char *match)
{
    for (size_t i = 0; i < r->envelope.n; i++)
        if (strcasestr(r->envelope.rcpt[i].address, match))
            return true;
    return false;
}

static bool
is_one_of(const char *id, const char *list)
{
    struct slice rest = slice_of(list), word;

    while (slice_cut(&rest, ',', &word))
        if (slice_is(word, id))
            return true;
    return false;
}

static bool
is_meant(void *ctx, const struct schedule_entry *e)
{
    struct run *r = ctx;
    const struct run_filter *f = r->filter;
    struct record record;
    struct error ignored;
    bool meant;
    int fd;

    if (f->by == 0)
        return true;
    if (f->by == '=')
        return is_one_of(schedule_id(e), f->match);
    if (f->by == 'I')
        return strcasestr(schedule_id(e), f->match) != NULL;
    fd = spool_look(r->core.spool, schedule_id(e), &record, &ignored);
    if (fd < 0)
        return false;
    meant = f->by == 'S' ? strcasestr(record.envelope.sender, f->match) != NULL
                         : has_recipient(&record, f->match);
    record_clear(&record);
    file_close(&fd);
    return meant;
}

static void
on_rest(void *ctx)
{
    struct run *r = ctx;

    loop_stop(r->core.loop);
}

static void
try_all(struct run *r, int helper_sock)
{
    struct core *c = &r->core;
    struct schedule_limits limits = { NOT_AGAIN_MS, NOT_AGAIN_MS, 2 * NOT_AGAIN_MS };

    core_begin(c, helper_sock, NULL, NULL);
    core_configure(c);
    core_schedule(c, &limits);
    c->rest = on_rest;
    c->rest_ctx = r;
    scan_all(c, SCHEDULE_AT_RUN);
    schedule_run(c->schedule, is_meant, r, clock_ms());
    feed_pump(c);
    if (!dispatch_is_idle(c))
        loop_run(c->loop);
}

int
run_queue(int helper_sock, const struct run_filter *filter)
{
    struct run r;
    struct config *config = &r.core.config;
    struct error err;
    struct stat st;

    memset(&r, 0, sizeof r);
    r.filter = filter;
    if (!settings_receive(config, NULL, helper_sock, &err)) {
        fprintf(stderr, "sendmail: %s\n", err.text);
        config_end(config);
        return (int)err.class;
    }
    settings_open_log(config);
    if (stat(config_text(config, 0, CONFIG_QUEUE_DIR), &st) != 0 && errno == ENOENT) {
        config_end(config);
        return 0; /* no queue, nothing waits */
    }
    r.core.spool = park_open(config_text(config, 0, CONFIG_QUEUE_DIR), &err);
    if (!r.core.spool || !spool_lock(r.core.spool, &err)) {
        fprintf(stderr, "sendmail: %s\n", err.text);
        spool_close(r.core.spool);
        config_end(config);
        return (int)err.class;
    }
    try_all(&r, helper_sock);
    core_end(&r.core);
    return 0;
}
