/* SPDX-License-Identifier: ISC */
/* peer: reads what a step waits for, says what it has to say, and keeps what came. */
#include "unit/peer.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (1 << 20)

static bool
read_piece(struct peer *p, struct buf *into)
{
    char *room = buf_reserve(into, ROOM);
    ssize_t n = room ? recv(p->fd, room, ROOM, 0) : -1;

    if (n <= 0)
        return false;
    into->len += (size_t)n;
    return true;
}

static bool
has_come(const struct buf *got, const char *until)
{
    return got->len && memmem(got->data, got->len, until, strlen(until)) != NULL;
}

static bool
run_step(struct peer *p, const struct peer_step *step, struct buf *got)
{
    bool ok = true;

    if (!step->until)
        ok = read_piece(p, got);
    else
        while (ok && *step->until && !has_come(got, step->until))
            ok = read_piece(p, got);
    if (ok && step->say)
        ok = send(p->fd, step->say, strlen(step->say), MSG_NOSIGNAL) == (ssize_t)strlen(step->say);
    if (ok && step->close)
        (void)shutdown(p->fd, SHUT_RDWR);
    return ok;
}

static void *
run(void *arg)
{
    struct peer *p = arg;

    while (p->done < p->n && run_step(p, &p->steps[p->done], &p->got[p->done]))
        p->done++;
    while (read_piece(p, &p->got[p->n]))
        ;
    close(p->fd);
    return NULL;
}

int
peer_start(struct peer *p, int type, const struct peer_step *steps, size_t n)
{
    int pair[2];

    memset(p, 0, sizeof *p);
    ck_assert_uint_lt(n, PEER_STEPS_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    for (size_t i = 0; i <= n; i++)
        buf_init(&p->got[i], 64u << 20);
    p->fd = pair[1];
    p->steps = steps;
    p->n = n;
    ck_assert_int_eq(pthread_create(&p->thread, NULL, run, p), 0);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    return pair[0];
}

void
peer_join(struct peer *p)
{
    ck_assert_int_eq(pthread_join(p->thread, NULL), 0);
}

const char *
peer_got(struct peer *p, size_t i)
{
    return buf_str(&p->got[i]);
}

void
peer_clear(struct peer *p)
{
    for (size_t i = 0; i <= p->n; i++)
        buf_clear(&p->got[i]);
}
