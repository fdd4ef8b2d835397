/* SPDX-License-Identifier: ISC */
/* helper: configuration and secrets go out by sealed files, each to the one process that needs it. */
#include "daemon/helper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "config/explanations.h"
#include "daemon/spawn.h"
#include "ipc/start.h"

#define FLAT_MAX (16u << 20)

bool
helper_send_settings(
    int sock, const struct config *c, const char *text, const uid_t *explains, struct error *err)
{
    struct buf flat;
    int fd, saved;
    bool ok;

    buf_init(&flat, FLAT_MAX);
    config_encode_all(c, &flat);
    if (explains)
        explanations_encode(*explains, &flat);
    fd = flat.overflow ? -1 : file_sealed("smtprelay-settings", buf_slice(&flat), err);
    if (flat.overflow)
        error_set(err, ERROR_CONFIG, "the settings are larger than %u MB", FLAT_MAX >> 20);
    buf_clear(&flat);
    errno = 0;
    if (fd < 0)
        return false;
    ok = start_send_settings(sock, text, fd, log_descriptor());
    saved = errno;
    if (!ok)
        error_sys(err, ERROR_TEMP, saved, "cannot send the settings to the daemon process");
    file_close(&fd);
    errno = saved;
    return ok;
}

/* A descriptor may be what the kernel has no room for */
static bool
hand_out(int sock, const char *account, int fd)
{
    return start_send(sock, START_READY, ERROR_NONE, account, fd) ||
           start_send(sock, START_FAILED, ERROR_TEMP,
               "smtprelay-worker: cannot be handed to the daemon process", -1);
}

bool
helper_answer(int sock, struct config *c, struct spawn_kept *kept, struct start_packet *p)
{
    size_t account = config_account_find(c, p->text);
    struct error err;
    int fd = -1;
    bool ok = p->type == START_WORKER && account < c->n, sent;

    start_drop(p);
    if (!ok) /* it may come back with the next configuration */
        error_set(&err, ERROR_TEMP, "account %s: not configured any more", p->text);
    ok = ok && spawn_worker(c, account, kept, &fd, &err);
    sent = ok ? hand_out(sock, p->text, fd) : start_send(sock, START_FAILED, err.class, err.text, -1);
    file_close(&fd);
    return sent;
}

/* That of a user's own file is the user's to make, and so ours; without it there is no queue, which shows when one is needed */
static void
make_own_queue(const struct config *c)
{
    const char *path = config_text(c, 0, CONFIG_QUEUE_DIR);

    if (!c->own_commands || !path || strcmp(path, path_queue) == 0)
        return;
    file_make_parents(path);
    (void)mkdir(path, 0700);
}

void
helper_run(int sock, pid_t daemon, const struct config_request *req, bool explains)
{
    struct start_options options = { .own = false };
    char text[START_TEXT_MAX];
    struct start_packet p;
    struct config c;
    struct error err;

    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR) /* there are children to be waited for */
        return;
    if (!config_load(req, &c, &err)) {
        (void)start_send(
            sock, START_FAILED, err.class, err.text, -1); /* a daemon that is gone needs no answer */
        return;
    }
    make_own_queue(&c);
    options.own = config_own_socket(&c) != NULL;
    start_options_format(&options, text);
    if (helper_send_settings(sock, &c, text, explains ? &req->uid : NULL, &err))
        while (start_receive(sock, &p, &err) == 1 && helper_answer(sock, &c, NULL, &p))
            spawn_reap(daemon);
    else
        (void)start_send(sock, START_FAILED, err.class, err.text, -1); /* likewise */
    config_end(&c);
}
