/* SPDX-License-Identifier: ISC */
/* probe and step: all addresses are told, a failure has the name of its step, and a line is never more than a packet takes. */
#include "unit/suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/job.h"
#include "smtp/probe.h"

struct told {
    struct steps steps;
    char all[4 * STEP_LINE_MAX];
    size_t longest;
};

static void
tell(void *ctx, struct slice words)
{
    struct told *t = ctx;
    size_t at = strlen(t->all);

    t->longest = words.len > t->longest ? words.len : t->longest;
    (void)snprintf(t->all + at, sizeof t->all - at, "%.*s\n", SLICE_ARG(words));
}

/* A port of 127.0.0.1; without listen() it refuses */
static int
take_port(int type, bool listening, uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert(!listening || listen(fd, 5) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static struct told *
begin(void)
{
    static struct told t;

    memset(&t, 0, sizeof t);
    steps_init(&t.steps, tell, &t);
    return &t;
}

START_TEST(a_host_that_answers_is_told_with_its_address)
{
    struct told *t = begin();
    struct connect_info info;
    struct error err;
    uint16_t port;
    int listener = take_port(SOCK_STREAM, true, &port);
    struct connect_options o = { .host = "127.0.0.1", .port = port };
    int fd = probe_host(&o, clock_deadline(20000), &t->steps, &info, &err);

    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_str_eq(info.peer, "127.0.0.1");
    ck_assert_ptr_nonnull(strstr(t->all, "s.step=names b.ok=1 "));
    ck_assert_ptr_nonnull(strstr(t->all, "s.step=connection b.ok=1 "));
    ck_assert_ptr_nonnull(strstr(t->all, "+.attempts= s.address=127.0.0.1 s.result=answers "));
    close(fd);
    close(listener);
    steps_clear(&t->steps);
}
END_TEST

START_TEST(a_port_that_refuses_is_a_failure_of_the_connection)
{
    struct told *t = begin();
    struct status_fact fact = { .stage = STATUS_CONNECT, .cause = STATUS_NETWORK };
    struct connect_info info;
    struct error err;
    uint16_t port;
    int closed = take_port(SOCK_STREAM, false, &port);
    struct connect_options o = { .host = "127.0.0.1", .port = port };

    ck_assert_int_lt(probe_host(&o, clock_deadline(20000), &t->steps, &info, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "Connection refused (127.0.0.1)"));
    (void)snprintf(fact.text, sizeof fact.text, "%.900s", err.text);
    steps_failed(&t->steps, &fact);
    ck_assert_ptr_nonnull(strstr(t->all, "s.step=connection b.ok=0 "));
    ck_assert_ptr_nonnull(strstr(t->all, " s.cause=network "));
    close(closed);
    steps_clear(&t->steps);
}
END_TEST

START_TEST(a_name_service_that_is_silent_is_a_failure_of_names)
{
    struct told *t = begin();
    struct status_fact fact = { .stage = STATUS_CONNECT, .cause = STATUS_NETWORK };
    struct connect_info info;
    struct error err;
    char servers[32];
    uint16_t port;
    int silent = take_port(SOCK_DGRAM, false, &port);
    struct connect_options o = { .host = "hub.example.org", .port = 25, .name_servers = servers };

    (void)snprintf(servers, sizeof servers, "127.0.0.1:%u", port);
    ck_assert_int_lt(probe_host(&o, clock_deadline(200), &t->steps, &info, &err), 0);
    ck_assert_str_eq(err.text, "hub.example.org: the name service does not answer");
    steps_failed(&t->steps, &fact);
    ck_assert_ptr_nonnull(strstr(t->all, "s.step=names b.ok=0 "));
    close(silent);
    steps_clear(&t->steps);
}
END_TEST

START_TEST(a_line_holds_what_fits_into_a_packet_and_nothing_a_terminal_obeys)
{
    struct told *t = begin();
    char evil[256], text[2000];

    for (size_t i = 0; i < sizeof evil; i++)
        evil[i] = (char)i;
    memset(text, 0xe9, sizeof text);
    for (int i = 0; i < 300; i++) {
        steps_item(&t->steps, "offers");
        steps_item_text(&t->steps, "line", slice_make(evil, sizeof evil));
        steps_text(&t->steps, "long", slice_make(text, sizeof text));
    }
    steps_done(&t->steps, "ehlo", 1, "%.*s", 200, evil + 1);
    ck_assert_uint_le(t->longest, STEP_LINE_MAX);
    ck_assert_uint_lt(t->longest, JOB_PACKET_MAX - 100);
    for (const char *p = t->all; *p; p++)
        ck_assert_msg(*p == '\n' || (*p >= ' ' && *p <= '~'), "%d", *p);
    ck_assert_ptr_nonnull(strstr(t->all, "s.step=ehlo b.ok=1 "));
    steps_clear(&t->steps);
}
END_TEST

SUITE_MAIN("probe", a_host_that_answers_is_told_with_its_address,
    a_port_that_refuses_is_a_failure_of_the_connection, a_name_service_that_is_silent_is_a_failure_of_names,
    a_line_holds_what_fits_into_a_packet_and_nothing_a_terminal_obeys)
