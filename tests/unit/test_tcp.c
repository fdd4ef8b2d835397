/* SPDX-License-Identifier: ISC */
/* tcp: who is at the other end, as far as the kernel tells. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/tcpowner.h"
#include "daemon/tcp.h"
#include "unit/suite.h"

/* A connection within this process; *server is the end that asks who is there. False: there is no such address here */
static bool
make_pair(const char *where, int *client, int *server)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct error err;
    int listener = tcp_listen(where, &err);
    struct pollfd p = { .fd = listener, .events = POLLIN };

    if (listener < 0)
        return false;
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *client = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(*client, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(poll(&p, 1, 20000), 1);
    *server = accept(listener, NULL, NULL);
    ck_assert_int_ge(*server, 0);
    close(listener);
    return true;
}

START_TEST(a_process_of_this_machine_is_known_by_its_user)
{
    static const char *const where[] = { "127.0.0.1:0", "[::1]:0" };
    int diag = tcpowner_open();

    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        struct tcp_peer peer;
        int client, server;
        if (!make_pair(where[i], &client, &server))
            continue;
        ck_assert(tcp_identify(server, &peer));
        ck_assert(peer.is_loopback);
        if (tcp_uid(diag, server, &peer) != -1) /* a kernel without sock_diag */
            ck_assert_int_eq(tcp_uid(diag, server, &peer), getuid());
        ck_assert_int_eq(tcp_uid(-1, server, &peer), -1);
        close(client);
        close(server);
    }
    close(diag);
}
END_TEST

/* The kernel calls its user root then: anybody could be root that way */
START_TEST(who_has_hung_up_is_nobody_not_root)
{
    int diag = tcpowner_open(), client, server;
    struct tcp_peer peer;

    for (int half = 0; half < 2; half++) {
        ck_assert(make_pair("127.0.0.1:0", &client, &server));
        ck_assert(tcp_identify(server, &peer));
        bool known = tcp_uid(diag, server, &peer) != -1;
        ck_assert_int_eq(write(client, "EHLO x\r\n", 8), 8);
        if (half) {
            ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
            if (known)
                ck_assert_int_eq(tcp_uid(diag, server, &peer), getuid());
        }
        close(client);
        ck_assert_int_eq(tcp_uid(diag, server, &peer), -1);
        close(server);
    }
    close(diag);
}
END_TEST

START_TEST(a_machine_is_one_however_many_addresses_it_has)
{
    struct tcp_peer peer;
    int client, server;

    if (!make_pair("[::1]:0", &client, &server))
        return;
    ck_assert(tcp_identify(server, &peer));
    ck_assert_str_eq(peer.literal, "[IPv6:::1]");
    ck_assert_str_eq(peer.network, "[IPv6:::1]");
    close(client);
    close(server);
    ck_assert(make_pair("127.0.0.1:0", &client, &server));
    ck_assert(tcp_identify(server, &peer));
    ck_assert_str_eq(peer.network, "[127.0.0.1]");
    close(client);
    close(server);
}
END_TEST

SUITE_MAIN("tcp", a_process_of_this_machine_is_known_by_its_user, who_has_hung_up_is_nobody_not_root,
    a_machine_is_one_however_many_addresses_it_has)
