/* SPDX-License-Identifier: ISC */
/* supervise: one poll loop over signals, the daemon's process and a timer. Whatever ends or hangs, this does not. */
#include "daemon/supervise_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/signals.h"
#include "daemon/helper.h"
#include "daemon/notify.h"
#include "daemon/spawn.h"
#include "daemon/tcp.h"
#include "ipc/start.h"

enum { SERVE_SOCKET = 3, STOP_MS = 60000, LINGER_MS = 5000, BACKOFF_MIN_MS = 1000, BACKOFF_MAX_MS = 30000 };
enum { TROUBLE_MS = 60000 };

/* ---------------------------------------------------------------- starting the daemon's process */

static char **
environment(void)
{
    static const char *const kept[] = { "TZ", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS",
        NULL };

    return spawn_environment(kept);
}

/* In the child: it has a socket to say why it ends */
static noreturn void
give_up(const char *what)
{
    struct error err;

    error_sys(&err, ERROR_OS, errno, "the daemon process %s", what);
    (void)start_send(SERVE_SOCKET, START_FAILED, err.class, err.text, -1); /* its exit code says it, too */
    _exit(ERROR_OS);
}

/* In the child. Signals to the whole group or control group are the helper's to hear; it says STOP. */
static noreturn void
become_daemon(const struct supervisor *s, int sock, char *const argv[], char *const env[])
{
    static const int ignored[] = { SIGTERM, SIGINT, SIGHUP };
    int to = fcntl(sock, F_DUPFD, SERVE_SOCKET + 1), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    (void)setpgid(0, 0); /* it ends by STOP, not by ^C */
    if (to < 0 || dup2(to, SERVE_SOCKET) < 0)
        _exit(ERROR_OS);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || (s->req->ready_fd >= 0 && dup2(null, 2) < 0) ||
        chdir("/") != 0)
        give_up("cannot be set up");
    descriptors_end_from(SERVE_SOCKET + 1);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (!identity_become(&s->identity))
        give_up("cannot become User");
    if (s->program >= 0) {
        /* an emulator of another architecture (binfmt_misc) opens the program by this descriptor again; the daemon closes it */
        (void)fcntl(s->program, F_SETFD, 0);
        (void)fexecve(s->program, argv, env);
    }
    (void)execve(path_smtprelayd, argv, env);
    give_up("cannot be executed");
}

static bool
fork_daemon(struct supervisor *s, struct error *err)
{
    char *argv[] = { mem_dup("smtprelayd"), mem_dup("--serve"), NULL }, **env;
    int pair[2];
    bool ok;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return error_sys(err, ERROR_TEMP, errno, "cannot make a socket pair");
    env = environment();
    s->child = fork();
    if (s->child == 0)
        become_daemon(s, pair[1], argv, env);
    ok = s->child > 0 || error_sys(err, ERROR_TEMP, errno, "cannot start the daemon process");
    for (char **e = env; *e; e++)
        free(*e);
    free(env);
    free(argv[0]);
    free(argv[1]);
    file_close(&pair[1]);
    s->sock = pair[0];
    /* a daemon that hangs must not hang its helper */
    ok = ok && (file_nonblocking(s->sock, true) || error_sys(err, ERROR_OS, errno, "cannot set up a socket"));
    if (s->child < 0)
        s->child = 0;
    return ok;
}

static void sock_ready(void *ctx, int fd, short revents);

static bool
start_daemon(struct supervisor *s, struct error *err)
{
    s->alive = s->owes_settings = s->owes_broken = false;
    error_init(&s->last_word);
    if (!fork_daemon(s, err))
        return false;
    s->sock_watch = loop_watch(s->loop, s->sock, POLLIN, sock_ready, s);
    if (!supervise_send_settings(s, s->sockets.n + s->ntcp, err))
        return false;
    for (size_t i = 0; i < s->sockets.n; i++) {
        const struct sockets_one *o = &s->sockets.one[i];
        if (!start_send(s->sock, START_SOCKET, ERROR_NONE, o->control ? "control" : "local", o->fd))
            return error_sys(err, ERROR_TEMP, errno, "cannot send a socket to the daemon process");
    }
    for (size_t i = 0; i < s->ntcp; i++)
        if (!start_send(s->sock, START_SOCKET, ERROR_NONE, "listener", s->tcp[i]))
            return error_sys(err, ERROR_TEMP, errno, "cannot send a socket to the daemon process");
    supervise_tell_broken(s);
    return true;
}

/* ---------------------------------------------------------------- its end */

static void
hang_up(struct supervisor *s)
{
    loop_unwatch(s->sock_watch);
    s->sock_watch = NULL;
    file_close(&s->sock);
}

static void
end_with(struct supervisor *s, int code)
{
    s->code = code;
    loop_stop(s->loop);
}

static void
kill_daemon(void *ctx)
{
    struct supervisor *s = ctx;

    s->timer = NULL;
    if (s->child > 0) {
        log_line(LOG_LEVEL_WARNING, "the daemon process does not end; it is killed");
        (void)kill(s->child, SIGKILL); /* it is ours and not reaped: the number is right */
    }
}

static void
kill_later(struct supervisor *s, int64_t in_ms)
{
    loop_cancel(s->timer);
    s->timer = loop_at(s->loop, clock_deadline(in_ms), kill_daemon, s);
}

static void restart(void *ctx);

static void
restart_later(struct supervisor *s)
{
    bool lasted = s->alive && clock_ms() - s->since > 2 * BACKOFF_MAX_MS;

    if (s->backoff_ms == 0 || lasted)
        s->backoff_ms = BACKOFF_MIN_MS;
    log_line(LOG_LEVEL_ERROR, "%s; it is started again in %lld s", s->last_word.text,
        (long long)s->backoff_ms / 1000);
    loop_cancel(s->timer);
    s->timer = loop_at(s->loop, clock_deadline(s->backoff_ms), restart, s);
    s->backoff_ms = s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : s->backoff_ms * 2;
    s->alive = false;
}

/* What it said at last may still be on the way */
static void
hear_last_word(struct supervisor *s)
{
    struct start_packet p;
    struct error err;

    while (s->sock >= 0 && start_receive(s->sock, &p, &err) == 1) {
        if (p.type == START_FAILED)
            error_set(&s->last_word, p.class, "%s", p.text);
        start_drop(&p);
    }
}

static void
restart(void *ctx)
{
    struct supervisor *s = ctx;

    s->timer = NULL;
    if (start_daemon(s, &s->last_word))
        return;
    hear_last_word(s); /* if it was gone before it could be told everything, it says why */
    hang_up(s);
    if (s->child > 0)
        kill_later(s, LINGER_MS); /* its end is heard of, and starts it again */
    else
        restart_later(s);
}

static void
daemon_ended(struct supervisor *s, int status)
{
    hear_last_word(s);
    hang_up(s);
    s->child = 0;
    loop_cancel(s->timer);
    s->timer = NULL;
    if (s->stopping) {
        end_with(s, 0);
        return;
    }
    if (!s->last_word.class && WIFSIGNALED(status))
        error_set(
            &s->last_word, ERROR_INTERNAL, "the daemon process was ended by signal %d", WTERMSIG(status));
    else if (!s->last_word.class)
        error_set(
            &s->last_word, ERROR_INTERNAL, "the daemon process ended with exit code %d", WEXITSTATUS(status));
    if (s->ready) {
        restart_later(s);
        return;
    }
    *s->err = s->last_word;
    end_with(s, (int)s->last_word.class);
}

/* Workers are children, too; the kernel only wants to be asked about them */
static void
reap(struct supervisor *s)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == s->child)
            daemon_ended(s, status);
        else if (!spawn_ended(&s->workers, pid, status))
            alarm_reaped(s->alarm, &s->config, pid, status);
}

/* ---------------------------------------------------------------- what it says */

/* The caller of `sendmail -bd` may go now */
static void
leave_foreground(struct supervisor *s)
{
    int fd = s->req->ready_fd, null;

    if (fd < 0)
        return;
    (void)file_write(fd, "\n", 1); /* a caller that has gone needs no word */
    (void)close(fd);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return;
    for (int i = 0; i <= 2; i++)
        (void)dup2(null, i); /* null is open, and so are these */
    file_close(&null);
}

static void
daemon_is_alive(struct supervisor *s)
{
    if (s->watchdog_ms > 0)
        notify_send("WATCHDOG=1");
    if (s->alive)
        return;
    s->alive = true;
    s->since = clock_ms();
    log_line(LOG_LEVEL_INFO, "smtprelayd %s serves at %s", version, s->sockets.one[0].path);
    if (s->ready)
        return;
    s->ready = true;
    notify_send("READY=1");
    leave_foreground(s);
}

/* Without us it is of no use; its end is heard of by SIGCHLD */
static void
let_end(struct supervisor *s)
{
    hang_up(s);
    if (!s->stopping)
        kill_later(s, LINGER_MS);
}

static void
sock_ready(void *ctx, int fd, short revents)
{
    struct supervisor *s = ctx;
    struct start_packet p;
    struct error err;
    int r;

    if (revents & POLLOUT)
        supervise_pay_settings(s);
    r = start_receive(fd, &p, &err);
    if (r == -2)
        return;
    if (r != 1) {
        if (r < 0)
            log_line(LOG_LEVEL_ERROR, "%s", err.text);
        let_end(s);
    } else if (p.type == START_ALIVE) {
        daemon_is_alive(s);
    } else if (p.type == START_FAILED) {
        error_set(&s->last_word, p.class ? p.class : ERROR_INTERNAL, "%s", p.text);
    } else if (p.type == START_TROUBLE) {
        alarm_raise(s->alarm, &s->config, p.text);
    } else if (!helper_answer(fd, &s->config, &s->workers, &p)) {
        log_line(LOG_LEVEL_WARNING, "the daemon process does not take an answer: %s", strerror(errno));
        let_end(s); /* it would wait for that worker for ever */
    }
}

/* ---------------------------------------------------------------- what others say */

/* From now on nobody gets a connection that would only be cut; who has one already is served by the daemon process */
static void
close_sockets(struct supervisor *s)
{
    sockets_close(&s->sockets);
    for (size_t i = 0; i < s->ntcp; i++)
        file_close(&s->tcp[i]);
    s->ntcp = 0;
}

static void
stop(struct supervisor *s)
{
    bool again = s->stopping;

    s->stopping = true;
    if (!again) {
        notify_send("STOPPING=1");
        log_line(LOG_LEVEL_INFO, "smtprelayd ends");
    }
    close_sockets(s); /* before the daemon process accepts for the last time */
    if (s->child == 0) {
        end_with(s, 0);
    } else if (again || s->sock < 0 || !start_send(s->sock, START_STOP, ERROR_NONE, "", -1)) {
        (void)kill(s->child, SIGKILL); /* its end is heard of by SIGCHLD */
    } else {
        kill_later(s, STOP_MS);
    }
}

static void
signal_ready(void *ctx, int fd, short revents)
{
    struct supervisor *s = ctx;
    int number;

    (void)revents;
    while ((number = signals_next(fd)) > 0) {
        if (number == SIGCHLD)
            reap(s);
        else if (number == SIGHUP)
            supervise_reload(s);
        else
            stop(s);
    }
}

static bool
watch_signals(struct supervisor *s, struct error *err)
{
    static const int heard[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++)
        (void)sigaddset(&set, heard[i]);
    s->signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signals_open(&set, true) : -1;
    if (s->signals < 0)
        return error_sys(err, ERROR_OS, errno, "cannot set up signals");
    (void)loop_watch(s->loop, s->signals, POLLIN, signal_ready, s); /* as long as the loop */
    return true;
}

/* ---------------------------------------------------------------- all of it */

/* sendmail(8) always tries the compiled-in one; a file of one's own names its own */
static bool
open_sockets(struct supervisor *s, struct error *err)
{
    const char *named = config_text(&s->config, 0, CONFIG_SOCKET);
    const char *paths[] = { path_socket, named };
    bool only = s->config.own_file || strcmp(named, path_socket) == 0;

    return sockets_open(&s->sockets, only ? &paths[1] : paths, only ? 1 : 2, err);
}

static bool
open_listeners(struct supervisor *s, struct error *err)
{
    const struct config_value *v = config_value(&s->config, 0, CONFIG_LISTEN);

    if (v->n > SUPERVISE_LISTENERS_MAX)
        return error_set(err, ERROR_CONFIG, "Listen: more than %d addresses", SUPERVISE_LISTENERS_MAX);
    for (size_t i = 0; i < v->n; i++) {
        s->tcp[i] = sockets_take_tcp(&s->sockets, v->item[i]);
        if (s->tcp[i] < 0)
            s->tcp[i] = tcp_listen(v->item[i], err);
        if (s->tcp[i] < 0)
            return false;
        s->ntcp++;
    }
    sockets_drop_given(&s->sockets);
    return true;
}

static bool
prepare(struct supervisor *s, struct error *err)
{
    struct error ignored;

    (void)log_open("smtprelay", NULL, LOG_LEVEL_INFO, &ignored); /* until the settings say where to */
    return supervise_load(s, err) &&
           identity_find(config_text(&s->config, 0, CONFIG_USER), &s->identity, err) &&
           identity_own_folder(&s->identity, config_text(&s->config, 0, CONFIG_QUEUE_DIR), err) &&
           open_sockets(s, err) && open_listeners(s, err);
}

/* The caller prints it, too: on standard error once is enough */
static void
log_failure(const struct error *err)
{
    struct error ignored;

    log_copy(false);
    (void)log_open("smtprelay", NULL, LOG_LEVEL_INFO, &ignored); /* syslog always opens */
    log_line(LOG_LEVEL_ERROR, "smtprelayd cannot start: %s", err->text);
}

static void
run(struct supervisor *s)
{
    bool ok = prepare(s, s->err);

    s->alarm = alarm_new(&s->identity, TROUBLE_MS);
    if (ok && start_daemon(s, s->err)) {
        log_copy(s->req->ready_fd < 0 && !getenv("JOURNAL_STREAM"));
        mem_trim(); /* it is about to wait for days */
        loop_run(s->loop);
    } else {
        hear_last_word(s); /* as in restart() */
        if (s->last_word.class)
            *s->err = s->last_word;
        s->code = (int)s->err->class;
    }
    if (s->code != 0)
        log_failure(s->err);
    if (s->child > 0)
        (void)kill(s->child, SIGKILL);
}

/* Above the number that the daemon's socket takes */
static int
open_program(void)
{
    int fd = process_open_own(), above = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SERVE_SOCKET + 1);

    file_close(&fd);
    return above;
}

int
supervise_run(const struct supervise_request *req, struct error *err)
{
    struct supervisor s = { .req = req, .sock = -1, .signals = -1, .err = err };

    error_init(err);
    s.loop = loop_new();
    s.watchdog_ms = notify_watchdog_ms();
    s.program = open_program(); /* after an update, too, it is the same */
    if (watch_signals(&s, err))
        run(&s);
    else
        s.code = (int)err->class;
    hang_up(&s);
    sockets_close(&s.sockets);
    while (s.ntcp)
        file_close(&s.tcp[--s.ntcp]);
    alarm_free(s.alarm);
    config_end(&s.config);
    spawn_let_go(&s.workers);
    loop_free(s.loop);
    file_close(&s.signals);
    file_close(&s.program);
    return s.code;
}
