/* SPDX-License-Identifier: ISC */
/* start: packing and unpacking of the records between helper and daemon. */
#include "ipc/start.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/passfd.h"
#include "base/slice.h"

struct wire {
    uint32_t type;
    uint32_t class;
    char text[START_TEXT_MAX];
};

static bool
send_wire(int sock, enum start_type type, enum error_class class, const char *text, const int fds[PASSFD_MAX])
{
    struct wire w;

    memset(&w, 0, sizeof w);
    w.type = (uint32_t)type;
    w.class = (uint32_t) class;
    memcpy(w.text, text, strnlen(text, sizeof w.text - 1));
    return passfd_send(sock, &w, sizeof w, fds, fds[0] < 0 ? 0 : fds[1] < 0 ? 1 : 2);
}

bool
start_send(int sock, enum start_type type, enum error_class class, const char *text, int fd)
{
    return send_wire(sock, type, class, text, (const int[PASSFD_MAX]){ fd, -1 });
}

bool
start_send_settings(int sock, const char *text, int fd, int log_fd)
{
    return send_wire(sock, START_SETTINGS, ERROR_NONE, text, (const int[PASSFD_MAX]){ fd, log_fd });
}

static bool
is_valid(const struct wire *w, ssize_t n, const int fds[PASSFD_MAX])
{
    bool wants_fd = w->type == START_SETTINGS || w->type == START_READY || w->type == START_SOCKET;

    return n == (ssize_t)sizeof *w && w->type >= START_SETTINGS && w->type <= START_BROKEN &&
           memchr(w->text, 0, sizeof w->text) && (fds[0] >= 0) == wants_fd &&
           (fds[1] < 0 || w->type == START_SETTINGS) &&
           (w->class == ERROR_NONE || (w->class >= ERROR_USAGE && w->class <= ERROR_CONFIG));
}

static struct wire
failed_start(int why)
{
    struct wire w;

    memset(&w, 0, sizeof w);
    w.type = START_FAILED;
    w.class = ERROR_TEMP;
    (void)snprintf(w.text, sizeof w.text, "smtprelay-worker: cannot be started: %s", strerror(why));
    return w;
}

int
start_receive(int sock, struct start_packet *packet, struct error *err)
{
    struct wire w;
    int fds[PASSFD_MAX];
    ssize_t n = passfd_receive(sock, &w, sizeof w, fds);

    if (n < 0 && errno == ECONNRESET)
        n = passfd_receive(
            sock, &w, sizeof w, fds); /* it is told once, and before what the peer still said */
    if (n == (ssize_t)sizeof w && w.type == START_READY && fds[0] == PASSFD_LOST) {
        /* the worker ends as its socket is closed; others may have their turn later */
        w = failed_start(EMFILE);
        fds[0] = -1;
    }
    if (n > 0 && is_valid(&w, n, fds)) {
        packet->type = (enum start_type)w.type;
        packet->class = (enum error_class)w.class;
        memcpy(packet->text, w.text, sizeof packet->text);
        packet->fd = fds[0];
        packet->log_fd = fds[1];
        return 1;
    }
    packet->fd = packet->log_fd = -1;
    return passfd_failure(n, fds, "helper and daemon", err);
}

void
start_drop(struct start_packet *packet)
{
    file_close(&packet->fd);
    file_close(&packet->log_fd);
}

void
start_options_format(const struct start_options *o, char text[START_TEXT_MAX])
{
    (void)snprintf(text, START_TEXT_MAX, "own=%d stderr=%d sockets=%lu watchdog=%lld loaded=%lld", o->own,
        o->log_stderr, (unsigned long)o->sockets, (long long)o->watchdog_ms,
        (long long)o->loaded_s); /* always short enough */
}

void
start_options_parse(const char *text, struct start_options *o)
{
    struct slice rest = slice_of(text), item, name;
    uint64_t v;

    memset(o, 0, sizeof *o);
    while (slice_cut(&rest, ' ', &item)) {
        if (!slice_cut(&item, '=', &name) || !slice_number(item, INT64_MAX, &v))
            continue;
        if (slice_is(name, "own"))
            o->own = v != 0;
        else if (slice_is(name, "stderr"))
            o->log_stderr = v != 0;
        else if (slice_is(name, "sockets"))
            o->sockets = (uint32_t)v;
        else if (slice_is(name, "watchdog"))
            o->watchdog_ms = (int64_t)v;
        else if (slice_is(name, "loaded"))
            o->loaded_s = (int64_t)v;
    }
}

void
start_broken_format(int64_t since_s, const char *why, char text[START_TEXT_MAX])
{
    (void)snprintf(text, START_TEXT_MAX, "%lld %s", (long long)since_s, why); /* an error is shorter */
}

bool
start_broken_parse(const char *text, int64_t *since_s, const char **why)
{
    struct slice rest = slice_of(text), since = slice_of("");
    uint64_t v = 0;

    if (!slice_cut(&rest, ' ', &since) || !slice_number(since, INT64_MAX, &v))
        return false;
    *since_s = (int64_t)v;
    *why = text + since.len + (text[since.len] == ' ');
    return true;
}
