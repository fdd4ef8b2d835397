/* SPDX-License-Identifier: ISC */
/* machine: gethostname(2), /etc/hosts, /etc/mailname and, last, the name service. */
#include "config/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define NOBODY 65534
#define LOOK_UP_MS 2000

/* A small file of the system; false when it cannot be had */
static bool
read_small(const char *path, struct buf *out)
{
    struct stat st;
    struct error err;
    int fd = file_open_regular(path, &st, &err);
    bool ok;

    if (fd < 0)
        return false;
    ok = file_read_all(fd, out, path, &err);
    file_close(&fd);
    return ok;
}

char *
machine_node(void)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    return mem_dup(name);
}

static struct slice
next_word(struct slice *line)
{
    size_t n = 0;
    struct slice word;

    *line = slice_trim(*line);
    while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    word = slice_sub(*line, 0, n);
    *line = slice_from(*line, n);
    return word;
}

/* "127.0.1.1 web1.example.org web1": the line that names the node, and its first name with a domain */
static char *
full_name(struct slice hosts, const char *node)
{
    struct slice line, word;

    while (slice_cut(&hosts, '\n', &line)) {
        struct slice full = slice_of(NULL);
        bool named = false;
        line = slice_sub(line, 0, slice_find(line, '#'));
        (void)next_word(&line);
        while ((word = next_word(&line)).len > 0) {
            named = named || slice_is_nocase(word, node);
            if (full.len == 0 && slice_has(word, '.') && !slice_ends_nocase(word, ".localdomain"))
                full = word;
        }
        if (named && full.len)
            return slice_dup(full);
    }
    return NULL;
}

char *
machine_full(const char *node)
{
    struct buf b;
    char *name = NULL;

    if (!*node)
        return NULL;
    if (strchr(node, '.'))
        return mem_dup(node);
    buf_init(&b, 1u << 20);
    if (read_small("/etc/hosts", &b))
        name = full_name(buf_slice(&b), node);
    buf_clear(&b);
    return name;
}

/* In the child: what the name service says goes into `out` */
static void
look_up(const char *node, int out)
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *res = NULL;

    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(1);
    if (getaddrinfo(node, NULL, &hints, &res) == 0 && res->ai_canonname)
        (void)file_write(out, res->ai_canonname, strlen(res->ai_canonname)); /* or there is no name */
    _exit(0);
}

static char *
collect(int fd)
{
    int64_t deadline = clock_deadline(LOOK_UP_MS);
    char name[256];
    size_t n = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t got;
        if (poll(&p, 1, clock_left(deadline)) <= 0)
            return NULL;
        got = file_read_some(fd, name + n, sizeof name - n);
        if (got < 0 || n + (size_t)got == sizeof name)
            return NULL;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return n && !memchr(name, '\0', n) ? slice_dup(slice_make(name, n)) : NULL;
}

/*
 * By a child, as nobody: who reads configuration and secrets parses nothing from the network, and a name service that does not
 * answer costs LOOK_UP_MS at most.
 */
static char *
ask_name_service(const char *node)
{
    int pipes[2];
    char *name;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return NULL;
    pid = fork();
    if (pid == 0)
        look_up(node, pipes[1]);
    file_close(&pipes[1]);
    name = pid > 0 ? collect(pipes[0]) : NULL;
    file_close(&pipes[0]);
    if (pid > 0) {
        (void)kill(pid, SIGKILL); /* it has ended, or should */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return name;
}

char *
machine_name(const char *node)
{
    char *full = machine_full(node);

    if (full || !*node)
        return full;
    full = ask_name_service(node);
    if (full && strchr(full, '.') && !slice_ends_nocase(slice_of(full), ".localdomain"))
        return full;
    free(full);
    return NULL;
}

char *
machine_mailname(void)
{
    struct buf b;
    struct slice line;
    char *name = NULL;

    buf_init(&b, 1000);
    if (read_small("/etc/mailname", &b)) {
        line = buf_slice(&b);
        line = slice_trim(slice_sub(line, 0, slice_find(line, '\n')));
        if (line.len)
            name = slice_dup(line);
    }
    buf_clear(&b);
    return name;
}
