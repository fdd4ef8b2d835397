/* SPDX-License-Identifier: ISC */
/* supervise_settings: the configuration in the life of the daemon: read, handed to its process, read again, kept when that fails. */
#include "daemon/supervise_state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/explanations.h"
#include "daemon/helper.h"
#include "daemon/notify.h"
#include "daemon/settings.h"
#include "ipc/start.h"

/* ---------------------------------------------------------------- to the daemon's process */

bool
supervise_send_settings(struct supervisor *s, size_t sockets, struct error *err)
{
    struct start_options o = { .own = config_own_socket(&s->config) != NULL,
        .log_stderr = s->req->ready_fd < 0 && !getenv("JOURNAL_STREAM"),
        .sockets = (uint32_t)sockets,
        .watchdog_ms = s->watchdog_ms,
        .loaded_s = s->loaded_s };
    char text[START_TEXT_MAX];

    start_options_format(&o, text);
    return helper_send_settings(s->sock, &s->config, text, &s->req->config.uid, err);
}

static void
watch_sock(struct supervisor *s)
{
    if (s->sock_watch)
        loop_events(s->sock_watch, s->owes_settings || s->owes_broken ? POLLIN | POLLOUT : POLLIN);
}

void
supervise_tell_broken(struct supervisor *s)
{
    char text[START_TEXT_MAX];

    s->owes_broken = s->owes_settings; /* these go first */
    if (s->sock < 0 || s->broken_s == 0 || s->owes_broken)
        return;
    start_broken_format(s->broken_s, s->broken.text, text);
    if (!start_send(s->sock, START_BROKEN, s->broken.class, text, -1))
        s->owes_broken = errno == EAGAIN;
    watch_sock(s);
}

/* After a reload. A daemon that does not read for a while gets the newest ones then. */
static void
renew_settings(struct supervisor *s)
{
    struct error err;
    bool sent = s->sock < 0 || supervise_send_settings(s, 0, &err);

    s->owes_settings = !sent && errno == EAGAIN;
    if (!sent && !s->owes_settings)
        log_line(LOG_LEVEL_ERROR, "%s", err.text);
    watch_sock(s);
}

void
supervise_pay_settings(struct supervisor *s)
{
    if (s->owes_settings)
        renew_settings(s);
    if (s->owes_broken)
        supervise_tell_broken(s);
}

/* ---------------------------------------------------------------- from the disk */

static bool
is_same(const struct config_value *a, const struct config_value *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

/* What was done with these cannot be done again while it runs */
static void
keep_fixed(struct supervisor *s, struct config *next)
{
    static const enum config_key fixed[] = { CONFIG_QUEUE_DIR, CONFIG_SOCKET, CONFIG_USER, CONFIG_LISTEN };
    struct error err;

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const struct config_value *old = config_value(&s->config, 0, fixed[i]);
        if (is_same(old, config_value(next, 0, fixed[i])))
            continue;
        log_line(LOG_LEVEL_WARNING, "%s: has changed; that takes effect when smtprelayd is started again",
            config_info(fixed[i])->name);
        for (size_t a = 0; a < next->n; a++) {
            config_set_empty(next, a, fixed[i], "until now");
            for (size_t j = 0; j < old->n; j++) /* it was right before */
                (void)config_set(next, a, fixed[i], slice_of(old->item[j]), j == 0, "until now", &err);
        }
    }
}

static void
log_warnings(const struct config *c)
{
    struct slice rest = buf_slice(&c->warnings), line;

    while (slice_cut(&rest, '\n', &line))
        log_line(LOG_LEVEL_WARNING, "%.*s", SLICE_ARG(line));
}

bool
supervise_load(struct supervisor *s, struct error *err)
{
    if (!config_load(&s->req->config, &s->config, err))
        return false;
    s->loaded_s = (int64_t)clock_wall().tv_sec;
    explanations_check(&s->config, s->req->config.uid);
    settings_open_log(&s->config);
    log_warnings(&s->config);
    return true;
}

/* Mail goes on with what was right; status, metrics and the TroubleCommand say so until it is mended */
static void
keep_old(struct supervisor *s, const struct error *err)
{
    log_line(LOG_LEVEL_ERROR, "the old configuration stays: %s", err->text);
    s->broken = *err;
    if (s->broken_s == 0)
        s->broken_s = (int64_t)clock_wall().tv_sec;
    notify_send(
        "STATUS=the configuration on disk cannot be used, the old one stays: smtprelay status says why");
    supervise_tell_broken(s);
}

void
supervise_reload(struct supervisor *s)
{
    struct config next;
    struct error err;

    if (s->stopping)
        return;
    notify_reloading();
    if (config_load(&s->req->config, &next, &err)) {
        explanations_check(&next, s->req->config.uid);
        keep_fixed(s, &next);
        config_end(&s->config);
        s->config = next;
        s->loaded_s = (int64_t)clock_wall().tv_sec;
        if (s->broken_s)
            notify_send("STATUS=");
        s->broken_s = 0;
        s->owes_broken = false;
        settings_open_log(&s->config);
        log_warnings(&s->config);
        log_line(LOG_LEVEL_INFO, "the configuration was read again");
        renew_settings(s);
        mem_trim();
    } else {
        keep_old(s, &err);
    }
    notify_send("READY=1");
}
