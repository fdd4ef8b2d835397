/* SPDX-License-Identifier: ISC */
/*
 * Packets between processes (ipc/job, ipc/start), from a worker or a daemon that lies: whatever comes, no descriptor is lost, and
 * what is taken keeps the promises of the header. First byte: which of the two, and how many descriptors come with it.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/passfd.h"
#include "ipc/job.h"
#include "ipc/start.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_in(struct slice s, const char *buffer)
{
    return s.len == 0 || (s.p >= buffer && s.p + s.len <= buffer + JOB_PACKET_MAX);
}

static void
look_at_job(const struct job_packet *p, const char *buffer)
{
    ensure(p->type >= JOB_START && p->type <= JOB_STARVED);
    ensure((p->type == JOB_START) == (p->fd >= 0));
    ensure(is_in(p->text, buffer) && is_in(p->bitmap, buffer));
    if (p->type == JOB_START) {
        ensure(p->recipients <= JOB_RECIPIENTS_MAX);
        for (uint32_t i = 0; i < p->recipients; i++)
            (void)job_bit(p->bitmap, i); /* none is beyond it */
        ensure(!job_bit(p->bitmap, p->recipients + 7));
    } else if (p->type == JOB_FACT) {
        ensure(strlen(p->fact.enhanced) < sizeof p->fact.enhanced &&
               strlen(p->fact.relay) < sizeof p->fact.relay && strlen(p->fact.text) < sizeof p->fact.text);
    } else if (p->type == JOB_LOG) {
        ensure(p->level >= 0 && p->level <= 3);
    } else if (p->type == JOB_HUB) {
        ensure(p->level >= JOB_HUB_WORKS && p->level <= JOB_HUB_LATE);
    } else if (p->type == JOB_CERTIFICATE || p->type == JOB_TOKEN || p->type == JOB_CLIENT) {
        ensure(p->expires_s >= 0 && p->expires_s <= JOB_EXPIRES_MAX);
    } else if (p->type == JOB_FAILED) {
        ensure(p->level >= ERROR_INTERNAL && p->level <= ERROR_CONFIG);
    }
}

static int
receive_job(int sock)
{
    static char buffer[JOB_PACKET_MAX];
    struct job_packet p;
    struct error err;
    int r = job_receive(sock, buffer, &p, &err);

    if (r == 1)
        look_at_job(&p, buffer);
    ensure(r == 1 || p.fd == -1);
    ensure(r != -1 || err.class == ERROR_INTERNAL || err.class == ERROR_OS);
    return p.fd;
}

static int
receive_start(int sock)
{
    struct start_packet p;
    struct error err;
    int r = start_receive(sock, &p, &err);

    ensure(r != 1 || strlen(p.text) < sizeof p.text);
    ensure(r == 1 || (p.fd == -1 && p.log_fd == -1));
    start_drop(&p);
    return -1;
}

/* The lowest number that is free: the same before and after when nothing was left open */
static int
next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    ensure(fd >= 0 && close(fd) == 0);
    return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fds[PASSFD_MAX] = { STDERR_FILENO, STDERR_FILENO };
    int pair[2], before = next_descriptor(), fd;

    if (size < 2 || size > JOB_PACKET_MAX + 100)
        return 0;
    ensure(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    ensure(passfd_send(pair[0], data + 1, size - 1, fds, data[0] / 2 % (PASSFD_MAX + 1)));
    fd = data[0] % 2 ? receive_job(pair[1]) : receive_start(pair[1]);
    if (fd >= 0)
        (void)close(fd);
    ensure(close(pair[0]) == 0 && close(pair[1]) == 0);
    ensure(next_descriptor() == before);
    return 0;
}
