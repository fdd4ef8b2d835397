/* serve: what helper and daemon process say to each other while it lives; the core behind the sockets comes in here. */
#include "daemon/serve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "daemon/settings.h"
#include "ipc/start.h"

enum { LISTENERS_MAX = 16 };

struct serving {
    int helper;
    struct loop *loop;
    struct config config;
    struct start_options options;
    struct loop_watch *listener[LISTENERS_MAX];
    int fd[LISTENERS_MAX];
    size_t n;
};

static void
greet_and_close(void *ctx, int fd, short revents)
{
    static const char busy[] = "421 4.3.2 EX75 smtprelayd: cannot serve yet\r\n";
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)ctx;
    (void)revents;
    if (client < 0)
        return;
    (void)send(client, busy, sizeof busy - 1, MSG_NOSIGNAL); /* a client that has gone needs no answer */
    file_close(&client);
}

static void
take_settings(struct serving *s, struct start_packet *p)
{
    struct config c;
    struct error err;

    if (!settings_take(&c, p, &err)) {
        log_line(LOG_LEVEL_ERROR, "%s", err.text);
        config_end(&c);
        return;
    }
    start_options_parse(p->text, &s->options);
    log_copy(s->options.log_stderr);
    settings_open_log(&c);
    config_end(&s->config);
    s->config = c;
}

static void
take_socket(struct serving *s, struct start_packet *p)
{
    if (s->n == LISTENERS_MAX) {
        file_close(&p->fd);
        return;
    }
    s->fd[s->n] = p->fd;
    s->listener[s->n] = loop_watch(s->loop, p->fd, POLLIN, greet_and_close, s);
    s->n++;
}

/* ALIVE now, and again in time for the watchdog */
static void
say_alive(void *ctx)
{
    struct serving *s = ctx;

    if (!start_send(s->helper, START_ALIVE, ERROR_NONE, "", -1))
        loop_stop(s->loop);
    else if (s->options.watchdog_ms > 0)
        (void)loop_at(
            s->loop, clock_deadline(s->options.watchdog_ms / 3 + 1), say_alive, s); /* ends with the loop */
}

static void
helper_ready(void *ctx, int fd, short revents)
{
    struct serving *s = ctx;
    struct start_packet p;
    struct error err;
    int r = start_receive(fd, &p, &err);

    (void)revents;
    if (r == -2)
        return;
    if (r != 1 || p.type == START_STOP) {
        loop_stop(s->loop);
    } else if (p.type == START_SETTINGS) {
        take_settings(s, &p);
    } else if (p.type == START_SOCKET) {
        take_socket(s, &p);
        if (s->n == s->options.sockets)
            say_alive(s);
    } else {
        file_close(&p.fd);
    }
}

int
serve_run(int helper_sock)
{
    struct serving s;

    memset(&s, 0, sizeof s);
    config_begin(&s.config);
    s.helper = helper_sock;
    s.loop = loop_new();
    (void)loop_watch(s.loop, helper_sock, POLLIN, helper_ready, &s);
    loop_run(s.loop);
    for (size_t i = 0; i < s.n; i++)
        file_close(&s.fd[i]);
    loop_free(s.loop);
    config_end(&s.config);
    return 0;
}
