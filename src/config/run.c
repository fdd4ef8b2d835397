/* SPDX-License-Identifier: ISC */
/* run: fork, exec, and a loop that ends with the command or the time, whatever its children hold open. */
#include "config/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/mem.h"

#define WORDS_MAX 64
#define TICK_MS 20

/* Cut a command line at blanks, in place */
static bool
split_words(char *line, char *words[WORDS_MAX])
{
    size_t n = 0;
    char *to = line;

    while (*line) {
        while (*line == ' ' || *line == '\t')
            line++;
        if (!*line)
            break;
        if (n == WORDS_MAX - 1)
            return false;
        words[n++] = to;
        char quote = '\0';
        for (; *line && (quote || (*line != ' ' && *line != '\t')); line++) {
            if (quote ? *line == quote : *line == '"' || *line == '\'')
                quote = quote ? '\0' : *line;
            else
                *to++ = *line;
        }
        if (quote)
            return false;
        if (*line)
            line++;
        *to++ = '\0';
    }
    words[n] = NULL;
    return n > 0;
}

/* In the child: as a program expects it, not as a daemon keeps it */
static void
become(char *words[], char *const *env, int in, int out, int said)
{
    static const int reset[] = { SIGPIPE, SIGXFSZ, SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGUSR1 };
    sigset_t none;

    if (in < 0)
        in = open("/dev/null", O_RDONLY);
    if (setpgid(0, 0) != 0 || in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        (said >= 0 && dup2(said, STDERR_FILENO) < 0))
        _exit(127);
    descriptors_close_from(3); /* nothing of ours is for it */
    for (size_t i = 0; i < sizeof reset / sizeof reset[0]; i++)
        (void)signal(reset[i], SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(words[0], words, env);
    _exit(errno == ENOENT ? 127 : 126);
}

/* What the command writes to one descriptor; fd -1: nobody reads it, or no more will come */
struct output {
    int fd;
    struct buf *to;
};

/* What is there to be read now */
static void
drain(struct output *o)
{
    char piece[4096];
    ssize_t n = 0;

    while (o->fd >= 0 && (n = file_read_some(o->fd, piece, sizeof piece)) > 0)
        buf_add(o->to, piece, (size_t)n);
    mem_wipe(piece, sizeof piece);
    if (o->fd >= 0 && (n == 0 || errno != EAGAIN))
        file_close(&o->fd);
}

/* Has it ended? It stays a zombie, so that nobody else gets its number. */
static bool
has_ended(pid_t pid)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Its end counts, not that of its output: it may close that early, and its children may keep it */
static bool
collect(pid_t pid, struct output o[2], int64_t deadline)
{
    for (;;) {
        bool ended = has_ended(pid);
        drain(&o[0]);
        drain(&o[1]);
        struct pollfd p[2] = { { .fd = o[0].fd, .events = POLLIN }, { .fd = o[1].fd, .events = POLLIN } };
        if (ended)
            return true;
        int left = clock_left(deadline);
        if (left == 0)
            return false;
        (void)poll(p, 2, left < TICK_MS ? left : TICK_MS); /* a signal or nothing: the loop looks again */
    }
}

static bool
judge(bool in_time, int status, int64_t limit_ms, struct error *err)
{
    if (!in_time)
        return error_set(
            err, ERROR_ADMIN, "the command did not end within %lld s", (long long)(limit_ms + 999) / 1000);
    if (WIFSIGNALED(status))
        return error_set(err, ERROR_ADMIN, "the command was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126)
        return error_set(err, ERROR_ADMIN, "the command cannot be run (exit code %d)", WEXITSTATUS(status));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, ERROR_ADMIN, "the command failed with exit code %d", WEXITSTATUS(status));
    return true;
}

/* A pipe of which the command gets *end; nothing where `to` is NULL */
static bool
open_output(struct output *o, struct buf *to, int *end)
{
    int pipes[2];

    *o = (struct output){ -1, to };
    *end = -1;
    if (!to)
        return true;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    o->fd = pipes[0];
    *end = pipes[1];
    return file_nonblocking(o->fd, true);
}

static pid_t
begin(char *words[], int in, char *const *env, struct output o[2], struct buf *out, struct buf *said)
{
    int ends[2] = { -1, -1 };
    pid_t pid = -1;

    o[1].fd = -1;
    if (open_output(&o[0], out, &ends[0]) && open_output(&o[1], said, &ends[1]))
        pid = fork();
    if (pid == 0)
        become(words, env, in, ends[0], ends[1]);
    file_close(&ends[0]);
    file_close(&ends[1]);
    return pid;
}

static bool
run_words(char *words[], int in, char *const *env, int64_t limit_ms, struct buf *out, struct buf *said,
    struct error *err)
{
    struct output o[2];
    pid_t pid = begin(words, in, env, o, out, said);
    bool in_time = false;
    int status = 0, why = errno;

    if (pid > 0) {
        (void)setpgid(pid, pid); /* whoever is first; it fails when the child was */
        in_time = collect(pid, o, clock_deadline(limit_ms));
    }
    file_close(&o[0].fd);
    file_close(&o[1].fd);
    if (pid < 0)
        return error_sys(err, ERROR_ADMIN, why, "the command cannot be started");
    if (!in_time)
        (void)kill(-pid, SIGKILL); /* the group has it, and at least the zombie */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return judge(in_time, status, limit_ms, err);
}

static bool
run_line(const char *command, int in, char *const *env, int64_t limit_ms, struct buf *out, struct buf *said,
    struct error *err)
{
    char *line = mem_dup(command), *words[WORDS_MAX];
    bool ok = split_words(line, words)
                  ? run_words(words, in, env, limit_ms, out, said, err)
                  : error_set(err, ERROR_ADMIN, "the command is empty, too long, or a quote is not closed");

    free(line);
    return ok;
}

bool
run_command(const char *command, char *const *env, int64_t limit_ms, struct buf *out, struct buf *said,
    struct error *err)
{
    return run_line(command, -1, env, limit_ms, out, said, err);
}

bool
run_command_with(const char *command, struct slice input, char *const *env, int64_t limit_ms, struct buf *out,
    struct error *err)
{
    int in = file_sealed("smtprelay-input", input, err); /* a pipe would have to be fed */
    bool ok = in >= 0 && run_line(command, in, env, limit_ms, out, NULL, err);

    file_close(&in);
    return ok;
}

char **
run_environment(void)
{
    static const char *const kept[] = { "HOME", "PATH", "USER", "LANG" };
    char **env = mem_array(sizeof kept / sizeof kept[0] + 1, sizeof(char *));
    size_t n = 0;

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (getenv(kept[i]))
            env[n++] = mem_format("%s=%s", kept[i], getenv(kept[i]));
    return env;
}

static bool
is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvpe() looks for it */
static bool
is_in_path(const char *name)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_of(path ? path : "/bin:/usr/bin"), folder;
    bool found = false;

    while (!found && rest.len) {
        size_t end = slice_find(rest, ':');
        folder = slice_sub(rest, 0, end);
        rest = slice_from(rest, end < rest.len ? end + 1 : end);
        char *whole = mem_format("%.*s/%s", SLICE_ARG(folder), name);
        found = is_program(whole);
        free(whole);
    }
    return found;
}

bool
run_is_there(const char *command, struct error *err)
{
    char *copy = mem_dup(command), *words[WORDS_MAX];
    bool ok = split_words(copy, words);

    if (!ok)
        error_set(err, ERROR_ADMIN, "%s: it has no words, too many, or a quote that is not closed", command);
    else if (!(ok = strchr(words[0], '/') ? is_program(words[0]) : is_in_path(words[0])))
        error_set(err, ERROR_ADMIN, "%s: there is no such program that may be executed", words[0]);
    free(copy);
    return ok;
}
