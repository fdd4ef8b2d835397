/* SPDX-License-Identifier: ISC */
/* tcpowner: sock_diag(7). */
#include "base/tcpowner.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"

enum { DIAG_MS = 200 };

int
tcpowner_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static void
set_end(void *address, __be16 *port, const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        memcpy(address, &v4->sin_addr, sizeof v4->sin_addr);
        *port = v4->sin_port;
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
        memcpy(address, &v6->sin6_addr, sizeof v6->sin6_addr);
        *port = v6->sin6_port;
    }
}

/* What the kernel says of one socket */
struct diag_answer {
    struct nlmsghdr head;
    struct inet_diag_msg body;
    char rest[4096];
};

/* Only what was asked now: an answer that was too late for its own question is thrown away */
static bool
receive(int diag, uint32_t number, struct diag_answer *answer)
{
    for (;;) {
        ssize_t n = recv(diag, answer, sizeof *answer, 0);
        if (n < (ssize_t)sizeof answer->head)
            return false;
        if (answer->head.nlmsg_seq != number)
            continue;
        return answer->head.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
               n >= (ssize_t)(sizeof answer->head + sizeof answer->body);
    }
}

int64_t
tcpowner_uid(int diag, const struct sockaddr_storage *theirs, const struct sockaddr_storage *ours)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } ask = { { sizeof ask, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0 },
        { .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_ESTABLISHED } };
    struct timeval limit = { 0, DIAG_MS * 1000 };
    struct diag_answer answer;

    if (diag < 0)
        return -1;
    ask.head.nlmsg_seq = (uint32_t)clock_us();
    ask.req.sdiag_family = (unsigned char)theirs->ss_family;
    set_end(ask.req.id.idiag_src, &ask.req.id.idiag_sport, theirs);
    set_end(ask.req.id.idiag_dst, &ask.req.id.idiag_dport, ours);
    ask.req.id.idiag_cookie[0] = ask.req.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    (void)setsockopt(diag, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(diag, &ask, sizeof ask, 0) != (ssize_t)sizeof ask || !receive(diag, ask.head.nlmsg_seq, &answer))
        return -1;
    /* one that its process has closed already belongs to nobody, and the kernel says root; nor may it be a stranger's listener */
    if (answer.body.idiag_inode == 0 || answer.body.idiag_state == TCP_LISTEN ||
        answer.body.id.idiag_dport != ask.req.id.idiag_dport)
        return -1;
    return answer.body.idiag_uid;
}
