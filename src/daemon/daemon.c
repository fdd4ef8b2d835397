/* SPDX-License-Identifier: ISC */
/* daemon: a core with one client and without a schedule: what it queues is for the daemon, or for the next run. */
#include "daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/relay.h"
#include "daemon/bounds.h"
#include "daemon/client.h"
#include "daemon/core.h"
#include "daemon/ctl.h"
#include "daemon/dispatch.h"
#include "daemon/park.h"
#include "daemon/settings.h"

enum { CONNECT_MS = 10000, GREETING_MS = 10000 };

struct one {
    struct core core;
    bool client_gone;
};

/* A message whose client has gone after its last byte is still delivered */
static void
stop_if_done(void *ctx)
{
    struct one *o = ctx;

    if (o->client_gone && dispatch_is_idle(&o->core))
        loop_stop(o->core.loop);
}

static void
on_closed(void *ctx, struct client *c)
{
    struct one *o = ctx;

    (void)c;
    o->client_gone = true;
    stop_if_done(o);
}

/* Our own caller would wait longer: it takes us for who may have to ask for a password first */
static bool
is_greeted(int sock)
{
    struct pollfd p = { .fd = sock, .events = POLLIN };
    int64_t end = clock_deadline(GREETING_MS);
    int r;

    do
        r = poll(&p, 1, clock_left(end));
    while (r < 0 && errno == EINTR);
    return r > 0;
}

/*
 * A daemon serves where the caller's own file says: the session is its. False with err: it cannot be reached; with err->class
 * ERROR_NONE: nobody is there.
 */
static bool
pass_on(const struct config *c, int in, int out, enum server_kind kind, struct error *err)
{
    const char *user = config_text(c, 0, CONFIG_USER);
    int fd = ask_connect(config_text(c, 0, CONFIG_SOCKET), user ? user : "smtprelay", CONNECT_MS, err);

    if (fd == ASK_NOBODY)
        error_init(err);
    if (fd < 0)
        return false;
    if (!is_greeted(fd)) {
        file_close(&fd);
        return error_set(err, ERROR_TEMP, "smtprelayd: no greeting within %d s", GREETING_MS / 1000);
    }
    if (kind == SERVER_BS)
        (void)relay_session(in, out, fd); /* what broke off has been seen by the client */
    else
        (void)relay(in, out, fd); /* likewise */
    file_close(&fd);
    return true;
}

/* A queue that is not there, or not the caller's to write to, is none; any other one has trouble */
static bool
is_for_us(const char *path)
{
    return access(path, W_OK | X_OK) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != EPERM);
}

static void
begin(struct one *o)
{
    struct config *c = &o->core.config;
    const char *path = config_text(c, 0, CONFIG_QUEUE_DIR);
    struct error no_queue;

    settings_open_log(c);
    o->core.spool = park_open(path, &no_queue); /* it goes without */
    if (!o->core.spool && is_for_us(path))
        o->core.no_queue = mem_dup(no_queue.text);
    log_line(LOG_LEVEL_DEBUG, "confined: %s", confine_text(bounds_confine(c)));
}

/* A daemon that works on the same queue learns of what was added to it, and need not find it */
static void
wake(const struct config *c)
{
    const char *user = config_text(c, 0, CONFIG_USER);

    ctl_wake(config_text(c, 0, CONFIG_SOCKET), user ? user : "smtprelay");
}

int
daemon_serve_one(int in, int out, int helper_sock, enum server_kind kind, struct error *err)
{
    struct start_options options = { .own = false };
    struct one o;
    bool ok;

    memset(&o, 0, sizeof o);
    ok = settings_receive(&o.core.config, &options, helper_sock, err);
    if (ok && options.own) {
        if (pass_on(&o.core.config, in, out, kind, err)) {
            config_end(&o.core.config);
            return 0;
        }
        ok = err->class == ERROR_NONE;
    }
    if (ok)
        begin(&o);
    core_begin(&o.core, helper_sock, NULL, NULL);
    if (ok)
        core_configure(&o.core);
    o.core.rest = stop_if_done;
    o.core.rest_ctx = &o;
    (void)client_new(&o.core, in, out, kind, ok ? NULL : err, on_closed, &o);
    loop_run(o.core.loop);
    if (o.core.has_added)
        wake(&o.core.config);
    core_end(&o.core);
    free(o.core.no_queue);
    return ok ? 0 : (int)err->class;
}
