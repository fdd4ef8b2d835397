/* SPDX-License-Identifier: ISC */
/* sockets: probing, binding, and the descriptors of socket activation. */
#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/peercred.h"
#include "base/slice.h"
#include "daemon/tcp.h"

enum { BACKLOG = 1024, FIRST_ACTIVATED = 3, LOCK_WAIT_MS = 3000, BUSY_MS = 3000 };

static bool
make_address(const char *path, struct sockaddr_un *to, struct error *err)
{
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    if (path[0] != '/')
        return error_set(err, ERROR_CONFIG, "Socket %s: not an absolute path", path);
    if (strlen(path) >= sizeof to->sun_path)
        return error_set(
            err, ERROR_CONFIG, "Socket %s: longer than %zu octets", path, sizeof to->sun_path - 1);
    memcpy(to->sun_path, path, strlen(path));
    return true;
}

/* ---------------------------------------------------------------- taken over */

/* The descriptors somebody gave this very process; the variables go, as nobody else is meant */
static int
count_activated(void)
{
    uint64_t pid, n;
    bool ours = slice_number(slice_of(getenv("LISTEN_PID")), INT32_MAX, &pid) && (pid_t)pid == getpid() &&
                slice_number(slice_of(getenv("LISTEN_FDS")), SOCKETS_GIVEN_MAX, &n);

    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return ours ? (int)n : 0;
}

/* The same name, whatever links lead to it (/var/run) */
static bool
is_same(const char *a, const char *b)
{
    struct stat x, y;

    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static bool
is_listening_at(int fd, const char *path)
{
    struct sockaddr_un at;
    socklen_t len = sizeof at, size = sizeof(int);
    int listening = 0, type = 0;
    char name[sizeof at.sun_path + 1] = "";

    memset(&at, 0, sizeof at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0 || at.sun_family != AF_UNIX)
        return false;
    memcpy(name, at.sun_path, sizeof at.sun_path);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           is_same(name, path);
}

static int
take_activated(struct sockets *s, const char *where, bool (*is_at)(int fd, const char *where))
{
    for (size_t i = 0; i < s->ngiven; i++) {
        int fd = s->given[i];
        if (fd < 0 || !is_at(fd, where) || !file_nonblocking(fd, true))
            continue;
        s->given[i] = -1;
        return fd;
    }
    return -1;
}

int
sockets_take_tcp(struct sockets *s, const char *text)
{
    return take_activated(s, text, tcp_is_listening_at);
}

void
sockets_drop_given(struct sockets *s)
{
    for (size_t i = 0; i < s->ngiven; i++) {
        if (s->given[i] >= 0)
            log_line(LOG_LEVEL_WARNING,
                "socket %d of those that systemd has opened (smtprelay.socket) is none of the sockets "
                "served: it is neither Socket nor in Listen",
                s->given[i]);
        file_close(&s->given[i]);
    }
    s->ngiven = 0;
}

/* ---------------------------------------------------------------- made */

/* Two that start at once must not both find the same stale socket: for so long the folder is locked */
static int
lock_folder(const char *path)
{
    char *folder = mem_dupn(path, (size_t)(strrchr(path, '/') - path) + 1);
    int64_t deadline = clock_deadline(LOCK_WAIT_MS);
    int fd;

    file_make_parents(path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    /* anybody may lock a folder: whoever keeps it only makes the start slower */
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && clock_left(deadline) > 0)
        (void)poll(NULL, 0, 20);
    return fd;
}

/* 0: somebody listens there; else why not. *is_orphan: who made the socket is not there any more. */
static int
probe(const struct sockaddr_un *to, bool *is_orphan)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e;
    struct peercred cred;

    if (fd < 0)
        return errno;
    e = connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EAGAIN ? 0 : errno;
    *is_orphan = !peercred_get(fd, &cred) || cred.pid <= 0 || (kill(cred.pid, 0) != 0 && errno == ESRCH);
    file_close(&fd);
    return e;
}

/* A daemon whose helper was killed needs a moment to notice */
static int
probe_patiently(const struct sockaddr_un *to)
{
    int64_t deadline = clock_deadline(BUSY_MS);
    bool is_orphan = false;
    int e;

    while ((e = probe(to, &is_orphan)) == 0 && is_orphan && clock_left(deadline) > 0)
        (void)poll(NULL, 0, 50);
    return e;
}

/* Make sure the name is free: what lies there is away, or is nobody's any more and goes */
static bool
clear_name(const char *path, const struct sockaddr_un *to, struct error *err)
{
    struct stat st;
    int e;

    if (lstat(path, &st) != 0)
        return true; /* what fails shows in bind */
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, ERROR_CONFIG, "Socket %s: something else is there, which is no socket", path);
    e = probe_patiently(to);
    if (e == 0)
        return error_set(err, ERROR_TEMP, "Socket %s: another smtprelayd is running and answers there", path);
    if (e != ECONNREFUSED && e != ENOENT)
        return error_sys(err, ERROR_CONFIG, e, "Socket %s: it cannot be told who listens there", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return error_sys(
            err, ERROR_CONFIG, errno, "Socket %s: nobody listens there, but it cannot be removed", path);
    return true;
}

static bool
bind_here(struct sockets_one *o, const struct sockaddr_un *to, struct error *err)
{
    mode_t mask = umask(0111); /* 0666: who may send is asked later, of each client */
    struct stat st;
    bool ok;

    o->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ok = o->fd >= 0 && bind(o->fd, (const struct sockaddr *)to, sizeof *to) == 0;
    o->made = ok;
    if (!ok)
        error_sys(err, ERROR_CONFIG, errno, "Socket %s: cannot be made", o->path);
    (void)umask(mask);
    if (!ok)
        return false;
    if (listen(o->fd, BACKLOG) != 0 || lstat(o->path, &st) != 0)
        return error_sys(err, ERROR_TEMP, errno, "Socket %s", o->path);
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    return true;
}

static bool
make(struct sockets_one *o, struct error *err)
{
    struct sockaddr_un to;
    bool ok;
    int lock;

    if (!make_address(o->path, &to, err))
        return false;
    lock = lock_folder(o->path);
    ok = clear_name(o->path, &to, err) && bind_here(o, &to, err);
    file_close(&lock);
    return ok;
}

/* ---------------------------------------------------------------- all of them */

static bool
add(struct sockets *s, char *path, bool control, struct error *err)
{
    struct sockets_one *o = &s->one[s->n++];

    *o = (struct sockets_one){
        .path = path, .control = control, .fd = take_activated(s, path, is_listening_at)
    };
    return o->fd >= 0 || make(o, err);
}

bool
sockets_open(struct sockets *s, const char *const paths[], size_t n, struct error *err)
{
    int count = count_activated();
    bool ok = true;

    ensure(n * 2 <= SOCKETS_MAX);
    memset(s, 0, sizeof *s);
    for (int i = 0; i < count; i++) {
        s->given[s->ngiven++] = FIRST_ACTIVATED + i;
        (void)fcntl(
            FIRST_ACTIVATED + i, F_SETFD, FD_CLOEXEC); /* one that is not open is no socket of ours either */
    }
    for (size_t i = 0; ok && i < n; i++)
        ok = add(s, mem_dup(paths[i]), false, err) && add(s, mem_format("%s.ctl", paths[i]), true, err);
    if (!ok)
        sockets_close(s);
    return ok;
}

void
sockets_close(struct sockets *s)
{
    sockets_drop_given(s);
    for (size_t i = 0; i < s->n; i++) {
        struct sockets_one *o = &s->one[i];
        struct stat st;
        if (o->made && lstat(o->path, &st) == 0 && st.st_dev == o->dev && st.st_ino == o->ino)
            (void)unlink(o->path); /* the next one replaces it */
        file_close(&o->fd);
        free(o->path);
        o->path = NULL;
    }
    s->n = 0;
}
