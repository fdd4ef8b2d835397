/* SPDX-License-Identifier: ISC */
/* resolve: what is known is used at once, and what comes later is not lost. The name server is this test itself. */
#include "unit/suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp/answer.h"
#include "smtp/resolve.h"

enum { SIX, FOUR };

/* A name server with the two queries that have come in */
struct server {
    int fd;
    char where[32]; /* for resolve_new() */
    struct resolve *names;
    struct {
        unsigned char packet[600];
        size_t len;
        struct sockaddr_in from;
    } query[2];
};

static void
take_query(struct server *s)
{
    unsigned char p[600];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(s->fd, p, sizeof p, 0, (struct sockaddr *)&from, &len);
    int which;

    ck_assert_int_gt(n, 17);
    which = p[n - 3] == ANSWER_AAAA ? SIX : FOUR;
    ck_assert(which == SIX || p[n - 3] == ANSWER_A);
    memcpy(s->query[which].packet, p, (size_t)n);
    s->query[which].len = (size_t)n;
    s->query[which].from = from;
}

static void
server_begin(struct server *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    struct error err;

    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(s->where, sizeof s->where, "127.0.0.1:%u", ntohs(a.sin_port));
    s->names = resolve_new("mx.example.org", s->where, &err);
    ck_assert_msg(s->names != NULL, "%s", err.text);
    take_query(s);
    take_query(s);
}

static void
server_end(struct server *s)
{
    resolve_free(s->names);
    close(s->fd);
}

/* The answer to one of the queries: addresses in words, and the rcode */
static void
answer(struct server *s, int which, const char *addresses, unsigned rcode)
{
    unsigned char p[1000];
    size_t n = s->query[which].len, size = which == SIX ? 16 : 4;
    char copy[400], *rest = copy, *word;

    memcpy(p, s->query[which].packet, n);
    p[2] = 0x81;
    p[3] = (unsigned char)(0x80 | rcode);
    (void)snprintf(copy, sizeof copy, "%s", addresses);
    while ((word = strsep(&rest, " ")) && *word) {
        unsigned char head[12] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0 };
        head[3] = which == SIX ? ANSWER_AAAA : ANSWER_A;
        head[11] = (unsigned char)size;
        memcpy(p + n, head, sizeof head);
        ck_assert_int_eq(inet_pton(which == SIX ? AF_INET6 : AF_INET, word, p + n + sizeof head), 1);
        n += sizeof head + size;
        p[7]++;
    }
    ck_assert_int_eq(
        sendto(s->fd, p, n, 0, (struct sockaddr *)&s->query[which].from, sizeof s->query[which].from),
        (ssize_t)n);
}

static void
step(struct server *s)
{
    struct pollfd p[RESOLVE_SOCKETS];
    int64_t until = clock_deadline(20000);
    size_t n = resolve_poll(s->names, p, &until);

    ck_assert_int_ge(poll(p, (nfds_t)n, clock_left(until)), 0);
    resolve_step(s->names, p, n);
}

static bool
next(struct server *s, char out[64])
{
    struct resolve_address a;

    if (!resolve_next(s->names, &a))
        return false;
    ck_assert_ptr_nonnull(inet_ntop(a.addr.ss_family,
        a.addr.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&a.addr)->sin6_addr
                                     : (const void *)&((struct sockaddr_in *)&a.addr)->sin_addr,
        out, 64));
    return true;
}

/* The next address, waited for */
static void
expect(struct server *s, const char *address)
{
    char text[64];

    while (!next(s, text)) {
        ck_assert_msg(!resolve_is_over(s->names), "%s does not come", address);
        step(s);
    }
    ck_assert_str_eq(text, address);
}

START_TEST(an_ipv4_address_waits_a_moment_for_ipv6_and_no_longer)
{
    struct server s;
    char text[64];

    server_begin(&s);
    answer(&s, FOUR, "192.0.2.1 192.0.2.2", 0);
    expect(&s, "192.0.2.1");
    ck_assert(!resolve_is_over(s.names));
    expect(&s, "192.0.2.2");
    ck_assert(!next(&s, text));
    /* what comes late is tried all the same */
    answer(&s, SIX, "2001:db8::1", 0);
    expect(&s, "2001:db8::1");
    ck_assert(resolve_is_over(s.names) && !next(&s, text));
    server_end(&s);
}
END_TEST

START_TEST(an_ipv6_address_waits_for_nothing)
{
    struct server s;
    char text[64];

    server_begin(&s);
    answer(&s, SIX, "2001:db8::1", 0);
    expect(&s, "2001:db8::1");
    ck_assert(!resolve_is_over(s.names));
    answer(&s, FOUR, "192.0.2.1", 0);
    expect(&s, "192.0.2.1");
    ck_assert(resolve_is_over(s.names) && !next(&s, text));
    server_end(&s);
}
END_TEST

START_TEST(ipv6_and_ipv4_take_turns)
{
    struct server s;

    server_begin(&s);
    answer(&s, FOUR, "192.0.2.1 192.0.2.2 192.0.2.3", 0);
    answer(&s, SIX, "2001:db8::1 2001:db8::2", 0);
    while (!resolve_is_over(s.names))
        step(&s);
    expect(&s, "2001:db8::1");
    expect(&s, "192.0.2.1");
    expect(&s, "2001:db8::2");
    expect(&s, "192.0.2.2");
    expect(&s, "192.0.2.3");
    server_end(&s);
}
END_TEST

/* What both queries are answered, and what is said of the host; NULL: there is an address */
static const struct {
    const char *six;
    unsigned six_rcode;
    const char *four;
    unsigned four_rcode;
    const char *why;
} outcomes[] = {
    { "", 3, "", 3, "mx.example.org: there is no such host" },
    { "", 0, "", 0, "mx.example.org: the host has no address" },
    { "", 2, "", 2, "mx.example.org: the name service does not answer" },
    { "", 0, "", 2, "mx.example.org: the name service does not answer" },
    { "", 2, "192.0.2.1", 0, NULL },
    { "", 5, "192.0.2.1", 0, NULL },
    { "2001:db8::1", 0, "", 2, NULL },
};

START_TEST(trouble_with_one_family_is_none_while_the_other_has_an_address)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct server s;
        struct error err;
        bool failed;

        server_begin(&s);
        answer(&s, SIX, outcomes[i].six, outcomes[i].six_rcode);
        answer(&s, FOUR, outcomes[i].four, outcomes[i].four_rcode);
        while (!resolve_is_over(s.names))
            step(&s);
        failed = resolve_has_failed(s.names, &err);
        ck_assert_msg(failed == (outcomes[i].why != NULL), "%zu", i);
        if (failed)
            ck_assert_str_eq(err.text, outcomes[i].why);
        server_end(&s);
    }
}
END_TEST

START_TEST(literals_and_localhost_are_never_asked_for)
{
    static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "localhost", "a.localhost" };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct server s = { .fd = -1 };
        struct pollfd p[RESOLVE_SOCKETS];
        struct error err;
        int64_t until = CLOCK_NEVER;
        char text[64];

        s.names = resolve_new(hosts[i], "127.0.0.1:1", &err);
        ck_assert(s.names && resolve_is_over(s.names) && next(&s, text));
        ck_assert_uint_eq(resolve_poll(s.names, p, &until), 0);
        ck_assert(until == CLOCK_NEVER && !resolve_has_failed(s.names, &err));
        resolve_free(s.names);
    }
}
END_TEST

static const struct {
    const char *servers;
    bool trusted;
} trusted[] = {
    { "127.0.0.1", true },
    { "127.0.0.53:53", true },
    { "[::1]:53", true },
    { "::1", true },
    { "192.0.2.1", false },
    { "192.0.2.1:53", false },
    { "2001:db8::1", false },
    { "[2001:db8::1]:53", false },
    { "127.0.0.1,192.0.2.1", false },
    { "192.0.2.1,127.0.0.1", false },
    { "127.0.0.1,::1", true },
    { "x", false },
};

START_TEST(only_a_name_server_on_this_machine_is_believed_about_dnssec)
{
    for (size_t i = 0; i < sizeof trusted / sizeof trusted[0]; i++)
        ck_assert_msg(resolve_trusts_ad(trusted[i].servers) == trusted[i].trusted, "%s", trusted[i].servers);
}
END_TEST

/* Goes through all that chance may say of the first target; the others do not count here */
struct count {
    uint32_t value, range;
    bool is_first;
};

static uint32_t
counted(void *ctx, uint32_t n)
{
    struct count *c = ctx;

    if (!c->is_first)
        return 0;
    c->is_first = false;
    c->range = n;
    return c->value;
}

static const struct {
    uint16_t weight[3];   /* of hosts a, b, c */
    uint32_t first[3], n; /* of n draws, so often each is the first */
} weights[] = {
    { { 1, 1, 1 }, { 1, 1, 1 }, 3 },
    { { 3, 1, 1 }, { 3, 1, 1 }, 5 },
    { { 30, 10, 5 }, { 30, 10, 5 }, 45 },
    { { 0, 0, 0 }, { 1, 1, 1 }, 3 },
    { { 5, 0, 4 }, { 5, 1, 4 }, 10 },
    { { 65535, 65535, 1 }, { 65535, 65535, 1 }, 131071 },
};

START_TEST(srv_targets_are_the_first_in_exact_proportion_to_their_weights)
{
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        uint32_t first[3] = { 0, 0, 0 };
        struct count c = { .range = 1 };
        for (c.value = 0; c.value < c.range; c.value++) {
            struct resolve_target t[4] = { { .host = "d", .priority = 20, .weight = 65535 } };
            for (int k = 0; k < 3; k++)
                t[k + 1] = (struct resolve_target){ { (char)('a' + k) }, 587, 10, weights[i].weight[k] };
            c.is_first = true;
            resolve_order(t, 4, counted, &c);
            ck_assert_str_eq(t[3].host, "d");
            ck_assert(
                t[1].host[0] != t[0].host[0] && t[2].host[0] != t[0].host[0] && t[2].host[0] != t[1].host[0]);
            first[t[0].host[0] - 'a']++;
        }
        ck_assert_uint_eq(c.range, weights[i].n);
        ck_assert_msg(memcmp(first, weights[i].first, sizeof first) == 0, "%u: %u %u %u", (unsigned)i,
            first[0], first[1], first[2]);
    }
}
END_TEST

SUITE_MAIN("resolve", an_ipv4_address_waits_a_moment_for_ipv6_and_no_longer,
    an_ipv6_address_waits_for_nothing, ipv6_and_ipv4_take_turns,
    trouble_with_one_family_is_none_while_the_other_has_an_address,
    literals_and_localhost_are_never_asked_for, only_a_name_server_on_this_machine_is_believed_about_dnssec,
    srv_targets_are_the_first_in_exact_proportion_to_their_weights)
