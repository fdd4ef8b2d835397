/* SPDX-License-Identifier: ISC */
/* passfd: sendmsg and recvmsg with descriptors; nothing about what is sent. */
#include "base/passfd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * PASSFD_MAX)];
};

bool
passfd_send(int sock, const void *data, size_t len, const int *fds, size_t nfds)
{
    union control control;
    /* sendmsg does not write through iov_base */
    struct iovec iov = { .iov_base = (void *)(size_t)data, .iov_len = len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    ensure(nfds <= PASSFD_MAX && len > 0);
    if (nfds) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.bytes;
        msg.msg_controllen =
            (socklen_t)CMSG_SPACE(sizeof(int) * nfds); /* what musl has there, and fits in glibc's */
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n != len)
        errno = EMSGSIZE;
    return n >= 0 && (size_t)n == len;
}

/* CMSG_NXTHDR of musl mixes signs */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static void
take_descriptors(struct msghdr *msg, int fds[PASSFD_MAX])
{
    size_t have = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            if (have < PASSFD_MAX)
                fds[have++] = fd;
            else
                (void)close(fd); /* more than we asked for */
        }
    }
}
#pragma GCC diagnostic pop

ssize_t
passfd_receive(int sock, void *data, size_t size, int fds[PASSFD_MAX])
{
    union control control;
    struct iovec iov = { .iov_base = data, .iov_len = size };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control
    };
    ssize_t n;

    for (size_t i = 0; i < PASSFD_MAX; i++)
        fds[i] = -1;
    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return n;
    take_descriptors(&msg, fds);
    if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return n;
    for (size_t i = 0; i < PASSFD_MAX; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
    if (msg.msg_flags & MSG_TRUNC) {
        errno = EMSGSIZE;
        return -1;
    }
    fds[0] = PASSFD_LOST;
    return n;
}

int
passfd_failure(ssize_t n, int fds[PASSFD_MAX], const char *between, struct error *err)
{
    int why = errno;

    for (size_t i = 0; i < PASSFD_MAX; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]); /* not ours to keep */
    if (n == 0 || (n < 0 && why == ECONNRESET))
        return 0;
    if (n < 0 && (why == EAGAIN || why == EWOULDBLOCK))
        return -2;
    if (n < 0 || fds[0] == PASSFD_LOST)
        error_sys(err, ERROR_OS, n < 0 ? why : EMFILE, "cannot receive from the other process");
    else
        error_set(err, ERROR_INTERNAL, "a malformed packet between %s", between);
    return -1;
}
