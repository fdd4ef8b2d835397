/* SPDX-License-Identifier: ISC */
/* alarm: a fork that lets go of all that is the helper's and runs the command within its time (config/run). */
#include "daemon/alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/run.h"

enum { WAITING_MAX = 20, OUTPUT_MAX = 4096 };
/* Exit codes of the process around the command */
enum { CODE_FAILED = 1, CODE_LATE = 2 };

struct alarm {
    struct identity id;
    int64_t limit_ms;
    pid_t pid; /* of what runs, 0 = nothing */
    char *waiting[WAITING_MAX];
    size_t n;
};

struct alarm *
alarm_new(const struct identity *id, int64_t limit_ms)
{
    struct alarm *a = mem_alloc(sizeof *a);

    a->id = *id;
    a->limit_ms = limit_ms;
    return a;
}

void
alarm_free(struct alarm *a)
{
    if (!a)
        return;
    while (a->n)
        free(a->waiting[--a->n]);
    free(a);
}

/* ---------------------------------------------------------------- in the child */

static bool
let_go(void)
{
    int null;

    descriptors_close_from(STDERR_FILENO + 1); /* a copy of the daemon's socket would hide our end from it */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0;
}

static noreturn void
run_child(const struct alarm *a, const char *command, const char *text)
{
    char **env = run_environment();
    int64_t begun = clock_ms();
    struct buf out;
    struct error err;

    (void)signal(SIGCHLD, SIG_DFL);
    if (!let_go() || !identity_become(&a->id) || chdir("/") != 0)
        _exit(CODE_FAILED);
    buf_init(&out, OUTPUT_MAX); /* what it prints is nobody's */
    if (run_command_with(command, slice_of(text), env, a->limit_ms, &out, &err))
        _exit(0);
    _exit(clock_ms() - begun >= a->limit_ms ? CODE_LATE : CODE_FAILED);
}

/* ---------------------------------------------------------------- in the helper */

static void
begin_next(struct alarm *a, const struct config *c)
{
    const char *command = config_text(c, 0, CONFIG_TROUBLE_COMMAND);
    char *text;

    if (a->pid || a->n == 0)
        return;
    text = a->waiting[0];
    memmove(a->waiting, a->waiting + 1, --a->n * sizeof a->waiting[0]);
    a->pid = command ? fork() : 0;
    if (command && a->pid == 0)
        run_child(a, command, text);
    free(text);
    if (a->pid >= 0)
        return;
    a->pid = 0;
    log_line(LOG_LEVEL_ERROR, "TroubleCommand: cannot be started: %s", strerror(errno));
}

void
alarm_raise(struct alarm *a, const struct config *c, const char *text)
{
    if (!config_text(c, 0, CONFIG_TROUBLE_COMMAND))
        return;
    if (a->n == WAITING_MAX) {
        log_line(LOG_LEVEL_ERROR, "TroubleCommand: too much happens at once, this is not told: %.200s", text);
        return;
    }
    a->waiting[a->n++] = mem_dup(text);
    begin_next(a, c);
}

void
alarm_reaped(struct alarm *a, const struct config *c, pid_t pid, int status)
{
    if (!a || pid != a->pid || pid == 0)
        return;
    a->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CODE_LATE)
        log_line(LOG_LEVEL_ERROR, "TroubleCommand: it did not end within %lld s and was killed",
            (long long)(a->limit_ms + 999) / 1000);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_line(LOG_LEVEL_ERROR, "TroubleCommand: it cannot be run, or failed");
    begin_next(a, c);
}
