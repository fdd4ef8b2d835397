/* SPDX-License-Identifier: ISC */
/* connect: the first address that stands, whatever became of the others, and never beyond the deadline. */
#include "unit/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp/connect.h"
#include "smtp/race.h"

/* A socket bound to a port of 127.0.0.1; without listen() it refuses */
static int
take_port(bool listening, uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert(!listening || listen(fd, 5) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static int
to(const char *host, uint16_t port, const char *source, int64_t deadline, struct connect_info *info,
    struct error *err)
{
    struct connect_options o = { .host = host, .port = port, .source = source };

    return connect_host(&o, deadline, info, err);
}

START_TEST(a_connection_is_ready_for_flights)
{
    struct connect_info info;
    struct error err;
    uint16_t port;
    int on = 0, listener = take_port(true, &port);
    socklen_t len = sizeof on;
    int fd = to("127.0.0.1", port, "127.0.0.1", clock_deadline(20000), &info, &err);

    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_str_eq(info.peer, "127.0.0.1");
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on);
    close(fd);
    close(listener);
}
END_TEST

/* Else a hostile MX record would lead our own mail to our own listener, again and again */
START_TEST(this_machine_is_known_by_each_of_its_addresses)
{
    static const char *const hosts[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0", "::ffff:127.0.0.2" };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct sockaddr_in any = { .sin_family = AF_INET };
        struct connect_info info;
        struct error err;
        socklen_t len = sizeof any;
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

        ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
        ck_assert_int_eq(listen(listener, 5), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&any, &len), 0);
        fd = to(hosts[i], ntohs(any.sin_port), NULL, clock_deadline(20000), &info, &err);
        if (fd < 0 && strchr(hosts[i], ':')) /* a machine without IPv6 */
            ck_assert_ptr_nonnull(strstr(err.text, "not supported"));
        else
            ck_assert_msg(fd >= 0 && info.is_here && strncmp(info.peer, "127.0.0.", 8) == 0, "%s: %s",
                hosts[i], fd >= 0 ? info.peer : err.text);
        close(fd);
        close(listener);
    }
}
END_TEST

START_TEST(an_address_that_refuses_gives_way_to_the_next)
{
    struct connect_info info;
    struct error err;
    uint16_t port;
    int listener = take_port(true, &port); /* on IPv4 only; ::1 is first where there is IPv6 */
    int fd = to("localhost", port, NULL, clock_deadline(20000), &info, &err);

    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_str_eq(info.peer, "127.0.0.1");
    close(fd);
    close(listener);
}
END_TEST

START_TEST(a_failure_names_host_port_reason_and_address)
{
    struct connect_info info;
    struct error err;
    char want[200];
    uint16_t port;
    int closed = take_port(false, &port);

    ck_assert_int_eq(to("127.0.0.1", port, NULL, clock_deadline(20000), &info, &err), -1);
    (void)snprintf(want, sizeof want,
        "127.0.0.1:%u: Connection refused (127.0.0.1); nothing listens on that port, or a firewall refuses",
        port);
    ck_assert_str_eq(err.text, want);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    ck_assert_int_eq(to("127.0.0.1", port, "::1", clock_deadline(20000), &info, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, strerror(EADDRNOTAVAIL)));
    close(closed);
}
END_TEST

START_TEST(a_deadline_that_is_over_is_no_connection)
{
    struct connect_info info;
    struct error err;
    uint16_t port;
    int listener = take_port(true, &port);

    ck_assert_int_eq(to("127.0.0.1", port, NULL, clock_ms(), &info, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "no connection in time"));
    close(listener);
}
END_TEST

/* ---------------------------------------------------------------- the race */

/* A name server: two addresses for A, for AAAA silence, or none */
struct name_server {
    int fd;
    bool silent;
};

static void *
serve_names(void *arg)
{
    struct name_server *server = arg;
    int fd = server->fd;
    unsigned char p[600];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n;

    while ((n = recvfrom(fd, p, 500, 0, (struct sockaddr *)&from, &len)) > 17) {
        static const unsigned char records[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1, 0xc0,
            12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2 };
        bool six = p[n - 3] == 28;
        if (six && server->silent)
            continue;
        p[2] = 0x81;
        p[3] = 0x80;
        p[7] = six ? 0 : 2;
        memcpy(p + n, records, sizeof records);
        (void)sendto(fd, p, (size_t)n + (six ? 0 : sizeof records), 0, (struct sockaddr *)&from, len);
    }
    return NULL;
}

static int
bind_to(uint32_t address, int type, uint16_t *port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons(*port)
    };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* At one port of two addresses, 127.0.0.1 and 127.0.0.2 */
static void
bind_both(int *first, int *second, uint16_t *port)
{
    *second = -1;
    for (int tries = 0; *second < 0 && tries < 100; tries++) {
        *port = 0;
        *first = bind_to(INADDR_LOOPBACK, SOCK_STREAM, port);
        *second = bind_to(INADDR_LOOPBACK + 1, SOCK_STREAM, port);
        if (*second < 0)
            close(*first);
    }
    ck_assert_int_ge(*second, 0);
}

enum { FILLERS = 8 };

/* A listener that answers no more: those who wait to be accepted fill its queue */
static void
fill(int listener, uint16_t port, int filler[FILLERS])
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)
    };

    ck_assert_int_eq(listen(listener, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(filler[i], (struct sockaddr *)&a, sizeof a);
    }
}

START_TEST(an_address_that_is_silent_and_a_question_without_an_answer_hold_up_nobody)
{
    struct connect_options o = { .host = "mx.example.org" };
    struct connect_info info;
    struct error err;
    uint16_t names_port = 0;
    char servers[32];
    pthread_t thread;
    struct name_server names = { bind_to(INADDR_LOOPBACK, SOCK_DGRAM, &names_port), true };
    int fd, first = -1, second = -1, filler[FILLERS];

    bind_both(&first, &second, &o.port);
    ck_assert(second >= 0 && listen(second, 5) == 0);
    fill(first, o.port, filler);
    (void)snprintf(servers, sizeof servers, "127.0.0.1:%u", names_port);
    o.name_servers = servers;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_names, &names), 0);
    fd = connect_host(&o, clock_deadline(60000), &info, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_str_eq(info.peer, "127.0.0.2");
    (void)shutdown(names.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    for (int i = 0; i < FILLERS; i++)
        close(filler[i]);
    close(fd);
    close(first);
    close(second);
    close(names.fd);
}
END_TEST

START_TEST(an_address_is_tried_though_no_more_of_them_can_come)
{
    struct connect_options o = { .host = "mx.example.org" };
    struct connect_info info;
    struct error err;
    uint16_t names_port = 0;
    char servers[32];
    pthread_t thread;
    struct name_server names = { bind_to(INADDR_LOOPBACK, SOCK_DGRAM, &names_port), false };
    int fd, listener = take_port(true, &o.port);

    (void)snprintf(servers, sizeof servers, "127.0.0.1:%u", names_port);
    o.name_servers = servers;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_names, &names), 0);
    fd = connect_host(&o, clock_deadline(60000), &info, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_str_eq(info.peer, "127.0.0.1");
    (void)shutdown(names.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    close(listener);
    close(names.fd);
}
END_TEST

/* ---------------------------------------------------------------- several hosts */

static const struct race_goal connection = { .word = false };

static struct connect_options
at_port(uint16_t port)
{
    return (struct connect_options){ .host = "127.0.0.1", .port = port };
}

START_TEST(a_host_that_is_silent_holds_up_none_of_those_beside_it)
{
    struct race *race = race_new();
    struct race_result r;
    enum race_stage stage;
    struct connect_options o[3];
    uint16_t port[3] = { 0 };
    int silent = bind_to(INADDR_LOOPBACK, SOCK_STREAM, &port[0]), filler[FILLERS];
    int refusing = take_port(false, &port[1]), good = take_port(true, &port[2]);

    fill(silent, port[0], filler);
    for (size_t i = 0; i < 3; i++)
        o[i] = at_port(port[i]);
    ck_assert(race_add(race, 7, &o[0], &connection, clock_deadline(600000), &r));
    ck_assert_int_eq(race_wait(race, clock_deadline(10), &r), RACE_WAITING);
    ck_assert(race_add(race, 8, &o[1], &connection, clock_deadline(600000), &r));
    ck_assert(race_add(race, 9, &o[2], &connection, clock_deadline(600000), &r));
    for (int i = 0; i < 2; i++) { /* whoever of them is first */
        enum race_event event = race_wait(race, CLOCK_NEVER, &r);
        ck_assert_uint_eq(r.id, event == RACE_UP ? 9 : 8);
        ck_assert(event == RACE_UP ? r.fd >= 0 : strstr(r.err.text, "refused") != NULL);
        if (event == RACE_UP)
            close(r.fd);
    }
    ck_assert_uint_eq(race_count(race), 1);
    ck_assert_uint_eq(race_give_up(race, &stage), 7);
    ck_assert_int_eq(stage, RACE_CONNECT);
    ck_assert_uint_eq(race_count(race), 0);
    race_free(race);
    for (int i = 0; i < FILLERS; i++)
        close(filler[i]);
    close(silent);
    close(refusing);
    close(good);
}
END_TEST

START_TEST(each_host_has_a_deadline_of_its_own_and_who_stands_by_then_has_come_in)
{
    struct race *race = race_new();
    struct race_result r;
    struct connect_options o[2];
    uint16_t port[2] = { 0 };
    int silent = bind_to(INADDR_LOOPBACK, SOCK_STREAM, &port[0]), filler[FILLERS];
    int good = take_port(true, &port[1]);

    fill(silent, port[0], filler);
    for (size_t i = 0; i < 2; i++)
        o[i] = at_port(port[i]);
    ck_assert(race_add(race, 0, &o[0], &connection, clock_deadline(600000), &r));
    ck_assert(race_add(race, 1, &o[0], &connection, clock_deadline(20), &r));
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_FAILED);
    ck_assert_uint_eq(r.id, 1);
    ck_assert_ptr_nonnull(strstr(r.err.text, "no connection in time"));
    ck_assert(race_add(race, 2, &o[1], &connection, clock_deadline(600000), &r));
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_UP);
    ck_assert_uint_eq(r.id, 2);
    close(r.fd);
    race_free(race); /* with one under way */
    for (int i = 0; i < FILLERS; i++)
        close(filler[i]);
    close(silent);
    close(good);
}
END_TEST

/* ---------------------------------------------------------------- up to the first word */

static const struct race_goal word = { .word = true };

/* A host that takes the connection; it is connected when this comes back */
static void
add_listener(struct race *race, size_t id, const struct connect_options *o, int64_t deadline)
{
    struct race_result r;

    ck_assert(race_add(race, id, o, &word, deadline, &r));
    while (!race_is_silent(race))
        ck_assert_int_eq(race_wait(race, clock_deadline(5), &r), RACE_WAITING);
}

static int
say(int listener, const char *text)
{
    int fd = accept(listener, NULL, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    return fd;
}

START_TEST(a_host_that_takes_the_connection_and_says_nothing_holds_up_none_of_those_beside_it)
{
    static const char *const words[] = { "220 good.example.org ESMTP\r\n", "2", "" }; /* the last hangs up */

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct race *race = race_new();
        struct race_result r;
        struct connect_options o[2];
        uint16_t port[2];
        int listener[2] = { take_port(true, &port[0]), take_port(true, &port[1]) }, fd;
        enum race_stage stage;
        char text[100];

        for (size_t k = 0; k < 2; k++) {
            o[k] = at_port(port[k]);
            add_listener(race, k, &o[k], clock_deadline(600000));
        }
        ck_assert(!race_take(race, &r)); /* there are two */
        fd = say(listener[1], words[i]);
        if (!*words[i])
            close(fd);
        ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_UP);
        ck_assert_uint_eq(r.id, 1);
        ck_assert_ptr_null(r.tls);
        ck_assert_str_eq(r.info.peer, "127.0.0.1");
        ck_assert_int_eq(
            recv(r.fd, text, sizeof text, 0), (ssize_t)strlen(words[i])); /* nothing was taken of it */
        close(r.fd);
        ck_assert_uint_eq(race_give_up(race, &stage), 0);
        ck_assert_int_eq(stage, RACE_GREET);
        race_free(race);
        if (*words[i])
            close(fd);
        close(listener[0]);
        close(listener[1]);
    }
}
END_TEST

START_TEST(a_host_that_says_nothing_until_its_deadline_has_failed_and_the_only_one_can_be_taken_as_it_is)
{
    static const struct tls_options options = { .host = "127.0.0.1" };
    static const struct race_goal through_tls = { .word = true, .tls = &options };
    struct race *race = race_new();
    struct race_result r;
    uint16_t port;
    int listener = take_port(true, &port);
    struct connect_options o = at_port(port);

    ck_assert(race_add(race, 3, &o, &word, clock_deadline(20), &r));
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_FAILED);
    ck_assert_int_eq(r.stage, RACE_GREET);
    ck_assert_str_eq(r.err.text, "greeting: no answer in time");
    ck_assert_int_eq(r.fd, -1);
    ck_assert(race_add(race, 4, &o, &through_tls, clock_deadline(20), &r));
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_FAILED);
    ck_assert_int_eq(r.stage, RACE_TLS);
    ck_assert_str_eq(r.err.text, "TLS handshake: no answer in time");
    ck_assert_ptr_null(r.tls);
    add_listener(race, 5, &o, clock_deadline(600000));
    ck_assert(race_take(race, &r));
    ck_assert(r.id == 5 && r.fd >= 0);
    ck_assert_uint_eq(race_count(race), 0);
    ck_assert(!race_take(race, &r) && !race_is_silent(race));
    close(r.fd);
    race_free(race);
    close(listener);
}
END_TEST

/* 127.0.0.1 and 127.0.0.2 at one port, as the name server says */
START_TEST(addresses_that_are_left_out_are_not_tried_and_of_the_others_it_is_known_that_there_are_some)
{
    struct connect_peers without = { .n = 0 };
    struct connect_options o = { .host = "mx.example.org", .without = &without };
    struct race *race = race_new();
    struct race_result r;
    uint16_t names_port = 0;
    char servers[32];
    pthread_t thread;
    struct name_server names = { bind_to(INADDR_LOOPBACK, SOCK_DGRAM, &names_port), false };
    int first = -1, second = -1;
    size_t id;

    bind_both(&first, &second, &o.port);
    ck_assert(second >= 0 && listen(first, 5) == 0 && listen(second, 5) == 0);
    (void)snprintf(servers, sizeof servers, "127.0.0.1:%u", names_port);
    o.name_servers = servers;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_names, &names), 0);
    for (int i = 1; i <= 2; i++) {
        char text[CONNECT_PEER_SIZE];
        (void)snprintf(text, sizeof text, "127.0.0.%d", i);
        add_listener(race, (size_t)i, &o, clock_deadline(600000));
        const struct connect_info *info = race_silent(race, &id);
        ck_assert_ptr_nonnull(info);
        ck_assert_uint_eq(id, (size_t)i);
        ck_assert_str_eq(info->peer, text);
        ck_assert(i == 2 || info->has_others);
        memcpy(without.peer[without.n++], info->peer, sizeof without.peer[0]);
    }
    ck_assert(race_has(race, 1) && race_has(race, 2) && !race_has(race, 3));
    ck_assert(race_add(race, 3, &o, &word, clock_deadline(60000), &r));
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_FAILED);
    ck_assert(r.id == 3 && !r.was_begun);
    race_free(race);
    (void)shutdown(names.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(first);
    close(second);
    close(names.fd);
}
END_TEST

START_TEST(a_host_that_does_not_speak_tls_where_it_should_is_up_for_who_says_why)
{
    static const struct tls_options options = { .host = "127.0.0.1" };
    static const struct race_goal through_tls = { .word = true, .tls = &options };
    struct race *race = race_new();
    struct race_result r;
    enum tls_failure failure;
    struct error err;
    uint16_t port;
    int listener = take_port(true, &port), fd;
    struct connect_options o = at_port(port);

    ck_assert(race_add(race, 0, &o, &through_tls, clock_deadline(600000), &r));
    while (!race_is_silent(race))
        ck_assert_int_eq(race_wait(race, clock_deadline(5), &r), RACE_WAITING);
    fd = say(listener, "220 in.clear.example.org\r\n");
    ck_assert_int_eq(race_wait(race, CLOCK_NEVER, &r), RACE_UP);
    ck_assert_ptr_nonnull(r.tls);
    ck_assert_ptr_null(tls_finish(r.tls, clock_deadline(0), &failure, &err));
    ck_assert_int_eq(failure, TLS_FAILURE_HANDSHAKE);
    race_free(race);
    close(r.fd);
    close(fd);
    close(listener);
}
END_TEST

/* ---------------------------------------------------------------- SOCKS5 */

struct proxy {
    int listener;
    const char *hello, *answer; /* what it says: 2 and `n` octets */
    size_t n;
    char asked[300];
    size_t asked_len;
};

static void *
serve_proxy(void *arg)
{
    struct proxy *p = arg;
    char hello[3];
    int fd = accept(p->listener, NULL, NULL);

    if (recv(fd, hello, 3, MSG_WAITALL) == 3 && send(fd, p->hello, 2, MSG_NOSIGNAL) == 2) {
        ssize_t n = recv(fd, p->asked, sizeof p->asked, 0);
        p->asked_len = n > 0 ? (size_t)n : 0;
        (void)send(fd, p->answer, p->n, MSG_NOSIGNAL);
    }
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, hello, 1, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static const struct {
    const char *hello, *answer;
    size_t n;
    const char *why; /* NULL: it works */
} proxies[] = {
    { "\5\0", "\5\0\0\1\x7f\0\0\1\0\x19", 10, NULL },
    { "\5\0", "\5\0\0\3\1a\0\x19", 8, NULL },
    { "\5\0", "\5\0\0\4aaaabbbbccccdddd\0\x19", 22, NULL },
    { "\5\0", "\5\5\0\1\0\0\0\0\0\0", 10, "connection refused" },
    { "\5\0", "\5\4", 2, "host unreachable" },
    { "\5\0", "\5\x99\0\1\0\0\0\0\0\0", 10, "unknown refusal" },
    { "\5\0", "\5\0\0\7\0\0\0\0\0\0", 10, "does not speak SOCKS5" },
    { "\5\0", "\5\0\0\1\x7f", 5, "does not speak SOCKS5" },
    { "\5\0", "HTTP/1.1", 8, "does not speak SOCKS5" },
    { "\5\xff", "", 0, "wants a login" },
    { "HT", "", 0, "does not speak SOCKS5" },
};

START_TEST(a_proxy_is_asked_for_the_name_and_its_refusal_is_told)
{
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        struct proxy p = { .hello = proxies[i].hello, .answer = proxies[i].answer, .n = proxies[i].n };
        struct connect_options o = { .host = "mx.example.org", .port = 587, .proxy_host = "127.0.0.1" };
        struct connect_info info;
        struct error err;
        pthread_t thread;
        int fd;

        p.listener = take_port(true, &o.proxy_port);
        ck_assert_int_eq(pthread_create(&thread, NULL, serve_proxy, &p), 0);
        fd = connect_host(&o, clock_deadline(20000), &info, &err);
        ck_assert_msg((fd >= 0) == !proxies[i].why, "%zu: %s", i, err.text);
        ck_assert_msg(fd >= 0 || strstr(err.text, proxies[i].why), "%zu: %s", i, err.text);
        if (fd >= 0) {
            ck_assert_uint_eq(p.asked_len, 7 + strlen("mx.example.org"));
            ck_assert_int_eq(memcmp(p.asked, "\5\1\0\3\x0emx.example.org\x02\x4b", p.asked_len), 0);
            close(fd);
        }
        pthread_join(thread, NULL);
        close(p.listener);
    }
}
END_TEST

START_TEST(a_proxy_gets_an_ip_literal_as_an_address)
{
    static const struct {
        const char *host, *request;
        size_t n;
    } t[] = {
        { "192.0.2.1", "\5\1\0\1\xc0\0\2\1\x02\x4b", 10 },
        { "2001:db8::1", "\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x02\x4b", 22 },
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct proxy p = { .hello = "\5\0", .answer = "\5\0\0\1\x7f\0\0\1\0\x19", .n = 10 };
        struct connect_options o = { .host = t[i].host, .port = 587, .proxy_host = "127.0.0.1" };
        struct connect_info info;
        struct error err;
        pthread_t thread;
        int fd;

        p.listener = take_port(true, &o.proxy_port);
        ck_assert_int_eq(pthread_create(&thread, NULL, serve_proxy, &p), 0);
        fd = connect_host(&o, clock_deadline(20000), &info, &err);
        ck_assert_msg(fd >= 0, "%s", err.text);
        ck_assert_uint_eq(p.asked_len, t[i].n);
        ck_assert_int_eq(memcmp(p.asked, t[i].request, t[i].n), 0);
        close(fd);
        pthread_join(thread, NULL);
        close(p.listener);
    }
}
END_TEST

SUITE_MAIN("connect", a_host_that_takes_the_connection_and_says_nothing_holds_up_none_of_those_beside_it,
    a_host_that_says_nothing_until_its_deadline_has_failed_and_the_only_one_can_be_taken_as_it_is,
    addresses_that_are_left_out_are_not_tried_and_of_the_others_it_is_known_that_there_are_some,
    a_host_that_does_not_speak_tls_where_it_should_is_up_for_who_says_why,
    an_address_is_tried_though_no_more_of_them_can_come,
    a_host_that_is_silent_holds_up_none_of_those_beside_it,
    each_host_has_a_deadline_of_its_own_and_who_stands_by_then_has_come_in,
    an_address_that_is_silent_and_a_question_without_an_answer_hold_up_nobody,
    a_proxy_gets_an_ip_literal_as_an_address, a_connection_is_ready_for_flights,
    this_machine_is_known_by_each_of_its_addresses, an_address_that_refuses_gives_way_to_the_next,
    a_failure_names_host_port_reason_and_address, a_deadline_that_is_over_is_no_connection,
    a_proxy_is_asked_for_the_name_and_its_refusal_is_told)
