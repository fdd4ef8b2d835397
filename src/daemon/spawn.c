/* SPDX-License-Identifier: ISC */
/* spawn: a fork that becomes a worker; configuration and secret reach it in a sealed file. */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/process.h"
#include "config/file.h"
#include "daemon/identity.h"
#include "ipc/job.h"

#define FLAT_MAX (16u << 20)
enum { WORKER_SOCKET = 3, WORKER_SETTINGS = 4, ABOVE = 10 };

char **
spawn_environment(const char *const kept[])
{
    char **env;
    size_t n = 0;

    while (kept[n])
        n++;
    env = mem_array(n + 2, sizeof(char *));
    n = 0;
    env[n++] = mem_dup("PATH=/usr/bin:/bin");
    for (; *kept; kept++)
        if (getenv(*kept))
            env[n++] = mem_format("%s=%s", *kept, getenv(*kept));
    return env;
}

/* What a resolver, a log line and a date need */
static char **
worker_environment(void)
{
    static const char *const kept[] = { "TZ", "LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE",
        "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL };

    return spawn_environment(kept);
}

/* Who a worker runs as: never root, who is not needed to speak with a smarthost */
static struct identity
worker_identity(const struct config *c)
{
    const char *user = config_text(c, 0, CONFIG_USER);
    struct identity id;
    struct error err;

    if ((!user || !identity_find(user, &id, &err)) && !identity_find("nobody", &id, &err))
        id = (struct identity){ true, 65534, 65534 };
    return id;
}

/* ---------------------------------------------------------------- in the child */

/*
 * Let go of all that is the helper's, before anything that takes time: a listening socket or the daemon's end of a worker that
 * stayed open here would outlive those it belongs to. A worker ends by its socket and not by ^C or by who ends all processes of a
 * service: what is on the wire is finished first.
 */
static bool
let_go(int sock)
{
    static const int reset[] = { SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2 };
    static const int ignored[] = { SIGTERM, SIGINT, SIGHUP };
    int null, s = fcntl(sock, F_DUPFD, ABOVE);
    sigset_t none;

    for (size_t i = 0; i < sizeof reset / sizeof reset[0]; i++)
        (void)signal(reset[i], SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (s < 0 || dup2(s, WORKER_SOCKET) < 0)
        return false;
    descriptors_close_from(WORKER_SOCKET + 1);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0;
}

/* All settings of the account, its secret among them; -1 with err */
static int
make_settings(struct config *c, size_t account, struct error *err)
{
    struct buf flat;
    int fd = -1;

    if (!config_fetch(c, account, err))
        return -1;
    buf_init(&flat, FLAT_MAX);
    config_encode(c, account, true, &flat);
    if (flat.overflow)
        error_set(err, ERROR_CONFIG, "account %s: certificates and settings are larger than %u MB together",
            config_account_name(c, account), FLAT_MAX >> 20);
    else
        fd = file_sealed("smtprelay-settings", buf_slice(&flat), err);
    buf_wipe(&flat);
    return fd;
}

/* The program is opened before the user changes, who may not be able to walk to it. Returns only with err. */
static bool
execute(int settings, const struct identity *id, struct error *err)
{
    char *argv[] = { mem_dup("smtprelay-worker"), NULL }, **env = worker_environment();
    int f = fcntl(settings, F_DUPFD, ABOVE), program = process_open_program(path_worker);

    program = program < 0 ? -1 : fcntl(program, F_DUPFD_CLOEXEC, ABOVE);
    if (f < 0 || dup2(f, WORKER_SETTINGS) < 0)
        return error_sys(err, ERROR_OS, errno, "smtprelay-worker: cannot be handed its settings");
    descriptors_end_from(WORKER_SETTINGS + 1);
    /* an emulator of another architecture (binfmt_misc) opens the program by this descriptor again; the worker closes it */
    (void)fcntl(program, F_SETFD, 0);
    if (!identity_become(id))
        return error_sys(err, ERROR_OS, errno, "smtprelay-worker: cannot change its user");
    (void)fexecve(program, argv, env);
    (void)execve(path_worker, argv, env); /* without /proc and execveat */
    return error_sys(err, ERROR_OS, errno, "%s", path_worker);
}

static noreturn void
become_worker(struct config *c, size_t account, int sock)
{
    struct identity id;
    struct error err;
    int settings;

    if (!let_go(sock))
        _exit(127); /* the end of the socket tells it */
    id = worker_identity(c);
    settings = make_settings(c, account, &err);
    if (settings >= 0)
        (void)execute(settings, &id, &err);
    (void)job_send_text(WORKER_SOCKET, JOB_FAILED, (int)err.class, err.text); /* the daemon may have gone */
    _exit(127);
}

/* ---------------------------------------------------------------- in the helper */

static void
keep(struct spawn_kept *kept, pid_t pid, int sock)
{
    kept->one = mem_resize(kept->one, kept->n + 1, sizeof *kept->one);
    kept->one[kept->n++] = (struct spawn_one){ pid, sock };
}

/* SIGKILL is the kernel's when memory runs out, or an administrator's; no program's own fault ends in it */
static bool
has_starved(int status)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
           (WIFEXITED(status) && WEXITSTATUS(status) == EX_OSERR); /* base/mem */
}

bool
spawn_ended(struct spawn_kept *kept, pid_t pid, int status)
{
    for (size_t i = 0; i < kept->n; i++) {
        int sock = kept->one[i].sock;
        if (kept->one[i].pid != pid)
            continue;
        /* a daemon that takes nothing must not hold up its helper, and one that is gone needs no word */
        if (has_starved(status) && file_nonblocking(sock, true))
            (void)job_send_text(sock, JOB_STARVED, 0, "");
        file_close(&sock);
        kept->one[i] = kept->one[--kept->n];
        return true;
    }
    return false;
}

void
spawn_let_go(struct spawn_kept *kept)
{
    while (kept->n)
        file_close(&kept->one[--kept->n].sock);
    free(kept->one);
    kept->one = NULL;
}

bool
spawn_worker(struct config *c, size_t account, struct spawn_kept *kept, int *daemon_end, struct error *err)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return error_sys(err, ERROR_TEMP, errno, "smtprelay-worker: cannot be started");
    pid = fork();
    if (pid == 0)
        become_worker(c, account, pair[1]);
    *daemon_end = pair[0];
    if (pid > 0 && kept)
        keep(kept, pid, pair[1]);
    else
        file_close(&pair[1]);
    if (pid > 0)
        return true;
    file_close(daemon_end);
    return error_sys(err, ERROR_TEMP, errno, "smtprelay-worker: cannot be started");
}

void
spawn_reap(pid_t keep)
{
    siginfo_t info = { 0 };

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
           info.si_pid != keep && waitpid(info.si_pid, NULL, 0) == info.si_pid)
        info.si_pid = 0;
}

void
spawn_finish(int patience_ms)
{
    int64_t deadline = clock_deadline(patience_ms);
    int step = 1;

    /* -1: there are none */
    while (waitpid(-1, NULL, WNOHANG) >= 0 && clock_left(deadline) > 0) {
        (void)poll(NULL, 0, step);
        step = step < 50 ? step * 2 : 50;
    }
}
