/* SPDX-License-Identifier: ISC */
/* dane: when TLSA records count, and at which name; a child is the name server. */
#include "unit/suite.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp/dane.h"
#include "smtp/mx.h"

#define AD 0x20

/* What is answered; any other question is NXDOMAIN, which is proved, too */
static const struct {
    const char *name;
    int type;
    unsigned flags; /* AD, and the rcode */
    const char *data[3];
    size_t len;
} zone[] = {
    { "_25._tcp.good.example", ANSWER_TLSA, AD, { "\0\1\1AAAA", "\3\1\1BBBB", "\2\0\1CCCC" }, 7 },
    { "_25._tcp.forged.example", ANSWER_TLSA, 0, { "\3\1\1BBBB" }, 7 },
    { "_25._tcp.pkix.example", ANSWER_TLSA, AD, { "\0\1\1AAAA", "\1\1\1BBBB" }, 7 },
    { "_25._tcp.short.example", ANSWER_TLSA, AD, { "\3\1" }, 2 },
    { "_25._tcp.broken.example", ANSWER_TLSA, 2, { NULL }, 0 },
    { "_25._tcp.target.example", ANSWER_TLSA, AD, { "\3\1\1TTTT" }, 7 },
    { "_25._tcp.alias.example", ANSWER_TLSA, AD, { "\3\1\1LLLL" }, 7 },
    { "_25._tcp.empty.example", ANSWER_TLSA, AD, { NULL }, 0 },
    { "alias.example", ANSWER_CNAME, AD, { "\1x\0" }, 3 },
    { "lie.example", ANSWER_CNAME, 0, { "\1x\0" }, 3 },
    { "_25._tcp.lie.example", ANSWER_TLSA, AD, { "\3\1\1LLLL" }, 7 },
    { "proved.example", ANSWER_MX, AD, { "\0\5\1x\0" }, 5 },
    { "told.example", ANSWER_MX, 0, { "\0\5\1x\0" }, 5 },
    { "none.example", ANSWER_MX, AD, { NULL }, 0 },
};

static size_t
write_answer(size_t which, unsigned char *p, size_t n)
{
    p[3] = (unsigned char)(0x80 | zone[which].flags);
    for (size_t i = 0; i < 3 && zone[which].data[i]; i++) {
        unsigned char head[12] = { 0xc0, 12, 0, (unsigned char)zone[which].type, 0, 1, 0, 0, 0, 60, 0,
            (unsigned char)zone[which].len };
        memcpy(p + n, head, sizeof head);
        memcpy(p + n + sizeof head, zone[which].data[i], zone[which].len);
        n += sizeof head + zone[which].len;
        p[7]++;
    }
    return n;
}

/* The name of a question, with dots; false: it is another */
static bool
asks_for(const unsigned char *p, size_t n, size_t which)
{
    char name[256];
    size_t at = 12, len = 0;

    while (at < n && p[at] && len + p[at] + 1 < sizeof name) {
        memcpy(name + len, p + at + 1, p[at]);
        len += p[at];
        name[len++] = '.';
        at += p[at] + 1u;
    }
    name[len ? len - 1 : 0] = '\0';
    return strcmp(name, zone[which].name) == 0 && p[n - 3] == zone[which].type;
}

static void
serve(int fd)
{
    unsigned char p[2000];
    struct sockaddr_in from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t got = recvfrom(fd, p, 600, 0, (struct sockaddr *)&from, &len);
        size_t n = got > 0 ? (size_t)got : 0, i = 0, count = sizeof zone / sizeof zone[0];
        if (n < 17)
            _exit(1);
        p[2] = 0x81;
        p[3] = 0x80 | AD | 3;
        while (i < count && !asks_for(p, n, i))
            i++;
        if (i < count)
            n = write_answer(i, p, n);
        (void)sendto(fd, p, n, 0, (struct sockaddr *)&from, len);
    }
}

struct server {
    pid_t pid;
    char where[32];
};

static void
server_begin(struct server *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(s->where, sizeof s->where, "127.0.0.1:%u", ntohs(a.sin_port));
    s->pid = fork();
    ck_assert_int_ge(s->pid, 0);
    if (s->pid == 0)
        serve(fd);
    close(fd);
}

static void
server_end(struct server *s)
{
    ck_assert_int_eq(kill(s->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
}

static const struct {
    const char *host, *canonical;
    bool secure; /* its address is proved */
    enum dane_outcome outcome;
    size_t records;
    const char *base;
} hosts[] = {
    { "good.example", "good.example", true, DANE_FOUND, 2, "good.example" },
    { "good.example", "", true, DANE_FOUND, 2, "good.example" },
    { "good.example", "good.example", false, DANE_NONE, 0, NULL },
    { "forged.example", "forged.example", true, DANE_NONE, 0, NULL },
    { "pkix.example", "pkix.example", true, DANE_FOUND, 0, "pkix.example" },
    { "short.example", "short.example", true, DANE_FOUND, 0, "short.example" },
    { "broken.example", "broken.example", true, DANE_UNKNOWN, 0, NULL },
    { "empty.example", "empty.example", true, DANE_NONE, 0, NULL },
    { "absent.example", "absent.example", true, DANE_NONE, 0, NULL },
    /* RFC 7672, 2.2.2: where the CNAME leads to, then the name itself, whose CNAME at least has to be proved */
    { "alias.example", "target.example", true, DANE_FOUND, 1, "target.example" },
    { "alias.example", "bare.example", true, DANE_FOUND, 1, "alias.example" },
    { "alias.example", "broken.example", true, DANE_UNKNOWN, 0, NULL },
    { "alias.example", "target.example", false, DANE_FOUND, 1, "alias.example" },
    { "lie.example", "target.example", false, DANE_NONE, 0, NULL },
};

START_TEST(records_count_where_all_on_the_way_to_them_is_proved)
{
    struct server s;

    server_begin(&s);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct dane d;
        struct error err;
        enum dane_outcome o = dane_find(
            hosts[i].host, hosts[i].canonical, hosts[i].secure, 25, s.where, clock_deadline(20000), &d, &err);
        ck_assert_msg(o == hosts[i].outcome, "%zu %s: %d", i, hosts[i].host, (int)o);
        if (o == DANE_FOUND) {
            ck_assert_uint_eq(d.n, hosts[i].records);
            ck_assert_str_eq(d.base, hosts[i].base);
        }
        dane_clear(&d);
    }
    server_end(&s);
}
END_TEST

static const struct {
    const char *domain;
    enum mx_outcome outcome;
    bool secure, implicit;
} domains[] = {
    { "proved.example", MX_FOUND, true, false },
    { "told.example", MX_FOUND, false, false },
    { "none.example", MX_FOUND, true, true },
    { "absent.example", MX_NO_DOMAIN, false, false },
};

START_TEST(a_domain_is_proved_as_its_answer_is)
{
    struct server s;

    server_begin(&s);
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        struct mx_options o = { .servers = s.where };
        struct mx_list list;
        struct error err;
        enum mx_outcome outcome = mx_find(domains[i].domain, &o, clock_deadline(20000), &list, &err);
        ck_assert_int_eq(outcome, domains[i].outcome);
        ck_assert_int_eq(list.is_secure, domains[i].secure);
        ck_assert_int_eq(list.is_implicit, domains[i].implicit);
    }
    server_end(&s);
}
END_TEST

SUITE_MAIN("dane", records_count_where_all_on_the_way_to_them_is_proved, a_domain_is_proved_as_its_answer_is)
