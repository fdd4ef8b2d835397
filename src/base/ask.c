/* SPDX-License-Identifier: ISC */
/* ask: connecting, starting, copying; what is asked and answered it does not know. */
#include "base/ask.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/peercred.h"
#include "base/rights.h"

#define LAST_LINE_MAX 4096

/* ---------------------------------------------------------------- connecting */

/* The folder that `path` is in: its owner, if nobody else may write there; else -1 */
static int64_t
owner_of(char *path)
{
    char *end = strrchr(path, '/');
    struct stat st;

    if (!end)
        return -1;
    end[end == path ? 1 : 0] = '\0';
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return -1;
    return st.st_uid;
}

/*
 * Whom root gave the socket's folder, and nobody else may write there: in a container the daemon may be any user, of whom
 * the caller's passwd file knows nothing. Nobody can take a place for himself this way: the folder above has to be root's.
 */
static bool
owns_folder(uid_t uid, const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    size_t len = strlen(path);

    if (len >= sizeof folder)
        return false;
    memcpy(folder, path, len + 1);
    return owner_of(folder) == (int64_t)uid && owner_of(folder) == 0;
}

/* Whoever else may have taken the socket's name, mail is only for root, for the daemon's own user and for the caller */
static bool
is_trusted(int fd, const char *path, const char *user, struct error *err)
{
    struct peercred cred;
    struct passwd *pw;

    if (!peercred_get(fd, &cred))
        return error_sys(err, ERROR_TEMP, errno, "%s: cannot tell who listens", path);
    if (cred.uid == 0 || cred.uid == rights_caller()) /* our own, without asking the kernel again */
        return true;
    pw = getpwnam(user);
    if ((pw && pw->pw_uid == cred.uid) || owns_folder(cred.uid, path))
        return true;
    return error_set(
        err, ERROR_TEMP, "%s: user %ld listens there, who is not %s", path, (long)cred.uid, user);
}

/* A blocking connect would wait for ever for a server that accepts nobody (unix(7): EAGAIN) */
static bool
connect_patiently(int fd, const struct sockaddr_un *to, int patience_ms)
{
    int64_t deadline = clock_deadline(patience_ms);

    while (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (clock_left(deadline) == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        (void)poll(NULL, 0, 50);
    }
    return true;
}

/* Hardened services call, too: their errors say which of their unit's settings is in the way (smtprelay-guide(7)) */
static bool
fail_connect(const char *path, bool has_socket, int e, struct error *err)
{
    if (!has_socket && e == EAFNOSUPPORT)
        return error_set(err, ERROR_TEMP,
            "%s: cannot be reached: no socket of AF_UNIX may be made here; add AF_UNIX to "
            "RestrictAddressFamilies= of the unit",
            path);
    if (e == EPERM || e == ENOSYS || (!has_socket && e == EACCES))
        return error_set(err, ERROR_TEMP,
            "%s: cannot be reached: system calls for sockets are refused here; SystemCallFilter= of the unit "
            "has to allow @network-io",
            path);
    if (e == EACCES)
        return error_set(err, ERROR_TEMP,
            "%s: cannot be reached: Permission denied; InaccessiblePaths= of the unit, AppArmor or SELinux "
            "has to let it through",
            path);
    return error_sys(err, ERROR_TEMP, e, "%s: cannot be reached", path);
}

int
ask_connect(const char *path, const char *user, int patience_ms, struct error *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof to.sun_path)
        return ASK_NOBODY; /* nobody can listen there either */
    memcpy(to.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect_patiently(fd, &to, patience_ms)) {
        if (is_trusted(fd, path, user, err))
            return fd;
        file_close(&fd);
        return ASK_TROUBLE;
    }
    int saved = errno;
    bool has_socket = fd >= 0;
    file_close(&fd);
    if (saved == ENOENT || saved == ECONNREFUSED || saved == ENOTDIR)
        return ASK_NOBODY;
    (void)fail_connect(path, has_socket, saved, err); /* err says it */
    return ASK_TROUBLE;
}

int
ask_start(char *const argv[], bool apart, pid_t *child, struct error *err)
{
    int pair[2];
    pid_t pid;

    *child = -1;
    if (access(argv[0], X_OK) != 0) {
        error_sys(err, ERROR_OS, errno, "%s: cannot be run", argv[0]);
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        error_sys(err, ERROR_OS, errno, "cannot make a socket pair");
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        if (apart)
            (void)setpgid(0, 0);
        if (dup2(pair[1], STDIN_FILENO) < 0 || dup2(pair[1], STDOUT_FILENO) < 0)
            _exit(ERROR_OS);
        execv(argv[0], argv);
        _exit(ERROR_OS);
    }
    file_close(&pair[1]);
    *child = pid;
    if (pid > 0)
        return pair[0];
    error_sys(err, ERROR_TEMP, errno, "cannot start a process");
    file_close(&pair[0]);
    return -1;
}

void
ask_finish(pid_t pid, int patience_ms)
{
    int64_t deadline = clock_deadline(patience_ms);
    int step = 1;

    while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0 && clock_left(deadline) > 0) {
        (void)poll(NULL, 0, step);
        step = step < 50 ? step * 2 : 50;
    }
}

char *
ask_own_config(uid_t uid)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct passwd *pw;
    char *path;

    if (uid == 0)
        return NULL;
    if (base && *base == '/') {
        path = mem_format("%s/smtprelay/config", base);
    } else {
        if (!home || *home != '/') {
            pw = getpwuid(uid);
            home = pw ? pw->pw_dir : NULL;
        }
        if (!home)
            return NULL;
        path = mem_format("%s/.config/smtprelay/config", home);
    }
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* ---------------------------------------------------------------- the answer */

enum place { AT_START, IN_DATA, IN_PROGRESS, IN_LAST, AT_END };

struct answer {
    enum place place;
    const struct ask_sink *to;
    struct buf data; /* to be written out */
    struct buf progress;
    struct buf last; /* the last line, behind its '=' */
};

static bool
not_understood(struct error *err)
{
    return error_set(err, ERROR_TEMP, "smtprelayd: an answer that is not understood");
}

static bool
take_last(struct answer *a, struct slice *piece, struct error *err)
{
    size_t end = slice_find(*piece, '\n');

    buf_add_slice(&a->last, slice_sub(*piece, 0, end));
    if (a->last.overflow)
        return not_understood(err);
    a->place = end < piece->len ? AT_END : IN_LAST;
    *piece = slice_from(*piece, end + 1);
    return true;
}

/* "DONE TOTAL"; anything else says nothing */
static void
take_progress(struct answer *a, struct slice *piece)
{
    size_t end = slice_find(*piece, '\n');
    struct slice text, word;
    uint64_t done, total;

    buf_add_slice(&a->progress, slice_sub(*piece, 0, end));
    a->place = end < piece->len ? AT_START : IN_PROGRESS;
    *piece = slice_from(*piece, end + 1);
    if (a->place == IN_PROGRESS)
        return;
    text = buf_slice(&a->progress);
    if (a->to->progress && slice_cut(&text, ' ', &word) && slice_number(word, INT64_MAX, &done) &&
        slice_number(text, INT64_MAX, &total))
        a->to->progress(a->to->ctx, done, total);
    buf_reset(&a->progress);
}

static bool
take(struct answer *a, struct slice piece, struct error *err)
{
    while (piece.len && a->place != AT_END) {
        if (a->place == IN_LAST) {
            if (!take_last(a, &piece, err))
                return false;
        } else if (a->place == IN_PROGRESS) {
            take_progress(a, &piece);
        } else if (a->place == IN_DATA) {
            size_t end = slice_find(piece, '\n');
            buf_add_slice(&a->data, slice_sub(piece, 0, end + 1));
            a->place = end < piece.len ? AT_START : IN_DATA;
            piece = slice_from(piece, end + 1);
        } else {
            if (!strchr(" =+\n", piece.p[0]) || !piece.p[0])
                return not_understood(err);
            a->place = piece.p[0] == ' '   ? IN_DATA
                       : piece.p[0] == '=' ? IN_LAST
                       : piece.p[0] == '+' ? IN_PROGRESS
                                           : AT_START;
            piece = slice_from(piece, 1);
        }
    }
    return true;
}

/* "CODE TEXT" */
static bool
conclude(struct answer *a, struct error *err)
{
    struct slice text = buf_slice(&a->last), word;
    uint64_t code;

    if (!slice_cut(&text, ' ', &word) || !slice_number(word, 78, &code) || (code > 2 && code < 64))
        return not_understood(err);
    error_set(err, (enum error_class)code, "%.*s", SLICE_ARG(text));
    return true;
}

static bool
send_line(int fd, struct slice line, int patience_ms, struct error *err)
{
    struct buf b;
    struct slice rest;

    buf_init(&b, line.len + 1);
    buf_add_slice(&b, line);
    buf_add_char(&b, '\n');
    for (rest = buf_slice(&b); rest.len;) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        int r = poll(&p, 1, patience_ms);
        ssize_t n;
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        n = send(fd, rest.p, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            break; /* its answer may be there all the same */
        rest = slice_from(rest, n < 0 ? 0 : (size_t)n);
    }
    buf_clear(&b);
    return rest.len == 0 || error_set(err, ERROR_TEMP, "smtprelayd: takes no request");
}

/* One piece of the answer into `a`, and its data out. False with err; *over at the end. */
static bool
copy_piece(int fd, struct answer *a, int patience_ms, bool *over, struct error *err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char piece[65536];
    int r = poll(&p, 1, patience_ms);
    ssize_t n;

    if (r == 0)
        return error_set(err, ERROR_TEMP, "smtprelayd: no answer within %d s", patience_ms / 1000);
    n = r < 0 ? r : recv(fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0)
        return error_set(err, ERROR_TEMP, "smtprelayd: ended without an answer");
    if (!take(a, slice_make(piece, (size_t)n), err))
        return false;
    if (!a->to->data(a->to->ctx, buf_slice(&a->data))) {
        int why = errno;
        error_sys(err, ERROR_IO, why, "standard output");
        if (why == EPIPE)
            err->text[0] = '\0'; /* `mailq | head`: whoever reads has enough */
        return false;
    }
    buf_reset(&a->data);
    *over = a->place == AT_END;
    return true;
}

static bool
write_data(void *ctx, struct slice data)
{
    const int *out = ctx;

    return file_write(*out, data.p, data.len);
}

int
ask(int fd, struct slice line, int out, int patience_ms, struct error *err)
{
    return ask_into(fd, line, &(struct ask_sink){ .data = write_data, .ctx = &out }, patience_ms, err);
}

int
ask_into(int fd, struct slice line, const struct ask_sink *to, int patience_ms, struct error *err)
{
    struct answer a = { .place = AT_START, .to = to };
    bool over = false, ok = send_line(fd, line, patience_ms, err);

    buf_init(&a.data, 1u << 17);
    buf_init(&a.last, LAST_LINE_MAX);
    buf_init(&a.progress, 100);
    while (ok && !over)
        ok = copy_piece(fd, &a, patience_ms, &over, err);
    if (ok)
        (void)conclude(&a, err); /* err says the rest */
    buf_clear(&a.data);
    buf_clear(&a.last);
    buf_clear(&a.progress);
    return (int)err->class;
}
