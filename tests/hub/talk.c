/* SPDX-License-Identifier: ISC */
/* talk: the smallest client there is, so that shell scripts can speak to a server: all at once, or in turn. */
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "hub/hub.h"

static int
connect_unix(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : fd;
}

/* "127.0.0.1:PORT", or the port alone */
static int
connect_tcp(const char *where)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    const char *colon = strrchr(where, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)strtoul(colon ? colon + 1 : where, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : fd;
}

/* Copy from one to the other once; false at the end. */
static bool
copy(int from, int to)
{
    char piece[16384];
    ssize_t n = file_read_some(from, piece, sizeof piece);

    return n > 0 && file_write(to, piece, (size_t)n);
}

/* Copy until a reply is complete; false at the end. */
static bool
hear(int fd, char last[3])
{
    char c, line[5];
    size_t n = 0;

    while (file_read_some(fd, &c, 1) == 1 && file_write(STDOUT_FILENO, &c, 1)) {
        if (c == '\n' && n >= 4 && line[3] == ' ') {
            memcpy(last, line, 3);
            return true;
        }
        if (n < sizeof line)
            line[n++] = c;
        if (c == '\n')
            n = 0;
    }
    return false;
}

/* Each command when the one before is answered, as a stranger has to; the text as it stands. At the end of input it hangs up. */
static int
take_turns(int fd)
{
    char line[70000], last[3] = "";
    bool in_text = false;

    if (!hear(fd, last))
        return 0;
    while (fgets(line, sizeof line, stdin)) {
        size_t n = strlen(line);
        if (!file_write(fd, line, n)) {
            while (hear(fd, last))
                ;
            return 0;
        }
        if (in_text && strcmp(line, ".\r\n") != 0)
            continue;
        if (!hear(fd, last))
            return 0;
        in_text = memcmp(last, "354", 3) == 0;
    }
    (void)shutdown(fd, SHUT_WR); /* it may be closed already */
    while (hear(fd, last))
        ;
    return 0;
}

int
talk_run(const char *where, bool in_turn, int64_t max_time_ms)
{
    int fd = where[0] == '/' ? connect_unix(where) : connect_tcp(where);
    struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
    int64_t deadline = clock_deadline(max_time_ms);

    if (fd < 0) {
        perror(where);
        return 1;
    }
    if (in_turn)
        return take_turns(fd);
    while (poll(p, 2, clock_left(deadline)) > 0) {
        if (p[0].revents && !copy(fd, STDOUT_FILENO))
            return 0;
        if (p[0].revents)
            p[1].fd = STDIN_FILENO; /* it has greeted */
        else if (p[1].revents && !copy(STDIN_FILENO, fd)) {
            (void)shutdown(fd, SHUT_WR); /* it may be closed already */
            p[1].fd = -1;
            p[1].events = 0;
            while (copy(fd, STDOUT_FILENO))
                ;
            return 0;
        }
    }
    fprintf(stderr, "%s: no answer in time\n", where);
    return 1;
}
