/* secret: reads secrets and hands them on; keeps nothing, wipes its buffers. */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define SECRET_MAX 65536
#define COMMAND_MS 60000
#define WORDS_MAX 64

/* A bare NAME is looked up in $CREDENTIALS_DIRECTORY (systemd.exec(5)) */
static char *
secret_path(const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (!strchr(name, '/') && dir && *dir == '/')
        return mem_format("%s/%s", dir, name);
    return mem_dup(name);
}

static bool
check_one(struct config *c, const char *path, bool foreign, uid_t uid, struct error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return error_sys(err, errno == EACCES ? ERROR_TEMP : ERROR_CONFIG, errno, "AuthPassFile: %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_CONFIG, "AuthPassFile: %s: not a regular file", path);
    if (foreign && (st.st_uid != uid || (st.st_mode & 077)))
        return error_set(err, ERROR_CONFIG,
            "AuthPassFile: %s: has to belong to you and be readable by nobody else (chmod 600)", path);
    if (!(st.st_mode & 04))
        return true;
    if (st.st_uid != 0 || strncmp(path, "/home/", 6) == 0 || strncmp(path, "/root/", 6) == 0)
        return error_set(err, ERROR_CONFIG, "AuthPassFile: %s: others may read it; chmod o-r", path);
    buf_add_format(&c->warnings, "AuthPassFile: %s: others may read it\n", path);
    return true;
}

bool
secret_check(struct config *c, bool foreign, uid_t uid, struct error *err)
{
    struct stat st;

    if (foreign && c->path && stat(c->path, &st) == 0 && st.st_uid == 0)
        foreign = false; /* the file is root's */
    for (size_t a = 0; a < c->n; a++) {
        const char *name = config_text(c, a, CONFIG_AUTH_PASS_FILE);
        if (!name)
            continue;
        char *path = secret_path(name);
        bool ok = check_one(c, path, foreign, uid, err);
        free(path);
        if (!ok)
            return false;
    }
    return true;
}

/* The first line, which is all that counts */
static bool
take_first_line(struct config *c, size_t account, struct buf *text, const char *origin, struct error *err)
{
    struct slice s = buf_slice(text);

    s = slice_sub(s, 0, slice_find(s, '\n'));
    if (s.len && s.p[s.len - 1] == '\r')
        s.len--;
    if (s.len == 0)
        return error_set(err, ERROR_CONFIG, "%s: its first line is empty", origin);
    if (slice_has(s, '\0'))
        return error_set(err, ERROR_CONFIG, "%s: a NUL byte in the secret", origin);
    return config_set(c, account, CONFIG_AUTH_PASS, s, true, origin, err);
}

static bool
fetch_file(struct config *c, size_t account, const char *name, struct error *err)
{
    char *path = secret_path(name);
    struct stat st;
    struct buf b;
    bool ok = false;
    int fd = file_open_regular(path, &st, err);

    buf_init(&b, SECRET_MAX);
    if (fd >= 0)
        ok = file_read_all(fd, &b, path, err) && take_first_line(c, account, &b, path, err);
    if (!ok)
        error_context(err, "AuthPassFile");
    file_close(&fd);
    buf_wipe(&b);
    free(path);
    return ok;
}

/* Cut a command line at blanks; quotes keep words together. No shell, no expansion. */
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
        for (char quote = '\0'; *line && (quote || (*line != ' ' && *line != '\t')); line++) {
            if (quote ? *line == quote : *line == '"' || *line == '\'')
                quote = quote ? '\0' : *line;
            else
                *to++ = *line;
        }
        if (*line)
            line++;
        *to++ = '\0';
    }
    words[n] = NULL;
    return n > 0;
}

static pid_t
start_command(char *words[], int out)
{
    pid_t pid = fork();
    int null;

    if (pid != 0)
        return pid;
    null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0)
        _exit(127);
    (void)close_range(3, ~0U, 0); /* nothing of ours is for it */
    execvp(words[0], words);
    _exit(127);
}

/* What it prints until it ends or the time is over */
static bool
read_output(int fd, struct buf *out, int64_t deadline)
{
    char piece[4096];

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r = poll(&p, 1, clock_left(deadline));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        ssize_t n = file_read_some(fd, piece, sizeof piece);
        if (n <= 0) {
            mem_wipe(piece, sizeof piece);
            return n == 0;
        }
        buf_add(out, piece, (size_t)n);
    }
}

static bool
run_command(const char *command, struct buf *out, struct error *err)
{
    char *line = mem_dup(command), *words[WORDS_MAX];
    int pipes[2], status = 0;
    bool in_time;
    pid_t pid;

    if (!split_words(line, words) || pipe2(pipes, O_CLOEXEC) != 0) {
        free(line);
        return error_set(err, ERROR_ADMIN, "AuthPassCommand: cannot be started");
    }
    pid = start_command(words, pipes[1]);
    file_close(&pipes[1]);
    in_time = pid > 0 && read_output(pipes[0], out, clock_deadline(COMMAND_MS));
    file_close(&pipes[0]);
    if (pid > 0 && !in_time)
        (void)kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    free(line);
    if (pid < 0)
        return error_sys(err, ERROR_ADMIN, errno, "AuthPassCommand: cannot be started");
    if (!in_time)
        return error_set(err, ERROR_ADMIN, "AuthPassCommand: did not end within 60 s");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, ERROR_ADMIN, "AuthPassCommand: it failed (%s %d)",
            WIFEXITED(status) ? "exit code" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return true;
}

bool
secret_fetch(struct config *c, size_t account, struct error *err)
{
    const char *file = config_text(c, account, CONFIG_AUTH_PASS_FILE);
    const char *command = config_text(c, account, CONFIG_AUTH_PASS_COMMAND);
    struct buf b;
    bool ok;

    if (file)
        return fetch_file(c, account, file, err);
    if (!command)
        return true;
    buf_init(&b, SECRET_MAX);
    ok = run_command(command, &b, err) && take_first_line(c, account, &b, "AuthPassCommand", err);
    if (!ok)
        err->class = ERROR_ADMIN;
    buf_wipe(&b);
    return ok;
}
